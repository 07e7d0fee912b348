"""Between those who read (each in a thread of its own) and the collect task: a bounded queue of sealed deliveries.

An intake reads, a collector makes events, `Inlet.put` stamps and encodes them. The collect task takes deliveries,
commits them with their marks to the log, and only then are they `done`: acknowledged.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from vonggac.dead import TOPIC as DEAD
from vonggac.dead import dead_record
from vonggac.event import Bad, Event
from vonggac.intake.tally import Tally
from vonggac.logport import Out
from vonggac.people.units import Units

EVENTS: Final = "events"
ROOM: Final = 24 << 20  # bytes of records that wait for a commit, all intakes together
_SHARE: Final = 8  # part of the room that files may fill: what is live does not wait behind a large file
_EACH: Final = 200  # what a record costs beside its bytes
_SAMPLE: Final = 4 << 10
_LARGEST: Final = 12 << 20  # bytes of an encoded event; the log takes 16 MiB a commit


class Closed(Exception):
    """The service is stopping: hand over nothing more. What was not taken stays where it came from."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What an intake hands over at once: it is committed whole or not at all."""

    collector: str  # the shelf's name: evtx, syslog, zeek …
    records: Sequence[Event | Bad]
    source: str  # where it came from, for people: a path, `udp 127.0.0.1:5514`, an interface
    unit: str = ""  # the leaf unit's id; empty = the table of units says
    marks: Mapping[str, bytes] = field(default_factory=dict)  # cursors that go into the same commit; empty = forget
    done: Callable[[], None] | None = None  # called by the collect task's thread after the commit: be quick
    bounded: bool = False  # of a file that is read to its end: old events in it say nothing about a clock
    ready: Sequence[bytes] = ()  # events that are stamped and encoded already (a scan's), after `records`


@dataclass(frozen=True, slots=True)
class Sealed:
    """A delivery as it goes into the log."""

    outs: Sequence[Out]
    size: int  # bytes
    marks: Mapping[str, bytes]
    done: Callable[[], None] | None
    received: datetime
    source: str


class Intake(Protocol):
    """Something that listens, watches or follows. `open`, then `run` in a thread of its own until `stop`."""

    name: str  # for people and metrics: `syslog-udp`, `inbox` …

    def open(self) -> None:
        """Bind, check rights: what makes the setting unusable raises OSError or ValueError, at start, in one line."""
        ...

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Read until `stop` is set (look at it at least every 0.2 s) or the inlet is Closed; then return within 2 s.

        `marks` are those committed last, of all intakes: begin your names with your own name and a colon. Whatever
        comes in is hostile: no content may raise. An OSError that ends it is named, and it is started again later.
        """
        ...

    def figures(self) -> Mapping[str, float]:
        """Give counters and gauges by name, read from another thread.

        `dropped_total` is what we had no room for, `dropped_kernel_total` what the kernel had none for: both are told.
        """
        ...

    def close(self) -> None:
        """Let go of what `open` took. May be called twice, and without `run`."""
        ...


class Inlet:
    """The queue. `put` from any thread, `take` from the collect task's."""

    def __init__(
        self, units: Units, tally: Tally, clock: Callable[[], datetime], *, drill: str = "", room: int = ROOM
    ) -> None:
        self._units, self._tally, self._clock, self._drill, self._room = units, tally, clock, drill, room
        self._waiting: deque[Sealed] = deque()
        self._size = 0
        self._closed = False
        self.stalled = False  # set by the collect task: the disk is at its floor, and what is put in waits for long
        self._change = threading.Condition()

    def put(self, delivery: Delivery, wait_s: float | None = None) -> bool:
        """Hand over a delivery; False when there was no room within `wait_s` (None = wait as long as it takes).

        One that is larger than the whole room is taken when nothing else is there. Raises Closed.
        """
        room = self._room // _SHARE if delivery.bounded else self._room
        return self.put_sealed([self.seal(delivery)], wait_s, room)

    def put_sealed(self, sealed: Sequence[Sealed], wait_s: float | None = None, room: int | None = None) -> bool:
        """Hand over several deliveries, all or none of them; as `put` in all else. They may come in several commits."""
        size = sum(one.size for one in sealed)
        with self._change:
            free = self._wait_for_room(size, wait_s, room or self._room)
            if free:
                self._waiting.extend(sealed)
                self._size += size
                self._change.notify_all()
            return free

    def has_room(self, size: int, wait_s: float | None = None) -> bool:
        """Say whether about `size` bytes would be taken, before the work of making events of them. Raises Closed."""
        with self._change:
            return self._wait_for_room(size, wait_s, self._room)

    def take(self, wait_s: float, max_bytes: int) -> list[Sealed]:
        """Give what waits, at least one delivery and up to about `max_bytes`; [] when nothing came in time.

        What was taken still fills the room until `committed` gives it back: so a full disk stops the readers.
        """
        taken: list[Sealed] = []
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._closed, wait_s)
            while self._waiting and (not taken or max_bytes > 0):
                taken.append(self._waiting.popleft())
                max_bytes -= taken[-1].size
        return taken

    def committed(self, taken: Sequence[Sealed]) -> None:
        """Say that these are durable: their room is free again, and who waits for the acknowledgement gets it."""
        with self._change:
            self._size -= sum(one.size for one in taken)
            self._change.notify_all()
        for one in taken:
            if one.done is not None:
                one.done()

    def close(self) -> None:
        """Take nothing more; what waits can still be taken."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    @property
    def waiting(self) -> int:
        """Bytes that are read and not yet durable."""
        return self._size

    def _wait_for_room(self, size: int, wait_s: float | None, room: int) -> bool:
        free = self._change.wait_for(lambda: self._closed or not self._size or self._size + size <= room, wait_s)
        if self._closed:
            raise Closed
        return free

    def seal(self, delivery: Delivery) -> Sealed:
        """Stamp and encode the records, and count them as seen; for `put_sealed`."""
        received = self._clock()
        collector, unit, drill, unit_of = delivery.collector, delivery.unit, self._drill, self._units.of
        outs: list[Out] = []
        events: list[Event] = []
        failed = size = 0
        for record in delivery.records:
            if not isinstance(record, Bad):
                doc = record.doc
                own = doc.get("vonggac")
                if own is None:
                    doc["vonggac"] = {"collector": collector, "unit": unit or unit_of(doc)}
                else:
                    own["collector"], own["unit"] = collector, unit or unit_of(doc)
                if drill:
                    doc["labels"] = {**doc.get("labels", {}), "drill": drill}
                line = record.to_json()
                if len(line) <= _LARGEST:
                    events.append(record)
                    outs.append(Out(EVENTS, line))
                    size += len(line) + _EACH
                    continue
                reason = f"an event of {len(line):,} bytes: at most {_LARGEST:,} are kept"
                record = Bad(delivery.source, f"event {record.id}", reason, line[:_SAMPLE])
            failed += 1
            line = dead_record(record, task="collect", at=received, collector=delivery.collector, unit=delivery.unit)
            outs.append(Out(DEAD, line))
            size += len(line) + _EACH
        for line in delivery.ready:
            outs.append(Out(EVENTS, line))
            size += len(line) + _EACH
        self._tally.seen(delivery.collector, delivery.source, events, failed, received, bounded=delivery.bounded)
        return Sealed(outs, size, delivery.marks, delivery.done, received, delivery.source)
