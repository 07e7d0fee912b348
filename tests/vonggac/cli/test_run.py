"""`vonggac run` as people run it: what comes in is judged, shown and stored, whatever is killed."""

from __future__ import annotations

import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evtx_writer import Record, evtx
from tests.service import Load, Service, counted, hold
from vonggac.pipeline.pages import pages

SSH = "<38>Mar  1 08:00:00 web1 sshd[{}]: Accepted password for root from 203.0.113.9 port 4711 ssh2"
CLEARED = Record(record_id=1, event_id=1102, channel="Security", provider="Microsoft-Windows-Eventlog")


def rules(alerts: list[dict[str, Any]]) -> list[str]:
    return sorted(alert["rule"]["name"] for alert in alerts)


def test_what_comes_in_is_shown_stored_and_there_after_everything_was_killed(
    service: Service, vonggac: Callable[..., Any]
) -> None:
    service.start()
    assert service.told["ready"] is True
    service.tcp(SSH.format(7))
    service.drop("so-yte/Security.evtx", evtx([CLEARED]))
    service.until(lambda: len(service.shown()) == 2)
    both = ["Event log cleared", "Root logged in over SSH from outside"]
    assert rules(service.shown()) == both
    assert {alert["vonggac"]["unit"] for alert in service.shown()} == {"default", "so-yte"}

    def hunted() -> list[dict[str, Any]]:
        ran = vonggac("hunt", "--where", 'event.kind = "alert"', "--json", environ=service.environ)
        return ran.rows if ran.status == 0 else []

    service.until(lambda: rules(hunted()) == both)
    assert service.get("/readyz")[0] == 200
    assert b'vonggac_alerts_total{role="detect-0"} 2' in service.get("/metrics")[1]
    service.kill("supervisor-0")
    service.start()
    service.until(lambda: rules(hunted()) == both)
    service.tcp(SSH.format(8))
    service.until(lambda: len(hunted()) == 3)
    assert service.stop() == 0
    made = [path for path in service.data.rglob("*") if "so-yte" not in path.parts]
    assert [path for path in made if path.stat().st_mode & 0o027] == [], "logs are not for everybody"
    assert not (service.data / "inbox" / "so-yte" / "Security.evtx").exists()
    assert (service.data / "inbox" / ".done" / "so-yte" / "Security.evtx").exists()


def test_a_second_service_on_the_same_data_is_refused(service: Service, vonggac: Callable[..., Any]) -> None:
    service.start()
    again = vonggac("run", environ=service.environ)
    assert again.status == 2
    assert "runs already" in again.err
    assert len(again.err.splitlines()) == 1
    role = vonggac("run", "--role", "store", environ=service.environ)
    assert (role.status, "store-0 runs already" in role.err) == (2, True)
    assert service.stop() == 0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("VONGGAC_SYSLOG__LISTEN", "5514", "syslog.listen: '5514'"),
        ("VONGGAC_CONSOLE__LISTEN", "0.0.0.0:8480", "console.listen: 0.0.0.0 is no loopback address"),
        ("VONGGAC_INTAKE__TOKEN", "short", "intake.token: at least 16 characters"),
        ("VONGGAC_STORE__KEEP_DAYS", "30", "store.keep_days = 30"),
        ("VONGGAC_RULES__PACKS", "/nowhere", "no rule pack '/nowhere'"),
        ("VONGGAC_SYSLOG__ZONE", "Moon/Base", "Moon/Base"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(service: Service, key: str, value: str, said: str) -> None:
    service.environ[key] = value
    service.begin()
    assert service.wait() == 2
    assert said in service.err
    assert "Traceback" not in service.err


def test_a_worker_is_one_of_detect(vonggac: Callable[..., Any]) -> None:
    ran = vonggac("run", "--worker", "1/2")
    assert (ran.status, "--worker goes with --role detect alone" in ran.err) == (2, True)


def test_a_port_that_is_taken_is_named(service: Service) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", service.port))
        other.listen()
        service.begin()
        assert service.wait() == 2
    assert f"127.0.0.1:{service.port}" in service.err


def test_what_was_read_is_stored_before_the_end(service: Service) -> None:
    """SIGTERM drains: what TCP had given is judged and stored, at once or by the time that is left."""
    service.start()
    service.tcp(*(SSH.format(number) for number in range(2_000)))
    service.until(lambda: "collect-0" in pages(service.data) and _events(service) >= 2_000)
    assert service.stop() == 0
    stored = service.stored()
    assert sum(counted(stored, "event", lambda doc: doc["process"]["pid"]).values()) == 2_000
    assert set(counted(stored, "alert", lambda doc: doc["process"]["pid"]).values()) == {1}


def test_ctrl_c_ends_it(service: Service) -> None:
    service.start()
    assert service.stop(signal.SIGINT) == 130


def test_roles_run_apart(tmp_path: Path) -> None:
    """As a service manager runs them: a process each, ended by SIGTERM."""
    data = tmp_path / "data"
    roles = [Service(data, **Service(data).environ) for _ in range(4)]
    environ = roles[0].environ
    try:
        for role, name in zip(roles, ("collect", "detect", "store", "desk"), strict=True):
            role.environ = environ
            role.begin("--role", name, "--alerts", "jsonl")
        one = roles[0]
        one.port = int(environ["VONGGAC_SYSLOG__LISTEN"].rpartition(":")[2])
        one.until(lambda: set(one.pids()) == {"collect-0", "detect-0", "store-0", "desk-0"})
        one.tcp(SSH.format(3))
        one.until(lambda: len(one.shown()) == 1)
        assert [role.stop() for role in roles] == [0, 0, 0, 0]
        assert len(counted(one.stored(), "alert", lambda doc: doc["event"]["id"])) == 1
    finally:
        for role in roles:
            role.close()


def test_kills_under_load_lose_and_double_nothing(service: Service) -> None:
    """24 kills at random moments, of every role and of everything at once."""
    chance = random.Random(20260301)
    service.start()
    load = Load(service)
    try:
        for round_ in range(24):
            time.sleep(chance.uniform(0.1, 0.5))
            role = ("collect-0", "detect-0", "store-0", "desk-0", "supervisor-0", "store-0")[round_ % 6]
            service.kill(role)
            if role == "supervisor-0":
                service.start()
    finally:
        load.end()
    assert len(load.sure) > 1_000
    hold(service, load)


def _events(service: Service) -> int:
    return int(pages(service.data)["collect-0"].shown()[0].get("events_total", 0))
