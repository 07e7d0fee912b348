"""What the named data of a Windows event say in ECS: for each kind of event, the steps that take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from vonggac.reading._windows import (
    ABOUT_TARGET,
    ACCOUNT,
    FIELDS,
    FILTERING,
    LOGGER,
    SUBJECT,
    TARGET,
    TRANSPORTS,
)
from vonggac.reading.bodies import address, port

Doc = dict[str, Any]
Step = Callable[[Mapping[str, Any], Doc], None]


def plan_of(dataset: str, code: str, data: Mapping[str, Any]) -> tuple[Step, ...]:
    """List what is to be taken from the data of one kind of event."""
    security = dataset == "windows.security"
    steps: list[Step] = []
    for group, field, how, names in FIELDS:
        if security and code == "4688" and field == "pid":
            # here ProcessId is the creator's
            names = ("NewProcessId",) if group == "process" else ("ProcessId",)
        elif security and code in FILTERING and field == "pid" and group == "process":
            names = ("ProcessID", "ProcessId")
        steps += [_STEPS[how](group, field, name) for name in reversed(names) if name in data]
    if "Protocol" in data:
        steps.append(_transport)
    if security and "ObjectType" in data and "ObjectName" in data:
        steps.append(_object)
    order = (LOGGER, SUBJECT, ACCOUNT, TARGET) if code in ABOUT_TARGET else (LOGGER, ACCOUNT, TARGET, SUBJECT)
    steps += [_account(*names) for names in order if names[0] in data and (names != ACCOUNT or names[1] in data)]
    if "User" in data:
        steps.append(_user)
    return tuple(steps)


def plain(value: Any) -> str:
    """Give an element's text: `4104`, `"Security"`, `{"#attributes": {…}, "#text": 4104}`; "" for anything else."""
    if isinstance(value, dict):
        value = value.get("#text")
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    return ""


# Each step sets its field when the value is one; of several steps for a field the last counts. Events of Windows spend
# most of their time here, so what could be shared is written out: a call costs 0.05 µs.


def _text(group: str, field: str, name: str) -> Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and value not in _NOTHING:
            doc.setdefault(group, {})[field] = value

    def parent(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and value not in _NOTHING:
            doc.setdefault("process", {}).setdefault("parent", {})[field] = value

    return parent if group == _PARENT else step


def _path(group: str, field: str, name: str) -> Step:
    r"""Take a path, and its last part as the name: `C:\Windows\System32\cmd.exe`."""

    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and value not in _NOTHING:
            place = doc.setdefault(group, {})
            place[field] = value
            place["name"] = value[value.rfind("\\") + 1 :] or value

    return step


def _number(group: str, field: str, name: str) -> Step:
    """Take a process id: `4242`, `"4242"`, `"0x1092"`; 0 stands for none."""

    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str:
            if len(value) > 18:
                return
            try:
                value = int(value, 16) if value.startswith(_HEX) else int(value)
            except ValueError:
                return
        if value.__class__ is int and 0 < value < 1 << 63:
            if group == _PARENT:
                doc.setdefault("process", {}).setdefault("parent", {})[field] = value
            else:
                doc.setdefault(group, {})[field] = value

    return step


def _address(group: str, field: str, name: str) -> Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and (ip := address(value.removeprefix("::ffff:"))):
            doc.setdefault(group, {})[field] = ip

    return step


def _port(group: str, field: str, name: str) -> Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if number := port(value if value.__class__ is str else plain(value)):  # 0 stands for "none"
            doc.setdefault(group, {})[field] = number

    return step


def _hashes(group: str, field: str, name: str) -> Step:
    """Take `SHA1=…,MD5=…,SHA256=…,IMPHASH=…`; ECS has no place for the import hash here."""

    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is not str:
            return
        found: Doc = {}
        for pair in value[:1024].lower().split(","):
            kind, _, digits = pair.partition("=")
            if _HASH_SIZES.get(kind) == len(digits):
                found[kind] = digits
        if found:
            doc.setdefault(group, {})[field] = found

    return step


def _question(group: str, field: str, name: str) -> Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and value not in _NOTHING:
            doc.setdefault(group, {})[field] = {"name": value}

    return step


def _transport(data: Mapping[str, Any], doc: Doc) -> None:
    if known := TRANSPORTS.get(plain(data["Protocol"])):
        doc.setdefault("network", {})["transport"] = known


def _object(data: Mapping[str, Any], doc: Doc) -> None:
    """Take the object of an audited access when it is a file (4656, 4663)."""
    if data["ObjectType"] == "File":
        _OBJECT(data, doc)


def _account(name: str, domain: str, sid: str) -> Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is not str or value in _NOTHING:
            return
        user = {"name": value}
        for field, source in (("domain", domain), ("id", sid)):
            more = data.get(source)
            if more.__class__ is str and more not in _NOTHING:
                user[field] = more
        doc["user"] = user

    return step


def _user(data: Mapping[str, Any], doc: Doc) -> None:
    r"""Take `EXAMPLE\alice`."""
    value = data["User"]
    if value.__class__ is str and value not in _NOTHING:
        domain, _, name = value.rpartition("\\")
        doc["user"] = {"domain": domain, "name": name} if domain else {"name": name}


_OBJECT: Final = _path("file", "path", "ObjectName")
_STEPS: Final = {
    "text": _text,
    "path": _path,
    "number": _number,
    "address": _address,
    "port": _port,
    "hashes": _hashes,
    "question": _question,
}
_NOTHING: Final = frozenset(("", "-", "NOT_TRANSLATED"))
_PARENT: Final = "process.parent"
_HEX: Final = ("0x", "0X")
_HASH_SIZES: Final = {"md5": 32, "sha1": 40, "sha256": 64}
