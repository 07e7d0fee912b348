"""Real kills between the steps of a save and of a merge: events and position are both there or neither."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.embedded_store import MERGE_STEPS, STEPS, EmbeddedStore, Limits
from vonggac.query import Query, Sort
from vonggac.storetesting import PART, ask, batch_of, ids, upto

ROOT = Path(__file__).parents[2]
VICTIM = """
import os, signal, sys
from pathlib import Path
from connectors.embedded_store import EmbeddedStore, World
from vonggac.storetesting import batch_of, upto

root, work, deadly = sys.argv[1:]
def step(name):
    if name == deadly:
        os.kill(os.getpid(), signal.SIGKILL)

store = EmbeddedStore(Path(root), world=World(step=step))
batch = batch_of({}, {}, {}, first=6)
if work == "save":
    store.save([batch], upto(batch))
else:
    store.merge()
"""


def killed(root: Path, work: str, step: str) -> EmbeddedStore:
    """Save twice, then let a process of its own be killed at the step; give the next owner's store."""
    store = EmbeddedStore(root, limits=Limits(rows=3))
    for first in (0, 3):
        batch = batch_of({}, {}, {}, first=first)
        store.save([batch], upto(batch))
    store.close()
    command = [sys.executable, "-c", VICTIM, str(root), work, step]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode == -signal.SIGKILL
    return EmbeddedStore(root)


@pytest.mark.parametrize("step", STEPS)
def test_events_and_position_are_both_there_or_neither(step: str, tmp_path: Path) -> None:
    store = killed(tmp_path, "save", step)
    there = step == "committed"
    assert store.taken() == {PART: 9 if there else 6}
    assert ids(ask(store, Query(sort=Sort.OLDEST))) == [f"e{n}" for n in range(9 if there else 6)]
    again = batch_of({}, {}, {}, first=6)
    store.save([again], upto(again))
    assert ids(ask(store, Query(sort=Sort.OLDEST))) == [f"e{n}" for n in range(9)]
    assert len(list((tmp_path / "events").iterdir())) == 3, "nothing of the killed save is left"


@pytest.mark.parametrize("step", MERGE_STEPS)
def test_a_merge_that_is_killed_loses_and_doubles_nothing(step: str, tmp_path: Path) -> None:
    store = killed(tmp_path, "merge", step)
    assert ids(ask(store, Query(sort=Sort.OLDEST))) == [f"e{n}" for n in range(6)]
    store.merge()
    assert ids(ask(store, Query(sort=Sort.OLDEST))) == [f"e{n}" for n in range(6)]
    assert len(store.catalogue.live()) == 1
