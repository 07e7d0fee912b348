"""Reads what `journalctl -o json` and `journalctl -o export` write.

Dataset `linux.journald`; namespace `journald` holds the entry's fields as they are; `MESSAGE` as an array of byte
numbers, or a binary field of the export format, is decoded for ECS `message`. Identity: the hashed `__CURSOR`.
Source: systemd, "Journal Export Formats" and systemd.journal-fields(7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from vonggac.event import Bad, Event, digest, file_id
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.bodies import number, put
from vonggac.reading.journalexport import entries
from vonggac.reading.jsonstream import decode, records
from vonggac.reading.lines import TooLong
from vonggac.reading.source import READ_ERRORS
from vonggac.reading.textlog import BATCH, SAMPLE, first_digest
from vonggac.reading.times import from_epoch
from vonggac.reading.unixlogs import explain


def claims(head: Head) -> int:
    """Claim by the fields that every entry has: `__REALTIME_TIMESTAMP` with `__CURSOR` or `_BOOT_ID`."""
    start = head.data[: 16 << 10]
    if _EXPORT.match(start):
        return 96
    first = start.lstrip().split(b"\n}", 1)[0]
    if not first.startswith(b"{") or b"\0" in head.data[:1024]:
        return 0
    return 93 if b'"__REALTIME_TIMESTAMP"' in first and (b'"__CURSOR"' in first or b'"_BOOT_ID"' in first) else 0


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; the options say nothing to it."""
    return _Journald(source)


class _Journald:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = {"path": source.path}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        start = int(mark or b"0")
        first = first_digest(self._source)
        export = _EXPORT.match(self._source.head.data) is not None
        out: list[Event | Bad] = []
        found = self._exported(start, first) if export else self._json(start, first)
        end = start
        while True:
            try:
                offset, told = next(found)
            except StopIteration:
                break
            except READ_ERRORS:
                if out:  # what was read before the damage counts
                    yield out, b"%d" % (end + 1)
                raise
            if len(out) >= BATCH:
                yield out, b"%d" % offset
                out = []
            out += told
            end = offset
        yield out, None

    def _json(self, start: int, first: bytes) -> Iterator[tuple[int, list[Event | Bad]]]:
        for offset, line in records(self._source.open, self._source.head.data, start):
            place = f"offset {offset}"
            if isinstance(line, TooLong):
                yield offset, [Bad(self._source.path, place, str(line), line.start[:SAMPLE])]
                continue
            try:
                entry, warning = decode(line)
            except ValueError as error:
                yield offset, [Bad(self._source.path, place, f"not JSON: {error}", line[:SAMPLE])]
                continue
            if not isinstance(entry, dict):
                yield offset, [Bad(self._source.path, place, "no JSON object", line[:SAMPLE])]
                continue
            notes = [warning] if warning else []
            raw = orjson.dumps(entry) if b"\n" in line else line  # pretty-printed: one event is one line
            told: list[Event | Bad] = [self._event(entry, offset, line, first, notes, raw)]
            told += [Bad(self._source.path, place, note, line[:SAMPLE], kept=True) for note in notes]
            yield offset, told

    def _exported(self, start: int, first: bytes) -> Iterator[tuple[int, list[Event | Bad]]]:
        with self._source.open() as stream:
            for found in entries(stream, start):
                place = f"offset {found.offset}"
                if found.reason:
                    yield found.offset, [Bad(self._source.path, place, found.reason, found.start[:SAMPLE])]
                    continue
                notes: list[str] = []
                entry: dict[str, Any] = {}
                for name, value in found.fields:
                    text = value.decode(errors="replace")
                    if "\ufffd" in text and b"\xef\xbf\xbd" not in value:
                        notes.append(f"invalid UTF-8 in {name[:64]}")
                    known = entry.get(name)
                    entry[name] = (
                        text if known is None else [*known, text] if isinstance(known, list) else [known, text]
                    )
                whole = b"\n".join(part for name, value in found.fields for part in (name.encode(), value))
                told: list[Event | Bad] = [self._event(entry, found.offset, whole, first, notes, None)]
                told += [Bad(self._source.path, place, note, found.start[:SAMPLE], kept=True) for note in notes]
                yield found.offset, told

    def _event(
        self, entry: dict[str, Any], offset: int, record: bytes, first: bytes, notes: list[str], raw: bytes | None
    ) -> Event:
        event: dict[str, Any] = {"kind": "event", "module": "linux", "dataset": "linux.journald"}
        doc: dict[str, Any] = {"event": event, "journald": entry}
        if micro := number(_text(entry.get("__REALTIME_TIMESTAMP"))):
            try:
                doc["@timestamp"] = from_epoch(f"{micro // 1_000_000}.{micro % 1_000_000:06d}")
            except ValueError:
                notes.append(f"__REALTIME_TIMESTAMP {micro} is no time")
        program = _text(entry.get("SYSLOG_IDENTIFIER")) or _text(entry.get("_COMM")) or ""
        message = _text(entry.get("MESSAGE")) or ""
        put(doc, "message", message)
        put(doc, "host.name", _text(entry.get("_HOSTNAME")))
        put(doc, "process.name", program)
        put(doc, "process.executable", _text(entry.get("_EXE")))
        put(doc, "process.command_line", _text(entry.get("_CMDLINE")))
        put(doc, "process.pid", number(_text(entry.get("_PID")) or _text(entry.get("SYSLOG_PID"))))
        put(doc, "user.id", _text(entry.get("_UID")))
        level = number(_text(entry.get("PRIORITY")))
        if level is not None and level < len(_LEVELS):
            put(doc, "log.level", _LEVELS[level])
            facility = number(_text(entry.get("SYSLOG_FACILITY")))
            put(doc, "log.syslog.priority", None if facility is None or facility > 23 else facility * 8 + level)
        if body := explain(doc, program, message, notes):
            doc["syslog"] = body
        log = doc.setdefault("log", {})
        log["file"], log["offset"] = self._file, offset
        cursor = _text(entry.get("__CURSOR"))
        id_ = digest("journald", cursor) if cursor else file_id(first, offset, record)
        return Event(id_, doc, ("journald",), raw)


def _text(value: Any) -> str | None:
    """Give a field as text: a string, an array of byte numbers, or the first of several values."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        if all(isinstance(one, int) and 0 <= one < 256 for one in value):
            return bytes(value).decode(errors="replace")
        return _text(value[0]) if isinstance(value[0], str) else None
    return str(value) if isinstance(value, int) else None


_EXPORT: Final = re.compile(rb"\s*(?:[A-Z_][A-Z0-9_]{0,63}=[^\n]{0,4096}\n){0,20}?__REALTIME_TIMESTAMP=[0-9]+\n")
_LEVELS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
