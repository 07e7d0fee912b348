"""What every source sent, counted where it comes in: the measurements that source health is judged by.

This runs once an event at full rate: a table look-up and an addition each. Times and fields are looked at for a few
events a slot and source only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final

from vonggac.event import Event
from vonggac.health.measure import LIMIT, LONGEST, OTHERS, SLOT_S, Measure, Own, Shape, Source, beat, line
from vonggac.intake._shape import NAMES, names

_TIMES: Final = 5  # event times looked at, a slot and source
_CANONICAL: Final = 27  # characters of `2026-03-01T01:02:03.000000Z`, as our collectors write times
_SHAPES: Final = 2  # events whose fields are looked at, a slot and source
_SHAPE_SLOTS: Final = 60  # a shape is told every ten minutes
_IDLE_SLOTS: Final = 8_640  # a source not seen for a day gives its place to a new one, when the table is full
_SWEEP_SLOTS: Final = 60  # between two looks for such places
#: their events carry the time of a beginning and come at the end: a flow up to half an hour late
_TOLD_LATE: Final = ("pcap",)


class _Count:
    """What one source sent in the running slot."""

    __slots__ = (
        "beside", "events", "failed", "key", "last", "looked", "names", "newest", "offsets", "seen", "shapes", "source",
        "told", "turn", "unit",
    )  # fmt: skip

    def __init__(self, source: Source, key: tuple[Any, ...], slot: int) -> None:
        self.source, self.key = source, key
        self.unit = ""
        self.events = self.failed = self.beside = 0
        self.last: dict[str, Any] | None = None  # the newest event of the delivery at hand
        self.turn = 0  # the delivery that touched it last
        self.newest = ""
        self.offsets: list[float] = []
        self.shapes = _SHAPES  # looks that are left in this slot
        self.looked = 0
        self.names: dict[str, int] = {}
        self.told = slot  # slot of the last shape
        self.seen = slot


class Tally:
    """Counts by source (collector, host, dataset). `seen` from any thread, `take` from the collect task's."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._tables: dict[tuple[str, bool], dict[tuple[Any, ...], _Count]] = {}
        self._size = 0
        self._others = _Count(OTHERS, (), 0)
        self._turn = 0
        self._slot = 0  # number of the running slot; 0 = none yet
        self._swept = 0

    def seen(
        self, collector: str, source: str, events: Sequence[Event], failed: int, received: datetime, *, bounded: bool
    ) -> None:
        """Count a delivery: its events, what could not be read, and how far the events' clocks are from `received`.

        Failures go to the one host of the delivery; where it has none or several, to `source`, the listener.
        """
        touched: list[_Count] = []
        with self._lock:
            self._turn = turn = self._turn + 1
            table = self._tables.get((collector, bounded))
            if table is None:
                table = self._tables.setdefault((collector, bounded), {})
            here = (_text(source), "", "")
            listener = table.get(here)
            before = listener.events if listener else 0
            for event in events:
                doc = event.doc
                try:
                    host, about = doc.get("host"), doc["event"]
                    if host:
                        count = table.get((host["name"], about["dataset"]))
                    else:
                        count = None if "source" in doc.get("log", ()) else table.get((here[0], about["dataset"]))
                    if count is None or "labels" in doc:
                        count = self._find(collector, here[0], doc, table, bounded=bounded)
                except (KeyError, TypeError):  # no name, or `host` is no object: whoever sends decides
                    count = self._find(collector, here[0], doc, table, bounded=bounded)
                count.events += 1
                count.last = doc
                if count.turn != turn:
                    count.turn = turn
                    touched.append(count)
            listener = table.get(here)
            if failed:
                if len(touched) == 1:
                    touched[0].failed += failed
                else:
                    listener = self._place(Source(collector, here[0], bounded=bounded), here, table)
                    listener.failed += failed
            if listener is not None and listener is not self._others:
                own = listener.events - before
                listener.beside += len(events) - own
            for count in touched:
                if len(count.offsets) < _TIMES or count.shapes:
                    self._look(count, received, bounded=bounded)
                count.last = None  # no document stays in memory

    def take(self, now: datetime, own: Callable[[], Own] | None = None) -> Sequence[bytes]:
        """Give the records for topic `health` that are due, one JSON line each; called every second or so.

        `own` is asked when a beat is due, for what the service says of itself.
        """
        number = int(now.timestamp()) // SLOT_S
        with self._lock:
            if number == self._slot:
                return ()
            begun, self._slot = self._slot or number - 1, number
            # a clock that was set back, or far ahead, ends the slot too, but is no measure of its length
            slots = number - begun if 0 < number - begun <= _SHAPE_SLOTS else 1
            slot = datetime.fromtimestamp((number - slots) * SLOT_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            counts = [count for table in self._tables.values() for count in table.values()]
            told = [
                self._told(count, slot, slots * SLOT_S)
                for count in (*counts, self._others)
                if count.events or count.failed or count.beside
            ]
        return [*map(line, told), beat(slot, own() if own else None)]

    def _told(self, count: _Count, slot: str, seconds: int) -> Measure:
        """Give what a source sent, and begin anew."""
        shape = None
        if count.looked and not 0 <= self._slot - count.told < _SHAPE_SLOTS:
            shape = Shape(count.looked, count.names)
            count.looked, count.names, count.told = 0, {}, self._slot
        told = Measure(
            count.source.collector,
            count.source.host,
            slot,
            count.source.dataset,
            count.source.drill,
            count.source.bounded,
            count.unit,
            seconds,
            count.events,
            count.failed,
            count.beside,
            count.newest,
            median(count.offsets) if count.offsets else None,
            shape,
        )
        count.events = count.failed = count.beside = 0
        count.newest = ""
        count.offsets.clear()
        count.shapes = _SHAPES
        count.seen = self._slot
        return told

    def _look(self, count: _Count, received: datetime, *, bounded: bool) -> None:
        """Look at the last event of a delivery: the one whose time is nearest to `received`, if the clock is right."""
        doc = count.last
        if doc is None or count is self._others:
            return
        own = doc.get("vonggac")
        if isinstance(own, dict) and isinstance(unit := own.get("unit"), str):
            count.unit = _text(unit)
        time = doc.get("@timestamp")
        if len(count.offsets) < _TIMES and isinstance(time, str) and len(time) <= LONGEST:
            try:
                moment = datetime.fromisoformat(time)
                if not bounded and count.source.collector not in _TOLD_LATE:
                    count.offsets.append((received - moment).total_seconds())
                if time[4:17:3] == "--T::" and len(time) == _CANONICAL and time[-1] == "Z":  # saves 1.5 µs
                    written = f"{time[:19]}Z"
                else:
                    written = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                count.newest = max(count.newest, written)
            except (ValueError, TypeError, OverflowError):  # no ISO time, without an offset, or beyond the calendar
                pass
        if count.shapes:
            count.shapes -= 1
            count.looked += 1
            for name in names(doc):
                if name in count.names or len(count.names) < NAMES:
                    count.names[name] = count.names.get(name, 0) + 1

    def _find(
        self, collector: str, source: str, doc: dict[str, Any], table: dict[tuple[Any, ...], _Count], *, bounded: bool
    ) -> _Count:
        """Find or make the count of an event that the quick look-up did not find."""
        about, labels = doc.get("event"), doc.get("labels")
        dataset = _text(about.get("dataset")) if isinstance(about, dict) else ""
        drill = _text(labels.get("drill")) if isinstance(labels, dict) else ""
        host = _origin(doc) or source
        # the quick look-up's own key, where it is one; a name that was cut or came from elsewhere is looked up here
        key: tuple[Any, ...] = (host, dataset, drill) if drill or not dataset else (host, dataset)
        count = table.get(key)
        return count or self._place(Source(collector, host, dataset, drill, bounded), key, table)

    def _place(self, source: Source, key: tuple[Any, ...], table: dict[tuple[Any, ...], _Count]) -> _Count:
        count = table.get(key)
        if count is not None:
            return count
        if self._size >= self._limit and self._slot - self._swept >= _SWEEP_SLOTS:
            self._sweep()
        if self._size >= self._limit:
            return self._others
        self._size += 1
        count = table[key] = _Count(source, key, self._slot)
        return count

    def _sweep(self) -> None:
        self._swept = self._slot
        for table in self._tables.values():
            for count in list(table.values()):
                idle = not (count.events or count.failed or count.beside)
                if idle and self._slot - count.seen >= _IDLE_SLOTS:
                    del table[count.key]
                    self._size -= 1


def _origin(doc: dict[str, Any]) -> str:
    """Give host.name, else host.ip, else log.source.address without its port; "" when the event says nothing."""
    host = doc.get("host")
    if isinstance(host, dict):
        address = host.get("ip")
        if isinstance(address, list):
            address = address[0] if address else None
        if found := _text(host.get("name")) or _text(address):
            return found
    log = doc.get("log")
    origin = log.get("source") if isinstance(log, dict) else None
    address = _text(origin.get("address")) if isinstance(origin, dict) else ""
    # a connection's port is a new one each time: `192.0.2.7:40112`, `[2001:db8::7]:40112`
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _text(value: object) -> str:
    """Give text of bounded length that can be written; a lone surrogate (a file name that is no UTF-8) becomes `?`."""
    if not isinstance(value, str):
        return ""
    cut = value[:LONGEST]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()
