"""Reads packet captures through tshark: flows, DNS, HTTP and TLS events; pcap, pcapng and others by their magic.

Datasets `network.flow`, `.dns`, `.http`, `.tls`, and at the end `network.capture`, which also counts what was no IP.
Times are the packets'. Namespace `pcap`: packet numbers ("frames"), counts, JA3, answers. Identity: the capture's first
bytes (its header and the first packet's), the number of the first packet concerned, the kind, the index in the packet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from vonggac.event import Bad, Event, digest
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.flows import Flows, Told
from vonggac.reading.textlog import BATCH
from vonggac.reading.tshark import Packets


def claims(head: Head) -> int:
    """Claim by magic, and for pcap and pcapng by what must follow it."""
    data = head.data
    if order := _PCAP.get(data[:4]):
        return 98 if len(data) >= 24 and struct.unpack_from(order + "H", data, 4)[0] == 2 else 60
    if data.startswith(_PCAPNG):
        return 99 if data[8:12] in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d") else 60
    return next((score for magic, score in _OTHERS if data.startswith(magic)), 0)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; of the options it takes the time limit."""
    return _Capture(source, options.time_limit_s)


class _Capture:
    def __init__(self, source: Source, seconds: float) -> None:
        self._source, self._seconds = source, seconds
        self._file = {"path": source.path}
        self._first = first_bytes(source.head.data)

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        """Yield batches; a mark is the count of records given.

        Dissecting has a state that no mark can hold: reading on means reading again and stepping over these.
        """
        skip = given = int(mark or b"0")
        out: list[Event | Bad] = []
        packets = Packets(self._source, self._seconds)
        for record in self._records(packets):
            if skip:
                skip -= 1
                continue
            if len(out) >= BATCH:
                yield out, b"%d" % given
                out = []
            out.append(record)
            given += 1
        if packets.broken:
            if out:  # what was read before the damage counts
                yield out, b"%d" % given
            raise packets.broken
        yield out, None

    def _records(self, packets: Packets) -> Iterator[Event | Bad]:
        flows = Flows()
        damage: list[Bad] = []
        for packet in packets.read():
            if isinstance(packet, Bad):
                damage.append(packet)
                continue
            yield from map(self._event, flows.add(packet))
        if packets.count or not damage:
            yield from map(self._event, flows.end())
        yield from damage

    def _event(self, told: Told) -> Event:
        told.doc["log"] = {"file": self._file}
        return Event(digest("pcap", self._first, told.kind, told.frame, told.index), told.doc, ("pcap",))


def first_bytes(head: bytes) -> bytes:
    """Give a capture's header and the header of its first packet; of pcapng all blocks before the first packet's."""
    if not head.startswith(_PCAPNG):
        return head[:48] if head[:4] in _MODIFIED else head[:40]
    order = "<" if head[8:9] == b"\x4d" else ">"
    at = 0
    while at + 8 <= len(head):
        kind, size = struct.unpack_from(order + "II", head, at)
        if kind in _PACKET_BLOCKS:
            return head[: at + 28]
        if size < 12:
            break
        at += size
    return head[:4096]


_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_PACKET_BLOCKS: Final = (2, 3, 6)  # packet (obsolete), simple packet, enhanced packet
_MODIFIED: Final = (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34")  # Kuznetzov's
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",  # nanoseconds
    b"\xa1\xb2\x3c\x4d": ">",
    _MODIFIED[0]: "<",
    _MODIFIED[1]: ">",
}
_OTHERS: Final = (
    (b"snoop\0\0\0", 98),
    (b"btsnoop\0", 97),
    (b"TRSNIFF data    \x1a", 97),  # Network General Sniffer
    (b"RTSS", 85),  # Microsoft Network Monitor 1
    (b"GMBU", 85),  # and 2
    (b"iptrace 1.0", 90),  # AIX
    (b"iptrace 2.0", 90),
)
