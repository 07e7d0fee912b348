"""The fold over topic `health`: measurements in, alerts and day rows out. No clock but the append time.

The same records in the same order give the same alerts, in one feed or many, with a snapshot anywhere between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from vonggac.health import rules
from vonggac.health._trail import AGAIN_S, Fault, Trail, median
from vonggac.health.ledger import Day
from vonggac.health.measure import DOWN_S, LIMIT, OTHERS, Own, Source, read
from vonggac.health.service import Watch
from vonggac.settings import Health

FORMAT: Final = 1  # of the snapshot
SERVICE: Final = Source("vonggac", "")  # the ledger's row of the service itself: how long it watched

_GRACE: Final = 5.0  # minutes that a source has at least, after we were down
_MANY: Final = 20  # above it, sources that fall silent in one minute are one alert
_SHAPE_S: Final = 86_400  # a changed shape is shown as a fault for a day
_CHANGES: Final = 50  # state changes in a day row
_ONCE_S, _LONG_S, _FILE_S = 2 * 86_400, 30 * 86_400, 7 * 86_400  # forgotten after: seen once; long known; a file
_ZONE_S: Final = 7 * 3_600


@dataclass(frozen=True, slots=True)
class Status:
    """How a source is, for people."""

    source: Source
    unit: str
    last: int  # append time of its last event, s since 1970; 0 = never any
    rate: float  # events an hour, over the last quarter of an hour
    usual: float | None  # at this hour of the day; None = not known yet
    failed: float  # share of records that cannot be read, over the last quarter of an hour
    offset_s: float | None
    state: str  # ok, learning, file, others, or the rules that say it is ill, blank between
    since: int | None  # of the oldest fault


class _State(msgspec.Struct, array_like=True):
    format: int = FORMAT
    at: int = 0  # append time, s since 1970
    minute: int = 0  # number of the running minute
    hour_watched: int = 0  # minutes
    day_watched: int = 0
    unread: int = 0  # records that were no measurement
    trails: list[Trail] = []
    days: list[Day] = []  # over and not yet taken
    own: Watch = msgspec.field(default_factory=Watch)


class Fold:
    """Judges every source by its own past, and the service itself."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._state = _State()
        self._trails: dict[Source, Trail] = {}

    def feed(self, records: Sequence[bytes], appended: datetime) -> list[bytes]:
        """Take the records of a batch, in committed order; gives the alerts that they bring about."""
        at = int(appended.timestamp())
        alerts: list[bytes] = []
        for record in records:
            alerts += self._advance(at)
            try:
                found = read(record)
            except ValueError:
                self._state.unread += 1
                continue
            if isinstance(found, Own):
                alerts += self._state.own.judge(found, at)
            elif found is not None:
                self._trail(found.key, at).take(found, at)
        return alerts

    def take_days(self) -> list[Day]:
        """Give the rows of days that are over, each once; save them with the snapshot made after this."""
        days, self._state.days = self._state.days, []
        return days

    def snapshot(self) -> bytes:
        """Give all of the memory."""
        self._state.trails = list(self._trails.values())
        return msgspec.json.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from a snapshot; raises ValueError when it is none, or of a newer version."""
        number = msgspec.json.decode(state, type=list)[:1]
        if number != [FORMAT]:
            msg = f"source health: snapshot of format {number}; this version reads {FORMAT}"
            raise ValueError(msg)
        self._state = msgspec.json.decode(state, type=_State)
        self._trails = {one.key: one for one in self._state.trails}

    @property
    def at(self) -> int:
        """Append time up to which this is known, s since 1970; 0 = nothing yet."""
        return self._state.at

    @property
    def unread(self) -> int:
        """Records that were no measurement."""
        return self._state.unread

    def sources(self) -> list[Status]:
        """Give how every source is."""
        hour = _hour(self._state.minute * 60)
        return [_status(trail, hour) for trail in self._trails.values()]

    def _trail(self, key: Source, at: int) -> Trail:
        found = self._trails.get(key)
        if found is None:
            if len(self._trails) >= LIMIT:
                key = OTHERS
            found = self._trails.setdefault(key, Trail(key, at))
        return found

    # ------------------------------------------------------------------ time

    def _advance(self, at: int) -> Iterator[bytes]:
        state = self._state
        if not state.at:
            state.at, state.minute = at, at // 60
        if at <= state.at:  # parts of the log need not be in order of each other
            return
        gap, state.at = at - state.at, at
        if gap > DOWN_S:
            yield from self._pass_minute(state.minute)
            self._pause(state.minute + 1, at // 60)
            state.minute = at // 60
        while state.minute < at // 60:
            yield from self._pass_minute(state.minute)
            state.minute += 1

    def _pause(self, before: int, after: int) -> None:
        """Go over a time in which we were down."""
        for trail in self._trails.values():
            limit = rules.silence_limit(trail, self._health)
            trail.pause(None if limit is None or trail.ill(rules.SILENCE) else limit - _GRACE)
        if before % 60 and before // 60 != after // 60:
            self._pass_hour(before // 60 * 3_600)
        if (before * 60 + _ZONE_S) % 86_400 and _day(before * 60) != _day(after * 60):
            self._pass_day(_day(before * 60))

    def _pass_minute(self, minute: int) -> Iterator[bytes]:
        """Close a minute, and what ends with it."""
        self._state.hour_watched += 1
        self._state.day_watched += 1
        begun, over = minute * 60, minute * 60 + 60
        yield from self._silence(_hour(begun), over)
        if not over % 300:
            for trail in self._trails.values():
                yield from self._pass_five(trail, _hour(begun), over)
        if not over % 3_600:
            for trail in self._trails.values():
                yield from self._shape(trail, over)
            self._pass_hour(over - 3_600)
        if not (over + _ZONE_S) % 86_400:
            self._pass_day(_day(begun))

    def _pass_hour(self, begun: int) -> None:
        whole, self._state.hour_watched = self._state.hour_watched >= 30, 0
        at = self._state.at
        for key, trail in list(self._trails.items()):
            trail.pass_hour(_hour(begun), begun, whole=whole)
            kept = _FILE_S if key.bounded else _LONG_S if trail.days > 1 or trail.ill(rules.SILENCE) else _ONCE_S
            if at - trail.seen > kept and not (trail.day.events or trail.day.changes):
                del self._trails[key]

    def _pass_day(self, number: int) -> None:
        day = datetime.fromtimestamp(number * 86_400 - _ZONE_S, rules.LOCAL).strftime("%Y-%m-%d")
        watched, self._state.day_watched = self._state.day_watched, 0
        rows = [self._row(trail, day) for trail in self._trails.values()]
        rows = [row for row in rows if row.events or row.failed or not row.source.bounded]
        events, failed = sum(row.events for row in rows), sum(row.failed for row in rows)
        own = Day(day, SERVICE, "", events, failed, None, None, 0, watched, None, ())
        self._state.days += [own, *rows]

    def _row(self, trail: Trail, day: str) -> Day:
        over = trail.pass_day(_CHANGES)
        return Day(
            day,
            trail.key,
            trail.unit,
            over.events,
            over.failed,
            rules.iso(over.first) if over.first else None,
            rules.iso(over.last) if over.last else None,
            over.silent,
            over.watched,
            median(over.offsets) if over.offsets else None,
            tuple(over.changes),
        )

    # -------------------------------------------------------------- judgement

    def _silence(self, hour: int, at: int) -> Iterator[bytes]:
        health = self._health
        silent: list[tuple[Trail, float]] = []
        for trail in self._trails.values():
            # most sources, most minutes: nothing to judge
            near = trail.quiet + 1 >= health.silence_minutes
            limit = rules.silence_limit(trail, health) if near else None
            back = trail.minute > 0 and trail.ill(rules.SILENCE)
            trail.pass_minute(hour, limit)
            if back:
                trail.missed = []  # an outage is not usual
                self._end(trail, rules.SILENCE, at)
            elif limit is not None and trail.quiet >= limit and not trail.ill(rules.SILENCE):
                self._begin(trail, rules.SILENCE, trail.last, at)
                silent.append((trail, limit))
        if len(silent) > _MANY:
            trails = [trail for trail, _ in silent]
            message = rules.many_silent_message(trails)
            key = Source("*", "*", drill=trails[0].key.drill if len({one.key.drill for one in trails}) == 1 else "")
            units = {one.unit for one in trails}
            unit = units.pop() if len(units) == 1 else ""
            matched = {"sources": len(trails)}
            yield rules.alert(rules.SILENCE, key, unit, at, at, message, matched, level="high")
            return
        for trail, limit in silent:
            level = "high" if trail.round_the_clock else None
            told: dict[str, object] = {
                "last": rules.iso(trail.last),
                "limit_minutes": round(limit),
                "usual_minutes": round(trail.gap),
            }
            yield rules.alert(
                rules.SILENCE,
                trail.key,
                trail.unit,
                trail.last,
                at,
                rules.silence_message(trail, limit),
                told,
                level=level,
            )

    def _pass_five(self, trail: Trail, hour: int, at: int) -> Iterator[bytes]:
        offset = trail.pass_five()
        if offset is not None and trail.live:
            yield from self._clock(trail, offset, at)
        yield from self._failures(trail, at)
        yield from self._collapse(trail, hour, at)
        trail.note_low()

    def _clock(self, trail: Trail, offset: float, at: int) -> Iterator[bytes]:
        limit, since = self._health.clock_seconds, at - 900
        if abs(offset) <= limit / 2:
            self._end(trail, rules.CLOCK, at)
        elif abs(offset) > limit and self._begin(trail, rules.CLOCK, since, at):
            message = rules.clock_message(trail, offset, since)
            yield rules.alert(rules.CLOCK, trail.key, trail.unit, since, at, message, {"offset_s": offset})

    def _failures(self, trail: Trail, at: int) -> Iterator[bytes]:
        failed, share = rules.failing(trail)
        since = at - 900
        if rules.too_many(failed, share, self._health):
            if self._begin(trail, rules.FAILURES, since, at):
                message = rules.failures_message(trail, failed, share, since)
                yield rules.alert(
                    rules.FAILURES, trail.key, trail.unit, since, at, message, {"failed": failed, "share": share}
                )
        elif share < self._health.failures / 2:
            self._end(trail, rules.FAILURES, at)

    def _collapse(self, trail: Trail, hour: int, at: int) -> Iterator[bytes]:
        found = rules.collapsed(trail, hour, self._health)
        trail.suspect = trail.suspect + 1 if found else 0
        ill = trail.ill(rules.COLLAPSE)
        if found and trail.suspect >= 2 and not ill:
            since = at - 1_200
            if self._begin(trail, rules.COLLAPSE, since, at):
                message = rules.collapse_message(trail, *found, since)
                matched = {"rate_per_hour": found[0], "usual_per_hour": found[1]}
                yield rules.alert(rules.COLLAPSE, trail.key, trail.unit, since, at, message, matched)
        elif ill and rules.risen(trail, hour, self._health):
            self._end(trail, rules.COLLAPSE, at)
        low = trail.suspect > 0 or trail.ill(rules.COLLAPSE)
        trail.doubtful = trail.doubtful or low
        if trail.live and not trail.ill(rules.SILENCE):
            trail.note_part(hour, at, low=low)

    def _shape(self, trail: Trail, at: int) -> Iterator[bytes]:
        gone, new = trail.pass_shape()
        fault = trail.fault(rules.SHAPE)
        since = at - 3_600
        if gone and self._begin(trail, rules.SHAPE, since, at):
            message = rules.shape_message(trail, gone, new, since)
            yield rules.alert(
                rules.SHAPE, trail.key, trail.unit, since, at, message, {"gone": gone[:20], "new": new[:20]}
            )
        elif fault is not None and not fault.until and at - fault.since > _SHAPE_S:
            self._end(trail, rules.SHAPE, at)

    def _begin(self, trail: Trail, rule: str, since: int, at: int) -> bool:
        """Note that a fault is there; True when it is a new episode, which deserves an alert."""
        fault = trail.fault(rule)
        if fault is not None and not fault.until:
            return False
        again = fault is not None and rule != rules.SILENCE and at - fault.until < AGAIN_S
        if fault is not None and again:
            fault.until = 0
        else:
            trail.faults = [*(one for one in trail.faults if one.rule != rule), Fault(rule, since)]
        _change(trail, at, f"{rule} {'is back' if again else 'begins'}")
        return not again

    def _end(self, trail: Trail, rule: str, at: int) -> None:
        fault = trail.fault(rule)
        if fault is not None and not fault.until:
            fault.until = at
            _change(trail, at, f"{rule} ends")


def _status(trail: Trail, hour: int) -> Status:
    ill = [one for one in trail.faults if not one.until]
    usual = trail.usual(hour) if trail.live else None
    if ill:
        state = " ".join(one.rule.removeprefix("health/") for one in ill)
    elif trail.key == OTHERS:
        state = "others"
    elif trail.key.bounded:
        state = "file"
    else:
        state = "ok" if usual is not None or not trail.live else "learning"
    return Status(
        trail.key,
        trail.unit,
        trail.last,
        4.0 * sum(one[0] for one in trail.window),
        usual.rate if usual else None,
        rules.failing(trail)[1],
        trail.clocks[-1] if trail.clocks else None,
        state,
        min((one.since for one in ill), default=None),
    )


def _change(trail: Trail, at: int, what: str) -> None:
    if len(trail.day.changes) < _CHANGES:
        trail.day.changes.append(f"{rules.iso(at)} {what}")


def _hour(at: int) -> int:
    """Give the hour of the day at s since 1970: 0-23 on working days, 24-47 on Saturday and Sunday."""
    hours = (at + _ZONE_S) // 3_600
    return hours % 24 + (24 if (hours // 24 + 3) % 7 >= 5 else 0)  # 1970-01-01 was a Thursday


def _day(at: int) -> int:
    return (at + _ZONE_S) // 86_400
