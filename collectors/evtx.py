"""Reads binary Windows event logs (.evtx), damaged ones as far as they go.

Namespace `winlog` holds `{"Event": {"System": …, "EventData" | "UserData": …}}`, spliced in as the parser wrote it.
A mark is `chunk given`: the chunk to go on with (from 1; 0 is the file's header), and how many of its records and
failures were given already.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, cast

import orjson

from vonggac.event import Bad, Event, file_id, head_digest
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.evtxbombs import TEXT_LIMIT, bombs
from vonggac.reading.evtxchunks import (
    CHUNK,
    CHUNK_HEADER,
    CHUNK_MAGIC,
    FILE_HEADER,
    FILE_MAGIC,
    file_header,
    frame,
    mended,
    one_file,
    record_at,
    sound,
)
from vonggac.reading.source import READ_ERRORS, read_up_to
from vonggac.reading.textlog import BATCH, SAMPLE
from vonggac.reading.windows import event


def claims(head: Head) -> int:
    """Claim by the magic of the file, or of its first chunk when only the file's header is damaged."""
    if head.data.startswith(FILE_MAGIC):
        return 100
    return 95 if head.data[FILE_HEADER : FILE_HEADER + 8] == CHUNK_MAGIC else 0


def splits(head: Head) -> bool:
    """Say that chunks stand alone, so that several workers may share a file."""
    return True


def mark_at(offset: int) -> bytes:
    """Give the mark of the chunk that begins at an offset."""
    return b"%d 0" % ((offset - FILE_HEADER) // CHUNK + 1)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; the options say nothing to it."""
    return _Evtx(source)


class _Evtx:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = {"path": source.path}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        start, _, given = (mark or b"0 0").partition(b" ")
        skip = int(given)
        out: list[Event | Bad] = []
        reached = b"0 0"
        with self._source.seekable() as file:
            try:
                for number, told in self._chunks(file, int(start)):
                    at, skip = skip, 0
                    while at < len(told):
                        if len(out) == BATCH:
                            yield out, b"%d %d" % (number, at)
                            out = []
                        piece = told[at : at + BATCH - len(out)]
                        out += piece
                        at += len(piece)
                    reached = b"%d 0" % (number + 1)
            except READ_ERRORS:
                if out:  # what was read before the damage counts
                    yield out, reached
                raise
        yield out, None

    def _chunks(self, file: BinaryIO, start: int) -> Iterator[tuple[int, list[Event | Bad]]]:
        """Yield (chunk, what it gives) from a chunk on; what is wrong with the whole file stands first and last."""
        header = file_header(read_up_to(file, FILE_HEADER))
        number = start
        if start == 0:
            yield 0, [self._bad("file header", note) for note in header.notes]
            number = 1
        file.seek(FILE_HEADER + (number - 1) * CHUNK)
        stop = self._source.stop
        end = None if stop is None else (stop - FILE_HEADER) // CHUNK + 1
        while end is None or number < end:
            wanted = _TOGETHER if end is None else min(_TOGETHER, end - number)
            chunks = [data for _ in range(wanted) if (data := read_up_to(file, CHUNK))]
            if not chunks:
                break
            for told in self._group(chunks, number, header.counted):
                yield number, told
                number += 1
        if end is None and number <= header.counted:
            yield number, [self._bad(f"chunk {number}", f"file ends here, though its header counts {header.counted}")]

    def _group(self, chunks: list[bytes], first: int, counted: int) -> Iterator[list[Event | Bad]]:
        """Yield what each of some chunks gives. Sound ones share a parser, which compiles each template once."""
        frames = [sound(chunk) for chunk in chunks]
        for at, (chunk, found) in enumerate(zip(chunks, frames, strict=True)):
            if found and bombs(chunk, [offset for offset, _ in found]):
                frames[at] = None
        together = [(chunk, found) for chunk, found in zip(chunks, frames, strict=True) if found]
        results = _parsed([chunk for chunk, _ in together], [one for _, found in together for one in found])
        at = 0
        for number, (chunk, found) in enumerate(zip(chunks, frames, strict=True), first):
            if found is None and chunk == _ROOM:
                yield [self._bad(f"chunk {number}", "nothing but zeros")] if number <= counted else []
                continue
            mine = None
            if found is not None:
                mine = _parsed([chunk], found) if results is None else results[at : at + len(found)]
                at += len(found)
            if found is None or mine is None:
                yield self._damaged(number, chunk)
                continue
            reader = _Reader(self._file, number, chunk)
            yield [
                reader.event(result["data"], offset, record)
                for (offset, record), result in zip(found, mine, strict=True)
            ]

    def _damaged(self, number: int, chunk: bytes) -> list[Event | Bad]:
        """Give what can be read of a chunk, record by record, and name what cannot."""
        found = frame(chunk)
        reader = _Reader(self._file, number, chunk)
        kept = any(place.number is not None for place in found.places)
        told: list[Event | Bad] = [
            Bad(self._source.path, f"chunk {number}", note, chunk[:CHUNK_HEADER], kept) for note in found.notes
        ]
        swollen = bombs(chunk, [place.offset for place in found.places if place.number is not None])
        results = _parser([mended(chunk, found, swollen)])
        for place in found.places:
            if place.offset in swollen:
                reason = f"a bomb: {place.size:,} bytes would become more than {TEXT_LIMIT >> 20} MiB of text"
            else:
                reason = f"{place.size:,} bytes at {place.offset} are no record"
            result: dict[str, Any] = {}
            try:
                result = next(results)
            except StopIteration:
                reason = "the parser did not come to it"
            except RuntimeError as error:  # the only kind that it raises; a hole raises it too
                if place.number is not None and place.offset not in swollen:
                    reason = (str(error).splitlines() or [""])[0][:300]
            where = f"chunk {number}" if place.number is None else f"chunk {number}, record {place.number}"
            if (
                place.number is not None
                and result.get("event_record_id") == place.number
                and place.offset not in swollen
            ):
                told.append(reader.event(result["data"], place.offset, place.number))
            else:
                sample = chunk[place.offset : place.offset + min(place.size, SAMPLE)]
                told.append(Bad(self._source.path, where, reason, sample))
        return told

    def _bad(self, place: str, reason: str) -> Bad:
        return Bad(self._source.path, place, reason)


class _Reader:
    """Makes the events of one chunk."""

    __slots__ = ("_base", "_chunk", "_file", "_number")

    def __init__(self, file: dict[str, Any], number: int, chunk: bytes) -> None:
        self._file, self._number, self._chunk = file, number, chunk
        self._base = FILE_HEADER + (number - 1) * CHUNK

    def event(self, text: str, offset: int, record: int) -> Event | Bad:
        try:
            return event(orjson.loads(text), text, self._file, self._base + offset, self._id)
        except ValueError as error:
            sample = text[:SAMPLE].encode(errors="replace")[:SAMPLE]
            return Bad(self._file["path"], f"chunk {self._number}, record {record}", str(error), sample)

    def _id(self, offset: int) -> str:
        """Identify a record that lacks number, time or computer: its chunk's first record stands for the first line."""
        first = head_digest(record_at(self._chunk, CHUNK_HEADER))
        return file_id(first, offset, record_at(self._chunk, offset - self._base))


def _parser(chunks: list[bytes]) -> Iterator[dict[str, Any]]:
    """Parse chunks to `{"event_record_id": 17, "timestamp": …, "data": "<JSON>"}`.

    Text, not objects: orjson reads the text in half the time in which the parser would build Python objects, and the
    text is what is spliced into the event. One thread: a scan has a process a core.
    """
    from evtx import PyEvtxParser

    return cast(
        Iterator[dict[str, Any]], PyEvtxParser(io.BytesIO(one_file(chunks)), number_of_threads=1).records_json()
    )


def _parsed(chunks: list[bytes], records: list[tuple[int, int]]) -> list[dict[str, Any]] | None:
    """Parse sound chunks; None unless each record came out, in its place."""
    if not chunks:
        return []
    try:
        results = list(_parser(chunks))
    except RuntimeError:
        return None
    same = [result["event_record_id"] for result in results] == [number for _, number in records]
    return results if same else None


#: where reading may begin: at a chunk
GRAIN: Final = (FILE_HEADER, CHUNK)
_ROOM: Final = bytes(CHUNK)  # of a chunk that is not written yet
_TOGETHER: Final = 16  # chunks: 1 costs 6 to 10 % more (templates compiled again), 8 costs 2 %
