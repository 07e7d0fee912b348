"""What `vonggac check` finds in the state folder: rights, what roles tell, lag, day rows, room, the inbox."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.health_ledger import HealthLedger
from vonggac.cli import _findings_state as state
from vonggac.health.ledger import Day
from vonggac.health.measure import Source
from vonggac.logport import Lag, Part
from vonggac.people.units import Unit, save
from vonggac.pipeline.pages import Page, State, page_of
from vonggac.settings import load
from vonggac.testing import NOW

GIB = 1 << 30


@pytest.mark.parametrize(("mode", "how"), [(0o700, "ok"), (0o755, "warn"), (0o777, "fail")])
def test_a_state_folder_that_others_see(data: Path, mode: int, how: str) -> None:
    data.chmod(mode)
    (found,) = state.rights(data)
    assert found.state == how


def test_what_roles_tell_of_themselves(data: Path) -> None:
    collect, store, own = (Page.create(page_of(data, name)) for name in ("collect-0", "store-0", "supervisor-0"))
    collect.set_state(State.READY)
    collect.publish({'intake_dropped_kernel_total{intake="syslog-udp"}': 7, 'intake_ended_total{intake="journald"}': 2})
    store.publish({"full": 1, "lost_total": 3})
    own.publish({'restarts_total{instance="detect-0"}': 4})
    found = list(state.service(data, frozenset({"collect", "store"})))
    assert [(one.what, one.state) for one in found if one.state == "fail"] == [("service: store-0", "fail")]
    details = "\n".join(one.detail for one in found)
    for said in (
        "not running: detect, desk",
        "detect-0 ×4",
        "syslog-udp: 7 lost",
        "journald ended 2 times",
        "starting, for",
        "3 records lost",
    ):
        assert said in details
    assert all(one.do for one in found)


def test_a_group_that_is_behind() -> None:
    part = Part("events/collect-0.00/0")

    def judged(oldest_s: float | None, *, running: bool) -> tuple[str, str]:
        (found,) = state.lag("detect", {part: Lag(0, 50, 10, oldest_s)}, running)
        return found.state, found.detail

    assert judged(3, running=True) == ("ok", "40 records wait")
    assert judged(130, running=True) == ("warn", "40 records wait, the oldest for 2 min")
    assert judged(4_000, running=True)[0] == "fail"
    assert judged(4_000, running=False)[0] == "warn"
    assert list(state.lag("detect", {}, running=True)) == []


def test_day_rows_that_somebody_changed(data: Path) -> None:
    ledger = HealthLedger(data / "health.sqlite")
    source = Source("syslog", "pc1", "")
    ledger.save(b"", {}, [Day(f"2026-03-0{n}", source, "so-yte", 10, 0, None, None, 0, 9, None, ()) for n in (1, 2)])
    (whole,) = state.health(data)
    assert (whole.state, whole.detail) == ("ok", "2 day rows, whole")
    with ledger._open() as db:
        db.execute("DROP TRIGGER days_change")
        db.execute("UPDATE days SET body = replace(body, '10', '11') WHERE number = 1")
    (changed,) = state.health(data)
    assert changed.state == "fail"


def test_twelve_months_that_will_not_fit() -> None:
    began = int((NOW - timedelta(days=10)).timestamp() * 1e6)
    tight = state.room(10 * GIB, began, NOW, 100 * GIB)
    assert (tight.state, tight.detail) == ("warn", "collected since 2026-02-19: 10.0 GiB, 365 GiB in 12 months")
    assert state.room(10 * GIB, began, NOW, 500 * GIB).state == "ok"
    assert state.room(10 * GIB, int(NOW.timestamp() * 1e6), NOW, 0).state == "ok"


def test_folders_of_the_inbox_that_are_no_unit(data: Path) -> None:
    for name in ("so-yte", "so-y-te", ".failed"):
        (data / "inbox" / name).mkdir(parents=True)
    (data / "inbox" / ".failed" / "broken.evtx").write_bytes(b"")
    environ = {"VONGGAC_DATA": str(data), "VONGGAC_JOURNALD__UNIT": "so-ytee"}
    (failed,) = state.inbox(load(None, environ))
    assert "1 files in inbox/.failed" in failed.detail
    save([Unit("so-yte", "Sở Y tế", None, (), ())], data / "units.json")
    strange, _failed = state.inbox(load(None, environ))
    assert strange.detail == "no unit of the table: inbox/so-y-te, journald.unit = so-ytee"


def test_only_the_unit_default_itself_needs_no_table(data: Path) -> None:
    save([Unit("so-yte", "Sở Y tế", None, (), ())], data / "units.json")
    for name in ("default", "so-default"):
        (data / "inbox" / name).mkdir(parents=True)
    (strange,) = state.inbox(load(None, {"VONGGAC_DATA": str(data)}))
    assert strange.detail == "no unit of the table: inbox/so-default"


def test_an_inbox_that_cannot_be_looked_into_is_told(data: Path) -> None:
    (data / "inbox").write_bytes(b"")
    (found,) = state.inbox(load(None, {"VONGGAC_DATA": str(data)}))
    assert (found.state, found.detail) == ("fail", f"{data / 'inbox'}: Not a directory")
