"""What a worker gets: a file, or a part of a large log that can be read from anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from vonggac.ports import CollectorModule
from vonggac.reading.claims import claimed
from vonggac.reading.source import READ_ERRORS, open_regular, plain

LEAST: Final = 32 << 20  # bytes: below it, a part costs more than it saves


@dataclass(frozen=True, slots=True)
class Part:
    """A file from `start` to `stop` (None = its end), both where a record begins."""

    path: str
    start: int = 0
    stop: int | None = None

    @property
    def first(self) -> bool:
        """Say whether it is the part that counts the file."""
        return self.start == 0

    def mark(self, module: CollectorModule) -> bytes | None:
        """Say where a collector resumes, in its own words."""
        if self.first:
            return None
        mark_at: Callable[[int], bytes] | None = getattr(module, "mark_at", None)
        return mark_at(self.start) if mark_at else str(self.start).encode()

    def to_bytes(self) -> bytes:
        """Write it for a pipe; a path may hold any bytes."""
        return f"{self.start} {self.stop if self.stop is not None else ''} ".encode() + os.fsencode(self.path)

    @classmethod
    def from_bytes(cls, data: bytes) -> Part:
        """Read what `to_bytes` wrote."""
        start, stop, path = data.split(b" ", 2)
        return cls(os.fsdecode(path), int(start), int(stop) if stop else None)


def parts_of(path: str, collectors: Mapping[str, CollectorModule], forced: str | None, workers: int) -> list[Part]:
    """Cut a large plain log into a part a worker; anything else, and what cannot be read, stays whole."""
    uncut = [Part(path)]
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            count = min(workers, size // LEAST)
            if count < 2:
                return uncut
            source = plain(path)
            file.seek(0)
            if not source.head.data.startswith(file.read(64)):
                return uncut  # compressed
            name = forced or claimed(source, collectors)
            splits = getattr(collectors.get(name or ""), "splits", None)
            if splits is None or not splits(source.head):
                return uncut
            starts = [0]
            grain: tuple[int, int] | None = getattr(collectors[name or ""], "GRAIN", None)
            for number in range(1, count):
                if grain is not None:
                    first, step = grain
                    starts.append(first + (size * number // count - first) // step * step)
                    continue
                file.seek(size * number // count)
                whole = file.readline(LEAST).endswith(b"\n")  # to the next line; inside a huge line there is no cut
                if whole and starts[-1] < file.tell() < size:
                    starts.append(file.tell())
    except READ_ERRORS:
        return uncut
    return [Part(path, start, stop) for start, stop in zip(starts, [*starts[1:], None], strict=True)]
