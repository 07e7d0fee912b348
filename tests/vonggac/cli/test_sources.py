"""`vonggac sources`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from connectors.health_ledger import HealthLedger
from vonggac.cli import Context
from vonggac.cli.sources import sources
from vonggac.health.fold import Fold
from vonggac.health.measure import Measure, beat, line
from vonggac.settings import Health, load

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]

START = 1_772_384_400  # 2026-03-02 00:00 +07:00, s since 1970


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A data folder after a day and a half: pc1 sends, pc2 fell silent, a file came."""
    fold = Fold(Health())
    for at in range(START, START + 130_000, 60):
        made = [Measure("syslog", "pc1", "", "syslog", unit="so-yte", events=2, failed=1, offset_s=-2.0)]
        if at < START + 120_000:
            made.append(Measure("syslog", "pc2", "", "syslog", unit="so-yte", events=9))
        if at == START:
            made.append(Measure("evtx", "pc3", "", drill="dt-2026", bounded=True, events=5))
        fold.feed([beat("x"), *map(line, made)], datetime.fromtimestamp(at, UTC))
    (tmp_path / "data").mkdir()
    days = fold.take_days()
    HealthLedger(tmp_path / "data" / "health.sqlite").save(fold.snapshot(), {}, days)
    return tmp_path / "data"


@pytest.mark.usefixtures("measured")
def test_the_ill_ones_come_first(vonggac: Command) -> None:
    ran = vonggac("sources")
    assert ran.status == 0
    assert [(row["source"]["host"], row["state"]) for row in ran.rows] == [
        ("pc2", ["silence"]),
        ("pc3", ["file"]),
        ("pc1", ["ok"]),
    ]
    (pc1,) = [row for row in ran.rows if row["source"]["host"] == "pc1"]
    assert pc1 == {
        "source": {"collector": "syslog", "host": "pc1", "dataset": "syslog", "bounded": False, "unit": "so-yte"},
        "last": "2026-03-03T05:06:00.000000Z",
        "rate_per_hour": 120.0,
        "usual_per_hour": 120.0,
        "failed_share": 0.3333,
        "offset_s": -2.0,
        "state": ["ok"],
        "since": None,
        "as_of": "2026-03-03T05:06:00.000000Z",
    }


@pytest.mark.usefixtures("measured")
def test_days_are_listed_from_one_on(vonggac: Command) -> None:
    rows = vonggac("sources", "--days", "2026-03-02").rows
    assert [(row["source"][1], row["events"], row["watched"]) for row in rows] == [
        ("", 1440 * 11 + 5, 1440),
        ("pc1", 2_880, 1440),
        ("pc2", 12_960, 1440),
        ("pc3", 5, 1440),
    ]
    assert vonggac("sources", "--days", "2026-03-03").rows == []
    wrong = vonggac("sources", "--days", "today")
    assert wrong.status == 2
    assert "2026-03-01" in wrong.err


def test_a_changed_row_is_found(vonggac: Command, measured: Path) -> None:
    ran = vonggac("sources", "--verify")
    assert (ran.status, ran.rows[0]["valid"], ran.rows[0]["rows"]) == (0, True, 4)
    db = sqlite3.connect(measured / "health.sqlite")
    db.execute("DROP TRIGGER days_change")
    db.execute("UPDATE days SET body = replace(body, '2880', '9999')")
    db.commit()
    db.close()
    ran = vonggac("sources", "--verify")
    assert (ran.status, ran.rows[0]["valid"]) == (1, False)
    assert "row 2 was changed" in ran.err


def test_nothing_measured_is_said(vonggac: Command, tmp_path: Path) -> None:
    ran = vonggac("sources")
    assert (ran.status, ran.out) == (2, "")
    assert "nothing was measured yet" in ran.err


def test_a_damaged_file_is_named(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "health.sqlite").write_bytes(b"no database at all, and long enough to be looked at" * 99)
    ran = vonggac("sources", "--data", tmp_path)
    assert ran.status == 2
    assert "health.sqlite" in ran.err


def test_on_a_terminal_they_are_tables(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vonggac.cli.sources.wants_json", lambda _context: False)
    monkeypatch.setenv("COLUMNS", "200")
    context = Context(load(None, {"VONGGAC_DATA": str(measured)}))
    ran = CliRunner().invoke(sources, [], obj=context)
    ill, *_others = [row for row in ran.stdout.splitlines() if "pc" in row]
    assert "silent since 2026-03-03 09:19 +07:00" in ill
    assert "3 sources, 1 of them ill; as of 2026-03-03 12:06 +07:00" in ran.stderr
    days = CliRunner().invoke(sources, ["--days", "2026-03-01"], obj=context).stdout
    assert "the service itself" in days
    assert "12,960" in days
    assert CliRunner().invoke(sources, ["--verify"], obj=context).stdout.startswith("4 rows, whole")
