"""What a kill left behind goes when nobody can come back for it, and nothing else does."""

import os
from pathlib import Path

import pytest

from vonggac.pipeline import leftovers
from vonggac.pipeline.leftovers import sweep_copies, sweep_pages
from vonggac.pipeline.pages import Page, page_of

NOW = 1_772_352_000.0


def aged(path: Path, age_s: float) -> Path:
    path.touch()
    os.utime(path, (NOW - age_s, NOW - age_s))
    return path


def test_only_old_copies_go(tmp_path: Path) -> None:
    folder = tmp_path / "examine"
    assert sweep_copies(folder, NOW) == 0, "there is none"
    folder.mkdir()
    outside = aged(tmp_path / "outside", 9_000)
    (folder / "link").symlink_to(outside)
    (folder / "inside").mkdir()
    old, young = aged(folder / "old", 7_000), aged(folder / "young", 10)
    assert sweep_copies(folder, NOW - 3_600) == 1
    assert not old.exists()
    assert young.exists()
    assert outside.exists()


def test_a_copy_that_cannot_be_deleted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    aged(tmp_path / "a", 7_000)

    def refused(_path: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refused)
    assert sweep_copies(tmp_path, NOW) == 0
    assert f"{tmp_path / 'a'}: left behind, and cannot be deleted: Operation not permitted" in caplog.text


def test_pages_without_a_sign_of_life_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweep_pages(tmp_path, NOW) == 0, "there is none"
    lives, lost = page_of(tmp_path, "detect-0"), page_of(tmp_path, "detect-3")
    for path in (lives, lost):
        Page.create(path).close()
    other = page_of(tmp_path, "of-another-version")
    other.write_bytes(bytes(64 << 10))
    making, made = aged(page_of(tmp_path, "detect-1.7.new"), 10), aged(page_of(tmp_path, "detect-1.8.new"), 7_000)
    page = Page(lost)
    monkeypatch.setattr(leftovers, "Page", lambda path: Gone() if path == lost else Page(path))
    assert sweep_pages(tmp_path, NOW) == 3
    assert [path.exists() for path in (lives, lost, other, making, made)] == [True, False, False, True, False]
    page.close()


class Gone:
    """A page whose role died before the machine was started again: its clock began anew."""

    age_s = -500.0

    def close(self) -> None:
        return
