"""AWS CloudTrail: files as delivered and every other way people keep the records."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import cloudtrail
from collectors import json as generic
from vonggac.event import Bad, Event, digest
from vonggac.ports import Head, ReadOptions
from vonggac.testing import collector_contract, events_of, read_all, source_of

RECORD: dict[str, Any] = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/minh",
        "accountId": "111122223333",
        "userName": "minh",
    },
    "eventTime": "2026-03-01T02:03:04Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateAccessKey",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "192.0.2.10",
    "userAgent": "aws-cli/2.15",
    "requestParameters": {"userName": "backup"},
    "responseElements": None,
    "eventID": "5f4e1a62-0000-4000-8000-000000000001",
    "recipientAccountId": "111122223333",
}


def record(number: int, **more: Any) -> dict[str, Any]:
    return {**RECORD, "eventID": f"5f4e1a62-0000-4000-8000-{number:012d}", **more}


def wrapped(*records: dict[str, Any]) -> bytes:
    return orjson.dumps({"Records": records})


def read_one(value: dict[str, Any]) -> dict[str, Any]:
    (event,) = events_of(cloudtrail, source_of(wrapped(value), "trail.json"))
    return event.doc


def test_the_contract() -> None:
    many = [record(number) for number in range(230)]
    for data in (wrapped(*many), b"\n".join(map(orjson.dumps, many)), orjson.dumps(many)):
        collector_contract(cloudtrail, source_of(data, "trail.json"), namespaces=("aws",))
    bare = [{name: value for name, value in one.items() if name != "eventID"} for one in many]
    collector_contract(cloudtrail, source_of(wrapped(*bare), "trail.json"), namespaces=("aws",))


ONE, TWO = orjson.dumps(record(1)), orjson.dumps(record(2))


@pytest.mark.parametrize(
    "data",
    [
        wrapped(record(1), record(2)),
        b"\xef\xbb\xbf" + wrapped(record(1), record(2)),
        orjson.dumps({"Records": [record(1), record(2)]}, option=orjson.OPT_INDENT_2),
        b'{"Records": [' + ONE + b",\r\n" + TWO + b'], "next": "x"}\n',
        b'{"Owner":"example","Version":1.0, "Records":[' + ONE + b"," + TWO + b"]}",
        orjson.dumps({"Records": [record(1), record(2)], "next": "x", "m": {"a": 1}}, option=orjson.OPT_INDENT_2),
        wrapped(record(1)) + wrapped(record(2)),
        wrapped(record(1)) + b"\n" + wrapped(record(2)) + b"\n",
        wrapped() + b"\n" + wrapped(record(1), record(2)),
        orjson.dumps([record(1), record(2)]),
        ONE + b"\n" + TWO,
        ONE + TWO,
    ],
    ids=[
        "delivered",
        "BOM",
        "pretty",
        "more names",
        "names before",
        "more names, pretty",
        "joined",
        "a file a line",
        "an empty one",
        "array",
        "lines",
        "bare",
    ],
)
def test_every_shape_gives_the_same_records(data: bytes) -> None:
    events = events_of(cloudtrail, source_of(data, "x"))
    assert [event.doc["aws"]["cloudtrail"] for event in events] == [record(1), record(2)]
    assert [event.id for event in events] == [digest("cloudtrail", record(number)["eventID"]) for number in (1, 2)]
    assert cloudtrail.claims(Head("x", data)) == 95


def test_a_single_record() -> None:
    (event,) = events_of(cloudtrail, source_of(orjson.dumps(RECORD, option=orjson.OPT_INDENT_2), "x.json"))
    assert event.doc["aws"]["cloudtrail"] == RECORD


def test_a_file_larger_than_any_limit_is_read_by_objects() -> None:
    many = [record(number, requestParameters={"fill": "x" * 100_000}) for number in range(120)]
    data = wrapped(*many)
    assert len(data) > 11 << 20
    assert len(events_of(cloudtrail, source_of(data))) == 120


def test_a_file_without_records() -> None:
    assert cloudtrail.claims(Head("x", b'{"Records":[]}')) == 95
    assert list(cloudtrail.open(source_of(b'{"Records":[]}'), ReadOptions()).read(None)) == [([], None)]


def test_a_record_in_ecs() -> None:
    doc = read_one(RECORD)
    assert doc["@timestamp"] == "2026-03-01T02:03:04.000000Z"
    assert doc["event"] == {
        "kind": "event",
        "module": "aws",
        "dataset": "aws.cloudtrail",
        "action": "CreateAccessKey",
        "provider": "iam.amazonaws.com",
        "outcome": "success",
    }
    assert doc["user"] == {"name": "minh", "id": "AIDAEXAMPLE"}
    assert doc["source"] == {"ip": "192.0.2.10"}
    assert doc["cloud"] == {"region": "us-east-1", "account": {"id": "111122223333"}}
    assert doc["user_agent"] == {"original": "aws-cli/2.15"}


def test_the_record_is_spliced_in_as_it_came() -> None:
    (event,) = events_of(cloudtrail, source_of(b'{"Records":[' + ONE.replace(b"1.08", b"1\\u002e08") + b"]}"))
    assert b"1\\u002e08" in event.to_json()


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"errorCode": "AccessDenied"}, "failure"),
        ({"errorMessage": "Failed authentication"}, "failure"),
        ({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Failure"}}, "failure"),
        ({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Success"}}, "success"),
    ],
)
def test_outcomes(more: dict[str, Any], outcome: str) -> None:
    assert read_one({**RECORD, **more})["event"]["outcome"] == outcome


@pytest.mark.parametrize(
    ("identity", "user"),
    [
        ({"type": "Root", "principalId": "1"}, {"name": "root", "id": "1"}),
        (
            {"type": "AssumedRole", "principalId": "AROA:lan", "arn": "arn:aws:sts::1:assumed-role/Admin/lan"},
            {"name": "lan", "id": "AROA:lan"},
        ),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, None),
        (None, None),
        ("minh", None),
        ([], None),
    ],
    ids=["root", "role", "service", "none", "text", "list"],
)
def test_who_it_was(identity: Any, user: dict[str, str] | None) -> None:
    assert read_one({**RECORD, "userIdentity": identity}).get("user") == user


def test_a_service_has_no_address() -> None:
    assert "source" not in read_one({**RECORD, "sourceIPAddress": "cloudformation.amazonaws.com"})


# -------------------------------------------------------------------- damage


def test_a_bad_record_stops_nothing_else() -> None:
    data = b'{"Records":[' + b",".join((ONE, b'{"eventName":1}', b'{"a":1e999}', TWO)) + b"]}"
    found = read_all(cloudtrail, source_of(data))
    assert [isinstance(one, Event) for one in found] == [True, False, False, True]
    assert isinstance(found[1], Bad)
    assert found[1].reason == "no CloudTrail record: eventName, eventSource or eventTime is missing"


def test_a_cut_file_gives_what_stands_before() -> None:
    event, bad = read_all(cloudtrail, source_of(wrapped(record(1), record(2))[:-40]))
    assert isinstance(event, Event)
    assert isinstance(bad, Bad)
    assert bad.reason.startswith("not JSON: ")


def test_a_time_that_is_none_is_named_and_the_record_kept() -> None:
    event, bad = read_all(cloudtrail, source_of(wrapped({**RECORD, "eventTime": "soon"})))
    assert isinstance(event, Event)
    assert isinstance(bad, Bad)
    assert bad.kept


@given(
    st.dictionaries(
        st.sampled_from(sorted(set(RECORD) - {"eventName", "eventSource", "eventTime"})),
        st.none()
        | st.booleans()
        | st.integers(0, 9)
        | st.text(max_size=5)
        | st.lists(st.none(), max_size=1)
        | st.dictionaries(
            st.sampled_from(["arn", "type", "userName", "ConsoleLogin"]), st.integers(0, 1) | st.text("a:/")
        ),
    )
)
def test_values_of_other_kinds_do_no_harm(odd: dict[str, Any]) -> None:
    (event,) = events_of(cloudtrail, source_of(wrapped({**RECORD, **odd})))
    assert Event.from_json(event.to_json()).id == event.id


@given(st.binary(max_size=200) | st.text('{}[]",:Records ', max_size=80).map(str.encode))
def test_any_bytes_behind_a_record_are_named_or_stepped_over(noise: bytes) -> None:
    data = wrapped(record(1))[:-2] + b"," + noise
    assert isinstance(read_all(cloudtrail, source_of(data))[0], Event)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'{"eventName":"x"}', "no CloudTrail record"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper than 246 levels"),
        (b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}", "not JSON: "),
        (b'{"a":1e400}', "not JSON: "),
        (b'{"a":' + b"9" * 400 + b"}", "not JSON: "),
        (b'{"a":"\\ud800"}', "not JSON: "),
        (b'{"a":NaN}', "not JSON: "),
        (b'{"a":"\xff"}', "not JSON: "),
        (b'{"a":"\0"}', "not JSON: "),
        (b'"eventName":"hidden"\n', "not JSON: "),
    ],
    ids=lambda value: value[:24].decode("ascii", "backslashreplace") if isinstance(value, bytes) else "",
)
def test_a_bad_record_is_named_and_the_rest_goes_on(broken: bytes, reason: str) -> None:
    data = wrapped(record(1), record(2)).replace(b"},{", b"}," + broken + b",{", 1)
    first, bad, last = read_all(cloudtrail, source_of(data))
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(bad, Bad)
    assert reason in bad.reason
    assert bad.place == f"offset {data.index(broken)}"


def test_a_doubled_key_is_named_and_the_last_value_counts() -> None:
    data = wrapped(RECORD).replace(b'"awsRegion"', b'"eventName":"ListTrails","awsRegion"')
    event, bad = read_all(cloudtrail, source_of(data))
    assert isinstance(event, Event)
    assert event.doc["event"]["action"] == "ListTrails"
    assert isinstance(bad, Bad)
    assert bad.kept


def test_a_record_above_the_limit_is_named_and_the_rest_goes_on() -> None:
    first, bad, last = read_all(cloudtrail, source_of(wrapped(record(1), record(2, x="y" * (9 << 20)), record(3))))
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(bad, Bad)
    assert "is above the limit" in bad.reason


@pytest.mark.parametrize("address", ["AWS Internal", "1" * 5000, "", 7, None])
def test_a_caller_that_is_no_address(address: Any) -> None:
    assert "source" not in read_one({**RECORD, "sourceIPAddress": address})


def test_a_record_without_an_id_of_its_own_gets_one() -> None:
    events = events_of(cloudtrail, source_of(wrapped(record(1, eventID=None), record(2, eventID=""))))
    assert len({event.id for event in events}) == 2


@given(st.binary() | st.text('{}[]",:\\Records ', max_size=60).map(str.encode), st.booleans())
def test_arbitrary_bytes_never_raise(data: bytes, inside: bool) -> None:
    source = source_of(b'{"Records":[' + data if inside else data, "trail.json")
    assert 0 <= cloudtrail.claims(source.head) <= 100
    read_all(cloudtrail, source)


# -------------------------------------------------------------------- claims


DIGEST = {
    "awsAccountId": "111122223333",
    "digestStartTime": "2026-03-01T01:00:00Z",
    "digestEndTime": "2026-03-01T02:00:00Z",
    "digestS3Bucket": "example-trails",
    "logFiles": [
        {"s3Bucket": "example-trails", "s3Object": "a.json.gz", "hashValue": "00", "hashAlgorithm": "SHA-256"}
    ],
}


@pytest.mark.parametrize(
    ("data", "score"),
    [
        (orjson.dumps(DIGEST), 20),
        (wrapped({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "t"}), 20),
        (wrapped({"a": 1}), 20),
        (orjson.dumps({"eventName": "a", "eventSource": "b"}), 20),
        (b"Tests:\n  - Log:\n      " + orjson.dumps(RECORD), 0),
        (b"\0" * 100 + wrapped(RECORD), 0),
        (b"", 0),
    ],
    ids=["digest", "S3 notification", "other records", "no time", "a rule that quotes a record", "binary", "empty"],
)
def test_what_is_none_of_ours_is_left_to_the_generic_collector(data: bytes, score: int) -> None:
    head = Head("trail.json", data)
    assert cloudtrail.claims(head) == 0
    assert generic.claims(head) == score


@pytest.mark.parametrize(
    ("data", "score"),
    [
        (wrapped(RECORD), 95),
        (wrapped(record(1, requestParameters={"fill": "x" * 100_000}))[: 64 << 10], 90),
        (b'{"Records":[{"s3":{"bucket":"x"}}]}', 0),
        (orjson.dumps({"eventName": "x", "eventTime": "2026-03-01T02:03:04Z"}), 0),
        (b"eventName eventSource eventTime", 0),
        (b"", 0),
    ],
    ids=["delivered", "a first record larger than the head", "S3 notification", "another log", "text", "nothing"],
)
def test_claims(data: bytes, score: int) -> None:
    assert cloudtrail.claims(Head("x", data)) == score


def test_only_lines_can_be_shared() -> None:
    assert cloudtrail.splits(Head("x", ONE + b"\n" + TWO))
    assert not cloudtrail.splits(Head("x", wrapped(RECORD)))


# --------------------------------------------------------------- real trails


@pytest.mark.data
def test_real_trails_are_claimed_and_read_whole(test_data: Path) -> None:
    seen = 0
    for path in sorted((test_data / "cloud").glob("*/*.json")):
        if path.parent.name in ("invictus-aws", "stratus"):
            source = source_of(path.read_bytes(), path.name)
            assert cloudtrail.claims(source.head) >= 90, path.name
            events = events_of(cloudtrail, source)
            assert all({"@timestamp", "cloud"} <= event.doc.keys() for event in events), path.name
            seen += len(events)
    assert seen > 1000


@pytest.mark.data
def test_records_as_a_vendor_expects_them(test_data: Path) -> None:
    """The fields about which there are no two opinions."""
    for path in sorted((test_data / "parsers" / "sekoia" / "AWS" / "aws-cloudtrail" / "tests").glob("*.json")):
        case = orjson.loads(path.read_bytes())
        (event,) = events_of(cloudtrail, source_of(case["input"]["message"].encode(), path.name))
        for name in ("action", "provider"):
            assert event.doc["event"][name] == case["expected"]["event"][name], path.name
