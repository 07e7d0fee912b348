"""Writes small packet captures, so that no binary sample stands in the repository; and the packets to put in them.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, RFC 791, 8200, 768, 9293, 1035, 8446.
"""

import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

ETHERNET = 1
#: 2026-03-01T08:00:00Z, the time of the first packet
START = 1_772_352_000.0
CLIENT, SERVER, RESOLVER = "192.0.2.7", "198.51.100.20", "192.0.2.53"
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

Packet = tuple[float, bytes]


def pcap(
    packets: Iterable[Packet], *, order: str = "<", nano: bool = False, link: int = ETHERNET, modified: bool = False
) -> bytes:
    """Give a libpcap file; `order` "<" or ">", times in µs or ns, `modified`: Kuznetzov's eight more bytes a packet."""
    magic = 0xA1B2CD34 if modified else 0xA1B23C4D if nano else 0xA1B2C3D4
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for time, data in packets:
        seconds = int(time)
        part = round((time - seconds) * 1_000_000) * (1000 if nano else 1)
        out.append(struct.pack(order + "IIII", seconds, part, len(data), len(data)))
        if modified:
            out.append(struct.pack(order + "IHBB", 1, 8, 0, 0))  # interface, protocol, packet type, padding
        out.append(data)
    return b"".join(out)


def pcapng(packets: Iterable[Packet], *, order: str = "<", link: int = ETHERNET) -> bytes:
    """Give a pcapng file of one section and one interface, times in µs."""

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        size = len(body) + 12
        return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)

    out = [block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    out.append(block(1, struct.pack(order + "HHI", link, 0, 262144)))
    for time, data in packets:
        micro = round(time * 1_000_000)
        head = struct.pack(order + "IIIII", 0, micro >> 32, micro & 0xFFFFFFFF, len(data), len(data))
        out.append(block(6, head + data))
    return b"".join(out)


def snoop(packets: Iterable[Packet]) -> bytes:
    """Give a file of Solaris snoop (RFC 1761)."""
    out = [struct.pack(">8sII", b"snoop\0\0\0", 2, 4)]
    for time, data in packets:
        pad = -len(data) % 4
        head = (len(data), len(data), 24 + len(data) + pad, 0, int(time), round((time - int(time)) * 1_000_000))
        out.append(struct.pack(">IIIIII", *head) + data + b"\0" * pad)
    return b"".join(out)


# ------------------------------------------------------------------- packets


def ethernet(payload: bytes, kind: int) -> bytes:
    """Frame a packet; addresses are from the documentation range of RFC 7042."""
    return bytes.fromhex("00005e005301 00005e005302") + struct.pack(">H", kind) + payload


def ip(source: str, target: str, protocol: int, payload: bytes, *, fragment: int = 0) -> bytes:
    """Give an Ethernet frame with IPv4 or IPv6; `fragment` is IPv4's flags and offset."""
    return ethernet(bare_ip(source, target, protocol, payload, fragment=fragment), 0x86DD if ":" in source else 0x0800)


def bare_ip(source: str, target: str, protocol: int, payload: bytes, *, fragment: int = 0) -> bytes:
    """Give the IP packet alone, for tunnels and for what an ICMP error quotes."""
    addresses = ip_address(source).packed + ip_address(target).packed
    if ":" in source:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + addresses + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 7, fragment, 64, protocol, 0) + addresses
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def checksum(data: bytes) -> int:
    """Give the Internet checksum."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def udp(source: str, sport: int, target: str, dport: int, payload: bytes) -> bytes:
    """Give a UDP packet without a checksum."""
    return ip(source, target, 17, struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload)


def segment(sport: int, dport: int, seq: int, ack: int, flags: int, payload: bytes = b"") -> bytes:
    """Give a TCP segment without a checksum."""
    return struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0) + payload


def tcp(
    source: str, sport: int, target: str, dport: int, seq: int, ack: int, flags: int, payload: bytes = b""
) -> bytes:
    """Give a TCP packet."""
    return ip(source, target, 6, segment(sport, dport, seq, ack, flags, payload))


def stream(
    parts: Sequence[tuple[bool, bytes]],
    *,
    client: str = CLIENT,
    sport: int = 49152,
    server: str = SERVER,
    dport: int = 80,
    start: float = START,
    close: bool = True,
    seq: int = 1000,
) -> list[Packet]:
    """Give a TCP conversation, 10 ms a packet: handshake, the parts (True = from the client), FIN both ways."""
    out: list[Packet] = []
    at = {True: seq, False: seq + 4000}

    def send(mine: bool, flags: int, payload: bytes = b"") -> None:
        ends = (client, sport, server, dport) if mine else (server, dport, client, sport)
        ack = at[not mine] if flags & ACK else 0
        out.append((start + len(out) / 100, tcp(*ends, at[mine], ack, flags, payload)))
        at[mine] += len(payload) + bool(flags & (SYN | FIN))

    send(True, SYN)
    send(False, SYN | ACK)
    send(True, ACK)
    for mine, payload in parts:
        send(mine, PSH | ACK, payload)
    if close:
        send(True, FIN | ACK)
        send(False, FIN | ACK)
        send(True, ACK)
    return out


# ------------------------------------------------------------------ contents


def name(text: str) -> bytes:
    """Give a DNS name."""
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in text.split(".")) + b"\0"


def dns(number: int, question: str, *, kind: int = 1, answers: Sequence[str] | None = None, rcode: int = 0) -> bytes:
    """Give a DNS message: a query, or with `answers` (IPv4 addresses) a response."""
    flags = 0x0100 if answers is None else 0x8180 | rcode
    out = struct.pack(">HHHHHH", number, flags, 1, len(answers or ()), 0, 0) + name(question)
    out += struct.pack(">HH", kind, 1)
    for address in answers or ():
        out += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + ip_address(address).packed
    return out


def client_hello(server_name: str, *, padding: int = 0) -> bytes:
    """Give a TLS record with a ClientHello that offers 1.2 and 1.3; `padding` makes it long, before the name."""

    def extension(kind: int, body: bytes) -> bytes:
        return struct.pack(">HH", kind, len(body)) + body

    host = server_name.encode()
    extensions = extension(21, b"\0" * padding) if padding else b""
    extensions += extension(0, struct.pack(">HBH", len(host) + 3, 0, len(host)) + host)
    extensions += extension(43, b"\x04\x03\x04\x03\x03")
    extensions += extension(16, b"\0\x0c\x02h2\x08http/1.1")
    body = b"\x03\x03" + bytes(range(32)) + b"\0" + struct.pack(">H3H", 6, 0x1301, 0xC02F, 0x009C) + b"\x01\0"
    return _handshake(1, body + struct.pack(">H", len(extensions)) + extensions)


def server_hello(*, tls13: bool = True) -> bytes:
    """Give a TLS record with a ServerHello."""
    extensions = b"\0\x2b\0\x02\x03\x04" if tls13 else b""
    body = b"\x03\x03" + bytes(range(32)) + b"\0" + struct.pack(">HB", 0x1301 if tls13 else 0xC02F, 0)
    return _handshake(2, body + struct.pack(">H", len(extensions)) + extensions)


def _handshake(kind: int, body: bytes) -> bytes:
    message = bytes([kind]) + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message
