"""Which rule packs a run uses."""

import zipfile
from pathlib import Path

import pytest

from vonggac.cli.packs import active
from vonggac.sigma.packs import BUILTIN


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


def test_of_two_folders_of_one_name_neither_hides_the_other(tmp_path: Path) -> None:
    chosen = []
    for place in ("a/rules", "b/rules", "b/vonggac"):
        (tmp_path / place).mkdir(parents=True)
        chosen.append(str(tmp_path / place))
    packs = active(tmp_path / "data", [*chosen, chosen[0]], builtin=True, only=True)
    assert [pack.name for pack in packs] == ["vonggac", "rules", "rules-2", "vonggac-2"]
    assert [str(pack.root) for pack in packs[1:]] == chosen


def test_an_archives_ending_may_be_in_capitals(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "THEIRS.ZIP", "w") as archive:
        archive.writestr("b.yml", "title: b\n")
    [pack] = active(tmp_path / "data", [str(tmp_path / "THEIRS.ZIP")], builtin=False, only=True)
    assert pack.name == "THEIRS"
    assert (pack.root / "b.yml").exists()


def test_a_file_of_another_kind_is_no_pack(tmp_path: Path) -> None:
    (tmp_path / "rules.txt").write_text("title: a\n")
    with pytest.raises(ValueError, match=r"rules\.txt' is no rule file or pack"):
        active(tmp_path, [str(tmp_path / "rules.txt")], builtin=True, only=True)


def test_an_unknown_pack_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no rule pack 'sigmahq': .*known: vonggac"):
        active(tmp_path, ["sigmahq"], builtin=True, only=True)
