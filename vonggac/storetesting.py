"""The contract tests of the event store's port: every adapter passes each of STORE_CONTRACT on a fresh store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, Protocol

import orjson
import pytest

from vonggac.logport import Batch, Part, Positions
from vonggac.query import And, Histogram, Not, Op, Or, Query, Sort, Terms, Test, Text
from vonggac.storeport import EventStore, Page, Stopped, TooSlow
from vonggac.testing import NOW

PART: Final = Part("events/collect-0.0123456789abcdef/0")
LIMIT_S: Final = 60.0


class StoreBench(Protocol):
    """What an adapter's test gives to the contract: a store, and the hands to hurt it. Its retention floor is 0."""

    steps: Sequence[str]  # of a save, in order
    keeps_position: bool  # False: `taken` is None

    def open(self) -> EventStore:
        """Give a new handle on the same store, as the next owner has it."""
        ...

    def dying(self, step: str) -> AbstractContextManager[None]:
        """Within it, each save raises Killed when it reaches the step."""
        ...


class Killed(BaseException):
    """Stands for SIGKILL inside one process: the store is left as it is, nothing of it runs any more."""


def batch_of(*docs: dict[str, Any], first: int = 0, appended: datetime = NOW, part: Part = PART) -> Batch:
    """Make a batch of events; ids are `e<offset>` where a document has none."""
    records = [
        orjson.dumps({**doc, "event": {"id": f"e{first + n}", **doc.get("event", {})}}) for n, doc in enumerate(docs)
    ]
    return Batch(part, first, first + len(docs), appended, records)


def upto(*batches: Batch) -> Positions:
    """Give the positions past the batches."""
    return {batch.part: batch.next for batch in batches}


def ask(store: EventStore, query: Query, units: frozenset[str] = frozenset({""})) -> Page:
    """Search without a hurry."""
    return store.search(query, units, LIMIT_S, threading.Event())


def ids(page: Page) -> list[str]:
    """Give the ids of the rows, in order."""
    return [orjson.loads(row)["event"]["id"] for row in page.rows]


def kill_inside_save_is_all_or_nothing(bench: StoreBench) -> None:
    """Whatever the step, events and position are there together or not at all; the next owner goes on."""
    at = count(0, 3)
    for step in bench.steps:
        batch = batch_of({}, {}, {}, first=next(at))
        before = len(ids(ask(bench.open(), Query())))
        with bench.dying(step), pytest.raises(Killed):
            bench.open().save([batch], upto(batch))
        store = bench.open()
        if bench.keeps_position:
            there = (store.taken() or {}).get(PART, 0) == batch.next
            assert len(ids(ask(store, Query()))) - before == (3 if there else 0), f"both or neither: {step}"
        store.save([batch], upto(batch))
        assert len(ids(ask(bench.open(), Query()))) - before == 3, f"once in effect: {step}"


def saved_is_found_by_the_next_owner(bench: StoreBench) -> None:
    """What a save returned for is there, byte for byte, with its position."""
    batch = batch_of({"host": {"name": "ws01"}, "x": "đồng hồ"}, {"host": {"name": "WS02"}})
    assert bench.open().save([batch], upto(batch)) == []
    store = bench.open()
    assert sorted(ask(store, Query()).rows) == sorted(batch.records)
    assert store.taken() == (upto(batch) if bench.keeps_position else None)


def the_same_again_changes_nothing(bench: StoreBench) -> None:
    """A batch that was saved before, or in part, is not saved twice."""
    store = bench.open()
    first, both = batch_of({}, {}), batch_of({}, {}, {}, {})
    store.save([first], upto(first))
    store.save([first], upto(first))
    store.save([both], upto(both))
    assert sorted(ids(ask(store, Query()))) == ["e0", "e1", "e2", "e3"]


def what_is_no_event_is_named_and_passed(bench: StoreBench) -> None:
    """Each bad record is a Bad with its place; its neighbours are saved, the position goes past it."""
    good = batch_of({}, first=0)
    records = [*good.records, b"{", b"[1]", b'{"event":{}}', b'{"event":{"id":"\xff"}}', b'{"event":{"id":"last"}}']
    batch = Batch(PART, 0, len(records), NOW, records)
    store = bench.open()
    bads = store.save([batch], upto(batch))
    assert [(bad.path, bad.place) for bad in bads] == [(PART, f"offset {n}") for n in (1, 2, 3, 4)]
    assert all(bad.reason and not bad.kept for bad in bads)
    assert sorted(ids(ask(store, Query()))) == ["e0", "last"]


def only_the_asked_units_are_seen(bench: StoreBench) -> None:
    """A search without units sees nothing; an event without a unit is of unit ""."""
    batch = batch_of({"vonggac": {"unit": "so-yte"}}, {"vonggac": {"unit": "so-tc"}}, {})
    store = bench.open()
    store.save([batch], upto(batch))
    whole = Query(count=True, terms=Terms("event.id"), histogram=Histogram(timedelta(hours=1)))
    assert ask(store, whole, frozenset()) == Page((), None, 0)
    page = ask(store, whole, frozenset({"so-yte"}))
    assert (ids(page), page.count, page.terms) == (["e0"], 1, (("e0", 1),))
    assert sorted(ids(ask(store, Query(), frozenset({"", "so-tc"})))) == ["e1", "e2"]


def pages_give_each_event_once(bench: StoreBench) -> None:
    """In order of time, equal times and equal ids too, both ways, while new events come."""
    docs = [{"@timestamp": f"2026-03-01T01:00:{n // 3:02}Z", "event": {"id": f"i{n // 2}"}} for n in range(10)]
    batch = batch_of(*docs)
    store = bench.open()
    store.save([batch], upto(batch))
    for sort in Sort:
        pages = list(_pages(store, Query(sort=sort, size=3)))
        assert [len(page.rows) for page in pages] == [3, 3, 3, 1]
        times = [orjson.loads(row)["@timestamp"] for page in pages for row in page.rows]
        assert times == sorted(times, reverse=sort is Sort.NEWEST)
        assert sorted(one for page in pages for one in ids(page)) == sorted(f"i{n // 2}" for n in range(10))
    assert ask(store, Query(size=0, count=True)) == Page((), None, 10)
    with pytest.raises(ValueError, match="cursor"):
        ask(store, Query(after="'; DROP"))


def times_are_half_open(bench: StoreBench) -> None:
    """`since` counts, `until` does not; an event without a time has the append's."""
    batch = batch_of({"@timestamp": "2026-03-01T15:00:00+07:00"}, {}, {"@timestamp": "2026-03-01T09:00:00Z"})
    store = bench.open()
    store.save([batch], upto(batch))
    hour = timedelta(hours=1)
    assert sorted(ids(ask(store, Query(since=NOW, until=NOW + hour)))) == ["e0", "e1"]
    assert ask(store, Query(histogram=Histogram(hour))).histogram == ((NOW, 2), (NOW + hour, 1))
    day = Histogram(timedelta(days=1), timedelta(hours=7))
    assert ask(store, Query(histogram=day)).histogram == ((NOW.replace(hour=17) - timedelta(days=1), 3),)


def each_operator_answers(bench: StoreBench) -> None:
    """One line each: which of four events hold."""
    store = bench.open()
    batch = batch_of(
        {"host": {"name": "WS-ĐÀ-01", "ip": ["192.0.2.7", "2001:db8::1"]}, "process": {"pid": 4624}},
        {"host": {"name": "ws-02"}, "process": {"pid": "77"}, "winlog": {"event_data": {"Image": r"C:\users\A.exe"}}},
        {"source": {"ip": "198.51.100.9"}, "zeek": {"id.orig_h": "192.0.2.200", "ok": True}},
        {"threat": {"technique": [{"id": "T1059.001"}, {"id": ["T1003", None]}]}, "x": None, "host.name": "ws-04"},
    )
    store.save([batch], upto(batch))
    for test, wanted in _OPERATORS:
        assert sorted(ids(ask(store, Query(test)))) == [f"e{n}" for n in wanted], f"{test}"


def a_search_ends_when_told(bench: StoreBench) -> None:
    """A stop that is set and a limit that is over end it by name; the store answers on."""
    store = bench.open()
    batch = batch_of(*({"n": n, "text": "x" * 100} for n in range(3000)))
    store.save([batch], upto(batch))
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        store.search(Query(), frozenset({""}), LIMIT_S, stop)
    with pytest.raises(TooSlow):
        store.search(Query(), frozenset({""}), 0.0, threading.Event())
    assert ask(store, Query(size=0, count=True)).count == 3000


def drop_deletes_only_what_is_older(bench: StoreBench) -> None:
    """By append time, not by the event's own; what is left is found."""
    store = bench.open()
    old = batch_of({"@timestamp": "2026-03-01T01:00:00Z"}, {}, appended=NOW - timedelta(days=400))
    new = batch_of({"@timestamp": "2020-03-01T01:00:00Z"}, first=2)
    store.save([old], upto(old))
    store.save([new], upto(new))
    assert store.drop(NOW - timedelta(days=399)) == 2
    assert store.drop(NOW - timedelta(days=399)) == 0
    assert ids(ask(bench.open(), Query())) == ["e2"]


STORE_CONTRACT: Final[Sequence[Callable[[StoreBench], None]]] = (
    kill_inside_save_is_all_or_nothing,
    saved_is_found_by_the_next_owner,
    the_same_again_changes_nothing,
    what_is_no_event_is_named_and_passed,
    only_the_asked_units_are_seen,
    pages_give_each_event_once,
    times_are_half_open,
    each_operator_answers,
    a_search_ends_when_told,
    drop_deletes_only_what_is_older,
)


def _pages(store: EventStore, query: Query) -> Iterator[Page]:
    while True:
        page = ask(store, query)
        yield page
        if page.next is None:
            return
        query = Query(sort=query.sort, size=query.size, after=page.next)


_IMAGE: Final = "winlog.event_data.Image"
_OPERATORS: Final = (
    (Test("host.name", Op.EQ, "ws-đà-01"), (0,)),
    (Test("host.name", Op.IN, ("WS-02", "ws-04", "none")), (1, 3)),
    (Test("host.name", Op.PREFIX, "Ws-0"), (1, 3)),
    (Test("host.name", Op.CONTAINS, "-0"), (0, 1, 3)),
    (Test("host.name", Op.EXISTS), (0, 1, 3)),
    (Test("x", Op.EXISTS), ()),
    (Test("process.pid", Op.EQ, 4624), (0,)),
    (Test("process.pid", Op.EQ, "4624"), (0,)),
    (Test("process.pid", Op.LT, 100), (1,)),
    (Test("process.pid", Op.LTE, 77.0), (1,)),
    (Test("process.pid", Op.GT, 77), (0,)),
    (Test("process.pid", Op.GTE, 77), (0, 1)),
    (Test(_IMAGE, Op.CONTAINS, r"\USERS\a"), (1,)),
    (Test("host.ip", Op.CIDR, "192.0.2.0/24"), (0,)),
    (Test("host.ip", Op.CIDR, "2001:db8::/32"), (0,)),
    (Test("source.ip", Op.CIDR, "198.51.100.0/24"), (2,)),
    (Test("zeek.id.orig_h", Op.CIDR, "192.0.2.0/24"), (2,)),
    (Test("zeek.ok", Op.EQ, "TRUE"), (2,)),
    (Test("zeek.ok", Op.EQ, True), (2,)),
    (Test("threat.technique.id", Op.EQ, "t1003"), (3,)),
    (Test("threat.technique.id", Op.PREFIX, "T1059"), (3,)),
    (Text("ws-đà"), (0,)),
    (Text(r"C:\USERS\a"), (1,)),
    (Text("4624"), (0,)),
    (Text("t1003"), (3,)),
    (Text("Image"), ()),  # the name of a field
    (Not(Text("ws")), (2,)),
    (Not(Test("host.name", Op.EXISTS)), (2,)),
    (And((Test("host.name", Op.PREFIX, "ws"), Test(_IMAGE, Op.EXISTS))), (1,)),
    (Or((Test("zeek.ok", Op.EXISTS), Test("host.name", Op.EQ, "ws-02"))), (1, 2)),
    (Or(()), ()),
)
