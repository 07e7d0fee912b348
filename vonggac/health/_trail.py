"""What is remembered of one source: its running counts, and its own usual, learned hour by hour."""

from __future__ import annotations

from typing import Final

import msgspec

from vonggac.health.measure import Measure, Source

AGAIN_S: Final = 6 * 3_600  # a fault that comes back within this is the same episode
FIVES: Final = 3  # windows are three times five minutes
#: hours are numbered: those of a working day 0-23, of a weekend 24-47; this is the entry over all of them, for a source
#: that is too young for its own hours
ALL: Final = 48
ENOUGH: Final = 3  # observations of an hour of the day that make it known
_MISSED: Final = 200  # hours without an event that wait to be learned
_NAMES: Final = 96  # field names remembered, a source
_LOOKED: Final = 60  # events looked at that make a shape worth judging
_PRESENCE: Final = 0.2  # weight of the newest observation
_USUAL: Final = 0.2
_LOW_RISES: Final = 0.1  # the lowest falls at once and rises slowly
_LOW_RISES_ALL: Final = 0.0005  # an hour: over all hours it is to hold the nights
_FLOOR_RISES: Final = 0.02 / 288  # a window: what falls so low once in some weeks is not told each time
SHORT_S: Final = 6 * 3_600  # a low that passes by itself in this time is its nature
_DOUBTED: Final = 3  # what is wrong so often in a row is the new usual
_NAME_RISES: Final = 0.02
_GAP_FADES: Final = 0.95  # a day
_STEADY_S: Final = 60.0  # a wrong clock is wrong by the same; a backlog that is caught up is not


class Usual(msgspec.Struct, array_like=True):
    """What an hour of the day is like."""

    seen: int = 0  # how often it was observed
    present: float = 0.0  # share of those hours with any event, recent ones weigh more
    rate: float = 0.0  # events an hour
    low: float = 0.0  # lowest rate of a quarter of an hour, events an hour
    doubted: int = 0  # how often in a row something was wrong in it


class Fault(msgspec.Struct, array_like=True):
    """Something is wrong with a source, or was: `until` 0 = it still is. Times are append times, s since 1970."""

    rule: str
    since: int
    until: int = 0


class Running(msgspec.Struct, array_like=True):
    """The day that is not over yet."""

    events: int = 0
    failed: int = 0
    first: int = 0  # append time of the first event, s since 1970; 0 = none
    last: int = 0
    silent: int = 0  # minutes without an event while we were up
    watched: int = 0  # minutes that we were up
    offsets: list[float] = []  # a median an hour
    changes: list[str] = []


class Trail(msgspec.Struct, array_like=True):
    """One source. Minutes count only while the service was up: its own rest is nobody's silence."""

    key: Source
    first: int  # append time of its first record, s since 1970
    unit: str = ""
    last: int = 0  # append time of its last event; 0 = never any
    seen: int = 0  # append time of its last record of any kind
    watched: int = 0  # minutes since the first record
    minutes: int = 0  # of them with an event
    days: int = 0  # with an event
    quiet: float = 0.0  # minutes without an event, each weighed by how usual events are at that hour
    gap: float = 0.0  # its longest usual quiet
    minute: int = 0  # events of the running minute
    #: events, failed, beside of the running five minutes
    five: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    window: list[list[int]] = []  # the last three of them
    offsets: list[float] = []  # of the running five minutes
    clocks: list[float] = []  # medians of the last three five minutes that had any
    hour: int = 0  # events of the running hour
    lowest: int = -1  # lowest window that ended in it; -1 = none yet
    doubtful: bool = False  # something was wrong in this hour: it teaches nothing
    hour_offsets: list[float] = []
    missed: list[int] = []  # hours of the day that passed without an event: learned when the source is back
    suspect: int = 0  # windows in a row that were far too low
    floor: float = 0.0  # its lowest usual rate of a quarter of an hour, as a part of what is usual at that hour
    floors: int = 0  # windows that taught it
    depth: float = -1.0  # lowest such part while it was far too low; -1 = it is not
    sunk: int = 0  # since when it is
    week: dict[int, Usual] = {}
    looked: int = 0
    came: dict[str, int] = {}  # field name -> events that had it, of `looked`
    fields: dict[str, float] = {}  # field name -> the lowest share of events that usually have it
    shapes: int = 0  # shapes learned
    faults: list[Fault] = []
    day: Running = msgspec.field(default_factory=Running)

    def fault(self, rule: str) -> Fault | None:
        """Give what is, or was last, wrong by a rule."""
        return next((one for one in self.faults if one.rule == rule), None)

    def ill(self, rule: str) -> bool:
        """Say whether a rule's fault is there now."""
        found = self.fault(rule)
        return found is not None and not found.until

    @property
    def live(self) -> bool:
        """Whether silence, rate and clock can be judged at all: no files, no mere listener."""
        return not self.key.bounded and self.key.host != "*" and self.last > 0

    def take(self, measure: Measure, at: int) -> None:
        """Add a measurement that was appended at `at`."""
        self.unit = measure.unit or self.unit
        self.seen = at
        events, failed = max(measure.events, 0), max(measure.failed, 0)
        self.minute += events
        self.hour += events
        self.five = [self.five[0] + events, self.five[1] + failed, self.five[2] + max(measure.beside, 0)]
        if events:
            self.last = at
            self.day.first = self.day.first or at
            self.day.last = at
        self.day.events += events
        self.day.failed += failed
        if measure.offset_s is not None and len(self.offsets) < 30:
            self.offsets.append(measure.offset_s)
        if measure.shape is not None:
            self.looked += max(measure.shape.looked, 0)
            for name, count in measure.shape.names.items():
                if name in self.came or len(self.came) < _NAMES:
                    self.came[name] = self.came.get(name, 0) + count

    def usual(self, hour: int) -> Usual | None:
        """Give what is usual at an hour of the day: its own past, else, from its second day on, that of all hours."""
        own = self.week.get(hour)
        if own is not None and own.seen >= ENOUGH:
            return own
        every = self.week.get(ALL)
        return every if every is not None and every.seen >= 24 else None

    def note_part(self, hour: int, at: int, *, low: bool) -> None:
        """Remember how the last window compares with what is usual; `low` = it is, or was just, far too low."""
        own = self.week.get(hour)
        if own is None or own.seen < ENOUGH or not own.rate or len(self.window) < FIVES:
            return
        part = round(4.0 * sum(one[0] for one in self.window) / own.rate, 4)
        if not part:  # a restart, an outage: not a low rate
            return
        if low:
            self.sunk = self.sunk if self.depth >= 0 else at
            self.depth = part if self.depth < 0 else min(self.depth, part)
            return
        if self.depth >= 0 and at - self.sunk < SHORT_S:
            self.floor = min(self.floor, self.depth)
        self.depth = -1.0
        lower = not self.floors or part < self.floor
        self.floor = part if lower else round(self.floor + _FLOOR_RISES * (part - self.floor), 6)
        self.floors += 1

    @property
    def round_the_clock(self) -> bool:
        """Whether it sends at nearly every hour, day and night; False for a source under a day old."""
        known = [one.present for hour, one in self.week.items() if hour != ALL and one.seen]
        return len(known) >= 24 and sum(known) >= 0.85 * len(known)

    def weight(self, hour: int) -> float:
        """Say how much a minute without events counts at this hour of the day, 0 to 1."""
        if self.days < ENOUGH:
            return 1.0
        own = self.week.get(hour)
        if own is None or not own.seen:  # its first weekend: nobody knows yet
            return 1.0 if self.round_the_clock else 0.0
        return own.present

    def pass_minute(self, hour: int, limit: float | None) -> None:
        """Close a minute; `limit` bounds what a gap may teach, so that an outage never becomes usual."""
        self.watched += 1
        self.day.watched += 1
        if self.minute:
            self.minutes += 1
            self.gap = max(self.gap, self.quiet if limit is None else min(self.quiet, limit))
            self.quiet = 0.0
        else:
            self.quiet += self.weight(hour)
            self.day.silent += 1
        self.minute = 0

    def pass_five(self) -> float | None:
        """Close five minutes; gives the median clock offset of a window that is steady, else None."""
        self.window = [*self.window, self.five][-FIVES:]
        self.five = [0, 0, 0]
        if not self.offsets:
            return None
        middle = median(self.offsets)
        self.offsets = []
        self.clocks = [*self.clocks, middle][-FIVES:]
        self.hour_offsets.append(middle)
        if len(self.clocks) < FIVES or max(self.clocks) - min(self.clocks) > _STEADY_S:
            return None
        return median(self.clocks)

    def note_low(self) -> None:
        """Remember the lowest window of the hour."""
        if len(self.window) == FIVES:
            total = sum(one[0] for one in self.window)
            self.lowest = total if self.lowest < 0 else min(self.lowest, total)

    def pass_hour(self, hour: int, begun: int, *, whole: bool) -> None:
        """Close an hour of the day that began at `begun`; `whole` = we were up for most of it."""
        if self.hour_offsets and len(self.day.offsets) < 24:
            self.day.offsets.append(median(self.hour_offsets))
        events, lowest, doubtful = self.hour, self.lowest, self.doubtful
        self.hour, self.lowest, self.doubtful, self.hour_offsets = 0, -1, False, []
        if not self.live or not whole or self.first > begun:
            return
        if not events:
            if len(self.missed) < _MISSED:
                self.missed.append(hour)
            return
        for missed in self.missed:
            self._learn(missed, 0, 0)
        self.missed = []
        if doubtful:
            own = self.week.setdefault(hour, Usual())
            own.doubted += 1
            if own.doubted < _DOUBTED:
                return
        elif hour in self.week:
            self.week[hour].doubted = 0
        if lowest >= 0:
            self._learn(hour, events, lowest * 4)

    def _learn(self, hour: int, events: int, low: int) -> None:
        for entry in (hour, ALL):
            usual = self.week.setdefault(entry, Usual())
            if not usual.seen:
                usual.present, usual.rate, usual.low = float(events > 0), float(events), float(low)
            usual.seen += 1
            usual.present = round(usual.present + _PRESENCE * ((events > 0) - usual.present), 4)
            usual.rate = round(usual.rate + _USUAL * (events - usual.rate), 2)
            rises = _LOW_RISES if entry != ALL else _LOW_RISES_ALL
            usual.low = float(low) if low < usual.low else round(usual.low + rises * (low - usual.low), 2)

    def pass_shape(self) -> tuple[list[str], list[str]]:
        """Close a shape once enough was looked at; gives the fields that always came and are gone, and new ones."""
        if self.looked < _LOOKED:
            return [], []
        share = {name: min(count / self.looked, 1.0) for name, count in self.came.items()}
        self.looked, self.came = 0, {}
        gone, new = [], []
        if self.shapes >= 24:
            gone = sorted(name for name, low in self.fields.items() if low >= 0.5 and share.get(name, 0.0) < 0.02)
            new = sorted(name for name, part in share.items() if part >= 0.5 and name not in self.fields)
        for name, low in self.fields.items():
            part = share.pop(name, 0.0)
            self.fields[name] = round(part if part < low else low + _NAME_RISES * (part - low), 4)
        for name, part in share.items():
            if len(self.fields) < _NAMES and part >= 0.05:
                self.fields[name] = round(part, 4) if not self.shapes else 0.0
        self.shapes += 1
        return gone, new

    def pass_day(self, changes: int) -> Running:
        """Close a day and give it, with at most `changes` changes of state."""
        over, self.day = self.day, Running()
        del over.changes[changes:]
        self.days += over.events > 0
        if self.days == ENOUGH and over.events and not self.round_the_clock:
            self.gap = self.quiet = 0.0  # from here on each hour has its weight: what was counted without is void
        self.gap = round(self.gap * _GAP_FADES, 2)
        return over

    def pause(self, left: float | None) -> None:
        """Forget what needs an unbroken view, because we were not there; `left` bounds the quiet that was counted."""
        self.five, self.window, self.offsets, self.clocks = [0, 0, 0], [], [], []
        self.suspect, self.doubtful = 0, True
        if left is not None:
            self.quiet = min(self.quiet, max(left, 0.0))


def median(values: list[float]) -> float:
    """Give the middle one of at least one value, rounded to tenths."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return round(ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2, 1)
