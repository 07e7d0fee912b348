"""One input as a stream of decompressed bytes: plain, gzip, zstd, bzip2 or xz; bounded, whatever it claims to be."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, BinaryIO, Final, cast

import zstandard

from vonggac.ports import Head, Source

#: What reading a stream may raise: the whole rest of the input is unreadable, and a caller names it.
READ_ERRORS: Final = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    zipfile.BadZipFile,
    tarfile.TarError,
)
HEAD: Final = 64 << 10
_FREE: Final = 256 << 20  # output below it is never called a bomb
_IN_MEMORY: Final = 8 << 20  # a spooled stream above it goes to a temporary file
COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00")
_ZSTD_STEP: Final = 1 << 10  # bytes: they unpack to 32 MiB at most, 4 of them being a block of 128 KiB
_SUFFIXES: Final = (".gz", ".zst", ".bz2", ".xz")


class BombError(OSError):
    """A stream grows far beyond what its size allows."""


class ShrankError(OSError):
    """A file ended before the size that it had at the start."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a compressed stream is followed."""

    ratio: int = 250
    depth: int = 3  # archives in archives
    members: int = 100_000  # of one archive


def plain(path: str, limits: Limits = Limits(), stop: int | None = None) -> Source:
    """Give the source of a file on disk, its compression seen through; raises OSError when it cannot be opened.

    With `stop` the (uncompressed) file ends there, for one worker's part of a large log.
    """
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        start = file.read(6)
    squeezed = start.startswith(COMPRESSED)

    def opened() -> BinaryIO:
        stream = open_regular(path)
        return _unpacked(stream, start, status.st_size, limits) if squeezed else cast(BinaryIO, _Snapshot(stream, stop))

    return make(
        path=display(path),
        size=status.st_size,
        modified=datetime.fromtimestamp(status.st_mtime, UTC),
        opened=opened,
        seekable=None if squeezed else lambda: open_regular(path),
        limits=limits,
        stop=stop,
    )


def make(
    path: str,
    size: int | None,
    modified: datetime,
    opened: Callable[[], BinaryIO],
    seekable: Callable[[], BinaryIO] | None,
    limits: Limits,
    stop: int | None = None,
) -> Source:
    """Read the head and join the parts; without `seekable`, seeking is had through a temporary file.

    Damage inside the head raises only when nothing stands before it: reading the source will come to it again.
    """
    parts: list[bytes] = []
    left = HEAD
    with opened() as stream:
        try:
            while left > 0 and (part := stream.read(left)):
                parts.append(part)
                left -= len(part)
        except READ_ERRORS:
            if not parts:
                raise
    data = b"".join(parts)
    return Source(
        path=path,
        head=Head(bare_name(path), data),
        size=size,
        modified=modified,
        open=opened,
        seekable=seekable or (lambda: spool(opened())),
        stop=stop,
    )


def of_bytes(data: bytes, path: str, modified: datetime, name: str = "") -> Source:
    """Give the source of bytes in memory, as they are; `name` is what a file's name would tell collectors."""

    def opened() -> BinaryIO:
        return io.BytesIO(data)

    return Source(path, Head(name, data[:HEAD]), len(data), modified, opened, opened)


def member(path: str, spooled: BinaryIO, modified: datetime, limits: Limits) -> Source:
    """Give the source of an archive's member from its spooled bytes; the caller closes these when it is read."""
    start = spooled.read(6)
    squeezed = start.startswith(COMPRESSED)
    length = spooled.seek(0, io.SEEK_END)

    def raw() -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(_Window(spooled)))

    def opened() -> BinaryIO:
        return _unpacked(raw(), start, length, limits) if squeezed else raw()

    return make(path, length, modified, opened, None if squeezed else raw, limits)


def open_regular(path: str) -> BinaryIO:
    """Open a regular file; raises OSError naming what else it is. Never waits for a FIFO's writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        raise OSError(f"is a {kind_of(kind)}, not a file")  # noqa: EM102  the kind is the whole message
    return os.fdopen(descriptor, "rb")


def kind_of(mode: int) -> str:
    """Name what a file-system entry is."""
    for test, name in (
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "character device"),
        (stat.S_ISBLK, "block device"),
        (stat.S_ISDIR, "folder"),
        (stat.S_ISLNK, "link"),
    ):
        if test(mode):
            return name
    return "file"


def display(path: str) -> str:
    r"""Give a path as text that every output can hold: a byte that is no UTF-8 is written `\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def bare_name(path: str) -> str:
    """Give the last part of a path in lower case, without the ending of a compression."""
    name = path.rsplit("!", 1)[-1].rsplit("/", 1)[-1].lower()
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def read_up_to(stream: BinaryIO, count: int) -> bytes:
    """Read `count` bytes or to the end, whatever pieces the stream gives."""
    parts: list[bytes] = []
    while count > 0 and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def spool(stream: BinaryIO) -> BinaryIO:
    """Copy a stream to memory, or to an unnamed temporary file when it is large, and stand at its start."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  the caller closes it
    with contextlib.ExitStack() as on_error:
        on_error.callback(file.close)
        with stream:
            while chunk := stream.read(1 << 20):
                file.write(chunk)
        file.seek(0)
        on_error.pop_all()
    return cast(BinaryIO, file)


class Allowance:
    """How many bytes may come out of `packed` bytes, all streams of an archive together."""

    def __init__(self, packed: int, limits: Limits, what: str) -> None:
        self._ratio, self._what = limits.ratio, what
        self._room = max(_FREE, packed * limits.ratio)

    def bounded(self, stream: IO[bytes], below: IO[bytes] | None = None) -> BinaryIO:
        """Give the stream, which closes itself and `below`; reading beyond the allowance raises BombError.

        A read gives what one step unpacks, so that what stands before a cut is had before the cut raises.
        """
        return cast(BinaryIO, _Bounded(stream, self, below))

    def spend(self, count: int) -> None:
        """Take `count` bytes off; raises BombError when none are left."""
        self._room -= count
        if self._room < 0:
            raise BombError(f"{self._what} unpacks to more than {self._ratio} times its size: a bomb")  # noqa: EM102


def _unpacked(stream: BinaryIO, start: bytes, size: int, limits: Limits) -> BinaryIO:
    if start.startswith(b"\x1f\x8b"):
        unpacked: IO[bytes] = cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    elif start.startswith(b"BZh"):
        unpacked = bz2.BZ2File(stream)
    elif start.startswith(b"\xfd7z"):
        unpacked = lzma.LZMAFile(stream)  # noqa: SIM115  closed by _Bounded
    else:
        unpacked = cast(IO[bytes], _Zstd(stream))
    return Allowance(size, limits, "compressed stream").bounded(unpacked, stream)


class _Zstd(io.RawIOBase):
    """Unpacks frame after frame; a stream that ends inside one raises EOFError: zstandard's own reader is silent."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed = b""
        self._out = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stub's WriteableBuffer
        while not self._out:
            packed = self._packed or self._stream.read(_ZSTD_STEP)
            if not packed:
                if self._frame is not None:
                    msg = "zstd stream ends inside a frame"
                    raise EOFError(msg)
                return 0
            frame = self._frame or self._decompressor.decompressobj()
            self._out = memoryview(frame.decompress(packed))
            self._packed, self._frame = (frame.unused_data, None) if frame.eof else (b"", frame)
        count = min(len(buffer), len(self._out))
        buffer[:count] = self._out[:count]
        self._out = self._out[count:]
        return count


class _Bounded(io.RawIOBase):
    """Stops a stream that unpacks to far more than its size allows."""

    def __init__(self, stream: IO[bytes], allowance: Allowance, below: IO[bytes] | None) -> None:
        self._stream, self._allowance, self._below = stream, allowance, below
        self._step: Callable[[int], bytes] = getattr(stream, "read1", stream.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stub's WriteableBuffer
        data = self._step(len(buffer))
        buffer[: len(data)] = data
        self._allowance.spend(len(data))
        return len(data)

    def close(self) -> None:
        self._stream.close()
        if self._below is not None:
            self._below.close()
        super().close()


class _Window(io.RawIOBase):
    """One reader's view of a shared file: its own position."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence == io.SEEK_END:
            offset += self._file.seek(0, io.SEEK_END)
        if offset < 0:
            msg = f"negative seek position {offset}"
            raise ValueError(msg)
        self._at = offset
        return offset

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stub's WriteableBuffer
        self._file.seek(self._at)
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Snapshot(io.RawIOBase):
    """A file as long as it was when opened, plus the rest of a line that stood half-written: a log that grows ends too.

    A file that is shorter at its end than at the start raises ShrankError.
    """

    def __init__(self, file: BinaryIO, stop: int | None) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size if stop is None else stop
        self._at = 0
        self._last = b"\n"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = self._file.seek(base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stub's WriteableBuffer
        left = self._size - self._at
        if left > 0:
            data = self._file.read(min(left, len(buffer)))
            if not data:
                raise ShrankError(f"ended at byte {self._at:,} of {self._size:,}: it shrank while being read")  # noqa: EM102
        elif self._last == b"\n":
            return 0
        else:
            data = self._file.readline(len(buffer))
        self._last = data[-1:] or b"\n"
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        parts = super().read(size)
        return parts or b""

    def close(self) -> None:
        self._file.close()
        super().close()
