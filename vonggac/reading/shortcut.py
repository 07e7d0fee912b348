"""TCP packets that tshark can say nothing new about, read here: bare acknowledgements, and TLS after both hellos.

They are most of what passes an interface, and this costs a tenth. What is in the least unusual (options of IP,
fragments, extension headers, lengths that do not fit, tunnels) goes to tshark. Source: RFC 791, 8200, 9293.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from functools import lru_cache
from socket import inet_ntoa
from typing import Final

from vonggac.reading.afpacket import Frame
from vonggac.reading.communityid import TCP
from vonggac.reading.flows import FIN, RST, SYN
from vonggac.reading.packets import FIELDS, Ends, Packet

_KNOWN: Final = 20_000  # TLS conversations, both ways of each
_STACK: Final = FIELDS.index("frame.protocols")


class Shortcut:
    """Learns from the packets that tshark took apart which conversations it needs to see no more of."""

    def __init__(self) -> None:
        self._tls: OrderedDict[bytes, Ends] = OrderedDict()  # addresses and ports as in the packet -> its ends
        self._syns: dict[bytes, int] = {}  # conversations that begin in a packet that tshark still has: its number

    def take(self, number: int, frame: Frame) -> Packet | None:
        """Give a packet read here; None = ask tshark, and tell `learn` what it says. `frame` is of Ethernet."""
        data = frame.data
        at = 14
        kind = data[12:14]
        if kind == b"\x81\x00":
            at, kind = 18, data[16:18]
        if len(data) < at + 40:
            return None
        if kind == b"\x08\x00":
            first, length, fragment, protocol = _IPV4(data, at)
            if first != 0x45 or protocol != TCP or fragment & 0x3FFF or length < 40 or at + length > len(data):
                return None
            above, key = at + 20, data[at + 12 : at + 24]
        elif kind == b"\x86\xdd":
            first, length, protocol = _IPV6(data, at)
            if first >> 4 != 6 or protocol != TCP or length < 20 or at + 40 + length > len(data):
                return None
            length += 40
            above, key = at + 40, data[at + 8 : at + 44]
        else:
            return None
        head, flags = data[above + 12] >> 4 << 2, data[above + 13]
        payload = length - (above - at) - head
        if head < 20 or payload < 0:
            return None
        if flags & SYN:
            self._tls.pop(key, None)
            self._tls.pop(_turned(key), None)
            if len(self._syns) < _KNOWN:
                self._syns[key] = number
            return None
        ends = self._tls.get(key)
        if ends is None:
            if payload or flags & (FIN | RST) or len(key) != 12:
                return None
            sport, dport = _PORTS(data, above)
            ends = Ends(TCP, _text(key[:4]), sport, _text(key[4:8]), dport)
        row = _rows(at == 18, len(key) != 12, payload > 0)
        time = frame.seconds * 1_000_000_000 + frame.nanoseconds
        return Packet(number, time, frame.size, ends, True, flags, None, (), row)

    def learn(self, packet: Packet, data: bytes) -> None:
        """Look at a packet that tshark took apart, and at its bytes."""
        if not packet.flags & SYN and not packet.has("tls.handshake.type"):
            return
        ends = packet.ends
        if ends is None or ends.protocol != TCP or packet.tunnels:
            return
        key = _key(data)
        if key is None:
            return
        turned = _turned(key)
        if packet.flags & SYN:
            if self._syns.get(key, 0) <= packet.number:
                self._syns.pop(key, None)
        elif "2" in packet.all("tls.handshake.type") and _RETRY not in data and not self._syns.keys() & {key, turned}:
            self._tls[key], self._tls[turned] = ends, ends.turned()
            while len(self._tls) > _KNOWN:
                self._tls.popitem(last=False)


def _key(data: bytes) -> bytes | None:
    at, kind = (18, data[16:18]) if data[12:14] == b"\x81\x00" else (14, data[12:14])
    if kind == b"\x08\x00" and data[at : at + 1] == b"\x45":
        return data[at + 12 : at + 24]
    return data[at + 8 : at + 44] if kind == b"\x86\xdd" and data[at + 6] == TCP else None


def _turned(key: bytes) -> bytes:
    size = (len(key) - 4) // 2
    return key[size : 2 * size] + key[:size] + key[-2:] + key[-4:-2]


@lru_cache(maxsize=8)
def _rows(vlan: bool, six: bool, payload: bool) -> tuple[str, ...]:
    stack = f"eth:ethertype:{'vlan:ethertype:' if vlan else ''}{'ipv6' if six else 'ip'}:tcp{':tls' if payload else ''}"
    return tuple(stack if place == _STACK else "" for place in range(len(FIELDS)))


#: the random of a ServerHello that asks for another ClientHello (RFC 8446, 4.1.3)
_RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_text = lru_cache(maxsize=4096)(inet_ntoa)
_IPV4: Final = struct.Struct(">BxH2xHxB").unpack_from  # version and header length, length, fragment, protocol
_IPV6: Final = struct.Struct(">B3xHB").unpack_from
_PORTS: Final = struct.Struct(">HH").unpack_from
