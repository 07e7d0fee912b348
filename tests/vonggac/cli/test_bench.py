"""`vonggac bench scan`: figures with the machine they belong to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]


def test_figures_name_unit_runs_median_machine_and_version(vonggac: Command, tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.write_text("Mar  1 01:02:03 gw sshd[412]: Accepted password for minh from 203.0.113.9 port 40113 ssh2\n" * 50)
    ran = vonggac("bench", "scan", log, "--runs", "2")
    assert ran.status == 0, ran.err
    names = [row["name"] for row in ran.rows]
    assert names[:2] == ["scan.read", "scan.workers_1"]
    for row in ran.rows:
        assert (row["unit"], len(row["runs"])) == ("events/s", 2)
        assert min(row["runs"]) <= row["median"] <= max(row["runs"])
        assert {"cpu", "cores", "memory_mb", "python"} <= set(row["machine"])


def test_nothing_to_measure_is_said(vonggac: Command, tmp_path: Path) -> None:
    ran = vonggac("bench", "scan", tmp_path / "gone")
    assert (ran.status, ran.err) == (2, "vonggac: nothing to read there\n")
