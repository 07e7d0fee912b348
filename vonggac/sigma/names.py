"""From a Sigma field name to the values an event has there: a table a family of log sources; nothing is renamed.

Windows events stand under `winlog` in three shapes, and each keeps its own names:
    {"Event": {"System": …, "EventData": …, "UserData": …}}    EVTX
    {"channel": …, "event_id": …, "event_data": …}             Winlogbeat, Elastic Agent
    {"Channel": …, "EventID": …, "Image": …}                   NXLog, OTRF
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from vonggac.reading.audit import call_name
from vonggac.sigma._tables import (
    AUDITD,
    CHANNELS,
    FLAT,
    NAMES,
    RENAMED,
    SERVICES,
    VENDOR,
    WINLOGBEAT,
)

#: The values of a field, any of which may match; None = the event has no such field.
Values = tuple[Any, ...] | None
Lookup = Callable[[str], Values]
#: Where a field stands: a plain value under a key of the header or of the data (None in the header: ask after all),
#: nowhere, or only `values` knows.
Place = tuple[Literal["header", "data", "absent", "ask"], str]


def lookup_of(doc: Mapping[str, Any]) -> Lookup:
    """Give the function that finds an event's values by Sigma name."""
    if (windows := windows_of(doc)) is not None:
        return windows.values
    if isinstance(audit := doc.get("auditd"), dict):
        return _Auditd(audit, doc).values
    return _Other(doc).values


def windows_of(doc: Mapping[str, Any]) -> Windows | None:
    """Give the names of a Windows event; None when it is none."""
    winlog = doc.get("winlog")
    return Windows(winlog, doc) if isinstance(winlog, dict) else None


def walk(value: Any, name: str) -> Values:
    """Follow a dotted name: the whole name as one key first, then each cut; through lists to each member."""
    if isinstance(value, list):
        found = [walk(member, name) for member in value]
        kept = [one for one in found if one is not None]
        return tuple(inner for one in kept for inner in one) if kept else None
    if not isinstance(value, dict):
        return None
    if name in value:
        return flat(value[name])
    cut = name.find(".")
    while cut > 0:
        if name[:cut] in value and (deeper := walk(value[name[:cut]], name[cut + 1 :])) is not None:
            return deeper
        cut = name.find(".", cut + 1)
    return None


def flat(value: Any) -> tuple[Any, ...]:
    """Give the members of a list, lists in it opened too; of all else, the thing alone."""
    if not isinstance(value, list):
        return (value,)
    return tuple(inner for member in value for inner in flat(member))


def vendor_objects(doc: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the vendors' own objects of an event: what stands under no name of ECS."""
    for name, value in doc.items():
        if name not in _ECS and isinstance(value, dict):
            inner = _INNER.get(name)
            yield value[inner] if inner and isinstance(value.get(inner), dict) else value


# ------------------------------------------------------------------- windows


class Windows:
    """A Windows event: its header fields, its data fields, its service."""

    __slots__ = ("_blanks", "_data", "_doc", "_flat_user", "_header", "_top", "_user", "service")

    def __init__(self, winlog: dict[str, Any], doc: Mapping[str, Any]) -> None:
        self._doc = doc
        self._blanks: dict[str, str] | None = None
        self._flat_user: dict[str, Any] | None = None
        self._header: Mapping[str, tuple[tuple[str, ...], ...]] = {}
        self._user: Any = None
        self._top: dict[str, Any] = {}
        if isinstance(event := winlog.get("Event"), dict):
            self._top = _dict(event.get("System"))
            self._data, self._user = _dict(event.get("EventData")), event.get("UserData")
        elif "event_data" in winlog or "channel" in winlog or "provider_name" in winlog or "log_name" in winlog:
            self._top, self._header = winlog, WINLOGBEAT
            self._data, self._user = _dict(winlog.get("event_data")), winlog.get("user_data")
        else:
            self._data, self._header = winlog, FLAT
            self._user = winlog.get("UserData")
        channel = self.text("Channel").lower() or CHANNELS.get(self.text("Provider_Name").lower(), "")
        self.service = SERVICES.get(channel)

    def shape(self) -> tuple[object, ...] | None:
        """Give what alone decides where each field stands (`place`); None where more than that decides."""
        if self._user is not None:
            return None
        return self.service, self._header is FLAT, self._header is WINLOGBEAT, tuple(self._top), tuple(self._data)

    def parts(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Give the objects that `place` speaks of: the header's and the data's."""
        return self._top or self._data, self._data

    def place(self, name: str) -> Place:
        """Say where events of this shape (not None) hold a field: what `values` would find, known beforehand."""
        if self._header:
            holder = self._top or self._data
            for path in self._header.get(name, ()):
                if path[0] in holder:
                    return ("header", path[0]) if len(path) == 1 else ("ask", name)
        elif name in self._top:
            return "header", name
        elif "_" in name and name.partition("_")[0] in self._top:
            return "ask", name
        if name in self._data:
            return "data", name
        for key in self._data:
            if " " in key and key.replace(" ", "") == name:
                return "ask", name
        renamed = any(service == self.service and name in table for (service, _), table in RENAMED.items())
        ecs = self._header is WINLOGBEAT and (name in NAMES or name in _EXTENSION or name.partition(".")[0] in _ECS)
        hashed = "Hashes" in self._data and name.lower() in _HASHES
        unnamed = ("Data" in self._data and name.startswith("param")) or ("param1" in self._data and name == "Data")
        odd = unnamed or name == "@timestamp"
        return ("ask", name) if renamed or ecs or hashed or odd else ("absent", name)

    def text(self, name: str) -> str:
        """Give a header field as text, "" when absent."""
        values = self._head(name)
        return str(values[0]) if values and values[0] is not None else ""

    def values(self, name: str) -> Values:
        """Find a field: the header wins over the data, the data over UserData; then the names that mean the same."""
        found = self._head(name)
        if found is None:
            found = self._event(name)
        if found is None and self.service is not None:
            found = self._renamed(name)
        if found is None and self._header is WINLOGBEAT:
            found = _Other(self._doc).ecs(name)
        return walk(self._doc, name) if found is None and name == "@timestamp" else found

    def _head(self, name: str) -> Values:
        if self._header:
            for path in self._header.get(name, ()):
                value: Any = self._top or self._data
                for part in path:
                    value = value.get(part) if isinstance(value, dict) else None
                if value is not None:
                    return _leaves(value)
            return None
        if name in self._top:
            return _leaves(self._top[name])
        element, _, attribute = name.partition("_")  # Provider_Name: <Provider Name="…"/>
        if attribute and isinstance(holder := self._top.get(element), dict):
            return _attribute(holder, attribute)
        return None

    def _event(self, name: str) -> Values:
        data = self._data
        if name in data:
            return _leaves(data[name])
        if self._blanks is None:
            self._blanks = {key.replace(" ", ""): key for key in data if " " in key}
        if name in self._blanks:
            return _leaves(data[self._blanks[name]])
        if name.startswith("param") and name[5:].isdigit() and "Data" in data:
            unnamed = _leaves(data["Data"])
            place = int(name[5:9]) - 1
            return (unnamed[place],) if 0 <= place < len(unnamed) else None
        if name == "Data" and "param1" in data:  # Winlogbeat's name for the unnamed
            return tuple(leaf for key in data if key.startswith("param") for leaf in _leaves(data[key]))
        if isinstance(self._user, dict):
            if self._flat_user is None:
                self._flat_user = dict(_elements(self._user, 0))
            if name in self._flat_user:
                return _leaves(self._flat_user[name])
        if name.lower() in _HASHES and isinstance(hashes := data.get("Hashes"), str):
            return _hash(hashes, name)
        return None

    def _renamed(self, name: str) -> Values:
        table = RENAMED.get((self.service or "", "")) or RENAMED.get((self.service or "", self.text("EventID")))
        if table and name in table:
            return self._event(table[name])
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _leaves(value: Any) -> tuple[Any, ...]:
    """Give an element's texts: XML knows no null, so an empty element is the empty text."""
    if value is None:
        return ("",)
    if isinstance(value, dict):
        if "#text" in value:
            return _leaves(value["#text"])
        return ("",) if value.keys() <= {"#attributes"} else (value,)
    if isinstance(value, list):
        return tuple(leaf for member in value for leaf in _leaves(member))
    return (value,)


def _attribute(element: dict[str, Any], name: str) -> Values:
    attributes = element.get("#attributes", element)
    return _leaves(attributes[name]) if isinstance(attributes, dict) and name in attributes else None


def _elements(element: dict[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the elements below UserData by name, deepest first, so that `dict` keeps the outermost of equal names."""
    for name, value in element.items():
        if isinstance(value, dict) and depth < _DEPTH:
            yield from _elements(value, depth + 1)
            if isinstance(attributes := value.get("#attributes"), dict):
                yield from ((f"{name}_{key}", one) for key, one in attributes.items())
    for name, value in element.items():
        if name != "#attributes":
            yield name.replace(" ", ""), value


def _hash(hashes: str, name: str) -> Values:
    """Find one of `SHA1=…,MD5=…,SHA256=…,IMPHASH=…`."""
    for pair in hashes.split(","):
        kind, _, value = pair.partition("=")
        if kind.strip().lower() == name.lower():
            return (value,)
    return None


# -------------------------------------------------------------------- auditd


class _Auditd:
    """The records of one audit event, `{"records": [{"type": "SYSCALL", …}, …]}`: a field is asked of all of them."""

    __slots__ = ("_doc", "_records")

    def __init__(self, audit: dict[str, Any], doc: Mapping[str, Any]) -> None:
        records = audit.get("records")
        self._records = [one for one in records if isinstance(one, dict)] if isinstance(records, list) else [audit]
        self._doc = doc

    def values(self, name: str) -> Values:
        found = [value for record in self._records if name in record for value in flat(record[name])]
        if found:
            return tuple(found)
        if name == "SYSCALL":
            return self._syscalls()
        if (ecs := _Other(self._doc).ecs(name)) is not None:
            return ecs
        if name in AUDITD:
            return self.values(AUDITD[name])
        if name == "CommandLine":
            return self._command()
        deeper = [one for record in self._records if (one := walk(record, name)) is not None]
        return tuple(value for one in deeper for value in one) if deeper else None

    def _syscalls(self) -> Values:
        named = [
            call_name(str(record.get("arch", "")), str(record["syscall"])) or str(record["syscall"])
            for record in self._records
            if "syscall" in record
        ]
        return tuple(named) or None

    def _command(self) -> Values:
        for record in self._records:
            if str(record.get("type", "")).upper() == "EXECVE":
                words: list[str] = []
                while (word := record.get(f"a{len(words)}")) is not None:
                    words.append(str(word))
                return (" ".join(words),) if words else None
        return None


# ------------------------------------------------------------ everything else


class _Other:
    """An event of any other kind: the vendor's own names, then Sigma's names by table, then ECS."""

    __slots__ = ("_doc",)

    def __init__(self, doc: Mapping[str, Any]) -> None:
        self._doc = doc

    def values(self, name: str) -> Values:
        aliases = VENDOR.get(name, ())
        union = NAMES.get(name, ())
        for vendor in vendor_objects(self._doc):
            for one in (name, *aliases):
                if (found := walk(vendor, one)) is not None:
                    # a W3C log has the bare query; rules look for paths in it
                    return found + (self.ecs(name) or ()) if len(union) > 1 else found
        return self.ecs(name)

    def ecs(self, name: str) -> Values:
        """Find a name by the table, or as the ECS name that it may be."""
        if name in _EXTENSION:
            return self._extension()
        paths = NAMES.get(name)
        if paths is None:
            return walk(self._doc, name) if name.partition(".")[0] in _ECS else None
        found = [one for path in paths if (one := walk(self._doc, path)) is not None]
        return tuple(dict.fromkeys(value for one in found for value in one if _plain(value))) if found else None

    def _extension(self) -> Values:
        path = walk(self._doc, "url.path") or walk(self._doc, "url.original")
        if not path or not isinstance(path[0], str):
            return None
        last = path[0].partition("?")[0].rpartition("/")[2]
        return (last.rpartition(".")[2],) if "." in last else None


def _plain(value: Any) -> bool:
    """Say whether a value may be a dict key (it is text or a number, no object)."""
    return not isinstance(value, dict | list)


_EXTENSION: Final = frozenset(("c-uri-extension", "cs-uri-extension"))
_DEPTH: Final = 8
_HASHES: Final = frozenset(("md5", "sha1", "sha256", "imphash"))
#: the top names of ECS that events use
_ECS: Final = frozenset(
    (
        "@timestamp",
        "message",
        "event",
        "log",
        "host",
        "user",
        "process",
        "file",
        "source",
        "destination",
        "network",
        "dns",
        "http",
        "url",
        "user_agent",
        "tls",
        "cloud",
        "labels",
        "ecs",
        "vonggac",
    )
)
#: vendors whose object stands one name deeper
_INNER: Final = {"suricata": "eve", "aws": "cloudtrail"}
