"""Winlogbeat and Elastic Agent: the shipper's document stays, ours is added, what may not stand is set aside."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from collectors import evtx_json, winlogbeat
from vonggac.event import Bad, Event, windows_id
from vonggac.ports import Head
from vonggac.testing import collector_contract, events_of, read_all, source_of

BEAT = {
    "@timestamp": "2026-03-01T08:15:30.123Z",
    "@metadata": {"beat": "winlogbeat", "type": "_doc", "version": "8.17.0"},
    "agent": {"type": "winlogbeat", "version": "8.17.0"},
    "ecs": {"version": "8.0.0"},
    "event": {
        "code": 4688,
        "provider": "Microsoft-Windows-Security-Auditing",
        "kind": "event",
        "action": "Process Creation",
    },
    "host": {"name": "ws01", "os": {"family": "windows"}},
    "log": {"level": "information"},
    "message": "A new process has been created.",
    "winlog": {
        "channel": "Security",
        "computer_name": "ws01.example.com",
        "event_id": 4688,
        "provider_name": "Microsoft-Windows-Security-Auditing",
        "record_id": 4711,
        "keywords": ["Audit Success"],
        "event_data": {
            "NewProcessId": "0x1092",
            "NewProcessName": r"C:\Windows\System32\cmd.exe",
            "SubjectUserName": "alice",
            "SubjectDomainName": "EXAMPLE",
        },
    },
}
OLD = {
    "@timestamp": "2026-03-01T08:15:30.123Z",
    "@metadata": {"beat": "winlogbeat", "version": "6.7.0"},
    "beat": {"hostname": "wec", "version": "6.7.0"},
    "host": {"name": "wec"},
    "computer_name": "ws01.example.com",
    "log_name": "Microsoft-Windows-Sysmon/Operational",
    "source_name": "Microsoft-Windows-Sysmon",
    "event_id": 1,
    "record_number": "77",
    "level": "Information",
    "message": "Process Create",
    "user": {"name": "SYSTEM", "domain": "NT AUTHORITY", "identifier": "S-1-5-18"},
    "event_data": {"Image": r"C:\Windows\System32\whoami.exe", "User": r"EXAMPLE\alice", "ProcessId": "88"},
}


def read(*values: dict[str, Any]) -> list[Event | Bad]:
    return read_all(winlogbeat, source_of(b"".join(orjson.dumps(one) + b"\n" for one in values), "beat.ndjson"))


def doc_of(value: dict[str, Any]) -> dict[str, Any]:
    event = read(value)[0]
    assert isinstance(event, Event)
    return event.doc


def test_the_contract() -> None:
    many = [{**BEAT, "winlog": {**BEAT["winlog"], "record_id": number}} for number in range(230)]  # type: ignore[dict-item]
    data = b"".join(orjson.dumps(one) + b"\n" for one in many)
    collector_contract(winlogbeat, source_of(data), namespaces=("winlog",), ecs=True)
    flat = b"".join(orjson.dumps({**OLD, "record_number": number}) + b"\n" for number in range(230))
    collector_contract(winlogbeat, source_of(flat), namespaces=("winlog",))


def test_the_shippers_document_stays_and_ours_is_added() -> None:
    doc = doc_of(BEAT)
    assert doc["event"] == {
        "kind": "event",
        "module": "windows",
        "dataset": "windows.security",
        "code": "4688",
        "provider": "Microsoft-Windows-Security-Auditing",
        "action": "Process Creation",
        "category": ["process"],
        "outcome": "success",
    }
    assert doc["host"] == {"name": "ws01", "os": {"family": "windows"}}
    assert doc["agent"] == {"type": "winlogbeat", "version": "8.17.0"}
    assert doc["process"]["pid"] == 0x1092
    assert doc["user"] == {"name": "alice", "domain": "EXAMPLE"}
    assert doc["log"] == {"level": "information", "file": {"path": "beat.ndjson"}, "offset": 0}
    assert doc["winlog"] == BEAT["winlog"]
    assert "@metadata" not in doc


def test_what_the_shipper_filled_wins() -> None:
    doc = doc_of({**BEAT, "process": {"pid": 7, "entity_id": "x"}, "user": {"name": "bob"}})
    assert doc["process"] == {
        "executable": r"C:\Windows\System32\cmd.exe",
        "name": "cmd.exe",
        "pid": 7,
        "entity_id": "x",
    }
    assert doc["user"]["name"] == "bob"


def test_the_id_is_the_one_of_the_event_log() -> None:
    (event,) = read(BEAT)
    assert isinstance(event, Event)
    provider = "Microsoft-Windows-Security-Auditing"
    assert event.id == windows_id("ws01.example.com", "Security", provider, 4711, 1772352930123)
    system = {
        "Provider": {"#attributes": {"Name": provider}},
        "EventID": 4688,
        "EventRecordID": 4711,
        "TimeCreated": {"#attributes": {"SystemTime": "2026-03-01T08:15:30.123987Z"}},
        "Channel": "Security",
        "Computer": "ws01.example.com",
    }
    (same,) = events_of(evtx_json, source_of(orjson.dumps({"Event": {"System": system}})))
    assert same.id == event.id


def test_the_flat_object_of_old_versions() -> None:
    (event,) = read(OLD)
    assert isinstance(event, Event)
    doc = event.doc
    assert doc["winlog"] == OLD
    assert doc["event"]["dataset"] == "windows.sysmon"
    assert doc["host"] == {"name": "ws01.example.com"}
    assert doc["process"]["pid"] == 88
    assert doc["user"] == {"domain": "EXAMPLE", "name": "alice"}
    assert doc["log"]["level"] == "information"
    assert event.raw == orjson.dumps(OLD)


def test_a_hit_of_a_search_is_opened() -> None:
    assert doc_of({"_index": "winlogbeat-8", "_id": "x", "_source": BEAT}) == doc_of(BEAT)


# --------------------------------------------------- what a shipper may not say


def test_our_own_marks_and_the_exercise_mark_are_set_aside() -> None:
    """An attacker on the host could write them, and be left out of every figure."""
    event, bad = read({**BEAT, "labels": {"drill": "S1", "env": "prod"}, "vonggac": {"unit": "elsewhere"}})
    assert isinstance(event, Event)
    assert event.doc["labels"] == {"env": "prod"}
    assert event.doc["shipper"] == {"labels.drill": "S1", "vonggac": {"unit": "elsewhere"}}
    assert "vonggac" not in event.doc
    assert isinstance(bad, Bad)
    assert bad.kept


@pytest.mark.parametrize("name", ["host", "event", "log", "process", "source", "labels"])
@pytest.mark.parametrize("value", ["ws01", 7, [{"name": "x"}], None])
def test_what_is_no_object_is_set_aside(name: str, value: Any) -> None:
    doc = doc_of({**BEAT, name: value})
    assert doc["shipper"] == {name: value}
    assert isinstance(doc.get(name, {}), dict)


def test_what_one_document_may_not_send_another_of_its_shape_may() -> None:
    good, odd = {**BEAT, "process": {"parent": {"pid": 7}}}, {**BEAT, "process": {"parent": 7}}
    docs = [event.doc for event in read(good, odd, good) if isinstance(event, Event)]
    assert [doc["process"].get("parent") for doc in docs] == [{"pid": 7}, None, {"pid": 7}]
    assert ["shipper" in doc for doc in docs] == [False, True, False]


def test_what_is_written_is_the_document() -> None:
    hit = {"_index": "x", "_source": BEAT, "winlog": {"channel": "other"}}
    for event in read(BEAT, {**BEAT, "message": "đ"}, hit):
        assert isinstance(event, Event)
        assert Event.from_json(event.to_json()).doc["winlog"] == BEAT["winlog"]
        assert event.doc["winlog"] == BEAT["winlog"]


def test_inner_objects_too() -> None:
    doc = doc_of({**BEAT, "process": {"parent": "explorer"}, "log": {"file": "x"}})
    assert doc["shipper"] == {"process.parent": "explorer", "log.file": "x"}
    assert doc["log"]["file"] == {"path": "beat.ndjson"}


def test_a_time_that_is_none_is_named() -> None:
    event, bad = read({**BEAT, "@timestamp": "now"})
    assert isinstance(event, Event)
    assert event.time is None
    assert isinstance(bad, Bad)
    assert bad.reason == "@timestamp: 'now' is no ISO 8601 time"


def test_a_document_of_another_kind_is_named() -> None:
    (bad,) = read({"a": 1})
    assert isinstance(bad, Bad)
    assert bad.reason == "no Windows event: neither winlog nor log_name and event_id"


@pytest.mark.parametrize(
    ("value", "score"),
    [
        (BEAT, 95),
        (OLD, 95),
        ({"winlog": "x"}, 0),
        ({"winlog": {}}, 0),
        ({"event_id": 1}, 0),
        ({"host": {"name": "x"}}, 0),
    ],
)
def test_claims(value: dict[str, Any], score: int) -> None:
    assert winlogbeat.claims(Head("x", orjson.dumps(value))) == score


@pytest.mark.data
def test_documents_as_a_vendor_expects_them(test_data: Path) -> None:
    for path in sorted((test_data / "parsers" / "sekoia" / "Beats" / "winlogbeat" / "tests").glob("*.json")):
        case = orjson.loads(path.read_bytes())
        source = source_of(case["input"]["message"].encode(), path.name)
        assert winlogbeat.claims(source.head) == 95, path.name
        (event,) = events_of(winlogbeat, source)
        assert event.doc["event"]["code"] == str(case["expected"]["event"]["code"]), path.name
