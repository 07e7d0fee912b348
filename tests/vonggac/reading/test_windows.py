"""Windows events to ECS: the header in all its writings, the data fields that mean the same, hostile values."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.event import windows_id
from vonggac.reading.windows import document, event, in_known_second, keyword_bits, moment, plain

SYSTEM = {
    "Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing"}},
    "EventID": 4625,
    "Level": 0,
    "Keywords": "0x8010000000000000",
    "TimeCreated": {"#attributes": {"SystemTime": "2026-03-01T08:15:30.123456Z"}},
    "EventRecordID": 77,
    "Channel": "Security",
    "Computer": "dc01.example.com",
}
FILE = {"path": "x.evtx"}


def made(data: Any = None, **system: Any) -> dict[str, Any]:
    record = {"Event": {"System": {**SYSTEM, **system}, "EventData": data}}
    return event(record, None, FILE, 0, lambda _: "by place").doc


def ident(**system: Any) -> str:
    return event({"Event": {"System": {**SYSTEM, **system}}}, None, FILE, 0, lambda _: "by place").id


def security(code: str, **data: Any) -> dict[str, Any]:
    return document("Microsoft-Windows-Security-Auditing", "Security", code, 0, None, data)


def sysmon(code: str, **data: Any) -> dict[str, Any]:
    return document("Microsoft-Windows-Sysmon", "Microsoft-Windows-Sysmon/Operational", code, 4, None, data)


# ---------------------------------------------------------------- the header


def test_the_header() -> None:
    doc = made()
    assert doc["event"] == {
        "kind": "event",
        "module": "windows",
        "dataset": "windows.security",
        "code": "4625",
        "provider": "Microsoft-Windows-Security-Auditing",
        "action": "logon-failed",
        "category": ["authentication"],
        "outcome": "failure",
    }
    assert doc["log"] == {"level": "information", "file": FILE, "offset": 0}
    assert doc["@timestamp"] == "2026-03-01T08:15:30.123456Z"
    assert doc["host"] == {"name": "dc01.example.com"}


@pytest.mark.parametrize(
    "code",
    [4625, "4625", {"#attributes": {"Qualifiers": 0}, "#text": 4625}, {"#text": "4625"}],
    ids=["number", "text", "with attributes", "text in an object"],
)
def test_event_ids_in_all_their_writings(code: Any) -> None:
    assert made(EventID=code)["event"]["code"] == "4625"


def test_attributes_beside_their_element() -> None:
    apart = {"Provider": None, "Provider_attributes": {"Name": "MSExchange CmdletLogs"}}
    assert made(**apart)["event"]["provider"] == "MSExchange CmdletLogs"


def test_the_id_is_the_same_however_the_header_is_written() -> None:
    provider = "Microsoft-Windows-Security-Auditing"
    expected = windows_id("dc01.example.com", "Security", provider, 77, 1772352930123)
    assert ident() == ident(EventRecordID="77") == ident(EventRecordID={"#text": 77}) == expected
    nanoseconds = {"#attributes": {"SystemTime": "2026-03-01T08:15:30.123456789Z"}}
    assert ident(TimeCreated=nanoseconds) == expected


@pytest.mark.parametrize("lost", ["EventRecordID", "TimeCreated", "Computer"])
def test_what_lacks_an_identity_is_identified_by_its_place(lost: str) -> None:
    assert ident(**{lost: None}) == "by place"


@pytest.mark.parametrize(
    ("channel", "provider", "dataset"),
    [
        ("Microsoft-Windows-Sysmon/Operational", "", "windows.sysmon"),
        ("security", "", "windows.security"),
        ("Windows PowerShell", "", "windows.powershell"),
        ("Microsoft-Windows-NTLM/Operational", "", "windows.microsoft-windows-ntlm/operational"),
        ("", "Microsoft-Windows-Sysmon", "windows.sysmon"),
        ("", "", "windows.unknown"),
    ],
)
def test_datasets(channel: str, provider: str, dataset: str) -> None:
    assert document(provider, channel, "1", 4, None, {})["event"]["dataset"] == dataset


@pytest.mark.parametrize("record", [{}, {"Event": None}, {"Event": {"System": []}}, {"Event": {"EventData": {}}}])
def test_what_is_no_windows_event(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Event\.System is missing"):
        event(record, None, FILE, 0, str)


def test_keywords() -> None:
    assert document("", "Security", "1", 0, "0x8020000000000000", {})["event"]["outcome"] == "success"
    assert document("", "Security", "1", 0, -9214364837600034816, {})["event"]["outcome"] == "success"
    assert document("", "Security", "1", 0, keyword_bits(["Audit Failure"]), {})["event"]["outcome"] == "failure"
    assert "outcome" not in document("", "Security", "1", 0, "none", {})["event"]


def test_events_do_not_share_what_may_be_written_to() -> None:
    one, two = security("4625"), security("4625")
    one["event"]["x"] = 1
    assert "x" not in two["event"]


def test_moments() -> None:
    assert moment("2026-03-01T08:15:30.123456Z") == ("2026-03-01T08:15:30.123456Z", 1772352930123)
    assert moment("2026-03-01T15:15:30+07:00") == ("2026-03-01T08:15:30.000000Z", 1772352930000)
    assert moment("2026-03-01T08:15:30") == moment("never") == moment(7) == (None, None)
    assert moment("0001-01-01T00:00:00+14:00") == (None, None)


def test_a_moment_does_not_hang_on_what_came_before() -> None:
    assert in_known_second("2031-03-01T08:15:30.123Z") is None
    assert moment("2031-03-01T08:15:30.000000Z")[1] == 1930119330000
    assert in_known_second("2031-03-01T08:15:30.123Z") == ("2031-03-01T08:15:30.123000Z", 1930119330123)
    for odd in ("2031-03-01T08:15:30.12٣Z", "2031-03-01T08:15:30.123+", "2031-03-01T08:15:30+0700"):
        assert in_known_second(odd) is None
    assert moment("2031-03-01T08:15:30.12345٦Z") == (None, None)


def test_plain() -> None:
    odd: list[Any] = ["a", 5, {"#text": 6}, None, True, [], {}, 1.5]
    assert [plain(one) for one in odd] == ["a", "5", "6", "", "", "", "", ""]


# ------------------------------------------------------------------ the data


def test_4688_names_the_new_process_and_its_creator() -> None:
    doc = security(
        "4688",
        SubjectUserName="alice",
        SubjectDomainName="EXAMPLE",
        SubjectUserSid="S-1-5-21-1",
        NewProcessId="0x1092",
        NewProcessName=r"C:\Windows\System32\cmd.exe",
        ProcessId="0x264",
        CommandLine="cmd /c whoami",
        TargetUserName="-",
        ParentProcessName=r"C:\Windows\explorer.exe",
    )
    assert doc["process"] == {
        "executable": r"C:\Windows\System32\cmd.exe",
        "name": "cmd.exe",
        "command_line": "cmd /c whoami",
        "pid": 0x1092,
        "parent": {"executable": r"C:\Windows\explorer.exe", "pid": 0x264},
    }
    assert doc["user"] == {"name": "alice", "domain": "EXAMPLE", "id": "S-1-5-21-1"}


def test_a_logon_is_about_the_one_who_logs_on() -> None:
    doc = security(
        "4624",
        SubjectUserName="DC01$",
        TargetUserName="alice",
        TargetDomainName="EXAMPLE",
        IpAddress="198.51.100.7",
        IpPort="0",
    )
    assert doc["user"] == {"name": "alice", "domain": "EXAMPLE"}
    assert doc["source"] == {"ip": "198.51.100.7"}


def test_a_connection() -> None:
    doc = sysmon(
        "3",
        Image=r"C:\a.exe",
        User=r"NT AUTHORITY\SYSTEM",
        Protocol="tcp",
        SourceIp="fe80::1",
        SourcePort=50123,
        DestinationIp="::ffff:203.0.113.9",
        DestinationPort="443",
        DestinationHostname="c2.example.net",
    )
    assert doc["source"] == {"ip": "fe80::1", "port": 50123}
    assert doc["destination"] == {"ip": "203.0.113.9", "port": 443, "domain": "c2.example.net"}
    assert doc["network"] == {"transport": "tcp"}
    assert doc["user"] == {"domain": "NT AUTHORITY", "name": "SYSTEM"}


def test_a_filtered_connection_of_the_security_log() -> None:
    doc = security("5156", ProcessID="4", Application="System", Protocol="17", DestAddress="203.0.113.9", DestPort="53")
    assert doc["process"] == {"executable": "System", "name": "System", "pid": 4}
    assert doc["destination"] == {"ip": "203.0.113.9", "port": 53}
    assert doc["network"] == {"transport": "udp"}


def test_files_hashes_and_questions() -> None:
    assert sysmon("11", TargetFilename=r"C:\Temp\x.ps1")["file"] == {"path": r"C:\Temp\x.ps1", "name": "x.ps1"}
    hashes = f"SHA1={'A' * 40},MD5={'B' * 32},SHA256={'C' * 64},IMPHASH={'D' * 32},MD5"
    assert sysmon("7", Hashes=hashes)["file"]["hash"] == {"sha1": "a" * 40, "md5": "b" * 32, "sha256": "c" * 64}
    assert sysmon("22", QueryName="evil.example.org")["dns"] == {"question": {"name": "evil.example.org"}}
    assert security("4663", ObjectType="File", ObjectName=r"C:\secret.txt")["file"]["name"] == "secret.txt"
    assert "file" not in security("4663", ObjectType="Key", ObjectName=r"\REGISTRY\MACHINE")


def test_a_flat_events_process_id_is_the_logging_one() -> None:
    assert "process" not in sysmon("26", ProcessID=5516)


@pytest.mark.parametrize(
    "data",
    [
        {"Image": None, "ProcessId": "x", "User": 5, "Hashes": [], "SourceIp": "localhost", "SourcePort": "99999"},
        {"Image": "-", "ProcessId": "0x", "User": "", "Hashes": "MD5=1", "SourceIp": {}, "SourcePort": -1},
        {"ProcessId": "9" * 5000, "SubjectUserName": {}, "Protocol": [], "QueryName": 1},
    ],
)
def test_values_that_are_none_fill_nothing(data: dict[str, Any]) -> None:
    assert set(sysmon("3", **data)) == {"event", "log"}


def test_odd_levels_and_keywords_raise_nothing() -> None:
    assert document("p", "c", "1", {"#text": 3}, [1], {})["log"] == {"level": "warning"}
    assert document("p", "c", "1", [], {}, {})["log"] == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["Image", "ProcessId", "User", "Hashes", "SourceIp", "IpPort", "Protocol", "TargetUserName", "ObjectType"]
)


@given(st.dictionaries(st.sampled_from(sorted(SYSTEM)), JSON), st.dictionaries(NAMES, JSON))
def test_arbitrary_values_raise_nothing(system: dict[str, Any], data: dict[str, Any]) -> None:
    doc = made(data, **system)
    assert orjson.dumps({name: part for name, part in doc.items() if name != "winlog"})
