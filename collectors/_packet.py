"""One packet of a capture, layer by layer: tshark cuts it out, scapy takes it apart in a process of its own.

scapy is GPL-2.0-only: nothing here imports it. `collectors._packet_worker` gets the packet's bytes on standard input
and gives JSON on standard output; that is all they have to do with each other.
"""

from __future__ import annotations

import io
import struct
import sys
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from vonggac.ports import Source
from vonggac.reading.flows import time_of
from vonggac.reading.programs import Bounds, Program
from vonggac.reading.tshark import base_command, noise, seekable_copy

_INTERFACE: Final = 1
_PACKET: Final = 6
_RESOLUTION: Final = 9  # if_tsresol
_WORKER: Final = Bounds(seconds=60, memory=1 << 30, drop=False)  # nobody may not be allowed to see this Python


class NoPacket(ValueError):
    """The packet that was asked for cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One packet as it stands in a capture."""

    link: int  # LINKTYPE_…
    time: int | None  # ns since 1970
    length: int  # on the wire; `data` may be less
    data: bytes


def packet(source: Source, number: int, bounds: Bounds) -> dict[str, Any]:
    """Give `number`, `time`, `length`, `captured`, `link`, `summary` and `layers` of packet `number` (from 1 on).

    A layer is `{"name": "IP", "length": …, "fields": {"ttl": "64"}}`, values as scapy writes them. Raises NoPacket,
    MissingProgram, and READ_ERRORS of the source.
    """
    found = cut(source, number, bounds)
    about = {
        "number": number,
        "time": time_of(found.time),
        "length": found.length,
        "captured": len(found.data),
        "link": found.link,
    }
    return {**about, **taken_apart(found.link, found.data)}


def taken_apart(link: int, data: bytes, bounds: Bounds = _WORKER) -> dict[str, Any]:
    """Let the worker dissect bytes; raises NoPacket when it cannot."""
    command = [sys.executable, "-I", "-m", "collectors._packet_worker", str(link)]
    with Program(command, bounds, io.BytesIO(data)) as program:
        told = b"".join(program.output())
        if trouble := program.trouble():
            raise NoPacket(f"scapy cannot take it apart: {trouble}")  # noqa: EM102  the worker's own words
    value: dict[str, Any] = orjson.loads(told)
    return value


def cut(source: Source, number: int, bounds: Bounds) -> Cut:
    """Cut a packet out of any kind of capture that tshark reads."""
    command = [*base_command(), "-Y", f"frame.number == {number}", "-F", "pcapng", "-w", "-", "-r", "/dev/stdin"]
    with seekable_copy(source) as file, Program(command, bounds, None, file) as program:
        data = b""
        for piece in program.output():
            data += piece
            if found := _first(data):
                return found
        trouble = program.trouble(noise())
    raise NoPacket(f"no packet {number}" + (f": {trouble}" if trouble else ""))


def _first(data: bytes) -> Cut | None:
    """Find the first packet in a pcapng that tshark writes; None while it is not whole."""
    if len(data) < 12:
        return None
    order = "<" if data[8:9] == b"\x4d" else ">"
    links: list[tuple[int, int]] = []
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < 12 or at + size > len(data):
            return None
        if kind == _INTERFACE and size >= 20:
            links.append(_interface(data[at + 8 : at + size - 4], order))
        elif kind == _PACKET and size >= 32:
            interface, high, low, captured, length = struct.unpack_from(order + "IIIII", data, at + 8)
            if interface >= len(links):
                return None
            link, per_second = links[interface]
            ticks = high << 32 | low
            found = Cut(link, ticks * 1_000_000_000 // per_second, length, data[at + 28 : at + 28 + captured])
            return found if ticks else replace(found, time=None)
        at += size
    return None


def _interface(body: bytes, order: str) -> tuple[int, int]:
    """Give the link type of an interface, and how many ticks of its clock make a second."""
    link = struct.unpack_from(order + "H", body)[0]
    at, per_second = 8, 1_000_000
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == 0:
            break
        if code == _RESOLUTION and at + 4 < len(body):
            value = body[at + 4]
            per_second = 2 ** (value & 0x7F) if value & 0x80 else 10 ** min(value, 30)
        at += 4 + size + (-size % 4)
    return link, per_second
