"""Flat Windows events: NXLog, and the OTRF recordings."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from collectors import evtx_json, nxlog, winlogbeat
from vonggac.event import Bad, Event
from vonggac.ports import Head, ReadOptions
from vonggac.testing import collector_contract, events_of, read_all, source_of

NXLOG = {
    "EventTime": "2026-03-01 15:15:30",
    "Hostname": "ws01.example.com",
    "Keywords": -9223372036854775808,
    "EventType": "INFO",
    "SeverityValue": 2,
    "Severity": "INFO",
    "EventID": 1,
    "SourceName": "Microsoft-Windows-Sysmon",
    "RecordNumber": 4711,
    "ProcessID": 2300,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "AccountName": "SYSTEM",
    "Domain": "NT AUTHORITY",
    "UserID": "S-1-5-18",
    "Message": "Process Create:\r\nImage: C:\\Windows\\System32\\whoami.exe",
    "UtcTime": "2026-03-01 08:15:30.120",
    "Image": r"C:\Windows\System32\whoami.exe",
    "CommandLine": "whoami /all",
    "User": r"EXAMPLE\alice",
    "EventReceivedTime": "2026-03-01 15:15:31",
    "SourceModuleType": "im_msvistalog",
}
OTRF = {
    "SourceName": "Microsoft-Windows-Security-Auditing",
    "Level": "0",
    "Keywords": "0x8020000000000000",
    "Channel": "Security",
    "Hostname": "DC01.example.com",
    "TimeCreated": "2026-03-01T08:15:30.500Z",
    "@timestamp": "2026-03-01T08:15:30.500Z",
    "EventID": 4624,
    "Message": "An account was successfully logged on.",
    "TargetUserName": "alice",
}


def lines(*values: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in values)


def read_one(value: dict[str, Any], zone: str = "Asia/Ho_Chi_Minh") -> Event:
    (event,) = events_of(nxlog, source_of(lines(value), "nx.json"), ReadOptions(zone=zone))
    return event


def test_the_contract() -> None:
    many = [{**NXLOG, "RecordNumber": number} for number in range(230)]
    collector_contract(nxlog, source_of(lines(*many)), namespaces=("winlog",))
    collector_contract(
        nxlog, source_of(lines(*[{**OTRF, "Task": number} for number in range(120)])), namespaces=("winlog",)
    )


def test_an_event_of_nxlog_in_ecs() -> None:
    event = read_one(NXLOG)
    doc = event.doc
    assert doc["@timestamp"] == "2026-03-01T08:15:30.120000Z"
    assert doc["event"]["dataset"] == "windows.sysmon"
    assert doc["event"]["code"] == "1"
    assert doc["host"] == {"name": "ws01.example.com"}
    assert doc["log"] == {"level": "information", "file": {"path": "nx.json"}, "offset": 0}
    assert doc["user"] == {"domain": "EXAMPLE", "name": "alice"}
    assert doc["process"] == {
        "executable": r"C:\Windows\System32\whoami.exe",
        "name": "whoami.exe",
        "command_line": "whoami /all",
    }
    assert doc["message"].startswith("Process Create:")
    assert doc["winlog"] == NXLOG
    assert event.raw == orjson.dumps(NXLOG)


def test_a_flat_event_of_the_recordings() -> None:
    doc = read_one(OTRF).doc
    assert doc["@timestamp"] == "2026-03-01T08:15:30.500000Z"
    assert doc["event"]["outcome"] == "success"
    assert doc["user"] == {"name": "alice"}


def test_who_logged_the_event_is_the_user_where_nobody_else_is() -> None:
    alone = {name: value for name, value in NXLOG.items() if name != "User"}
    assert read_one(alone).doc["user"] == {"name": "SYSTEM", "domain": "NT AUTHORITY", "id": "S-1-5-18"}


def test_an_event_that_is_hardly_more_than_a_message() -> None:
    doc = read_one(
        {"EventID": 2, "Source": "Guard", "Hostname": "ws01", "Channel": "Application", "Message": "stopped"}
    ).doc
    assert doc["message"] == "stopped"
    assert doc["event"]["provider"] == "Guard"
    assert "@timestamp" not in doc


# --------------------------------------------------------------------- times


def local(**more: Any) -> dict[str, Any]:
    return {"EventID": 7036, "SourceName": "Service Control Manager", "Hostname": "ws01", "Channel": "System", **more}


def test_a_local_time_is_in_the_configured_zone_and_says_so() -> None:
    event = read_one(local(EventTime="2026-03-01 15:15:30"))
    assert event.doc["@timestamp"] == "2026-03-01T08:15:30.000000Z"
    assert event.doc["vonggac"] == {"time_inferred": True}


def test_the_zone_is_worked_out_against_the_time_of_arrival() -> None:
    doc = read_one(local(EventTime="2026-03-01 03:15:30", **{"@timestamp": "2026-03-01T08:15:32.100Z"})).doc
    assert doc["@timestamp"] == "2026-03-01T08:15:30.000000Z"
    assert "vonggac" not in doc


def test_what_came_too_late_says_nothing_of_the_zone() -> None:
    doc = read_one(local(EventTime="2026-03-01 03:15:30", **{"@timestamp": "2026-03-01T08:22:00Z"})).doc
    assert doc["@timestamp"] == "2026-02-28T20:15:30.000000Z"
    assert doc["vonggac"] == {"time_inferred": True}


def test_the_id_does_not_hang_on_the_configured_zone() -> None:
    value = local(EventTime="2026-03-01 15:15:30", RecordNumber=5)
    assert read_one(value).id == read_one(value, "UTC").id


@pytest.mark.parametrize("time", ["yesterday", "9999-12-31 23:59:59", "0001-01-01 00:00:00", 1 << 60, [], None, True])
def test_times_that_are_none(time: Any) -> None:
    assert "@timestamp" not in read_one(local(EventTime=time)).doc


# --------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("data", "score"),
    [
        (lines(NXLOG), 92),
        (lines(OTRF, OTRF), 85),
        (lines({"EventID": 1, "Hostname": "x"}), 0),
        (lines({"a": 1}, {"b": 2}, OTRF), 0),
        (b"EventID Channel Hostname", 0),
    ],
    ids=["NXLog", "OTRF", "no source", "mostly other things", "no JSON"],
)
def test_claims(data: bytes, score: int) -> None:
    assert nxlog.claims(Head("x", data)) == score


def test_a_line_of_another_kind_is_named() -> None:
    _, bad, _ = read_all(nxlog, source_of(lines(OTRF, {"a": 1}, OTRF)))
    assert isinstance(bad, Bad)
    assert bad.reason == "no Windows event: neither EventID nor Message"


# ---------------------------------------------------------------- real events


def recordings(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the first 2 MB of each recording's JSON, cut at a line."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if info.filename.endswith(".json") and "__MACOSX" not in info.filename:
                        with archive.open(info) as member:
                            yield info.filename, start(member.read(2 << 20))
        elif path.name.endswith(".tar.gz"):
            with tarfile.open(path) as packed:
                for entry in packed:
                    content = packed.extractfile(entry) if entry.name.endswith(".json") else None
                    if content is not None:
                        yield entry.name, start(io.BytesIO(content.read(2 << 20)).read())


def start(data: bytes) -> bytes:
    return data if len(data) < 2 << 20 else data[: data.rfind(b"\n") + 1]


@pytest.mark.data
def test_every_windows_recording_is_claimed_once_and_read_whole(test_data: Path) -> None:
    seen = 0
    for name, data in recordings(test_data / "host-json" / "otrf" / "atomic" / "windows"):
        claimed = [module for module in (nxlog, winlogbeat, evtx_json) if module.claims(Head(name, data[: 64 << 10]))]
        assert len(claimed) == 1, name
        events = events_of(claimed[0], source_of(data, name))
        assert len({event.id for event in events}) == len(events), name
        assert all("@timestamp" in event.doc and "host" in event.doc for event in events), name
        seen += len(events)
    assert seen > 10_000


@pytest.mark.data
def test_events_as_a_vendor_expects_them(test_data: Path) -> None:
    """The fields about which there are no two opinions."""
    for path in sorted((test_data / "parsers" / "sekoia" / "Windows" / "windows" / "tests").glob("*.json")):
        case = orjson.loads(path.read_bytes())
        source = source_of(case["input"]["message"].encode(), path.name)
        assert nxlog.claims(source.head) >= 85, path.name
        (event,) = events_of(nxlog, source)
        expected = case["expected"]
        assert event.doc["event"]["code"] == expected["event"]["code"], path.name
        assert event.doc["host"]["name"] == expected["host"]["name"], path.name
