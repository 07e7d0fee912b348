"""What is read without tshark gives the same events as with it."""

import json
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors import pcap
from tests import pcap_writer as write
from vonggac.event import Bad
from vonggac.ports import ReadOptions
from vonggac.reading.afpacket import ETHERNET, Frame
from vonggac.reading.dissector import Dissector
from vonggac.reading.liveflows import LiveFlows
from vonggac.reading.packets import FIELDS, Ends, Packet
from vonggac.reading.shortcut import Shortcut
from vonggac.testing import events_of, source_of

HELLO, ANSWER = write.client_hello("www.example.org"), write.server_hello()
RETRY = ANSWER.replace(
    bytes(range(32)), bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
)
SECRET = b"\x17\x03\x03\x01\x00" + b"z" * 256
GET = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"


def frame(data: bytes) -> Frame:
    return Frame(1_772_352_000, 5, len(data), data)


def tagged(data: bytes) -> bytes:
    return data[:12] + b"\x81\x00\x00\x0a" + data[12:]


def tcp(flags: int, payload: bytes = b"", *, six: bool = False) -> bytes:
    one, two = ("2001:db8::7", "2001:db8::20") if six else ("192.0.2.7", "198.51.100.20")
    return write.tcp(one, 49152, two, 443, 1, 1, flags, payload)


def test_a_bare_acknowledgement() -> None:
    packet = Shortcut().take(3, frame(tcp(write.ACK)))
    assert packet is not None
    assert packet.ends == Ends(6, "192.0.2.7", 49152, "198.51.100.20", 443)
    assert (packet.number, packet.time, packet.size) == (3, 1_772_352_000_000_000_005, 54)
    assert (packet.flags, packet.stack) == (write.ACK, "eth:ethertype:ip:tcp")


@pytest.mark.parametrize(
    "data",
    [
        tcp(write.SYN),
        tcp(write.FIN | write.ACK),
        tcp(write.RST),
        tcp(write.ACK, b"x"),
        tcp(write.ACK)[:53],
        tcp(write.ACK, six=True),
        write.ip("192.0.2.7", "192.0.2.8", 6, write.segment(1, 2, 0, 0, write.ACK), fragment=0x2000),
        write.udp("192.0.2.7", 1, "192.0.2.8", 2, b"x" * 40),
        write.ethernet(bytes(60), 0x0806),
    ],
    ids=["syn", "fin", "rst", "payload", "cut", "ipv6", "fragment", "udp", "arp"],
)
def test_what_tshark_must_see(data: bytes) -> None:
    assert Shortcut().take(1, frame(data)) is None


@given(st.binary(max_size=120), st.binary(max_size=60))
@settings(max_examples=200)
def test_arbitrary_bytes_never_raise(data: bytes, more: bytes) -> None:
    shortcut = Shortcut()
    for one in (data, tcp(write.ACK)[: len(data)] + more, tcp(write.ACK, six=True)[: len(data)] + more):
        shortcut.take(1, frame(one))


# ----------------------------------------------------- against a whole tshark


def lived(frames: list[Frame]) -> tuple[list[dict[str, Any]], int]:
    """Give the events of frames as live capture makes them, and how many packets tshark did not see."""
    dissector, flows = Dissector("v1", ETHERNET), LiveFlows(50_000)
    docs, without = list[dict[str, Any]](), 0
    rest = iter(frames)
    try:
        more = True
        while more or not dissector.idle:
            if more and dissector.idle:
                batch = [one for _, one in zip(range(20), rest, strict=False)]
                more = bool(batch)
                dissector.give(batch)
            for packet in dissector.turn(0.05)[0]:
                assert isinstance(packet, Packet), packet
                without += packet.row[FIELDS.index("frame.len")] == ""
                docs += [told.doc for told in flows.add(packet)]
    finally:
        dissector.close()
    return docs + [told.doc for told in flows.flush()], without


def bare(docs: Iterable[dict[str, Any]]) -> Counter[str]:
    rows = Counter[str]()
    for doc in docs:
        if doc["event"]["dataset"] != "network.capture":
            own = {name: value for name, value in doc["pcap"].items() if name != "cut"}
            rows[json.dumps({**doc, "pcap": own, "log": None}, sort_keys=True)] += 1
    return rows


def frames_of(capture: bytes) -> Iterator[Frame]:
    """Read a pcap file in this machine's byte order, times in µs."""
    at = 24
    while at < len(capture):
        seconds, micro, kept, size = struct.unpack_from("=IIII", capture, at)
        yield Frame(seconds, micro * 1000, size, capture[at + 16 : at + 16 + kept])
        at += 16 + kept


def conversations() -> list[write.Packet]:
    """TLS, some of it asked for twice, the ports used again for another, over VLAN and IPv6, and HTTP."""
    secrets = [(place % 3 > 0, SECRET if place % 3 else b"") for place in range(30)]
    plain = write.stream([(True, HELLO), (False, ANSWER), *secrets], dport=443)
    again = write.stream([(True, GET), (False, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")], start=write.START + 5)
    other = write.stream([(True, HELLO), (False, ANSWER), *secrets], dport=443, start=write.START + 4, seq=700_000)
    asked = [(True, HELLO), (False, RETRY), (True, HELLO), (False, ANSWER), *secrets]
    retried = write.stream(asked, sport=50_000, dport=443, start=write.START + 6)
    six = write.stream(
        [(True, HELLO), (False, ANSWER), *secrets],
        client="2001:db8::7",
        server="2001:db8::20",
        dport=443,
        start=write.START + 8,
        close=False,
    )
    vlan = write.stream([(True, HELLO), (False, ANSWER), *secrets], sport=50_001, dport=443, start=write.START + 9)
    return [*plain, *other, *again, *retried, *six, *((time, tagged(data)) for time, data in vlan)]


def test_the_events_are_the_same() -> None:
    capture = write.pcap(conversations())
    docs, without = lived(list(frames_of(capture)))
    assert bare(docs) == bare(event.doc for event in events_of(pcap, source_of(capture, "x.pcap")))
    assert without > 100


@pytest.mark.data
def test_the_events_of_real_captures_are_the_same(test_data: Path) -> None:
    compared = 0
    for path in sorted((test_data / "pcap").rglob("*.pcap")):
        capture = path.read_bytes()
        if not capture.startswith(struct.pack("=IHH", 0xA1B2C3D4, 2, 4)) or len(capture) < 20_000:
            continue
        if struct.unpack_from("=I", capture, 20)[0] != ETHERNET:
            continue
        records = [one for batch, _ in pcap.open(source_of(capture), ReadOptions()).read(None) for one in batch]
        if any(isinstance(one, Bad) for one in records):
            continue
        docs, _ = lived(list(frames_of(capture)))
        assert bare(docs) == bare(one.doc for one in records if not isinstance(one, Bad)), path.name
        compared += 1
        if compared == 6:
            return
    pytest.fail(f"only {compared} captures were compared")
