r"""Reads Zeek logs: TSV with its header, and JSON lines as Zeek, Corelight and others write them.

    #separator \x09
    #path	conn
    #fields	ts	uid	id.orig_h …
    #types	time	string	addr …

The record lies under `zeek`, with the vendor's names: TSV values typed as the header says, JSON unchanged. Dataset
`zeek.<log>`, from `#path`, `_path`, `@stream`, else the file's name (`conn.log`, `conn.00:00:00-01:00:00.log`).
Source: Zeek's documentation, "Log Formats and Inspection".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from vonggac.event import Event
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.jsonlog import Found, read_json, sample_objects
from vonggac.reading.jsonstream import is_ndjson
from vonggac.reading.textlog import read_lines
from vonggac.reading.times import from_epoch, from_iso
from vonggac.reading.zeekfields import LOGS, document, flat


def claims(head: Head) -> int:
    """Claim TSV by its header, JSON by Zeek's names."""
    if head.data.lstrip().startswith(b"#separator ") and b"\n#fields" in head.data:
        return 99
    found = sample_objects(head.data)
    fitting = sum(map(_fits, found))
    if fitting and 2 * fitting >= len(found):
        return 90
    return 80 if found and head.name.endswith((".log", ".json")) and _path_of(head.name) in LOGS else 0


def splits(head: Head) -> bool:
    """Say that JSON lines stand alone; TSV needs its header."""
    return head.data.startswith(b"{") and is_ndjson(head.data)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector."""
    return _Tsv(source) if source.head.data.lstrip().startswith(b"#") else _Json(source)


class _Json:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = {"path": source.path}
        self._path = _path_of(source.head.name)

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        return read_json(self._source, mark, self._event)

    def _event(self, found: Found) -> Event:
        value = found.value
        path = value.get("_path") or value.get("@stream") or self._path
        doc = document(path if isinstance(path, str) else self._path, flat(value), None)
        doc["log"] = {"file": self._file, "offset": found.offset}
        moment = value.get("ts", value.get("_write_ts"))
        try:
            if isinstance(moment, str):
                doc["@timestamp"] = from_iso(moment)
            elif isinstance(moment, int | float):
                doc["@timestamp"] = from_epoch(moment)
        except ValueError as error:
            found.notes.append(f"ts: {error}")
        if isinstance(sensor := value.get("@system", value.get("_system_name")), str):
            doc["host"] = {"name": sensor}
        doc["zeek"] = value
        return Event(found.file_id(), doc, ("zeek",), found.raw)


class _Tsv:
    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        return read_lines(self._source, mark, _Header(_path_of(self._source.head.name)))


class _Header:
    """The header in force, and the parser of the lines below it."""

    def __init__(self, path: str) -> None:
        self.notes: list[str] = []
        self.anchor: int | None = None
        self._directives = False
        self._path, self._separator, self._set, self._empty, self._unset = path, "\t", ",", "(empty)", "-"
        self._columns: list[tuple[str, str]] = []
        self._names: list[str] = []

    def parse(self, text: str, offset: int) -> dict[str, Any] | None:
        """Take a directive in, or give the document of a record."""
        if text.startswith(("#", "\t#separator")):
            text = text.lstrip()
            if not self._directives:
                self.anchor, self._directives = offset, True
            self._directive(text)
            return None
        self._directives = False
        cells = text.split(self._separator)
        record: dict[str, Any] = {}
        if len(cells) != len(self._columns):
            self.notes.append(f"{len(cells)} columns, the header has {len(self._columns)}")
        for (name, kind), cell in zip(self._columns, cells, strict=False):
            if cell != self._unset:
                record[name] = self._value(kind, cell)
        doc = document(self._path, record, text)
        if isinstance(record.get("ts"), float):
            try:
                doc["@timestamp"] = from_epoch(cells[self._names.index("ts")])
            except ValueError as error:
                self.notes.append(f"ts: {error}")
        doc["zeek"] = record
        return doc

    def _directive(self, text: str) -> None:
        name, _, rest = text[1:].partition(" " if text.startswith("#separator") else self._separator)
        match name:
            case "separator":
                self._separator = _unescaped(rest.strip()) or "\t"
            case "set_separator":
                self._set = rest or ","
            case "empty_field":
                self._empty = rest
            case "unset_field":
                self._unset = rest
            case "path":
                self._path = rest.strip() or self._path
            case "fields":
                self._names = rest.split(self._separator)
                self._columns = [(field, "string") for field in self._names]
            case "types":
                kinds = rest.split(self._separator)
                self._columns = [(field, _kind(kind)) for field, kind in zip(self._names, kinds, strict=False)]

    def _value(self, kind: str, cell: str) -> Any:
        if kind.startswith("["):
            if cell == self._empty:
                return []
            return [self._value(kind[1:], part) for part in cell.split(self._set)]
        try:
            match kind:
                case "int":
                    return int(cell)
                case "float":
                    return float(cell)
                case "bool":
                    return cell == "T"
        except ValueError:
            self.notes.append(f"{cell[:40]!r} is no {kind}")
            return cell
        if cell == self._empty:
            return ""
        return _unescaped(cell) if "\\" in cell else cell


def _fits(value: dict[str, Any]) -> bool:
    """Know a Zeek record by its stream's name, or by `ts` with a uid, a connection or a well-known log's own names."""
    if "ts" not in value:
        return "_path" in value and "_write_ts" in value
    if "_path" in value or "@stream" in value:
        return True
    return any(name in value for name in ("uid", "id.orig_h", "id_orig_h", "fuid", "uids", "conn_uids", "id"))


def _path_of(name: str) -> str:
    """Give the log's name in a file name: `conn.00:00:00-01:00:00.log` is `conn`."""
    found = _NAME.match(name)
    return found[0] if found else "unknown"


def _kind(kind: str) -> str:
    r"""Give a column's type as this file uses it; `[` stands before the type of a set's or vector's members."""
    if match := re.fullmatch(r"(?:set|vector)\[(\w+)\]", kind.strip()):
        return f"[{_kind(match[1])}"
    return _KINDS.get(kind.strip(), "string")


def _unescaped(text: str) -> str:
    r"""Undo `\x09` and `\\`; bytes above 127 are read as UTF-8 where they are that."""
    if "\\x" not in text:
        return text.replace("\\\\", "\\")
    data = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else b"\\", text.encode())
    return data.decode(errors="backslashreplace")


_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|\\)")
_KINDS: Final = {
    "count": "int",
    "int": "int",
    "port": "int",
    "time": "float",
    "interval": "float",
    "double": "float",
    "bool": "bool",
}
