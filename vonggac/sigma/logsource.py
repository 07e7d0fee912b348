"""Which log sources an event belongs to, so that only the rules for those are tried; none = unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vonggac.event import Event, LogSource
from vonggac.sigma._tables import (
    ALSO,
    AUTH_PROGRAMS,
    CATEGORIES,
    PROGRAMS,
    REGISTRY,
    SYSMON,
    SYSMON_LINUX,
)
from vonggac.sigma.names import Windows, lookup_of, windows_of


def sources_of(event: Event, windows: Windows | None = None) -> tuple[LogSource, ...]:
    """List the log sources of an event, each as full as it is known; () = unknown, tried against every rule.

    `windows` is `windows_of` the event's document, if the caller has it (1 µs).
    What a person said (`--logsource`, kept in `vonggac.logsource`) wins over all that the event says.
    """
    doc = event.doc
    if (said := doc.get("vonggac", {}).get("logsource")) is not None:
        return (LogSource(**said),)
    if windows is not None or (windows := windows_of(doc)) is not None:
        return _windows(windows)
    about = doc.get("event", {})
    module, dataset = str(about.get("module", "")), str(about.get("dataset", ""))
    kind = dataset.partition(".")[2]
    if dataset == "linux.auditd":
        return (_auditd(doc),)
    if module == "linux":
        return _linux(doc)
    if dataset in _DATASETS:
        return _DATASETS[dataset]
    if module in ("zeek", "suricata"):
        known = tuple(LogSource(module, category, kind) for category in _NETWORK.get(kind, ()))
        return known or (LogSource(module, None, kind),)
    if dataset == "web.access":
        return _web(about)
    return ()


def _windows(record: Windows) -> tuple[LogSource, ...]:
    code = record.text("EventID")
    provider = record.text("Provider_Name").lower()
    if provider == "linux-sysmon":
        return (LogSource("linux", SYSMON_LINUX.get(code), "sysmon"),)
    service = record.service
    if service is None:
        return (LogSource("windows"),)
    categories: tuple[str, ...] = ()
    if service == "sysmon":
        categories = SYSMON.get(code, ())
        if code == "12":
            event_type = record.values("EventType")
            exact = REGISTRY.get(str(event_type[0]).lower()) if event_type else None
            categories = (*categories, exact) if exact else categories
    elif service != "security" or provider in ("", "microsoft-windows-security-auditing"):
        categories = CATEGORIES.get((service, code), ())
    found = [LogSource("windows", category, service) for category in categories or (None,)]
    if service in ALSO:
        found.append(LogSource("windows", None, ALSO[service]))
    return tuple(found)


def _auditd(doc: Mapping[str, Any]) -> LogSource:
    lookup = lookup_of(doc)
    types = {str(one).upper() for one in lookup("type") or ()}
    calls = set(lookup("SYSCALL") or ())
    started = "EXECVE" in types or not calls.isdisjoint(("execve", "execveat"))
    return LogSource("linux", "process_creation" if started else None, "auditd")


def _linux(doc: Mapping[str, Any]) -> tuple[LogSource, ...]:
    """Syslog and the journal: by the program's name, and auth.log against syslog by facility or program."""
    program = str(doc.get("process", {}).get("name") or "").lower()
    syslog = doc.get("log", {}).get("syslog", {})
    priority = syslog.get("priority") if isinstance(syslog, dict) else None
    auth = program in AUTH_PROGRAMS or (isinstance(priority, int) and priority >> 3 in (4, 10))
    found = [LogSource("linux", None, PROGRAMS[program])] if program in PROGRAMS else []
    return (*found, LogSource("linux", None, "auth" if auth else "syslog"))


def _web(about: Mapping[str, Any]) -> tuple[LogSource, ...]:
    server = str(about.get("provider") or "").lower()
    return (LogSource(None, "webserver", server if server in ("apache", "nginx", "iis") else None),)


#: Zeek's and Suricata's logs whose fields have generic names too
_NETWORK: Final = {"dns": ("dns",), "http": ("proxy", "webserver"), "conn": ("network",), "flow": ("network",)}

_DATASETS: Final = {
    "aws.cloudtrail": (LogSource("aws", None, "cloudtrail"),),
    "network.dns": (LogSource(None, "dns", None), LogSource(None, "network", "dns")),
    "network.flow": (LogSource(None, "network", "connection"), LogSource(None, None, "netflow")),
    "network.http": (LogSource(None, "proxy", None), LogSource(None, "webserver", None)),
    "network.tls": (LogSource(None, "network", "tls"),),
    "zeek.conn": (LogSource("zeek", None, "conn"), LogSource(None, "network", "connection")),
    "zeek.dns": (LogSource("zeek", "dns", "dns"), LogSource(None, "network", "dns")),
    "suricata.flow": (LogSource("suricata", None, "flow"), LogSource(None, "network", "connection")),
    "suricata.dns": (LogSource("suricata", "dns", "dns"), LogSource(None, "network", "dns")),
}
