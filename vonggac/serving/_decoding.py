"""Bodies that are sent packed (RFC 9110 §8.4), unpacked as they come, and never to more than the limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Protocol

import zstandard

_ZSTD_STEP: Final = 256  # bytes of zstd unpack to 8 MiB at most: 4 of them may be a block of 128 KiB


class TooLargeError(Exception):
    """The body is, or unpacks to, more than the limit."""


class DamagedError(Exception):
    """The body is not what its Content-Encoding says."""


class Decoder(Protocol):
    """Unpacks one body."""

    def feed(self, data: bytes, room: int) -> bytes:
        """Give what comes out of the next bytes; raises TooLargeError when it is more than `room`, DamagedError."""
        ...

    def end(self) -> None:
        """Raise DamagedError when the body was cut."""
        ...


def decoder(encoding: str) -> Decoder | None:
    """Give the decoder for a Content-Encoding; None when it is one that nobody here unpacks."""
    made = _KNOWN.get(encoding.strip().lower())
    return made() if made else None


class _Plain:
    def feed(self, data: bytes, room: int) -> bytes:
        if len(data) > room:
            raise TooLargeError
        return data

    def end(self) -> None:
        """Whether it is whole is the framing's matter."""


class _Zlib:
    """gzip, whose members may follow each other, or zlib ("deflate")."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._member = zlib.decompressobj(window)

    def feed(self, data: bytes, room: int) -> bytes:
        parts = []
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(self._window)
            try:
                part = self._member.decompress(data, room + 1)
            except zlib.error as error:
                raise DamagedError(str(error)) from error
            room -= len(part)
            if room < 0:
                raise TooLargeError
            parts.append(part)
            data = self._member.unused_data or self._member.unconsumed_tail
        return b"".join(parts)

    def end(self) -> None:
        if not self._member.eof:
            msg = "it ends too early"
            raise DamagedError(msg)


class _Zstd:
    def __init__(self) -> None:
        self._maker = zstandard.ZstdDecompressor(max_window_size=8 << 20)  # what RFC 9659 lets a sender use
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._whole = False

    def feed(self, data: bytes, room: int) -> bytes:
        parts = []
        for start in range(0, len(data), _ZSTD_STEP):
            step = data[start : start + _ZSTD_STEP]
            while step:
                self._frame = self._frame or self._maker.decompressobj()
                try:
                    part = self._frame.decompress(step)
                except zstandard.ZstdError as error:
                    raise DamagedError(str(error)) from error
                room -= len(part)
                if room < 0:
                    raise TooLargeError
                parts.append(part)
                self._whole = self._frame.eof
                step = self._frame.unused_data if self._whole else b""
                if self._whole:
                    self._frame = None
        return b"".join(parts)

    def end(self) -> None:
        if not self._whole:
            msg = "it ends too early"
            raise DamagedError(msg)


_KNOWN: Final[dict[str, Callable[[], Decoder]]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": lambda: _Zlib(31),
    "x-gzip": lambda: _Zlib(31),
    "deflate": lambda: _Zlib(15),
    "zstd": _Zstd,
}
