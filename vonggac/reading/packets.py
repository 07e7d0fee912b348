"""One row of `tshark -T fields` as a packet: its time, length, and the innermost conversation it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from vonggac.reading.communityid import ICMP, ICMP6, SCTP, TCP, UDP, icmp_ports

#: what tshark is asked for, in this order
FIELDS: Final = (
    "frame.time_epoch",
    "frame.len",
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.nxt",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "udp.srcport",
    "udp.dstport",
    "sctp.srcport",
    "sctp.dstport",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "dns.id",
    "dns.flags.response",
    "dns.flags.rcode",
    "dns.count.queries",
    "dns.qry.name",
    "dns.qry.type",
    "dns.a",
    "dns.aaaa",
    "dns.cname",
    "http.request.method",
    "http.request.uri",
    "http.request.version",
    "http.host",
    "http.user_agent",
    "http.referer",
    "http.response.code",
    "http.content_length_header",
    "http.content_type",
    "tls.handshake.type",
    "tls.handshake.version",
    "tls.handshake.extensions.supported_version",
    "tls.handshake.extensions_server_name",
    "tls.handshake.extensions_alpn_str",
    "tls.handshake.ciphersuite",
    "tls.handshake.ja3",
    "tls.handshake.ja3s",
)
#: between the occurrences of a field. tshark writes a form feed, tab or newline inside of a value as \f, \t, \n
BETWEEN: Final = "\f"
_AT: Final = {name: place for place, name in enumerate(FIELDS)}
_ADDRESSES: Final = {
    "ip": (_AT["ip.src"], _AT["ip.dst"], _AT["ip.proto"]),
    "ipv6": (_AT["ipv6.src"], _AT["ipv6.dst"], _AT["ipv6.nxt"]),
}
_PORTS: Final = {
    "tcp": (TCP, _AT["tcp.srcport"], _AT["tcp.dstport"]),
    "udp": (UDP, _AT["udp.srcport"], _AT["udp.dstport"]),
    "sctp": (SCTP, _AT["sctp.srcport"], _AT["sctp.dstport"]),
}
_ICMP: Final = {
    "icmp": (ICMP, _AT["icmp.type"], _AT["icmp.code"]),
    "icmpv6": (ICMP6, _AT["icmpv6.type"], _AT["icmpv6.code"]),
}
_FLAGS: Final = _AT["tcp.flags"]
#: IANA number -> name of the protocol above IP
TRANSPORTS: Final = {
    1: "icmp",
    2: "igmp",
    6: "tcp",
    17: "udp",
    33: "dccp",
    47: "gre",
    50: "esp",
    51: "ah",
    58: "ipv6-icmp",
    89: "ospf",
    103: "pim",
    112: "vrrp",
    132: "sctp",
    136: "udplite",
}
#: layers that carry another, or say nothing of what is spoken
_CARRIERS: Final = frozenset(
    ("nbss", "tpkt", "cotp", "x224", "data", "tcp.segments", "_ws.malformed", "_ws.short", "_ws.unreassembled")
)
_FRAMES: Final = frozenset(("eth", "ethertype", "vlan", "ip", "ipv6", "udp", "tcp", "sll", "ppp", "pppoes"))


class Ends(NamedTuple):
    """A conversation seen from one side. ICMP has type and answer as ports; other protocols without ports have -1."""

    protocol: int
    source: str
    sport: int
    target: str
    dport: int

    def turned(self) -> Ends:
        """Give it seen from the other side."""
        return Ends(self.protocol, self.target, self.dport, self.source, self.sport)


@dataclass(slots=True)
class Packet:
    """A packet. `row` holds all columns by the places in FIELDS; `ends` is None when it is no IP."""

    number: int
    time: int | None  # ns since 1970
    size: int
    ends: Ends | None
    two_ways: bool  # False for ICMP messages that nothing answers
    flags: int  # of TCP
    protocol: str | None  # spoken above transport, if tshark knows
    tunnels: tuple[str, ...]
    row: Sequence[str]

    @property
    def stack(self) -> str:
        """Give the layers as tshark names them: `eth:ethertype:ip:udp:dns`."""
        return self.row[_AT["frame.protocols"]]

    def all(self, name: str) -> list[str]:
        """List the occurrences of a field."""
        value = self.row[_AT[name]]
        return value.split(BETWEEN) if value else []

    def has(self, name: str) -> bool:
        """Say whether the field stands in the packet."""
        return self.row[_AT[name]] != ""


def packet(number: int, line: str) -> Packet:
    """Read the row of packet `number` (from 1 on); raises ValueError when it is none."""
    row = line.split("\t")
    if len(row) != len(FIELDS):
        msg = f"tshark gave {len(row)} columns, not {len(FIELDS)}"
        raise ValueError(msg)
    plan = _plan(row[_AT["frame.protocols"]])
    ends, two_ways, flags = None, True, 0
    if plan.addresses:
        ends, two_ways = _ends(row, plan)
        if plan.transport == "tcp" and (text := _nth(row[_FLAGS], plan.transport_at)):
            flags = int(text, 16) & 0xFF
    time, size = _nanoseconds(row[_AT["frame.time_epoch"]]), int(row[_AT["frame.len"]])
    return Packet(number, time, size, ends, two_ways, flags, plan.protocol, plan.tunnels, row)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the innermost conversation of a stack of layers is found."""

    addresses: tuple[int, int, int] | None  # columns
    addresses_at: int  # which occurrence
    transport: str | None
    transport_at: int
    protocol: str | None
    tunnels: tuple[str, ...]


@lru_cache(maxsize=4096)
def _plan(protocols: str) -> _Plan:
    """Read `eth:ethertype:ip:gre:ip:tcp:http`: the innermost IP counts, but not what an ICMP error quotes."""
    layers = protocols.split(":")
    seen: dict[str, int] = {}
    last_ip = first_ip = -1
    stop = len(layers)
    for place, layer in enumerate(layers):
        if layer in _ADDRESSES:
            last_ip = place
            first_ip = place if first_ip < 0 else first_ip
        elif layer in _ICMP and last_ip >= 0:
            stop = place + 1
            break
    if last_ip < 0:
        return _Plan(None, 0, None, 0, None, ())
    transport = next((layer for layer in layers[last_ip + 1 : stop] if layer in _PORTS or layer in _ICMP), None)
    above = stop if transport is None else layers.index(transport, last_ip) + 1
    for layer in layers[:above]:
        seen[layer] = seen.get(layer, 0) + 1
    spoken = [layer for layer in layers[above:stop] if layer not in _CARRIERS]
    return _Plan(
        addresses=_ADDRESSES[layers[last_ip]],
        addresses_at=seen[layers[last_ip]] - 1,
        transport=transport,
        transport_at=seen[transport] - 1 if transport else 0,
        protocol=spoken[0] if spoken and transport else None,
        tunnels=tuple(layer for layer in layers[first_ip:last_ip] if layer not in _FRAMES),
    )


def _ends(row: Sequence[str], plan: _Plan) -> tuple[Ends | None, bool]:
    assert plan.addresses is not None  # noqa: S101  for the type checker
    source, target, above = (_nth(row[column], plan.addresses_at) for column in plan.addresses)
    if source is None or target is None:
        return None, True
    if plan.transport in _PORTS:
        protocol, *columns = _PORTS[plan.transport]
        sport, dport = (_number(_nth(row[column], plan.transport_at)) for column in columns)
        return Ends(protocol, source, sport, target, dport), True
    if plan.transport in _ICMP:
        protocol, *columns = _ICMP[plan.transport]
        kind, code = (_number(_nth(row[column], 0)) for column in columns)
        if kind < 0:
            return Ends(protocol, source, -1, target, -1), True
        sport, dport, two_ways = icmp_ports(protocol, kind, code)
        return Ends(protocol, source, sport, target, dport), two_ways
    return Ends(_number(above), source, -1, target, -1), True


def _nth(value: str, place: int) -> str | None:
    if BETWEEN not in value:
        return value or None if place == 0 else None
    parts = value.split(BETWEEN)
    return parts[place] if place < len(parts) else None


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else -1


def _nanoseconds(text: str) -> int | None:
    """Read `1772352001.010000000`, exactly; None when there is no time (pcapng's simple packets have none)."""
    whole, _, part = text.partition(".")
    if not whole.isdecimal():
        return None
    return int(whole) * 1_000_000_000 + int((part + "000000000")[:9])
