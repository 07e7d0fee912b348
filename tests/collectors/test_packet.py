import pytest

from collectors import _packet
from tests import pcap_writer as write
from vonggac.reading.programs import Bounds
from vonggac.testing import source_of

BOUNDS = Bounds(60)
PACKETS = write.stream([(True, b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n")])


@pytest.mark.parametrize("data", [write.pcap(PACKETS), write.pcap(PACKETS, nano=True), write.pcapng(PACKETS)])
def test_a_packet_is_cut_out_as_it_stands(data: bytes) -> None:
    found = _packet.cut(source_of(data), 4, BOUNDS)
    assert found == _packet.Cut(1, 1_772_352_000_030_000_000, len(PACKETS[3][1]), PACKETS[3][1])


def test_layer_by_layer() -> None:
    told = _packet.packet(source_of(write.pcap(PACKETS)), 4, BOUNDS)
    assert told["time"] == "2026-03-01T08:00:00.030000Z"
    assert [layer["name"] for layer in told["layers"]][:3] == ["Ethernet", "IP", "TCP"]


def test_a_packet_that_is_not_there() -> None:
    with pytest.raises(_packet.NoPacket, match=r"^no packet 99$"):
        _packet.packet(source_of(write.pcap(PACKETS)), 99, BOUNDS)
    with pytest.raises(_packet.NoPacket, match=r"^no packet 99: .*cut short"):
        _packet.packet(source_of(write.pcap(PACKETS)[:-3]), 99, BOUNDS)


def test_the_worker_is_bounded() -> None:
    with pytest.raises(_packet.NoPacket, match="scapy cannot take it apart"):
        _packet.taken_apart(1, b"", Bounds(60, memory=40 << 20, drop=False))
