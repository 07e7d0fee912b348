"""Records on their way into one Parquet file: taken apart here, encoded and compressed by DuckDB on several threads.

Python touches a record once (`Shape`); its text goes to DuckDB as it is, and so do the values of each column that has
any: a row's values as a list in JSON, which DuckDB would have to take apart again, cost twice as much.
What `Shape` does not take is made a row the long way (`row_of`): the rows are the same, only slower by a factor of ten.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from connectors._catalogue import Piece
from connectors._parquet import (
    COLUMNS,
    EPOCH,
    MAX_RAW,
    SCHEMA,
    column,
    copy,
    micros,
    moment,
    row_of,
    rows_of,
    write_lines,
)
from connectors._pieces import Spans, sources_of
from connectors._shape import FIELDS, Shape, Values
from vonggac.query import time_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(slots=True)
class Rows:
    """Rows for one file. The lists of quick ones run parallel; times in µs since 1970."""

    raws: list[str] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    appended: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)  # a row's number in the store
    odd: list[dict[str, Any]] = field(default_factory=list)  # as `row_of` gives them
    blobs: dict[int, str] = field(default_factory=dict)  # number -> SHA-256

    def __len__(self) -> int:
        return len(self.raws) + len(self.odd)

    def halves(self) -> tuple[Rows, Rows]:
        """Divide them."""
        at, odd = (len(self.raws) + 1) // 2, len(self.odd) // 2
        return self._part(slice(at), slice(odd)), self._part(slice(at, None), slice(odd, None))

    def _part(self, quick: slice, odd: slice) -> Rows:
        part = Rows(
            self.raws[quick],
            self.values[quick],
            self.times[quick],
            self.appended[quick],
            self.numbers[quick],
            self.odd[odd],
        )
        mine = {row["n"] for row in part.odd}
        part.blobs = {n: sha for n, sha in self.blobs.items() if n in mine}
        return part

    def spans(self) -> Spans:
        """Give the times of the events of each source."""
        found: Spans = defaultdict(list)
        for values, time in zip(self.values, self.times, strict=True):
            found[values[_DATASET] or "", values[_HOST] or ""].append(time)
        for row in self.odd:
            found[row.get("event_dataset", ""), row.get("host_name", "")].append(row["ts"])
        return found

    def first(self) -> int:
        """Give the number of the first row; raises ValueError when there is none."""
        return min([*self.numbers[:1], *(int(row["n"]) for row in self.odd[:1])])


class Maker:
    """Makes rows of records."""

    def __init__(self, save_blob: Callable[[bytes], str]) -> None:
        self._save_blob = save_blob
        self._shape = Shape()
        self._odd = _PATIENCE  # records since the shape was refreshed; the first one is learnt from at once

    def add(
        self, rows: Rows, records: Sequence[bytes], appended: int, first: int, bad: Callable[[int, str], None]
    ) -> None:
        """Add the rows of records that were appended at one time; numbers count from `first`.

        `bad` is told the index and reason for what is no event.
        """
        shape = self._shape
        decode, values_of = shape.decode, shape.values
        add_raw, add_values = rows.raws.append, rows.values.append
        add_time, add_number = rows.times.append, rows.numbers.append
        before = len(rows.raws)
        for at, record in enumerate(records):
            try:
                if len(record) > MAX_RAW:
                    raise ValueError  # noqa: TRY301 (to the long way)
                values = values_of(decode(record))
                raw = record.decode()
            except (ValueError, RecursionError):
                values = _NONE
            if not values[_ID]:
                try:
                    self._long_way(rows, record, appended, first + at)
                except ValueError as error:
                    bad(at, f"no event: {error}")
                decode, values_of = shape.decode, shape.values
                continue
            add_raw(raw)
            add_values(values)
            add_time(_time(values[_TIME], appended))
            add_number(first + at)
        rows.appended += [appended] * (len(rows.raws) - before)

    def _long_way(self, rows: Rows, record: bytes, appended: int, n: int) -> None:
        row, large = row_of(record, appended, n)
        if large is not None:
            rows.blobs[n] = self._save_blob(large)
        rows.odd.append(row)
        self._odd += 1
        if not row["stray"] and large is None:
            self._shape.learn(orjson.loads(record))
            if self._odd > _PATIENCE:
                self._odd = 0
                self._shape.refresh()


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for cycles meanwhile: there are none in rows, and many objects to look through."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def write(con: DuckDBPyConnection, rows: Rows, scratch: Path, target: Path, threads: int = 1) -> int:
    """Write rows as Parquet, and say how many; raises duckdb.Error. Leaves a scratch file when there were odd ones."""
    names: list[str] = []
    selects: list[str] = []
    # a thread compresses by itself only what is at least half a row group
    group = min(_GROUP, max(_VECTOR, -(-len(rows) // threads)))
    size = max(_VECTOR // 2, -(-len(rows.raws) // threads))
    try:
        for start in range(0, len(rows.raws), size):
            name = f"rows{start}"
            columns, select = _columns(rows, slice(start, start + size))
            con.register(name, columns)
            names.append(name)
            selects.append(f"SELECT {select} FROM {name}")  # noqa: S608 (ours)
        quick = " UNION ALL ".join(selects)
        selects = [quick] if quick else []
        if rows.odd:
            write_lines((orjson.dumps(row) for row in rows.odd), scratch)
            selects.append(rows_of(scratch))
        return copy(con, " UNION ALL BY NAME ".join(selects), target, level=1, group=group)
    finally:
        for name in names:
            con.unregister(name)


def _columns(rows: Rows, part: slice) -> tuple[dict[str, Any], str]:
    """Give the columns that have values, and the SELECT list that makes all columns of them."""
    import numpy as np

    columns = {
        "raw": np.array(rows.raws[part], dtype=object),
        "t": np.array(rows.times[part], dtype=np.int64),
        "a": np.array(rows.appended[part], dtype=np.int64),
        "n": np.array(rows.numbers[part], dtype=np.int64),
        "ascii": np.array([raw.isascii() for raw in rows.raws[part]], dtype=np.bool_),
    }
    selected: dict[str, str] = {}
    for (name, kind), values in zip(_NAMED, zip(*rows.values[part], strict=True), strict=False):
        if values.count(None) == len(values):  # most columns have no value in a whole save
            selected[name] = f"NULL::{_KINDS[kind]}"
        elif (
            kind is int
        ):  # a float holds whole numbers up to 2^53, more than a column does, and NaN where there is none
            columns[name] = np.array(values, dtype=np.float64)
            selected[name] = f"CASE WHEN NOT isnan({name}) THEN CAST({name} AS BIGINT) END"
        else:
            columns[name] = np.array(values, dtype=object)
            selected[name] = name
    unit = f"coalesce({selected.pop('unit')}, '') AS unit"
    listed = ", ".join(f"{value} AS {name}" for name, value in selected.items())
    times = "make_timestamp(t) AS ts, make_timestamp(a) AS ingested"
    return columns, f"{times}, n, {unit}, {_PLAIN}, false AS stray, {listed}, raw, {SCHEMA}::SMALLINT AS schema"


def piece_of(rows: Rows, name: str, size: int, digest: str) -> Piece:
    """Say what a file of these rows holds."""
    sources = sources_of(rows.spans())
    appended = [*rows.appended, *(row["ingested"] for row in rows.odd)]
    return Piece(
        name=name,
        rows=len(rows),
        size=size,
        oldest=min(one.oldest for one in sources),
        newest=max(one.newest for one in sources),
        appended_from=min(appended),
        appended_to=max(appended),
        schema=SCHEMA,
        strays=sum(row["stray"] for row in rows.odd),
        digest=digest,
        sources=tuple(sources),
        blobs=tuple(set(rows.blobs.values())),
    )


def _time(text: str | None, appended: int) -> int:
    """Give what `time_of` says, in µs since 1970; most times end in Z and have it quicker."""
    if text is not None and text[-1:] == "Z":
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return appended
        if MINYEAR < found.year < MAXYEAR:
            since = found - EPOCH
            return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return micros(time_of({"@timestamp": text}, moment(appended)))


# -------------------------------------------------------------------- tables

_ID: Final = FIELDS.index("event.id")
_DATASET: Final = FIELDS.index("event.dataset")
_HOST: Final = FIELDS.index("host.name")
_TIME: Final = FIELDS.index("@timestamp")
_NONE: Final[Values] = (None,) * len(FIELDS)
_PATIENCE: Final = 50  # odd records between two refreshments of a shape, each of which takes as long as some 30 of them
_VECTOR: Final = 2_048  # rows that DuckDB works on at a time
_GROUP: Final = 8_192  # rows of a row group, at most: what a thread holds in memory

_KINDS: Final[dict[type, str]] = {str: "VARCHAR", int: "BIGINT"}
_NAMED: Final = (*((column(name), kind) for name, kind in COLUMNS.items()), ("unit", str))  # as `FIELDS`, but the time
# one of a thousand has \u or \/ at all; of those most are C:\\users, which is no escape
_PLAIN: Final = (
    r"ascii AND CASE WHEN regexp_matches(raw, '\\[u/]') "
    r"THEN NOT regexp_matches(replace(raw, '\\', ''), '\\[u/]') ELSE true END AS plain"
)
