"""`vonggac check`: each finding says what to do; a fault gives exit status 1."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from connectors.embedded_log import EmbeddedLog, World
from connectors.embedded_store import EmbeddedStore
from connectors.health_ledger import HealthLedger
from tests.service import Service, cleared, free_ports
from vonggac.cli import _findings_machine as machine
from vonggac.cli import _findings_net as net
from vonggac.cli import _findings_state as state
from vonggac.health.ledger import Day
from vonggac.health.measure import Source
from vonggac.logport import Lag, Out, Part
from vonggac.people.units import Unit, save
from vonggac.pipeline.pages import Page, State, page_of
from vonggac.settings import load

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
GIB = 1 << 30


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o750)
    return made


def one(ran: Ran, what: str) -> dict[str, Any]:
    (found,) = [row for row in ran.rows if row["what"] == what]
    return found


# ---------------------------------------------------------------------- the whole


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


# -------------------------------------------------------------------- the machine


def test_an_old_sqlite_is_a_fault_only_where_the_catalogue_is_in_wal_mode(data: Path) -> None:
    assert machine.sqlite("3.53.4", write_ahead=True).state == "ok"
    assert machine.sqlite("3.40.1", write_ahead=False).state == "warn"
    fault = machine.sqlite("3.51.2", write_ahead=True)
    assert fault.state == "fail"
    assert "pysqlite3" in fault.do
    EmbeddedStore(data / "store")
    sqlite, duckdb = machine.versions(data / "store")
    assert (sqlite.state, duckdb.state) == ("ok", "ok")


@pytest.mark.parametrize(
    ("free", "total", "files", "how", "says"),
    [
        (300 * GIB, 1000 * GIB, 100, "ok", "300 GiB free (30%)"),
        (140 * GIB, 1000 * GIB, 100, "warn", "14%"),
        (90 * GIB, 1000 * GIB, 100, "warn", "9%"),
        (40 * GIB, 1000 * GIB, 100, "fail", "4%"),
        (1 * GIB, 4 * GIB, 100, "fail", "1 GiB free"),
        (300 * GIB, 1000 * GIB, 1, "fail", "1 more files fit"),
    ],
)
def test_the_disk_is_judged_by_the_marks_of_the_service(
    free: int, total: int, files: int, how: str, says: str, tmp_path: Path
) -> None:
    stats = os.statvfs_result((4096, 4096, total >> 12, free >> 12, free >> 12, 100, files, files, 0, 255))
    found = machine.disk(tmp_path, 2 * GIB, stats)
    assert found.state == how
    assert says in found.detail
    assert bool(found.do) == (how != "ok")


def test_a_clock_that_is_wrong_set_back_or_left_alone() -> None:
    hour_later = NOW + timedelta(hours=3)
    assert machine.clock(NOW, synchronised=True, newest=NOW).state == "ok"
    assert machine.clock(NOW, synchronised=None, newest=None).detail == "2026-03-01T15:00:00+07:00"
    assert machine.clock(NOW, synchronised=False, newest=None).state == "warn"
    assert "3 h behind the newest record" in machine.clock(NOW, synchronised=True, newest=hour_later).detail
    assert machine.clock(datetime(1970, 1, 2, tzinfo=UTC), synchronised=True, newest=None).state == "fail"
    assert machine.synchronised() in (True, False, None)


def test_a_clock_behind_the_log_is_seen(vonggac: Command, data: Path) -> None:
    later = datetime.now(UTC) + timedelta(hours=5)
    task = EmbeddedLog(data / "log", world=World(clock=lambda: later)).join("collect", (), 0, 1)
    task.start()
    task.commit([Out("events", b'{"n":1}')], {}, {})
    task.close()
    assert "5 h behind" in one(vonggac("check"), "clock")["detail"]


def test_a_small_receive_buffer_says_the_line_that_mends_it() -> None:
    (small,) = machine.buffer(32 << 20, 212_992, mighty=False)
    assert small.state == "warn"
    assert small.do == "sysctl -w net.core.rmem_max=33554432"
    assert [found.state for found in machine.buffer(32 << 20, 64 << 20, mighty=False)] == ["ok"]
    assert list(machine.buffer(32 << 20, 212_992, mighty=True)) == []
    assert list(machine.buffer(32 << 20, None, mighty=False)) == []


# ------------------------------------------------------- addresses, files, rights


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_of_another_process_is_a_fault_and_one_of_our_service_is_not(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        settings = load(None, {"VONGGAC_SYSLOG__LISTEN": f"127.0.0.1:{port}", "VONGGAC_CONSOLE__LISTEN": "127.0.0.1:0"})
        name = f"syslog.listen ({'TCP' if kind == socket.SOCK_STREAM else 'UDP'})"
        (taken,) = [found for found in net.ports(settings, frozenset()) if found.what == name]
        (ours,) = [found for found in net.ports(settings, frozenset({"collect"})) if found.what == name]
    assert taken.state == "fail"
    assert f"sport = :{port}" in taken.do
    assert ours.state == "ok"


def test_where_the_running_service_should_listen_and_does_not() -> None:
    (port,) = free_ports(1)
    settings = load(None, {"VONGGAC_CONSOLE__LISTEN": f"127.0.0.1:{port}", "VONGGAC_SYSLOG__LISTEN": ""})
    (found,) = net.ports(settings, frozenset({"desk"}))
    assert (found.state, "nobody listens" in found.detail) == ("warn", True)


@pytest.mark.parametrize(
    ("settings", "how", "says"),
    [
        ({"VONGGAC_SYSLOG__LISTEN": "0.0.0.0:0"}, "warn", "in plain text"),
        ({"VONGGAC_INTAKE__LISTEN": "0.0.0.0:0"}, "warn", "in plain text"),
        ({"VONGGAC_CONSOLE__LISTEN": "0.0.0.0:0"}, "fail", "no loopback address"),
        ({"VONGGAC_SYSLOG__LISTEN": "192.0.2.1:0"}, "fail", "Cannot assign requested address"),
        (
            {"VONGGAC_SYSLOG__LISTEN": "localhost"},
            "fail",
            "syslog.listen: 'localhost': an address and a port are wanted",
        ),
        ({"VONGGAC_SYSLOG__TLS__LISTEN": "0.0.0.0:0"}, "ok", "0.0.0.0:0"),
    ],
)
def test_addresses_that_are_open_to_others_or_none_of_ours(settings: dict[str, str], how: str, says: str) -> None:
    near = {"VONGGAC_CONSOLE__LISTEN": "127.0.0.1:0", "VONGGAC_SYSLOG__LISTEN": "127.0.0.1:0"}
    found = [one for one in net.ports(load(None, {**near, **settings}), frozenset()) if says in one.detail]
    assert found
    assert {one.state for one in found} == {how}


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


def test_certificates_are_read_and_their_end_is_told(tmp_path: Path) -> None:
    authority = trustme.CA()
    ends = {"long": timedelta(days=400), "short": timedelta(days=9), "gone": timedelta(days=-1)}
    for name, left in ends.items():
        made = authority.issue_cert("soc.example", not_after=datetime.now(UTC) + left)
        made.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")

    def judged(cert: str, key: str) -> tuple[str, str]:
        environ = {
            "VONGGAC_SYSLOG__TLS__LISTEN": "127.0.0.1:0",
            "VONGGAC_SYSLOG__TLS__CERT_FILE": str(tmp_path / cert),
            "VONGGAC_SYSLOG__TLS__KEY_FILE": str(tmp_path / key),
        }
        found, any_sender = net.certificates(load(None, environ), time.time())
        assert any_sender.what == "syslog.tls.ca_file"
        return found.state, found.detail

    assert judged("long.pem", "long.pem")[0] == "ok"
    assert judged("short.pem", "short.pem") == ("warn", f"{tmp_path}/short.pem: 8 days left")
    assert judged("gone.pem", "gone.pem") == ("fail", f"{tmp_path}/gone.pem: out of date")
    assert judged("long.pem", "short.pem")[0] == "fail"
    assert "No such file" in judged("none.pem", "long.pem")[1]


def test_secrets_that_others_may_read(tmp_path: Path) -> None:
    token, config = tmp_path / "token", tmp_path / "vonggac.toml"
    token.write_text("a-token-of-the-tests")
    token.chmod(0o644)
    config.write_text('[intake]\ntoken = "a-token-of-the-tests"\n')
    config.chmod(0o640)
    environ = {"VONGGAC_INTAKE__TOKEN_FILE": str(token)}
    (open_token,) = net.secrets(load(None, environ), environ, None)
    assert (open_token.state, open_token.do) == ("warn", f"chmod 0600 {token}")
    token.chmod(0o600)
    assert [found.state for found in net.secrets(load(None, environ), environ, None)] == ["ok"]
    (open_config,) = net.secrets(load(str(config), {}), {}, str(config))
    assert "vonggac.toml: others may read it (mode 0640)" in open_config.detail
    assert list(net.secrets(load(None, {}), {}, None)) == []


def test_interfaces_and_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x\n")
    paths = f"{tmp_path}/*.log:{tmp_path}/*.txt"
    settings = load(None, {"VONGGAC_CAPTURE__INTERFACES": "lo:nowhere0", "VONGGAC_FOLLOW__PATHS": paths})
    there, away = net.interfaces(settings, frozenset({"collect"}))
    assert (there.state, away.state) == ("ok", "fail")
    assert "lo" in away.do
    logs, texts = net.followed(settings)
    assert (logs.state, texts.state) == ("ok", "warn")


@pytest.mark.parametrize(("mode", "how"), [(0o700, "ok"), (0o755, "warn"), (0o777, "fail")])
def test_a_state_folder_that_others_see(data: Path, mode: int, how: str) -> None:
    data.chmod(mode)
    (found,) = state.rights(data)
    assert found.state == how


# ---------------------------------------------------------------- the state folder


@pytest.fixture
def service(data: Path) -> Iterator[Service]:
    made = Service(data)
    yield made
    made.close()


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


def test_less_than_twelve_months(vonggac: Command) -> None:
    refused = vonggac("check", environ={"VONGGAC_STORE__KEEP_DAYS": "90"})
    meant = vonggac("check", environ={"VONGGAC_STORE__KEEP_DAYS": "90", "VONGGAC_STORE__SHORT_RETENTION": "true"})
    assert one(refused, "retention")["state"] == "fail"
    assert one(meant, "retention")["state"] == "warn"


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


def test_a_lock_is_looked_at_and_not_taken(service: Service) -> None:
    assert state.running(service.data) == frozenset()
    service.start()
    assert state.running(service.data) == {"collect", "detect", "store", "desk"}
    assert service.stop(signal.SIGTERM) == 0
    assert state.running(service.data) == frozenset()
