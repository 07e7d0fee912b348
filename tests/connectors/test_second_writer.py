"""Two writers save what one does; what the second leaves undone, by death, silence or lack of room, the store does."""

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._encode import Rows, write
from connectors._filing import Filer
from connectors._parquet import MAX_RAW
from connectors._portion import Run, divided
from connectors._second import Second
from connectors.embedded_store import STEPS, EmbeddedStore, Limits, World
from vonggac.logport import Batch
from vonggac.query import Query, Sort
from vonggac.storetesting import PART, ask, batch_of, ids, upto
from vonggac.testing import NOW

ROOT = Path(__file__).parents[2]
SHARED = Limits(shared=1)  # however little there is to save, it is work for two
START_S = 60.0
TWELVE: list[dict[str, object]] = [{"host": {"name": f"ws-{n}"}, "message": "x" * 50} for n in range(12)]


def until(done: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.01)
    return done()


def gone(pid: int) -> bool:
    """Say whether a process has ended, be it that nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextmanager
def two(root: Path, limits: Limits = SHARED, **hooks: Callable[..., None]) -> Iterator[tuple[EmbeddedStore, int]]:
    """Give a store of two writers, and the process of the second, which is ready."""
    store = EmbeddedStore(root, limits=limits, world=World(**hooks), writers=2)  # type: ignore[arg-type]  # a shorthand
    try:
        second = store.second_writer(START_S)
        assert second is not None
        yield store, second
    finally:
        store.close()


def whole(store: EmbeddedStore, root: Path) -> None:
    """Hold that the twelve are there once, and nothing that the catalogue does not know."""
    assert ids(ask(store, Query(sort=Sort.OLDEST))) == [f"e{n}" for n in range(12)]
    store.save([], {})
    assert {path.name for path in (root / "events").iterdir()} == {piece.name for piece in store.catalogue.live()}


def stored(root: Path, since: int) -> list[tuple[object, ...]]:
    """Give all rows that are numbered so, all columns of them."""
    files = [str(path) for path in (root / "events").glob("*.parquet")]
    with duckdb.connect() as con:
        con.execute("SELECT * FROM read_parquet($files) WHERE n >= $since ORDER BY n", {"files": files, "since": since})
        return con.fetchall()


def blobs(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "blobs").iterdir()}


EVENTS = st.fixed_dictionaries(
    {"event": st.fixed_dictionaries({"id": st.text("ab", min_size=1, max_size=8)})},
    optional={
        "@timestamp": st.sampled_from(["2026-03-01T07:59:59.5Z", "2026-03-01T15:00:00+07:00", "soon"]),
        "host": st.sampled_from([{"name": "WS-Đ"}, {"name": ["a", "list"]}, {"name": 7}]),
        "process": st.fixed_dictionaries({"pid": st.integers(-5, 2**53) | st.text(max_size=3)}),
        "vonggac": st.just({"unit": "so-yte"}),
        "message": st.text(max_size=20),
    },
).map(orjson.dumps)
LARGE = orjson.dumps({"event": {"id": "large"}, "message": "x" * MAX_RAW})
RECORDS = EVENTS | EVENTS | EVENTS | st.sampled_from([b"", b"[]", b"no event", b'{"event":{"id":"a"', LARGE])


def test_two_writers_save_the_same_as_one() -> None:
    with tempfile.TemporaryDirectory() as folder:
        alone, pair = Path(folder, "one"), Path(folder, "two")
        one, at = EmbeddedStore(alone), [0]
        with two(pair) as (both, second):

            @settings(max_examples=25)
            @given(st.lists(st.lists(RECORDS, max_size=12), min_size=1, max_size=4))
            def same(lists: list[list[bytes]]) -> None:
                batches, since = [], one.catalogue.numbered()
                for n, records in enumerate(lists):
                    appended = NOW + timedelta(seconds=n)
                    batches.append(Batch(PART, at[0], at[0] + len(records), appended, records))
                    at[0] += len(records)
                assert both.save(batches, {PART: at[0]}) == one.save(batches, {PART: at[0]})
                assert stored(pair, since) == stored(alone, since)
                assert both.taken() == one.taken()
                assert both.catalogue.numbered() == one.catalogue.numbered()

            batch = batch_of({})  # there is a file from the start
            at[0] = batch.next
            for store in one, both:
                assert store.save([batch], upto(batch)) == []
            same()
            assert both.second_writer(0) == second, "it never failed"
        assert blobs(pair) == blobs(alone)
        assert sorted(map(str, one.sources())) == sorted(map(str, both.sources()))
        one.close()


def test_each_writes_its_half(tmp_path: Path) -> None:
    with two(tmp_path) as (store, _):
        batch = batch_of(*TWELVE)
        assert store.save([batch], upto(batch)) == []
        assert sorted(piece.rows for piece in store.catalogue.live()) == [6, 6]
        whole(store, tmp_path)


def test_a_small_save_is_done_by_one(tmp_path: Path) -> None:
    with two(tmp_path, Limits()) as (store, _):
        batch = batch_of(*TWELVE)
        store.save([batch], upto(batch))
        assert [piece.rows for piece in store.catalogue.live()] == [12]


def test_the_store_does_not_wait_for_a_second_writer_that_is_not_there_yet(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, limits=SHARED, writers=2)
    batch = batch_of(*TWELVE)
    assert store.save([batch], upto(batch)) == []
    whole(store, tmp_path)
    store.close()


def test_a_second_writer_that_is_killed_in_mid_save_leaves_its_half_to_the_store(tmp_path: Path) -> None:
    def step(name: str) -> None:
        if name == "written" and not killed:
            killed.append(True)
            os.kill(second, signal.SIGKILL)

    killed: list[bool] = []
    with two(tmp_path, step=step) as (store, second):
        os.kill(second, signal.SIGSTOP)  # so that it cannot be done before
        batch = batch_of(*TWELVE)
        assert store.save([batch], upto(batch)) == []
        assert killed
        assert store.taken() == upto(batch)
        whole(store, tmp_path)
        assert store.second_writer(0) is None, "it is left alone for a minute"


def test_a_second_writer_that_hangs_is_ended_and_the_store_does_its_half(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with two(tmp_path) as (store, second):
        store._second._patience_s = 0.05
        os.kill(second, signal.SIGSTOP)
        batch = batch_of(*TWELVE)
        assert store.save([batch], upto(batch)) == []
        assert gone(second)
        whole(store, tmp_path)
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        "the store's second writer: no answer in 0.05 s"
    ]


def test_a_second_writer_without_memory_leaves_its_half_to_the_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with two(tmp_path, replace(SHARED, second="1MB")) as (store, second):
        batch = batch_of(*TWELVE)
        assert store.save([batch], upto(batch)) == []
        assert [piece.rows for piece in store.catalogue.live()] == [6, 6]
        whole(store, tmp_path)
        assert not gone(second), "an error is an answer"
        assert len(caplog.records) == 1


def test_a_second_writer_whose_files_find_no_room_leaves_its_half_to_the_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with two(tmp_path) as (store, second):
        resource.prlimit(second, resource.RLIMIT_FSIZE, (100, 100))
        batch = batch_of(*TWELVE)
        assert store.save([batch], upto(batch)) == []
        whole(store, tmp_path)
        assert len(caplog.records) == 1


def test_a_full_disk_is_an_oserror_nothing_is_saved_and_later_all_is(tmp_path: Path) -> None:
    def sync(handle: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, "no space")
        os.fsync(handle)

    full = [True]
    with two(tmp_path, sync=sync) as (store, second):
        batch = batch_of(*TWELVE)
        with pytest.raises(OSError, match="no space"):
            store.save([batch], upto(batch))
        assert gone(second), "nobody writes what is swept"
        assert (store.taken(), store.catalogue.live()) == ({}, [])
        full.clear()
        store.save([batch], upto(batch))
        whole(store, tmp_path)


def test_a_record_that_fits_into_no_memory_is_bad_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tight(con: duckdb.DuckDBPyConnection, rows: Rows, scratch: Path, target: Path, threads: int) -> int:
        if "poison" in "".join(rows.raws):
            raise duckdb.OutOfMemoryException
        return write(con, rows, scratch, target, threads)

    with two(tmp_path) as (store, _):
        monkeypatch.setattr("connectors._filing.write", tight)  # the store's own half
        batch = batch_of(*TWELVE[:11], {"message": "poison"})
        assert [str(bad) for bad in store.save([batch], upto(batch))] == [f"{PART}: offset 11: does not fit into 256MB"]
        assert ids(ask(store, Query(sort=Sort.OLDEST))) == [f"e{n}" for n in range(11)]


VICTIM = """
import os, signal, sys
from pathlib import Path
from connectors.embedded_store import EmbeddedStore, Limits, World
from vonggac.storetesting import batch_of, upto

root, deadly = sys.argv[1:]
def step(name):
    if name == deadly:
        os.kill(os.getpid(), signal.SIGKILL)

store = EmbeddedStore(Path(root), limits=Limits(shared=1), world=World(step=step), writers=2)
print(store.second_writer(60), flush=True)
batch = batch_of(*({"message": "x" * 50} for _ in range(6)), first=6)
store.save([batch], upto(batch))
"""


@pytest.mark.parametrize("step", STEPS)
def test_when_the_store_is_killed_events_and_position_are_both_there_or_neither(step: str, tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    batch = batch_of(*TWELVE[:6])
    store.save([batch], upto(batch))
    store.close()
    ran = subprocess.run(
        [sys.executable, "-c", VICTIM, str(tmp_path), step], cwd=ROOT, check=False, timeout=120, capture_output=True
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    there = step == "committed"
    assert store.taken() == {PART: 12 if there else 6}
    assert len(ids(ask(store, Query()))) == (12 if there else 6)
    assert until(lambda: gone(int(ran.stdout))), "the second writer ends with its parent"
    again = batch_of(*TWELVE[6:], first=6)
    store.save([again], upto(again))
    whole(store, tmp_path)
    store.close()


def test_it_ends_when_there_is_no_work_and_comes_back(tmp_path: Path) -> None:
    second = Second(tmp_path, tmp_path, "64MB", idle_s=0.05)
    try:
        for _ in range(2):
            assert second.ready(START_S)
            pid = second.pid
            assert pid is not None
            assert until(lambda pid=pid: gone(pid))  # type: ignore[misc]  # of this turn
    finally:
        second.close()


def test_one_that_cannot_start_is_said_once_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    second = Second(tmp_path, tmp_path, "64MB")
    assert not second.ready(START_S)
    assert (second.pid, second.ready(START_S), second.pid) == (None, False, None)
    assert len(caplog.records) == 1
    second.close()


def test_it_holds_no_secret_and_no_lock_of_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VONGGAC_ALERT_PASSWORD", "hunter2")
    with two(tmp_path) as (store, second):
        assert b"hunter2" not in Path(f"/proc/{second}/environ").read_bytes()
        store.save([], {})
        assert not [link for link in Path(f"/proc/{second}/fd").iterdir() if link.readlink().name == "lock"]


def test_what_it_files_has_no_name_yet(tmp_path: Path) -> None:
    filed = Filer(tmp_path, tmp_path, "64MB", 1).file([Run("", 0, 7, NOW, [b'{"event":{"id":"a"}}', b"none"])])
    assert [path.name for path in tmp_path.iterdir()] == [f"{piece.name}.tmp" for piece in filed.pieces]
    assert [number for number, _ in filed.bads] == [8]


@given(st.lists(st.lists(st.binary(max_size=5), min_size=1, max_size=5), min_size=1, max_size=4), st.integers(0, 60))
def test_a_division_keeps_order_numbers_and_offsets(lists: list[list[bytes]], size: int) -> None:
    runs, number = [], 100
    for records in lists:
        runs.append(Run("p", number - 100, number, NOW, records))
        number += len(records)
    first, rest = divided(runs, size)
    told = [(run.first + n, run.number + n, record) for run in (*first, *rest) for n, record in enumerate(run.records)]
    assert told == [(n, 100 + n, record) for n, record in enumerate(record for part in lists for record in part)]
    assert all(run.records for run in (*first, *rest))
    assert sum(len(record) for run in first for record in run.records) <= size + 5, "more or less a record"
