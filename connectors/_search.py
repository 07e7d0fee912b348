"""How the embedded store answers a query: the catalogue's list of files, one statement for each thing asked.

Rows are looked for in the newest (or oldest) files first, and no longer than until the page is full. A file that
cannot be read costs its own events only: it is found, marked in the catalogue, and named in the answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from connectors._catalogue import Catalogue, CatalogueError, Piece
from connectors._duck import Engine, Watch
from connectors._parquet import micros, moment
from connectors._querysql import Compiled, cursor, next_cursor
from connectors._sound import damage, read_whole
from vonggac.query import And, Condition, Op, Query, Sort, Test
from vonggac.storeport import Failed, Page, Stop, Stopped, TooMuch


class File(NamedTuple):
    """One file to ask; times in µs since 1970."""

    name: str
    strays: bool
    oldest: int
    newest: int
    size: int  # bytes
    digest: str  # SHA-256; "": not known


class Unreadable(NamedTuple):
    """A file that could not be read. `damaged`: and will never be, as far as one can see."""

    name: str
    reason: str
    damaged: bool


Answer = TypeVar("Answer")
Row = tuple[int, int, str]  # ts in µs, number, record


def search(
    catalogue: Catalogue, events: Path, query: Query, units: frozenset[str], limit_s: float, stop: Stop, memory: str
) -> Page:
    """Answer in this process, with a connection for this one question (`EventStore.search`)."""
    engine = Engine(events, memory)
    try:
        page, unreadable = answer(engine, query, units, plan(catalogue, query, units), limit_s, stop)
    finally:
        engine.close()
    return replace(page, missing=missing(catalogue, query, units, unreadable))


def plan(catalogue: Catalogue, query: Query, units: frozenset[str]) -> list[File]:
    """List the files in which events may hold."""
    if not units:
        return []
    since, until = _span(query)
    hosts, datasets = (_only(query.where, field) for field in ("host.name", "event.dataset"))
    return [file_of(one) for one in catalogue.live(since, until, hosts=hosts, datasets=datasets)]


def file_of(piece: Piece) -> File:
    """Give what an engine needs to know of a file."""
    return File(piece.name, piece.strays > 0, piece.oldest, piece.newest, piece.size, piece.digest)


def missing(
    catalogue: Catalogue, query: Query, units: frozenset[str], unreadable: Sequence[Unreadable]
) -> tuple[str, ...]:
    """Mark what was found damaged, and say what the answer to a query lacks."""
    return tell(catalogue, unreadable, *_span(query)) if units else ()


def tell(
    catalogue: Catalogue, unreadable: Sequence[Unreadable], since: int | None = None, until: int | None = None
) -> tuple[str, ...]:
    """Mark what was found damaged, and give a line for each unreadable file of that time."""
    reasons = {one.name: one.reason for one in unreadable}
    try:
        for one in unreadable:
            if one.damaged:
                catalogue.mark_damaged(one.name, one.reason)
    except CatalogueError:
        pass  # no right to write, or the disk is full: the next who asks finds it again
    known = {name: (rows, oldest, newest, reason) for name, rows, oldest, newest, reason in catalogue.damaged()}
    if reasons.keys() - known.keys():
        for piece in catalogue.live():
            if piece.name in reasons:
                known[piece.name] = piece.rows, piece.oldest, piece.newest, reasons[piece.name]
    return tuple(
        f"events/{name}: {rows} events of {_time(oldest)} to {_time(newest)} cannot be read: {reason}"
        for name, (rows, oldest, newest, reason) in known.items()
        if (since is None or newest >= since) and (until is None or oldest < until)
    )


def answer(
    engine: Engine, query: Query, units: frozenset[str], files: Sequence[File], limit_s: float, stop: Stop
) -> tuple[Page, list[Unreadable]]:
    """Answer from these files; raises what `EventStore.search` raises."""
    after = None if query.after is None else cursor(query.after)  # also where there are no files: a wrong one is told
    if stop.is_set():
        raise Stopped
    if not files or not units:
        return Page((), None, 0 if query.count else None), []
    if after is not None and query.sort is Sort.NEWEST:
        files = [one for one in files if one.oldest <= after[0]]
    elif after is not None:
        files = [one for one in files if one.newest >= after[0]]
    return reading(engine, files, limit_s, stop, lambda left, _: _page(engine, query, units, left))


def units_of(engine: Engine, files: Sequence[File], limit_s: float, stop: Stop) -> tuple[list[str], list[Unreadable]]:
    """Give the units that the events of these files carry."""

    def ask(left: Sequence[File], _watch: Watch) -> list[str]:
        paths = [str(engine.folder / one.name) for one in left]
        if not paths:
            return []
        statement = "SELECT DISTINCT unit FROM read_parquet($paths, union_by_name = true)"
        return [unit for (unit,) in engine.con.execute(statement, {"paths": paths}).fetchall()]

    return reading(engine, files, limit_s, stop, ask)


def reading(
    engine: Engine, files: Sequence[File], limit_s: float, stop: Stop, ask: Callable[[Sequence[File], Watch], Answer]
) -> tuple[Answer, list[Unreadable]]:
    """Ask of all the files that can be read; when the engine fails, those that cannot are looked for.

    Raises Failed when it fails though every file can be read.
    """
    import duckdb

    with Watch(engine, limit_s, stop) as watch:
        try:
            bad: list[Unreadable] = []
            left = files
            while True:
                try:
                    found = ask(left, watch)
                    watch.check()
                    return found, bad
                except (duckdb.InterruptException, duckdb.OutOfMemoryException):
                    raise
                except duckdb.Error as error:
                    watch.renew()
                    # what is short or gone shows at once; damage within only when all is read
                    worse = _unreadable(left, engine, watch, whole=False) or _unreadable(
                        left, engine, watch, whole=True
                    )
                    if not worse:
                        raise Failed(one_line(error)) from error
                    bad += worse
                    names = {one.name for one in bad}
                    left = [one for one in files if one.name not in names]
        except duckdb.InterruptException:
            raise watch.why() from None
        except duckdb.OutOfMemoryException as error:
            raise TooMuch(engine.memory) from error


def _unreadable(files: Sequence[File], engine: Engine, watch: Watch, *, whole: bool) -> list[Unreadable]:
    """Find the files that are not what was saved, whatever was asked of them."""
    import duckdb

    found = []
    for file in files:
        watch.check()
        if (one := damage_of(engine.folder, file, whole=whole)) is not None:
            found.append(one)
        elif whole and not file.digest:  # then the engine alone can say
            try:
                read_whole(engine.con, engine.folder / file.name)
            except (duckdb.InterruptException, duckdb.OutOfMemoryException):
                raise
            except duckdb.Error as error:
                found.append(Unreadable(file.name, one_line(error), damaged=True))
                watch.renew()
    return found


def damage_of(folder: Path, file: File, *, whole: bool) -> Unreadable | None:
    """Say what is wrong with a file; without `whole`, by its size alone."""
    try:
        reason = damage(folder / file.name, file.size, file.digest if whole else "")
    except OSError as error:  # no right, no handles left: nothing that says that it is damaged
        return Unreadable(file.name, os.strerror(error.errno or 0), damaged=False)
    return Unreadable(file.name, reason, damaged=True) if reason else None


def _page(engine: Engine, query: Query, units: frozenset[str], files: Sequence[File]) -> Page:
    rows = _rows(engine, query, units, files) if query.size else []
    count, terms, histogram = None, [], []
    if query.count or query.terms or query.histogram:
        ask = _compiled(engine, query, units, files)
        if not files:
            count = 0 if query.count else None
        else:
            count = _all(engine, ask.count())[0][0] if query.count else None
            terms = _all(engine, ask.terms(query.terms)) if query.terms else []
            histogram = _all(engine, ask.histogram(query.histogram)) if query.histogram else []
    more = len(rows) > query.size > 0
    rows = rows[: query.size]
    return Page(
        tuple(raw.encode() for _, _, raw in rows),
        next_cursor(rows[-1][0], rows[-1][1]) if more else None,
        count,
        tuple((value, number) for value, number in terms),
        tuple((moment(start), number) for start, number in histogram),
    )


def _rows(engine: Engine, query: Query, units: frozenset[str], files: Sequence[File]) -> list[Row]:
    """Give one row more than the page has."""
    newest = query.sort is Sort.NEWEST
    files = sorted(files, key=lambda file: -file.newest if newest else file.oldest)
    rows: list[Row] = []
    at, step = 0, _FIRST_STEP
    while at < len(files):
        if len(rows) > query.size and (files[at].newest < rows[-1][0] if newest else files[at].oldest > rows[-1][0]):
            break
        rows += _all(engine, _compiled(engine, query, units, files[at : at + step]).rows())
        rows = sorted(rows, key=lambda row: row[:2], reverse=newest)[: query.size + 1]
        at, step = at + step, step * 2
    return rows


def _compiled(engine: Engine, query: Query, units: frozenset[str], files: Sequence[File]) -> Compiled:
    clean, stray = ([str(engine.folder / one.name) for one in files if one.strays is kind] for kind in (False, True))
    return Compiled(query, units, clean, stray)


def _all(engine: Engine, sql: tuple[str, dict[str, Any]]) -> list[Any]:
    found: list[Any] = engine.con.execute(*sql).fetchall()
    return found


def _span(query: Query) -> tuple[int | None, int | None]:
    since, until = (None if at is None else micros(at) for at in (query.since, query.until))
    return since, until


def _only(where: Condition, field: str) -> list[str] | None:
    """Give the texts of which the field must have one; None: any event may hold."""
    if isinstance(where, And):
        found = [texts for one in where.of if (texts := _only(one, field)) is not None]
        return min(found, key=len) if found else None
    if isinstance(where, Test) and where.field == field and where.op in (Op.EQ, Op.IN):
        given = where.value if isinstance(where.value, tuple) else (where.value,)
        texts = [one for one in given if isinstance(one, str)]
        return texts if len(texts) == len(given) else None  # a number holds of many texts
    return None


def one_line(error: BaseException) -> str:
    """Give the first line of what DuckDB says."""
    return (str(error).partition("\n")[0] or type(error).__name__)[:_LONG]


def _time(us: int) -> str:
    return moment(us).isoformat(timespec="seconds").replace("+00:00", "Z")


_FIRST_STEP: Final = 2  # files that are asked first; then twice as many, and again
_LONG: Final = 200
