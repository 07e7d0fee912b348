"""The query process answers as the store does, and whatever happens to it is one clear error."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.embedded_query import QueryProcess, Table
from connectors.embedded_store import STEPS, EmbeddedStore, Limits, World
from vonggac.query import And, Histogram, Not, Op, Or, Query, Sort, Terms, Test, Text
from vonggac.storeport import Page, Stop
from vonggac.storetesting import STORE_CONTRACT, Killed, StoreBench, ask, batch_of, upto

UNITS = frozenset({""})
GO_ON = threading.Event()  # never set


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    store = EmbeddedStore(tmp_path)
    batch = batch_of(
        {"host": {"name": "ws-01"}, "process": {"pid": 7}},
        {"host": {"name": "WS-02"}, "vonggac": {"unit": "so-yte"}, "process": {"pid": 4624}},
        {"host": {"name": ["ws-03", "ws-04"]}},
    )
    store.save([batch], upto(batch))
    return store


@pytest.fixture
def process(tmp_path: Path) -> Iterator[QueryProcess]:
    with QueryProcess(tmp_path) as process:
        yield process


class Served(EmbeddedStore):
    """The store, asked through the query process."""

    process: QueryProcess

    def search(self, query: Query, units: frozenset[str], limit_s: float, stop: Stop) -> Page:
        return self.process.search(query, units, limit_s, stop)


class Bench:
    """The contract's hands; an owner that was killed has let go of its lock, as the kernel does it."""

    steps: Sequence[str] = STEPS
    keeps_position = True

    def __init__(self, root: Path, process: QueryProcess) -> None:
        self._root, self._process = root, process
        self._owners: list[EmbeddedStore] = []
        self._deadly: str | None = None

    def open(self) -> EmbeddedStore:
        for owner in self._owners:
            owner.close()
        store = Served(self._root, limits=Limits(floor=timedelta(0)), world=World(step=self._step))
        store.process = self._process
        self._owners.append(store)
        return store

    @contextmanager
    def dying(self, step: str) -> Iterator[None]:
        self._deadly = step
        yield
        self._deadly = None

    def _step(self, name: str) -> None:
        if name == self._deadly:
            raise Killed


@pytest.mark.parametrize("case", STORE_CONTRACT, ids=lambda case: case.__name__)
def test_the_contract_through_the_process(
    case: Callable[[StoreBench], None], tmp_path: Path, process: QueryProcess
) -> None:
    case(Bench(tmp_path, process))


def searched(process: QueryProcess, query: Query, units: frozenset[str] = UNITS) -> Page:
    return process.search(query, units, 60.0, GO_ON)


def asked(process: QueryProcess, sql: str, units: frozenset[str] = UNITS, rows: int = 100) -> Table:
    return process.sql(sql, units, 60.0, GO_ON, rows)


def test_a_query_is_answered_as_the_store_answers_it(store: EmbeddedStore, process: QueryProcess) -> None:
    hour = Histogram(timedelta(hours=1), timedelta(hours=7))
    for query in (
        Query(),
        Query(sort=Sort.OLDEST, size=1),
        Query(And((Test("host.name", Op.PREFIX, "ws"), Not(Test("process.pid", Op.EQ, 7)), Text("ws"))), count=True),
        Query(Or((Test("host.name", Op.IN, ("ws-04", "x")), Test("host.ip", Op.CIDR, "192.0.2.0/24")))),
        Query(size=0, count=True, terms=Terms("host.name", 5), histogram=hour),
    ):
        assert searched(process, query, frozenset({"", "so-yte"})) == ask(store, query, frozenset({"", "so-yte"}))
    assert searched(process, Query(count=True), frozenset()) == Page((), None, 0)


@pytest.mark.usefixtures("store")
def test_sql_over_the_view(process: QueryProcess) -> None:
    found = asked(process, "SELECT host, doc->>'$.process.pid' AS pid FROM events ORDER BY host")
    assert found == Table(("host", "pid"), (["ws-01", "7"], [None, None]))
    assert asked(process, "SELECT count(*) FROM events", frozenset({"so-yte"})).rows == ([1],)
    assert asked(process, "SELECT count(*) FROM events", frozenset()).rows == ([0],)
    assert asked(process, "SELECT id FROM events", rows=1).more


@pytest.mark.usefixtures("store")
def test_the_units_that_stored_events_carry(process: QueryProcess) -> None:
    assert process.units(60, threading.Event()) == {"", "so-yte"}


def test_an_empty_store_carries_none(tmp_path: Path) -> None:
    EmbeddedStore(tmp_path)
    with QueryProcess(tmp_path) as process:
        assert process.units(60, threading.Event()) == frozenset()
