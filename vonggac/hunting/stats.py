"""What an answer comes to: events counted by the values of some fields, with share, first and last seen.

Rows are taken in pieces, so that an answer of any length fits into memory; only the groups are kept, and of these no
more than a bound. A group that was let in is counted to the end, so its figures are exact; rows of later ones are
counted as left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from typing import Any, Final

from vonggac.event import fold
from vonggac.query import time_of, values
from vonggac.reading.times import iso

CHUNK: Final = 20_000  # rows that wait to be counted
GROUPS: Final = 200_000
LETTERS: Final = 64 << 20  # of all groups' values together
CUT: Final = 1_000  # letters of a value; longer ones that begin alike are one
_COMBINED: Final = 64  # groups that one event may belong to (its lists' values, combined)


@dataclass(frozen=True, slots=True)
class Group:
    """The events with these values, in the fields' order; None: the event has no such field."""

    values: tuple[str | None, ...]  # in the spelling that was met first; letter case makes no difference
    count: int
    share: float  # of all events, 0 to 1
    first: str | None  # ISO 8601 in UTC; None: none of them has a time
    last: str | None


@dataclass(frozen=True, slots=True)
class Stats:
    """The groups, the most frequent first, equal counts by value: the rarest stand last."""

    rows: int  # events looked at
    groups: tuple[Group, ...]
    left_out: int = 0  # times that an event fell into a group beyond the bounds: the rarest are not certain then


class Summary:
    """Takes events, gives `Stats`. Needs pandas, which is imported here and only when it is used."""

    def __init__(self, fields: Sequence[str], *, chunk: int = CHUNK, groups: int = GROUPS) -> None:
        self._fields = tuple(fields)
        self._keys = [f"key{n}" for n in range(len(fields))]
        self._shown = [f"shown{n}" for n in range(len(fields))]
        self._chunk, self._room, self._letters = chunk, groups, LETTERS
        self._waiting: list[tuple[Any, ...]] = []
        self._found: Any = None  # a frame: a group a row
        self._rows = 0
        self._left_out = 0

    def add(self, docs: Iterable[Mapping[str, Any]]) -> None:
        """Count events: nested documents or rows of SQL (their time is `@timestamp`, else `ts`)."""
        for doc in docs:
            self._rows += 1
            self._waiting.extend(self._entries(doc))
            if len(self._waiting) >= self._chunk:
                self._count()

    def done(self) -> Stats:
        """Give what came together."""
        self._count()
        if self._found is None:
            return Stats(self._rows, ())
        ordered = self._found.reset_index().sort_values(
            ["count", *self._keys], ascending=[False, *(True for _ in self._keys)]
        )
        return Stats(self._rows, tuple(self._groups(ordered)), self._left_out)

    def _entries(self, doc: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        first, last = _NEVER, -_NEVER
        if (time := _micros(doc)) is not None:
            first = last = time
        found = [_distinct(values(doc, field)) for field in self._fields]
        combined = list(islice(product(*found), _COMBINED + 1))
        self._left_out += len(combined) > _COMBINED
        for group in combined[:_COMBINED]:
            yield (*(key for key, _ in group), *(shown for _, shown in group), first, last)

    def _count(self) -> None:
        """Fold what waits into the groups."""
        if not self._waiting:
            return
        import pandas

        columns = [*self._keys, *self._shown, "first", "last"]
        frame = pandas.DataFrame(dict(zip(columns, map(list, zip(*self._waiting, strict=True)), strict=True)))
        self._waiting.clear()
        frame["count"] = 1
        part = self._folded(frame.groupby(self._keys, sort=False))
        known = [False] * len(part) if self._found is None else part.index.isin(self._found.index)
        let_in = [old or self._admit(key) for old, key in zip(known, part.index, strict=True)]
        self._left_out += int(part["count"][[not one for one in let_in]].sum())
        part = part[let_in]
        if self._found is not None:
            part = self._folded(pandas.concat([self._found, part]).groupby(level=self._keys, sort=False))
        self._found = part

    def _folded(self, grouped: Any) -> Any:
        return grouped.agg({**dict.fromkeys(self._shown, "first"), "first": "min", "last": "max", "count": "sum"})

    def _admit(self, key: str | tuple[str, ...]) -> bool:
        letters = sum(map(len, key))
        if self._room <= 0 or self._letters < letters:
            self._room = 0  # who comes later stays out too: what is counted is counted from its first row
            return False
        self._room -= 1
        self._letters -= letters
        return True

    def _groups(self, ordered: Any) -> Iterator[Group]:
        for row in ordered.to_dict("records"):
            yield Group(
                tuple(row[shown] if row[key] else None for key, shown in zip(self._keys, self._shown, strict=True)),
                int(row["count"]),
                int(row["count"]) / self._rows,
                None if row["first"] == _NEVER else _iso(row["first"]),
                None if row["last"] == -_NEVER else _iso(row["last"]),
            )


def _distinct(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Give (key, shown) of each value once; the key of a value begins with `=`, that of none is empty."""
    found: dict[str, str] = {}
    for text in islice(texts, _COMBINED + 1):
        short = text if len(text) <= CUT else text[:CUT] + "…"
        found.setdefault("=" + fold(short), short)
    return list(found.items()) or [("", "")]


def _micros(doc: Mapping[str, Any]) -> int | None:
    text = doc.get("@timestamp", doc.get("ts"))
    found = text if isinstance(text, datetime) else time_of({"@timestamp": text}, _NONE)
    return None if found is _NONE else (found - _EPOCH) // timedelta(microseconds=1)


def _iso(micros: int) -> str:
    return iso(_EPOCH + timedelta(microseconds=int(micros)))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NONE: Final = datetime(1, 1, 1, tzinfo=UTC)
_NEVER: Final = 1 << 62
