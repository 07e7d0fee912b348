r"""Zeek's own text form: a header that says how lines are cut and what their columns hold, then a record a line.

    #separator \x09
    #set_separator	,
    #empty_field	(empty)
    #unset_field	-
    #path	conn
    #fields	ts	uid	id.orig_h …
    #types	time	string	addr …

Source: Zeek's documentation, "Zeek Log Formats and Inspection".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from vonggac.reading.times import from_epoch
from vonggac.reading.zeekfields import document


class Tsv:
    """The header in force, and the parser of the lines below it (a `textlog.LineParser`).

    A header is directives on lines one after another, `#fields` among them. Each stands for itself, so that reading can
    go on from any line with the offset of its header. `#close` and other directives alone change nothing.
    """

    def __init__(self, path: str) -> None:
        """Begin without a header; `path` is the log's name where no `#path` gives one."""
        self.notes: list[str] = []
        self.anchor: int | None = None
        self._default = path
        self._block: dict[str, str] | None = None  # the directives being read
        self._begun = 0
        self._apply({})

    def parse(self, text: str, offset: int) -> dict[str, Any] | None:
        """Take a directive in, or give the document of a record."""
        if text.startswith("#"):
            self._directive(text, offset)
            return None
        if text.startswith("\t#separator"):  # one program indents the first line
            return None
        self._block = None
        if not self._columns:
            self.notes.append("no #fields stands above it")
            return None
        cells = text.split(self._separator)
        if len(cells) != len(self._columns):
            self.notes.append(f"{len(cells)} columns, the header has {len(self._columns)}")
        record = self._record(text, cells)
        doc = document(self._path, record, text)
        if record.get("ts").__class__ is float:
            try:
                doc["@timestamp"] = from_epoch(cells[self._ts])
            except ValueError as error:
                self.notes.append(f"ts: {error}")
        doc["zeek"] = record
        return doc

    def _directive(self, text: str, offset: int) -> None:
        if self._block is None:
            self._block, self._begun = {}, offset
        blank = " " if text.startswith("#separator") else _separator(self._block)
        name, _, rest = text[1:].partition(blank)
        self._block[name] = rest
        if "fields" in self._block:
            self._apply(self._block)
            self.anchor = self._begun

    def _apply(self, header: Mapping[str, str]) -> None:
        self._separator = _separator(header)
        self._set = header.get("set_separator") or ","
        self._empty = header.get("empty_field") or "(empty)"
        self._unset = header.get("unset_field") or "-"
        self._path = header.get("path", "").strip() or self._default
        names = header["fields"].split(self._separator) if "fields" in header else []
        kinds = header["types"].split(self._separator) if "types" in header else []
        self._kinds = [_kind(kind) for kind in kinds[: len(names)]] + ["string"] * (len(names) - len(kinds))
        self._columns = [(name, self._reader(kind)) for name, kind in zip(names, self._kinds, strict=True)]
        self._ts = names.index("ts") if "ts" in names else 0

    def _reader(self, kind: str) -> Callable[[str], Any] | None:
        """Give the reader of a column's cells; None: they are text, and stay as they are."""
        if not kind.startswith("["):
            return _READERS.get(kind)
        inner, comma, unset = _READERS.get(kind[1:], str), self._set, self._unset
        return lambda cell: [None if part == unset else inner(part) for part in cell.split(comma)]

    def _record(self, text: str, cells: list[str]) -> dict[str, Any]:
        """Type the cells; a line without an escape, an empty field or a fault takes the short way (nearly all do)."""
        unset = self._unset
        if "\\" not in text and self._empty not in text:
            try:
                return {
                    name: read(cell) if read else cell
                    for (name, read), cell in zip(self._columns, cells, strict=False)
                    if cell != unset
                }
            except ValueError:
                pass
        columns = zip(self._columns, self._kinds, cells, strict=False)
        return {name: self._value(kind, cell) for (name, _), kind, cell in columns if cell != unset}

    def _value(self, kind: str, cell: str) -> Any:
        if kind.startswith("["):
            if cell == self._empty:
                return []
            return [None if part == self._unset else self._value(kind[1:], part) for part in cell.split(self._set)]
        if read := _READERS.get(kind):
            try:
                return read(cell)
            except ValueError:
                self.notes.append(f"{cell[:40]!r} is no {kind}")
                return cell
        if cell == self._empty:
            return ""
        return _unescaped(cell) if "\\" in cell else cell


def _separator(header: Mapping[str, str]) -> str:
    return _unescaped(header.get("separator", "").strip()) or "\t"


def _kind(kind: str) -> str:
    """Give a column's type as this file uses it; `[` stands before the type of a set's or vector's members."""
    kind = kind.strip()
    return f"[{match[1]}" if (match := _MANY.fullmatch(kind)) else kind


def _unescaped(text: str) -> str:
    r"""Undo `\x09` and `\\`; what is no UTF-8 then stays written as `\xff`."""
    data = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else b"\\", text.encode())
    return data.decode(errors="backslashreplace")


def _whole(cell: str) -> int:
    """Read a number of 64 bits, the most that JSON takes here."""
    value = int(cell) if len(cell) <= _LONGEST else _FAR
    if not -(1 << 63) <= value < 1 << 64:
        raise ValueError(cell[:_LONGEST])
    return value


def _fraction(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value):  # JSON has no word for it
        raise ValueError(cell)
    return value


def _truth(cell: str) -> bool:
    if cell not in ("T", "F"):
        raise ValueError(cell)
    return cell == "T"


_LONGEST: Final = 20  # digits of 2**64
_FAR: Final = 1 << 64
_MANY: Final = re.compile(r"(?:set|vector)\[(\w+)\]")
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|\\)")
#: types whose cells are no text
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "count": _whole,
    "int": _whole,
    "port": _whole,
    "time": _fraction,
    "interval": _fraction,
    "double": _fraction,
    "bool": _truth,
}
