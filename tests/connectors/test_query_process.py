"""Whatever happens to the query process, who asks gets one clear error in time, and the next question works."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.embedded_query import QueryProcess
from connectors.embedded_store import EmbeddedStore, Limits
from vonggac.query import Op, Query, Sort, Test
from vonggac.storeport import Failed, Stopped, TooMuch, TooSlow
from vonggac.storetesting import batch_of, ids, upto

UNITS = frozenset({""})
GO_ON = threading.Event()  # never set
#: 10^12 rows: no end in sight
ENDLESS = "SELECT count(*) FROM " + ", ".join(f"(SELECT unnest([1,2,3,4,5,6,7,8,9,0]) AS a) AS v{n}" for n in range(12))  # noqa: S608
ENDLESS += " WHERE v0.a + v7.a < v11.a + v3.a"
PATIENCE_S = 60.0


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    store = EmbeddedStore(tmp_path)
    saved(store, 0, 3)
    return store


@pytest.fixture
def process(tmp_path: Path, store: EmbeddedStore) -> Iterator[QueryProcess]:
    assert store.taken()
    with QueryProcess(tmp_path, memory_mb=128) as process:
        yield process


def saved(store: EmbeddedStore, first: int, number: int) -> None:
    batch = batch_of(*({"host": {"name": f"ws-{n}"}} for n in range(number)), first=first)
    assert store.save([batch], upto(batch)) == []


def count(process: QueryProcess) -> int:
    found = process.search(Query(size=0, count=True), UNITS, PATIENCE_S, GO_ON).count
    assert found is not None
    return found


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def working(pid: int) -> bool:
    """Say whether a process has begun to spend processor time on a question."""
    used = sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return used > 100  # clock ticks: more than it takes to start


def during(process: QueryProcess, hurt: Callable[[int], None]) -> BaseException | None:
    """Hurt the process while it answers a question without an end; give what the asker got."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(process.sql, ENDLESS, UNITS, PATIENCE_S, GO_ON)
        until(lambda: process.pids)
        (pid,) = process.pids
        until(lambda: working(pid))
        hurt(pid)
        return asked.exception(PATIENCE_S)


def kill(number: signal.Signals) -> Callable[[int], None]:
    return lambda pid: os.kill(pid, number)


def test_its_death_is_one_clear_error(process: QueryProcess) -> None:
    for number, error in ((signal.SIGKILL, TooMuch), (signal.SIGABRT, TooMuch), (signal.SIGSEGV, Failed)):
        got = during(process, kill(number))
        assert isinstance(got, error), got
        assert count(process) == 3


def test_who_asks_may_go(process: QueryProcess) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(process.sql, ENDLESS, UNITS, PATIENCE_S, stop)
        until(lambda: process.pids)
        (pid,) = process.pids
        until(lambda: working(pid))
        stop.set()
        assert isinstance(asked.exception(PATIENCE_S), Stopped)
    assert count(process) == 3
    assert process.pids == (pid,), "it obeyed: the same process goes on"


def test_a_limit_ends_it(process: QueryProcess) -> None:
    with pytest.raises(TooSlow, match=r"no answer within 0\.5 s"):
        process.sql(ENDLESS, UNITS, 0.5, GO_ON)
    assert count(process) == 3


def test_one_that_does_not_obey_is_ended(process: QueryProcess) -> None:
    assert count(process) == 3
    (pid,) = process.pids
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(TooSlow):
        process.sql(ENDLESS, UNITS, 0.2, GO_ON)
    assert pid not in process.pids
    assert count(process) == 3
    os.kill(process.pids[0], signal.SIGSTOP)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        process.sql(ENDLESS, UNITS, PATIENCE_S, stop)
    assert count(process) == 3


def test_it_ends_when_nobody_asks(tmp_path: Path, store: EmbeddedStore) -> None:
    assert store.taken()
    with QueryProcess(tmp_path, idle_s=0.1) as process:
        for _ in range(2):
            assert count(process) == 3
            until(lambda: "Z" in Path(f"/proc/{process.pids[0]}/stat").read_text().rpartition(")")[2][:3])


def test_it_ends_with_its_parent(tmp_path: Path, store: EmbeddedStore) -> None:
    """Also in the midst of an answer, and when the parent had no time to say so."""
    assert store.taken()
    script = f"""
import sys, threading
from pathlib import Path
from connectors.embedded_query import QueryProcess
process = QueryProcess(Path(sys.argv[1]))
asked = threading.Thread(target=process.sql, args=({ENDLESS!r}, frozenset({{""}}), 600.0, threading.Event()))
asked.start()
while not process.pids:
    pass
print(*process.pids, flush=True)
asked.join()
"""
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        until(lambda: working(pid))
        parent.kill()
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_many_may_ask_at_once(process: QueryProcess) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: count(process), range(24))) == [3] * 24
    assert len(process.pids) <= 2
    process.close()
    assert process.pids == ()


def test_it_answers_while_the_store_saves_and_merges(tmp_path: Path) -> None:
    """Each answer sees whole saves: never fewer than the one before, always a multiple of what one save brings."""
    store = EmbeddedStore(tmp_path, limits=Limits(small=1_000))
    saved(store, 0, 10)
    done = threading.Event()

    def write() -> None:
        for turn in range(1, 25):
            saved(store, 10 * turn, 10)
            if turn % 4 == 0:
                store.merge()
        done.set()

    with QueryProcess(tmp_path) as process, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = [0]
        while not done.is_set():
            page = process.search(Query(Test("host.name", Op.PREFIX, "WS"), count=True), UNITS, PATIENCE_S, GO_ON)
            assert page.missing == ()
            assert page.count is not None
            assert page.count % 10 == 0
            assert page.count >= seen[-1]
            seen.append(page.count)
            if writing.done():
                break
        writing.result()
        assert count(process) == 250
    store.close()


def test_damaged_and_missing_files_are_named_and_the_rest_answers(tmp_path: Path, store: EmbeddedStore) -> None:
    for first in (3, 6, 9):
        saved(store, first, 3)
    gone, cut, changed = (tmp_path / "events" / piece.name for piece in store.catalogue.live()[1:])
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-50])
    data = changed.read_bytes()
    changed.write_bytes(data[:-40] + bytes(one ^ 0x55 for one in data[-40:-12]) + data[-12:])
    with QueryProcess(tmp_path) as process:
        page = process.search(Query(sort=Sort.OLDEST, count=True), UNITS, PATIENCE_S, GO_ON)
        assert (ids(page), page.count) == (["e0", "e1", "e2"], 3)
        assert [line.partition(":")[0] for line in page.missing] == [
            f"events/{one.name}" for one in (gone, cut, changed)
        ]
        span = "3 events of 2026-03-01T08:00:00Z to 2026-03-01T08:00:00Z cannot be read"
        assert all(span in line and "\n" not in line for line in page.missing)
        assert process.damaged() == page.missing
        found = process.sql("SELECT count(*) FROM events", UNITS, PATIENCE_S, GO_ON)
        assert (found.rows, found.missing) == (([3],), page.missing)
        assert sum(source.rows for source in process.sources()) == 3


def test_a_damaged_file_that_cannot_be_marked_is_named_all_the_same(
    tmp_path: Path, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors import _catalogue

    def full(*_: object) -> None:
        raise _catalogue.CatalogueError

    saved(store, 3, 3)
    (tmp_path / "events" / store.catalogue.live()[1].name).unlink()
    monkeypatch.setattr(_catalogue.Catalogue, "mark_damaged", full)
    with QueryProcess(tmp_path) as process:
        for _ in range(2):
            page = process.search(Query(count=True), UNITS, PATIENCE_S, GO_ON)
            assert (page.count, len(page.missing)) == (3, 1)


def test_a_damaged_file_that_kills_the_process_is_found(process: QueryProcess, store: EmbeddedStore) -> None:
    """A crash with a damaged file among those asked: the file is marked, and the question asked again without it."""
    saved(store, 3, 3)
    name = store.catalogue.live()[1].name

    def hurt(pid: int) -> None:
        path = store.catalogue._path.parent / "events" / name
        data = bytearray(path.read_bytes())
        data[100] ^= 0xFF
        path.write_bytes(data)
        os.kill(pid, signal.SIGSEGV)

    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(process.sql, ENDLESS, UNITS, PATIENCE_S, stop)
        until(lambda: process.pids)
        (pid,) = process.pids
        until(lambda: working(pid))
        hurt(pid)
        until(lambda: store.catalogue.damaged())
        stop.set()
        assert isinstance(asked.exception(PATIENCE_S), Stopped)
    assert "SHA-256 differs" in process.damaged()[0]
    assert count(process) == 3


def test_without_a_store_it_says_so_and_makes_none(tmp_path: Path) -> None:
    with QueryProcess(tmp_path / "store") as process, pytest.raises(Failed, match="no event store at"):
        process.search(Query(), UNITS, PATIENCE_S, GO_ON)
    assert list(tmp_path.iterdir()) == []


def test_it_gives_way_can_write_no_file_and_knows_no_secret(
    process: QueryProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VONGGAC_INTAKE__TOKEN", "only-for-the-intake")
    assert count(process) == 3
    folder = Path(f"/proc/{process.pids[0]}")
    assert b"only-for-the-intake" not in (folder / "environ").read_bytes()
    limits = {line[:25].strip(): line[25:].split()[0] for line in (folder / "limits").read_text().splitlines()[1:]}
    assert limits["Max file size"] == limits["Max core file size"] == "0"
    assert int(limits["Max address space"]) < 4 << 30
    assert int((folder / "oom_score_adj").read_text()) == 1000
    assert os.getpriority(os.PRIO_PROCESS, process.pids[0]) > os.getpriority(os.PRIO_PROCESS, 0)


#: a million rows: more than the pipe and both sides hold
MANY = "WITH v AS (SELECT unnest([0,1,2,3,4,5,6,7,8,9]) AS a) SELECT 'a text of a row' || v5.a AS t FROM "
MANY += ", ".join(f"v v{n}" for n in range(6))


def test_every_row_in_portions(process: QueryProcess) -> None:
    stream = process.rows_of("SELECT id, ts FROM events ORDER BY id", UNITS, PATIENCE_S, GO_ON)
    assert (stream.columns, stream.times) == (("id", "ts"), (1,))
    assert [row[0] for row in stream.rows] == ["e0", "e1", "e2"]
    assert (stream.more, stream.missing) == (False, ())
    stream = process.rows_of("SELECT id FROM events WHERE id = 'none'", UNITS, PATIENCE_S, GO_ON)
    assert (stream.columns, list(stream.rows)) == (("id",), [])
    for wanted in (1, 99, 100, 101, 12_345):
        stream = process.rows_of(MANY, UNITS, PATIENCE_S, GO_ON, wanted)
        assert (sum(1 for _ in stream.rows), stream.more) == (wanted, True)
    (pid,) = process.pids
    stream = process.rows_of(MANY, UNITS, PATIENCE_S, GO_ON)
    assert sum(1 for _ in stream.rows) == 10**6
    assert process.pids == (pid,)
    with pytest.raises(ValueError, match="nothing"):
        process.rows_of("SELECT nothing FROM events", UNITS, PATIENCE_S, GO_ON)
    assert count(process) == 3


def test_who_takes_his_time_is_waited_for_and_who_goes_is_not(process: QueryProcess) -> None:
    assert count(process) == 3
    stream = process.rows_of(MANY, UNITS, 2.0, GO_ON)
    next(stream.rows)
    time.sleep(3)  # longer than the limit, while the pipe is full
    for _ in range(200_000):
        next(stream.rows)
    stream.close()
    stream.close()
    assert count(process) == 3
    stop = threading.Event()
    stream = process.rows_of(MANY, UNITS, PATIENCE_S, stop)
    next(stream.rows)
    stop.set()
    with pytest.raises(Stopped):
        for _ in stream.rows:
            pass
    assert count(process) == 3


def test_a_death_between_two_rows_is_told(process: QueryProcess) -> None:
    for number, error in ((signal.SIGKILL, TooMuch), (signal.SIGSEGV, Failed)):
        stream = process.rows_of(MANY, UNITS, PATIENCE_S, GO_ON)
        next(stream.rows)
        os.kill(process.pids[0], number)
        with pytest.raises(error):
            for _ in stream.rows:
                pass
        assert count(process) == 3


def test_no_rows_within_the_limit_end_the_answer(process: QueryProcess) -> None:
    with pytest.raises(TooSlow, match=r"no answer within 0\.5 s"):
        process.rows_of(ENDLESS, UNITS, 0.5, GO_ON)
    assert count(process) == 3
    stream = process.rows_of(MANY, UNITS, 2.0, GO_ON)
    next(stream.rows)
    os.kill(process.pids[0], signal.SIGSTOP)
    with pytest.raises(TooSlow):
        for _ in stream.rows:
            pass
    assert count(process) == 3


def test_so_many_rows_and_no_more(process: QueryProcess) -> None:
    with pytest.raises(ValueError, match="1 to"):
        process.sql("SELECT 1", UNITS, PATIENCE_S, GO_ON, 0)
    found = process.sql("SELECT e.id FROM events e, events f, events g", UNITS, PATIENCE_S, GO_ON, 5)
    assert (len(found.rows), found.more) == (5, True)
    found = process.sql("SELECT e.id FROM events e", UNITS, PATIENCE_S, GO_ON, 3)
    assert (len(found.rows), found.more) == (3, False)
