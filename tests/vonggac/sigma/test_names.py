"""Sigma names in events of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from vonggac.sigma.names import lookup_of, walk, windows_of

EVTX = {
    "Event": {
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Eventlog", "Guid": "{FC65DDD8}"}},
            "EventID": {"#text": 104, "#attributes": {"Qualifiers": 0}},
            "Channel": "System",
            "Computer": "pc1.example.org",
            "Execution": {"#attributes": {"ProcessID": 788, "ThreadID": 792}},
            "Keywords": "0x8000000000000000",
            "Correlation": None,
        },
        "EventData": {"Threat Name": "EICAR", "Empty": None, "User": {"#text": "bob"}},
        "UserData": {
            "LogFileCleared": {"#attributes": {"xmlns": "x"}, "SubjectUserName": "eve", "Channel": "Security"}
        },
    }
}
WINLOGBEAT = {
    "channel": "Microsoft-Windows-Sysmon/Operational",
    "provider_name": "Microsoft-Windows-Sysmon",
    "computer_name": "pc1",
    "event_id": "1",
    "process": {"pid": 12, "thread": {"id": 13}},
    "event_data": {"CommandLine": "whoami", "param1": "x", "param2": "y"},
}
FLAT = {
    "Channel": "Security",
    "EventID": 4688,
    "SourceName": "Microsoft-Windows-Security-Auditing",
    "Hostname": "pc1",
    "NewProcessName": "C:\\Windows\\System32\\whoami.exe",
    "ParentProcessName": "C:\\Windows\\explorer.exe",
    "ExecutionProcessID": 4,
}


@pytest.mark.parametrize(
    ("winlog", "name", "values"),
    [
        (EVTX, "EventID", (104,)),
        (EVTX, "EventID_Qualifiers", (0,)),
        (EVTX, "Provider_Name", ("Microsoft-Windows-Eventlog",)),
        (EVTX, "Execution_ProcessID", (788,)),
        (EVTX, "Keywords", ("0x8000000000000000",)),
        (EVTX, "Channel", ("System",)),
        (EVTX, "Computer", ("pc1.example.org",)),
        (EVTX, "SubjectUserName", ("eve",)),
        (EVTX, "ThreatName", ("EICAR",)),
        (EVTX, "Threat Name", ("EICAR",)),
        (EVTX, "User", ("bob",)),
        (EVTX, "Empty", ("",)),
        (EVTX, "Correlation", ("",)),
        (EVTX, "Nothing", None),
        (EVTX, "Provider_Nothing", None),
        (WINLOGBEAT, "EventID", ("1",)),
        (WINLOGBEAT, "Channel", ("Microsoft-Windows-Sysmon/Operational",)),
        (WINLOGBEAT, "Provider_Name", ("Microsoft-Windows-Sysmon",)),
        (WINLOGBEAT, "Computer", ("pc1",)),
        (WINLOGBEAT, "Execution_ThreadID", (13,)),
        (WINLOGBEAT, "CommandLine", ("whoami",)),
        (WINLOGBEAT, "Data", ("x", "y")),
        (FLAT, "EventID", (4688,)),
        (FLAT, "Provider_Name", ("Microsoft-Windows-Security-Auditing",)),
        (FLAT, "Computer", ("pc1",)),
        (FLAT, "Image", ("C:\\Windows\\System32\\whoami.exe",)),
        (FLAT, "ParentImage", ("C:\\Windows\\explorer.exe",)),
        (FLAT, "NewProcessName", ("C:\\Windows\\System32\\whoami.exe",)),
        (FLAT, "CommandLine", None),
        (FLAT, "Execution_ProcessID", (4,)),
    ],
)
def test_windows(winlog: dict[str, Any], name: str, values: tuple[Any, ...] | None) -> None:
    assert lookup_of({"winlog": winlog})(name) == values


def evtx(data: Any, channel: str = "Application", code: int = 1, user: Any = None) -> dict[str, Any]:
    return {"winlog": {"Event": {"System": {"Channel": channel, "EventID": code}, "EventData": data, "UserData": user}}}


def test_unnamed_data() -> None:
    several = lookup_of(evtx({"Data": {"#text": ["a", "b"]}}))
    assert (several("Data"), several("param2"), several("param3")) == (("a", "b"), ("b",), None)
    assert lookup_of(evtx({"Data": "a"}))("Data") == ("a",)
    assert lookup_of(evtx({"Data": ["a", None]}))("Data") == ("a", "")
    assert lookup_of(evtx({"param1": "named"}))("param1") == ("named",)


def test_nested_user_data_and_its_attributes() -> None:
    user = {"Cert": {"Details": {"#attributes": {"Thumb": "ab"}, "Action": {"#text": "Export"}}, "Action": "outer"}}
    look = lookup_of(evtx(None, user=user))
    assert (look("Action"), look("Details_Thumb")) == (("outer",), ("ab",))


def test_defender_as_antivirus_and_hashes_of_sysmon() -> None:
    defender = lookup_of(
        evtx({"Threat Name": "T", "Path": "p"}, "Microsoft-Windows-Windows Defender/Operational", 1116)
    )
    assert (defender("Signature"), defender("Filename")) == (("T",), ("p",))
    sysmon = lookup_of(evtx({"Hashes": "SHA1=AA,MD5=BB"}, "Microsoft-Windows-Sysmon/Operational"))
    assert (sysmon("md5"), sysmon("sha256"), sysmon("Image")) == (("BB",), None, None)


@pytest.mark.parametrize(
    "winlog", [{}, {"Event": None}, {"Event": {"System": [], "EventData": "x", "UserData": 5}}, {"event_data": None}]
)
def test_windows_events_of_any_shape(winlog: dict[str, Any]) -> None:
    assert lookup_of({"winlog": winlog})("Image") is None


RECORDS = [
    {"type": "SYSCALL", "arch": "c000003e", "syscall": "59", "exe": "/usr/bin/curl", "ppid": "7", "a0": "55d1"},
    {"type": "EXECVE", "argc": "3", "a0": "curl", "a1": "-o", "a2": "x"},
    {"type": "CWD", "cwd": "/tmp"},
    {"type": "PATH", "name": "/usr/bin/curl"},
    {"type": "PATH", "name": "/lib64/ld.so"},
]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("type", ("SYSCALL", "EXECVE", "CWD", "PATH", "PATH")),
        ("name", ("/usr/bin/curl", "/lib64/ld.so")),
        ("a0", ("55d1", "curl")),
        ("SYSCALL", ("execve",)),
        ("Image", ("/usr/bin/curl",)),
        ("CommandLine", ("curl -o x",)),
        ("CurrentDirectory", ("/tmp",)),
        ("ParentProcessId", ("7",)),
        ("a9", None),
    ],
)
def test_auditd_asks_every_record(name: str, values: tuple[Any, ...] | None) -> None:
    assert lookup_of({"auditd": {"records": RECORDS}})(name) == values


WEB = {
    "event": {"dataset": "web.access"},
    "url": {"original": "/a/b.php?x=1", "path": "/a/b.php", "query": "x=1", "domain": "www.example.org"},
    "http": {"request": {"method": "GET", "referrer": "http://example.com/"}, "response": {"status_code": 404}},
    "user_agent": {"original": "curl/8"},
    "source": {"ip": "203.0.113.5"},
}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cs-method", ("GET",)),
        ("c-uri", ("/a/b.php?x=1",)),
        ("cs-uri-query", ("x=1", "/a/b.php?x=1")),
        ("cs-uri-stem", ("/a/b.php",)),
        ("c-uri-extension", ("php",)),
        ("sc-status", (404,)),
        ("cs-user-agent", ("curl/8",)),
        ("c-useragent", ("curl/8",)),
        ("cs-referer", ("http://example.com/",)),
        ("cs-host", ("www.example.org",)),
        ("c-ip", ("203.0.113.5",)),
        ("src_ip", ("203.0.113.5",)),
        ("url.path", ("/a/b.php",)),
        ("cs-username", None),
        ("nonsense", None),
    ],
)
def test_web(name: str, values: tuple[Any, ...] | None) -> None:
    assert lookup_of(WEB)(name) == values


def test_the_vendors_own_names_come_first() -> None:
    iis = lookup_of({"iis": {"cs(User-Agent)": "x", "cs-uri-query": "a=1"}, "url": {"original": "/o?a=1"}})
    assert (iis("cs-user-agent"), iis("cs-uri-query")) == (("x",), ("a=1", "/o?a=1"))
    zeek = lookup_of({"zeek": {"id.orig_h": "192.0.2.1", "query": "q.example", "answers": ["a", "b"]}})
    assert (zeek("id.orig_h"), zeek("src_ip"), zeek("query"), zeek("answer")) == (
        ("192.0.2.1",),
        ("192.0.2.1",),
        ("q.example",),
        ("a", "b"),
    )
    trail = lookup_of({"aws": {"cloudtrail": {"userIdentity": {"type": "Root"}, "responseElements": None}}})
    assert (trail("userIdentity.type"), trail("responseElements"), trail("nope")) == (("Root",), (None,), None)
    assert lookup_of({"suricata": {"eve": {"alert": {"severity": 1}}}})("alert.severity") == (1,)


def test_dotted_names_as_one_key_first_then_nested_and_through_lists() -> None:
    assert walk({"a.b": 1, "a": {"b": 2}}, "a.b") == (1,)
    assert walk({"a": {"b.c": 3}}, "a.b.c") == (3,)
    assert walk({"a": [{"b": 1}, {"c": 2}, {"b": [3, 4]}]}, "a.b") == (1, 3, 4)
    assert walk({"a": []}, "a") == ()
    assert walk({"a": {"b": 1}}, "a.c") is None
    assert walk("text", "a") is None
    assert walk({"": {"": 1}}, ".") is None


NAMES_ASKED = (
    "EventID",
    "Channel",
    "Provider_Name",
    "Image",
    "ThreatName",
    "param1",
    "Data",
    "md5",
    "User",
    "@timestamp",
)


@pytest.mark.parametrize(
    "winlog",
    [
        {"Channel": "Security", "EventID": 4688, "NewProcessName": "a.exe", "Hashes": "MD5=1"},
        {"channel": "System", "Channel": None, "EventID": "1", "Image": None},
        {"Event": {"System": {"Channel": "System", "EventID": 1, "Provider": {"#attributes": {"Name": "x"}}}}},
        {
            "Event": {
                "System": {"EventID": {"#text": 1}},
                "EventData": {"Image": "a", "Threat Name": "t", "Data": ["x"]},
            }
        },
        {"channel": "System", "event_id": 1, "event_data": {"param1": "x", "Image": "a"}, "provider_name": "p"},
        {"event_data": {"Image": "a"}, "process": {"pid": 1}},
    ],
)
def test_where_a_field_stands_is_known_from_an_events_shape(winlog: dict[str, Any]) -> None:
    """`place` says beforehand what `values` finds: a plain value under a key, or nothing; else it says "ask"."""
    windows = windows_of({"winlog": winlog, "@timestamp": "2026-03-01T01:02:03Z", "user": {"name": "n"}})
    assert windows is not None
    assert windows.shape() is not None
    header, data = windows.parts()
    for name in NAMES_ASKED:
        place, key = windows.place(name)
        if place == "absent":
            assert windows.values(name) is None
        elif place == "data" and data[key] is None:
            assert windows.values(name) == ("",)
        elif place != "ask":
            value = (header if place == "header" else data)[key]
            if isinstance(value, str | int):
                assert windows.values(name) == (value,)
    assert windows.place("Unknown") == ("absent", "Unknown")


def test_events_with_elements_below_user_data_have_no_shape() -> None:
    windows = windows_of({"winlog": {"Event": {"System": {}, "UserData": {"a": {"b": "1"}}}}})
    assert windows is not None
    assert windows.shape() is None
