"""Which rule packs a run uses."""

import zipfile
from pathlib import Path

import pytest

from vonggac.cli.packs import BUILTIN, active


def test_our_own_come_by_themselves(tmp_path: Path) -> None:
    [own] = active(tmp_path, (), builtin=True, only=False)
    assert own.name == BUILTIN
    assert (own.root / "sigma").is_dir()
    assert active(tmp_path, (), builtin=False, only=False) == []


def test_a_pack_may_be_a_folder_a_file_or_an_archive(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.yml").write_text("title: a\n")
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w") as archive:
        archive.writestr("rules/b.yml", "title: b\n")
    chosen = [str(folder), str(folder / "a.yml"), str(tmp_path / "theirs.zip")]
    packs = {pack.name: pack.root for pack in active(tmp_path / "data", chosen, builtin=False, only=True)}
    assert list(packs) == ["mine", "a", "theirs"]
    assert [path.name for path in packs["theirs"].rglob("*.yml")] == ["b.yml"]


def test_archives_in_a_folder_are_packs_too(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    with zipfile.ZipFile(tmp_path / "rules" / "theirs.zip", "w") as archive:
        archive.writestr("b.yml", "title: b\n")
    packs = active(tmp_path / "data", [str(tmp_path / "rules")], builtin=False, only=True)
    assert [pack.name for pack in packs] == ["rules", "theirs"]


def test_an_unknown_pack_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no rule pack 'sigmahq': .*known: vonggac"):
        active(tmp_path, ["sigmahq"], builtin=True, only=True)
