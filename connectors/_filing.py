"""Files records of the embedded store: into synced Parquet files that have no name yet.

The same work is done in the store's own process and in a second writer's (`_writerprocess.py`); which files count, and
from when, only the store decides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from connectors._catalogue import Piece
from connectors._duck import Engine
from connectors._encode import Maker, Rows, piece_of, uncollected, write
from connectors._parquet import micros, save_blob, sync_file
from connectors._portion import Run
from connectors._sound import digest_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Step = Callable[[str], None]
Sync = Callable[[int], None]


@dataclass(slots=True)
class Filed:
    """What became of some records. Each piece stands as `unnamed(name)`, synced. Rows go by number."""

    pieces: list[Piece] = field(default_factory=list)
    bads: list[tuple[int, str]] = field(default_factory=list)  # no event, and why
    tight: list[int] = field(default_factory=list)  # does not fit into the memory even alone


class Filer:
    """Files records. One thread at a time."""

    def __init__(
        self,
        events: Path,
        blobs: Path,
        memory: str,
        threads: int,
        *,
        sync: Sync = os.fsync,
        step: Step = lambda _: None,
    ) -> None:
        self._events, self._memory, self._threads = events, memory, threads
        self._sync, self._step = sync, step
        self.engine = Engine(events, memory, threads)
        self._maker = Maker(lambda record: save_blob(blobs, record, sync))

    def file(self, runs: Sequence[Run], threads: int | None = None) -> Filed:
        """File the records of some runs on so many threads. Raises OSError and duckdb.Error; leaves no file then."""
        filed = Filed()
        if threads and threads != self._threads:
            self._threads = threads
            self.engine.close()
            self.engine = Engine(self._events, self._memory, threads)
        try:
            with uncollected():
                self._rows(runs, filed)  # which are gone, too, before anything is collected
        except BaseException:
            for piece in filed.pieces:
                unnamed(self._events, piece.name).unlink(missing_ok=True)
            raise
        return filed

    def close(self) -> None:
        """Let go of DuckDB's memory."""
        self.engine.close()

    def _rows(self, runs: Sequence[Run], filed: Filed) -> None:
        rows = Rows()
        for run in runs:
            told = partial(_tell, filed, run.number)
            self._maker.add(rows, run.records, micros(run.appended), run.number, told)
        if len(rows):
            self._write(rows, filed)

    def _write(self, rows: Rows, filed: Filed) -> None:
        """Write rows into one file, or into two halves when memory does not suffice."""
        import duckdb

        name = new_name()
        target, scratch = unnamed(self._events, name), self._events / f"{name}.ndjson.tmp"
        try:
            digest = brought(
                target,
                len(rows),
                self.engine,
                lambda con, to: write(con, rows, scratch, to, self._threads),
                self._sync,
                self._step,
            )
        except duckdb.OutOfMemoryException:
            if len(rows) > 1:
                for half in rows.halves():
                    self._write(half, filed)
            else:
                filed.tight.append(rows.first())
            return
        finally:
            scratch.unlink(missing_ok=True)
        filed.pieces.append(piece_of(rows, name, target.stat().st_size, digest))


def brought(
    target: Path, rows: int, engine: Engine, fill: Callable[[DuckDBPyConnection, Path], int], sync: Sync, step: Step
) -> str:
    """Let `fill` write a file of so many rows, and bring it to the disk; give its SHA-256.

    When it fails, no file is left; raises OSError for what the disk did, duckdb.Error for the rest.
    """
    import duckdb

    try:
        _same(fill(engine.con, target), rows)
        step("written")
        sync_file(target, sync)
        digest = digest_of(target)
        step("synced")
    except BaseException as error:
        target.unlink(missing_ok=True)
        if not isinstance(error, duckdb.Error):
            raise
        engine.close()  # it may be of no use any more
        if isinstance(error, duckdb.IOException):
            raise OSError(str(error)) from error
        raise
    return digest


def new_name() -> str:
    """Give a name that no file has."""
    return f"{token_hex(16)}.parquet"


def unnamed(events: Path, name: str) -> Path:
    """Give where a file stands before it has its name."""
    return events / f"{name}{_UNNAMED}"


def _same(written: int, rows: int) -> None:
    if written != rows:
        msg = f"{written} rows written of {rows}"
        raise OSError(msg)


def _tell(filed: Filed, number: int, at: int, reason: str) -> None:
    filed.bads.append((number + at, reason))


_UNNAMED: Final = ".tmp"
