"""CloudTrail: files as delivered, alone or joined, in every other shape of JSON, and what is none of it."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import cloudtrail
from collectors import json as generic
from vonggac.event import Bad, Event
from vonggac.ports import Head
from vonggac.reading.source import Limits
from vonggac.reading.walk import inputs
from vonggac.testing import collector_contract, events_of, read_all, source_of

RECORD: dict[str, Any] = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": "arn:aws:iam::123456789012:user/minh",
        "accountId": "123456789012",
        "userName": "minh",
    },
    "eventTime": "2026-03-01T02:03:04Z",
    "eventSource": "cloudtrail.amazonaws.com",
    "eventName": "StopLogging",
    "awsRegion": "ap-southeast-1",
    "sourceIPAddress": "192.0.2.7",
    "userAgent": "aws-cli/2.15.0",
    "requestParameters": {"name": "trail-1"},
    "responseElements": None,
    "eventID": "0d9a1a5e-0f5c-4c0e-9d1f-000000000000",
    "recipientAccountId": "123456789012",
}
DIGEST = {
    "awsAccountId": "123456789012",
    "digestStartTime": "2026-03-01T01:00:00Z",
    "digestEndTime": "2026-03-01T02:00:00Z",
    "digestS3Bucket": "example-trails",
    "logFiles": [
        {"s3Bucket": "example-trails", "s3Object": "a.json.gz", "hashValue": "00", "hashAlgorithm": "SHA-256"}
    ],
}


def record(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {**RECORD, "eventID": f"0d9a1a5e-0f5c-4c0e-9d1f-{number:012}", **fields}


def delivered(*records: dict[str, Any], before: str = "", after: str = "") -> bytes:
    return b'{%sRecords":[%s]%s}' % (
        f'{before}"'.encode(),
        b",".join(map(orjson.dumps, records)),
        after.encode(),
    )


def read(data: bytes) -> list[Event | Bad]:
    return read_all(cloudtrail, source_of(data, "trail.json"))


def one(**fields: Any) -> dict[str, Any]:
    (event,) = events_of(cloudtrail, source_of(delivered(record(**fields)), "trail.json"))
    return event.doc


def test_the_contract() -> None:
    records = [record(number) for number in range(230)]
    for data in (delivered(*records), b"\n".join(map(orjson.dumps, records)), json.dumps(records, indent=2).encode()):
        collector_contract(cloudtrail, source_of(data, "trail.json"), namespaces=("aws",))


# ------------------------------------------------------------------- shapes

TWO = [record(1), record(2)]


@pytest.mark.parametrize(
    "data",
    [
        delivered(*TWO),
        json.dumps({"Records": TWO}, indent=4).encode(),
        b"\xef\xbb\xbf" + delivered(*TWO),
        delivered(*TWO).replace(b"},{", b"},\r\n{") + b"\r\n",
        delivered(record(1)) + delivered(record(2)),
        delivered(record(1)) + b"\n" + delivered() + b"\n\xef\xbb\xbf" + delivered(record(2)) + b"\n",
        delivered(*TWO, before='"Owner":"example","Version":1.0, '),
        delivered(*TWO, after=',"NextToken":"x","Count":2'),
        json.dumps({"Records": TWO, "NextToken": "x", "Meta": {"a": 1}}, indent=1).encode(),
        json.dumps(TWO).encode(),
        b"\n".join(map(orjson.dumps, TWO)),
        b"".join(map(orjson.dumps, TWO)),
    ],
    ids=[
        "delivered",
        "pretty",
        "byte order mark",
        "CRLF",
        "joined",
        "joined, an empty one among them",
        "keys before",
        "keys after",
        "keys after, pretty",
        "array",
        "lines",
        "one after another",
    ],
)
def test_every_shape_gives_the_same_events(data: bytes) -> None:
    source = source_of(data, "trail.json")
    assert cloudtrail.claims(source.head) == 95
    events = events_of(cloudtrail, source)
    assert [event.doc["aws"]["cloudtrail"] for event in events] == TWO
    assert [event.id for event in events] == [event.id for event in events_of(cloudtrail, source_of(delivered(*TWO)))]


def test_the_record_comes_out_as_it_came_in() -> None:
    data = delivered(TWO[0])
    (event,) = events_of(cloudtrail, source_of(data, "trail.json"))
    assert event.doc["log"] == {"file": {"path": "trail.json"}, "offset": data.index(b'{"eventVersion"')}
    assert orjson.dumps(RECORD["userIdentity"]) in event.to_json()


@pytest.mark.parametrize("data", [b'{"Records":[]}', b'{\n  "Records" : [\n  ]\n}\n'])
def test_a_file_without_records_is_ours_and_empty(data: bytes) -> None:
    source = source_of(data, "trail.json")
    assert cloudtrail.claims(source.head) == 95
    assert list(cloudtrail.open(source, None).read(None)) == [([], None)]  # type: ignore[arg-type]


def test_a_large_file_is_read_a_record_at_a_time() -> None:
    padded = {"requestParameters": {"text": "x" * 20_000}}
    data = delivered(*(record(number, **padded) for number in range(500)))
    assert len(data) > 10_000_000
    batches = list(cloudtrail.open(source_of(data, "trail.json"), None).read(None))  # type: ignore[arg-type]
    assert [len(records) for records, _ in batches] == [100] * 5
    assert all(isinstance(one, Event) for records, _ in batches for one in records)


def test_a_first_record_larger_than_the_head_is_claimed_all_the_same() -> None:
    source = source_of(delivered(record(requestParameters={"text": "x" * 100_000})), "trail.json")
    assert cloudtrail.claims(source.head) == 90
    assert len(events_of(cloudtrail, source)) == 1


def test_lines_may_be_shared_and_files_may_not() -> None:
    lines = b"\n".join(map(orjson.dumps, TWO))
    assert cloudtrail.splits(Head("trail.json", lines))
    for data in (delivered(*TWO), delivered(*TWO) + b"\n" + delivered(*TWO), json.dumps(TWO, indent=1).encode()):
        assert not cloudtrail.splits(Head("trail.json", data))


# ------------------------------------------------------------------- fields


def test_who_did_what_and_from_where() -> None:
    doc = one()
    assert doc["@timestamp"] == "2026-03-01T02:03:04.000000Z"
    assert doc["event"] == {
        "kind": "event",
        "module": "aws",
        "dataset": "aws.cloudtrail",
        "action": "StopLogging",
        "provider": "cloudtrail.amazonaws.com",
        "outcome": "success",
    }
    assert doc["user"] == {"name": "minh", "id": "AIDAEXAMPLE"}
    assert doc["cloud"] == {"region": "ap-southeast-1", "account": {"id": "123456789012"}}
    assert doc["source"] == {"ip": "192.0.2.7"}
    assert doc["user_agent"] == {"original": "aws-cli/2.15.0"}


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"type": "Root", "accountId": "1"}, "root"),
        ({"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/Admin/lan"}, "lan"),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, None),
        ({"userName": 5}, None),
        ("minh", None),
        (None, None),
        ([], None),
    ],
)
def test_who_it_was(identity: Any, name: str | None) -> None:
    doc = one(userIdentity=identity)
    assert doc.get("user", {}).get("name") == name


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"errorCode": "AccessDenied"}, "failure"),
        ({"errorMessage": "Failed authentication"}, "failure"),
        ({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Failure"}}, "failure"),
        ({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Success"}}, "success"),
        ({"responseElements": "odd"}, "success"),
    ],
)
def test_how_it_ended(fields: dict[str, Any], outcome: str) -> None:
    assert one(**fields)["event"]["outcome"] == outcome


@pytest.mark.parametrize("address", ["cloudformation.amazonaws.com", "AWS Internal", "1" * 5000, "", 7, None])
def test_a_caller_that_is_no_address(address: Any) -> None:
    assert "source" not in one(sourceIPAddress=address)


def test_a_record_without_an_id_of_its_own_gets_one() -> None:
    events = events_of(cloudtrail, source_of(delivered(record(eventID=None), record(eventID=""))))
    assert len({event.id for event in events}) == 2


# ---------------------------------------------------------------- bad input


def test_a_time_that_is_none_is_named_and_the_record_kept() -> None:
    event, bad = read(delivered(record(eventTime="yesterday")))
    assert isinstance(event, Event)
    assert event.time is None
    assert isinstance(bad, Bad)
    assert bad.kept
    assert bad.reason == "eventTime: 'yesterday' is no ISO 8601 time"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'{"eventName":"x"}', "no CloudTrail record"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper than 254 levels"),
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
    data = delivered(record(1), record(2)).replace(b"},{", b"}," + broken + b",{", 1)
    first, bad, last = read(data)
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(bad, Bad)
    assert reason in bad.reason
    assert bad.place == f"offset {data.index(broken)}"


def test_a_doubled_key_is_named_and_the_last_value_counts() -> None:
    data = delivered(record()).replace(b'"awsRegion"', b'"eventName":"ListTrails","awsRegion"')
    event, bad = read(data)
    assert isinstance(event, Event)
    assert event.doc["event"]["action"] == "ListTrails"
    assert isinstance(bad, Bad)
    assert bad.kept


def test_a_cut_file_gives_what_is_whole() -> None:
    data = delivered(record(1), record(2))
    first, bad = read(data[:-40])
    assert isinstance(first, Event)
    assert isinstance(bad, Bad)
    assert bad.reason.startswith("not JSON: ")


def test_a_record_above_the_limit_is_named_and_the_rest_goes_on() -> None:
    first, bad, last = read(delivered(record(1), record(2, x="y" * (9 << 20)), record(3)))
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(bad, Bad)
    assert "is above the limit" in bad.reason


@given(st.binary() | st.text('{}[]",:\\Records ', max_size=60).map(str.encode), st.booleans())
def test_arbitrary_bytes_never_raise(data: bytes, wrapped: bool) -> None:
    data = b'{"Records":[' + data if wrapped else data
    source = source_of(data, "trail.json")
    assert 0 <= cloudtrail.claims(source.head) <= 100
    read_all(cloudtrail, source)


# -------------------------------------------------------------- not CloudTrail


@pytest.mark.parametrize(
    ("data", "collector"),
    [
        (orjson.dumps(DIGEST), 20),
        (
            orjson.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "t"}]}),
            20,
        ),
        (orjson.dumps({"Records": [{"a": 1}]}), 20),
        (orjson.dumps({"eventName": "a", "eventSource": "b"}), 20),
        (b"Tests:\n  - Log:\n      " + orjson.dumps(RECORD), 0),
        (b"\0" * 100 + delivered(RECORD), 0),
        (b"", 0),
    ],
    ids=[
        "digest file",
        "S3 notification",
        "other records",
        "no time",
        "a rule that quotes a record",
        "binary",
        "empty",
    ],
)
def test_what_is_none_of_ours(data: bytes, collector: int) -> None:
    head = Head("trail.json", data)
    assert cloudtrail.claims(head) == 0
    assert generic.claims(head) == collector


# -------------------------------------------------------------- real records


@pytest.mark.data
def test_real_trails_are_read_whole(test_data: Path) -> None:
    files = [*(test_data / "cloud/invictus-aws").iterdir(), *(test_data / "cloud/stratus").iterdir()]
    events: list[Event] = []
    for file in files:
        for source in inputs(str(file), Limits()):
            assert not isinstance(source, Bad)
            assert cloudtrail.claims(source.head) >= 90
            events += events_of(cloudtrail, source)
    assert len(files) == 34
    assert len(events) == 1538
    assert len({event.id for event in events}) == len(events)
    assert all(event.time and event.doc["event"]["action"] for event in events)
    assert sum("user" in event.doc for event in events) > 1500
