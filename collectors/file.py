"""Reads a file that no log collector knows as one event: its name, size and hashes, so that YARA can judge its bytes.

Dataset `file.scan`. It claims nothing: the pipeline takes it for what nobody else claims. Size and hashes are of the
decompressed bytes; a file's modification time is no time of the event, so there is no `@timestamp`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from vonggac.event import Event, digest
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source

_CHUNK: Final = 1 << 20


def claims(head: Head) -> int:
    """Claim nothing, whatever stands in the head."""
    return 0


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; the options say nothing to it."""
    return _File(source)


class _File:
    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        """Yield one batch of one event; it never gives a mark, so `mark` is always None."""
        hashes = {name: hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")}
        size = 0
        with self._source.open() as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                for one in hashes.values():
                    one.update(chunk)
        path = self._source.path
        sums = {name: one.hexdigest() for name, one in hashes.items()}
        doc: dict[str, Any] = {
            "event": {"kind": "event", "module": "file", "dataset": "file.scan", "category": ["file"]},
            "log": {"file": {"path": path}, "offset": 0},
            "file": {"path": path, "name": _name(path), "size": size, "hash": sums},
        }
        yield [Event(digest("file", sums["sha256"]), doc)], None


def _name(path: str) -> str:
    """Give the last part: `b.exe` of `mail.zip!a/b.exe`."""
    return path.rpartition("!")[2].rpartition("/")[2] or path
