"""Whatever is flipped, cut or blanked in a log's files: no wrong record, none out of order, every loss told."""

import json
import logging
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import _frame, _segment
from connectors.embedded_log import EmbeddedLog, EmbeddedTask, Keep, World
from vonggac.logport import Batch, Gap, Out, Part

WORLD = World(clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), sync=lambda _: None, sleep=lambda _: None)
KEEP = Keep(segment_bytes=3000)
TOTAL = 60
TASKS: list[EmbeddedTask] = []


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.CRITICAL)
    yield
    close_all()


@dataclass(frozen=True, slots=True)
class Hurt:
    """One wound: `at` and `size` are shares of the segment."""

    segment: int
    kind: str
    at: float
    size: float

    def apply(self, files: Sequence[Path]) -> tuple[Path, int, int]:
        """Wound the file; give which bytes of it are not what they were."""
        path = files[self.segment % len(files)]
        data = bytearray(path.read_bytes())
        start = min(int(self.at * len(data)), len(data) - 1)
        end = min(len(data), start + max(1, int(self.size * len(data) * 0.3)))
        if self.kind == "flip":
            data[start] ^= 1 << int(self.size * 7.9)
            end = start + 1
        elif self.kind == "blank":
            data[start:end] = bytes(end - start)
        elif self.kind == "remove":
            del data[start:end]
        else:
            end = len(data)
            del data[start:]
        path.write_bytes(data)
        return path, start, end


WOUNDS = st.builds(
    Hurt,
    st.integers(0, 20),
    st.sampled_from(("flip", "blank", "remove", "cut")),
    st.floats(0, 0.9999),
    st.floats(0, 1),
)
MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def opened(root: Path) -> EmbeddedLog:
    return EmbeddedLog(root, keep=KEEP, world=WORLD)


def started(root: Path, group: str, *topics: str) -> EmbeddedTask:
    task = opened(root).join(group, topics, 0, 1)
    TASKS.append(task)
    task.start()
    return task


@contextmanager
def copy_of(made: "Made") -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        shutil.copytree(made.root, Path(folder, "log"))
        try:
            yield Path(folder, "log")
        finally:
            close_all()


def close_all() -> None:
    while TASKS:
        TASKS.pop().close()


def drain(task: EmbeddedTask) -> tuple[list[Batch], list[Gap]]:
    batches: list[Batch] = []
    gaps: list[Gap] = []
    while True:
        try:
            if not (found := task.poll(0, 1 << 20)):
                return batches, gaps
            batches += found
        except Gap as gap:
            gaps.append(gap)


def told(batches: Sequence[Batch], gaps: Sequence[Gap]) -> Mapping[Part, int]:
    """Count what was given or told as lost."""
    count: dict[Part, int] = defaultdict(int)
    for batch in batches:
        count[batch.part] += len(batch.records)
    for gap in gaps:
        assert gap.lost is not None
        assert gap.why
        count[gap.part] += gap.lost
    return count


class Made:
    """A log of several segments, and what was put into it. No dataclass: a failure would print all of it."""

    def __init__(
        self, root: Path, batches: Sequence[Batch], frames: Mapping[str, Sequence[tuple[int, int, int]]]
    ) -> None:
        self.root = root
        self.batches = batches
        self.frames = frames  # segment -> (from, to, number)
        self.records = {(batch.part, batch.first): batch for batch in batches}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("log") / "log"
    source = started(root, "collect")
    for n in range(TOTAL):
        noise = b"".join(b"%d" % (n**k) for k in range(2, 2 + n % 9))
        outs = [Out("events", b'{"n":%d,"i":%d,"x":"%s"}' % (n, i, noise), b"k%d" % (i % 3)) for i in range(1 + n % 5)]
        source.commit([*outs, Out("dead", b'{"n":%d}' % n)], {}, {"file": b"%d" % n})
    source.close()
    batches, gaps = drain(started(root, "look", "events", "dead"))
    shutil.rmtree(root / "look-0")
    assert gaps == []
    journal = bytes.fromhex(json.loads((root / "collect-0" / "journal.json").read_text())["id"])
    frames = {path.name: list(_frames(path, journal)) for path in segments(root)}
    assert len(frames) > 3
    return Made(root, batches, frames)


def _frames(path: Path, journal: bytes) -> Iterator[tuple[int, int, int]]:
    with path.open("rb") as file:
        for item in _segment.walk(file.fileno(), 0, path.stat().st_size, journal, ""):
            assert not isinstance(item, _segment.Damage)
            yield item[0], item[0] + item[1].size, item[1].number


def segments(root: Path) -> list[Path]:
    return sorted((root / "collect-0").glob("*.zst"))


def untouched(made: Made, wounds: Sequence[tuple[Path, int, int]]) -> set[int]:
    """Give the numbers of the frames of which no byte was hurt (only sure for one wound a file)."""
    found = set()
    for name, frames in made.frames.items():
        mine = [(start, end) for path, start, end in wounds if path.name == name]
        found |= {number for start, end, number in frames if all(end <= a or start >= b for a, b in mine)}
    return found


def numbers_of(batches: Sequence[Batch]) -> set[int]:
    """Give the commits of which a `dead` record came: each commit has one."""
    return {int(batch.records[0][5:-1]) for batch in batches if batch.topic == "dead"}


@MANY
@given(wounds=st.lists(WOUNDS, min_size=1, max_size=3, unique_by=lambda one: one.segment))
def test_a_hurt_log_gives_only_what_was_written_and_tells_the_rest(made: Made, wounds: list[Hurt]) -> None:
    with copy_of(made) as root:
        files = segments(root)
        hurt = {wound.segment % len(files): wound for wound in wounds}
        places = [wound.apply(files) for wound in hurt.values()]
        task = started(root, "look", "events", "dead")
        batches, gaps = drain(task)
        # never a wrong one, never out of order
        assert all(made.records[batch.part, batch.first] == batch for batch in batches)
        for part in {batch.part for batch in batches}:
            firsts = [batch.first for batch in batches if batch.part == part]
            assert firsts == sorted(set(firsts))
        # all that was not hurt: before the damage and after it
        assert untouched(made, places) <= numbers_of(batches)
        # the rest is told, exactly, and the places are named
        wanted = told(made.batches, [])
        assert told(batches, gaps) == wanted
        assert task.damage() or not gaps
        assert all(damage.file.startswith("collect-0/") for damage in task.damage())
        # the owner comes back: what it adds is read, and nothing of it takes an offset that was used
        source = started(root, "collect")
        again = started(root, "again", "events", "dead")
        assert told(*drain(again)) == wanted
        source.commit([Out("events", b'"new"', b"k0"), Out("dead", b'"new"')], {}, {})
        for reader in (task, again):
            fresh, lost = drain(reader)
            assert (sorted(batch.topic for batch in fresh), lost) == (["dead", "events"], [])
            assert all(batch.records == [b'"new"'] and batch.first == wanted[batch.part] for batch in fresh)


@MANY
@given(place=st.integers(0, 300), value=st.integers(0, 255), wounds=st.lists(WOUNDS, max_size=1))
def test_a_hurt_head_costs_no_record_and_no_offset_is_used_twice(
    made: Made, place: int, value: int, wounds: list[Hurt]
) -> None:
    with copy_of(made) as root:
        head = root / "collect-0" / "head"
        data = bytearray(head.read_bytes())
        data[place % len(data)] = value
        head.write_bytes(data)
        places = [wound.apply(segments(root)) for wound in wounds]
        source = started(root, "collect")
        batches, _ = drain(started(root, "look", "events", "dead"))
        assert all(made.records[batch.part, batch.first] == batch for batch in batches)
        assert untouched(made, places) <= numbers_of(batches)
        source.commit([Out("events", b'"new"', b"k0")], {}, {})
        fresh, _ = drain(started(root, "look", "events", "dead"))
        (new,) = [batch for batch in fresh if batch.records == [b'"new"']]
        assert new.first >= max(batch.next for batch in made.batches if batch.part == new.part)


@MANY
@given(cut=st.floats(0, 0.9999), garbage=st.binary(max_size=200))
def test_a_torn_end_above_the_head_is_cut_without_a_word_to_readers(made: Made, cut: float, garbage: bytes) -> None:
    """What a kill or a power cut leaves of the frame that was being written."""
    with copy_of(made) as root:
        before = {path: path.read_bytes() for path in segments(root)}
        head = (root / "collect-0" / "head").read_bytes()
        source = started(root, "collect")
        source.commit([Out("events", b'"torn"' * 40, b"k0")], {}, {"file": b"torn"})
        source.close()
        last = segments(root)[-1]
        whole = last.read_bytes()
        old = len(before.get(last, b""))
        last.write_bytes(whole[: old + int((len(whole) - old) * cut)] + garbage)
        (root / "collect-0" / "head").write_bytes(head)
        source = started(root, "collect")
        assert source.marks() == {"file": b"%d" % (TOTAL - 1)}
        assert source.damage() == []
        assert drain(started(root, "look", "events", "dead")) == (list(made.batches), [])
        source.commit([Out("events", b'"new"', b"k0")], {}, {})
        batches, gaps = drain(started(root, "look", "events", "dead"))
        assert ([batch.records for batch in batches if batch.records == [b'"new"']], gaps) == ([[b'"new"']], [])


@MANY
@given(wounds=st.lists(WOUNDS, min_size=1, max_size=2))
def test_hurt_positions_and_marks_only_fall_back(made: Made, wounds: list[Hurt]) -> None:
    with copy_of(made) as root:
        for wound in wounds:
            wound.apply(segments(root))
        marks = started(root, "collect").marks()
        assert int(marks.get("file", b"-1")) in range(-1, TOTAL)


@MANY
@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_header_or_damaged(data: bytes) -> None:
    journal = bytes(16)
    for one in (data, _frame.SKIP + len(data).to_bytes(4, "little") + _frame.MARK + b"\x01\x00" + journal + data):
        with pytest.raises(_frame.Damaged):
            _frame.decode(one, journal)


def test_a_record_that_holds_a_whole_frame_is_not_taken_for_one(tmp_path: Path) -> None:
    """Random bytes do not compress: they stand in the file as they came, and the search after damage sees them."""
    other = started(tmp_path / "other", "collect")
    other.commit([Out("events", b'"forged"')], {}, {})
    (segment,) = segments(tmp_path / "other")
    forged = segment.read_bytes().replace(b"\n", b"")
    source = started(tmp_path / "log", "collect")
    source.commit([Out("events", forged), Out("events", bytes(b for b in range(256) if b != 10) * 9)], {}, {})
    source.commit([Out("events", b'"true"')], {}, {})
    (segment,) = segments(tmp_path / "log")
    data = bytearray(segment.read_bytes())
    data[5] ^= 0xFF
    segment.write_bytes(data)
    batches, gaps = drain(started(tmp_path / "log", "look", "events"))
    assert [batch.records for batch in batches] == [[b'"true"']]
    assert [gap.lost for gap in gaps] == [2]


def test_age_and_size_of_a_damage_are_said(tmp_path: Path) -> None:
    source = started(tmp_path, "collect")
    for n in range(3):
        source.commit([Out("events", b'{"n":%d}' % n, b"k")], {}, {})
    (segment,) = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    place = data.rindex(_frame.SKIP) + 40
    data[place] ^= 1
    segment.write_bytes(data)
    task = started(tmp_path, "look", "events")
    batches, (gap,) = drain(task)
    (damage,) = task.damage()
    size = len(data) - data.rindex(_frame.SKIP)
    assert str(damage).endswith(f": offset {place - 40}: {size} bytes skipped: the header's checksum differs")
    assert (len(batches), gap.lost, gap.why) == (2, 1, str(damage))
    assert batches[0].appended - batches[1].appended == timedelta(0)


@pytest.mark.parametrize("left", [b"", bytes(16384), b"\xff" * 64], ids=["empty", "zeros", "ones"])
def test_a_head_that_a_power_cut_left_blank(made: Made, left: bytes) -> None:
    """Readers wait for the owner; what they are told then is that nobody knows."""
    with copy_of(made) as root:
        (root / "collect-0" / "head").write_bytes(left)
        task = started(root, "look", "events", "dead")
        assert drain(task) == ([], [])
        source = started(root, "collect")
        assert source.marks() == {"file": b"%d" % (TOTAL - 1)}
        batches, gaps = drain(task)
        assert batches == list(made.batches)
        assert {(gap.lost, gap.why) for gap in gaps} == {
            (None, "the journal's head was damaged: nobody knows whether there were more")
        }


@MANY
@given(commits=st.integers(0, TOTAL), then=st.integers(0, TOTAL))
def test_a_head_that_is_older_than_the_frames(commits: int, then: int) -> None:
    """A power cut keeps what was synced, and the head of some commit before: nothing acknowledged is lost."""
    with TemporaryDirectory() as folder:
        root = Path(folder, "log")
        source = started(root, "collect")
        head = (root / "collect-0" / "head").read_bytes()
        for n in range(commits + then):
            if n == commits:
                head = (root / "collect-0" / "head").read_bytes()
            source.commit([Out("events", b'{"n":%d}' % n, b"k")], {}, {"file": b"%d" % n})
        (root / "collect-0" / "head").write_bytes(head)
        source = started(root, "collect")
        source.commit([Out("events", b'"new"', b"k")], {}, {})
        batches, gaps = drain(started(root, "look", "events"))
        assert (len(batches), batches[-1].next, gaps) == (commits + then + 1, commits + then + 1, [])
        close_all()


def test_the_journal_of_a_worker_that_is_gone_is_mended_by_the_others(tmp_path: Path) -> None:
    for worker in range(2):
        task = opened(tmp_path).join("collect", (), worker, 2)
        task.start()
        head = (tmp_path / f"collect-{worker}" / "head").read_bytes()
        task.commit([Out("events", b'"%d"' % worker)], {}, {})
        task.close()
    (tmp_path / "collect-1" / "head").write_bytes(head)
    assert [batch.records for batch in drain(started(tmp_path, "look", "events"))[0]] == [[b'"0"']]
    started(tmp_path, "collect")
    assert len(drain(started(tmp_path, "look", "events"))[0]) == 2
