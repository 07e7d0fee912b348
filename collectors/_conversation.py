"""One conversation of a capture, dissected whole: tshark picks the packets, pyshark reads what it says of them.

Of pyshark only the reader of tshark's JSON is used. Its captures start tshark themselves: with our environment, our
rights and the user's profile, without limits, and from wherever a `config.ini` in the current folder points.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, Final

from vonggac.event import Bad
from vonggac.ports import Source
from vonggac.reading.flows import time_of
from vonggac.reading.programs import Bounds, Program
from vonggac.reading.tshark import base_command, noise, seekable_copy

_ONE: Final = 32 << 20  # bytes of tshark's JSON of one packet
_COMMUNITY: Final = re.compile(r"1:[A-Za-z0-9+/]{27}=")
_END: Final = r"(\[[0-9a-fA-F:.]{2,45}\]|[0-9a-fA-F:.]{2,45}):([0-9]{1,5})"
_ENDS: Final = re.compile(f"{_END}-{_END}")


def display_filter(wanted: str) -> str:
    """Turn a Community ID, or `192.0.2.7:49152-[2001:db8::1]:443`, into tshark's filter; raises ValueError."""
    if _COMMUNITY.fullmatch(wanted):
        return f'communityid == "{wanted}"'
    if (match := _ENDS.fullmatch(wanted)) is None:
        msg = f"{wanted[:100]!r} is no conversation: give network.community_id of a flow, or IP:PORT-IP:PORT"
        raise ValueError(msg)
    one, two = (ip_address(match[place].strip("[]")) for place in (1, 3))
    ports = int(match[2]), int(match[4])
    if one.version != two.version or max(ports) > 65535:
        msg = f"{wanted[:100]!r} is no conversation: two addresses of one kind, ports up to 65535"
        raise ValueError(msg)
    ip = "ip" if one.version == 4 else "ipv6"
    ways = [
        f"({ip}.src == {source} && {transport}.srcport == {sport} && "
        f"{ip}.dst == {target} && {transport}.dstport == {dport})"
        for transport in ("tcp", "udp", "sctp")
        for source, sport, target, dport in ((one, ports[0], two, ports[1]), (two, ports[1], one, ports[0]))
    ]
    return " || ".join(ways)


def packets(source: Source, wanted: str, bounds: Bounds) -> Iterator[dict[str, Any] | Bad]:
    """Yield the packets of a conversation, nothing kept: `number`, `time`, `length`, `protocols` and `layers`.

    A layer is `{"name": "ip", "fields": {"ip.src": …}}`, fields as tshark names them. Damage is a Bad at the end.
    Raises ValueError for an id that is none, MissingProgram, and READ_ERRORS of the source.
    """
    command = [*base_command(), "-l", "-T", "json", "--no-duplicate-keys", "--enable-protocol", "communityid"]
    command += ["-Y", display_filter(wanted), "-r", "/dev/stdin"]
    with seekable_copy(source) as file, Program(command, bounds, None, file) as program, asyncio.Runner() as runner:
        last = 0
        for packet in _parsed(program, runner):
            if isinstance(packet, str):
                yield Bad(source.path, f"after packet {last}", packet)
                continue
            last = packet["number"]
            yield packet
        if trouble := program.trouble(noise()):
            yield Bad(source.path, f"after packet {last}", f"{trouble}; what follows was not read")


class _Stream:
    """What pyshark's reader awaits, given at once: it asks for no more than the next piece."""

    def __init__(self, program: Program) -> None:
        self._pieces = program.output()

    async def read(self, size: int) -> bytes:
        return next(self._pieces, b"")


def _parsed(program: Program, runner: asyncio.Runner) -> Iterator[dict[str, Any] | str]:
    """Yield packets, and what is wrong with one that cannot be read."""
    from packaging import version
    from pyshark.tshark.output_parser.tshark_json import TsharkJsonParser

    reader = TsharkJsonParser(version.parse("4.0"))  # it asks for the version to know how tshark separates packets
    stream, data, first = _Stream(program), b"", True
    while True:
        try:
            packet, data = runner.run(reader.get_packets_from_stream(stream, data, got_first_packet=not first))
            if packet is not None:
                first = False
                yield _plain(packet)
        except EOFError:
            return
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            yield f"pyshark cannot read the next packet: {type(error).__name__}: {error}"[:500]
            return  # where the next one begins is not known
        if len(data) > _ONE:
            yield f"one packet fills more than {_ONE:,} bytes of JSON"
            return


def _plain(packet: Any) -> dict[str, Any]:
    """Take a pyshark packet apart. Its public names cut and reorder tshark's; below they stand whole."""
    frame = packet.frame_info._all_fields
    layers = [
        {"name": layer.layer_name, "fields": one._all_fields or {"value": getattr(one, "value", None)}}
        for layer in packet.layers
        for one in (layer, *layer.duplicate_layers)
    ]
    seconds, _, part = str(frame.get("frame.time_epoch", "")).partition(".")
    time = int(seconds) * 1_000_000_000 + int((part + "000000000")[:9]) if seconds.isdecimal() else None
    return {
        "number": int(packet.number),
        "time": time_of(time),
        "length": int(packet.length),
        "protocols": frame.get("frame.protocols"),
        "layers": layers,
    }
