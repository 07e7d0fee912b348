"""The file of source health: state and day rows in one transaction, rows that nobody changes unseen."""

import sqlite3
from pathlib import Path

import pytest

from connectors.health_ledger import HealthLedger, LedgerError
from vonggac.health.ledger import Day
from vonggac.health.measure import Source
from vonggac.logport import Part

PART = Part("health/collect-0.1/0")


def day(number: int, host: str = "pc1", events: int = 10) -> Day:
    return Day(f"2026-03-{number:02}", Source("syslog", host), "so-yte", events, 0, None, None, 0, 1440, None, ())


@pytest.fixture
def ledger(tmp_path: Path) -> HealthLedger:
    return HealthLedger(tmp_path / "health.sqlite")


def tamper(tmp_path: Path, *statements: str) -> None:
    """Change the file as someone would who has taken the triggers away."""
    db = sqlite3.connect(tmp_path / "health.sqlite")
    for trigger in ("days_change", "days_delete", "days_order"):
        db.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_nothing_saved_is_nothing_to_load(ledger: HealthLedger) -> None:
    assert ledger.load() is None
    assert ledger.verify() is None


def test_state_positions_and_rows_come_back(ledger: HealthLedger, tmp_path: Path) -> None:
    assert ledger.save(b"{}", {PART: 7}, [day(1), day(1, "pc2")]) == []
    assert ledger.save(b'{"more": 1}', {PART: 9}, [day(2)]) == []
    again = HealthLedger(tmp_path / "health.sqlite")
    assert again.load() == (b'{"more": 1}', {PART: 9})
    assert [row.number for row in again.rows()] == [1, 2, 3]
    assert [row.number for row in again.rows("2026-03-02")] == [3]
    assert again.verify() is None
    assert again.head()[0] == 3


def test_a_row_again_after_a_replay_is_no_second_row(ledger: HealthLedger) -> None:
    ledger.save(b"{}", {}, [day(1)])
    assert ledger.save(b"{}", {}, [day(1)]) == []
    assert len(list(ledger.rows())) == 1
    assert ledger.verify() is None


def test_another_row_for_the_same_day_is_refused_and_said(ledger: HealthLedger) -> None:
    ledger.save(b"{}", {}, [day(1)])
    (bad,) = ledger.save(b"new", {PART: 3}, [day(1, events=11), day(2)])
    assert "refused" in bad.reason
    assert bad.place == "2026-03-01, syslog pc1"
    assert [row.body.count('"events":10') for row in ledger.rows()] == [1, 1], "the first stays, the others go on"
    assert ledger.load() == (b"new", {PART: 3})


def test_rows_of_a_save_that_failed_come_with_the_next(ledger: HealthLedger, tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "health.sqlite", isolation_level=None)
    db.execute("CREATE TRIGGER full BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    with pytest.raises(OSError, match=r"health\.sqlite: disk is full"):
        ledger.save(b"1", {PART: 1}, [day(1)])
    assert list(ledger.rows()) == [], "all or nothing"
    db.execute("DROP TRIGGER full")
    db.close()
    ledger.save(b"2", {PART: 2}, [day(2)])
    assert [row.body[8:18] for row in ledger.rows()] == ["2026-03-01", "2026-03-02"]


def test_rows_can_neither_be_changed_nor_deleted_nor_put_between(ledger: HealthLedger, tmp_path: Path) -> None:
    ledger.save(b"{}", {}, [day(1), day(2)])
    db = sqlite3.connect(tmp_path / "health.sqlite")
    for statement in (
        "UPDATE days SET body = '' WHERE number = 1",
        "DELETE FROM days",
        "INSERT OR REPLACE INTO days VALUES (1, 'a', 'b', 'c', 'd', 'e')",
        "INSERT INTO days VALUES (4, 'a', 'b', 'c', 'd', 'e')",
    ):
        with pytest.raises(sqlite3.DatabaseError, match="day rows are"):
            db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE days SET body = replace(body, '\"events\":10', '\"events\":99') WHERE number = 2",
            "row 2 was changed",
        ),
        ("DELETE FROM days WHERE number = 2", "row 2 is missing"),
        ("DELETE FROM days WHERE number = 3", "ends at row 2"),
        ("UPDATE days SET number = 9 WHERE number = 1", "row 1 is missing"),
        ("UPDATE days SET \"before\" = 'x' WHERE number = 2", "row 2 does not follow row 1"),
    ],
)
def test_verify_finds_what_was_changed_cut_or_moved(
    ledger: HealthLedger, tmp_path: Path, statement: str, said: str
) -> None:
    ledger.save(b"{}", {}, [day(1), day(2), day(3)])
    tamper(tmp_path, statement)
    assert said in str(ledger.verify())


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "health.sqlite").write_bytes(b"not a database, but long enough to look like one" * 20)
    with pytest.raises(LedgerError, match=r"health\.sqlite"):
        HealthLedger(tmp_path / "health.sqlite")


def test_a_newer_format_is_refused(ledger: HealthLedger, tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "health.sqlite")
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(LedgerError, match="format 9"):
        HealthLedger(tmp_path / "health.sqlite")


def test_a_damaged_state_is_named(ledger: HealthLedger, tmp_path: Path) -> None:
    ledger.save(b"{}", {}, [])
    tamper(tmp_path, "UPDATE state SET snapshot = x'00'")
    with pytest.raises(LedgerError, match="damaged"):
        ledger.load()
