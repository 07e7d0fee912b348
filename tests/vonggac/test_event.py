"""The nouns: identity is pinned by golden vectors, text folds one letter to one letter, JSON keeps the original."""

from itertools import islice

import orjson
import pytest

from vonggac.event import Alert, Event, LogSource, RuleRef, digest, file_id, fold, head_digest, random_ids, windows_id

RULE = RuleRef("r1", "A rule", "high", "house", "v", techniques=("T1059.001",), tactics=("TA0002",))


def test_ids_of_what_has_none_are_random() -> None:
    some = set(islice(random_ids(), 1_000)) | set(islice(random_ids(), 1_000))
    assert len(some) == 2_000
    assert {len(one) for one in some} == {32}


def test_golden_ids_never_change() -> None:
    assert digest("ab", "c") == "090f8d52675d634d9f3f1f51c4415ce9"
    assert digest("x", b"\xff", 3) == "de365f21c7e2077d6cac31f57670456b"
    assert (
        windows_id("DC01.tinh.example", "Security", "Microsoft-Windows-Security-Auditing", 4711, 1772326923004)
        == "dbb4b93fd6185bd214cfa0665070e38b"
    )
    assert file_id(head_digest(b"first"), 42, b"record") == "3141ad4008691b5a0cd8e8674a6a0fb4"
    assert Alert(RULE, Event("e1", {})).id == "ee626ef6d49a55efff3a6dde86d2a38c"


def test_parts_of_a_digest_do_not_run_together() -> None:
    assert digest("ab", "c") != digest("a", "bc")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("CMD.EXE", "cmd.exe"),
        ("ĐƯỜNG DẪN", "đường dẫn"),
        ("\u0110u\u031b\u01a1\u0300ng", "đươ\u0300ng".replace("ơ\u0300", "ờ")),  # NFD comes out as NFC
        ("İstanbul", "İstanbul"),  # stays: its lower case is two characters
        ("straße", "straße"),  # stays
        ("ſ\u212a", "sk"),  # long s and the Kelvin sign
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_the_vendors_bytes_are_spliced_in_unchanged() -> None:
    event = Event("e1", {"event": {"kind": "event"}}, namespace=("suricata", "eve"), raw=b'{"b": 1e2, "a":"x"}')
    assert b'"eve":{"b": 1e2, "a":"x"}' in event.to_json()
    assert event.doc == {"event": {"kind": "event"}}, "writing an event does not change it"


def test_keys_that_are_no_text_are_written_as_text() -> None:
    assert orjson.loads(Event("e1", {"x": {1: {True: "a"}}}).to_json())["x"] == {"1": {"true": "a"}}


def test_an_event_comes_back_from_its_json() -> None:
    event = Event("e1", {"@timestamp": "2026-03-01T00:00:00.000000Z", "event": {"kind": "event"}})
    back = Event.from_json(event.to_json())
    assert (back.id, back.time) == ("e1", event.time)


@pytest.mark.parametrize("line", [b"{}", b'{"event": 3}', b"[]", b'{"event": {"kind": "event"}}'])
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an event"):
        Event.from_json(line)


def test_an_alert_names_rule_event_and_place() -> None:
    event = Event("e1", {"@timestamp": "T", "host": {"name": "pc1"}, "log": {"offset": 7}, "vonggac": {"unit": "x"}})
    line = orjson.loads(Alert(RULE, event, {"Image": "a.exe"}, unrouted=True).to_json("2026-03-01T00:00:00Z"))
    assert line["@timestamp"] == "T"
    assert line["event"] == {
        "kind": "alert",
        "id": Alert(RULE, event).id,
        "severity": 73,
        "ingested": "2026-03-01T00:00:00Z",
    }
    assert line["rule"] == {"id": "r1", "name": "A rule", "level": "high", "ruleset": "house", "version": "v"}
    assert line["threat"] == {"technique": [{"id": "T1059.001"}], "tactic": [{"id": "TA0002"}]}
    assert line["vonggac"] == {"unit": "x", "events": ["e1"], "matched": {"Image": "a.exe"}, "unrouted": True}
    assert (line["host"], line["log"]) == ({"name": "pc1"}, {"offset": 7})


def test_a_log_source_holds_what_lies_inside_it() -> None:
    sysmon = LogSource("windows", "process_creation", "sysmon")
    assert LogSource("windows", "process_creation").holds(sysmon)
    assert not LogSource("windows", "process_creation", "security").holds(sysmon)
    assert str(LogSource("windows", service="security")) == "product=windows,service=security"
