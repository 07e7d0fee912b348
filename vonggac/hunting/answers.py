"""An answer of the store, row by row: pages as they are needed, columns for a table, the field that tells most."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final, Protocol

import orjson

from vonggac.event import FIELDS
from vonggac.query import MAX_SIZE, Query, values
from vonggac.storeport import Page, Stop, TooMuch

#: the columns of a table of events, where nobody names others; `what` is no field: `telling` gives it
COLUMNS: Final = (
    "@timestamp",
    "event.kind",
    "event.dataset",
    "host.name",
    "user.name",
    "source.ip",
    "destination.ip",
    "event.code",
    "rule.id",
    "rule.level",
    "vonggac.unit",
    "what",
    "event.id",
)
_VALUES: Final = 20  # of a list that are shown in a cell
_ECS: Final = frozenset({f.partition(".")[0] for f in FIELDS} | {"vonggac", "ecs", "rule", "threat", "winlog", "agent"})
#: a Windows event's data: as Winlogbeat has it, as EVTX has it
_WINDOWS: Final = (
    ("winlog", "event_data"),
    ("winlog", "user_data"),
    ("winlog", "Event", "EventData"),
    ("winlog", "Event", "UserData"),
)
#: what says most of an event, the first that it has
_TELLING: Final = (
    "process.command_line",
    "message",
    "url.original",
    "dns.question.name",
    "file.path",
    "process.executable",
    "tls.server_name",
    "event.action",
    "event.original",
)


class Asker(Protocol):
    """The part of a store that answers (`EventStore.search`)."""

    def search(self, query: Query, units: frozenset[str], limit_s: float, stop: Stop) -> Page:
        """Answer one question."""
        ...


class SqlTable(Protocol):
    """The answer to a statement: values as JSON has them."""

    @property
    def columns(self) -> Sequence[str]:
        """Give the columns' names, some of which may be equal."""
        ...

    @property
    def times(self) -> Sequence[int]:
        """Say which columns are times."""
        ...

    @property
    def rows(self) -> Iterable[Sequence[Any]]:
        """Give the rows; once, where they come as they are made."""
        ...

    @property
    def more(self) -> bool:
        """Say whether there were more rows than were given out."""
        ...

    @property
    def missing(self) -> Sequence[str]:
        """Give the parts of the store that could not be read (`Page.missing`)."""
        ...


class Rows(Protocol):
    """An answer, once through by one of the three; what `more` and `missing` say is right after the last row."""

    @property
    def more(self) -> bool:
        """Say whether there are rows beyond the limit."""
        ...

    @property
    def missing(self) -> Sequence[str]:
        """Give the parts of the store that could not be read, a line each."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """Give the names of `cells`."""
        ...

    @property
    def times(self) -> Sequence[int]:
        """Say which of the columns are times."""
        ...

    @property
    def begun(self) -> bool:
        """Say whether a row was given."""
        ...

    def lines(self) -> Iterator[bytes]:
        """Give each row as a JSON object."""
        ...

    def cells(self) -> Iterator[Sequence[Any]]:
        """Give each row as a table has it."""
        ...

    def docs(self) -> Iterator[Mapping[str, Any]]:
        """Give each row as an object that `vonggac.query.values` reads."""
        ...


class Answer:
    """The events of a query, all pages of it.

    `limit` None: every row. Each page has `limit_s` seconds. A page that does not fit into the memory of queries is
    asked for again in halves; TooMuch is raised when not even one row fits. All else that `search` raises goes through.
    """

    def __init__(
        self,
        asker: Asker,
        query: Query,
        units: frozenset[str],
        *,
        limit: int | None,
        limit_s: float,
        stop: Stop,
        columns: Sequence[str] = COLUMNS,
    ) -> None:
        self.more = self.begun = False
        self.columns = columns
        self.times = [n for n, name in enumerate(columns) if name == "@timestamp"]
        self._missing: dict[str, None] = {}
        self._asker, self._query, self._units = asker, query, units
        self._limit, self._limit_s, self._stop = limit, limit_s, stop

    @property
    def missing(self) -> Sequence[str]:
        """Give the parts of the store that could not be read, a line each."""
        return tuple(self._missing)

    def lines(self) -> Iterator[bytes]:
        """Give the stored documents as they are."""
        size, after, left = MAX_SIZE, self._query.after, self._limit
        while True:
            size = size if left is None else min(size, left)
            try:
                page = self._ask(replace(self._query, size=size, after=after))
            except TooMuch:
                if size == 1:
                    raise
                size //= 2
                continue
            self.begun = self.begun or bool(page.rows)
            yield from page.rows
            left = None if left is None else left - len(page.rows)
            if page.next is None or left == 0:
                self.more = page.next is not None
                return
            after = page.next

    def docs(self) -> Iterator[Mapping[str, Any]]:
        """Give the documents, decoded."""
        return map(orjson.loads, self.lines())

    def cells(self) -> Iterator[Sequence[Any]]:
        """Give the values of the columns, one text each."""
        return (cells(doc, self.columns) for doc in self.docs())

    def count(self) -> int:
        """Count the events instead of giving them."""
        return self._ask(replace(self._query, size=0, count=True)).count or 0

    def _ask(self, query: Query) -> Page:
        page = self._asker.search(query, self._units, self._limit_s, self._stop)
        self._missing.update(dict.fromkeys(page.missing))
        return page


class SqlAnswer:
    """The rows of a statement; columns of one name are numbered: `id`, `id_2`."""

    def __init__(self, table: SqlTable) -> None:
        self._table = table
        self.begun = False
        self.times = table.times
        self.columns: list[str] = []
        for name in table.columns:
            unique, number = name, 1
            while unique in self.columns:
                number += 1
                unique = f"{name}_{number}"
            self.columns.append(unique)

    @property
    def more(self) -> bool:
        """Say whether there were more rows than were wanted."""
        return self._table.more

    @property
    def missing(self) -> Sequence[str]:
        """Give the parts of the store that could not be read, a line each."""
        return self._table.missing

    def lines(self) -> Iterator[bytes]:
        """Give each row as a JSON object."""
        return map(orjson.dumps, self.docs())

    def docs(self) -> Iterator[Mapping[str, Any]]:
        """Give each row as a mapping."""
        return (dict(zip(self.columns, row, strict=True)) for row in self._rows())

    def cells(self) -> Iterator[Sequence[Any]]:
        """Give each row as it is, lists and objects as JSON."""
        for row in self._rows():
            yield [orjson.dumps(one).decode() if isinstance(one, list | dict) else one for one in row]

    def _rows(self) -> Iterator[Sequence[Any]]:
        for row in self._table.rows:
            self.begun = True
            yield row


def cells(doc: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    """Give an event as texts, one a field; a list's values stand apart by `; `."""
    return [telling(doc) if field == "what" else _text(doc, field) for field in fields]


def telling(doc: Mapping[str, Any]) -> str:
    """Give what says most of an event: of an alert its rule and what matched, else a command line or a message.

    Where an event has none of these, the first values of the vendor's own object stand for it: `Key=value; …`.
    """
    if name := _text(doc, "rule.name"):
        own = doc.get("vonggac")
        matched = own.get("matched") if isinstance(own, Mapping) else None
        found = "; ".join(f"{key}={value}" for key, value in matched.items()) if isinstance(matched, Mapping) else ""
        return f"{name}: {found}" if found else name
    if found := next(filter(None, (_text(doc, field) for field in _TELLING)), ""):
        return found
    return "; ".join(f"{key}={value}" for key, value in islice(_own(doc), _VALUES))


def _own(doc: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give keys and values that are no ECS: of a Windows event its data, not its header."""
    waiting: deque[Any] = deque()
    for names in _WINDOWS:
        node: Any = doc
        for name in names:
            node = node.get(name) if isinstance(node, Mapping) else None
        if node:
            waiting.append(node)
    if not waiting:
        waiting.append({key: doc[key] for key in doc if key not in _ECS})
    while waiting:
        node = waiting.popleft()
        for key, value in node.items() if isinstance(node, Mapping) else ():
            if isinstance(value, Mapping) and key != "#attributes":
                waiting.append(value)
            elif isinstance(value, str | int | float) and value not in ("", "-"):
                yield key, str(value)


def _text(doc: Mapping[str, Any], field: str) -> str:
    found = list(islice(values(doc, field), _VALUES + 1))
    return "; ".join(found[:_VALUES]) + ("; …" if len(found) > _VALUES else "")
