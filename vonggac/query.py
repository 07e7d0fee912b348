"""The query model of every event store: small, frozen, and no more than DuckDB and Elasticsearch can both answer.

What a stored event answers to, the same for every adapter (`holds` is the plain evaluator that they are held to):

- A field is a dotted name. `a.b.c` is met as nested objects, or with its tail in one key as vendors write it
  (`{"a": {"b.c": …}}`). A list holds for each of its scalars; the object around the last key may be a list of objects.
- Text is compared folded (`vonggac.event.fold`). Numbers and booleans are texts too: `4624`, `true`.
- A value given as a number compares as a number, with every text of at most 15 digits (and 9 decimals).
- An event's time is its `@timestamp`, or, without one that can be read, when it was appended to the log.
- Which value of a doubled key counts is not promised.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from vonggac.event import fold

Value = str | int | float
MAX_SIZE: Final = 10_000  # rows a page, terms an answer, values an `in`
MAX_DEPTH: Final = 32  # of a condition
NUMBER: Final = r"-?[0-9]{1,15}(\.[0-9]{1,9})?"  # what compares as a number: RE2 and Python read it alike


class Op(StrEnum):
    """How a field's value relates to the given one."""

    EQ = "eq"
    IN = "in"
    PREFIX = "prefix"
    CONTAINS = "contains"
    EXISTS = "exists"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    CIDR = "cidr"


@dataclass(frozen=True, slots=True)
class Test:
    """One condition on one field; true when any of the field's values passes. Raises ValueError for nonsense.

    `value` is a tuple for `in`, None for `exists`, text for `prefix`, `contains` and `cidr`.
    """

    __test__ = False  # pytest: not a test

    field: str
    op: Op
    value: Value | tuple[Value, ...] | None = None

    def __post_init__(self) -> None:
        check_field(self.field)
        value = self.value
        match self.op:
            case Op.EXISTS:
                right = value is None
            case Op.IN:
                right = isinstance(value, tuple) and len(value) <= MAX_SIZE and all(map(_is_value, value))
            case Op.PREFIX | Op.CONTAINS:
                right = isinstance(value, str)
            case Op.CIDR:
                right = isinstance(value, str)
                if right:
                    network(str(value))
            case _:
                right = _is_value(value)
        if not right:
            msg = f"{self.field} {self.op}: no such value {value!r}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Text:
    """Some text or whole number of the event, at any depth, holds this text, folded. Names of fields do not count."""

    value: str


@dataclass(frozen=True, slots=True)
class And:
    """All of them; no conditions: true."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; no conditions: false."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this one. An event without the field passes."""

    of: Condition


Condition = Test | Text | And | Or | Not


class Sort(StrEnum):
    """The order of the rows, by the events' time; equal times keep one order from page to page."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Terms:
    """Count events by a field's (folded) values: the most frequent first, equal counts by value."""

    field: str
    size: int = 10

    def __post_init__(self) -> None:
        check_field(self.field)
        _check_size(self.size)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Count events by time: buckets of `step`, beginning at midnight UTC less `offset` (7 h: Vietnam's days)."""

    step: timedelta
    offset: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.step < timedelta(seconds=1) or self.step % timedelta(seconds=1):
            msg = f"histogram: a step of {self.step} is no whole number of seconds"
            raise ValueError(msg)
        if abs(self.offset) > timedelta(days=1):
            msg = f"histogram: an offset of {self.offset}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `since` counts, `until` does not (both aware); `after` is `Page.next` of the page before.

    `size` 0 gives no rows. `terms`, `histogram` and `count` answer over all events that hold, not over the page.
    """

    where: Condition = And(())
    since: datetime | None = None
    until: datetime | None = None
    sort: Sort = Sort.NEWEST
    size: int = 100
    after: str | None = None
    count: bool = False
    terms: Terms | None = None
    histogram: Histogram | None = None

    def __post_init__(self) -> None:
        if self.size:
            _check_size(self.size)
        if any(moment is not None and moment.tzinfo is None for moment in (self.since, self.until)):
            msg = "a time range without a zone"
            raise ValueError(msg)
        if any(depth > MAX_DEPTH for depth in _depths(self.where)):
            msg = f"a condition nested deeper than {MAX_DEPTH}"
            raise ValueError(msg)


# ------------------------------------------------------------------ what it means


def holds(where: Condition, doc: Mapping[str, Any]) -> bool:
    """Say whether an event answers to the condition."""
    match where:
        case And(of):
            return all(holds(one, doc) for one in of)
        case Or(of):
            return any(holds(one, doc) for one in of)
        case Not(of):
            return not holds(of, doc)
        case Text(value):
            return holds_text(doc, fold(value))
        case Test():
            return any(_passes(where, text) for text in values(doc, where.field))


def holds_text(doc: Mapping[str, Any], folded: str) -> bool:
    """Say whether a text or whole number anywhere in the event holds this folded text."""
    waiting: list[Any] = [doc]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
        elif isinstance(node, str):
            if folded in fold(node):
                return True
        elif isinstance(node, int) and not isinstance(node, bool) and folded in str(node):
            return True
    return False


def time_of(doc: Mapping[str, Any], appended: datetime) -> datetime:
    """Give an event's time in UTC; a time without a zone is UTC, one outside the years 2 to 9998 is none."""
    value = doc.get("@timestamp")
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            return appended
        if MINYEAR < found.year < MAXYEAR:
            return found
    return appended


def values(doc: Mapping[str, Any], field: str) -> Iterator[str]:
    """Give the field's values as texts, unfolded."""
    for path, key in places(field):
        node: Any = doc
        for name in path:
            node = node.get(name) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping):
            yield from _texts(node.get(key))
        elif isinstance(node, list):
            for one in node:
                if isinstance(one, Mapping):
                    yield from _texts(one.get(key))


def places(field: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give where the field may stand: the objects to walk and the last key. `a.b` is ((), "a.b"), (("a",), "b")."""
    names = field.split(".")
    for cut in range(len(names)):
        yield tuple(names[:cut]), ".".join(names[cut:])


def text_of(value: Value) -> str:
    """Give a scalar's text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(4_096)
def address_key(text: str) -> str | None:
    """Give an address as 32 hex digits that sort as addresses do (IPv4 as ::ffff:…); None when it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return f"{int(address) + (_MAPPED if address.version == 4 else 0):032x}"


def network(text: str) -> tuple[str, str]:
    """Give the keys of a network's first and last address; raises ValueError when it is no network."""
    found = ipaddress.ip_network(text, strict=False)
    first, last = address_key(str(found[0])), address_key(str(found[-1]))
    if first is None or last is None:
        msg = f"no network: {text!r}"
        raise ValueError(msg)
    return first, last


def check_field(field: str) -> None:
    """Refuse, by ValueError, a name that no adapter could ask for: signs of JSON paths, more than 8 parts."""
    if not _FIELD.fullmatch(field) or len(names := field.split(".")) > 8 or not all(names):
        msg = f"no name of a field: {field[:80]!r}"
        raise ValueError(msg)


def _passes(test: Test, text: str) -> bool:
    value = test.value
    match test.op:
        case Op.EXISTS:
            return True
        case Op.IN if isinstance(value, tuple):
            return any(_equal(text, one) for one in value)
        case Op.PREFIX:
            return fold(text).startswith(fold(str(value)))
        case Op.CONTAINS:
            return fold(str(value)) in fold(text)
        case Op.CIDR:
            first, last = network(str(value))
            key = address_key(text)
            return key is not None and first <= key <= last
    if isinstance(value, tuple) or value is None:
        return False
    if test.op is Op.EQ:
        return _equal(text, value)
    if isinstance(value, str):
        return _ordered(test.op, fold(text), fold(value))
    return _NUMBER.fullmatch(text) is not None and _ordered(test.op, float(text), float(value))


def _equal(text: str, value: Value) -> bool:
    if isinstance(value, str | bool):
        return fold(text) == fold(text_of(value))
    return _NUMBER.fullmatch(text) is not None and float(text) == float(value)


def _ordered(op: Op, left: Any, right: Any) -> bool:
    return bool(
        (op is Op.LT and left < right)
        or (op is Op.LTE and left <= right)
        or (op is Op.GT and left > right)
        or (op is Op.GTE and left >= right)
    )


def _texts(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else (value,):
        if isinstance(one, str | int | float):
            yield text_of(one)


def _depths(where: Condition, depth: int = 1) -> Iterator[int]:
    yield depth
    if depth <= MAX_DEPTH:
        for one in where.of if isinstance(where, And | Or) else (where.of,) if isinstance(where, Not) else ():
            yield from _depths(one, depth + 1)


def _is_value(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int | float) and abs(value) < 1e15)


def _check_size(size: int) -> None:
    if not 1 <= size <= MAX_SIZE:
        msg = f"a size of {size}: 1 to {MAX_SIZE}"
        raise ValueError(msg)


_MAPPED: Final = 0xFFFF << 32
_NUMBER: Final = re.compile(NUMBER)
_FIELD: Final = re.compile(r"""[^"\\*\[\]$?'\x00-\x1f\x7f]{1,200}""")
