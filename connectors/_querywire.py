"""How a question and its answer cross a pipe: msgpack behind four bytes of length, and a query as plain lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from connectors._parquet import micros, moment
from vonggac.query import And, Condition, Histogram, Not, Op, Or, Query, Sort, Terms, Test, Text
from vonggac.storeport import Page

Message = dict[str, Any]
MAX_MESSAGE: Final = 1 << 30  # bytes; an answer's size is bounded by the memory of who gives it


def framed(message: Mapping[str, Any]) -> bytes:
    """Give a message's bytes."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(4, "big") + body


def read_message(read: Callable[[int], bytes]) -> Message | None:
    """Read a message; None at the end. Raises ValueError for what is none."""
    head = read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    if size > MAX_MESSAGE:
        msg = f"a message of {size} bytes"
        raise ValueError(msg)
    body = read(size)
    return None if len(body) < size else parsed(body)


def parsed(body: bytes | bytearray | memoryview) -> Message:
    """Read a message's body; raises ValueError."""
    return msgspec.msgpack.decode(body, type=Message)


def query_out(query: Query) -> Message:
    """Give a query as plain data."""
    return {
        "where": _where_out(query.where),
        "since": _time_out(query.since),
        "until": _time_out(query.until),
        "sort": str(query.sort),
        "size": query.size,
        "after": query.after,
        "count": query.count,
        "terms": None if query.terms is None else [query.terms.field, query.terms.size],
        "histogram": None if query.histogram is None else [_span_out(query.histogram), query.histogram.offset // _US],
    }


def query_in(data: Message) -> Query:
    """Read what `query_out` gave."""
    terms, histogram = data["terms"], data["histogram"]
    return Query(
        where=_where_in(data["where"]),
        since=_time_in(data["since"]),
        until=_time_in(data["until"]),
        sort=Sort(data["sort"]),
        size=data["size"],
        after=data["after"],
        count=data["count"],
        terms=None if terms is None else Terms(terms[0], terms[1]),
        histogram=None if histogram is None else Histogram(histogram[0] * _US, histogram[1] * _US),
    )


def page_out(page: Page) -> Message:
    """Give a page as plain data."""
    return {
        "rows": page.rows,
        "next": page.next,
        "count": page.count,
        "terms": page.terms,
        "histogram": [(micros(start), number) for start, number in page.histogram],
    }


def page_in(data: Message) -> Page:
    """Read what `page_out` gave."""
    return Page(
        tuple(data["rows"]),
        data["next"],
        data["count"],
        tuple((value, number) for value, number in data["terms"]),
        tuple((moment(start), number) for start, number in data["histogram"]),
    )


def _where_out(where: Condition) -> list[Any]:
    match where:
        case And(of):
            return ["and", *map(_where_out, of)]
        case Or(of):
            return ["or", *map(_where_out, of)]
        case Not(of):
            return ["not", _where_out(of)]
        case Text(text):
            return ["text", text]
        case Test(field, op, value):
            return ["test", field, str(op), value]


def _where_in(data: list[Any]) -> Condition:
    match data:
        case ["and", *of]:
            return And(tuple(map(_where_in, of)))
        case ["or", *of]:
            return Or(tuple(map(_where_in, of)))
        case ["not", of]:
            return Not(_where_in(of))
        case ["text", text]:
            return Text(text)
        case ["test", field, op, value]:
            return Test(field, Op(op), tuple(value) if isinstance(value, list) else value)
    msg = f"no condition: {str(data)[:80]}"
    raise ValueError(msg)


def _time_out(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _time_in(us: int | None) -> datetime | None:
    return None if us is None else moment(us)


def _span_out(histogram: Histogram) -> int:
    return histogram.step // _US


_US: Final = timedelta(microseconds=1)
