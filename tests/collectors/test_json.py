"""Any other JSON: every shape, times and hosts under the names that are in use, and what hides in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import json as generic
from vonggac import shelf
from vonggac.event import Bad, Event, LogSource
from vonggac.ports import Head, ReadOptions
from vonggac.reading.lines import LINE_LIMIT
from vonggac.reading.source import HEAD, Limits
from vonggac.reading.walk import inputs
from vonggac.testing import collector_contract, events_of, read_all, source_of

OKTA: dict[str, Any] = {
    "published": "2026-03-01T02:03:04.500Z",
    "eventType": "user.session.start",
    "displayMessage": "User login to Okta",
    "actor": {"alternateId": "minh@example.com"},
    "client": {"ipAddress": "192.0.2.7"},
}
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def lines(*values: Any) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in values)


def read(data: bytes) -> list[Event | Bad]:
    return read_all(generic, source_of(data, "any.json"))


def one(value: dict[str, Any], **options: Any) -> Event:
    (event,) = events_of(generic, source_of(lines(value), "any.json"), ReadOptions(**options))
    return event


def test_the_contract() -> None:
    many = [{**OKTA, "n": number} for number in range(230)]
    pretty = b"\n".join(orjson.dumps(value, option=orjson.OPT_INDENT_2) for value in many)
    for data in (lines(*many), orjson.dumps(many), pretty, b"".join(map(orjson.dumps, many))):
        collector_contract(generic, source_of(data, "any.json"), namespaces=("json",))


def test_an_object_stays_as_it_is() -> None:
    event = one(OKTA)
    assert event.doc == {
        "@timestamp": "2026-03-01T02:03:04.500000Z",
        "event": {"kind": "event", "module": "json", "dataset": "json.generic"},
        "log": {"file": {"path": "any.json"}, "offset": 0},
        "json": OKTA,
    }
    assert b'"json":' + orjson.dumps(OKTA) in event.to_json()


def test_a_person_says_the_log_source() -> None:
    assert "vonggac" not in one(OKTA).doc
    event = one(OKTA, logsource=LogSource(product="okta", service="okta"))
    assert event.doc["vonggac"] == {"logsource": {"product": "okta", "service": "okta"}}
    assert one(OKTA, logsource=LogSource(category="proxy")).doc["vonggac"] == {"logsource": {"category": "proxy"}}


# ------------------------------------------------------------ time, host, id


@pytest.mark.parametrize(
    "value",
    [
        {"@timestamp": "2026-03-01T02:03:04.500Z"},
        {"timestamp": "2026-03-01T09:03:04.5+0700"},
        {"time": "2026-03-01 09:03:04.500"},
        {"ts": 1772330584.5},
        {"ts": "1772330584.500"},
        {"timestamp": 1772330584500},
        {"timestamp": "1772330584500"},
        {"time": 1772330584500000},
        {"_time": 1772330584500000000},
        {"event": {"created": "2026-03-01T02:03:04.500Z"}},
        {"event.created": "2026-03-01T02:03:04.500Z"},
        {"timestamp": "soon", "eventTime": "2026-03-01T02:03:04.5Z"},
        {"timestamp": {"a": 1}, "time": True, "ts": 1772330584.5},
        {"timestamp": 20260301, "ts": 1772330584.5},
    ],
    ids=lambda value: str(value)[:50],
)
def test_the_same_time_in_many_ways(value: dict[str, Any]) -> None:
    assert generic.time_of(value, HANOI) == "2026-03-01T02:03:04.500000Z"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"ts": 0},
        {"ts": -5},
        {"ts": 1e300},
        {"ts": "9" * 30},
        {"ts": None},
        {"time": []},
        {"date": "٣"},
        {"date": "20260301"},
        {"time": "1.2.3"},
    ],
)
def test_no_time(value: dict[str, Any]) -> None:
    assert generic.time_of(value, HANOI) is None


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ({"host": {"name": "web1"}}, "web1"),
        ({"host.name": "web1", "host": "other"}, "web1"),
        ({"host": "web1"}, "web1"),
        ({"hostname": "web1"}, "web1"),
        ({"host": {"ip": "192.0.2.1"}, "agent": {"name": "web1"}}, "web1"),
        ({"host": 5}, None),
        ({}, None),
    ],
)
def test_the_host(value: dict[str, Any], host: str | None) -> None:
    assert generic.host_of(value) == host


def test_the_message() -> None:
    assert one({"message": "m", "msg": "n"}).doc["message"] == "m"
    assert one({"msg": "n"}).doc["message"] == "n"
    assert "message" not in one({"msg": {"text": "n"}}).doc


def test_an_id_of_its_own_wins_over_the_place_in_the_file() -> None:
    plain = {"event": {"id": "e-1"}, "a": 1}
    dotted = {"event.id": "e-1"}
    events = events_of(generic, source_of(lines(plain, {"a": 1}, dotted, {"a": 1}), "any.json"))
    first, second, third, fourth = (event.id for event in events)
    assert first == third
    assert second != fourth


@pytest.mark.parametrize("known", [None, "", {"a": 1}, [1], True])
def test_what_is_no_id(known: Any) -> None:
    first, second = events_of(generic, source_of(lines(*[{"event": {"id": known}}] * 2), "any.json"))
    assert first.id != second.id


def test_a_zone_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        generic.open(source_of(b"{}"), ReadOptions(zone="Nowhere"))


# -------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("data", "name", "claim"),
    [
        (b'{"a":1}\n', "a.log", 20),
        (b'[{"a":1}]', "a.log", 20),
        (b'\xef\xbb\xbf{\r\n "a":1\r\n}', "a.log", 20),
        (b'{"a":' + b"[" * HEAD, "a.log", 20),
        (b'{\n "a": "', "a.json", 20),
        (b'{\n "a": "', "a.log", 0),
        (b"{}", "a.txt", 20),
        (b"[1,2,3]", "a.json", 0),
        (b'"text"', "a.json", 0),
        (b"{foo} bar\n", "a.log", 0),
        (b"text", "a.json", 0),
        (b'{"a":"\0"}', "a.json", 0),
        (b'{"a":"\0' + b"x" * HEAD, "a.json", 0),
        (b'\xff\xfe{\0"\0a\0', "a.json", 0),
        (b"", "a.json", 0),
    ],
    ids=lambda value: value[:20].decode("ascii", "backslashreplace") if isinstance(value, bytes) else "",
)
def test_claims(data: bytes, name: str, claim: int) -> None:
    assert generic.claims(Head(name, data[:HEAD])) == claim


def test_lines_may_be_shared_among_workers() -> None:
    assert generic.splits(Head("a.json", lines(OKTA, OKTA)))
    assert not generic.splits(Head("a.json", orjson.dumps([OKTA])))
    assert not generic.splits(Head("a.json", orjson.dumps(OKTA, option=orjson.OPT_INDENT_2)))


# ----------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested deeper than 246 levels"),
        (b'{"a":' * 100_000, "not JSON: "),
        (b'{"a":1e400}', "not JSON: "),
        (b'{"a":' + b"1" * 400 + b"}", "not JSON: "),
        (b'{"a":NaN}', "not JSON: "),
        (b'{"a":Infinity}', "not JSON: "),
        (b'{"a":"\\udc00"}', "not JSON: "),
        (b'{"a":"\xff\xfe"}', "not JSON: "),
        (b'{"a":"\0"}', "not JSON: "),
        (b"\0\0\0", "not JSON: "),
        (b'{"a":1} {"b":2}', "not JSON: "),
        (b"{'a':1}", "not JSON: "),
        (b"[1]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"a":"' + b"x" * LINE_LIMIT + b'"}', "is above the limit"),
    ],
    ids=lambda value: value[:20].decode("ascii", "backslashreplace") if isinstance(value, bytes) else "",
)
def test_a_bad_line_is_named_and_the_rest_goes_on(broken: bytes, reason: str) -> None:
    first, bad, last = read(lines(OKTA) + broken + b"\n" + lines(OKTA))
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(bad, Bad)
    assert reason in bad.reason
    assert bad.place == f"offset {len(lines(OKTA))}"
    assert len(bad.sample) <= 4096


def test_a_cut_last_line() -> None:
    first, bad = read(lines(OKTA, OKTA)[:-30])
    assert isinstance(first, Event)
    assert isinstance(bad, Bad)


def test_a_number_of_many_digits_can_be_written_again() -> None:
    event = one({"a": 0})
    (event,) = events_of(generic, source_of(b'{"a":0.' + b"3" * 5000 + b',"b":18446744073709551616}', "any.json"))
    assert orjson.loads(event.to_json())["json"]["b"] == 18446744073709551616.0


def test_byte_order_mark_and_carriage_returns() -> None:
    first, second = events_of(generic, source_of(b'\xef\xbb\xbf{"a":1}\r\n{"a":2}\r\n', "any.json"))
    assert [first.doc["json"], second.doc["json"]] == [{"a": 1}, {"a": 2}]
    assert first.doc["log"]["offset"] == 3


def test_the_deepest_object_that_is_read_can_be_written() -> None:
    (event,) = events_of(generic, source_of(b'{"a":' * 246 + b"1" + b"}" * 246, "any.json"))
    assert event.to_json()
    assert Event(event.id, event.doc).to_json(), "without the bytes too"


def test_a_doubled_key_is_an_event_and_a_failure() -> None:
    event, bad = read(b'{"user":"minh","user" :"root"}')
    assert isinstance(event, Event)
    assert event.doc["json"] == {"user": "root"}
    assert isinstance(bad, Bad)
    assert bad.kept
    assert bad.reason == "key 'user' stands twice in one object; its last value counts"


@given(st.binary() | st.text('{}[]",:\\nulltre01 \n', max_size=80).map(str.encode))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    source = source_of(data, "any.json")
    assert generic.claims(source.head) in (0, 20)
    for found in read_all(generic, source):
        if isinstance(found, Event):
            Event.from_json(found.to_json())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text("aé\n\0", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "a"]), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["@timestamp", "ts", "time", "event", "event.id", "host", "host.name", "message", "msg", "date"]
)


@given(st.lists(st.dictionaries(NAMES, JSON, max_size=5), max_size=5))
def test_any_object_is_an_event(values: list[dict[str, Any]]) -> None:
    events = events_of(generic, source_of(lines(*values), "any.json"))
    assert [orjson.dumps(event.doc["json"]) for event in events] == [orjson.dumps(value) for value in values]
    for event in events:
        assert Event.from_json(event.to_json()).time == event.time


# ---------------------------------------------------------------- real records


@pytest.mark.data
def test_real_records_that_no_other_collector_knows(test_data: Path) -> None:
    others = [shelf.collector(name) for name in shelf.names("collectors") if name != "json"]
    read: dict[str, int] = {}
    for archive in sorted((test_data / "host-json/otrf").rglob("*.[zZ]ip")):
        for source in inputs(str(archive), Limits()):
            assert not isinstance(source, Bad)
            best = max(module.claims(source.head) for module in others)
            if generic.claims(source.head) > best:
                events = events_of(generic, source)
                assert all(event.time for event in events)
                read[source.path.rpartition("!")[2]] = len(events)
    assert read == {
        "AADAuditEvents.json": 4,
        "OfficeActivityEvents.json": 1,
        "syslog_auoms_auditd_log4shell_cve2021_44228_jndi_reference_2022-05-11181020.json": 50,
        "syslog_sysmon_log4shell_cve2021_44228_jndi_reference_2022-05-11181020.json": 93,
        "vminsights_vmconnection_log4shell_cve2021_44228_jndi_reference_2022-05-11181020.json": 5,
    }
