"""The Community ID of a conversation, version 1, seed 0: the same id that Zeek, Suricata and Wireshark give it.

Source: corelight/community-id-spec. `1:` and base64 of SHA-1 over seed, addresses, protocol, a zero byte and ports, the
smaller end first; of ICMP the type and its answering type (or the code, one way) stand as the ports.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

ICMP, TCP, UDP, ICMP6, SCTP = 1, 6, 17, 58, 132
#: type -> the type that answers it
_ANSWERS: Final = {
    ICMP: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10},
    ICMP6: {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130, 139: 140, 140: 139,
            144: 145, 145: 144},
}  # fmt: skip


def icmp_ports(protocol: int, kind: int, code: int) -> tuple[int, int, bool]:
    """Give what stands as the ports of an ICMP message, and whether it has two ways."""
    answer = _ANSWERS[protocol].get(kind)
    return (kind, code, False) if answer is None else (kind, answer, True)


def community_id(
    protocol: int, source: str, target: str, ports: tuple[int, int] | None, *, two_ways: bool = True
) -> str:
    """Give the id; `ports` None for a protocol that has none. Raises ValueError for an address that is none."""
    one, two = _packed(source), _packed(target)
    if two_ways and (one, ports[0] if ports else 0) > (two, ports[1] if ports else 0):
        one, two = two, one
        ports = ports and (ports[1], ports[0])
    data = b"\0\0" + one + two + bytes((protocol, 0))
    if ports:
        data += struct.pack(">HH", *ports)
    return "1:" + base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


@lru_cache(maxsize=4096)
def _packed(address: str) -> bytes:
    return ip_address(address).packed
