import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests import pcap_writer as write
from vonggac.event import Bad
from vonggac.reading.packets import Packet
from vonggac.reading.programs import MissingProgram
from vonggac.reading.tshark import Packets, base_command
from vonggac.testing import source_of

TWO = [
    (write.START, write.udp(write.CLIENT, 5000, write.RESOLVER, 53, write.dns(7, "www.example.com"))),
    (write.START + 0.5, write.udp(write.RESOLVER, 53, write.CLIENT, 5000, write.dns(7, "www.example.com", answers=[]))),
]


def read(data: bytes) -> list[Packet | Bad]:
    return list(Packets(source_of(data, "x.pcap"), 60).read())


@pytest.mark.parametrize(
    "data",
    [
        write.pcap(TWO),
        write.pcap(TWO, order=">"),
        write.pcap(TWO, nano=True),
        write.pcap(TWO, nano=True, order=">"),
        write.pcap(TWO, modified=True),
        write.pcap(TWO, modified=True, order=">"),
        write.pcapng(TWO),
        write.pcapng(TWO, order=">"),
        write.snoop(TWO),
    ],
    ids=["µs", "µs swapped", "ns", "ns swapped", "modified", "modified swapped", "pcapng", "pcapng swapped", "snoop"],
)
def test_every_kind_of_capture(data: bytes) -> None:
    one, two = read(data)
    assert isinstance(one, Packet)
    assert isinstance(two, Packet)
    assert (one.number, two.number) == (1, 2)
    assert two.time == 1_772_352_000_500_000_000
    assert one.all("dns.qry.name") == ["www.example.com"]


def test_a_value_cannot_hold_a_separator() -> None:
    """Tab, newline and form feed, sent as a user agent, come as text; nothing else is escaped."""
    request = b"GET / HTTP/1.1\r\nUser-Agent: a\tb\x0cc\x1fd\r\nHost: www.example.com\r\n\r\n"
    packets = read(write.pcap(write.stream([(True, request)])))
    (agent,) = [one.all("http.user_agent") for one in packets if isinstance(one, Packet) and one.has("http.host")]
    assert agent == ["a\\tb\\fc\x1fd"]


def test_a_cut_capture_gives_what_stands_before_and_names_the_packet() -> None:
    one, bad = read(write.pcap(TWO)[:-10])
    assert isinstance(one, Packet)
    assert isinstance(bad, Bad)
    assert bad.place == "packet 2"
    assert "cut short" in bad.reason


def test_a_link_type_that_tshark_does_not_know_is_named() -> None:
    (bad,) = read(write.pcap(TWO, link=65000))
    assert isinstance(bad, Bad)
    assert "65000" in bad.reason


def test_an_input_that_breaks_off_is_not_called_damaged_twice() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise EOFError("cut")  # noqa: EM101
            return super().read(150)

    data = write.pcap(TWO)
    opened: Callable[[], Broken] = lambda: Broken(data)  # noqa: E731
    packets = Packets(replace(source_of(data), open=opened), 60)
    (one,) = packets.read()
    assert isinstance(one, Packet)
    assert isinstance(packets.broken, EOFError)


def test_time_is_limited() -> None:
    many = TWO * 50_000
    packets = Packets(source_of(write.pcap(many)), 0.3)
    *_, bad = packets.read()
    assert isinstance(bad, Bad)
    assert bad.reason == "stopped after 0.3 s; what follows was not read"
    assert bad.place == f"packet {packets.count + 1}"


def test_segments_are_joined_only_where_events_need_it() -> None:
    options = base_command()
    assert "smb2.pipe_reassembly:FALSE" in options
    assert "http.desegment_body:FALSE" in options
    assert not [one for one in options if one.startswith(("tcp.desegment_tcp_streams", "http.desegment_headers"))]


def test_without_tshark_a_capture_is_a_named_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingProgram, match=r"^tshark is not installed: apt-get install tshark$"):
        read(write.pcap(TWO))
