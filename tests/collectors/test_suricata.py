"""Suricata's eve.json: what each kind of event says in ECS, and what is damaged."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import suricata
from vonggac.event import Bad, Event
from vonggac.ports import Head
from vonggac.testing import collector_contract, events_of, read_all, source_of

FLOW: dict[str, Any] = {
    "timestamp": "2026-03-01T09:03:04.000005+0700",
    "flow_id": 1567838537225881,
    "event_type": "flow",
    "src_ip": "192.0.2.10",
    "src_port": 49152,
    "dest_ip": "198.51.100.7",
    "dest_port": 443,
    "proto": "TCP",
    "app_proto": "tls",
    "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    "host": "probe1",
    "flow": {"bytes_toserver": 517, "bytes_toclient": 4096, "age": 2},
}


def eve(kind: str, **more: Any) -> dict[str, Any]:
    return {**{name: FLOW[name] for name in ("timestamp", "flow_id", "src_ip")}, "event_type": kind, **more}


def lines(*values: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in values)


def read_one(value: dict[str, Any]) -> Event:
    (event,) = events_of(suricata, source_of(lines(value), "eve.json"))
    return event


def test_the_contract() -> None:
    many = [{**FLOW, "src_port": port} for port in range(1000, 1230)]
    collector_contract(suricata, source_of(lines(*many), "eve.json"), namespaces=("suricata",))
    assert suricata.splits(Head("eve.json", lines(FLOW)))


def test_a_flow_in_ecs() -> None:
    event = read_one(FLOW)
    doc = event.doc
    assert doc["@timestamp"] == "2026-03-01T02:03:04.000005Z"
    assert doc["event"] == {
        "kind": "event",
        "module": "suricata",
        "dataset": "suricata.flow",
        "category": ["network"],
        "duration": 2_000_000_000,
    }
    assert doc["source"] == {"ip": "192.0.2.10", "port": 49152, "bytes": 517}
    assert doc["destination"] == {"ip": "198.51.100.7", "port": 443, "bytes": 4096}
    assert doc["network"] == {"protocol": "tls", "transport": "tcp", "community_id": FLOW["community_id"]}
    assert doc["host"] == {"name": "probe1"}
    assert doc["suricata"]["eve"] == FLOW
    assert event.raw == orjson.dumps(FLOW)


@pytest.mark.parametrize(
    ("value", "ecs"),
    [
        (
            eve("alert", alert={"signature": "Example scan", "signature_id": 2100498, "action": "allowed"}),
            {"message": "Example scan"},
        ),
        (
            eve(
                "http",
                http={"hostname": "example.com", "url": "/a?b=c", "http_method": "GET", "status": 200, "length": 9},
            ),
            {
                "url": {"domain": "example.com", "original": "/a?b=c", "path": "/a", "query": "b=c"},
                "http": {"request": {"method": "GET"}, "response": {"status_code": 200, "bytes": 9}},
            },
        ),
        (
            eve(
                "http", http={"protocol": "HTTP/1.1", "http_refer": "http://example.org/", "http_user_agent": "curl/8"}
            ),
            {
                "http": {"version": "HTTP/1.1", "request": {"referrer": "http://example.org/"}},
                "user_agent": {"original": "curl/8"},
            },
        ),
        (
            eve("tls", tls={"sni": "example.com", "version": "TLS 1.3"}),
            {"tls": {"server_name": "example.com", "version": "TLS 1.3"}},
        ),
        (
            eve("fileinfo", fileinfo={"filename": "/a.bin", "size": 5, "sha256": "0" * 64}),
            {"file": {"name": "/a.bin", "size": 5, "hash": {"sha256": "0" * 64}}},
        ),
        (
            eve("dns", dns={"type": "query", "rrname": "example.com", "rrtype": "A", "tx_id": 0}),
            {"dns": {"question": {"name": "example.com", "type": "A"}}},
        ),
        (
            eve(
                "dns", dns={"version": 2, "type": "answer", "rrname": "example.com", "rrtype": "A", "rcode": "NXDOMAIN"}
            ),
            {"dns": {"question": {"name": "example.com", "type": "A"}, "response_code": "NXDOMAIN"}},
        ),
        (
            eve("dns", dns={"version": 3, "queries": [{"rrname": "example.com", "rrtype": "A"}], "rcode": "NOERROR"}),
            {"dns": {"question": {"name": "example.com", "type": "A"}, "response_code": "NOERROR"}},
        ),
        (
            eve("dns", dns={"query": [{"type": "query", "rrname": "example.com", "rrtype": "A"}]}),
            {"dns": {"question": {"name": "example.com", "type": "A"}}},
        ),
    ],
    ids=["alert", "http", "http, more", "tls", "fileinfo", "DNS v1", "DNS v2", "DNS v3", "DNS in an alert"],
)
def test_what_events_say_in_ecs(value: dict[str, Any], ecs: dict[str, Any]) -> None:
    doc = read_one(value).doc
    assert doc["event"]["dataset"] == f"suricata.{value['event_type']}"
    assert {name: doc[name] for name in doc if name not in ("@timestamp", "event", "log", "source", "suricata")} == ecs


def test_an_alert_bears_its_rule() -> None:
    event = read_one(eve("alert", alert={"signature": "Example", "signature_id": 2100498, "action": "blocked"})).doc[
        "event"
    ]
    assert (event["code"], event["action"]) == ("2100498", "blocked")
    assert event["category"] == ["intrusion_detection"]


# ------------------------------------------------------------------- damage


def test_a_line_that_is_no_event_is_named() -> None:
    found = read_all(suricata, source_of(lines(FLOW) + b'{"a":1}\n{"event_type":""}\n{"cut\n' + lines(FLOW)))
    assert [isinstance(one, Event) for one in found] == [True, False, False, False, True]
    assert [one.reason for one in found if isinstance(one, Bad)][:2] == [
        "no Suricata event: event_type is missing",
        "no Suricata event: event_type is missing",
    ]


def test_an_event_without_a_time_that_can_be_read_is_kept() -> None:
    event, bad = read_all(suricata, source_of(lines({**FLOW, "timestamp": "yesterday"})))
    assert isinstance(event, Event)
    assert event.time is None
    assert isinstance(bad, Bad)
    assert bad.kept
    assert bad.reason == "timestamp: 'yesterday' is no ISO 8601 time"


@given(
    st.dictionaries(
        st.sampled_from(["timestamp", "proto", "alert", "http", "tls", "flow", "dns", "fileinfo", "src_ip", "host"]),
        st.none()
        | st.booleans()
        | st.integers(0, 1 << 60)
        | st.text(max_size=5)
        | st.lists(st.integers(0, 9), max_size=2)
        | st.dictionaries(
            st.sampled_from(["signature", "signature_id", "url", "queries", "query", "rrname", "age", "sni", "size"]),
            st.none()
            | st.integers(0, 9)
            | st.text("a?", max_size=3)
            | st.lists(st.dictionaries(st.just("rrname"), st.none())),
        ),
    )
)
def test_values_of_other_kinds_do_no_harm(odd: dict[str, Any]) -> None:
    event = read_all(suricata, source_of(json.dumps({"event_type": "x", **odd}).encode() + b"\n"))[0]
    assert isinstance(event, Event)
    assert Event.from_json(event.to_json()).id == event.id


# ------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("data", "score"),
    [
        (lines(FLOW), 95),
        (lines(eve("stats", stats={}), {"a": 1}), 95),
        (lines(FLOW, {"a": 1}, {"b": 1}), 0),
        (lines({"event_type": "login", "timestamp": "2026-03-01T02:03:04Z"}), 0),
        (b" " + lines(FLOW), 95),
        (b"text", 0),
    ],
    ids=["flow", "half", "mostly others", "no address", "indented", "no JSON"],
)
def test_claims(data: bytes, score: int) -> None:
    assert suricata.claims(Head("x", data)) == score


# ---------------------------------------------------------------- real events


@pytest.mark.data
def test_a_real_log_is_read_whole(test_data: Path) -> None:
    source = source_of((test_data / "suricata-eve" / "slips-test6-dev.json").read_bytes(), "eve.json")
    assert suricata.claims(source.head) == 95
    events = events_of(suricata, source)
    assert len({event.id for event in events}) == len(events) == 2000
    assert all("@timestamp" in event.doc for event in events)
    assert sum("message" in event.doc for event in events) == 745


@pytest.mark.data
def test_events_as_a_vendor_expects_them(test_data: Path) -> None:
    """The fields about which there are no two opinions."""
    for path in sorted((test_data / "parsers" / "sekoia" / "Suricata" / "suricata" / "tests").glob("*.json")):
        case = orjson.loads(path.read_bytes())
        source = source_of(case["input"]["message"].encode(), path.name)
        assert suricata.claims(source.head) == 95, path.name
        (event,) = events_of(suricata, source)
        expected = case["expected"]
        assert event.doc["@timestamp"] == expected["@timestamp"].replace("Z", "")[:26].ljust(26, "0") + "Z", path.name
        for side in ("source", "destination"):
            assert event.doc[side].get("port") == expected[side].get("port"), path.name
        assert event.doc["network"]["transport"] == expected["network"]["transport"].lower(), path.name
