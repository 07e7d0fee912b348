"""The frame: one commit as bytes. A header in a zstd skippable frame, then one zstd frame of NDJSON a section.

    56 2a 4d 18  <u32 size>                     zstd: skip the next `size` bytes
    "VGlog" 00 8d 0a                            our mark, for finding the next frame after damage
    <u16 version> <16 bytes: the journal's id>  a record that holds a whole frame in it does not know the id
    <u64 number> <u64 sequence> <u64 epoch>     the frame's, of the first record in the journal, of the owner
    <i64 append time, microseconds, UTC>
    <u8 full> <u32 meta> <u16 sections>         full = meta repeats all positions, marks and ends
    meta: JSON; a section: <u8 n> topic <u16 shard> <u64 first> <u32 count> <u32 size> <u32 packed> <u32 crc>; …
    <u32 crc of all before it>
    28 b5 2f fd …                               sections, one after the other

All numbers little-endian. `zstd -dc` of a file of frames prints the records, one a line.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

VERSION: Final = 1
SKIP: Final = b"\x56\x2a\x4d\x18"
MARK: Final = b"VGlog\x00\x8d\x0a"
#: A header larger than this is damage; `State` keeps marks and positions far below it.
MAX_HEADER: Final = 32 << 20
#: Bytes of records in one frame.
MAX_FRAME: Final = 64 << 20

_FIXED: Final = struct.Struct("<8sH16sQQQqBIH")
_SECTION: Final = struct.Struct("<HQIIII")
LEAST: Final = 8 + _FIXED.size + 4


class Damaged(ValueError):
    """These bytes are not a frame; says why."""


class NewerFormat(ValueError):
    """A frame of a later version of the program: refused by name, not skipped as damage."""


@dataclass(frozen=True, slots=True)
class Section:
    """Where one Part's records of a frame stand."""

    topic: str
    shard: int
    first: int  # the Part's offset of the first record
    count: int
    size: int  # bytes, unpacked
    packed: int  # bytes in the file
    crc: int  # of those

    @property
    def next(self) -> int:
        """The Part's offset after it."""
        return self.first + self.count


@dataclass(frozen=True, slots=True)
class Header:
    """What a frame says of itself."""

    number: int
    sequence: int
    epoch: int
    appended: int  # microseconds since 1970, UTC
    full: bool
    meta: bytes
    sections: tuple[Section, ...]
    length: int  # bytes of the header in the file

    @property
    def size(self) -> int:
        """Bytes of the whole frame in the file."""
        return self.length + sum(section.packed for section in self.sections)


def encode(journal: bytes, header: Header) -> bytes:
    """Give the header's bytes; its `length` is not read."""
    size = _FIXED.size + len(header.meta) + 4
    tail = [header.meta]
    for one in header.sections:
        topic = one.topic.encode("ascii")
        tail += [bytes((len(topic),)), topic]
        tail += [_SECTION.pack(one.shard, one.first, one.count, one.size, one.packed, one.crc)]
        size += 1 + len(topic) + _SECTION.size
    fixed = _FIXED.pack(
        MARK,
        VERSION,
        journal,
        header.number,
        header.sequence,
        header.epoch,
        header.appended,
        header.full,
        len(header.meta),
        len(header.sections),
    )
    data = b"".join((SKIP, struct.pack("<I", size), fixed, *tail))
    return data + struct.pack("<I", zlib.crc32(data))


def length(start: bytes, journal: bytes) -> int:
    """Give the length of the header that begins with these LEAST bytes; raises Damaged. Cheap: reads no CRC."""
    if len(start) < LEAST or start[:4] != SKIP or start[8:16] != MARK:
        msg = "no frame begins here"
        raise Damaged(msg)
    if start[18:34] != journal:
        msg = "a frame of another journal"
        raise Damaged(msg)
    size = int.from_bytes(start[4:8], "little") + 8
    if not LEAST <= size <= MAX_HEADER:
        msg = f"a header of {size} bytes"
        raise Damaged(msg)
    return size


def decode(data: bytes, journal: bytes) -> Header:
    """Read a whole header (as long as `length` says); raises Damaged, and NewerFormat for a later version."""
    if len(data) < length(data, journal) or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        msg = "the header's checksum differs"
        raise Damaged(msg)
    _, version, _, number, sequence, epoch, appended, full, metas, sections = _FIXED.unpack_from(data, 8)
    if version > VERSION:
        msg = f"format {version} of the event log; this program reads up to {VERSION}"
        raise NewerFormat(msg)
    at = 8 + _FIXED.size
    meta = data[at : at + metas]
    at += metas
    found = []
    try:
        for _ in range(sections):
            end = at + 1 + data[at]
            found.append(Section(data[at + 1 : end].decode("ascii"), *_SECTION.unpack_from(data, end)))
            at = end + _SECTION.size
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        msg = f"the section table does not read: {error}"
        raise Damaged(msg) from error
    return Header(number, sequence, epoch, appended, bool(full), meta, tuple(found), len(data))


def pack(records: Sequence[bytes]) -> tuple[int, bytes]:
    """Give the size of the records as lines and their zstd frame; the caller has looked for newlines in them."""
    plain = b"\n".join((*records, b""))
    data: bytes = _zstd().packer.compress(plain)
    return len(plain), data


def unpack(data: bytes, section: Section) -> list[bytes]:
    """Read a section's records back; raises Damaged."""
    import zstandard

    if len(data) != section.packed or zlib.crc32(data) != section.crc:
        msg = f"the checksum of {section.topic} differs"
        raise Damaged(msg)
    if section.size > MAX_FRAME + section.count:
        msg = f"{section.topic} says that it has {section.size} bytes"
        raise Damaged(msg)
    try:
        plain = _zstd().unpacker.decompress(data, max_output_size=section.size)
    except zstandard.ZstdError as error:
        msg = f"{section.topic} does not unpack: {error}"
        raise Damaged(msg) from error
    records: list[bytes] = plain.split(b"\n")
    if len(plain) != section.size or records.pop() or len(records) != section.count:
        msg = f"{section.topic} unpacks to something else"
        raise Damaged(msg)
    return records


class _Zstd(threading.local):
    """One compressor and one decompressor a thread: they are not to be shared."""

    def __init__(self) -> None:
        import zstandard

        self.packer = zstandard.ZstdCompressor(level=1)
        self.unpacker = zstandard.ZstdDecompressor()


@cache
def _zstd() -> _Zstd:
    return _Zstd()
