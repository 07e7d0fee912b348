"""`vonggac rules list|check|add|remove`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]

RULE = """\
title: Odd service
id: 0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01
level: high
logsource:
    product: windows
    service: system
detection:
    selection:
        EventID: 7045
    condition: selection
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "an_odd_service.yml").write_text(RULE)
    return tmp_path / "theirs"


def test_a_pack_comes_is_listed_and_goes(vonggac: Command, pack: Path) -> None:
    added = vonggac("rules", "add", pack, "--name", "sigmahq")
    assert (added.status, added.err) == (0, "pack sigmahq: 1 files\n")
    assert added.rows[0]["origin"] == "theirs"
    rows = {one["name"]: one for one in vonggac("rules", "list").rows}
    assert rows["sigmahq"]["files"] == 1
    assert rows["vonggac"]["licence"] == "Apache-2.0"
    [rule] = vonggac("rules", "list", "sigmahq").rows
    assert (rule["name"], rule["level"], rule["logsource"]) == ("Odd service", "high", "product=windows,service=system")
    assert vonggac("rules", "remove", "sigmahq").status == 0
    assert "sigmahq" not in vonggac("rules", "list").out


def test_wrong_use_is_one_line(vonggac: Command, pack: Path) -> None:
    assert vonggac("rules", "add", pack).status == 0
    for arguments, said in [
        (("add", pack), "pack 'theirs' is there already"),
        (("add", "gone"), "no such file or folder"),
        (("add", pack, "--name", "A B"), "is no pack name"),
        (("remove", "none"), "no pack named 'none'; added packs: theirs"),
        (("list", "none"), "no rule pack 'none'; known: theirs, vonggac"),
        (("check", "gone"), "No such file"),
    ]:
        ran = vonggac("rules", *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert said in ran.err
        assert ran.err.count("\n") == 1
    assert vonggac("rules", "add", pack, "--replace").status == 0


def test_check_prints_a_file_a_line_and_exits_1(vonggac: Command, pack: Path) -> None:
    good = vonggac("rules", "check", pack, "--json")
    assert good.status == 0
    assert good.rows == [{"path": str(pack / "an_odd_service.yml"), "valid": True, "errors": [], "warnings": []}]
    (pack / "bad_level.yml").write_text(RULE.replace("high", "extreme"))
    bad = vonggac("rules", "check", pack, "--json")
    assert bad.status == 1
    assert bad.err == "2 files, 1 invalid\n"
    [error] = bad.rows[1]["errors"]
    assert (error["at"], error["rule"], error["line"]) == ("/level", "SigmaLevelError", 3)


def test_a_folder_without_rules_is_said(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = vonggac("rules", "check", tmp_path / "empty")
    assert ran.status == 2
    assert "no rule files" in ran.err


def test_lists_from_settings_are_put_in_for_placeholders(vonggac: Command, pack: Path, tmp_path: Path) -> None:
    (pack / "an_odd_service.yml").write_text(RULE.replace("EventID: 7045", "User|expand: '%admins%'"))
    assert vonggac("rules", "check", pack).status == 1
    (tmp_path / "settings.toml").write_text('[rules.expand]\nadmins = ["bob"]\n')
    assert vonggac("rules", "check", pack, "--config", tmp_path / "settings.toml").status == 0


def test_a_file_name_may_hold_any_bytes(vonggac: Command, pack: Path) -> None:
    odd = pack / os.fsdecode(b"odd\xff\n.yml")
    odd.write_text("title: x\nlogsource: {product: linux}\ndetection: {s: {a|no: 1}, condition: s}\n")
    (pack / os.fsdecode(b"odd\xff.yar")).write_text("rule r { condition: no }")
    rows = vonggac("rules", "check", pack).rows
    assert [one["valid"] for one in rows] == [True, False, False]
    ran = vonggac("scan", pack / "an_odd_service.yml", "--rules", pack, "--no-builtin-rules")
    assert ran.status == 0
    assert f"{pack}/odd\\xff\\n.yml:3: rule refused: " in ran.err
    assert f"{pack}/odd\\xff.yar:1: rule refused: " in ran.err


def test_check_looks_at_yara_files_too(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "good.yar").write_text("rule good { condition: true }\n")
    (tmp_path / "mine" / "bad.yar").write_text("rule bad {\n  condition: nonsense\n}\n")
    ran = vonggac("rules", "check", tmp_path / "mine", "--json")
    assert ran.status == 1
    found = {Path(row["path"]).name: row for row in ran.rows}
    assert found["good.yar"]["valid"]
    [error] = found["bad.yar"]["errors"]
    assert (error["rule"], error["line"]) == ("yara", 2)
    assert "nonsense" in error["reason"]
    assert vonggac("rules", "check", tmp_path / "mine" / "good.yar").status == 0
