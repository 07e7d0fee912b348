"""`vonggac config show`, and where the common options may stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]


def test_what_is_in_force_is_shown(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_text("[scan]\nworkers = 3\n")
    [shown] = vonggac("config", "show", "--config", tmp_path / "v.toml").rows
    assert shown["scan.workers"] == 3
    assert shown["data"] == str(tmp_path / "data")


def test_common_options_stand_before_or_behind_the_command(vonggac: Command) -> None:
    before, behind = vonggac("--data", "/srv/x", "config", "show"), vonggac("config", "show", "--data", "/srv/x")
    assert before.rows == behind.rows
    assert before.rows[0]["data"] == "/srv/x"


def test_a_wrong_setting_is_refused_at_start(vonggac: Command) -> None:
    ran = vonggac("config", "show", environ={"VONGGAC_SCAN__WORKERS": "lots"})
    assert (ran.status, ran.out) == (2, "")
    assert "scan.workers" in ran.err
    assert ran.err.count("\n") == 1
