"""The rule files of a pack: which, in which order, and what is named instead of read."""

import os
from pathlib import Path

import pytest

from vonggac.ports import Refused
from vonggac.reading import rulefiles
from vonggac.reading.rulefiles import rule_files

ENDINGS = (".yml", ".yaml")


def made(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")


def test_a_folder(tmp_path: Path) -> None:
    made(tmp_path, "b/two.YAML", "a/one.yml", "a/readme.md", ".git/hidden.yml", "z.yml")
    found = list(rule_files(tmp_path, ENDINGS))
    assert found == [tmp_path / "z.yml", tmp_path / "a/one.yml", tmp_path / "b/two.YAML"]


def test_one_file(tmp_path: Path) -> None:
    made(tmp_path, "a/one.yml")
    assert list(rule_files(tmp_path / "a/one.yml", ENDINGS)) == [tmp_path / "a/one.yml"]
    assert list(rule_files(tmp_path / "a/one.yml", (".yar",))) == []


def test_what_has_a_rules_name_and_is_no_file_is_named(tmp_path: Path) -> None:
    made(tmp_path, "a/one.yml")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.yml").symlink_to(tmp_path / "a/one.yml")
    os.mkfifo(tmp_path / "pipe.yml")
    assert list(rule_files(tmp_path, ENDINGS)) == [
        Refused(str(tmp_path / "link.yml"), 1, "is a link, not a file: not followed"),
        Refused(str(tmp_path / "pipe.yml"), 1, "is a FIFO, not a file: not followed"),
        tmp_path / "a/one.yml",
    ]


def test_what_is_gone_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert list(rule_files(gone, ENDINGS)) == [Refused(str(gone), 1, "cannot be read: No such file or directory")]


def test_what_comes_after_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rulefiles, "FILE_LIMIT", 2)
    made(tmp_path, "a.yml", "b.yml", "c.yml", "d.yml")
    *read, last = rule_files(tmp_path, ENDINGS)
    assert read == [tmp_path / "a.yml", tmp_path / "b.yml"]
    assert isinstance(last, Refused)
    assert last.path == str(tmp_path / "c.yml")
    assert last.reason == "it and what follows are not read: a pack has up to 2 files"
