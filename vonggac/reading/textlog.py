"""One loop for all logs of one event a line: offsets, marks, identity, invalid UTF-8; the collector parses the text."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from vonggac.event import Bad, Event, file_id, head_digest
from vonggac.ports import Batch, Source
from vonggac.reading.lines import TooLong, first_line, lines
from vonggac.reading.source import HEAD, READ_ERRORS

BATCH: Final = 100
SAMPLE: Final = 4096


_STRAY: Final = 8  # NUL bytes


class LineParser(Protocol):
    """What a collector of text lines offers; `read_lines` does the rest.

    `notes`: what was odd in the line just parsed; each becomes a `Bad` that was kept. `anchor`: the offset of a line
    that later lines depend on (W3C's `#Fields`); when set, it is part of the mark, and the lines from there on are
    handed to `parse` again before a resumed reading goes on.
    """

    notes: list[str]
    anchor: int | None

    def parse(self, text: str, offset: int) -> dict[str, Any] | None:
        """Give the event's document without `log.file` and `log.offset`; None = no event (a directive)."""
        ...


class TextLog:
    """A collector of one event a line; `parser` makes a fresh parser for each reading."""

    def __init__(self, source: Source, parser: Callable[[], LineParser]) -> None:
        self._source, self._parser = source, parser

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        """Yield the batches from a mark on."""
        return read_lines(self._source, mark, self._parser())


def read_lines(source: Source, mark: bytes | None, parser: LineParser) -> Iterator[Batch]:
    """Yield the batches of a text log; marks are `offset`, or `offset anchor`."""
    start, _, anchor = (mark or b"0").partition(b" ")
    first = first_digest(source)
    file = {"path": source.path}
    records: list[Event | Bad] = []
    end = int(start)
    with source.open() as stream:
        if anchor:
            _replay(source, parser, int(anchor), int(start))
        try:
            for offset, line in lines(stream, int(start)):
                end = offset + (line.length if isinstance(line, TooLong) else len(line)) + 1
                if len(records) >= BATCH:
                    yield records, _mark(offset, parser)
                    records = []
                if isinstance(line, TooLong):
                    records.append(Bad(source.path, f"offset {offset}", str(line), line.start[:SAMPLE]))
                    continue
                text = text_of(line, parser.notes)
                doc = parser.parse(text, offset)
                if doc is not None:
                    log = doc.get("log")
                    if log is None:
                        doc["log"] = {"file": file, "offset": offset}
                    else:
                        log["file"], log["offset"] = file, offset
                    records.append(Event(file_id(first, offset, line), doc))
                if parser.notes:
                    place, sample, kept = f"offset {offset}", line[:SAMPLE], doc is not None
                    records += [Bad(source.path, place, note, sample, kept) for note in parser.notes]
                    parser.notes.clear()
        except READ_ERRORS:
            if records:  # what was read before the damage counts
                yield records, _mark(end, parser)
            raise
    yield records, None


def text_of(line: bytes, notes: list[str]) -> str:
    """Decode a line; `notes` takes what was odd: bytes that are no UTF-8 (now U+FFFD), NUL bytes."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        notes.append(f"invalid UTF-8 at byte {error.start} of the line")
        return line.decode(errors="replace")
    if "\0" in text:
        text = text.lstrip("\0")
        notes.append("NUL bytes in a text line")
    return text


def first_digest(source: Source) -> bytes:
    """Digest the input's first whole line, from its head where that holds it."""
    data = source.head.data
    for offset, line in lines(io.BytesIO(data)):
        if isinstance(line, bytes) and data.find(b"\n", offset) >= 0:
            return head_digest(line)
        break
    with source.open() as stream:
        return head_digest(first_line(stream))


def sample_lines(data: bytes, count: int = 50) -> list[str]:
    """Give the first whole lines of a head for `claims`; nothing when it is binary."""
    data = data.lstrip(b"\0")  # the hole that a log rotated under its writer begins with
    if binary(data):
        return []
    whole = data if len(data) < HEAD else data[: data.rfind(b"\n") + 1] or data
    found = [line for line in whole.split(b"\n", count * 2)[: count * 2] if line.strip() and not line.startswith(b"#")]
    return [line[:2048].decode(errors="replace").removesuffix("\r") for line in found[:count]]


def binary(data: bytes) -> bool:
    """Say whether the first KiB is no text: a stray NUL or two is damage, more is another format (or UTF-16)."""
    return data[:1024].count(0) > _STRAY


def _mark(offset: int, parser: LineParser) -> bytes:
    return b"%d" % offset if parser.anchor is None else b"%d %d" % (offset, parser.anchor)


def _replay(source: Source, parser: LineParser, anchor: int, until: int) -> None:
    """Hand over the directives at `anchor` again, up to the first line that is an event."""
    with source.open() as stream:
        for offset, line in lines(stream, anchor):
            text = "" if isinstance(line, TooLong) else line.decode(errors="replace")
            if offset >= until or not text.startswith("#"):
                break
            parser.parse(text, offset)
    parser.notes.clear()
