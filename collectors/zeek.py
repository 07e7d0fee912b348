"""Reads Zeek logs: TSV with its header, and JSON lines as Zeek, Corelight and others write them.

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
from vonggac.reading.zeektsv import Tsv


def claims(head: Head) -> int:
    """Claim TSV by its header, JSON by Zeek's names."""
    if head.data.lstrip().startswith(b"#separator ") and b"\n#fields" in head.data:
        return 99
    found = sample_objects(head.data)
    fitting = sum(map(_fits, found))
    if fitting and 2 * fitting >= len(found):
        return 90
    return 80 if found and head.name.endswith((".log", ".json")) and LOGS.fullmatch(_path_of(head.name)) else 0


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
        return read_lines(self._source, mark, Tsv(_path_of(self._source.head.name)))


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


_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
