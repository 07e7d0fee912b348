"""evtx_dump-style JSON: every shape, and the same events as the binary twin."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from collectors import evtx, evtx_json
from tests.evtx_writer import Record
from tests.evtx_writer import evtx as written
from vonggac.event import Bad, Event
from vonggac.ports import Head
from vonggac.testing import collector_contract, events_of, read_all, source_of, source_of_file


def record(number: int) -> dict[str, Any]:
    return {
        "Event": {
            "#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"},
            "System": {
                "Provider": {"#attributes": {"Name": "Microsoft-Windows-PowerShell"}},
                "EventID": {"#attributes": {"Qualifiers": 0}, "#text": 4104},
                "Level": 3,
                "TimeCreated": {"#attributes": {"SystemTime": "2026-03-01T08:15:30.123456Z"}},
                "EventRecordID": number,
                "Channel": "Microsoft-Windows-PowerShell/Operational",
                "Computer": "ws01.example.com",
            },
            "EventData": {"ScriptBlockText": "Write-Host hello", "Path": ""},
        }
    }


ONE, TWO = (orjson.dumps(record(number)) for number in (1, 2))
PRETTY = (
    orjson.dumps(record(1), option=orjson.OPT_INDENT_2) + b"\n" + orjson.dumps(record(2), option=orjson.OPT_INDENT_2)
)
SHAPES = {
    "one": ONE,
    "lines": ONE + b"\n" + TWO + b"\n",
    "pretty": PRETTY,
    "array": b"[\n" + ONE + b",\n" + TWO + b"\n]\n",
    "evtx_dump": b"Record 1\n" + ONE + b"\nRecord 2\n" + TWO + b"\n",
    "byte order mark": b"\xef\xbb\xbf" + ONE + b"\n" + TWO,
}


def test_the_contract() -> None:
    lines = b"".join(orjson.dumps(record(number)) + b"\n" for number in range(1, 231))
    collector_contract(evtx_json, source_of(lines, "dump.jsonl"), namespaces=("winlog",))
    collector_contract(evtx_json, source_of(PRETTY, "dump.json"), namespaces=("winlog",))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_claimed_and_gives_the_same(shape: str) -> None:
    source = source_of(SHAPES[shape])
    assert evtx_json.claims(source.head) == 95
    events = events_of(evtx_json, source)
    assert [one.doc["winlog"] for one in events] == [record(1), record(2)][: len(events)]
    assert len(events) == (1 if shape == "one" else 2)


def test_one_event_in_ecs() -> None:
    (event,) = events_of(evtx_json, source_of(ONE, "x.json"))
    assert event.doc["event"]["dataset"] == "windows.powershell"
    assert event.doc["event"]["code"] == "4104"
    assert event.doc["log"] == {"level": "warning", "file": {"path": "x.json"}, "offset": 0}
    assert event.raw == ONE


def test_the_twin_of_an_evtx_file_gives_the_same_events() -> None:
    binary = events_of(evtx, source_of(written([Record(number, data={"Image": "a.exe"}) for number in (1, 2)])))
    twin = b"\n".join(orjson.dumps(one.doc["winlog"]) for one in binary)
    assert [one.id for one in events_of(evtx_json, source_of(twin))] == [one.id for one in binary]


def test_a_record_without_a_number_is_identified_by_its_place() -> None:
    lost = record(1)
    del lost["Event"]["System"]["EventRecordID"]
    line = orjson.dumps(lost)
    one, two = events_of(evtx_json, source_of(line + b"\n" + line + b"\n"))
    assert one.id != two.id


def test_a_bad_record_stands_in_its_place() -> None:
    good, bad, rest = read_all(evtx_json, source_of(ONE + b'\n{"Event": 7}\n' + TWO))
    assert isinstance(good, Event)
    assert isinstance(rest, Event)
    assert str(bad) == f"sample.log: offset {len(ONE) + 1}: no Windows event: Event.System is missing"


@pytest.mark.parametrize(
    "data",
    [b"", b'{"Event": 7}', b'{"Event": {"a": 1}}', b'{"event": {"System": {}}}', b"Event", b'{"Event": {"System":\0'],
)
def test_what_is_not_claimed(data: bytes) -> None:
    assert evtx_json.claims(Head("x", data)) == 0


def test_an_object_longer_than_the_head_is_claimed() -> None:
    long = record(1)
    long["Event"]["EventData"]["ScriptBlockText"] = "x" * (80 << 10)
    assert evtx_json.claims(source_of(orjson.dumps(long)).head) == 85


def trimmed(value: Any) -> Any:
    """Give a record as the twins have it: without blanks at the ends of texts, times of microseconds."""
    if isinstance(value, dict):
        return {name: trimmed(part) for name, part in value.items() if name != "SystemTime"}
    return value.strip() if isinstance(value, str) else value


@pytest.mark.data
def test_real_twins_give_the_same_events(test_data: Path) -> None:
    pairs = [(path, path.with_suffix(".json")) for path in sorted((test_data / "sigma-regression").rglob("*.evtx"))]
    assert pairs
    edited = set()
    for binary, twin in pairs:
        assert evtx_json.claims(source_of_file(twin).head) == 95
        one, other = read_all(evtx, source_of_file(binary)), events_of(evtx_json, source_of_file(twin))
        assert not any(isinstance(event, Bad) for event in one)
        assert [event.id for event in one if isinstance(event, Event)] == [event.id for event in other], twin
        for left, right in zip(one, other, strict=True):
            assert isinstance(left, Event)
            assert left.doc["@timestamp"] == right.doc["@timestamp"]
            if trimmed(left.doc["winlog"]) != trimmed(right.doc["winlog"]):
                edited.add(twin.stem)
    assert edited <= {"ad691d92-15f2-4181-9aa4-723c74f9ddc3"}  # its twin says Explorer.exe for Explorer.EXE
