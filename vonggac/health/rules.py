"""When a source counts as ill, and the alert that says so: what, since when, what is usual, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import orjson

from vonggac.event import ECS_VERSION, SEVERITY, digest
from vonggac.health._trail import ALL, ENOUGH, FIVES, Trail
from vonggac.health.measure import Source
from vonggac.i18n import later
from vonggac.reading.times import iso as written
from vonggac.settings import Health

SILENCE: Final = "health/silence"
COLLAPSE: Final = "health/rate-collapse"
SHAPE: Final = "health/shape-change"
FAILURES: Final = "health/parse-failures"
CLOCK: Final = "health/clock"
DISK: Final = "health/disk-low"
DROPPED: Final = "health/events-dropped"
BEHIND: Final = "health/behind"
RESTARTS: Final = "health/role-restarts"
DAMAGED: Final = "health/store-damaged"
CLOCK_SET: Final = "health/clock-set"
#: rule -> name, level. A source that sends day and night and falls silent is `high`.
RULES: Final = {
    SILENCE: (later("A source has fallen silent"), "medium"),
    COLLAPSE: (later("A source sends far less than usual"), "medium"),
    SHAPE: (later("A source no longer sends fields that it always sent"), "medium"),
    FAILURES: (later("Much of what a source sends cannot be read"), "medium"),
    CLOCK: (later("A source's clock is wrong"), "medium"),
    DISK: (later("The disk of this service is nearly full"), "medium"),
    DROPPED: (later("This service lost events before it could keep them"), "high"),
    BEHIND: (later("This service is behind with what came in"), "high"),
    RESTARTS: (later("A role of this service dies again and again"), "high"),
    DAMAGED: (later("Files of the event store are damaged"), "high"),
    CLOCK_SET: (later("The clock of this machine was set"), "medium"),
}
#: Vietnam has had one time, without summer time, since 1975: days and hours need no table, and never change by one
LOCAL: Final = timezone(timedelta(hours=7))

_VERSION: Final = digest("health", "1")
_SHOWN: Final = 20  # names in a message
_TIMES_ITS_GAP: Final = 3.0  # of a source that sends round the clock
_TIMES_ITS_GAP_BY_DAY: Final = 1.5  # of one that rests, if its hours are regular …
_IRREGULAR: Final = 3.0  # … and so much more for one that comes by chance
_WEEK: Final = 7  # days with events
_OF_ITS_DAY: Final = 1.2  # a source that rests at night is silent when more than its whole usual day is missing
_YOUNG_MINUTES: Final = 72 * 60  # a source whose nights and weekends are not known yet
_YOUNG_ACTIVE: Final = 30  # minutes with events that make it one that sends steadily
_EXPECTED: Final = 50  # events in a window, that a fall is no chance
_FAR_BELOW: Final = 0.5  # of the lowest that is usual: of its own, and of this hour's
_KNOWN: Final = 200  # windows, most of a day, before a fall can be told from its nature
_FAILED: Final = 30  # records in a window


def silence_limit(trail: Trail, health: Health) -> float | None:
    """Give the minutes (weighted by hour) without events after which a source is silent; None = not judged."""
    if not trail.live:
        return None
    if trail.round_the_clock:
        return max(health.silence_minutes, _TIMES_ITS_GAP * trail.gap)
    if trail.days >= ENOUGH:
        hours = [(hour, one.present) for hour, one in trail.week.items() if hour != ALL]
        day = 60 * max(sum(p for hour, p in hours if hour < 24), sum(p for hour, p in hours if hour >= 24))
        if not day:  # its hours were never whole: nothing is usual
            return None
        irregular = sum(p * (1 - p) for _, p in hours) / sum(p for _, p in hours)  # 0: each hour always or never
        times = _TIMES_ITS_GAP_BY_DAY + _IRREGULAR * irregular
        if trail.days < _WEEK:  # few silences seen yet
            times *= 2
        return max(health.silence_minutes, times * trail.gap, _OF_ITS_DAY * day)
    return float(_YOUNG_MINUTES) if trail.minutes >= _YOUNG_ACTIVE else None


def collapsed(trail: Trail, hour: int, health: Health) -> tuple[float, float] | None:
    """Give (rate, usual rate), events an hour, when the last quarter of an hour is far below what is usual."""
    usual = trail.usual(hour) if trail.live and len(trail.window) == FIVES and trail.floors >= _KNOWN else None
    if usual is None:
        return None
    rate = 4.0 * sum(one[0] for one in trail.window)
    if not rate or usual.rate < 4 * _EXPECTED:  # nothing at all is silence, and judged there
        return None
    part = rate / usual.rate
    low = part < health.collapse and part < _FAR_BELOW * trail.floor and rate < _FAR_BELOW * usual.low
    return (rate, usual.rate) if low else None


def risen(trail: Trail, hour: int, health: Health) -> bool:
    """Say whether a rate that had collapsed is well above the limit again."""
    usual = trail.usual(hour)
    rate = 4.0 * sum(one[0] for one in trail.window)
    return usual is None or (len(trail.window) == FIVES and rate > 2 * health.collapse * usual.rate)


def failing(trail: Trail) -> tuple[int, float]:
    """Give how many records of the last quarter of an hour could not be read, and their share."""
    read, failed, beside = (sum(column) for column in zip(*trail.window, strict=True)) if trail.window else (0, 0, 0)
    return failed, failed / (read + failed + beside) if failed else 0.0


def too_many(failed: int, share: float, health: Health) -> bool:
    """Say whether failures are worth an alert."""
    return failed >= _FAILED and share > health.failures


def alert(
    rule: str,
    key: Source,
    unit: str,
    slot: int,
    at: int,
    message: str,
    matched: Mapping[str, Any],
    *,
    level: str | None = None,
) -> bytes:
    """Give an alert line (docs/alerts.md). One episode, which began at `slot`, is one id; `at` is the append time."""
    name, usual = RULES[rule]
    level = level or usual
    time = iso(at)
    out: dict[str, Any] = {
        "@timestamp": time,
        "event": {
            "kind": "alert",
            "id": digest("health", rule, *map(str, key), slot),
            "severity": SEVERITY[level],
            "ingested": time,
            "module": "vonggac",
            "dataset": "vonggac.health",
        },
        "rule": {"id": rule, "name": name, "level": level, "ruleset": "vonggac", "version": _VERSION},
        "threat": {"technique": [], "tactic": []},
    }
    if key.host and key.host != "*":
        out["host"] = {"name": key.host}
    if key.drill:
        out["labels"] = {"drill": key.drill}
    out["message"] = message
    own: dict[str, Any] = {"collector": key.collector, "unit": unit, "events": [], "matched": dict(matched)}
    out["vonggac"] = own
    out["ecs"] = {"version": ECS_VERSION}
    return orjson.dumps(out)


def silence_message(trail: Trail, limit: float) -> str:
    """Say that a source is silent."""
    return (
        f"{trail.key}: no event since {local(trail.last)}. Its longest usual silence at these hours is"
        f" {span(trail.gap)}; more than {span(limit)} is too long. Is the machine on, does its sender run, is the"
        " network between open? Logging switched off is what an attacker does first"
    )


def many_silent_message(silent: Sequence[Trail]) -> str:
    """Say that many sources fell silent at once."""
    shown = ", ".join(str(one.key) for one in silent[:_SHOWN])
    more = f" and {len(silent) - _SHOWN} more" if len(silent) > _SHOWN else ""
    return (
        f"{len(silent)} sources have fallen silent at once, the first since {local(min(one.last for one in silent))}:"
        f" {shown}{more}. Look first at what they share: the network, a forwarder, a listener of this service"
    )


def collapse_message(trail: Trail, rate: float, usual: float, since: int) -> str:
    """Say that a source sends far less."""
    return (
        f"{trail.key}: {rate:,.0f} events an hour since about {local(since)}; usual at this hour are {usual:,.0f}."
        " Was its logging cut down, does its sender lag or drop, is only part of it left?"
    )


def failures_message(trail: Trail, failed: int, share: float, since: int) -> str:
    """Say that much cannot be read."""
    return (
        f"{trail.key}: {failed:,} records, {share:.0%} of what came since {local(since)}, cannot be read. The records"
        " and the reasons stand in topic `dead`: was the sender changed, or does it send another format?"
    )


def clock_message(trail: Trail, offset: float, since: int) -> str:
    """Say that a clock is wrong."""
    way = "behind ours, or its events come late" if offset > 0 else "ahead of ours"
    return (
        f"{trail.key}: its clock has been {span(abs(offset) / 60)} {way} since about {local(since)}. Set its time"
        " (NTP) and its zone: correlations and timelines go by event time"
    )


def shape_message(trail: Trail, gone: Sequence[str], new: Sequence[str], since: int) -> str:
    """Say that fields are gone."""
    came = f"; new are {names(new)}" if new else ""
    return (
        f"{trail.key}: since about {local(since)} fields that were always there are gone: {names(gone)}{came}. Was the"
        " sender upgraded or its audit policy changed? Rules that look at these fields no longer match"
    )


def names(of: Sequence[str]) -> str:
    """List names, not more than a person reads."""
    return ", ".join(of[:_SHOWN]) + (f" and {len(of) - _SHOWN} more" if len(of) > _SHOWN else "")


def iso(at: int) -> str:
    """Write s since 1970 as events write it: `2026-03-01T08:00:00.000000Z`."""
    return written(datetime.fromtimestamp(at, UTC))


def local(at: int) -> str:
    """Write s since 1970 for people: `2026-03-01 15:00 +07:00`."""
    return datetime.fromtimestamp(at, LOCAL).strftime("%Y-%m-%d %H:%M +07:00")


def span(minutes: float) -> str:
    """Write a duration for people: `15 min`, `3.5 h`, `2.0 d`."""
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"
