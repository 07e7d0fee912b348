"""Reads what `journalctl -o json` and `journalctl -o export` write.

Dataset `linux.journald`; namespace `journald` holds the entry's fields as they are; `MESSAGE` as an array of byte
numbers, or a binary field of the export format, is decoded for ECS `message`. Identity: the hashed `__CURSOR`.
Source: systemd, "Journal Export Formats" and systemd.journal-fields(7).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from vonggac.event import Bad, Event, digest, file_id
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.bodies import number, put
from vonggac.reading.journalexport import Entry, entries
from vonggac.reading.jsonlog import Found, read_json
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
        if _EXPORT.match(self._source.head.data) is None:
            return read_json(self._source, mark, self._parsed)
        return self._exported(int(mark or b"0"))

    def _parsed(self, found: Found) -> Event:
        return self._event(found.value, found.offset, found.file_id, found.notes, found.raw)

    def _exported(self, start: int) -> Iterator[Batch]:
        first = first_digest(self._source)
        out: list[Event | Bad] = []
        end = start
        with self._source.open() as stream:
            try:
                for found in entries(stream, start):
                    if len(out) >= BATCH:
                        yield out, b"%d" % found.offset
                        out = []
                    out += self._told(found, first)
                    end = found.offset
            except READ_ERRORS:
                if out:  # what was read before the damage counts
                    yield out, b"%d" % (end + 1)
                raise
        yield out, None

    def _told(self, found: Entry, first: bytes) -> list[Event | Bad]:
        """Give what an entry comes to: its event and what was odd about it, or why it is none."""
        place, sample = f"offset {found.offset}", found.start[:SAMPLE]
        if found.reason:
            return [Bad(self._source.path, place, found.reason, sample)]
        notes: list[str] = []
        entry: dict[str, Any] = {}
        for name, value in found.fields:
            text = value.decode(errors="replace")
            if "\ufffd" in text and b"\xef\xbf\xbd" not in value:
                notes.append(f"invalid UTF-8 in {name[:64]}")
            known = entry.get(name)
            entry[name] = text if known is None else [*known, text] if isinstance(known, list) else [known, text]

        def other_id() -> str:
            whole = b"\n".join(part for name, value in found.fields for part in (name.encode(), value))
            return file_id(first, found.offset, whole)

        event = self._event(entry, found.offset, other_id, notes, None)
        return [event, *(Bad(self._source.path, place, note, sample, kept=True) for note in notes)]

    def _event(
        self, entry: dict[str, Any], offset: int, other_id: Callable[[], str], notes: list[str], raw: bytes | None
    ) -> Event:
        """Make the event; `other_id` gives the id of an entry without a cursor."""
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
        return Event(digest("journald", cursor) if cursor else other_id(), doc, ("journald",), raw)


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
