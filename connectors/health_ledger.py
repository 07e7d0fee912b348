"""Source health's file `health.sqlite`: the day rows, append-only and chained, and the fold's state with its positions.

    days       one row a source and day, each with the hash of the one before it; triggers refuse change and deletion
    state      the fold's snapshot (zstd), and the head of the chain: number and hash of its last row
    positions  next offset of each Part of the log that the snapshot stands for

All that belongs together is written in one transaction, so that a replay after a crash begins where the snapshot ends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import zstandard

from connectors._sqlite import sqlite
from vonggac.event import Bad
from vonggac.health.ledger import START, Day, Row, chained, verify
from vonggac.logport import Part, Positions

_log = logging.getLogger(__name__)

NAME: Final = "health.sqlite"  # under the data folder
FORMAT: Final = 1  # of the file; a newer one is refused
_LARGEST: Final = 1 << 28  # bytes of a snapshot


class LedgerError(OSError):
    """The file cannot be used: the message names it and says why."""


class HealthLedger:
    """The file; each call has a connection of its own, so any process may read. One process writes: the health task."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsaved: list[Day] = []
        with self._open() as db:
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            if found > FORMAT:
                msg = f"{path}: health ledger of format {found}; this version reads up to {FORMAT}"
                raise LedgerError(msg)
            if not found:
                db.executescript(_SCHEMA)

    def load(self) -> tuple[bytes, Positions] | None:
        """Give the snapshot saved last and the positions that it stands for; None before the first `save`."""
        with self._open() as db:
            db.execute("BEGIN")
            row = db.execute("SELECT snapshot FROM state").fetchone()
            positions = {Part(part): at for part, at in db.execute("SELECT part, next FROM positions")}
        if row is None or row[0] is None:
            return None
        try:
            return zstandard.ZstdDecompressor().decompress(row[0], max_output_size=_LARGEST), positions
        except zstandard.ZstdError as error:
            msg = f"{self._path}: the saved state of source health is damaged: {error}"
            raise LedgerError(msg) from error

    def save(self, snapshot: bytes, positions: Positions, days: Sequence[Day]) -> Sequence[Bad]:
        """Write snapshot, positions and the rows of days that are over, all or nothing; durable when it returns.

        A row that stands already, equal, is no second row (a replay); one with other content is refused and given as
        Bad and to the log, the first stays. Positions that are not named stay. Raises LedgerError (an OSError); the
        rows are kept then, and written with the next `save`.
        """
        refused: list[Bad] = []
        self._unsaved = days = [*self._unsaved, *days]
        packed = zstandard.ZstdCompressor(level=3).compress(snapshot)
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            number, before = _head(db)
            for day in days:
                source, body = msgspec.json.encode(day.source).decode(), day.body()
                stands = db.execute("SELECT body FROM days WHERE day = ? AND source = ?", (day.day, source)).fetchone()
                if stands is None:
                    number += 1
                    own = chained(before, number, body)
                    db.execute(
                        "INSERT INTO days VALUES (?, ?, ?, ?, ?, ?)", (number, day.day, source, body, before, own)
                    )
                    before = own
                elif stands[0] != body:
                    reason = "a day that is over is never changed: another row for it was refused"
                    refused.append(Bad(str(self._path), f"{day.day}, {day.source}", reason, body.encode()[:4096]))
            db.execute("UPDATE state SET snapshot = ?, number = ?, hash = ?", (packed, number, before))
            db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", list(positions.items()))
            db.execute("COMMIT")
        self._unsaved = []
        for bad in refused:
            _log.error("%s", bad)
        return refused

    def rows(self, since: str = "") -> Iterator[Row]:
        """Give the rows in their order, from a day (`2026-03-01`) on."""
        with self._open() as db:
            for row in db.execute(
                'SELECT number, body, "before", hash FROM days WHERE day >= ? ORDER BY number', (since,)
            ):
                yield Row(*row)

    def head(self) -> tuple[int, str]:
        """Give number and hash of the last row: kept elsewhere, it shows a ledger that was written anew."""
        with self._open() as db:
            return _head(db)

    def verify(self) -> str | None:
        """Say what is wrong with the chain, naming the first row; None = it is whole."""
        with self._open() as db:
            db.execute("BEGIN")
            found = db.execute('SELECT number, body, "before", hash FROM days ORDER BY number')
            return verify((Row(*row) for row in found), _head(db))

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            with closing(sqlite.connect(str(self._path), timeout=30, isolation_level=None)) as db:
                # a journal that is deleted, not WAL: it is written once in a while, and has no bug to know of
                db.execute("PRAGMA synchronous=FULL")
                yield db
        except sqlite.Error as error:
            msg = f"{self._path}: {error}"
            raise LedgerError(msg) from error


def _head(db: Any) -> tuple[int, str]:
    number, last = db.execute("SELECT number, hash FROM state").fetchone()
    return int(number), str(last)


_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE days (
    number INTEGER PRIMARY KEY, day TEXT NOT NULL, source TEXT NOT NULL, body TEXT NOT NULL,
    "before" TEXT NOT NULL, hash TEXT NOT NULL, UNIQUE (day, source)
) STRICT;
CREATE TRIGGER days_change BEFORE UPDATE ON days BEGIN SELECT RAISE(ABORT, 'day rows are never changed'); END;
CREATE TRIGGER days_delete BEFORE DELETE ON days BEGIN SELECT RAISE(ABORT, 'day rows are never deleted'); END;
CREATE TRIGGER days_order BEFORE INSERT ON days
    WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM days)
    BEGIN SELECT RAISE(ABORT, 'day rows are only appended'); END;
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1), snapshot BLOB, number INTEGER NOT NULL, hash TEXT NOT NULL
) STRICT;
INSERT INTO state VALUES (1, NULL, 0, '$START');
CREATE TABLE positions (part TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
PRAGMA user_version = $FORMAT;
COMMIT;
""".replace("$START", START).replace("$FORMAT", str(FORMAT))
