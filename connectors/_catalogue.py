"""The embedded store's catalogue: a SQLite file that is the truth about which Parquet files make up the store.

    files      each file's span of event and append time (µs since 1970), rows, and when it was replaced or dropped
    sources    for each file and source (dataset, host) the rows and their span: oldest and newest searchable event
    positions  next offset of each Part of the log
    blobs      originals above 1 MiB that a file's rows point to; holds: what no retention touches; deleted: the account
    damaged    files that could not be read when somebody tried, and why: no query and no merge opens them again

Whoever writes adds files, takes files away and moves positions in one transaction (`Catalogue.record`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors._sqlite import sqlite
from vonggac.event import fold
from vonggac.logport import Part, Positions

FORMAT: Final = 2  # of the catalogue; a newer one is refused, an older one is brought up to it
OTHERS: Final = "*"  # the host that stands for all those of a file that have no row of their own in `sources`
CatalogueError: Final = sqlite.OperationalError  # the disk did not take it
StateError: Final = sqlite.Error  # the file cannot be used at all: no database, damaged, no right to it
SQLITE_VERSION: Final = ".".join(map(str, sqlite.sqlite_version_info))


class SpoiledError(ValueError):
    """The file is no catalogue, or damaged: the message names it and says how."""


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """What is searchable of one source; times in µs since 1970."""

    dataset: str
    host: str
    rows: int
    oldest: int
    newest: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One Parquet file; times in µs since 1970."""

    name: str
    rows: int
    size: int  # bytes
    oldest: int  # event time
    newest: int
    appended_from: int
    appended_to: int
    schema: int
    strays: int  # rows with a value that does not fit its column
    digest: str = ""  # SHA-256 of the file; "": not known
    sources: Sequence[SourceSpan] = field(default=(), compare=False)
    blobs: Sequence[str] = field(default=(), compare=False)  # SHA-256


class Catalogue:
    """The file `catalogue.sqlite`; each call has a connection of its own, so any thread and process may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as db:
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            if found > FORMAT:
                msg = f"{path}: catalogue format {found}; this version reads up to {FORMAT}"
                raise ValueError(msg)
            if found == 1:
                db.executescript(f"BEGIN IMMEDIATE;{_DAMAGED}PRAGMA user_version = {FORMAT};COMMIT;")
            if not found:
                # WAL only where SQLite is past its WAL-reset bug; the choice stays in the file
                db.execute(f"PRAGMA journal_mode={'WAL' if sqlite.sqlite_version_info >= (3, 51, 3) else 'DELETE'}")
                db.executescript(_SCHEMA.replace("COMMIT;", f"{_DAMAGED}PRAGMA user_version = {FORMAT};COMMIT;"))

    def positions(self) -> Positions:
        """Give the positions saved with the files."""
        with self._open() as db:
            return {Part(part): at for part, at in db.execute("SELECT part, next FROM positions")}

    def numbered(self) -> int:
        """Give the number of the next row: rows are numbered through, whatever file they move to."""
        with self._open() as db:
            return int(db.execute("SELECT numbered FROM counters").fetchone()[0])

    def newest_append(self) -> int | None:
        """Give the newest append time that was ever saved."""
        with self._open() as db:
            found: int | None = db.execute("SELECT newest_append FROM counters").fetchone()[0]
            return found

    def live(
        self,
        since: int | None = None,
        until: int | None = None,
        *,
        hosts: Collection[str] | None = None,
        datasets: Collection[str] | None = None,
        damaged: bool = False,
    ) -> list[Piece]:
        """Give the files with events of that time (`until` not counted), in the order they came; without sources.

        `hosts` and `datasets` leave out files in which no event can have one of these, as `host.name` and
        `event.dataset`, letter case folded; a file with strays may have them elsewhere and stays. Damaged files are
        left out, unless they are asked for too.
        """
        sql = f"SELECT {_COLUMNS} FROM files WHERE gone IS NULL AND newest >= ? AND oldest < ?"  # noqa: S608 (ours)
        asked: list[object] = [_FIRST if since is None else since, _LAST if until is None else until]
        if not damaged:
            sql += " AND name NOT IN (SELECT name FROM damaged)"
        for column, wanted in (("host", hosts), ("dataset", datasets)):
            if wanted is not None:
                sql += f" AND (strays > 0 OR name IN (SELECT name FROM sources WHERE among(?, {column})))"  # noqa: S608 (ours)
                asked.append(column)
        among = {"host": {OTHERS, *map(fold, hosts or ())}, "dataset": {OTHERS, *map(fold, datasets or ())}}
        with self._open() as db:
            db.create_function("among", 2, lambda column, text: fold(text) in among[column])
            return [Piece(*row) for row in db.execute(sql + " ORDER BY id", asked)]

    def mark_damaged(self, name: str, reason: str) -> None:
        """Say that a file cannot be read; the first reason stays. Whoever finds it may call it, any process."""
        with self._open() as db:
            db.execute(
                "INSERT OR IGNORE INTO damaged SELECT name, ? FROM files WHERE name = ? AND gone IS NULL",
                (reason, name),
            )

    def mend(self, name: str) -> None:
        """Say that a file can be read after all: it was put back from a backup."""
        with self._open() as db:
            db.execute("DELETE FROM damaged WHERE name = ?", (name,))

    def damaged(self) -> list[tuple[str, int, int, int, str]]:
        """Give the files that cannot be read: name, rows that are lost with it, oldest, newest, reason."""
        with self._open() as db:
            return [
                tuple(row)
                for row in db.execute(
                    "SELECT name, rows, oldest, newest, reason FROM damaged JOIN files USING (name) "
                    "WHERE gone IS NULL ORDER BY id"
                )
            ]

    def whole(self, pieces: Sequence[Piece]) -> tuple[list[SourceSpan], list[str]]:
        """Join the sources and blobs of some files."""
        names = [(piece.name,) for piece in pieces]
        with self._open() as db:
            db.execute("CREATE TEMP TABLE wanted (name TEXT PRIMARY KEY)")
            db.executemany("INSERT INTO wanted VALUES (?)", names)
            rows = db.execute(f"{_SOURCES} JOIN wanted USING (name) GROUP BY dataset, host").fetchall()
            blobs = db.execute("SELECT DISTINCT sha256 FROM blobs JOIN wanted USING (name)").fetchall()
        return [SourceSpan(*row) for row in rows], [sha for (sha,) in blobs]

    def sources(self) -> list[SourceSpan]:
        """Give the oldest and newest searchable event of each source."""
        with self._open() as db:
            rows = db.execute(
                f"{_SOURCES} JOIN files USING (name) WHERE gone IS NULL "  # noqa: S608 (ours)
                "AND name NOT IN (SELECT name FROM damaged) GROUP BY dataset, host ORDER BY 1, 2"
            )
            return [SourceSpan(*row) for row in rows]

    @contextmanager
    def record(
        self,
        add: Sequence[Piece],
        gone: Sequence[Piece],
        upto: Positions,
        *,
        numbered: int | None = None,
        now: int,
        why: str = "",
    ) -> Iterator[None]:
        """Add files, take files away and move positions, in one transaction; yields once, just before it commits."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            for piece in add:
                db.execute(
                    f"INSERT INTO files ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608 (ours)
                    (
                        piece.name,
                        piece.rows,
                        piece.size,
                        piece.oldest,
                        piece.newest,
                        piece.appended_from,
                        piece.appended_to,
                        piece.schema,
                        piece.strays,
                        piece.digest,
                    ),
                )
                spans = [(piece.name, one.dataset, one.host, one.rows, one.oldest, one.newest) for one in piece.sources]
                db.executemany("INSERT INTO sources VALUES (?,?,?,?,?,?)", spans)
                db.executemany("INSERT INTO blobs VALUES (?,?)", [(piece.name, sha) for sha in set(piece.blobs)])
                db.execute(
                    "UPDATE counters SET newest_append = max(coalesce(newest_append, 0), ?)", (piece.appended_to,)
                )
            for piece in gone:
                db.execute("UPDATE files SET gone = ? WHERE name = ? AND gone IS NULL", (now, piece.name))
                if why:
                    row = (now, piece.name, piece.rows, piece.oldest, piece.newest, why)
                    db.execute("INSERT INTO deleted VALUES (?,?,?,?,?,?)", row)
            db.executemany(
                "INSERT INTO positions VALUES (?, ?) ON CONFLICT (part) DO UPDATE SET next = max(next, excluded.next)",
                list(upto.items()),
            )
            if numbered is not None:
                db.execute("UPDATE counters SET numbered = ?", (numbered,))
            yield
            db.execute("COMMIT")

    def expired(self, before: int) -> tuple[list[str], list[str]]:
        """Give files gone before that moment, and the blobs that only such files point to."""
        with self._open() as db:
            files = db.execute("SELECT name FROM files WHERE gone < ?", (before,)).fetchall()
            blobs = db.execute(
                "SELECT sha256 FROM blobs JOIN files USING (name) GROUP BY sha256 "
                "HAVING max(coalesce(gone, 9223372036854775807)) < ?",
                (before,),
            ).fetchall()
        return [name for (name,) in files], [sha for (sha,) in blobs]

    def forget(self, names: Sequence[str]) -> None:
        """Forget files that are deleted from the disk."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            for table in ("files", "sources", "blobs", "damaged"):
                db.executemany(f"DELETE FROM {table} WHERE name = ?", [(name,) for name in names])  # noqa: S608 (ours)
            db.execute("COMMIT")

    def known(self) -> tuple[set[str], set[str]]:
        """Give the names of all files and the blobs, gone ones too."""
        with self._open() as db:
            files = {name for (name,) in db.execute("SELECT name FROM files")}
            return files, {sha for (sha,) in db.execute("SELECT DISTINCT sha256 FROM blobs")}

    def hold(self, name: str, since: int, until: int) -> None:
        """Keep every file with events of that time, until `release`."""
        with self._open() as db:
            db.execute("INSERT OR REPLACE INTO holds VALUES (?,?,?)", (name, since, until))

    def release(self, name: str) -> None:
        """End a hold."""
        with self._open() as db:
            db.execute("DELETE FROM holds WHERE name = ?", (name,))

    def holds(self) -> Mapping[str, tuple[int, int]]:
        """Give the holds: name to span of event time, the end not counted."""
        with self._open() as db:
            return {name: (since, until) for name, since, until in db.execute("SELECT * FROM holds ORDER BY name")}

    def deleted(self) -> list[tuple[int, str, int, int, int, str]]:
        """Give what was ever dropped: when, file, rows, oldest, newest, why."""
        with self._open() as db:
            return [tuple(row) for row in db.execute("SELECT * FROM deleted ORDER BY at, name")]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite.connect(self._path, timeout=10, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous=FULL")
                yield db
        except sqlite.DatabaseError as error:
            if error.__class__ is not sqlite.DatabaseError:  # the disk, a lock, a constraint
                raise
            msg = f"{self._path}: {error}"
            raise SpoiledError(msg) from error


_COLUMNS: Final = "name, rows, size, oldest, newest, appended_from, appended_to, schema, strays, digest"
_SOURCES: Final = "SELECT dataset, host, sum(sources.rows), min(sources.oldest), max(sources.newest) FROM sources"
_FIRST, _LAST = -(1 << 63), (1 << 63) - 1
_DAMAGED: Final = """
ALTER TABLE files ADD COLUMN digest TEXT NOT NULL DEFAULT '';
CREATE TABLE damaged (name TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE files (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, rows INTEGER NOT NULL, size INTEGER NOT NULL,
    oldest INTEGER NOT NULL, newest INTEGER NOT NULL, appended_from INTEGER NOT NULL, appended_to INTEGER NOT NULL,
    schema INTEGER NOT NULL, strays INTEGER NOT NULL, gone INTEGER) STRICT;
CREATE TABLE sources (name TEXT NOT NULL, dataset TEXT NOT NULL, host TEXT NOT NULL, rows INTEGER NOT NULL,
    oldest INTEGER NOT NULL, newest INTEGER NOT NULL, PRIMARY KEY (name, dataset, host)) STRICT, WITHOUT ROWID;
CREATE TABLE positions (part TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE blobs (name TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (name, sha256)) STRICT, WITHOUT ROWID;
CREATE TABLE holds (name TEXT PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE deleted (at INTEGER NOT NULL, name TEXT NOT NULL, rows INTEGER NOT NULL, oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL, why TEXT NOT NULL) STRICT;
CREATE TABLE counters (numbered INTEGER NOT NULL, newest_append INTEGER) STRICT;
INSERT INTO counters VALUES (0, NULL);
COMMIT;
"""
