"""Packs come, are listed and go, whole or not at all."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from vonggac.sigma.packs import PackError, add, digest_of, listed, remove, unpacked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "Our Rules"
    (root / "sub").mkdir(parents=True)
    (root / "a.yml").write_text("title: a\n")
    (root / "sub" / "b.yml").write_text("title: b\n")
    (root / "LICENSE").write_text("\n# Detection Rule License (DRL) 1.1\n")
    return root


def zipped(folder: Path) -> Path:
    path = folder.with_name("rules.zip")
    with zipfile.ZipFile(path, "w") as box:
        for one in sorted(folder.rglob("*")):
            box.write(one, one.relative_to(folder))
    return path


def tarred(folder: Path) -> Path:
    path = folder.with_name("rules.tar.gz")
    with tarfile.open(path, "w:gz") as box:
        box.add(folder, "wrapped")
    return path


def left_over(data: Path) -> list[str]:
    return sorted(one.name for one in (data / "packs").iterdir())


def test_a_folder_becomes_a_pack(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    pack = add(folder, data)
    assert (pack.name, pack.origin, pack.licence, pack.files) == ("our-rules", "Our Rules", "DRL", 3)
    assert listed(data) == [pack]
    assert (pack.root / "sub" / "b.yml").read_text() == "title: b\n"
    assert left_over(data) == ["our-rules"]


def test_archives_have_the_folders_digest(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert add(zipped(folder), data, "z").digest == add(folder, data, "d").digest
    pack = add(tarred(folder), data, "t")
    assert (pack.licence, digest_of(pack.root / "wrapped")) == ("DRL", add(folder, data, "d2").digest)


def test_a_name_is_taken_once_unless_replaced(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = add(folder, data, "mine")
    (folder / "a.yml").write_text("title: c\n")
    with pytest.raises(PackError, match="there already"):
        add(folder, data, "mine")
    again = add(folder, data, "mine", replace=True)
    assert again.digest != first.digest
    assert listed(data) == [again]
    assert left_over(data) == ["mine"]


def test_remove(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    add(folder, data, "mine")
    remove("mine", data)
    assert listed(data) == []
    assert left_over(data) == []
    for wrong in ("mine", "../data", ".adding-x", ""):
        with pytest.raises(PackError, match="added packs: none"):
            remove(wrong, data)


def test_what_cannot_be_a_pack(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "x.rar").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.zip").write_text("no zip")
    for source, said in [
        ("gone", "no such file"),
        ("x.rar", "a pack is a folder"),
        ("empty", "no files"),
        ("bad.zip", "damaged"),
    ]:
        with pytest.raises(PackError, match=said):
            add(tmp_path / source, data)
    with pytest.raises(PackError, match="is no pack name"):
        add(folder, data, "../up")
    with pytest.raises(PackError, match="our own pack"):
        add(folder, data, "vonggac")
    assert left_over(data) == [], "nothing half-made stays"


def test_a_damaged_record_is_named(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    pack = add(folder, data, "mine")
    (pack.root / "pack.json").write_text('{"format": 99}')
    with pytest.raises(PackError, match="format 99"):
        listed(data)
    (pack.root / "pack.json").write_text("{")
    with pytest.raises(PackError, match="cannot be read"):
        listed(data)
    remove("mine", data)


def test_no_packs_at_all(tmp_path: Path) -> None:
    assert listed(tmp_path / "nowhere") == []


def test_an_archive_for_one_run_is_unpacked_once(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder)
    root = unpacked(archive, tmp_path / "cache")
    (root / "mark").write_text("")
    assert unpacked(archive, tmp_path / "cache") == root
    assert (root / "mark").exists()
    (tmp_path / "bad.zip").write_text("x")
    with pytest.raises(PackError, match="damaged"):
        unpacked(tmp_path / "bad.zip", tmp_path / "cache")
