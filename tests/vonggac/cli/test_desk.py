"""The desk ends with the fault of any of its parts: whoever started it sees that it did not end well."""

from __future__ import annotations

from pathlib import Path

import pytest

from vonggac.cli import _desk
from vonggac.pipeline.pages import Page, State, page_of
from vonggac.pipeline.turning import Life
from vonggac.pipeline.watching import Watch
from vonggac.settings import Console, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=str(tmp_path), console=Console(listen="127.0.0.1:0"))


def life(folder: Path, instance: str = "desk-0") -> Life:
    return Life(Page.create(page_of(folder, instance)))


def test_the_fault_of_a_part_is_the_desks(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_self: Watch) -> None:
        msg = "the disk is gone"
        raise OSError(msg)

    monkeypatch.setattr(Watch, "run", fails)
    with pytest.raises(OSError, match="the disk is gone"):
        _desk.desk(settings, life(tmp_path), "none")()


def test_it_ends_well_when_it_is_asked_to(settings: Settings, tmp_path: Path) -> None:
    own = life(tmp_path)
    run = _desk.desk(settings, own, "none")
    own.drain.set()
    run()
    assert own.page.shown()[1]["console"].startswith("http://127.0.0.1:")


def test_why_a_role_is_not_ready(settings: Settings, tmp_path: Path) -> None:
    life(tmp_path, "store-0").page.set_state(State.READY)
    life(tmp_path, "collect-0")
    found = _desk.readiness(settings, ("collect-0", "store-0", "detect-0"))
    assert found == {"collect-0": "starting", "store-0": "", "detect-0": "not started"}
