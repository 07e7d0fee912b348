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
from vonggac.reading.textlog import TextLog
from vonggac.reading.times import from_epoch, from_iso
from vonggac.reading.zeekfields import LOGS, document, flat
from vonggac.reading.zeektsv import Tsv


def claims(head: Head) -> int:
    """Claim TSV by its header, JSON by Zeek's names."""
    if _TSV.match(head.data) and b"\n#fields" in head.data:
        return 99
    found = sample_objects(head.data)
    fitting = sum(map(_fits, found))
    if fitting and 2 * fitting >= len(found):
        return 90
    path = _path_of(head.name)
    return 80 if found and LOGS.fullmatch(path) and all(_belongs(value, path) for value in found) else 0


def splits(head: Head) -> bool:
    """Say that JSON lines stand alone; TSV needs its header."""
    return head.data.startswith(b"{") and is_ndjson(head.data)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector."""
    if source.head.data.lstrip().startswith(b"#"):
        return TextLog(source, lambda: Tsv(_path_of(source.head.name)))
    return _Json(source)


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


def _fits(value: dict[str, Any]) -> bool:
    """Know a Zeek record by its stream's name, its connection, or an id as Zeek makes them."""
    if "_path" in value and ("ts" in value or "_write_ts" in value):
        return True
    if "ts" not in value:
        return False
    if "@stream" in value or "id.orig_h" in value or "id_orig_h" in value:
        return True
    for name in ("uid", "fuid", "id", "uids", "conn_uids"):
        known = value.get(name)
        if isinstance(known, dict) and "orig_h" in known:
            return True
        one = known[0] if isinstance(known, list) and known else known
        if isinstance(one, str) and _UID.fullmatch(one):
            return True
    return False


def _belongs(value: dict[str, Any], path: str) -> bool:
    """Know a record without connection and id by a name that only such logs have."""
    if path == "loaded_scripts":
        return value.keys() == {"name"}
    return "ts" in value and (not _MARKS.isdisjoint(value) or (path.startswith("known_") and "host" in value))


def _path_of(name: str) -> str:
    """Give the log's name in a file name: `conn.00:00:00-01:00:00.log` and `conn_20260301.json` are `conn`."""
    found = _NAME.match(name)
    return found[0] if found else "unknown"


_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z][a-z0-9]*)*")
_UID: Final = re.compile(r"[CF][A-Za-z0-9]{10,20}")
_MARKS: Final = frozenset(
    ("note", "software_type", "pkts_proc", "percent_lost", "certificate.serial", "src_mac", "init", "location")
)
#: the header; other comments may stand before it
_TSV: Final = re.compile(rb"(?:#[^\n]{0,500}\n){0,20}\s*#separator ")
