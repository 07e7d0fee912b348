"""The embedded store passes the contract, and keeps its files in order."""

import errno
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import orjson
import pytest
import zstandard

from connectors._encode import Rows, write
from connectors._parquet import micros
from connectors.embedded_store import STEPS, EmbeddedStore, Limits, SourceSpan, World
from vonggac.query import Op, Query, Sort, Test
from vonggac.storetesting import PART, STORE_CONTRACT, Killed, StoreBench, ask, batch_of, ids, upto
from vonggac.testing import NOW

SMALL = Limits(floor=timedelta(0))


class Bench:
    """The store in a folder; an owner that was killed has let go of its lock, as the kernel does it."""

    steps: Sequence[str] = STEPS
    keeps_position = True

    def __init__(self, root: Path) -> None:
        self._root = root
        self._owners: list[EmbeddedStore] = []
        self._deadly: str | None = None

    def open(self) -> EmbeddedStore:
        for owner in self._owners:
            owner.close()
        store = EmbeddedStore(self._root, limits=SMALL, world=World(step=self._step))
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
def test_the_contract(case: Callable[[StoreBench], None], tmp_path: Path) -> None:
    case(Bench(tmp_path))


def store_of(root: Path, **limits: object) -> EmbeddedStore:
    return EmbeddedStore(root, limits=replace(SMALL, **limits))  # type: ignore[arg-type]  # a test's shorthand


def saved(store: EmbeddedStore, *docs: dict[str, object], first: int = 0, appended: datetime = NOW) -> None:
    batch = batch_of(*docs, first=first, appended=appended)
    assert store.save([batch], upto(batch)) == []


def files(root: Path) -> int:
    return len(list((root / "events").iterdir()))


def test_small_files_are_merged_and_large_ones_never_touched(tmp_path: Path) -> None:
    store = store_of(tmp_path, small=10)
    saved(store, *({} for _ in range(10)))
    large = store.catalogue.live()
    for n in range(3):
        saved(store, {}, {"host": {"name": "ws-01"}}, first=10 + 2 * n)
    before = store.sources()
    assert store.merge() == 3
    assert store.merge() == 0
    live = store.catalogue.live()
    assert [piece.rows for piece in live] == [10, 6]
    assert live[0] == large[0]
    assert store.sources() == before
    assert ids(ask(store, Query(sort=Sort.OLDEST))) == [f"e{n}" for n in range(16)], "rows keep their numbers"


def test_days_are_not_merged_so_that_each_can_be_dropped(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    saved(store, {}, appended=NOW - timedelta(days=1))
    saved(store, {}, first=1)
    assert store.merge() == 0


def test_replaced_files_outlive_the_longest_query(tmp_path: Path) -> None:
    now = [NOW]
    store = EmbeddedStore(tmp_path, limits=SMALL, world=World(clock=lambda: now[0]))
    saved(store, {})
    saved(store, {}, first=1)
    store.merge()
    now[0] += timedelta(seconds=SMALL.query_s) + timedelta(minutes=9)
    assert (store.sweep(), files(tmp_path)) == ([], 3)
    now[0] += timedelta(minutes=2)
    assert (len(store.sweep()), files(tmp_path)) == (2, 1)
    assert len(ask(store, Query()).rows) == 2


def test_a_hold_keeps_what_retention_would_drop_and_deletions_are_recorded(tmp_path: Path) -> None:
    store, old = store_of(tmp_path), NOW - timedelta(days=500)
    saved(store, {"@timestamp": old.isoformat()}, appended=old)
    saved(store, {}, first=1)
    store.hold("case-7", old, old + timedelta(seconds=1))
    assert store.drop(NOW) == 0
    store.release("case-7")
    assert store.drop(NOW) == 1
    assert [(rows, why) for _, _, rows, _, _, why in store.catalogue.deleted()] == [
        (1, "retention: appended before 2026-03-01T08:00:00+00:00")
    ]


def test_the_retention_floor_holds(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    saved(store, {})
    with pytest.raises(ValueError, match="the floor is 365 days"):
        store.drop(NOW - timedelta(days=364))
    assert store.drop(NOW - timedelta(days=365)) == 0


def test_oldest_and_newest_of_each_source(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    doc = {"event": {"dataset": "zeek.conn"}, "host": {"name": "gw"}}
    saved(store, {**doc, "@timestamp": "2026-02-01T00:00:00Z", "event": {"id": "a", "dataset": "zeek.conn"}})
    saved(store, {**doc, "event": {"id": "b", "dataset": "zeek.conn"}}, first=1)
    assert store.sources() == [SourceSpan("zeek.conn", "gw", 2, micros(datetime(2026, 2, 1, tzinfo=UTC)), micros(NOW))]


def test_a_huge_record_is_kept_whole_beside_the_row(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    saved(store, {"message": "x" * (2 << 20), "host": {"name": "ws-01"}, "vonggac": {"unit": ""}})
    row = orjson.loads(ask(store, Query(Test("host.name", Op.EQ, "WS-01"))).rows[0])
    assert (row["event"]["id"], len(row["message"])) == ("e0", 1024)
    whole = zstandard.decompress((tmp_path / "blobs" / row["vonggac"]["blob"]).read_bytes())
    assert orjson.loads(whole)["message"] == "x" * (2 << 20)
    saved(store, {}, first=1)
    store.merge()
    assert store.catalogue.known()[1] == {row["vonggac"]["blob"]}


def test_out_of_memory_halves_the_batch_down_to_one_bad_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tight(con: duckdb.DuckDBPyConnection, rows: Rows, scratch: Path, target: Path, threads: int) -> int:
        if len(rows) > 2 or "poison" in "".join(rows.raws) or any("poison" in row["raw"] for row in rows.odd):
            raise duckdb.OutOfMemoryException
        return write(con, rows, scratch, target, threads)

    monkeypatch.setattr("connectors._filing.write", tight)
    store = store_of(tmp_path)
    for first, doc in (0, {}), (5, {"host": {"name": ["a list"]}}):  # the quick and the long way
        batch = batch_of(doc, doc, {**doc, "x": "poison"}, doc, doc, first=first)
        assert [str(bad) for bad in store.save([batch], upto(batch))] == [
            f"{PART}: offset {first + 2}: does not fit into 256MB"
        ]
    assert sorted(ids(ask(store, Query()))) == ["e0", "e1", "e3", "e4", "e5", "e6", "e8", "e9"]
    assert store.taken() == {PART: 10}


def test_a_save_becomes_several_files_when_it_is_large(tmp_path: Path) -> None:
    store = store_of(tmp_path, rows=2)
    saved(store, {}, {}, {}, {}, {})
    assert [piece.rows for piece in store.catalogue.live()] == [2, 2, 1]


def test_one_writes_and_others_read(tmp_path: Path) -> None:
    store, other = store_of(tmp_path), store_of(tmp_path)
    saved(store, {})
    assert ids(ask(other, Query())) == ["e0"]
    with pytest.raises(BlockingIOError):
        other.save([], {})
    store.close()
    saved(other, {}, first=1)


def test_files_that_the_catalogue_does_not_know_are_not_read_and_go(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    saved(store, {})
    stray = tmp_path / "events" / "stray.parquet"
    stray.write_bytes(b"rest of a killed save")
    assert ids(ask(store, Query())) == ["e0"]
    store.close()
    store_of(tmp_path).sweep()
    assert not stray.exists()


def test_a_full_disk_is_an_oserror_and_nothing_is_saved(tmp_path: Path) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    store = EmbeddedStore(tmp_path, world=World(sync=full))
    batch = batch_of({})
    with pytest.raises(OSError, match="no space"):
        store.save([batch], upto(batch))
    assert (store.taken(), ask(store, Query()).rows) == ({}, ())
    with pytest.raises(OSError, match="no space"):
        store.save([batch], upto(batch))
    assert files(tmp_path) <= 1, "what failed does not pile up"


def test_a_newer_catalogue_is_refused_by_name(tmp_path: Path) -> None:
    store_of(tmp_path)
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="catalogue format 99"):
        store_of(tmp_path)
