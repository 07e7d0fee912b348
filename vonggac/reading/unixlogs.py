"""What the messages of well-known Unix programs say, as ECS fields: sshd, sudo, su, PAM, cron, netfilter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from vonggac.reading.bodies import address, cef, json_tail, key_values, port, put

_LIMIT: Final = 1024  # sshd and its like write short lines; a longer one is not searched


def explain(doc: dict[str, Any], program: str, message: str, notes: list[str]) -> dict[str, Any]:
    """Fill ECS fields of `doc` from a program's message; give the parts of its body: `cef`, `json`, `kv`.

    `notes` takes what was odd about the body (a JSON key that stands twice).
    """
    body: dict[str, Any] = {}
    if message.endswith("}"):
        value, warning = json_tail(message)
        if value is not None:
            body["json"] = value
            if warning:
                notes.append(warning)
            return body
    if "CEF:" in message and (fields := cef(message)):
        body["cef"] = fields
        _map(doc, fields, _CEF)
        return body
    reader = _PROGRAMS.get(program)
    if reader is not None and len(message) <= _LIMIT and reader(doc, message, body):
        return body
    equals = message.count("=")
    if equals and "pam_" in message and len(message) <= _LIMIT:
        _pam(doc, message, body)
    if equals >= 2 and "kv" not in body and (pairs := key_values(message)):
        body["kv"] = pairs
        _map(doc, pairs, _KV)
    return body


def _sshd(doc: dict[str, Any], message: str, body: dict[str, Any]) -> bool:
    match = _SSH_LOGIN.match(message)
    if match:
        word, user, ip, number = match.groups()
        _login(doc, "ssh_login", "success" if word == "Accepted" else "failure", user, ip, number)
        return True
    match = _SSH_END.search(message)
    if match:
        user, ip, number = match.groups()
        put(doc, "user.name", user)
        put(doc, "source.ip", address(ip))
        put(doc, "source.port", port(number))
        return True
    return False


def _sudo(doc: dict[str, Any], message: str, body: dict[str, Any]) -> bool:
    match = _SUDO.match(message)
    if match is None:
        return False
    user, rest = match.groups()
    before, _, command = rest.partition("COMMAND=")
    pairs = dict(part.split("=", 1) for part in before.split(" ; ") if "=" in part)
    refused = any(part in before for part in ("incorrect password", "NOT in sudoers", "not allowed"))
    _login(doc, "sudo", "failure" if refused else "success", user, None, None)
    if command:
        put(doc, "process.command_line", command)
        pairs["COMMAND"] = command
    body["kv"] = {name.strip(): value.strip(" ;") for name, value in pairs.items()}
    return True


def _su(doc: dict[str, Any], message: str, body: dict[str, Any]) -> bool:
    match = _SU.match(message)
    if match is None:
        return False
    failed, user = match.groups()
    _login(doc, "su", "failure" if failed else "success", user, None, None)
    return True


def _cron(doc: dict[str, Any], message: str, body: dict[str, Any]) -> bool:
    match = _CRON.match(message)
    if match is None:
        return False
    put(doc, "user.name", match[1])
    put(doc, "process.command_line", match[2])
    return True


def _accounts(doc: dict[str, Any], message: str, body: dict[str, Any]) -> bool:
    match = _ACCOUNT.match(message)
    if match is None:
        return False
    kind, name = match.groups()
    doc["event"]["category"] = ["iam"]
    doc["event"]["action"] = f"{kind}_added"
    put(doc, "user.name", name if kind == "user" else None)
    return False  # the pairs are still to be taken


def _kernel(doc: dict[str, Any], message: str, body: dict[str, Any]) -> bool:
    if " DST=" not in message:
        return False
    body["kv"] = pairs = key_values(message)
    doc["event"]["category"] = ["network"]
    if match := _UFW.search(message):
        doc["event"]["action"] = match[1].lower()
    _map(doc, pairs, _KV)
    return True


def _pam(doc: dict[str, Any], message: str, body: dict[str, Any]) -> None:
    body["kv"] = pairs = key_values(message)
    if match := _PAM_SESSION.search(message):
        doc["event"]["category"] = ["session"]
        doc["event"]["action"] = f"session_{match[1]}"
        put(doc, "user.name", match[2])
    elif "authentication failure" in message:
        _login(doc, "login", "failure", pairs.get("user"), pairs.get("rhost"), None)


def _login(
    doc: dict[str, Any], action: str, outcome: str, user: str | None, ip: str | None, number: str | None
) -> None:
    doc["event"].update(category=["authentication"], action=action, outcome=outcome)
    put(doc, "user.name", user)
    put(doc, "source.ip", address(ip) if ip else None)
    put(doc, "source.port", port(number))


def _map(doc: dict[str, Any], pairs: Mapping[str, str], table: Mapping[str, str]) -> None:
    for name, value in pairs.items():
        if name in table and value not in _NOTHING:
            path = table[name]
            change = _CONVERT.get(path)
            put(doc, path, change(value) if change else value)


_SSH_LOGIN: Final = re.compile(
    r"(?:error: )?(Accepted|Failed|Invalid|Illegal|maximum) "
    r"(?:\S+ for |user |authentication attempts exceeded for )(?:invalid user |illegal user )?"
    r"(.*) from (\S+)(?: port (\d+))?(?= ssh2|:|$| \[)",
    re.ASCII,
)
# Disconnected from authenticating user root 192.0.2.1 port 59402 [preauth] · Connection closed by 192.0.2.1 port 22
_SSH_END: Final = re.compile(
    r"\b(?:from|by) (?:(?:authenticating |invalid )?user (\S*) )?(\S+)(?: port (\d+))?(?=:| \[preauth\]| on |$)",
    re.ASCII,
)
_SUDO: Final = re.compile(r" *(\S+) : (.*)", re.S)
_SU: Final = re.compile(r"(FAILED SU )?\(to \S+\) (\S+) on ")
_CRON: Final = re.compile(r"\((\S+)\) CMD \((.*)\)$", re.S)
_ACCOUNT: Final = re.compile(r"new (user|group): name=([^,\s]+)")
_NOTHING: Final = frozenset(("-", "N/A", "?"))
_UFW: Final = re.compile(r"\[UFW (\w+)\]")
_PAM_SESSION: Final = re.compile(r"session (opened|closed) for user ([^\s(]+)")
_PROGRAMS: Final[dict[str, Callable[[dict[str, Any], str, dict[str, Any]], bool]]] = {
    "sshd": _sshd,
    "sshd-session": _sshd,
    "sudo": _sudo,
    "su": _su,
    "CRON": _cron,
    "cron": _cron,
    "crond": _cron,
    "useradd": _accounts,
    "groupadd": _accounts,
    "kernel": _kernel,
}
_CONVERT: Final[dict[str, Callable[[str], Any]]] = {
    "source.ip": address,
    "destination.ip": address,
    "source.port": port,
    "destination.port": port,
    "network.transport": str.lower,
    "user.name": lambda name: name.strip("<>"),
}
#: netfilter's names, FortiGate's, Dovecot's, PAM's
_KV: Final = {
    "SRC": "source.ip",
    "DST": "destination.ip",
    "SPT": "source.port",
    "DPT": "destination.port",
    "PROTO": "network.transport",
    "srcip": "source.ip",
    "dstip": "destination.ip",
    "srcport": "source.port",
    "dstport": "destination.port",
    "remip": "source.ip",
    "rip": "source.ip",
    "lip": "destination.ip",
    "rhost": "source.ip",
    "user": "user.name",
}
_CEF: Final = {
    "src": "source.ip",
    "dst": "destination.ip",
    "spt": "source.port",
    "dpt": "destination.port",
    "dhost": "destination.domain",
    "suser": "user.name",
    "duser": "user.name",
    "proto": "network.transport",
    "app": "network.protocol",
    "request": "url.original",
    "requestMethod": "http.request.method",
    "requestClientApplication": "user_agent.original",
    "fname": "file.name",
    "filePath": "file.path",
    "sproc": "process.name",
    "act": "event.action",
    "outcome": "event.outcome",
    "deviceEventClassId": "event.code",
    "deviceVendor": "event.provider",
}
