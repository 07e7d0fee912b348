"""One file of the inbox read in steps: each member of an archive, each batch of its collector, with the way back."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import tempfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from vonggac.event import Bad, Event
from vonggac.intake._away import sync_folders
from vonggac.ports import CollectorModule, ReadOptions, Source
from vonggac.reading import walk
from vonggac.reading.claims import claimed
from vonggac.reading.source import READ_ERRORS, Limits

_log = logging.getLogger(__name__)
FILE: Final = "file"  # the collector of what no log collector claims
EXAMINED: Final = 64 << 20  # bytes: of a larger file no copy is kept for YARA
_OURS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class OursError(Exception):
    """We lack something (room, descriptors): the file is not to blame, and is read again later."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file is: what its mark in the log holds."""

    key: str
    inside: str
    member: int = 0  # of an archive, from 0; a plain file has one
    collector: str = ""  # of this member, once it is known
    mark: bytes | None = None  # the collector's
    failed: bool = False  # something of it could not be read
    done: bool = False  # only the move is left

    def to_bytes(self) -> bytes:
        """Write it; the path may hold any bytes."""
        said: dict[str, Any] = {"k": self.key, "p": os.fsencode(self.inside).decode("latin-1"), "n": self.member}
        if self.mark is not None:
            said |= {"c": self.collector, "m": self.mark.decode("latin-1")}
        return orjson.dumps(said | {"f": self.failed, "d": self.done})

    @classmethod
    def from_bytes(cls, data: bytes) -> Progress:
        """Read what `to_bytes` wrote; raises ValueError for anything else."""
        try:
            said = orjson.loads(data)
            mark = said["m"].encode("latin-1") if "m" in said else None
            inside = os.fsdecode(said["p"].encode("latin-1"))
            return cls(said["k"], inside, said["n"], said.get("c", ""), mark, said["f"], said["d"])
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"no mark of the inbox: {data[:80]!r}"
            raise ValueError(msg) from error


@dataclass(frozen=True, slots=True)
class Step:
    """What one step gave, and where the next one begins."""

    collector: str
    source: str
    records: list[Event | Bad]
    member: int
    mark: bytes | None = None
    failed: bool = False


class Reader:
    """What reading a file needs besides the file."""

    def __init__(
        self, options: ReadOptions, limits: Limits, collectors: Mapping[str, CollectorModule], examine: Path
    ) -> None:
        self._options, self._limits, self._collectors, self._examine = options, limits, collectors, examine

    def steps(self, path: str, start: Progress) -> Generator[Step, None, None]:
        """Read on from `start`. Raises OursError and nothing else, whatever the file holds."""
        for member, source in enumerate(walk.inputs(path, self._limits)):
            if member < start.member:
                continue
            if isinstance(source, Bad):
                yield Step(FILE, source.path, [source], member + 1, failed=True)
                continue
            begun = start if member == start.member and start.mark is not None else None
            collector = FILE
            try:
                if not source.head.data:
                    continue
                name = begun.collector if begun is not None else claimed(source, self._collectors)
                if name is None:
                    yield Step(FILE, source.path, self._file(source, start.key, member), member + 1)
                    continue
                collector = name
                batches = self._collectors[name].open(source, self._options).read(begun.mark if begun else None)
                for records, mark in batches:
                    after = member + (mark is None)
                    yield Step(name, source.path, list(records), after, mark)
            except OursError:
                raise
            except READ_ERRORS as error:
                if isinstance(error, OSError) and error.errno in _OURS:
                    raise OursError(f"{source.path}: {walk.reason_of(error)}") from error  # noqa: EM102  the line
                bad = Bad(source.path, "", walk.reason_of(error))
                yield Step(collector, source.path, [bad], member + 1, failed=True)
            except Exception as error:  # noqa: BLE001  the one fence of this loop: our fault on one input stops no other
                _log.exception("fault while reading %s", source.path)
                reason = f"fault of Vọng Gác, please report it: {type(error).__name__}: {error}"
                yield Step(collector, source.path, [Bad(source.path, "", reason)], member + 1, failed=True)

    def _file(self, source: Source, key: str, member: int) -> list[Event | Bad]:
        """Make the event of a file that is no log, and keep its bytes for YARA."""
        batches = self._collectors[FILE].open(source, self._options).read(None)
        records = [record for batch, _ in batches for record in batch]
        for record in records:
            if isinstance(record, Event) and record.doc["file"]["size"] <= EXAMINED:
                record.doc.setdefault("vonggac", {})["examine"] = self._kept(source, f"{key}{member}")
        return records

    def _kept(self, source: Source, tail: str) -> str:
        """Copy the bytes, durably; give the copy's name. A file that is read again after a kill gives the same name."""
        sha256 = hashlib.sha256()
        copy = Path()
        try:
            with source.open() as content, ours(self._examine):
                with tempfile.NamedTemporaryFile(dir=self._examine, prefix=".", suffix=".part", delete=False) as file:
                    copy = Path(file.name)
                    while chunk := _read(content):
                        sha256.update(chunk)
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                name = f"{sha256.hexdigest()}.{hashlib.blake2b(tail.encode(), digest_size=8).hexdigest()}"
                copy.rename(self._examine / name)
                sync_folders([str(self._examine)])
        except _Theirs as error:
            raise error.cause from error
        finally:
            if copy.name:
                copy.unlink(missing_ok=True)
        return name


class _Theirs(Exception):
    """Reading the content failed, among what is ours."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause


def _read(content: BinaryIO) -> bytes:
    try:
        return content.read(1 << 20)
    except READ_ERRORS as error:
        raise _Theirs(error) from error


@contextlib.contextmanager
def ours(folder: Path) -> Iterator[None]:
    """Make what the system refuses us in a folder of ours an OursError."""
    try:
        yield
    except OSError as error:
        raise OursError(f"{folder}: {error.strerror or error}") from error  # noqa: EM102  the line itself
