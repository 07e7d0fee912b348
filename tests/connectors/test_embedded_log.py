"""The embedded log: the contract of the port, then what is its own: bytes on disk, damage, clocks, full disks."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from connectors._benchlog import bench_log
from connectors.embedded_log import MAX_RECORD, STEPS, EmbeddedLog, EmbeddedTask, Floors, Keep, World
from vonggac.logport import Batch, Fenced, Full, Gap, Out, SyncFailed, TooBig
from vonggac.logtesting import LOG_CONTRACT, Killed, LogBench

SHARE = 1 << 20
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class TrackedLog(EmbeddedLog):
    """A log that remembers its tasks, so that a test may leave them as a kill does."""

    tasks: list[EmbeddedTask]

    def join(self, group: str, topics: Sequence[str], worker: int, workers: int, *, rules: str = "") -> EmbeddedTask:
        self.tasks.append(super().join(group, topics, worker, workers, rules=rules))
        return self.tasks[-1]


class Bench:
    """A log in a folder of a machine that tests can hurt."""

    steps: Sequence[str] = STEPS
    big = MAX_RECORD

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = NOW
        self.free = 100 << 30
        self.dies_at = ""
        self.sync_fails = False
        self.keep = Keep(segment_bytes=4096)
        self.tasks: list[EmbeddedTask] = []
        self.world = World(
            clock=lambda: self.now,
            sync=self._sync,
            disk=lambda _: (200 << 30, self.free),
            sleep=lambda _: None,
            step=self._step,
        )

    def open(self) -> EmbeddedLog:
        log = TrackedLog(self.root, required={"events": ("store",)}, keep=self.keep, floors=Floors(), world=self.world)
        log.tasks = self.tasks
        return log

    @contextmanager
    def dying(self, step: str) -> Iterator[None]:
        self.dies_at = step
        yield
        self.dies_at = ""

    @contextmanager
    def full(self) -> Iterator[None]:
        self.free = 1 << 30
        yield
        self.free = 100 << 30

    def expire(self) -> None:
        self.keep = Keep(max_bytes=0, segment_bytes=4096)
        self.open().sweep()
        self.keep = Keep(segment_bytes=4096)

    def started(self, group: str, *topics: str, worker: int = 0, workers: int = 1) -> EmbeddedTask:
        task = self.open().join(group, topics, worker, workers)
        task.start()
        return task

    def segments(self, journal: str = "collect-0") -> list[Path]:
        return sorted((self.root / journal).glob("*.zst"))

    def _sync(self, file: int) -> None:
        if self.sync_fails:
            raise OSError(5, "Input/output error")

    def _step(self, name: str) -> None:
        if name == self.dies_at:
            raise Killed(name)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "log")
    yield bench
    for task in bench.tasks:
        task.close()


@pytest.mark.parametrize("case", LOG_CONTRACT, ids=lambda case: case.__name__)
def test_contract(case: Callable[[LogBench], None], bench: Bench) -> None:
    case(bench)


def numbered(first: int, count: int = 1, key: bytes | None = b"k") -> list[Out]:
    return [Out("events", b'{"n":%d}' % n, key) for n in range(first, first + count)]


def numbers(batches: Sequence[Batch]) -> list[int]:
    return [int(record[5:-1]) for batch in batches for record in batch.records]


def drain(task: EmbeddedTask) -> list[Batch]:
    found: list[Batch] = []
    while batches := task.poll(0, SHARE):
        found += batches
    return found


# ------------------------------------------------------------------ bytes on disk


def test_zstd_prints_a_segment_as_lines(bench: Bench) -> None:
    source = bench.started("collect")
    source.commit(numbered(0, 3), {}, {"file": b"3"})
    source.commit([Out("dead", b'{"why":"not JSON"}'), *numbered(3)], {}, {})
    wanted = b'{"n":0}\n{"n":1}\n{"n":2}\n{"why":"not JSON"}\n{"n":3}\n'
    (segment,) = bench.segments()
    with segment.open("rb") as file:
        assert zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read() == wanted
    if zstd := shutil.which("zstd"):
        assert subprocess.run([zstd, "-dc", segment], capture_output=True, check=True).stdout == wanted


def test_a_segment_repeats_everything_so_the_older_ones_may_go(bench: Bench) -> None:
    source, worker = bench.started("collect"), bench.started("store", "events")
    source.commit([], {}, {"once": b"said"})
    for n in range(300):
        source.commit(numbered(n), {}, {"file": b"%d" % n})
        worker.commit([], {batch.part: batch.next for batch in drain(worker)}, {})
    for journal in ("collect-0", "store-0"):
        assert len(bench.segments(journal)) > 3
        for segment in bench.segments(journal)[:-1]:
            segment.unlink()
    assert bench.started("collect").marks() == {"once": b"said", "file": b"299"}
    worker = bench.started("store", "events")
    assert drain(worker) == []
    bench.started("collect").commit(numbered(300), {}, {})
    assert numbers(drain(worker)) == [300]


def test_marks_are_any_bytes_and_an_empty_one_forgets(bench: Bench) -> None:
    source = bench.started("collect")
    source.commit([], {}, {"a": bytes(range(256)), "tên": b"1"})
    source.commit([], {}, {"tên": b""})
    for n in range(300):
        source.commit(numbered(n), {}, {})
    assert bench.started("collect").marks() == {"a": bytes(range(256))}
    with pytest.raises(ValueError, match="marks of"):
        source.commit([], {}, {"big": b"x" * (1 << 20)})


def test_a_mark_forgotten_by_one_worker_does_not_come_back_from_another(bench: Bench) -> None:
    bench.started("collect", worker=1, workers=2).commit([], {}, {"file": b"1"})
    alone = bench.started("collect")
    assert alone.marks() == {"file": b"1"}
    alone.commit([], {}, {"file": b""})
    assert bench.started("collect").marks() == {}


def test_names_are_plain(bench: Bench) -> None:
    log = bench.open()
    for name in ("", "../x", "Events", "a/b", "x" * 40):
        with pytest.raises(ValueError, match="a name is"):
            log.join(name, (), 0, 1)
        with pytest.raises(ValueError, match="a name is"):
            bench.started("collect").commit([Out(name, b"{}")], {}, {})
    with pytest.raises(ValueError, match="worker 2 of 2"):
        log.join("detect", ("events",), 2, 2)
    with pytest.raises(ValueError, match="before start"):
        log.join("detect", ("events",), 0, 1).commit([], {}, {})


def test_a_newer_format_is_refused_by_name(bench: Bench) -> None:
    bench.started("collect")
    file = bench.root / "collect-0" / "journal.json"
    file.write_bytes(file.read_bytes().replace(b'"format":1', b'"format":2'))
    with pytest.raises(ValueError, match="format 2 of the event log; this program reads up to 1"):
        bench.started("collect")


def test_a_journal_made_anew_is_told(bench: Bench) -> None:
    bench.started("collect").commit(numbered(0), {}, {})
    worker = bench.started("detect", "events")
    worker.commit([], {batch.part: batch.next for batch in drain(worker)}, {})
    shutil.rmtree(bench.root / "collect-0")
    bench.started("collect").commit(numbered(1), {}, {})
    worker = bench.started("detect", "events")
    with pytest.raises(Gap, match="its journal is not there any more") as told:
        worker.poll(0, SHARE)
    assert told.value.lost is None
    assert numbers(drain(worker)) == [1]


def test_a_reader_waits_for_the_head(bench: Bench) -> None:
    """Bytes that are written but not published are not read."""
    source = bench.started("collect")
    source.commit(numbered(0), {}, {})
    reader = bench.started("look", "events")
    with bench.dying("synced"), pytest.raises(Killed):
        source.commit(numbered(1), {}, {})
    assert numbers(drain(reader)) == [0]
    bench.started("collect")  # publishes what it finds whole
    assert numbers(drain(reader)) == [1]


# ------------------------------------------------------------------ clocks, disks, owners


def test_a_clock_set_back_does_not_make_time_fall(bench: Bench) -> None:
    source = bench.started("collect")
    for minutes in (0, 5, -600, 6):
        bench.now = NOW + timedelta(minutes=minutes)
        source.commit(numbered(minutes), {}, {})
    bench.now = NOW - timedelta(days=9)
    bench.started("collect").commit(numbered(7), {}, {})
    times = [(batch.appended - NOW) // timedelta(minutes=1) for batch in drain(bench.started("look", "events"))]
    assert times == [0, 5, 5, 6, 6]


def test_age_is_measured_against_the_newest_append_time(bench: Bench) -> None:
    """A clock that runs ahead deletes nothing by itself; new frames do, and only what is passed."""
    bench.keep = Keep(max_age_s=3600, segment_bytes=1, segment_s=1e9)
    source, store = bench.started("collect"), bench.started("store", "events")
    for n in range(4):
        source.commit(numbered(n), {}, {})
    store.commit([], {batch.part: batch.next for batch in drain(store)}, {})
    bench.now += timedelta(days=400)
    assert bench.open().sweep() == []
    source.commit(numbered(4), {}, {})
    source.commit(numbered(5), {}, {})
    assert numbers(drain(bench.started("look", "events"))) == [3, 4, 5], "the end of 3 is only known from 4's time"


def test_a_failed_sync_ends_the_task(bench: Bench) -> None:
    source = bench.started("collect")
    source.commit(numbered(0), {}, {"file": b"0"})
    bench.sync_fails = True
    with pytest.raises(SyncFailed, match="end the process"):
        source.commit(numbered(1), {}, {"file": b"1"})
    bench.sync_fails = False
    with pytest.raises(SyncFailed, match="an earlier write has failed"):
        source.commit(numbered(2), {}, {})
    assert numbers(drain(bench.started("look", "events"))) == [0], "not before it is durable"
    source = bench.started("collect")
    last = int(source.marks()["file"])
    assert numbers(drain(bench.started("look", "events"))) == list(range(last + 1))


@pytest.mark.parametrize("begins_a_segment", [False, True])
def test_a_disk_that_fills_in_the_middle_of_a_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, begins_a_segment: bool
) -> None:
    bench.keep = Keep(segment_bytes=1 if begins_a_segment else 1 << 20)
    source = bench.started("collect")
    source.commit(numbered(0), {}, {})
    before = {path: path.read_bytes() for path in bench.segments()}

    def half(file: int, data: bytes, at: int) -> None:
        os.pwrite(file, data[: len(data) // 2], at)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("connectors._writer._write_all", half)
        with pytest.raises(Full, match="No space left"):
            source.commit(numbered(1), {}, {})
    assert {path: path.read_bytes() for path in bench.segments()} == before
    source.commit(numbered(1), {}, {})
    assert numbers(drain(bench.started("look", "events"))) == [0, 1]


def test_only_collectors_wait_at_the_floor(bench: Bench) -> None:
    """The others free the disk; at the reserve they too stop writing, but may say what is needed no longer."""
    bench.started("collect").commit(numbered(0), {}, {})
    worker = bench.started("detect", "events")
    batches = drain(worker)
    upto = {batch.part: batch.next for batch in batches}
    with bench.full():
        worker.commit([Out("alerts", b"{}")], {}, {})
        bench.free = 200 << 20
        with pytest.raises(Full):
            worker.commit([Out("alerts", b"{}")], {}, {})
        worker.commit([], upto, {})
    assert drain(bench.started("detect", "events")) == []


def test_room_counts_to_the_higher_floor(bench: Bench) -> None:
    bench.free = 50 << 30
    assert bench.open().room() == (50 << 30) - (10 << 30), "5 % of 200 GiB"
    assert EmbeddedLog(bench.root, world=World(disk=lambda _: (8 << 30, 3 << 30))).room() == 1 << 30, "2 GiB"


def test_an_owner_that_stands_still_is_fenced_not_waited_for(bench: Bench) -> None:
    first = bench.started("detect", "events")
    bench.started("detect", "events").close()
    with pytest.raises(Fenced):
        first.commit([], {}, {})
    first.close()
    first.close()


def test_a_lock_that_is_kept_is_named(bench: Bench) -> None:
    bench.started("collect").close()
    with (bench.root / "collect-0" / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="another process has held the lock"):
            bench.started("collect")


def test_poll_waits_no_longer_than_it_was_told(bench: Bench) -> None:
    waited: list[float] = []
    world = World(disk=bench.world.disk, sleep=waited.append)
    task = EmbeddedLog(bench.root, world=world).join("look", ("events",), 0, 1)
    bench.tasks.append(task)
    task.start()
    assert task.poll(0.3, SHARE) == []
    assert sum(waited) == pytest.approx(0.3)


def test_the_bench_writes_and_reads_all_of_it(tmp_path: Path) -> None:
    records = [b'{"n":%d,"text":"%s"}' % (n, b"x" * (n % 97)) for n in range(500)]
    speed = bench_log(tmp_path / "log", records, events=3000, batch=1000)
    assert speed.events == 3000
    assert speed.stored_an_event < speed.bytes_an_event
    assert min(speed.written_a_second, speed.read_a_second, speed.commit_p99_ms) > 0
    with pytest.raises(ValueError, match="no records"):
        bench_log(tmp_path / "other", [], events=1)


def test_a_commit_that_is_too_large_together_says_where_to_split(bench: Bench) -> None:
    source = bench.started("collect")
    outs = [Out("events", b"x" * (9 << 20))] * 9
    with pytest.raises(TooBig) as told:
        source.commit(outs, {}, {})
    assert (told.value.index, told.value.alone) == (7, False)
    source.commit(outs[:7], {}, {})
    with pytest.raises(ValueError, match="record 1: a record is one line"):
        source.commit([*numbered(1), Out("events", b"{}\n")], {}, {})
    assert [len(batch.records) for batch in drain(bench.started("look", "events"))] == [7]


def test_records_without_a_key_stay_together_among_keyed_ones(bench: Bench) -> None:
    source = bench.started("collect")
    outs = [numbered(n, key=None if n % 2 else b"%d" % n)[0] for n in range(8)]
    source.commit([*outs, Out("alerts", b'{"n":8}'), *numbered(9, key=None)], {}, {})
    batches = drain(bench.started("look", "events", "alerts"))
    assert sorted(numbers(batches)) == list(range(10))
    unkeyed = next(batch for batch in batches if 1 in numbers([batch]))
    assert [n for n in numbers([unkeyed]) if n % 2] == [1, 3, 5, 7, 9]


def test_the_newest_append_is_the_writers(bench: Bench) -> None:
    assert bench.open().newest_append() is None
    bench.started("collect").commit([Out("events", b'{"n":1}')], {}, {})
    assert bench.open().newest_append() == NOW


def test_a_look_over_begins_with_the_newest_segment_and_ends_in_time(bench: Bench) -> None:
    source = bench.started("collect")
    for number in range(8):
        source.commit([Out("events", b'{"n":"%s"}' % os.urandom(1000).hex().encode())], {}, {})
        os.utime(bench.segments()[-1], (number, number))
    oldest, *_, newest = bench.segments()
    for path in (oldest, newest):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1  # in the last record: headers alone do not show it
        path.write_bytes(data)
        os.utime(path, (99, 99) if path == newest else (0, 0))
    assert bench.open().look_over(60).damage == []
    hurried = bench.open().look_over(0, deep=True)
    whole = bench.open().look_over(60, deep=True)
    assert (hurried.looked_at, [damage.file for damage in hurried.damage]) == (1, [f"collect-0/{newest.name}"])
    assert whole.looked_at == whole.segments == len(bench.segments())
    assert [damage.file for damage in whole.damage] == [f"collect-0/{path.name}" for path in (newest, oldest)]
