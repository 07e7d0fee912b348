"""From the messages of a listener to deliveries: who reads a message, and what people are told about lost ones."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final, Protocol, cast

from vonggac import shelf
from vonggac.event import Bad, Event, file_id, head_digest, random_ids
from vonggac.intake.framing import Cut, Message
from vonggac.intake.inlet import Delivery, Inlet
from vonggac.ports import CollectorModule, ReadOptions
from vonggac.reading import times
from vonggac.reading.claims import claimed
from vonggac.reading.source import READ_ERRORS, of_bytes
from vonggac.reading.textlog import SAMPLE

BATCH: Final = 200  # messages of a delivery
_SYSLOG: Final = "syslog"
_PROSE: Final = (_SYSLOG, "text")  # who takes any line: it is no JSON
_SURE: Final = 85  # a claim that only a made-up mixture of two shapes could top
_EVERY_S: Final = 60.0
_STEP_S: Final = 0.1
_TOLD: Final = 1_000  # bytes of a line about what goes wrong


class _Module(Protocol):
    def live(self, zone: str, path: str) -> Callable[[bytes, str, datetime], list[Event | Bad]]: ...


def utc_now() -> datetime:
    """Read the machine's clock."""
    return datetime.now(UTC)


class Reader:
    """Reads the messages of one listener, in its thread. `path` is how people call it: `udp 127.0.0.1:5514`."""

    def __init__(self, zone: str, unit: str, path: str) -> None:
        """Raise ValueError when `zone` is no time zone."""
        self._zone, self._unit, self._path = zone, unit, path
        self._judge = cast(_Module, shelf.collector(_SYSLOG)).live(zone, path)
        self._ids = random_ids()
        self._collectors: dict[str, CollectorModule] = {}
        self._last = ""

    def deliveries(self, messages: Iterable[tuple[Message, str]], received: datetime) -> Iterator[Delivery]:
        """Yield what the messages (each with its peer's address) come to, in their order."""
        judge = self._judge
        read: list[tuple[str, list[Event | Bad]]] = []
        for message, peer in messages:
            if message.__class__ is bytes and message[0] != 0x7B:  # {
                read.append((_SYSLOG, judge(message, peer, received)))
            else:
                read.append(self._rare(message, peer, received))
        for collector, run in groupby(read, lambda one: one[0]):
            yield Delivery(collector, [record for _, records in run for record in records], self._path, self._unit)

    def bad(self, reason: str, at: datetime, peer: str = "", sample: bytes = b"", *, kept: bool = False) -> Bad:
        """Name what a person should know of."""
        return Bad(self._path, f"{f'from {peer} ' if peer else ''}at {times.iso(at)}", reason, sample[:SAMPLE], kept)

    def told(self, bad: Bad) -> Delivery:
        """Put such a name into a delivery."""
        return Delivery(_SYSLOG, [bad], self._path, self._unit)

    def _rare(self, message: Message, peer: str, received: datetime) -> tuple[str, list[Event | Bad]]:
        """Read JSON, and what is not whole: its start is judged, so that length hides nothing."""
        if isinstance(message, Cut):
            bad = self.bad(message.reason, received, peer, message.start, kept=bool(message.start))
            return _SYSLOG, [*(self._judge(message.start, peer, received) if message.start else ()), bad]
        if not self._collectors:
            self._collectors = {name: shelf.collector(name) for name in shelf.names("collectors")}
        source = of_bytes(message, self._path, received)
        # asking all costs 100 µs; who took the last one is asked first, each time: nothing is taken over from another
        name = self._last if self._last and self._collectors[self._last].claims(source.head) >= _SURE else None
        name = name or claimed(source, self._collectors)
        if name is None or name in _PROSE:
            return _SYSLOG, self._judge(message, peer, received)
        self._last = name
        collector = self._collectors[name].open(source, ReadOptions(zone=self._zone))
        records: list[Event | Bad] = []
        try:
            for batch, _ in collector.read(None):
                records += batch
        except READ_ERRORS as error:
            return _SYSLOG, [
                *self._judge(message, peer, received),
                self.bad(f"{error}", received, peer, message, kept=True),
            ]
        live = [self._as_live(one, message, peer, received) for one in records]
        if not any(isinstance(one, Event) for one in live):  # damaged: damage hides nothing either
            kept = [dataclasses.replace(one, kept=True) for one in live if isinstance(one, Bad)]
            return _SYSLOG, [*self._judge(message, peer, received), *kept]
        return name, live

    def _as_live(self, record: Event | Bad, message: bytes, peer: str, received: datetime) -> Event | Bad:
        """Make a record of a file one of a socket: no place in a file, and equal messages are two events."""
        if isinstance(record, Bad):
            return dataclasses.replace(record, place=f"from {peer} at {times.iso(received)}")
        doc = record.doc
        log = {**doc.get("log", {}), "source": {"address": peer}}
        log.pop("file", None)
        offset = log.pop("offset", 0)
        doc["log"] = log
        if "@timestamp" not in doc:
            doc["@timestamp"] = times.iso(received)
            doc.setdefault("vonggac", {}).update(time_inferred=True, time_received=True)
        if not doc.get("host"):
            doc["host"] = {"ip": peer}
        first = head_digest(message.split(b"\n", 1)[0].removesuffix(b"\r"))
        own = record.raw if isinstance(record.raw, bytes) else message[offset:].strip()
        by_place = record.id == file_id(first, offset, own)  # not by something that the record says itself
        return Event(next(self._ids) if by_place else record.id, doc, record.namespace, record.raw)


class Notices:
    """What goes wrong on a listener again and again is told at once, then once a minute with its count."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._open: dict[str, tuple[int, str, str]] = {}  # what -> how often, the last peer, details of the last
        self._told: dict[str, float] = {}

    def add(self, what: str, count: int = 1, peer: str = "", detail: str = "") -> None:
        """Note that `what` (one of a few fixed texts) happened."""
        self._open[what] = (self._open.get(what, (0, "", ""))[0] + count, peer, detail)

    def tell(self, inlet: Inlet, reader: Reader, at: datetime, *, all_of_it: bool = False) -> None:
        """Hand over what is to be told now, as far as there is room; what is not taken is told later. Raises Closed."""
        if not self._open:
            return
        now = self._now()
        for what, (count, peer, detail) in list(self._open.items()):
            if not all_of_it and now - self._told.get(what, -_EVERY_S) < _EVERY_S:
                continue
            bad = reader.bad(f"{what}: {count:,}{f', the last: {detail}' if detail else ''}", at, peer)
            if not (inlet.has_room(_TOLD, 0) and inlet.put(reader.told(bad), 0)):
                return
            del self._open[what]
            self._told[what] = now


def put(inlet: Inlet, deliveries: Iterable[Delivery], stop: threading.Event, patience_s: float | None) -> bool:
    """Hand over all or none, encoded once; False when there was no room for `patience_s`. Raises Closed.

    None = wait until the service stops, and 1 s more.
    """
    sealed = [inlet.seal(delivery) for delivery in deliveries]
    end = None if patience_s is None else time.monotonic() + patience_s
    while not inlet.put_sealed(sealed, _STEP_S):
        if end is None and stop.is_set():
            end = time.monotonic() + 1.0
        if end is not None and time.monotonic() >= end:
            return False
    return True


def peer_of(at: tuple[Any, ...]) -> str:
    """Give a peer's address as an event has it: without scope, an IPv4 one as such where the socket is IPv6."""
    return str(at[0]).partition("%")[0].removeprefix("::ffff:")
