"""Packets in, what becomes events out."""

from typing import Any

from vonggac.reading.flows import Flows, Told, time_of
from vonggac.reading.packets import FIELDS, Packet, packet

SYN, SYNACK, ACK, FIN, RST = "0x0002", "0x0012", "0x0010", "0x0011", "0x0004"


def tcp(number: int, flags: str, *, back: bool = False, port: int = 49152, **columns: str) -> Packet:
    one, two = ("192.0.2.7", str(port)), ("198.51.100.20", "443")
    (source, sport), (target, dport) = (two, one) if back else (one, two)
    known = {
        "frame.time_epoch": f"{1772352000 + number}.25",
        "frame.len": "100",
        "frame.protocols": "eth:ethertype:ip:tcp",
        "ip.src": source,
        "ip.dst": target,
        "tcp.srcport": sport,
        "tcp.dstport": dport,
        "tcp.flags": flags,
    }
    known |= {name.replace("__", "."): value for name, value in columns.items()}
    return packet(number, "\t".join(known.get(name, "") for name in FIELDS))


def run(*packets: Packet, limit: int = 50_000) -> list[Told]:
    flows = Flows(limit)
    told = [one for packet in packets for one in flows.add(packet)]
    return told + list(flows.end())


def test_a_conversation_is_one_flow() -> None:
    flow, summary = run(tcp(1, SYN), tcp(2, SYNACK, back=True), tcp(3, ACK), tcp(4, ACK, back=True))
    assert (flow.kind, flow.frame) == ("flow", 1)
    assert flow.doc["@timestamp"] == "2026-03-01T08:00:01.250000Z"
    assert flow.doc["event"]["duration"] == 3_000_000_000
    assert flow.doc["source"] == {"ip": "192.0.2.7", "port": 49152, "bytes": 200}
    assert flow.doc["destination"] == {"ip": "198.51.100.20", "port": 443, "bytes": 200}
    assert flow.doc["network"] == {"transport": "tcp", "community_id": "1:m+3ax/eFP0jq/Pg9XOTDYsWz2SE="}
    assert flow.doc["pcap"] == {
        "first_frame": 1,
        "last_frame": 4,
        "packets": 4,
        "source_packets": 2,
        "destination_packets": 2,
        "end": "2026-03-01T08:00:04.250000Z",
        "source_flags": "SA",
        "destination_flags": "SA",
    }
    assert summary.doc["pcap"]["flows"] == 1


def test_a_syn_ack_shows_who_began() -> None:
    flow, _ = run(tcp(1, SYNACK, back=True), tcp(2, ACK))
    assert flow.doc["source"]["ip"] == "192.0.2.7"


def test_ports_that_are_used_again_are_another_conversation() -> None:
    closed = [tcp(1, SYN), tcp(2, FIN), tcp(3, FIN, back=True), tcp(4, ACK), tcp(5, SYN)]
    assert [one.frame for one in run(*closed) if one.kind == "flow"] == [1, 5]
    reset = [tcp(1, SYN), tcp(2, RST, back=True), tcp(3, SYN)]
    assert [one.frame for one in run(*reset) if one.kind == "flow"] == [1, 3]
    repeated = [tcp(1, SYN), tcp(2, SYN), tcp(3, SYN)]
    assert [one.frame for one in run(*repeated) if one.kind == "flow"] == [1]


def test_the_stalest_gives_way() -> None:
    told = run(tcp(1, SYN, port=1), tcp(2, SYN, port=2), tcp(3, ACK, port=1), tcp(4, SYN, port=3), limit=2)
    assert [one.doc["source"]["port"] for one in told if one.kind == "flow"] == [2, 1, 3]


def test_a_question_without_an_answer_comes_before_its_flow() -> None:
    about: dict[str, Any] = {"http__request__method": "GET", "http__request__uri": "/x"}
    request = tcp(1, ACK, frame__protocols="eth:ethertype:ip:tcp:http", **about)
    http, flow, _ = run(request)
    assert http.kind == "http"
    assert http.doc["event"]["dataset"] == "network.http"
    assert http.doc["url"]["path"] == "/x"
    assert http.doc["network"]["community_id"] == flow.doc["network"]["community_id"]
    assert flow.doc["network"]["protocol"] == "http"


def test_packets_that_are_no_ip_are_counted() -> None:
    (summary,) = run(tcp(1, "", frame__protocols="eth:ethertype:arp"))
    assert summary.doc["event"]["dataset"] == "network.capture"
    assert summary.doc["pcap"] == {
        "packets": 1,
        "bytes": 100,
        "flows": 0,
        "no_ip": 1,
        "end": "2026-03-01T08:00:01.250000Z",
        "stacks": [{"layers": "eth:ethertype:arp", "packets": 1}],
    }


def test_fragments_have_a_flow_without_ports_and_id() -> None:
    flow, _ = run(tcp(1, "", frame__protocols="eth:ethertype:ip:data", ip__proto="17"))
    assert flow.doc["network"] == {"transport": "udp"}
    assert flow.doc["source"] == {"ip": "192.0.2.7", "bytes": 100}


def test_times() -> None:
    assert time_of(1_772_352_000_123_456_789) == "2026-03-01T08:00:00.123456Z"
    assert time_of(None) is None
    assert time_of(10**30) is None
