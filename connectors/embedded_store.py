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
import math
import os
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from connectors._catalogue import SQLITE_VERSION, Catalogue, CatalogueError, Piece, SourceSpan, StateError
from connectors._duck import Engine, Watch
from connectors._filing import Filed, Filer, brought, new_name, unnamed
from connectors._parquet import copy_files, micros, moment, sync_file
from connectors._pieces import groups, joined, limited
from connectors._portion import Run, divided, portions, size_of
from connectors._search import search
from connectors._second import Second
from connectors._sound import damage, read_whole
from vonggac.event import Bad
from vonggac.logport import Batch, Positions
from vonggac.query import Query
from vonggac.storeport import Page, Stop, Stopped

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MERGE_STEPS", "SQLITE_VERSION", "STEPS", "EmbeddedStore", "Limits", "SourceSpan", "StateError", "World"]

STEPS: Final = ("written", "synced", "renamed", "recorded", "committed")  # of a save, in order
MERGE_STEPS: Final = STEPS
_SAMPLE: Final = 4 << 10
_REASON: Final = 200
_SHARE: Final = 0.5  # of the bytes, the second writer's
_PAIR: Final = 2  # files that can be joined, at least
_ROW_GROUPS: Final = (8_192, 1_024)  # rows that a join holds in memory: as many as one can


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
    bytes: int = 24 << 20  # of records in it
    threads: int = 2  # DuckDB's, of whoever saves
    second: str = "128MB"  # DuckDB's memory in a second writer
    shared: int = 2 << 20  # bytes of records that are work for two writers
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
    """An EventStore in a folder. The first call that writes takes the lock (BlockingIOError: another has it).

    With `writers` = 2 (it may be changed between saves) a process on another core does its part of each large save:
    a third faster, for 100 to 150 MB while there is much to save (`_second.py`).
    """

    def __init__(
        self, root: Path, *, limits: Limits | None = None, world: World | None = None, writers: int = 1
    ) -> None:
        self.writers = writers
        self.limits = limits or Limits()
        self._world = world or World()
        self._root, self._events, self._blobs = root, root / "events", root / "blobs"
        for folder in (self._events, self._blobs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.catalogue = Catalogue(root / "catalogue.sqlite")
        self._threads = min(self.limits.threads, os.cpu_count() or 1)
        memory, sync, step = self.limits.memory, self._world.sync, self._world.step
        self._filer = Filer(self._events, self._blobs, memory, self._threads, sync=sync, step=step)
        self._second = Second(self._events, self._blobs, self.limits.second)
        self._joiner = Engine(self._events, memory)  # on one thread: less memory, and the others go on
        self._lock: int | None = None
        self._clean = False  # no file in the folders that the catalogue does not know
        self._left = False  # the second writer may have left one

    def second_writer(self, wait_s: float) -> int | None:
        """Start the second writer and give its process, when it is ready within so many seconds."""
        return self._second.pid if self._second.ready(wait_s) else None

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
        made, n = _Made(), self.catalogue.numbered()
        for runs in portions(batches, self.catalogue.positions(), self.limits.rows, self.limits.bytes, n):
            self._take(runs, made)
            n = runs[-1].number + len(runs[-1].records)
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
            for piece in self.catalogue.live(damaged=True)
            if piece.appended_to < micros(before)
            and not any(piece.oldest < until and piece.newest >= since for since, until in holds)
        ]
        if old:
            self._record([], old, {}, why=f"retention: appended before {before.isoformat()}")
        self.sweep()
        return sum(piece.rows for piece in old)

    # ------------------------------------------------------------ house work

    def merge(
        self, least: int = 2, limit_s: float | None = None, *, rows: int | None = None, stop: Stop | None = None
    ) -> int:
        """Join small files of one day of append time into large ones; give how many went. Called between saves.

        A file that is large already is never touched; one that is damaged is marked and stays. Of fewer than `least`
        files only what makes a large one is joined; after `limit_s` seconds no other join begins; a join is of `rows`
        at most, and given up, as if it had not begun, when `stop` is set. The same steps as a save; readers of the
        old files go on. Raises OSError when the disk does not take it.
        """
        self._own()
        began, gone = time.monotonic(), 0
        most, stop = min(rows or self.limits.merged, self.limits.merged), stop or threading.Event()
        try:
            for group in groups(self.catalogue.live(), self.limits.small, most, least):
                gone += self._join([piece for piece in group if self._sound(piece, stop)], stop)
                if limit_s is not None and time.monotonic() - began >= limit_s:
                    break
        except Stopped:
            pass
        self._joiner.close()
        self.sweep()
        return gone

    def verify(self) -> list[tuple[str, int, int, int, str]]:
        """Read every file and compare it with what was saved; give the damaged ones (`Catalogue.damaged`).

        One that was put back counts again. Any process may call it.
        """
        for piece in self.catalogue.live(damaged=True):
            if self._sound(piece):
                self.catalogue.mend(piece.name)
        return self.catalogue.damaged()

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
        """Let go of the lock, the second writer and DuckDB's memory. May be called twice."""
        self._second.close()
        self._filer.close()
        self._joiner.close()
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
                        path.unlink(missing_ok=True)  # the second writer of one that was killed may be faster
        self._clean = True

    def _take(self, runs: Sequence[Run], made: _Made) -> None:
        """File some runs, alone or with the second writer, and give the files their names."""
        self._clean = False
        if self.writers > 1 and (size := size_of(runs)) >= self.limits.shared and self._second.ready():
            filed = self._both(*divided(runs, int(size * _SHARE)))
        else:
            filed = [self._filer.file(runs, self._threads)]
        starts = [run.number for run in runs]
        for one in filed:
            bads = [*one.bads, *((number, f"does not fit into {self.limits.memory}") for number in one.tight)]
            for number, reason in bads:
                run = runs[bisect_right(starts, number) - 1]
                made.bads.append(_bad(run, number - run.number, reason))
        pieces = [piece for one in filed for piece in one.pieces]
        if pieces:
            self._name([piece.name for piece in pieces])
        made.pieces += pieces

    def _both(self, theirs: Sequence[Run], ours: Sequence[Run]) -> list[Filed]:
        """Let the second writer file a part; what it does not, we do."""
        begun = self._second.begin(theirs)
        try:
            mine = self._filer.file(ours, threads=1)
            its = self._second.end() if begun else None
        except BaseException:
            self._second.close()  # before anybody sweeps what it may be writing
            raise
        if its is None:
            self._left = begun
            return [self._filer.file(theirs), mine]
        for _ in its.pieces:
            self._world.step("written")
            self._world.step("synced")
        return [its, mine]

    def _name(self, names: Sequence[str]) -> None:
        """Give files that are on the disk their names there."""
        for name in names:
            unnamed(self._events, name).rename(self._path(name))
        sync_file(self._events, self._world.sync)
        self._world.step("renamed")

    def _join(self, group: Sequence[Piece], stop: Stop) -> int:
        """Join files into one, or into more when memory does not suffice; give how many went. Raises Stopped."""
        import duckdb

        if len(group) < _PAIR:
            return 0
        sources, blobs = self.catalogue.whole(group)
        name, paths = new_name(), [self._path(one.name) for one in group]
        self._clean = False
        for rows in _ROW_GROUPS:
            try:
                fill = partial(self._copied, paths, rows, stop)
                target, many = unnamed(self._events, name), sum(one.rows for one in group)
                digest = brought(target, many, self._joiner, fill, self._world.sync, self._world.step)
                self._name([name])
            except duckdb.OutOfMemoryException:
                continue
            except (OSError, duckdb.Error) as error:
                if stop.is_set():
                    raise Stopped from error
                left = [piece for piece in group if self._readable(piece)]
                if len(left) < len(group):
                    return self._join(left, stop)
                raise OSError(str(error)) from error
            break
        else:
            half = len(group) // 2
            return self._join(group[:half], stop) + self._join(group[half:], stop)
        size = self._path(name).stat().st_size
        piece = replace(joined(group, name, size, digest), sources=tuple(limited(sources)), blobs=tuple(blobs))
        self._record([piece], group, {})
        return len(group)

    def _copied(self, paths: Sequence[Path], rows: int, stop: Stop, _con: DuckDBPyConnection, target: Path) -> int:
        with Watch(self._joiner, math.inf, stop) as watch:
            watch.check()
            return copy_files(paths, self._joiner.con, target, rows)

    def _sound(self, piece: Piece, stop: Stop | None = None) -> bool:
        """Say whether a file is what was saved; if not, mark it. Raises OSError when it cannot be told, and Stopped."""
        if stop is not None and stop.is_set():
            raise Stopped
        reason = damage(self._path(piece.name), piece.size, piece.digest)
        if reason:
            self.catalogue.mark_damaged(piece.name, reason)
        return not reason

    def _readable(self, piece: Piece) -> bool:
        """Say whether DuckDB can read a file; if not, mark it."""
        import duckdb

        try:
            read_whole(self._joiner.con, self._path(piece.name))
        except duckdb.OutOfMemoryException:
            self._joiner.close()
        except duckdb.Error as error:
            self._joiner.close()
            self.catalogue.mark_damaged(piece.name, " ".join(str(error).split())[:_REASON])
            return False
        return True

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
        self._clean, self._left = not self._left, False
        self._world.step("committed")

    def _path(self, name: str) -> Path:
        return self._events / name


def _bad(run: Run, at: int, reason: str) -> Bad:
    return Bad(run.part, f"offset {run.first + at}", " ".join(reason.split()), run.records[at][:_SAMPLE])
