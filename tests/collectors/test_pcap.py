import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors import pcap
from tests import pcap_writer as write
from vonggac.event import Bad, Event
from vonggac.ports import Head, ReadOptions
from vonggac.reading.source import READ_ERRORS, plain
from vonggac.testing import collector_contract, events_of, read_all, source_of

GET = b"GET /a?b=1 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.5\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nhi"
HELLO = write.client_hello("www.example.org", padding=2000)


def lookup(number: int) -> list[write.Packet]:
    time, name, port = write.START + number, f"h{number}.example.com", 5000 + number
    answer = write.dns(number, name, answers=["198.51.100.20"])
    return [
        (time, write.udp(write.CLIENT, port, write.RESOLVER, 53, write.dns(number, name))),
        (time + 0.02, write.udp(write.RESOLVER, 53, write.CLIENT, port, answer)),
    ]


PACKETS = [
    *(packet for number in range(120) for packet in lookup(number)),
    *write.stream([(True, GET), (False, OK)], start=write.START + 200),
    *write.stream(
        [(True, HELLO[:1400]), (True, HELLO[1400:]), (False, write.server_hello())],
        sport=49153,
        dport=443,
        start=write.START + 300,
    ),
    (write.START + 400, write.ethernet(bytes(28), 0x0806)),
]
CAPTURE = write.pcap(PACKETS)


def of(events: list[Event], dataset: str) -> list[Event]:
    return [event for event in events if event.doc["event"]["dataset"] == dataset]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return events_of(pcap, source_of(CAPTURE, "day.pcap"))


@pytest.mark.parametrize("data", [CAPTURE, write.pcapng(PACKETS)], ids=["pcap", "pcapng"])
def test_contract(data: bytes) -> None:
    collector_contract(pcap, source_of(data, "day.pcap"), namespaces=("pcap",))


def test_a_dns_lookup(events: list[Event]) -> None:
    first = of(events, "network.dns")[0].doc
    assert first["@timestamp"] == "2026-03-01T08:00:00.000000Z"
    assert first["dns"] == {"question": {"name": "h0.example.com", "type": "A"}, "response_code": "NOERROR"}
    assert first["source"] == {"ip": "192.0.2.7", "port": 5000}
    assert first["destination"] == {"ip": "192.0.2.53", "port": 53}
    assert first["network"]["protocol"] == "dns"
    assert first["pcap"] == {"frame": 1, "id": "0x0000", "response_frame": 2, "answers": ["198.51.100.20"]}
    assert first["log"] == {"file": {"path": "day.pcap"}}


def test_an_http_request(events: list[Event]) -> None:
    (event,) = of(events, "network.http")
    assert event.doc["http"] == {
        "request": {"method": "GET"},
        "version": "1.1",
        "response": {"status_code": 200, "bytes": 2},
    }
    assert event.doc["url"] == {"original": "/a?b=1", "domain": "www.example.com", "path": "/a", "query": "b=1"}
    assert event.doc["user_agent"] == {"original": "curl/8.5"}


def test_a_hello_in_two_segments(events: list[Event]) -> None:
    (event,) = of(events, "network.tls")
    assert event.doc["tls"] == {"server_name": "www.example.org", "version": "1.3"}
    assert event.doc["pcap"]["alpn"] == ["h2", "http/1.1"]
    assert len(event.doc["pcap"]["ja3"]) == 32


def test_flows_and_the_summary(events: list[Event]) -> None:
    flows = of(events, "network.flow")
    assert len(flows) == 122
    assert {flow.doc["network"].get("protocol") for flow in flows} == {"dns", "http", "tls"}
    (summary,) = of(events, "network.capture")
    assert summary.doc["pcap"]["no_ip"] == 1
    assert summary.doc["pcap"]["packets"] == len(PACKETS)


def test_ids_do_not_know_path_or_compression(tmp_path: Path, events: list[Event]) -> None:
    packed = tmp_path / "other.pcap.gz"
    packed.write_bytes(gzip.compress(CAPTURE))
    assert [event.id for event in events_of(pcap, plain(str(packed)))] == [event.id for event in events]


def test_a_cut_capture(events: list[Event]) -> None:
    *before, bad = read_all(pcap, source_of(CAPTURE[:-5]))
    assert isinstance(bad, Bad)
    assert bad.place == f"packet {len(PACKETS)}"
    assert len(before) == len(events), "only an ARP packet is gone, and the summary says so"


def test_a_cut_compression_gives_what_stands_before_it(tmp_path: Path) -> None:
    packed = tmp_path / "day.pcap.gz"
    noise = random.Random(7)
    bulk = [
        (write.START + 500 + number, write.udp("192.0.2.1", 1, "192.0.2.2", 2, noise.randbytes(1000)))
        for number in range(400)
    ]
    packed.write_bytes(gzip.compress(write.pcap(PACKETS + bulk))[:-2000])
    found: list[Event | Bad] = []

    def read() -> None:
        for records, _ in pcap.open(plain(str(packed)), ReadOptions()).read(None):
            found.extend(records)

    with pytest.raises(EOFError):
        read()
    events = [record for record in found if isinstance(record, Event)]
    assert len(events) == len(found), "the damage is told once, by the error"
    assert len(of(events, "network.dns")) == 120
    assert of(events, "network.capture")[0].doc["pcap"]["packets"] > len(PACKETS) + 200


def test_a_capture_without_packets_says_so() -> None:
    (summary,) = events_of(pcap, source_of(write.pcap([])))
    assert summary.doc["pcap"] == {"packets": 0, "bytes": 0, "flows": 0, "no_ip": 0, "stacks": []}
    assert summary.time is None


def test_a_reader_that_stops_leaves_no_process() -> None:
    batches = iter(pcap.open(source_of(CAPTURE), ReadOptions()).read(None))
    next(batches)
    del batches  # a ResourceWarning would fail the test


@pytest.mark.parametrize(
    ("data", "score"),
    [
        (CAPTURE, 98),
        (write.pcap([], order=">", nano=True), 98),
        (write.pcap([], modified=True), 98),
        (write.pcapng([]), 99),
        (write.pcapng([], order=">"), 99),
        (write.snoop([]), 98),
        (b"\xd4\xc3\xb2\xa1", 60),
        (b"\n\r\r\n2026-03-01 a log", 60),
        (b"\xd4\xc3\xb2", 0),
        (b"GET / HTTP/1.1\r\n", 0),
    ],
)
def test_claims(data: bytes, score: int) -> None:
    assert pcap.claims(Head("x", data)) == score


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=400), st.integers(24, 400))
def test_arbitrary_bytes_never_raise(data: bytes, place: int) -> None:
    """Each example starts a tshark: few of them, in the middle of a good capture."""
    hurt = CAPTURE[:place] + data + CAPTURE[place : 2000 - len(data)]
    for record in read_all(pcap, source_of(hurt)):
        assert isinstance(record, Bad) or record.to_json()


@given(st.binary(max_size=100))
def test_first_bytes_of_anything(data: bytes) -> None:
    assert len(pcap.first_bytes(b"\x0a\x0d\x0d\x0a" + data)) <= 104


@pytest.mark.data
def test_each_real_capture_gives_events_or_a_reason(test_data: Path) -> None:
    folder = test_data / "pcap"
    captures = [path for kind in ("*.pcap", "*.pcapng", "*.gz") for path in sorted(folder.rglob(kind))]
    assert len(captures) > 400
    for path in captures[:: 1 if len(captures) < 100 else 5]:  # a fifth: each starts a tshark
        source = plain(str(path))
        assert pcap.claims(source.head) >= 98, path
        records: list[Event | Bad] = []
        try:
            records = read_all(pcap, source)
        except READ_ERRORS as error:
            pytest.fail(f"{path}: {error!r}")
        assert records, path
        assert all(record.reason for record in records if isinstance(record, Bad))
