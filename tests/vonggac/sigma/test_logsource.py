"""Which log sources an event belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from vonggac.event import LogSource
from vonggac.sigma.logsource import sources_of
from vonggac.testing import make_event

SYSMON = "Microsoft-Windows-Sysmon/Operational"


def of(doc: dict[str, Any]) -> list[str]:
    return [str(one) for one in sources_of(make_event(doc))]


def windows(channel: str, code: int | str, provider: str = "", **data: Any) -> list[str]:
    system = {"Channel": channel, "EventID": code, "Provider": {"#attributes": {"Name": provider}}}
    return of({"winlog": {"Event": {"System": system, "EventData": data}}})


ADDED, DELETED = {"EventType": "CreateKey"}, {"EventType": "DeleteValue"}


def source(category: str | None, service: str) -> str:
    return str(LogSource("windows", category, service))


@pytest.mark.parametrize(
    ("channel", "code", "data", "sources"),
    [
        (SYSMON, 1, {}, [source("process_creation", "sysmon")]),
        (SYSMON, "1", {}, [source("process_creation", "sysmon")]),
        (SYSMON.upper(), 1, {}, [source("process_creation", "sysmon")]),
        (SYSMON, 12, ADDED, [source("registry_event", "sysmon"), source("registry_add", "sysmon")]),
        (SYSMON, 12, DELETED, [source("registry_event", "sysmon"), source("registry_delete", "sysmon")]),
        (SYSMON, 12, {"EventType": "INFO"}, [source("registry_event", "sysmon")]),
        (SYSMON, 13, {}, [source("registry_event", "sysmon"), source("registry_set", "sysmon")]),
        (SYSMON, 99, {}, [source(None, "sysmon")]),
        ("Security", 4624, {}, [source(None, "security")]),
        ("Security", 4688, {}, [source("process_creation", "security")]),
        ("Microsoft-Windows-PowerShell/Operational", 4104, {}, [source("ps_script", "powershell")]),
        ("PowerShellCore/Operational", 4103, {}, [source("ps_module", "powershell")]),
        ("Windows PowerShell", 400, {}, [source("ps_classic_start", "powershell-classic")]),
        ("System", 400, {}, [source(None, "system")]),
        ("Microsoft-Windows-Windows Defender/Operational", 1116, {}, [source("antivirus", "windefend")]),
        ("Microsoft-Windows-Windows Defender/Operational", 5001, {}, [source(None, "windefend")]),
        ("Somebody's Own/Log", 1, {}, ["product=windows"]),
        ("", 1, {}, ["product=windows"]),
    ],
)  # fmt: skip
def test_windows(channel: str, code: int | str, data: dict[str, str], sources: list[str]) -> None:
    assert windows(channel, code, **data) == sources


def test_4688_counts_only_from_its_own_provider() -> None:
    assert windows("Security", 4688, "Microsoft-Windows-Security-Auditing") == [source("process_creation", "security")]
    assert windows("Security", 4688, "Somebody") == [source(None, "security")]


def test_the_provider_stands_in_for_a_channel_that_was_left_out() -> None:
    assert of({"winlog": {"EventID": 1, "SourceName": "Microsoft-Windows-Sysmon"}}) == [
        source("process_creation", "sysmon")
    ]


def test_the_systems_channel_wins_over_user_data() -> None:
    system = {"Channel": "System", "EventID": 104}
    user = {"LogFileCleared": {"Channel": "Security"}}
    assert of({"winlog": {"Event": {"System": system, "UserData": user}}}) == [source(None, "system")]


def test_the_other_shapes() -> None:
    beat = {"channel": SYSMON, "event_id": "3", "event_data": {}}
    assert of({"winlog": beat}) == [source("network_connection", "sysmon")]
    assert of({"winlog": {"Channel": SYSMON, "EventID": 22}}) == [source("dns_query", "sysmon")]
    linux = {"Channel": "Linux-Sysmon/Operational", "EventID": 1, "SourceName": "Linux-Sysmon"}
    assert of({"winlog": linux}) == ["product=linux,category=process_creation,service=sysmon"]


def dataset(name: str, **more: Any) -> list[str]:
    return of({"event": {"module": name.partition(".")[0], "dataset": name}, **more})


@pytest.mark.parametrize(
    ("name", "more", "sources"),
    [
        ("linux.syslog", {"process": {"name": "sshd"}}, ["product=linux,service=sshd", "product=linux,service=auth"]),
        ("linux.syslog", {"process": {"name": "sudo"}}, ["product=linux,service=sudo", "product=linux,service=auth"]),
        ("linux.syslog", {"process": {"name": "CRON"}}, ["product=linux,service=cron", "product=linux,service=syslog"]),
        ("linux.syslog", {"process": {"name": "kernel"}}, ["product=linux,service=syslog"]),
        ("linux.syslog", {"log": {"syslog": {"priority": 86}}}, ["product=linux,service=auth"]),
        ("linux.syslog", {"log": {"syslog": {"priority": 30}}}, ["product=linux,service=syslog"]),
        ("linux.journald", {"process": {"name": "su"}}, ["product=linux,service=auth"]),
        ("linux.auditd", {"auditd": {"records": [{"type": "USER_CMD"}]}}, ["product=linux,service=auditd"]),
        (
            "linux.auditd",
            {"auditd": {"records": [{"type": "EXECVE"}]}},
            ["product=linux,category=process_creation,service=auditd"],
        ),
        (
            "linux.auditd",
            {"auditd": {"records": [{"type": "SYSCALL", "arch": "c000003e", "syscall": "59"}]}},
            ["product=linux,category=process_creation,service=auditd"],
        ),
        ("zeek.dns", {}, ["product=zeek,category=dns,service=dns", "category=network,service=dns"]),
        ("zeek.http", {}, ["product=zeek,category=proxy,service=http", "product=zeek,category=webserver,service=http"]),
        ("zeek.x509", {}, ["product=zeek,service=x509"]),
        ("suricata.alert", {}, ["product=suricata,service=alert"]),
        ("web.access", {}, ["category=webserver"]),
        ("aws.cloudtrail", {}, ["product=aws,service=cloudtrail"]),
        ("network.dns", {}, ["category=dns", "category=network,service=dns"]),
        ("network.http", {}, ["category=proxy", "category=webserver"]),
        ("network.flow", {}, ["category=network,service=connection", "service=netflow"]),
        ("json.x", {}, []),
    ],
)  # fmt: skip
def test_other_modules(name: str, more: dict[str, Any], sources: list[str]) -> None:
    assert dataset(name, **more) == sources


def test_what_a_person_said_wins() -> None:
    said = {
        "vonggac": {"logsource": {"product": "okta", "service": "okta"}},
        "event": {"module": "zeek", "dataset": "zeek.dns"},
    }
    assert of(said) == ["product=okta,service=okta"]
    assert of({"vonggac": {"logsource": {"category": "dns"}}}) == ["category=dns"]
