"""The embedded event store: Parquet files that never change, a SQLite catalogue that says which count, DuckDB to ask.

    <root>/catalogue.sqlite   the truth (`_catalogue.py`); the position in the log stands there too
    <root>/events/*.parquet   typed columns and the whole record (`_parquet.py`)
    <root>/blobs/<sha256>     records above 1 MiB, zstd
    <root>/lock               held by the one writer

Readers (any process) take their list of files from the catalogue, never from the folder. A file that was replaced or
dropped is deleted only when no query can be reading it any more.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from connectors._catalogue import SQLITE_VERSION, Catalogue, CatalogueError, Piece, SourceSpan
from connectors._duck import connected
from connectors._parquet import copy_files, copy_rows, micros, moment, row_of, save_blob, sync_file
from connectors._pieces import Row, groups, joined, piece_of
from connectors._search import search
from vonggac.event import Bad
from vonggac.logport import Batch, Positions
from vonggac.query import Query
from vonggac.storeport import Page, Stop

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MERGE_STEPS", "SQLITE_VERSION", "STEPS", "EmbeddedStore", "Limits", "SourceSpan", "World"]

STEPS: Final = ("written", "synced", "renamed", "recorded", "committed")  # of a save, in order
MERGE_STEPS: Final = STEPS
_SAMPLE: Final = 4 << 10


@dataclass(frozen=True, slots=True)
class World:
    """What the store asks of the machine; tests give their own."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sync: Callable[[int], None] = os.fsync  # of an open file or folder
    step: Callable[[str], None] = lambda _: None  # called between the steps of a save (`STEPS`)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything."""

    memory: str = "256MB"  # DuckDB's, each connection
    rows: int = 50_000  # a file that is saved
    bytes: int = 64 << 20  # of records in it
    small: int = 25_000  # rows; only smaller files are merged
    merged: int = 200_000  # rows of a merged file, at most
    query_s: float = 300.0  # no query runs longer
    floor: timedelta = timedelta(days=365)  # nothing younger is dropped
    grace: timedelta = timedelta(minutes=10)  # how long a replaced file outlives the longest query


@dataclass(slots=True)
class _Made:
    """What one save has made so far."""

    pieces: list[Piece] = field(default_factory=list)
    bads: list[Bad] = field(default_factory=list)


class EmbeddedStore:
    """An EventStore in a folder. The first call that writes takes the lock (BlockingIOError: another has it)."""

    def __init__(self, root: Path, *, limits: Limits | None = None, world: World | None = None) -> None:
        self.limits = limits or Limits()
        self._world = world or World()
        self._root, self._events, self._blobs = root, root / "events", root / "blobs"
        for folder in (self._events, self._blobs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.catalogue = Catalogue(root / "catalogue.sqlite")
        self._lock: int | None = None
        self._clean = False  # no file in the folders that the catalogue does not know

    # -------------------------------------------------------------- the port

    def taken(self) -> Positions:
        """Give the positions in the catalogue (`EventStore.taken`)."""
        return self.catalogue.positions()

    def save(self, batches: Sequence[Batch], upto: Positions) -> Sequence[Bad]:
        """Save batches and positions, all or nothing (`EventStore.save`).

        1. Leave out what was taken and what is no event. 2. Write the rest as files, synced and renamed: nobody looks
        at them yet. 3. Add the files and move the positions in one transaction of the catalogue.
        """
        self._own()
        made, taken, n = _Made(), self.catalogue.positions(), self.catalogue.numbered()
        waiting: list[Row] = []
        size = 0
        for batch in batches:
            appended = micros(batch.appended)
            skip = max(0, taken.get(batch.part, 0) - batch.first)
            for at, record in enumerate(batch.records[skip:], batch.first + skip):  # 1
                row = self._row(record, appended, n, (batch.part, at), made)
                if row is None:
                    continue
                n += 1
                waiting.append(row)
                size += len(row.line)
                if len(waiting) >= self.limits.rows or size >= self.limits.bytes:
                    self._write(waiting, made)  # 2
                    waiting, size = [], 0
        if waiting:
            self._write(waiting, made)
        self._record(made.pieces, [], upto, numbered=n)  # 3
        return made.bads

    def search(self, query: Query, units: frozenset[str], limit_s: float, stop: Stop) -> Page:
        """Answer from the files that the catalogue lists now (`EventStore.search`)."""
        limit_s = min(limit_s, self.limits.query_s)
        return search(self.catalogue, self._events, query, units, limit_s, stop, self.limits.memory)

    def drop(self, before: datetime) -> int:
        """Drop whole files, except what a hold covers (`EventStore.drop`); the catalogue keeps the account."""
        self._own()
        newest = self.catalogue.newest_append()
        if newest is None:
            return 0
        if before > moment(newest) - self.limits.floor:
            floor = self.limits.floor
            msg = f"nothing appended after {moment(newest) - floor} may be dropped: the floor is {floor.days} days"
            raise ValueError(msg)
        holds = self.catalogue.holds().values()
        old = [
            piece
            for piece in self.catalogue.live()
            if piece.appended_to < micros(before)
            and not any(piece.oldest < until and piece.newest >= since for since, until in holds)
        ]
        if old:
            self._record([], old, {}, why=f"retention: appended before {before.isoformat()}")
        self.sweep()
        return sum(piece.rows for piece in old)

    # ------------------------------------------------------------ house work

    def merge(self) -> int:
        """Join small files of one day of append time into large ones; give how many went. Called between saves.

        A file that is large already is never touched. The same steps as a save; readers of the old files go on.
        """
        self._own()
        gone = 0
        for group in groups(self.catalogue.live(), self.limits.small, self.limits.merged):
            sources, blobs = self.catalogue.whole(group)
            name = _new_name()
            self._file(name, partial(copy_files, [self._path(one.name) for one in group]))
            piece = replace(
                joined(group, name, self._path(name).stat().st_size), sources=tuple(sources), blobs=tuple(blobs)
            )
            self._record([piece], group, {})
            gone += len(group)
        self.sweep()
        return gone

    def sweep(self) -> list[str]:
        """Delete from the disk what was replaced or dropped before the longest query began; give the files."""
        self._own()
        limit = self._world.clock() - timedelta(seconds=self.limits.query_s) - self.limits.grace
        names, blobs = self.catalogue.expired(micros(limit))
        for name in names:
            self._path(name).unlink(missing_ok=True)
        for sha in blobs:
            (self._blobs / sha).unlink(missing_ok=True)
        if names:
            self.catalogue.forget(names)
        return names

    def hold(self, name: str, since: datetime, until: datetime) -> None:
        """Keep all events of that time (`until` not counted) from `drop`, until `release`: an open case, an order."""
        self.catalogue.hold(name, micros(since), micros(until))

    def release(self, name: str) -> None:
        """End a hold."""
        self.catalogue.release(name)

    def sources(self) -> Sequence[SourceSpan]:
        """Give the oldest and newest searchable event of each source."""
        return self.catalogue.sources()

    def close(self) -> None:
        """Let go of the lock. May be called twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --------------------------------------------------------------- writing

    def _own(self) -> None:
        """Take the lock; whatever the catalogue does not know is the rest of a save that was killed or failed."""
        if self._lock is None:
            lock = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                raise
            self._lock, self._clean = lock, False
        if not self._clean:
            files, blobs = self.catalogue.known()
            for folder, known in ((self._events, files), (self._blobs, blobs)):
                for path in folder.iterdir():
                    if path.name not in known:
                        path.unlink()
        self._clean = True

    def _row(self, record: bytes, appended: int, n: int, place: tuple[str, int], made: _Made) -> Row | None:
        try:
            row, large = row_of(record, appended, n)
        except ValueError as error:
            made.bads.append(_bad(place, f"no event: {error}", record))
            return None
        blob = None if large is None else save_blob(self._blobs, large, self._world.sync)
        source = (row.get("event_dataset", ""), row.get("host_name", ""))
        return Row(orjson.dumps(row), row["ts"], appended, source, place, record, blob, row["stray"])

    def _write(self, rows: list[Row], made: _Made) -> None:
        """Write rows into one file, or into two halves when memory does not suffice; one that does not fit is bad."""
        import duckdb

        name = _new_name()
        scratch = self._events / f"{name}.ndjson.tmp"
        try:
            self._file(name, partial(copy_rows, (row.line for row in rows), scratch))
        except duckdb.OutOfMemoryException:
            if len(rows) == 1:
                made.bads.append(_bad(rows[0].place, f"does not fit into {self.limits.memory}", rows[0].record))
            else:
                self._write(rows[: len(rows) // 2], made)
                self._write(rows[len(rows) // 2 :], made)
            return
        finally:
            scratch.unlink(missing_ok=True)
        made.pieces.append(piece_of(rows, name, self._path(name).stat().st_size))

    def _file(self, name: str, fill: Callable[[DuckDBPyConnection, Path], None]) -> None:
        """Let `fill` write a file, and bring it to the disk under its name."""
        import duckdb

        temporary = self._events / f"{name}.tmp"
        self._clean = False
        try:
            with connected(self._events, self.limits.memory) as con:
                fill(con, temporary)
            self._world.step("written")
            sync_file(temporary, self._world.sync)
            self._world.step("synced")
            temporary.rename(self._path(name))
            sync_file(self._events, self._world.sync)
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
        finally:
            temporary.unlink(missing_ok=True)
        self._world.step("renamed")

    def _record(
        self,
        add: Sequence[Piece],
        gone: Sequence[Piece],
        upto: Positions,
        *,
        numbered: int | None = None,
        why: str = "",
    ) -> None:
        now = micros(self._world.clock())
        try:
            with self.catalogue.record(add, gone, upto, numbered=numbered, now=now, why=why):
                self._world.step("recorded")
        except CatalogueError as error:
            raise OSError(str(error)) from error
        self._clean = True
        self._world.step("committed")

    def _path(self, name: str) -> Path:
        return self._events / name


def _bad(place: tuple[str, int], reason: str, record: bytes) -> Bad:
    return Bad(place[0], f"offset {place[1]}", " ".join(reason.split()), record[:_SAMPLE])


def _new_name() -> str:
    return f"{secrets.token_hex(16)}.parquet"
