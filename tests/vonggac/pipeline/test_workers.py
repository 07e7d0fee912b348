"""The scan over many files: the same results in the same order with one worker or several; a death names its input."""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vonggac.event import Bad
from vonggac.pipeline._held import Held, Room
from vonggac.pipeline.job import Job, Outcome
from vonggac.pipeline.scanner import Failed
from vonggac.pipeline.workers import WorkerError, run

JOB = Job(mode="parse", now="2026-03-01T00:00:00.000000Z")


@dataclass
class Kept:
    """An output that keeps everything."""

    got: list[str] = field(default_factory=list)

    def lines(self, block: bytes) -> None:
        self.got += block.decode().splitlines()

    def bad(self, bad: Bad) -> None:
        self.got.append(f"bad {bad}")

    def failed(self, failed: Failed) -> None:
        self.got.append(f"failed {failed.path}: {failed.reason}")

    def progress(self, done: int, known: int) -> None:
        assert done <= known


def run_with(workers: int, paths: list[str | Bad]) -> tuple[list[str], Outcome]:
    kept = Kept()
    outcome = run(JOB, paths, kept, workers, clock=lambda: 0.0)
    return kept.got, outcome


@pytest.fixture
def paths(tmp_path: Path) -> list[str | Bad]:
    made: list[str | Bad] = []
    for number in range(12):
        file = tmp_path / f"{number:02d}.json"
        file.write_text("".join(f'{{"n": {number}, "line": {line}}}\n' for line in range(1 + 300 * (number % 3))))
        made.append(str(file))
    broken = tmp_path / "broken.json"
    broken.write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    return [*made[:5], Bad("/gone", "", "No such file or directory"), *made[5:], str(broken)]


def test_order_and_counts_do_not_depend_on_workers(paths: list[str | Bad]) -> None:
    alone, first = run_with(1, paths)
    together, second = run_with(3, paths)
    assert alone == together
    assert len(alone) > 3000
    for outcome in (first, second):
        assert outcome.tally.inputs == 14
        assert outcome.inputs_failed == [{"path": "/gone", "reason": "No such file or directory"}]
        assert outcome.tally.events_failed == 1


def test_no_input_is_an_empty_answer() -> None:
    assert run_with(2, [])[0] == []


def test_a_worker_that_dies_names_its_input_and_the_rest_goes_on(
    tmp_path: Path, paths: list[str | Bad], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector that kills its process stands for a crash in a native parser."""
    (tmp_path / "collectors").mkdir()
    deadly = tmp_path / "deadly"
    deadly.mkdir()
    (deadly / "sitecustomize.py").write_text(
        "import os, signal\n"
        "from vonggac.pipeline import scanner\n"
        "read = scanner.Scanner.read\n"
        "def dying(self, part, tally):\n"
        "    if part.path.endswith('07.json'):\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return read(self, part, tally)\n"
        "scanner.Scanner.read = dying\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(deadly), str(Path.cwd())]))
    got, outcome = run_with(2, paths)
    [died] = [one for one in outcome.inputs_failed if one["path"].endswith("07.json")]
    assert signal.SIGSEGV.name in died["reason"]
    assert outcome.tally.inputs == 14
    assert any('"n": 8' in line for line in got), "what comes after it is read"


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "units.json").write_text("{")
    job = Job(mode="parse", now="", units=str(tmp_path / "units.json"))
    with pytest.raises(WorkerError, match=r"units.json: damaged"):
        run(job, [str(tmp_path / "a"), str(tmp_path / "b")], Kept(), 2, clock=lambda: 0.0)


def test_without_inputs_the_rules_are_counted_all_the_same(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "broken.yml").write_text(
        "title: x\nlogsource: {product: linux}\ndetection: {s: {a|no: 1}, condition: s}\n"
    )
    job = Job(mode="scan", now=JOB.now, packs=(("mine", str(rules)),), detectors=("sigma",))
    for workers in (1, 2):
        outcome = run(job, [Bad("/gone", "", "No such file or directory")], Kept(), workers, clock=lambda: 0.0)
        assert len(outcome.rules.refused) == 1
        assert outcome.summary()["inputs"] == 1


def test_what_waits_for_an_earlier_input_is_not_all_held_in_memory() -> None:
    room = Room(memory=10)
    waiting = [Held(room) for _ in range(2_000)]  # more than a process may have open files
    for held in waiting:
        for message in (b"one", b"three", b"", b"last"):
            held.put(message)
    assert 0 <= room.left < 10
    for held in waiting:
        assert list(held.replay()) == [b"one", b"three", b"", b"last"]
        assert list(held.replay()) == []
    assert room.left == 10
    room.close()
