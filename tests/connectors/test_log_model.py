"""Any order of commits, polls, restarts and retention: a required group misses nothing, another is told exactly."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.embedded_log import EmbeddedLog, EmbeddedTask, Keep, World
from vonggac.logport import Batch, Gap, Out, Part

WORLD = World(clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), sync=lambda _: None, sleep=lambda _: None)
KEEP = Keep(max_bytes=0, segment_bytes=300)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 1), st.integers(1, 30)),
        st.tuples(st.just("read"), st.sampled_from(("store", "slow")), st.integers(1, 4000)),
        st.tuples(st.just("restart"), st.sampled_from(("store", "slow", 0, 1)), st.just(0)),
        st.tuples(st.just("sweep"), st.just("store"), st.integers(0, 3)),
    ),
    min_size=10,
    max_size=60,
)


class Play:
    """Two collectors and two readers on one log, and what each reader has heard of each Part."""

    def __init__(self, root: Path) -> None:
        self.log = EmbeddedLog(root, required={"events": ("store",)}, keep=KEEP, world=WORLD)
        self.tasks: dict[str | int, EmbeddedTask] = {}
        self.heard: dict[str | int, dict[Part, int]] = {"store": {}, "slow": {}}
        self.passed: dict[str | int, dict[Part, int]] = {"store": {}, "slow": {}}  # what it has committed
        self.gaps: dict[str | int, int] = {"store": 0, "slow": 0}
        self.written = 0
        for who in (0, 1, "store", "slow"):
            self.restart(who)

    def restart(self, who: str | int) -> None:
        if who in self.tasks:
            self.tasks[who].close()
        join = self.log.join
        task = join(who, ("events",), 0, 1) if isinstance(who, str) else join("collect", (), who, 2)
        task.start()
        self.tasks[who] = task
        if who in self.passed:  # a gap that nothing was committed after is told again
            self.heard[who] = dict(self.passed[who])

    def write(self, who: int, count: int) -> None:
        self.tasks[who].commit([Out("events", b'{"n":%d}' % n, b"k%d" % (n % 3)) for n in range(count)], {}, {})
        self.written += count

    def read(self, who: str, size: int) -> bool:
        """Poll once and commit; hold each batch and gap to the Part's position. False = nothing more."""
        heard, task = self.heard[who], self.tasks[who]
        try:
            batches = task.poll(0, size)
        except Gap as gap:
            heard[gap.part] = heard.get(gap.part, 0) + (gap.lost or 0)
            self.gaps[who] += 1
            return True
        for batch in batches:
            self.took(heard, batch)
        upto = {batch.part: batch.next for batch in batches}
        task.commit([], upto, {})
        self.passed[who].update(upto)
        return bool(batches)

    @staticmethod
    def took(heard: dict[Part, int], batch: Batch) -> None:
        # a Part that is new to the group begins at the first record that is there
        assert heard.get(batch.part, batch.first) == batch.first
        assert batch.next == batch.first + len(batch.records)
        heard[batch.part] = batch.next


@contextmanager
def played() -> Iterator[Play]:
    with TemporaryDirectory() as folder:
        play = Play(Path(folder, "log"))
        try:
            yield play
        finally:
            for task in play.tasks.values():
                task.close()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(ops=OPS)
def test_any_order_of_things(ops: list[tuple[str, str | int, int]]) -> None:
    with played() as play:
        for name, who, size in ops:
            if name == "write" and isinstance(who, int):
                play.write(who, size)
            elif name == "read" and isinstance(who, str):
                play.read(who, size)
            elif name == "restart":
                play.restart(who)
            else:
                for _ in range(size):
                    play.read("store", 1 << 20)
                play.log.sweep()
        for who in ("store", "slow"):
            while play.read(who, 1 << 20):
                pass
        assert play.gaps["store"] == 0
        assert sum(play.heard["store"].values()) == play.written
        ends = {part: lag.end for part, lag in play.log.lag("store").items()}
        assert {part: at for part, at in play.heard["slow"].items() if at != ends[part]} == {}
        assert [lag.end - lag.committed for lag in play.log.lag("store").values()] == [0] * len(ends)
