"""The frame of an EVTX file, without its contents: where chunks and records lie, what is damaged, and how to mend it.

The Rust parser is fast and trusting: a damaged chunk header costs it the chunk, one wrong record length the rest of the
chunk, a repeated record id what follows, and mostly it says nothing. So the frame is checked here, cheaply, and a
damaged chunk is given to the parser in a form that it reads: header made new, holes filled.
Source: libevtx, "Windows XML Event Log (EVTX) format".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

FILE_HEADER: Final = 4096
CHUNK: Final = 65536
CHUNK_HEADER: Final = 512
FILE_MAGIC: Final = b"ElfFile\0"
CHUNK_MAGIC: Final = b"ElfChnk\0"
RECORD_MAGIC: Final = b"**\0\0"
_SMALLEST: Final = 28  # header 24, size copy 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies in its chunk. Without a number it is a hole: bytes that are no record."""

    offset: int
    size: int
    number: int | None


@dataclass(frozen=True, slots=True)
class Frame:
    """What a damaged chunk holds, in its order."""

    places: list[Place]
    notes: list[str]  # what is damaged
    end: int  # of the last place


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What the file's header says."""

    counted: int  # chunks; 0 when not known: the header is damaged, or says that the file was not closed
    notes: list[str]


def file_header(data: bytes) -> FileHeader:
    """Read the first 4,096 bytes."""
    notes: list[str] = []
    if len(data) < FILE_HEADER:
        notes.append(f"file ends inside its header: {len(data):,} of {FILE_HEADER:,} bytes")
        data = data.ljust(FILE_HEADER, b"\0")
    elif not data.startswith(FILE_MAGIC):
        notes.append("file header: magic is missing")
    elif zlib.crc32(data[:120]) != _U32(data, 124)[0]:
        notes.append("file header: checksum is wrong")
    known = not notes and not _U32(data, 120)[0] & 1
    return FileHeader(_U16(data, 42)[0] if known else 0, notes)


def sound(chunk: bytes) -> list[tuple[int, int]] | None:
    """Give (offset, number) of the records of a chunk in which everything is right; None when anything is not.

    This is the way of nearly every chunk: 0.4 µs a record, most of it the checksum.
    """
    if chunk[:8] != CHUNK_MAGIC or len(chunk) != CHUNK:
        return None
    first, last, _, _, free, data_sum = _HEADER(chunk, 24)
    if not CHUNK_HEADER <= free <= CHUNK:
        return None
    view = memoryview(chunk)
    if zlib.crc32(view[128:CHUNK_HEADER], zlib.crc32(view[:120])) != _U32(chunk, 124)[0]:
        return None
    if zlib.crc32(view[CHUNK_HEADER:free]) != data_sum:
        return None
    found: list[tuple[int, int]] = []
    at = CHUNK_HEADER
    while at < free:
        magic, size, number = _RECORD(chunk, at)
        if magic != RECORD_MAGIC or size < _SMALLEST or at + size > free:
            return None
        found.append((at, number))
        at += size
    if len(found) != last - first + 1 or (found and (found[0][1] != first or found[-1][1] != last)):
        return None
    return found


def frame(chunk: bytes) -> Frame:
    """Find the records of a chunk that is not sound, and name what is wrong."""
    notes: list[str] = []
    if len(chunk) < CHUNK:
        notes.append(f"file ends inside the chunk: {len(chunk):,} of {CHUNK:,} bytes")
    whole = chunk.ljust(CHUNK, b"\0")
    first, last, _, _, free, data_sum = _HEADER(whole, 24)
    trusted = whole[:8] == CHUNK_MAGIC and zlib.crc32(whole[128:512], zlib.crc32(whole[:120])) == _U32(whole, 124)[0]
    if whole[:8] != CHUNK_MAGIC:
        notes.append("chunk header: magic is missing")
    elif not trusted:
        notes.append("chunk header: checksum is wrong")
    if not CHUNK_HEADER <= free <= CHUNK:
        free, trusted = CHUNK, False
    elif len(chunk) == CHUNK and zlib.crc32(whole[CHUNK_HEADER:free]) != data_sum:
        notes.append("checksum of the records is wrong")
    places = _places(chunk, min(free, len(chunk)), trusted=trusted)
    records = [place for place in places if place.number is not None]
    if trusted and len(records) != last - first + 1:
        notes.append(f"chunk header counts records {first} to {last}, {len(records):,} are there")
    if not records and whole[:8] != CHUNK_MAGIC:
        return Frame([], ["no chunk: neither its magic nor a record is there"], CHUNK_HEADER)
    end = places[-1].offset + places[-1].size if places else CHUNK_HEADER
    return Frame(places, notes, end)


def mended(chunk: bytes, found: Frame, without: Container[int] = ()) -> bytes:
    """Give a chunk that the parser reads from the first record to the last, one result for each place.

    `without` are offsets of records to treat as holes.

    The header's tables of strings and templates are left empty: the parser then follows the records' own offsets,
    which on 111 chunks of real logs gave the same text. A hole becomes a record with nothing in it; what stands behind
    its first 29 bytes (a template that later records use, perhaps) is left alone.
    """
    whole = bytearray(chunk.ljust(CHUNK, b"\0"))
    # last record number: the parser stops where it sees it
    _PACK_HEADER(whole, 0, CHUNK_MAGIC, 1, _NEVER, 1, _NEVER, 128, 0, found.end, 0)
    whole[56:CHUNK_HEADER] = bytes(CHUNK_HEADER - 56)
    for place in found.places:
        if place.number is None or place.offset in without:
            _PACK_FILLER(whole, place.offset, RECORD_MAGIC, place.size, 0, 0, b"\x0f\x01\x01\x00\x00")
    return bytes(whole)


def one_file(chunks: list[bytes]) -> bytes:
    """Make an EVTX file of up to 65,535 chunks."""
    return b"".join([_header(len(chunks)), *chunks])


@lru_cache(maxsize=64)
def _header(count: int) -> bytes:
    fixed = struct.pack("<8sQQQIHHHH", FILE_MAGIC, 0, count - 1, 1, 128, 1, 3, FILE_HEADER, count)
    fixed = fixed.ljust(120, b"\0")
    return (fixed + struct.pack("<II", 0, zlib.crc32(fixed))).ljust(FILE_HEADER, b"\0")


def record_at(chunk: bytes, offset: int) -> bytes:
    """Give the bytes of the record at an offset."""
    return chunk[offset : offset + _U32(chunk, offset + 4)[0]]


def _places(chunk: bytes, end: int, *, trusted: bool) -> list[Place]:
    """Walk from record to record; where one is damaged, look for the next.

    Behind the last record old ones may stand (a chunk's memory is used again). Where the header is not to be trusted,
    records count as long as their numbers follow each other.
    """
    places: list[Place] = []
    at = CHUNK_HEADER
    previous: int | None = None
    while at + _FILLER <= end:
        place = _record(chunk, at, end, None if previous is None else previous + 1)
        if place is None:
            next_at = _next(chunk, at + _FILLER, end)
            if next_at is None:
                if any(chunk[at:end]):
                    places.append(Place(at, end - at, None))
                break
            place = Place(at, next_at - at, None)
        elif not trusted and previous is not None and place.number is not None and place.number <= previous:
            break
        else:
            previous = place.number
        places.append(place)
        at += place.size
    return places


def _record(chunk: bytes, at: int, end: int, expected: int | None = None) -> Place | None:
    """Give the record at an offset, if it is one: magic, a size within the chunk, and one thing more that is right.

    That is the copy of the size, or what comes behind, or the number.
    """
    magic, size, number = _RECORD(chunk, at)
    behind = at + size
    if magic != RECORD_MAGIC or size < _FILLER or behind > end:
        return None
    followed = behind == end or chunk.startswith(RECORD_MAGIC, behind)
    if followed or number == expected or _U32(chunk, behind - 4)[0] == size:
        return Place(at, size, number)
    return None


def _next(chunk: bytes, at: int, end: int) -> int | None:
    while (at := chunk.find(RECORD_MAGIC, at, end)) >= 0:
        if at + _SMALLEST <= end and _record(chunk, at, end) is not None:
            return at
        at += 1
    return None


_FILLER: Final = (
    29  # the smallest record that says something: header, BinXml header, end; its size copy is not looked at
)
_NEVER: Final = (1 << 64) - 1
_U16: Final = struct.Struct("<H").unpack_from
_U32: Final = struct.Struct("<I").unpack_from
_HEADER: Final = struct.Struct(
    "<QQIIII"
).unpack_from  # from 24: first and last number, header size, last record, free, sum
_RECORD: Final = struct.Struct("<4sIQ").unpack_from
_PACK_HEADER: Final = struct.Struct("<8sQQQQIIII").pack_into
_PACK_FILLER: Final = struct.Struct("<4sIQQ5s").pack_into
