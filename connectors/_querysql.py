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
    Text,
    Value,
    address_key,
    holds_text,
    network,
    places,
    text_of,
)

Sql = tuple[str, dict[str, Any]]


class Compiled:
    """One query over files without and with stray rows, as the statements that answer it.

    The two kinds are asked apart: only where rows are stray must `raw`, by far the largest column, be read for a field
    that has a column of its own.
    """

    def __init__(self, query: Query, units: frozenset[str], clean: Sequence[str], stray: Sequence[str]) -> None:
        self._query, self._units = query, sorted(units)
        # files with stray rows are asked twice: their other rows as all others, the stray ones in `raw`
        self._files = (([*clean, *stray], False), (list(stray), True))
        self._mixed = bool(stray)
        self._strays = True
        self._parameters: dict[str, Any] = {}
        self._after = None if query.after is None else cursor(query.after)

    def rows(self) -> Sql:
        """Ask for epoch_us, n, raw; one row more than the page has, which says that there is a next page."""
        newest = self._query.sort is Sort.NEWEST
        order = "DESC" if newest else "ASC"
        after = ""
        if self._after is not None:
            at, number = map(self._value, self._after)
            after = f"AND (ts, n) {'<' if newest else '>'} (make_timestamp({at}::BIGINT), {number}::BIGINT)"
        found = self._found(lambda: "ts, n, raw", after)
        size = self._value(self._query.size + 1)
        return self._done(f"SELECT epoch_us(ts), n, raw FROM {found} ORDER BY ts {order}, n {order} LIMIT {size}")  # noqa: S608 (ours)

    def count(self) -> Sql:
        """Ask for the number of events."""
        return self._done(f"SELECT count(*) FROM {self._found(lambda: 'n')}")  # noqa: S608 (ours)

    def terms(self, terms: Terms) -> Sql:
        """Ask for value, events."""
        found = self._found(lambda: f"unnest(list_distinct({self._folded(terms.field)})) AS term")
        size = self._value(terms.size)
        return self._done(f"SELECT term, count(*) FROM {found} GROUP BY term ORDER BY 2 DESC, 1 LIMIT {size}")  # noqa: S608 (ours)

    def histogram(self, histogram: Histogram) -> Sql:
        """Ask for the bucket's start in µs since 1970, events."""
        step, offset = micros(EPOCH + histogram.step), micros(EPOCH + histogram.offset)
        shift, width = f"{self._value(offset)}::BIGINT", f"{self._value(step)}::BIGINT"
        local = f"(epoch_us(ts) + {shift})"
        bucket = f"{local} - (({local} % {width}) + {width}) % {width} - {shift}"  # % of a negative is negative
        return self._done(f"SELECT {bucket}, count(*) FROM {self._found(lambda: 'ts')} GROUP BY 1 ORDER BY 1")  # noqa: S608 (ours)

    def _found(self, columns: Callable[[], str], more: str = "") -> str:
        """Give the events that hold, as a table of these columns."""
        parts = []
        for files, strays in self._files:
            if files:
                self._strays = strays
                read = f"read_parquet({self._value(files)}, union_by_name = true)"
                parts.append(f"SELECT {columns()} FROM {read} WHERE {self._where()} {more}")  # noqa: S608 (ours)
        return f"({' UNION ALL '.join(parts)})"

    def _where(self) -> str:
        query = self._query
        parts = [f"list_contains({self._value(self._units)}::VARCHAR[], unit)"]
        if query.since is not None:
            parts.append(f"ts >= make_timestamp({self._value(micros(query.since))}::BIGINT)")
        if query.until is not None:
            parts.append(f"ts < make_timestamp({self._value(micros(query.until))}::BIGINT)")
        condition = self._condition(query.where)
        if self._strays:
            # with a second column in it DuckDB asks this of rows that passed the rest; else it would unpack every `raw`
            parts += ["stray", f"CASE WHEN stray THEN {condition} ELSE false END"]
        else:
            parts += [*(["NOT stray"] if self._mixed else []), condition]
        return " AND ".join(parts)

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
            case Text(value):
                return self._anywhere(fold(value))
            case Test():
                return self._test(where)

    def _anywhere(self, folded: str) -> str:
        """Look into the records that can hold a text.

        An ASCII text is found by a regular expression, with no copy of the record made; in plain records a second one
        mostly says whether it stands in a value. Others are parsed where the text is found, or may be for all we see.
        """
        escaped = _escaped(folded)
        p = self._value(folded)
        unsure = " AND ".join(f"regexp_matches(raw, {self._value(one)})" for one in (_MAYBE_UNSURE, _UNSURE))
        if not folded.isascii() or not _TWINS.isdisjoint(folded):
            there = f"({unsure}) OR contains(folded(raw), {self._value(escaped)})"
            return f"(CASE WHEN {there} THEN holds_text(raw, {p}) ELSE false END)"
        found = re.escape(escaped)
        there = f"regexp_matches(raw, {self._value(f'(?i){found}')})"
        value = self._value(_VALUE.replace("TEXT", found)) if _in_texts_only(folded) else None
        right = f"regexp_matches(raw, {value})" if value else f"holds_text(raw, {p})"
        odd = f"CASE WHEN {there} OR ({unsure}) THEN holds_text(raw, {p}) ELSE false END"
        return f"(CASE WHEN NOT plain THEN {odd} WHEN {there} THEN {right} ELSE false END)"

    def _test(self, test: Test) -> str:
        passes = self._passing(test)
        own = _own(test.field)
        if own and not self._strays:
            return f"coalesce({passes(own)}, false)"
        anywhere = f"len(list_filter({self._leaves(test.field)}, lambda x: {passes('x')})) > 0"
        return f"(CASE WHEN {self._may_hold(test.field, self._needed(test))} THEN {anywhere} ELSE false END)"

    def _needed(self, test: Test) -> str:
        """Give what a record must match for a test of texts to pass, wherever in it; "": nothing can be said."""
        given = test.value if test.op is Op.IN and isinstance(test.value, tuple) else (test.value,)
        if test.op not in _OF_TEXTS or not 0 < len(given) <= _ALTERNATIVES:
            return ""
        texts = [fold(one) for one in given if isinstance(one, str)]
        if len(texts) < len(given) or sum(map(len, texts)) > _REGEX or not all(map(_sought_as_is, texts)):
            return ""  # a number stands in many spellings, and other signs fold to ours
        listed = "|".join(re.escape(_escaped(one)) for one in texts)
        return f"regexp_matches(raw, {self._value(f'(?i){listed}')})"

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

    def _may_hold(self, field: str, needed: str = "") -> str:
        """Say, without parsing, whether a row can have the field (its last name ends some key) and what it needs."""
        last = f"contains(raw, {self._value(_ending(field.rpartition('.')[2]))})"
        seen = f"{last} AND {needed}" if needed else last
        return f"(({seen}) OR {self._unseen()})"

    def _unseen(self) -> str:
        """Say that a row's texts may be written with escapes that hide them."""
        matches = " AND ".join(f"regexp_matches(raw, {self._value(one)})" for one in (_MAYBE_UNSURE, _UNSURE))
        return f"(NOT plain AND {matches})"

    def _leaves(self, field: str) -> str:
        """Give the field's values as texts.

        All paths go in one call, since each call keeps the trees of 2,048 records (some 40 MB a thread); those
        through a list cannot, and are looked at where the record has a list of that name.
        """
        single = f"json_extract(raw, {self._value(list(_paths(field)))}::VARCHAR[])"
        lists = [f"json_extract(raw, {self._value(path)})" for path in _list_paths(field)]
        if lists:
            names = "|".join(re.escape(_ending(path[-1])) for path, _ in places(field) if path)
            there = f"regexp_matches(raw, {self._value(f'(?:{names}){_LIST}')}) OR {self._unseen()}"
            # NULL (a path that meets no list) is an empty list to list_concat
            joined = lists[0]
            for one in lists[1:]:
                joined = f"list_concat({joined}, {one})"
            single = f"list_concat({single}, CASE WHEN {there} THEN {joined} ELSE [] END)"
        return f"flatten(list_transform({single}, lambda j: leaves(j)))"

    def _folded(self, field: str) -> str:
        own = _own(field)
        single = f"CASE WHEN {own} IS NULL THEN []::VARCHAR[] ELSE [{own}] END"
        if own and not self._strays:
            return f"list_transform({single}, lambda x: folded(x))"
        anywhere = f"CASE WHEN {self._may_hold(field)} THEN {self._leaves(field)} ELSE [] END"
        return f"list_transform({anywhere}, lambda x: folded(x))"


def prepare(con: Any) -> None:
    """Give a connection the functions that the statements name."""
    con.create_function("address_key", _address_key, ["VARCHAR"], "VARCHAR", null_handling="special")
    con.create_function("holds_text", _holds_text, ["VARCHAR", "VARCHAR"], "BOOLEAN", null_handling="special")
    before, after = _FOLD_BEFORE, _FOLD_AFTER
    con.execute(
        "CREATE TEMP MACRO folded(x) AS CASE WHEN strlen(x) = length(x) THEN lower(x) ELSE replace(translate(lower("
        # nfc_normalize ends at a NUL: another stand-in
        f"translate(nfc_normalize(replace(x, chr(0), '\ufdd1')), '{before[0]}', '{before[1]}')), "
        f"'{after[0]}', '{after[1]}'), '\ufdd1', chr(0)) END"
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


def _own(field: str) -> str | None:
    """Give the field's own column as text, if it has one."""
    kind = COLUMNS.get(field)
    return None if kind is None else f"CAST({column(field)} AS VARCHAR)" if kind is int else column(field)


def _address_key(text: str | None) -> str | None:
    return None if text is None or len(text) > _LONG else address_key(text)


def _escaped(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def _ending(name: str) -> str:
    return orjson.dumps(name).decode()[1:]  # Image"


def _sought_as_is(folded: str) -> bool:
    """Say that a folded text stands in a record in this spelling, letter case and escapes apart, if it does at all."""
    return folded.isascii() and _TWINS.isdisjoint(folded) and _in_texts_only(folded)


def _in_texts_only(folded: str) -> bool:
    """Say that no number, no `true`, `false` or `null`, and nothing between them can hold a folded ASCII text."""
    words = _WORD.findall(folded)
    return (
        _IN_TEXTS.search(folded) is not None
        or any(word not in "true false null" for word in words)
        or (folded.count(".") > 1 and _BETWEEN.search(folded) is None)  # an address
    )


def _holds_text(raw: str, folded: str) -> bool:
    return holds_text(orjson.loads(raw), folded)


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
_WORD: Final = re.compile("[a-z]+")
_BETWEEN: Final = re.compile(r"[,:{}\[\]\s]")
_IN_TEXTS: Final = re.compile(r"[^-+.a-z0-9,:{}\[\]\s]")
#: an escape that may stand for any letter, or whose own letter is one with the accent after it
_UNSURE: Final = r"[^\\](?:\\\\)*\\(?:[u/]|[bfnrt]\p{M})"
_MAYBE_UNSURE: Final = r"\\(?:[u/]|[bfnrt]\p{M})"  # begins with a sign that can be jumped to
_TWINS: Final = frozenset(";`")  # signs of other alphabets are these two after NFC; (?i) knows K and ſ by itself
#: TEXT, not from the middle of an escape, and then the rest of a string that is no key
_VALUE: Final = r'(?is)[^\\](?:\\\\)*TEXT(?:[^"\\]|\\.)*"\s*[,}\]]'
_LIST: Final = r"\s*:\s*\["  # after a key
_OF_TEXTS: Final = frozenset({Op.EQ, Op.IN, Op.PREFIX, Op.CONTAINS})
_ALTERNATIVES: Final = 50  # of one regular expression …
_REGEX: Final = 2_000  # … and their characters
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
