"""The query model as DuckDB SQL: every value is a parameter, every field name is a parameter or a column of ours.

A field with a column is asked there, and in `raw` only for rows that are marked stray. Any other is taken out of
`raw` behind a search for its key, so that most rows are never parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import orjson

from connectors._parquet import COLUMNS, EPOCH, column, micros, moment
from vonggac.event import fold
from vonggac.query import (
    NUMBER,
    And,
    Condition,
    Histogram,
    Not,
    Op,
    Or,
    Query,
    Sort,
    Terms,
    Test,
    Value,
    address_key,
    network,
    places,
    text_of,
)

Sql = tuple[str, dict[str, Any]]


class Compiled:
    """One query over a list of files, as the statements that answer it."""

    def __init__(self, query: Query, units: frozenset[str], files: Sequence[str]) -> None:
        self._query = query
        self._parameters: dict[str, Any] = {}
        self._from = f"FROM read_parquet({self._value(list(files))}, union_by_name = true)"
        span = [f"list_contains({self._value(sorted(units))}::VARCHAR[], unit)"]
        if query.since is not None:
            span.append(f"ts >= make_timestamp({self._value(micros(query.since))}::BIGINT)")
        if query.until is not None:
            span.append(f"ts < make_timestamp({self._value(micros(query.until))}::BIGINT)")
        self._where = f"WHERE {' AND '.join(span)} AND {self._condition(query.where)}"

    def rows(self) -> Sql:
        """Ask for epoch_us, n, raw; one row more than the page has, which says that there is a next page."""
        newest = self._query.sort is Sort.NEWEST
        where, order = self._where, "DESC" if newest else "ASC"
        if self._query.after is not None:
            us, n = cursor(self._query.after)
            at, number = self._value(us), self._value(n)
            sign = "<" if newest else ">"
            where += f" AND (ts, n) {sign} (make_timestamp({at}::BIGINT), {number}::BIGINT)"
        size = self._value(self._query.size + 1)
        return self._done(
            f"SELECT epoch_us(ts), n, raw {self._from} {where} ORDER BY ts {order}, n {order} LIMIT {size}"
        )

    def count(self) -> Sql:
        """Ask for the number of events."""
        return self._done(f"SELECT count(*) {self._from} {self._where}")

    def terms(self, terms: Terms) -> Sql:
        """Ask for value, events."""
        listed = f"list_distinct({self._folded(terms.field)})"
        size = self._value(terms.size)
        return self._done(
            f"SELECT term, count(*) FROM (SELECT unnest({listed}) AS term {self._from} {self._where}) "  # noqa: S608 (ours)
            f"GROUP BY term ORDER BY 2 DESC, 1 LIMIT {size}"
        )

    def histogram(self, histogram: Histogram) -> Sql:
        """Ask for the bucket's number, events; `bucket_start` makes a time of the number."""
        step, offset = micros(EPOCH + histogram.step), micros(EPOCH + histogram.offset)
        shift, width = self._value(offset), self._value(step)
        bucket = f"((epoch_us(ts) + {shift}::BIGINT) - (((epoch_us(ts) + {shift}::BIGINT) % {width}::BIGINT"
        bucket += f") + {width}::BIGINT) % {width}::BIGINT) - {shift}::BIGINT"
        return self._done(f"SELECT {bucket}, count(*) {self._from} {self._where} GROUP BY 1 ORDER BY 1")

    def _done(self, sql: str) -> Sql:
        # DuckDB refuses a parameter that the statement does not name
        return sql, {name: self._parameters[name] for name in _NAMED.findall(sql)}

    def _value(self, value: Any) -> str:
        name = f"p{len(self._parameters)}"
        self._parameters[name] = value
        return f"${name}"

    def _condition(self, where: Condition) -> str:
        match where:
            case And(of):
                return "(" + " AND ".join(["true", *map(self._condition, of)]) + ")"
            case Or(of):
                return "(" + " OR ".join(["false", *map(self._condition, of)]) + ")"
            case Not(of):
                return f"(NOT {self._condition(of)})"
            case Test():
                return self._test(where)

    def _test(self, test: Test) -> str:
        passes = self._passing(test)
        anywhere = f"len(list_filter({self._leaves(test.field)}, lambda x: {passes('x')})) > 0"
        anywhere = f"CASE WHEN {self._may_hold(test.field)} THEN {anywhere} ELSE false END"
        if test.field not in COLUMNS:
            return f"({anywhere})"
        own = f"CAST({column(test.field)} AS VARCHAR)" if COLUMNS[test.field] is int else column(test.field)
        return f"(CASE WHEN stray THEN {anywhere} ELSE coalesce({passes(own)}, false) END)"

    def _passing(self, test: Test) -> Callable[[str], str]:
        """Give what makes SQL of a text (as SQL): true when it passes."""
        value = test.value
        match test.op:
            case Op.EXISTS:
                return lambda x: f"{x} IS NOT NULL"
            case Op.IN if isinstance(value, tuple):
                return self._among(value)
            case Op.PREFIX:
                p = self._value(fold(str(value)))
                return lambda x: f"starts_with(folded({x}), {p})"
            case Op.CONTAINS:
                p = self._value(fold(str(value)))
                return lambda x: f"contains(folded({x}), {p})"
            case Op.CIDR:
                first, last = map(self._value, network(str(value)))
                return lambda x: f"coalesce(address_key({x}) BETWEEN {first} AND {last}, false)"
        if test.op is Op.EQ:
            return self._among((value,) if isinstance(value, str | int | float) else ())
        sign = _SIGNS[test.op]
        if isinstance(value, str):
            p = self._value(fold(value))
            return lambda x: f"folded({x}) {sign} {p}"
        p = self._value(float(value) if isinstance(value, int | float) else None)
        return lambda x: f"coalesce(numeral({x}) {sign} {p}::DOUBLE, false)"

    def _among(self, values: tuple[Value, ...]) -> Callable[[str], str]:
        texts = [fold(text_of(one)) for one in values if isinstance(one, str | bool)]
        numbers = [float(one) for one in values if not isinstance(one, str | bool)]
        parts: list[Callable[[str], str]] = []
        if texts:
            listed = self._value(texts)
            parts.append(lambda x: f"list_contains({listed}::VARCHAR[], folded({x}))")
        if numbers:
            counted = self._value(numbers)
            parts.append(lambda x: f"list_contains({counted}::DOUBLE[], numeral({x}))")
        return lambda x: "(" + " OR ".join(["false", *(f"coalesce({part(x)}, false)" for part in parts)]) + ")"

    def _may_hold(self, field: str) -> str:
        """Say, without parsing, whether a row can have the field: its last name ends some key."""
        last = orjson.dumps(field.rpartition(".")[2]).decode()[1:]  # Image"
        return f"(NOT plain OR contains(raw, {self._value(last)}))"

    def _leaves(self, field: str) -> str:
        found = [f"leaves(json_extract(raw, {self._value(path)}))" for path in _paths(field)]
        found += [
            f"flatten(list_transform(json_extract(raw, {self._value(path)}), lambda j: leaves(j)))"
            for path in _list_paths(field)
        ]
        # NULL (a path that meets no list) is an empty list to list_concat
        joined = found[0]
        for one in found[1:]:
            joined = f"list_concat({joined}, {one})"
        return joined

    def _folded(self, field: str) -> str:
        anywhere = f"CASE WHEN {self._may_hold(field)} THEN {self._leaves(field)} ELSE [] END"
        if field in COLUMNS:
            own = f"CAST({column(field)} AS VARCHAR)"
            anywhere = f"CASE WHEN stray THEN {anywhere} WHEN {own} IS NULL THEN [] ELSE [{own}] END"
        return f"list_transform({anywhere}, lambda x: folded(x))"


def prepare(con: Any) -> None:
    """Give a connection the functions that the statements name."""
    con.create_function("address_key", _address_key, ["VARCHAR"], "VARCHAR", null_handling="special")
    before, after = _FOLD_BEFORE, _FOLD_AFTER
    con.execute(
        "CREATE TEMP MACRO folded(x) AS CASE WHEN strlen(x) = length(x) THEN lower(x) ELSE "
        f"translate(lower(translate(nfc_normalize(x), '{before[0]}', '{before[1]}')), '{after[0]}', '{after[1]}') END"
    )
    con.execute(
        f"CREATE TEMP MACRO numeral(x) AS CASE WHEN regexp_full_match(x, '{NUMBER}') THEN CAST(x AS DOUBLE) END"
    )
    con.execute(_LEAVES)


def cursor(text: str) -> tuple[int, int]:
    """Read what `next_cursor` wrote; raises ValueError."""
    us, _, n = text.partition(".")
    if len(text) > _LONG or not (us.removeprefix("-").isdecimal() and n.isdecimal() and text.isascii()):
        msg = f"no cursor: {text[:80]!r}"
        raise ValueError(msg)
    moment(int(us))
    return int(us), int(n)


def next_cursor(us: int, n: int) -> str:
    """Say where the next page begins: after the row of this time and number."""
    return f"{us}.{n}"


def _address_key(text: str | None) -> str | None:
    return None if text is None or len(text) > _LONG else address_key(text)


def _paths(field: str) -> Iterator[str]:
    for path, key in places(field):
        yield "$" + "".join(f'."{name}"' for name in (*path, key))


def _list_paths(field: str) -> Iterator[str]:
    for path, key in places(field):
        if path:
            yield "$" + "".join(f'."{name}"' for name in path) + f'[*]."{key}"'


# -------------------------------------------------------------------- tables

_LONG: Final = 64
_NAMED: Final = re.compile(r"\$(p\d+)")
_SIGNS: Final = {Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">="}
#: the values of a JSON node as texts: a scalar's own, a list's scalars
_LEAVES: Final = """
CREATE TEMP MACRO leaves(j) AS CASE coalesce(json_type(j), 'NULL')
    WHEN 'NULL' THEN []::VARCHAR[]
    WHEN 'OBJECT' THEN []::VARCHAR[]
    WHEN 'ARRAY' THEN list_transform(
        list_filter(json_extract(j, '$[*]'), lambda x: json_type(x) NOT IN ('ARRAY', 'OBJECT', 'NULL')),
        lambda x: x->>'$')
    ELSE [j->>'$'] END
"""
#: where DuckDB's lower() is not `fold`: simple foldings that are no lower case …
_CHEROKEE: Final = "".join(map(chr, range(0x13A0, 0x13F6)))
_ODD: Final = "µſͅςϐϑϕϖϰϱϵᲀᲁᲂᲃᲄᲅᲆᲇᲈẛ" + "".join(map(chr, range(0x13F8, 0x13FE)))
#: … and İ, which stays, and Cherokee, which folds to capitals. U+FDD0 is no character: it stands in for İ meanwhile
_FOLD_BEFORE: Final = ("İ" + _ODD, "\ufdd0" + "".join(map(fold, _ODD)))
_FOLD_AFTER: Final = ("\ufdd0" + _CHEROKEE.lower(), "İ" + _CHEROKEE)
