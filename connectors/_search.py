"""How the embedded store answers a query: the catalogue's list of files, one statement for each thing asked."""

from __future__ import annotations

from pathlib import Path

from connectors._catalogue import Catalogue
from connectors._duck import Watch, connected
from connectors._parquet import micros, moment
from connectors._querysql import Compiled, next_cursor
from vonggac.query import Query
from vonggac.storeport import Page, Stop, Stopped, TooMuch


def search(
    catalogue: Catalogue, events: Path, query: Query, units: frozenset[str], limit_s: float, stop: Stop, memory: str
) -> Page:
    """Answer from the files that the catalogue lists now (`EventStore.search`); `events` is their folder."""
    import duckdb

    since, until = (None if at is None else micros(at) for at in (query.since, query.until))
    pieces = catalogue.live(since, until) if units else []
    clean, stray = ([str(events / one.name) for one in pieces if bool(one.strays) is kind] for kind in (False, True))
    ask = Compiled(query, units, clean, stray)  # also where there are no files: a wrong cursor is told
    if stop.is_set():
        raise Stopped
    if not pieces:
        return Page((), None, 0 if query.count else None)
    with connected(events, memory) as con, Watch(con, limit_s, stop) as watch:
        try:
            rows = con.execute(*ask.rows()).fetchall() if query.size else []
            count = con.execute(*ask.count()).fetchall()[0][0] if query.count else None
            terms = con.execute(*ask.terms(query.terms)).fetchall() if query.terms else ()
            found = con.execute(*ask.histogram(query.histogram)).fetchall() if query.histogram else ()
        except duckdb.InterruptException:
            raise watch.why() from None
        except duckdb.OutOfMemoryException as error:
            raise TooMuch(memory) from error
        watch.check()
    more = len(rows) > query.size > 0
    rows = rows[: query.size]
    return Page(
        tuple(raw.encode() for _, _, raw in rows),
        next_cursor(rows[-1][0], rows[-1][1]) if more else None,
        count,
        tuple((value, number) for value, number in terms),
        tuple((moment(start), number) for start, number in found),
    )
