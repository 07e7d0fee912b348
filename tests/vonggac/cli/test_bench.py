"""`vonggac bench`: figures with the machine they belong to."""

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


def test_the_log_and_the_store_are_measured_on_made_events(vonggac: Command) -> None:
    log = vonggac("bench", "log", "--events", "2000", "--runs", "2")
    assert log.status == 0, log.err
    assert [row["name"] for row in log.rows][:2] == ["log.written_a_second", "log.read_a_second"]
    store = vonggac("bench", "store", "--events", "2000", "--runs", "2", "--writers", "1")
    assert store.status == 0, store.err
    assert store.rows[0]["name"] == "store.saved_a_second"
    assert all(row["median"] > 0 for row in (*log.rows, *store.rows) if row["unit"] == "events/s")
    assert (store.rows[-1]["name"], store.rows[-1]["median"]) == ("store.writers", 1)
    two = vonggac("bench", "store", "--events", "2000", "--runs", "1", "--writers", "2")
    assert (two.status, two.rows[-1]["median"]) == (0, 2), two.err


def test_the_events_may_be_the_users_own(vonggac: Command, tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.write_text("Mar  1 01:02:03 gw sshd[412]: Accepted password for minh from 203.0.113.9 port 40113 ssh2\n" * 50)
    assert vonggac("bench", "log", log, "--events", "1000", "--runs", "1").status == 0
    assert vonggac("bench", "log", tmp_path / "gone").status == 2


def test_answers_of_a_large_store_are_measured(vonggac: Command) -> None:
    ran = vonggac("bench", "store", "--search", "10000", "--runs", "1")
    assert ran.status == 0, ran.err
    assert {row["unit"] for row in ran.rows} == {"ms"}
    assert "search: host and event code, last hour" in [row["name"] for row in ran.rows]


def test_the_whole_service_is_loaded_and_counted(vonggac: Command) -> None:
    """Nothing is lost or doubled, each marked line is alerted on: else the exit status is 1."""
    ran = vonggac("bench", "pipeline", "--rate", "200", "--seconds", "5")
    assert ran.status == 0, (ran.out, ran.err)
    figures = ran.rows[0]["figures"]
    assert (figures["lost"], figures["alerts_doubled"]) == (0, 0)
    assert figures["alerts_seen"] == figures["alerts_expected"] > 10
    assert figures["stored"] >= 700, "both senders sent"
