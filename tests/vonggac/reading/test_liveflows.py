"""Conversations that end by close, silence and age."""

import pytest

from vonggac.reading.flows import Told
from vonggac.reading.liveflows import LiveFlows, Patience
from vonggac.reading.packets import FIELDS, Packet, packet

S = 1_000_000_000
START = 1_772_352_000
SYN, SYNACK, ACK, FIN, RST = "0x0002", "0x0012", "0x0010", "0x0011", "0x0004"


def at(seconds: float) -> int:
    return int((START + seconds) * S)


def tcp(seconds: float, flags: str, *, back: bool = False, port: int = 49152) -> Packet:
    one, two = ("192.0.2.7", str(port)), ("198.51.100.20", "443")
    (source, sport), (target, dport) = (two, one) if back else (one, two)
    return row(
        seconds,
        "tcp",
        {"ip.src": source, "ip.dst": target, "tcp.srcport": sport, "tcp.dstport": dport, "tcp.flags": flags},
    )


def question(seconds: float, number: int = 7) -> Packet:
    columns = {"ip.src": "192.0.2.7", "ip.dst": "192.0.2.53", "udp.srcport": "5000", "udp.dstport": "53"}
    columns |= {"dns.id": f"0x{number:04x}", "dns.flags.response": "0", "dns.count.queries": "1"}
    return row(seconds, "udp:dns", columns | {"dns.qry.name": "www.example.com", "dns.qry.type": "1"})


def row(seconds: float, above: str, columns: dict[str, str]) -> Packet:
    known = {"frame.time_epoch": f"{START + seconds:.9f}", "frame.len": "100"}
    known |= {"frame.protocols": f"eth:ethertype:ip:{above}", **columns}
    return packet(1, "\t".join(known.get(name, "") for name in FIELDS))


def add(flows: LiveFlows, *packets: Packet) -> list[Told]:
    return [told for one in packets for told in flows.add(one)]


def kinds(told: list[Told]) -> list[tuple[str, str]]:
    return [(one.kind, one.doc["pcap"].get("cut", "")) for one in told]


@pytest.mark.parametrize("ending", [[tcp(1, FIN), tcp(1, FIN, back=True)], [tcp(1, RST, back=True)]])
def test_a_closed_one_is_given_when_the_last_acknowledgement_had_time_to_come(ending: list[Packet]) -> None:
    flows = LiveFlows()
    assert add(flows, tcp(0, SYN), *ending, tcp(1.1, ACK)) == []
    assert list(flows.sweep(at(2))) == []
    (told,) = flows.sweep(at(3.2))
    assert kinds([told]) == [("flow", "")]
    assert told.doc["pcap"]["packets"] == 2 + len(ending)
    assert len(flows) == 0


def test_a_silent_one_is_given() -> None:
    flows = LiveFlows()
    add(flows, tcp(0, SYN), question(0))
    assert [one.kind for one in flows.sweep(at(59))] == ["dns"], "nobody answered within half a minute"
    assert kinds(list(flows.sweep(at(61)))) == [("flow", "")]
    assert list(flows.sweep(at(299))) == []
    assert kinds(list(flows.sweep(at(301)))) == [("flow", "")]


def test_an_old_one_is_given_in_parts() -> None:
    flows = LiveFlows(patience=Patience(age=10 * S))
    told = add(flows, *(tcp(second, ACK) for second in range(25)))
    assert kinds(told) == [("flow", "age"), ("flow", "age")]
    assert kinds(list(flows.flush())) == [("flow", "stop")]
    assert [one.doc["pcap"]["packets"] for one in told] == [10, 10]


def test_a_full_table_gives_the_stalest_and_marks_it() -> None:
    flows = LiveFlows(limit=2)
    told = add(flows, *(tcp(port, SYN, port=port) for port in (1, 2)), tcp(3, ACK, port=1), tcp(4, SYN, port=3))
    assert kinds(told) == [("flow", "table full")]
    assert told[0].doc["source"]["port"] == 2
    assert len(flows) == 2


def test_a_clock_that_was_set_back_makes_nothing_wait_for_ever() -> None:
    flows = LiveFlows()
    add(flows, tcp(100_000, SYN))
    assert list(flows.sweep(at(0))) == []
    assert kinds(list(flows.sweep(at(301)))) == [("flow", "")]


def test_a_busy_one_still_tells_its_unanswered_questions() -> None:
    flows = LiveFlows()
    add(flows, question(0, 1), question(29, 2))
    assert [one.doc["pcap"]["id"] for one in flows.sweep(at(31))] == ["0x0001"]
    assert [one.kind for one in flows.flush()] == ["dns", "flow"]


def test_summaries_follow_each_other() -> None:
    flows = LiveFlows()
    add(flows, tcp(0, SYN))
    assert flows.summary().doc["pcap"]["packets"] == 1
    assert flows.summary().doc["pcap"]["packets"] == 0
