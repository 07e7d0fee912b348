"""Analyst SQL: a SELECT over the view `events`, answered as a table of JSON-able values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from connectors._allowed import VIEW, check_sql
from connectors._duck import Engine
from connectors._parquet import quoted
from connectors._search import File, Unreadable, reading
from vonggac.storeport import Failed, Stop, Stopped

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_BYTES: Final = 64 << 20  # of texts in one answer, about


@dataclass(frozen=True, slots=True)
class Table:
    """The answer to a statement. `more`: there were more rows than were given out.

    Values are None, bool, int, float and str, and lists and dicts of those; times are ISO 8601, those with a zone in
    UTC, those without as they are (`ts` and `ingested` are UTC).
    """

    columns: tuple[str, ...]
    rows: tuple[list[Any], ...]
    more: bool = False
    missing: tuple[str, ...] = ()  # as in `Page`


def table(
    engine: Engine, text: str, units: frozenset[str], files: Sequence[File], limit_s: float, stop: Stop, rows: int
) -> tuple[Table, list[Unreadable]]:
    """Answer over the events of these units; raises what a search raises, ValueError for what is refused or wrong."""
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

    def ask(left: Sequence[File]) -> Table:
        engine.con.execute(_view(engine, units, left))
        try:
            return _read(engine.con, text, rows)
        except wrong as error:
            raise ValueError(_reason(error)) from error

    if stop.is_set():
        raise Stopped
    check_sql(engine.con, text)
    try:
        return reading(engine, files if units else [], limit_s, stop, ask)
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
    found = con.execute(text)  # streams: no more is made than is taken
    columns = tuple(str(one[0]) for one in found.description)
    given: list[list[Any]] = []
    size = 0
    while len(given) <= rows and size <= MAX_BYTES:
        some = found.fetchmany(min(_STEP, rows + 1 - len(given)))
        if not some:
            return Table(columns, tuple(given))
        for row in some:
            values = [plain(one) for one in row]
            size += sum(len(one) for one in values if isinstance(one, str)) + 16 * len(values)
            given.append(values)
    con.execute("SELECT 1").fetchall()  # ends the statement that has more to give
    return Table(columns, tuple(given[:rows]), more=True)


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
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta() | Decimal():
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
_STEP: Final = 1_000  # rows at a time
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
