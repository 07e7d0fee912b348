"""Any other JSON: names as they are, a time when it clearly is one, every bomb."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import cloudtrail, json, suricata, zeek
from vonggac.event import Bad, Event, LogSource, digest
from vonggac.ports import Head, ReadOptions
from vonggac.reading.lines import LINE_LIMIT
from vonggac.testing import collector_contract, events_of, read_all, source_of

RECORD: dict[str, Any] = {
    "timestamp": "2026-03-01T09:03:04.5+07:00",
    "message": "signed in",
    "actor": {"name": "minh", "ip": "192.0.2.10"},
    "host": {"name": "app1.example.com"},
    "tags": ["a", "b"],
}


def lines(*values: Any) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in values)


def read_one(value: dict[str, Any], options: ReadOptions | None = None) -> Event:
    (event,) = events_of(json, source_of(lines(value), "app.json"), options)
    return event


def time_of(**value: Any) -> str | None:
    return read_one(value).time


def test_the_contract() -> None:
    many = [{**RECORD, "number": number} for number in range(230)]
    collector_contract(json, source_of(lines(*many), "app.json"), namespaces=("json",))
    collector_contract(
        json, source_of(orjson.dumps(many, option=orjson.OPT_INDENT_2), "app.json"), namespaces=("json",)
    )


def test_an_object_keeps_its_names() -> None:
    event = read_one(RECORD)
    assert event.doc == {
        "@timestamp": "2026-03-01T02:03:04.500000Z",
        "event": {"kind": "event", "module": "json", "dataset": "json.generic"},
        "log": {"file": {"path": "app.json"}, "offset": 0},
        "message": "signed in",
        "host": {"name": "app1.example.com"},
        "json": RECORD,
    }
    assert event.raw == orjson.dumps(RECORD)


def test_an_object_over_many_lines_is_one_line_as_an_event() -> None:
    (event,) = events_of(json, source_of(orjson.dumps(RECORD, option=orjson.OPT_INDENT_2)))
    assert b"\n" not in event.to_json()


@pytest.mark.parametrize(
    ("logsource", "stamped"),
    [
        (LogSource("okta", None, "okta"), {"product": "okta", "service": "okta"}),
        (LogSource(category="proxy"), {"category": "proxy"}),
    ],
)
def test_the_log_source_that_a_person_names_is_stamped(logsource: LogSource, stamped: dict[str, str]) -> None:
    assert read_one(RECORD, ReadOptions(logsource=logsource)).doc["vonggac"] == {"logsource": stamped}


@pytest.mark.parametrize("value", [{"event": {"id": "abc-1"}}, {"event.id": "abc-1"}])
def test_an_id_of_its_own_is_the_identity(value: dict[str, Any]) -> None:
    assert read_one(value).id == digest("json", "abc-1")


@pytest.mark.parametrize("known", [None, "", True, [], {}])
def test_without_one_the_place_is(known: Any) -> None:
    one, two = events_of(json, source_of(lines({"event": {"id": known}}, {"event": {"id": known}})))
    assert one.id != two.id


# --------------------------------------------------------------------- times


@pytest.mark.parametrize(
    "value",
    [
        {"@timestamp": "2026-03-01T02:03:04Z"},
        {"ts": 1772330584},
        {"ts": 1772330584.0},
        {"time": "1772330584"},
        {"time": "1772330584000"},
        {"time": 1772330584000},
        {"time": 1772330584000000},
        {"time": 1772330584000000000},
        {"EventTime": "2026-03-01 09:03:04"},
        {"TimeGenerated": "2026-03-01T02:03:04.0000000Z"},
        {"CreationTime": "2026-03-01T02:03:04+00:00"},
        {"event": {"created": "2026-03-01T02:03:04Z"}},
        {"timestamp": "now", "eventTime": "2026-03-01T02:03:04Z"},
    ],
    ids=str,
)
def test_one_moment_under_many_names(value: dict[str, Any]) -> None:
    assert time_of(**value) == "2026-03-01T02:03:04.000000Z"


@pytest.mark.parametrize("value", [0, 7, 20260301, "20260301", 1e300, -5, True, None, "", "soon", "1.2.3", "٧", [], {}])
def test_what_is_no_time(value: Any) -> None:
    assert time_of(time=value) is None


# --------------------------------------------------------------------- bombs


@pytest.mark.parametrize(
    "bomb",
    [
        b'{"a":' * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"a":1e400}',
        b'{"a":' + b"9" * 400 + b"}",
        b'{"a":"\\ud800"}',
        b'{"a":NaN}',
        b'{"a":"\xff\xfe"}',
        b'{"a":"\0"}',
        b'{"a":"cut',
        b"[1, 2]",
        b"text",
        b'"text"',
    ],
    ids=lambda bomb: bomb[:12].decode(errors="backslashreplace"),
)
def test_a_bomb_is_named_and_stops_nothing_else(bomb: bytes) -> None:
    before, bad, after = read_all(json, source_of(lines({"n": 1}) + bomb + b"\n" + lines({"n": 2})))
    assert isinstance(before, Event)
    assert isinstance(bad, Bad)
    assert bad.place == "offset 8"
    assert not bad.kept
    assert len(bad.reason) < 200
    assert len(bad.sample) <= 4096
    assert isinstance(after, Event)


def test_a_line_above_the_limit_is_named_by_its_length() -> None:
    huge = b'{"a":"' + b"x" * LINE_LIMIT + b'"}\n'
    before, bad, after = read_all(json, source_of(lines({"n": 1}) + huge + lines({"n": 2})))
    assert isinstance(before, Event)
    assert isinstance(bad, Bad)
    assert bad.reason == "line of 8,388,616 bytes is above the limit of 8,388,608"
    assert isinstance(after, Event)


def test_a_key_that_stands_twice_is_named_and_the_last_value_counts() -> None:
    event, bad = read_all(json, source_of(b'{"user":"minh","user":"root"}\n'))
    assert isinstance(event, Event)
    assert event.doc["json"] == {"user": "root"}
    assert isinstance(bad, Bad)
    assert bad.kept
    assert bad.reason == "key 'user' stands twice in one object; its last value counts"


def test_a_number_beyond_64_bits_is_a_double() -> None:
    (event,) = events_of(json, source_of(b'{"a":18446744073709551616}\n'))
    assert event.doc["json"] == {"a": 1.8446744073709552e19}
    assert Event.from_json(event.to_json()).doc["json"] == event.doc["json"]


def test_byte_order_mark_and_carriage_returns() -> None:
    one, two = events_of(json, source_of(b'\xef\xbb\xbf{"a":1}\r\n{"a":2}\r\n'))
    assert [one.doc["json"], two.doc["json"]] == [{"a": 1}, {"a": 2}]
    assert one.doc["log"]["offset"] == 3


def test_the_deepest_object_that_is_read_can_be_written() -> None:
    data = b'{"a":' * 246 + b"1" + b"}" * 246
    (found,) = events_of(json, source_of(data))
    assert found.to_json()
    assert Event(found.id, found.doc).to_json(), "without the bytes too"


@given(st.binary(max_size=300) | st.text('{}[]",:ts1\n', max_size=80).map(str.encode))
def test_any_bytes_are_read_or_named(data: bytes) -> None:
    for found in read_all(json, source_of(data)):
        assert isinstance(found, Bad) or found.to_json()
    assert json.claims(Head("x", data)) in (0, 20)


# -------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("data", "name", "score"),
    [
        (lines(RECORD), "x", 20),
        (orjson.dumps([RECORD]), "x", 20),
        (b"\xef\xbb\xbf" + lines(RECORD), "x", 20),
        (b'{"cut', "x.json", 20),
        (b'{"a":"' + b"x" * (64 << 10), "x", 20),
        (b"{not json at all", "x", 0),
        (b"[section]\nkey=1", "x.json", 0),
        (b"[1, 2, 3]", "x.json", 0),
        (b'{"a":"\0"}', "x", 0),
        (b"", "x.json", 0),
    ],
)
def test_claims(data: bytes, name: str, score: int) -> None:
    assert json.claims(Head(name, data)) == score


def test_only_lines_can_be_shared() -> None:
    assert json.splits(Head("x", lines(RECORD, RECORD)))
    assert not json.splits(Head("x", orjson.dumps([RECORD])))


# ---------------------------------------------------------------- real events


@pytest.mark.data
@pytest.mark.parametrize("name", ["AADAuditEvents", "OfficeActivityEvents"])
def test_audit_logs_of_a_cloud(test_data: Path, name: str) -> None:
    packed = test_data / "host-json" / "otrf" / "compound" / "GoldenSAMLADFSMailAccess" / f"{name}.Zip"
    with ZipFile(packed) as archive:
        data = archive.read(f"{name}.json")
    source = source_of(data, f"{name.lower()}.json")
    assert json.claims(source.head) == 20
    assert not any(module.claims(source.head) for module in (zeek, suricata, cloudtrail))
    events = events_of(json, source)
    assert events
    assert all(event.time and event.time.startswith("2021-08-02T13:") for event in events)
