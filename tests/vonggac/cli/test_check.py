"""`vonggac check`: each finding says what to do; a fault gives exit status 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]


def test_a_fresh_machine_is_in_order(vonggac: Command) -> None:
    ran = vonggac("check")
    findings = {row["what"]: row for row in ran.rows}
    assert ran.status == 0, ran.out
    assert {"settings", "version", "disk", "rules: sigma", "rules: yara", "tshark", "installed files"} <= set(findings)
    assert findings["rules: sigma"]["detail"] == "25 loaded, 0 refused"


def test_faults_say_what_to_do(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the state folder should be")
    ran = vonggac("check")
    [fault] = [row for row in ran.rows if row["what"] == "data"]
    assert ran.status == 1
    assert fault["state"] == "fail"
    assert "--data" in fault["do"]


def test_an_unknown_pack_is_a_fault(vonggac: Command) -> None:
    ran = vonggac("check", environ={"VONGGAC_RULES__PACKS": "nowhere"})
    assert ran.status == 1
    assert "no rule pack 'nowhere'" in ran.out
