from typing import Any

import pytest

from collectors import _conversation
from tests import pcap_writer as write
from vonggac.event import Bad
from vonggac.reading.communityid import TCP, community_id
from vonggac.reading.programs import Bounds
from vonggac.testing import source_of

BOUNDS = Bounds(60)
GET = b"GET /a HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
OTHER = write.stream([(True, GET)], sport=50000, start=write.START - 10)
CAPTURE = write.pcap([*OTHER, *write.stream([(True, GET)])])
COMMUNITY = community_id(TCP, write.CLIENT, write.SERVER, (49152, 80))
ENDS = "192.0.2.7:49152-198.51.100.20:80"


def read(data: bytes, wanted: str) -> list[dict[str, Any] | Bad]:
    return list(_conversation.packets(source_of(data), wanted, BOUNDS))


@pytest.mark.parametrize("wanted", [ENDS, "198.51.100.20:80-192.0.2.7:49152", COMMUNITY])
def test_only_the_packets_of_the_conversation(wanted: str) -> None:
    packets = read(CAPTURE, wanted)
    assert [packet["number"] for packet in packets if isinstance(packet, dict)] == list(range(8, 15))


def test_a_packet_with_all_that_tshark_says() -> None:
    packet = read(CAPTURE, ENDS)[3]
    assert isinstance(packet, dict)
    assert packet["time"] == "2026-03-01T08:00:00.030000Z"
    assert packet["protocols"] == "eth:ethertype:ip:tcp:http"
    by_name = {layer["name"]: layer["fields"] for layer in packet["layers"]}
    assert by_name["ip"]["ip.src"] == "192.0.2.7"
    assert by_name["http"]["http.host"] == "www.example.com"


def test_ipv6() -> None:
    six = write.pcap(
        [(write.START, write.udp("2001:db8::1", 5000, "2001:db8::2", 53, write.dns(1, "www.example.com")))]
    )
    (packet,) = read(six, "[2001:db8::1]:5000-[2001:db8::2]:53")
    assert isinstance(packet, dict)


def test_a_cut_capture_is_told_after_what_was_read() -> None:
    *packets, bad = read(CAPTURE[:-3], ENDS)
    assert len(packets) == 6
    assert isinstance(bad, Bad)
    assert bad.place == "after packet 13"
    assert "cut short" in bad.reason


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "1:abc",
        "192.0.2.7:80",
        "192.0.2.7:99999-192.0.2.8:1",
        "192.0.2.7:1-[2001:db8::1]:2",
        "a:1-b:2",
        '" || frame',
    ],
)
def test_what_is_no_conversation(wanted: str) -> None:
    with pytest.raises(ValueError, match=r"is no conversation|does not appear to be"):
        _conversation.display_filter(wanted)


def test_time_is_limited() -> None:
    many = write.pcap([packet for _ in range(3000) for packet in OTHER])
    *_, bad = _conversation.packets(source_of(many), "192.0.2.7:50000-198.51.100.20:80", Bounds(0.5))
    assert isinstance(bad, Bad)
    assert bad.reason == "stopped after 0.5 s; what follows was not read"
