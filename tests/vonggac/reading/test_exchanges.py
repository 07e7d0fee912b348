"""Rows of tshark in, exchanges out."""

from typing import Any

from vonggac.reading.exchanges import Exchange, exchanges
from vonggac.reading.packets import BETWEEN, FIELDS, Packet, packet

CLIENT, SERVER = "192.0.2.7", "198.51.100.20"


def made(number: int, back: bool = False, transport: str = "tcp", spoken: str = "http", /, **columns: str) -> Packet:
    """Give a packet from the client (or back); columns named as tshark's fields with `__` for a dot."""
    ends, ports = ((SERVER, CLIENT), ("80", "49152")) if back else ((CLIENT, SERVER), ("49152", "80"))
    known = {
        "frame.time_epoch": f"177235200{number}.0",
        "frame.len": "60",
        "frame.protocols": f"eth:ethertype:ip:{transport}:{spoken}",
        "ip.src": ends[0],
        "ip.dst": ends[1],
        f"{transport}.srcport": ports[0],
        f"{transport}.dstport": ports[1],
    }
    known |= {name.replace("__", "."): value for name, value in columns.items()}
    return packet(number, "\t".join(known.get(name, "") for name in FIELDS))


def request(number: int, target: str, **columns: str) -> Packet:
    return made(
        number, http__request__method="GET", http__request__uri=target, http__request__version="HTTP/1.1", **columns
    )


def dns(number: int, back: bool = False, /, **columns: str) -> Packet:
    columns = {"dns__flags__response": "1" if back else "0", "dns__count__queries": "1", **columns}
    return made(number, back, "udp", "dns", **columns)


def run(*packets: Packet) -> tuple[list[Exchange], list[Exchange]]:
    """Give what is finished and what waits."""
    waiting: list[Exchange] = []
    return [done for one in packets for done in exchanges(one, waiting)], waiting


def test_a_request_waits_for_its_response() -> None:
    (done,), waiting = run(
        request(1, "/a?b=1", http__host="www.example.com:8080", http__user_agent="curl/8"),
        made(2, True, http__response__code="100"),
        made(3, True, http__response__code="404", http__content_length_header="9", http__content_type="text/html"),
    )
    assert waiting == []
    assert (done.kind, done.action, done.frame) == ("http", "http-request", 1)
    assert done.fields == {
        "http.request.method": "GET",
        "http.version": "1.1",
        "url.original": "/a?b=1",
        "url.path": "/a",
        "url.query": "b=1",
        "url.domain": "www.example.com",
        "user_agent.original": "curl/8",
        "http.response.status_code": 404,
        "http.response.bytes": 9,
    }
    assert done.own == {"response_frame": 3, "content_type": "text/html"}


def test_a_proxy_is_asked_for_whole_addresses() -> None:
    _, (one,) = run(request(1, "http://u@www.example.com/x", http__host="proxy.example.net"))
    assert one.fields["url.domain"] == "www.example.com"
    assert one.fields["url.path"] == "/x"


def test_pipelined_requests_are_answered_in_order() -> None:
    two = made(1, http__request__method=f"GET{BETWEEN}POST", http__request__uri=f"/1{BETWEEN}/2", http__host="only-one")
    done, _ = run(two, made(2, True, http__response__code=f"200{BETWEEN}500"))
    told: list[Any] = [(one.index, one.fields["url.original"], one.fields["http.response.status_code"]) for one in done]
    assert told == [(0, "/1", 200), (1, "/2", 500)]
    assert "url.domain" not in done[0].fields, "whose host it is cannot be said"


def test_an_answer_without_a_question_stands_alone() -> None:
    (done,), _ = run(made(1, True, http__response__code="200"))
    assert done.action == "http-response"
    assert done.ends.source == CLIENT, "the ends are as who asks sees them"


def test_a_query_and_its_answers() -> None:
    asked = {"dns__id": "0x0007", "dns__qry__name": "www.example.com", "dns__qry__type": "28"}
    (done,), waiting = run(
        dns(1, **asked),
        dns(2, **asked),  # again
        dns(3, True, **asked, dns__flags__rcode="0", dns__aaaa=f"2001:db8::1{BETWEEN}2001:db8::2"),
    )
    assert waiting == []
    assert done.action == "dns-query"
    assert done.fields == {
        "dns.question.name": "www.example.com",
        "dns.question.type": "AAAA",
        "dns.response_code": "NOERROR",
    }
    assert done.own == {"id": "0x0007", "response_frame": 3, "answers": ["2001:db8::1", "2001:db8::2"]}


def test_an_answer_of_another_id_does_not_count() -> None:
    done, waiting = run(dns(1, dns__id="0x0007"), dns(2, True, dns__id="0x0008", dns__flags__rcode="3"))
    assert [one.action for one in done] == ["dns-response"]
    assert done[0].fields == {"dns.response_code": "NXDOMAIN"}
    assert [one.key for one in waiting] == ["0x0007"]


def test_messages_in_one_segment_are_told_apart_by_their_counts() -> None:
    both = made(
        1,
        False,
        "tcp",
        "dns",
        dns__id=f"0x0001{BETWEEN}0x0002",
        dns__flags__response=f"0{BETWEEN}0",
        dns__count__queries=f"2{BETWEEN}1",
        dns__qry__name=f"a.example{BETWEEN}b.example{BETWEEN}c.example",
        dns__qry__type=f"1{BETWEEN}999{BETWEEN}16",
    )
    _, (one, two) = run(both)
    assert one.own == {"id": "0x0001", "questions": ["a.example", "b.example"]}
    assert two.fields == {"dns.question.name": "c.example", "dns.question.type": "TXT"}


def test_a_client_hello_waits_for_the_version() -> None:
    hello = made(
        1,
        False,
        "tcp",
        "tls",
        tls__handshake__type="1",
        tls__handshake__version="0x0303",
        tls__handshake__extensions__supported_version=f"0x0304{BETWEEN}0x0303",
        tls__handshake__extensions_server_name="www.example.org",
        tls__handshake__extensions_alpn_str="h2",
        tls__handshake__ja3="0123",
    )
    answer = {"tls__handshake__type": "2", "tls__handshake__version": "0x0303", "tls__handshake__ciphersuite": "0xc02f"}
    (done,), _ = run(hello, made(2, True, "tcp", "tls", **answer))
    assert done.fields == {"tls.server_name": "www.example.org", "tls.version": "1.2"}
    assert done.own == {
        "offered": ["1.3", "1.2"],
        "ja3": "0123",
        "alpn": ["h2"],
        "response_frame": 2,
        "cipher": "0xc02f",
    }


def test_questions_that_nobody_answers_are_given_at_last() -> None:
    done, waiting = run(*(request(number, f"/{number}") for number in range(1, 9)), *(request(9, "/9"),) * 70)
    assert len(waiting) == 64
    assert done[0].fields["url.original"] == "/1"


def test_a_very_long_value_is_cut_and_says_so() -> None:
    _, (one,) = run(request(1, "/" + "a" * 100_000))
    assert len(one.fields["url.original"]) == 16 << 10
    assert "url.original" in one.own["cut"]
