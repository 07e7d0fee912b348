"""Analyst SQL: a SELECT over the view `events`, answered as a table of JSON-able values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from connectors._allowed import VIEW, check_sql
from connectors._duck import Engine, Watch
from connectors._parquet import quoted
from connectors._search import File, Unreadable, reading
from vonggac.storeport import Failed, Stop, Stopped

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_BYTES: Final = 64 << 20  # of texts in one table, about
Give = Callable[[tuple[str, ...], tuple[int, ...], list[list[Any]]], int]  # gives the portion's bytes


class Ended(NamedTuple):
    """How an answer in portions ended. `more`: there were more rows; `whole`: no file broke it off."""

    more: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Table:
    """The answer to a statement. `more`: there were more rows than were given out.

    Values are None, bool, int, float and str, and lists and dicts of those. Times are ISO 8601 in UTC with `Z`, also
    those of the type TIMESTAMP, which knows no zone: the view's are UTC.
    """

    columns: tuple[str, ...]
    rows: tuple[list[Any], ...]
    more: bool = False
    missing: tuple[str, ...] = ()  # as in `Page`
    times: tuple[int, ...] = ()  # which columns are times


def table(
    engine: Engine, text: str, units: frozenset[str], files: Sequence[File], limit_s: float, stop: Stop, rows: int
) -> tuple[Table, list[Unreadable]]:
    """Answer over the events of these units; raises what a search raises, ValueError for what is refused or wrong."""
    found: list[Table] = []

    def ask(con: DuckDBPyConnection, _: Watch) -> None:
        found[:] = [_read(con, text, rows)]

    bad = _asked(engine, text, units, files, limit_s, stop, ask)
    return found[0], bad


def portions(
    engine: Engine,
    text: str,
    units: frozenset[str],
    files: Sequence[File],
    limit_s: float,
    stop: Stop,
    most: int | None,
    give: Give,
) -> tuple[Ended, list[Unreadable]]:
    """Answer in portions of about 1 MiB: `give` takes the columns, which of them are times, and rows.

    At least one portion is given. Each has `limit_s`; the time that `give` takes does not count. Raises as `table`
    does, also between two portions. A damaged file that is met after the first portion ends the answer.
    """
    begun = False
    ended = Ended(more=False, whole=True)

    def ask(con: DuckDBPyConnection, watch: Watch) -> None:
        nonlocal begun, ended
        if begun:
            ended = Ended(more=True, whole=False)
            return
        found = con.execute(text)  # streams: no more is made than is taken
        columns, times = _heading(found)
        step, left = _FIRST, math.inf if most is None else most
        while True:
            some = found.fetchmany(int(min(step, left + 1)))
            if not some and begun:
                return
            rows = [[plain(one) for one in row] for row in some[: int(min(step, left))]]
            watch.check()
            begun = True
            with watch.waiting():
                size = give(columns, times, rows)
            if len(rows) < len(some):
                ended = Ended(more=True, whole=True)
                con.execute("SELECT 1").fetchall()  # ends the statement that has more to give
                return
            left -= len(rows)
            step = min(_STEP, max(1, len(rows) * _PORTION // size))

    bad = _asked(engine, text, units, files, limit_s, stop, ask)
    return ended, bad


def _asked(
    engine: Engine,
    text: str,
    units: frozenset[str],
    files: Sequence[File],
    limit_s: float,
    stop: Stop,
    read: Callable[[DuckDBPyConnection, Watch], None],
) -> list[Unreadable]:
    """Check the statement, make the view, and read."""
    import duckdb

    wrong = (
        duckdb.ParserException,
        duckdb.SyntaxException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.PermissionException,
        duckdb.NotSupportedError,
        duckdb.DataError,
    )

    def ask(left: Sequence[File], watch: Watch) -> None:
        for name, macro in _NOW.items():
            engine.con.execute(f"CREATE OR REPLACE TEMP MACRO {name} AS {macro}")
        engine.con.execute(_view(engine, units, left))
        try:
            read(engine.con, watch)
        except wrong as error:
            raise ValueError(_reason(error)) from error

    if stop.is_set():
        raise Stopped
    check_sql(engine.con, text)
    try:
        return reading(engine, files if units else [], limit_s, stop, ask)[1]
    except Failed as error:
        if isinstance(error.__cause__, duckdb.InvalidInputException):  # and every file can be read: a wrong regex
            raise ValueError(_reason(error.__cause__)) from error  # noqa: TRY004 (the statement's fault)
        raise


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:_LONG]


def _view(engine: Engine, units: frozenset[str], files: Sequence[File]) -> str:
    """Give the statement that makes the view; where DuckDB takes no parameters, and the names are ours or quoted."""
    if files:
        listed = ", ".join(quoted(engine.folder / one.name) for one in files)
        among = ", ".join("'" + unit.replace("'", "''") + "'" for unit in sorted(units))
        columns = ", ".join(f'{source} AS "{name}"' for name, (source, _) in _COLUMNS.items())
        select = f"SELECT {columns} FROM read_parquet([{listed}], union_by_name = true) WHERE unit IN ({among})"  # noqa: S608 (ours)
    else:
        columns = ", ".join(f'NULL::{kind} AS "{name}"' for name, (_, kind) in _COLUMNS.items())
        select = f"SELECT {columns} WHERE false"
    return f"CREATE OR REPLACE TEMP VIEW {VIEW} AS {select}"


def _read(con: DuckDBPyConnection, text: str, rows: int) -> Table:
    found = con.execute(text)
    columns, times = _heading(found)
    given: list[list[Any]] = []
    size = 0
    while len(given) <= rows and size <= MAX_BYTES:
        some = found.fetchmany(min(_STEP, rows + 1 - len(given)))
        if not some:
            return Table(columns, tuple(given), times=times)
        for row in some:
            values = [plain(one) for one in row]
            size += sum(len(one) for one in values if isinstance(one, str)) + 16 * len(values)
            given.append(values)
    con.execute("SELECT 1").fetchall()  # ends the statement that has more to give
    return Table(columns, tuple(given[:rows]), more=True, times=times)


def _heading(found: DuckDBPyConnection) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Give the columns' names, and which of them are times."""
    times = (n for n, one in enumerate(found.description) if str(one[1]).startswith("TIMESTAMP"))
    return tuple(str(one[0]) for one in found.description), tuple(times)


def plain(value: Any) -> Any:
    """Give a value of DuckDB's as JSON can hold it; what it cannot hold (NaN, a large number) as text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -_INT64 <= value < _INT64 else str(value)
        case float():
            return value if isfinite(value) else str(value)
        case datetime():
            at = value.astimezone(UTC) if value.tzinfo else value
            return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        case date() | time():
            return value.isoformat()
        case timedelta():
            return f"-{-value}" if value < timedelta() else str(value)  # -1:00:00, not -1 day, 23:00:00
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case list() | tuple():
            return [plain(one) for one in value]
        case dict():
            return {str(key): plain(one) for key, one in value.items()}
        case _:
            return str(value)


# -------------------------------------------------------------------- tables

_INT64: Final = 1 << 63
_FIRST: Final = 100  # rows of the first portion
_STEP: Final = 1_000  # rows at a time, at most
_PORTION: Final = 1 << 20
#: as `ts` is: with the built-in ones, which have a zone, `ts` would be converted in every row and no file passed over
_NOW: Final = {
    "now()": "CAST(transaction_timestamp() AS TIMESTAMP)",
    "get_current_timestamp()": "CAST(transaction_timestamp() AS TIMESTAMP)",
    "ago(span)": "CAST(transaction_timestamp() AS TIMESTAMP) - CAST(span AS INTERVAL)",
}
_LONG: Final = 400
#: column of the view: of the files, type
_COLUMNS: Final = {
    "ts": ("ts", "TIMESTAMP"),
    "ingested": ("ingested", "TIMESTAMP"),
    "id": ("id", "VARCHAR"),
    "kind": ("event_kind", "VARCHAR"),
    "dataset": ("event_dataset", "VARCHAR"),
    "host": ("host_name", "VARCHAR"),
    "user": ("user_name", "VARCHAR"),
    "src_ip": ("source_ip", "VARCHAR"),
    "dst_ip": ("destination_ip", "VARCHAR"),
    "event_code": ("event_code", "VARCHAR"),
    "rule_id": ("rule_id", "VARCHAR"),
    "level": ("rule_level", "VARCHAR"),
    "unit": ("unit", "VARCHAR"),
    "doc": ("raw", "VARCHAR"),
}
