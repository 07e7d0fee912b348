"""The contract tests of the event log's port: every adapter passes each of LOG_CONTRACT on a fresh log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Final, Protocol

import pytest

from vonggac.logport import Batch, EventLog, Fenced, Full, Gap, Out, Part, Positions, Task, TooBig

#: The group that the log under test must be told to wait for on topic `events`; every other group may miss records.
NEEDED: Final = "store"
SHARE: Final = 1 << 20  # bytes a poll


class Killed(BaseException):
    """Stands for SIGKILL inside one process: the task is left as it is, nothing of it runs any more."""


class LogBench(Protocol):
    """What an adapter's test gives to the contract: a log, and the hands to hurt it."""

    steps: Sequence[str]  # of a commit, in order
    big: int  # bytes of a record that no commit takes

    def open(self) -> EventLog:
        """Give a new handle on the same log, as another process has it."""
        ...

    def dying(self, step: str) -> AbstractContextManager[None]:
        """Within it, each commit raises Killed when it reaches the step."""
        ...

    def full(self) -> AbstractContextManager[None]:
        """Within it, the disk is at its floor."""
        ...

    def expire(self) -> None:
        """Delete all that retention may delete, as if years had passed. Needs a few hundred records to bite."""
        ...


def kill_inside_commit_is_all_or_nothing(bench: LogBench) -> None:
    """Whatever the step, records, position and mark are there together or not at all; the next owner goes on."""
    for step in bench.steps:
        source = _started(bench, "collect")
        source.commit([Out("events", b'"before"')], {}, {"file": step.encode()})
        worker = _started(bench, "detect", "events")
        batches = _drain(worker)
        before = _records(_drain(_started(bench, f"look-{step}", "alerts")))
        with bench.dying(step), pytest.raises(Killed):
            worker.commit([Out("alerts", f'"{step}{n}"'.encode()) for n in range(3)], _upto(batches), {"step": b"done"})
        worker = _started(bench, "detect", "events")
        again = _drain(worker)
        after = _records(_drain(_started(bench, f"look2-{step}", "alerts")))
        fresh = sorted(set(after) - set(before))
        assert len(after) == len(set(after)), "nothing twice"
        if worker.marks().get("step") == b"done":
            assert (again, len(fresh)) == ([], 3), f"all of it: {step}"
        else:
            assert (_records(again), fresh) == (_records(batches), []), f"nothing of it: {step}"
        worker.commit([], _upto(again), {"step": b""})
        assert "step" not in worker.marks()


def acknowledged_is_there_for_the_next_owner(bench: LogBench) -> None:
    """What a commit returned for is read by others and by whoever comes after, in order."""
    source = _started(bench, "collect")
    for n in range(5):
        source.commit(_events(n * 10, 10), {}, {"file": b"%d" % n})
    assert _numbers(_drain(_started(bench, "detect", "events"))) == list(range(50))
    assert _started(bench, "collect").marks() == {"file": b"4"}


def second_owner_fences_the_first(bench: LogBench) -> None:
    """The first owner's next commit raises Fenced and writes nothing; the second is not held up."""
    first = _started(bench, "collect")
    first.commit(_events(0, 1), {}, {"file": b"0"})
    second = _started(bench, "collect")
    with pytest.raises(Fenced):
        first.commit(_events(1, 1), {}, {"file": b"1"})
    second.commit(_events(2, 1), {}, {"file": b"2"})
    with pytest.raises(Fenced):
        first.commit(_events(3, 1), {}, {"file": b"3"})
    assert _numbers(_drain(_started(bench, "detect", "events"))) == [0, 2]
    assert second.marks() == {"file": b"2"}


def another_number_of_workers_fences_all(bench: LogBench) -> None:
    """Shares are dealt anew: no old owner commits, and nothing is given twice or left out."""
    source = _started(bench, "collect")
    for n in range(40):
        source.commit(_events(n, 1), {}, {})
    log = bench.open()
    old = [log.join("detect", ["events"], n, 2) for n in range(2)]
    for task in old:
        task.start()
    taken = [_drain(task) for task in old]
    assert all(taken), "both have a share"
    old[0].commit([Out("alerts", record) for record in _records(taken[0])], _upto(taken[0]), {})
    alone = _started(bench, "detect", "events")
    with pytest.raises(Fenced):
        old[1].commit([Out("alerts", record) for record in _records(taken[1])], _upto(taken[1]), {})
    rest = _drain(alone)
    assert sorted(_numbers(rest)) == sorted(_numbers(taken[1]))


def workers_share_without_overlap(bench: LogBench) -> None:
    """Every record goes to exactly one worker of a group, and to every group."""
    source = _started(bench, "collect")
    for n in range(60):
        source.commit(_events(n, 1), {}, {})
    log = bench.open()
    tasks = [log.join("detect", ["events"], n, 3) for n in range(3)]
    for task in tasks:
        task.start()
    assert sorted(n for task in tasks for n in _numbers(_drain(task))) == list(range(60))
    assert len(_numbers(_drain(_started(bench, NEEDED, "events")))) == 60


def position_beyond_the_end_is_told(bench: LogBench) -> None:
    """A store that is ahead of the log (restored from a backup) hears it once and misses nothing new."""
    source = _started(bench, "collect")
    source.commit([Out("events", b'"old"', b"k")], {}, {})
    worker = _started(bench, "detect", "events")
    part, at = next(iter(_upto(_drain(worker)).items()))
    worker = _joined(bench, "detect", "events")
    worker.start()
    worker.seek({part: at + 1000})
    with pytest.raises(Gap) as told:
        worker.poll(0, SHARE)
    assert told.value.part == part
    source.commit([Out("events", b'"new"', b"k")], {}, {})
    assert _records(_drain(worker)) == [b'"new"']


def seek_reads_again(bench: LogBench) -> None:
    """A position that was committed once can be gone back to, and what the log keeps is the later commit."""
    source = _started(bench, "collect")
    source.commit(_events(0, 4), {}, {})
    worker = _started(bench, NEEDED, "events")
    first = _drain(worker)
    worker.commit([], _upto(first), {})
    worker = _joined(bench, NEEDED, "events")
    assert worker.start() == _upto(first)
    worker.seek({batch.part: batch.first for batch in first})
    assert _drain(worker) == first
    worker.commit([], _upto(first), {})
    assert _joined(bench, NEEDED, "events").start() == _upto(first)
    with pytest.raises(ValueError):
        worker.commit([], {first[0].part: first[0].next + 1}, {})
    with pytest.raises(ValueError):
        worker.commit([], {Part("events/nobody/0"): 1}, {})


def gap_is_told_once(bench: LogBench) -> None:
    """A group that nobody waits for and that is too slow hears of each loss once, with the exact number."""
    source = _started(bench, "collect")
    slow = _started(bench, "slow", "events")
    source.commit([Out("events", b'{"n":0}', b"k")], {}, {})
    taken = _drain(slow)
    slow.commit([], _upto(taken), {})
    for n in range(1, 400):
        source.commit([Out("events", b'{"n":%d}' % n, b"k")], {}, {})
    needed = _started(bench, NEEDED, "events")
    needed.commit([], _upto(_drain(needed)), {})
    bench.expire()
    before: list[Batch] = []  # an open file outlives its name
    with pytest.raises(Gap) as told:
        _drain(slow, into=before)
    had, rest = _numbers(before), _numbers(_drain(slow))
    assert had == list(range(1, len(had) + 1))
    assert told.value.lost == rest[0] - len(had) - 1 > 0
    assert rest == list(range(rest[0], 400))


def slow_needed_group_holds_retention(bench: LogBench) -> None:
    """What a required group has not passed is never deleted, however old; what it has passed goes."""
    source = _started(bench, "collect")
    needed = _started(bench, NEEDED, "events")
    for n in range(400):
        source.commit([Out("events", b'{"n":%d}' % n, b"k")], {}, {})
    bench.expire()
    batches = _drain(needed)
    assert _numbers(batches) == list(range(400))
    needed.commit([], _upto(batches), {})
    bench.expire()
    assert len(_numbers(_drain(_started(bench, "late", "events")))) < 400
    assert _drain(_started(bench, NEEDED, "events")) == []


def full_writes_nothing(bench: LogBench) -> None:
    """At the floor a collector's commit raises Full, and the same commit is taken later; room says 0."""
    source = _started(bench, "collect")
    source.commit(_events(0, 1), {}, {"file": b"0"})
    with bench.full():
        assert bench.open().room() == 0
        for _ in range(2):
            with pytest.raises(Full):
                source.commit(_events(1, 1), {}, {"file": b"1"})
        assert _numbers(_drain(_started(bench, "detect", "events"))) == [0]
        assert source.marks() == {"file": b"0"}
    assert bench.open().room() > 0
    source.commit(_events(1, 1), {}, {"file": b"1"})
    assert _numbers(_drain(_started(bench, "look", "events"))) == [0, 1]


def too_big_names_the_record(bench: LogBench) -> None:
    """The index says which; nothing is written; the others go in without it."""
    source = _started(bench, "collect")
    big = Out("events", b'"' + b"x" * bench.big + b'"')
    with pytest.raises(TooBig) as told:
        source.commit([*_events(0, 2), big, *_events(2, 1)], {}, {"file": b"1"})
    assert (told.value.index, told.value.alone) == (2, True)
    assert source.marks() == {}
    source.commit(_events(0, 3), {}, {})
    assert _numbers(_drain(_started(bench, "detect", "events"))) == [0, 1, 2]
    with pytest.raises(ValueError):
        source.commit([Out("events", b"two\nlines")], {}, {})


def equal_keys_stay_in_order(bench: LogBench) -> None:
    """All records of a key come in one Part, in the order of the commits, whatever lies between."""
    source = _started(bench, "collect")
    for n in range(30):
        source.commit([Out("events", b'{"n":%d}' % (n * 4 + k), b"key-%d" % k) for k in range(4)], {}, {})
        source.commit([Out("events", b'{"n":-1}')], {}, {})
    batches = _drain(_started(bench, "detect", "events"))
    for k in range(4):
        mine = [(batch.part, n) for batch in batches for n in _numbers([batch]) if n >= 0 and n % 4 == k]
        assert len({part for part, _ in mine}) == 1
        assert [n for _, n in mine] == list(range(k, 120, 4))


def one_commit_is_one_batch(bench: LogBench) -> None:
    """A commit's records of a Part come together, whatever `max_bytes` says; times never fall; offsets join."""
    source = _started(bench, "collect")
    for n in range(20):
        source.commit([Out("events", b'{"n":%d}' % (n * 7 + i), b"k") for i in range(7)], {}, {})
    worker = _started(bench, "detect", "events")
    batches = _drain(worker, max_bytes=1)
    assert [len(batch.records) for batch in batches] == [7] * 20
    assert all(a.next == b.first for a, b in pairwise(batches))
    times = [batch.appended for batch in batches]
    assert times == sorted(times)
    assert all(batch.topic == "events" for batch in batches)


def lag_and_tail(bench: LogBench) -> None:
    """Lag counts what is not committed; tail reads along and holds nothing."""
    source = _started(bench, "collect")
    log = bench.open()
    along = log.tail(["events", "alerts"], None, wait_s=0)
    worker = _started(bench, "detect", "events")
    for n in range(6):
        source.commit([Out("events", b'{"n":%d}' % n, b"k")], {}, {})
    batches = _drain(worker)
    worker.commit([Out("alerts", b'{"n":100}')], {batches[3].part: batches[3].next}, {})
    (lag,) = [one for one in log.lag("detect").values() if one.end > 0]
    assert (lag.first, lag.end, lag.committed) == (0, 6, 4)
    assert lag.oldest_s is not None
    worker.commit([], _upto(batches), {})
    assert [one.oldest_s for one in log.lag("detect").values()] == [None] * len(log.lag("detect"))
    assert _numbers(log.tail(["events"], batches[0].appended, wait_s=0)) == list(range(6))
    assert sorted(_numbers(along)) in ([], [0, 1, 2, 3, 4, 5, 100]), "from now on: from its first step or its making"


LOG_CONTRACT: Final[tuple[Callable[[LogBench], None], ...]] = (
    kill_inside_commit_is_all_or_nothing,
    acknowledged_is_there_for_the_next_owner,
    second_owner_fences_the_first,
    another_number_of_workers_fences_all,
    workers_share_without_overlap,
    position_beyond_the_end_is_told,
    seek_reads_again,
    gap_is_told_once,
    slow_needed_group_holds_retention,
    full_writes_nothing,
    too_big_names_the_record,
    equal_keys_stay_in_order,
    one_commit_is_one_batch,
    lag_and_tail,
)


def _joined(bench: LogBench, group: str, *topics: str) -> Task:
    return bench.open().join(group, topics, 0, 1)


def _started(bench: LogBench, group: str, *topics: str) -> Task:
    task = _joined(bench, group, *topics)
    task.start()
    return task


def _events(first: int, count: int) -> list[Out]:
    return [Out("events", b'{"n":%d}' % n) for n in range(first, first + count)]


def _drain(task: Task, max_bytes: int = SHARE, into: list[Batch] | None = None) -> list[Batch]:
    found = [] if into is None else into
    while batches := task.poll(0, max_bytes):
        found += batches
    return found


def _records(batches: Iterable[Batch]) -> list[bytes]:
    return [record for batch in batches for record in batch.records]


def _numbers(batches: Iterable[Batch]) -> list[int]:
    return [int(record[5:-1]) for record in _records(batches)]


def _upto(batches: Iterable[Batch]) -> Positions:
    upto: Mapping[Part, int] = {batch.part: batch.next for batch in batches}
    return upto
