"""`vonggac check` as it is run: each finding says what to do; a fault gives exit status 1."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connectors.embedded_log import EmbeddedLog, World
from tests.service import Service, cleared
from vonggac.cli import _findings_state as state
from vonggac.logport import Out

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]


def one(ran: Ran, what: str) -> dict[str, Any]:
    (found,) = [row for row in ran.rows if row["what"] == what]
    return found


# ----------------------------------------------- the machine and the settings


def test_a_fresh_machine_is_in_order(vonggac: Command) -> None:
    ran = vonggac("check", environ={"VONGGAC_SYSLOG__LISTEN": "127.0.0.1:0", "VONGGAC_CONSOLE__LISTEN": "127.0.0.1:0"})
    findings = {row["what"]: row for row in ran.rows}
    assert ran.status == 0, ran.out
    wanted = {"settings", "version", "rules: sigma", "rules: yara", "tshark", "installed files", "SQLite", "DuckDB"}
    wanted |= {"disk", "clock", "settings of the service", "service", "retention", "rights"}
    assert wanted <= set(findings)
    assert findings["rules: sigma"]["detail"] == "25 loaded, 0 refused"
    assert findings["service"]["detail"] == "not running"
    assert all(row["do"] for row in ran.rows if row["state"] != "ok")


def test_faults_say_what_to_do(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the state folder should be")
    ran = vonggac("check")
    fault = one(ran, "data")
    assert ran.status == 1
    assert fault["state"] == "fail"
    assert "--data" in fault["do"]


def test_an_unknown_pack_is_a_fault(vonggac: Command) -> None:
    ran = vonggac("check", environ={"VONGGAC_RULES__PACKS": "nowhere"})
    assert ran.status == 1
    assert "no rule pack 'nowhere'" in ran.out


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"VONGGAC_INTAKE__LISTEN": "127.0.0.1:0", "VONGGAC_INTAKE__TOKEN": "short"},
            "intake.token: at least 16 characters",
        ),
        ({"VONGGAC_SYSLOG__ZONE": "Mars"}, "syslog.zone: 'Mars' is no time zone"),
        (
            {"VONGGAC_FOLLOW__ZONE": "Mars", "VONGGAC_FOLLOW__PATHS": "/srv/a.log"},
            "follow.zone: 'Mars' is no time zone",
        ),
        ({"VONGGAC_FOLLOW__UNITS": '{ "/srv/a.log" = "so-yte" }'}, "follow.units: /srv/a.log: is none of follow.paths"),
    ],
)
def test_settings_that_run_refuses(vonggac: Command, settings: dict[str, str], says: str) -> None:
    ran = vonggac("check", environ=settings)
    fault = one(ran, "settings of the service")
    assert ran.status == 1
    assert fault["detail"].startswith(says)


def test_less_than_twelve_months(vonggac: Command) -> None:
    refused = vonggac("check", environ={"VONGGAC_STORE__KEEP_DAYS": "90"})
    meant = vonggac("check", environ={"VONGGAC_STORE__KEEP_DAYS": "90", "VONGGAC_STORE__SHORT_RETENTION": "true"})
    assert one(refused, "retention")["state"] == "fail"
    assert one(meant, "retention")["state"] == "warn"


def test_a_clock_behind_the_log_is_seen(vonggac: Command, data: Path) -> None:
    later = datetime.now(UTC) + timedelta(hours=5)
    task = EmbeddedLog(data / "log", world=World(clock=lambda: later)).join("collect", (), 0, 1)
    task.start()
    task.commit([Out("events", b'{"n":1}')], {}, {})
    task.close()
    assert "5 h behind" in one(vonggac("check"), "clock")["detail"]


# -------------------------------------------------- the service and its state


def test_a_service_that_runs_stops_and_is_killed(service: Service, vonggac: Command) -> None:
    service.start()
    assert service.post([cleared(number) for number in range(20)]) == 200
    service.until(lambda: bool(service.data.joinpath("store", "catalogue.sqlite").exists() and service.stored()))
    ran = vonggac("check", environ=service.environ)
    assert ran.status == 0, ran.out
    assert one(ran, "service")["state"] == "ok"
    assert "detect-0" in one(ran, "service")["detail"]
    assert one(ran, "intake.listen (TCP)")["state"] == "ok"
    assert one(ran, "log: store")["state"] == "ok"
    assert one(ran, "store")["state"] == "ok"
    service.stop()
    assert one(vonggac("check", environ=service.environ), "service")["detail"] == "stopped"
    service.start()
    service.kill("supervisor-0")
    killed = one(vonggac("check", environ=service.environ), "service")
    assert (killed["state"], killed["detail"]) == ("warn", "it ended without being told to")


def test_a_lock_is_looked_at_and_not_taken(service: Service) -> None:
    assert state.running(service.data) == frozenset()
    service.start()
    assert state.running(service.data) == {"collect", "detect", "store", "desk"}
    assert service.stop(signal.SIGTERM) == 0
    assert state.running(service.data) == frozenset()


def test_damage_in_the_log_is_named(vonggac: Command, data: Path) -> None:
    task = EmbeddedLog(data / "log").join("collect", (), 0, 1)
    task.start()
    for number in range(3):
        task.commit([Out("events", b'{"n":"%d"}' % number * 20)], {}, {})
    task.close()
    whole = one(vonggac("check"), "log")
    (segment,) = data.glob("log/collect-0/*.vglog.zst")
    content = bytearray(segment.read_bytes())
    content[-3] ^= 1  # in the records of the last frame: only --deep reads those
    segment.write_bytes(content)
    shallow, deep = one(vonggac("check"), "log"), vonggac("check", "--deep")
    assert (whole["detail"], shallow["state"]) == ("1 of 1 segments looked at, none damaged", "ok")
    assert one(deep, "log")["detail"].startswith("1 places damaged: collect-0/")
    assert deep.status == 1
    content[3] ^= 1
    segment.write_bytes(content)
    assert one(vonggac("check"), "log")["state"] == "fail"


def test_damage_in_the_store_is_named_and_a_file_put_back_is_good_again(
    service: Service, vonggac: Command, data: Path
) -> None:
    service.start()
    assert service.post([cleared(1)]) == 200
    service.until(lambda: len(service.stored()) == 2)
    service.stop()
    file, *_others = sorted((data / "store" / "events").glob("*.parquet"))
    content = file.read_bytes()
    file.write_bytes(content[:-40])
    fault = vonggac("check", "--deep")
    file.write_bytes(content)
    mended = vonggac("check", "--deep")
    assert fault.status == 1
    assert "fail" in [row["state"] for row in fault.rows if row["what"] == "store"]
    assert file.name in fault.out
    assert mended.status == 0, mended.out


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked into\n" * 100])
def test_a_catalogue_or_ledger_that_is_none(vonggac: Command, data: Path, content: bytes) -> None:
    (data / "store").mkdir()
    for name in ("store/catalogue.sqlite", "health.sqlite"):
        (data / name).write_bytes(content)
    ran = vonggac("check")
    assert ran.status == 1
    assert (one(ran, "store")["state"], one(ran, "source health")["state"]) == ("fail", "fail")
