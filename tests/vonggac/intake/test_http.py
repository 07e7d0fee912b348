"""What the HTTP intake makes of a body, on real sockets: documents of any form, each taken or refused; their ids."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http_site import ALERT, CREATE, site, windows
from vonggac import shelf
from vonggac.event import Bad, Event, digest, windows_id
from vonggac.intake._documents import documents_of
from vonggac.intake._sorting import Sorter
from vonggac.ports import ReadOptions
from vonggac.testing import NOW

SORTER = Sorter({name: shelf.collector(name) for name in shelf.names("collectors")}, ReadOptions())


# --------------------------------------------------------------------- bodies


def test_a_bulk_body_as_winlogbeat_sends_it() -> None:
    with site() as there:
        answer = there.post(CREATE, windows(1), CREATE, windows(2))
        assert answer["errors"] is False
        made = {"_index": "winlogbeat-8.19.0", "result": "created", "status": 201}
        assert answer["items"] == [{"create": made}] * 2
        first, second = there.log.events()
        assert first["vonggac"] == {"collector": "winlogbeat", "unit": "default"}
        assert first["user"]["name"] == "lan"
        assert first["log"]["file"] == {"path": "http 127.0.0.1"}
        assert "offset" not in first["log"], "a place in a body is nobody's"
        millis = 1_772_326_923_004
        provider = "Microsoft-Windows-Security-Auditing"
        assert [first["event"]["id"], second["event"]["id"]] == [
            windows_id("pc1.example", "Security", provider, record, millis) for record in (1, 2)
        ]
        assert there.figure("events_total") == 2


def test_a_document_that_is_no_json_is_refused_alone_and_kept_among_the_dead() -> None:
    with site() as there:
        answer = there.post(CREATE, '{"winlog": {', CREATE, windows(1), CREATE, "[1]", CREATE, {"a": 1})
        assert answer["errors"] is True
        assert [item["create"]["status"] for item in answer["items"]] == [400, 201, 400, 201]
        assert answer["items"][2]["create"]["error"]["reason"] == "no JSON object"
        assert len(there.log.events()) == 2
        assert [line.partition(":")[2].partition(":")[0] for line in there.log.dead()] == [" line 2", " line 6"]
        assert there.figure("refused_documents_total") == 2


def test_forms_may_be_mixed_in_one_body() -> None:
    with site() as there:
        sent = [windows(1), ALERT, {"other": 1}, windows(2), {**ALERT, "flow_id": 8}]
        there.post(*sent, path="/ingest")
        told = [(event["vonggac"]["collector"], event["event"]["dataset"]) for event in there.log.events()]
        assert sorted(told) == [
            ("json", "json.generic"),
            ("suricata", "suricata.alert"),
            ("suricata", "suricata.alert"),
            ("winlogbeat", "windows.security"),
            ("winlogbeat", "windows.security"),
        ]
        flows = [event["suricata"]["eve"]["flow_id"] for event in there.log.events() if "suricata" in event]
        assert flows == [7, 8], "the order stays inside a kind"


def test_an_object_that_only_looks_like_a_kind_is_taken_as_what_it_is() -> None:
    """Its keys are those of a Windows event before it; what that collector does not take is generic JSON."""
    real = {"Event": {"System": {"EventID": 1, "Channel": "Security", "Computer": "pc1.example"}}}
    with site() as there:
        answer = there.post(real, {"Event": {"System": 5}}, path="/ingest")
        assert answer == {"taken": 2, "refused": 0, "reasons": []}
        assert [event["vonggac"]["collector"] for event in there.log.events()] == ["evtx_json", "json"]
        assert there.log.dead() == []


def test_a_file_of_cloudtrail_is_one_document_of_many_events() -> None:
    record = {"eventVersion": "1.08", "eventSource": "iam.amazonaws.com", "eventTime": "2026-03-01T01:02:03Z"}
    records = [{**record, "eventName": "CreateUser", "eventID": f"id-{n}"} for n in range(3)]
    with site() as there:
        assert there.post({"Records": records}, path="/ingest")["taken"] == 1
        assert {event["vonggac"]["collector"] for event in there.log.events()} == {"cloudtrail"}
        assert len(there.log.ids()) == 3


def test_what_is_bad_or_odd_in_a_document_of_many_events_is_kept_among_the_dead() -> None:
    record = {"eventName": "CreateUser", "eventSource": "iam.amazonaws.com", "eventTime": "2026-03-01T01:02:03Z"}
    records = [record, {**record, "eventTime": "noon"}, {"eventName": "CreateUser"}]
    with site() as there:
        assert there.post({"Records": records}, path="/ingest")["taken"] == 1
        assert len(there.log.ids()) == 2
        odd, bad = there.log.dead()
        assert "eventTime: " in odd
        assert "no CloudTrail record" in bad


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (b'{"n":1}', 1),
        (b'{"n":1}\n{"n":2}\n', 2),
        (b'\xef\xbb\xbf{"n":1}\r\n\r\n{"n":2}', 2),
        (b'[{"n":1},{"n":2}, {"n":3}]', 3),
        (b'{\n  "n":\n    1\n}\n', 1),
        (b'[\n  {\n    "n": 1\n  },\n  {"n": 2}\n]', 2),
    ],
    ids=["one", "lines", "windows", "array", "pretty", "pretty array"],
)
def test_json_of_any_shape(body: bytes, taken: int) -> None:
    with site() as there:
        code, answer, _ = there.ask("POST", "/", body)
        assert (code, answer["taken"]) == (200, taken)
        assert [event["json"]["n"] for event in there.log.events()] == list(range(1, taken + 1))


def test_a_body_with_no_document_is_refused() -> None:
    with site() as there:
        for path in ("/", "/_bulk"):
            assert there.ask("POST", path, b"\n")[0] == 400
        code, answer, _ = there.ask("POST", "/", b"hello\nworld")
        assert (code, answer["refused"], answer["reasons"][1]["line"]) == (400, 2, 2)


def test_a_key_that_stands_twice_is_told() -> None:
    with site() as there:
        assert there.post('{"a":1}', '{"user":"x","user":"y"}', path="/")["taken"] == 2
        assert there.log.dead() == [
            "http 127.0.0.1: line 2: key 'user' stands twice in one object; its last value counts"
        ]


NAMES = ["winlog", "event_type", "Event", "log_name", "_path", "eventName", "EventID", "host", "log", "id", "System"]
VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)
KINDS = [windows(1), ALERT, {"Event": {"System": {"EventID": 1}}}, {"a": 1}]


@given(st.lists(st.binary(max_size=40) | (OBJECTS | st.sampled_from(KINDS)).map(orjson.dumps), max_size=6))
@settings(max_examples=60)
def test_each_document_is_one_event_or_is_refused(lines: list[bytes]) -> None:
    """Whatever it holds: nothing raises, nothing is lost, nothing is doubled."""
    documents = documents_of(b"{}\n" + b"\n".join(lines))
    refused: dict[int, str] = {}
    records = [record for part in SORTER.sort(documents, "test", NOW, refused) for record in part.records]
    events = [record for record in records if isinstance(record, Event)]
    assert len(events) + len(refused) == len(documents)
    assert sum(isinstance(record, Bad) and not record.kept for record in records) == len(refused)


# ------------------------------------------------------------ what identifies


def test_an_event_without_an_id_gets_a_random_one() -> None:
    with site() as there:
        there.post({"a": 1}, {"a": 1}, path="/")
        there.post({"a": 1}, path="/")
        assert len(there.log.ids()) == 3
        assert all(len(one) == 32 for one in there.log.ids())


def test_ids_that_the_sender_gives_stay() -> None:
    with site() as there:
        there.post(
            '{"create":{"_index":"i","_id":"mine"}}',
            {"a": 1},
            '{"create":{"_index":"i","_id":"mine"}}',
            {"a": 2, "event": {"id": "own"}},
            '{"index":{"_index":"i","_id":17}}',
            windows(3),
            '{"create":{"_index":"i"}}',
            {**windows(0), "winlog": {"channel": "Security", "event_id": 1}, "event": {"id": "own-2"}},
        )
        ids = list(there.log.ids())
        assert sorted(ids) == sorted(
            [
                digest("bulk", "i", "mine"),
                digest("json", "own"),
                windows_id("pc1.example", "Security", "Microsoft-Windows-Security-Auditing", 3, 1_772_326_923_004),
                digest("json", "own-2"),
            ]
        )


def test_sending_again_with_an_id_gives_the_same_event() -> None:
    with site() as there:
        for _ in range(2):
            answer = there.post('{"create":{"_index":"i","_id":"mine"}}', {"a": 1})
        assert answer["items"] == [{"create": {"_index": "i", "_id": "mine", "result": "created", "status": 201}}]
        assert there.log.ids() == {digest("bulk", "i", "mine"): 2}
