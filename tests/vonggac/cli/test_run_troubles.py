"""What the service does when the surroundings go wrong: a full disk, a poisonous record, a reload, a lost terminal."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service import Service, cleared, counted
from vonggac.pipeline.pages import pages

SSH = "<38>Mar  1 08:00:00 web1 sshd[{}]: Accepted password for root from 203.0.113.9 port 4711 ssh2"
RULE = """title: A test rule
id: 5b6f1a52-6c3a-4d0e-9d0b-0f4f6f0f7a11
status: test
logsource:
  product: linux
  service: sshd
detection:
  keywords: ['a word of the test']
  condition: keywords
level: low
"""
#: the processes of the service load it at their start: decoding this record is their end
DEADLY = """
import os, signal
from vonggac.event import Event
decode = Event.from_json.__func__
def from_json(cls, line):
    if b'"deadly"' in line:
        os.kill(os.getpid(), signal.SIGSEGV)
    return decode(cls, line)
Event.from_json = classmethod(from_json)
"""


class OnSmallDisk(Service):
    """The service on a disk of 300 MB that only it sees: a tmpfs in a mount namespace of its own."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, VONGGAC_LOG__FLOOR_GB="0.1")
        self.mounted = data
        data.mkdir()

    def command(self) -> list[str]:
        script = 'mount -t tmpfs -o size=300m none "$1" && shift && exec "$@"'
        return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(self.mounted)]

    def seen(self) -> None:
        """Look at the data as the service does."""
        assert self.process is not None
        self.data = Path(f"/proc/{self.process.pid}/root{self.mounted}")

    def copied(self, target: Path) -> Service:
        """Give a service over a copy of the store: SQLite follows no path through /proc."""
        shutil.copytree(self.data / "store", target / "store")
        return Service(target)


def test_a_full_disk_stops_the_taking_in_and_loses_nothing(tmp_path: Path) -> None:
    service = OnSmallDisk(tmp_path / "data")
    try:
        service.begin(prefix=service.command())
        service.seen()
        service.ready()
        filler = service.data / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 230 << 20)
        service.tcp(*(SSH.format(one) for one in range(100)))
        lines = [b'{"@timestamp":"2026-03-01T00:00:00Z","event":{"id":"%d"}}' % one for one in range(50)]
        service.drop("a.json", b"\n".join(lines))
        service.until(lambda: "the disk is at its floor" in service.err)
        assert service.get("/readyz")[0] == 200
        assert service.logged("events") == []
        filler.unlink()
        service.until(lambda: pages(service.data)["store-0"].shown()[0].get('saved_total{topic="events"}') == 150)
        stored = service.copied(tmp_path / "copy").stored()
        events = counted(stored, "event", lambda doc: doc["event"]["id"])
        assert (len(events), set(events.values())) == (150, {1})
        assert service.err.count("the disk is at its floor") == 1, "said once"
        assert "there is room again" in service.err
        assert service.stop() == 0
    finally:
        service.close()


def test_new_rules_are_taken_on_sighup_without_losing_an_event(service: Service, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    other = RULE.replace("a word of the test", "nothing says this").replace("5b6f1a52", "5b6f1a53")
    (tmp_path / "rules" / "first.yml").write_text(other)
    service.environ["VONGGAC_RULES__PACKS"] = str(tmp_path / "rules")
    service.start()
    assert service.process is not None
    old = service.pids()
    service.tcp("<38>Mar  1 08:00:00 web1 sshd[1]: a word of the test")
    (tmp_path / "rules" / "second.yml").write_text(RULE)
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: service.pids().get("detect-0", old["detect-0"]) != old["detect-0"])
    service.tcp("<38>Mar  1 08:00:00 web1 sshd[2]: a word of the test")
    service.until(lambda: len(service.shown()) == 1)
    new = service.pids()
    assert {name for name in old if old[name] != new[name]} == {"detect-0"}, "nobody else was touched"
    assert service.stop() == 0
    assert len(counted(service.stored(), "event", lambda doc: doc["event"]["id"])) == 2


def test_rules_that_cannot_be_read_leave_the_old_ones(service: Service, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "first.yml").write_text(RULE)
    service.environ["VONGGAC_RULES__PACKS"] = str(tmp_path / "rules")
    service.start()
    assert service.process is not None
    (tmp_path / "rules" / "first.yml").unlink()
    (tmp_path / "rules").rmdir()
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: "the old ones stay" in service.err)
    service.tcp("<38>Mar  1 08:00:00 web1 sshd[1]: a word of the test")
    service.until(lambda: len(service.shown()) == 1)
    assert service.stop() == 0


def test_settings_that_only_a_role_can_judge_are_taken_back(service: Service, tmp_path: Path) -> None:
    """On SIGHUP: the listeners' address cannot be used; the service goes on with the old one and says so."""
    toml = tmp_path / "vonggac.toml"
    listen = service.environ.pop("VONGGAC_SYSLOG__LISTEN")
    toml.write_text(f'[syslog]\nlisten = "{listen}"\n')
    service.environ["VONGGAC_CONFIG"] = str(toml)
    service.start()
    assert service.process is not None
    toml.write_text('[syslog]\nlisten = "5514"\n')
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: "the new settings are refused by collect-0" in service.err)
    assert "syslog.listen: '5514'" in service.err
    service.until(lambda: "collect-0" in service.pids())
    service.tcp(SSH.format(1))
    service.until(lambda: len(service.shown()) == 1)
    assert service.stop() == 0


def test_rules_that_do_not_run_are_named_at_the_start(service: Service, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "bad.yml").write_text(RULE.replace("condition: keywords", "condition: nothing"))
    service.environ["VONGGAC_RULES__PACKS"] = str(tmp_path / "rules")
    service.start()
    assert "bad.yml" in service.err
    assert "rule refused" in service.err
    assert service.stop() == 0


def test_a_record_that_ends_the_detect_process_is_put_aside(service: Service, tmp_path: Path) -> None:
    """A segmentation fault on one record: after three deaths it is found, goes to `dead`, and all others are judged."""
    (tmp_path / "sitecustomize.py").write_text(DEADLY)
    service.environ["PYTHONPATH"] = str(tmp_path)
    service.start()
    lines = [cleared(one) for one in range(40)]
    lines[23]["message"] = "deadly"
    assert service.post(lines) == 200
    service.until(lambda: len(service.shown()) == 39)
    dead = service.logged("dead")
    assert [one["error"]["message"] for one in dead] == ["it ended the task `detect` three times (SIGSEGV): put aside"]
    assert "deadly" in dead[0]["event"]["original"]
    assert service.err.count("detect-0 ended (SIGSEGV)") == 3
    service.until(lambda: service.ill() == ["health/role-restarts"])
    assert service.post([cleared(50)]) == 200
    service.until(lambda: len(service.shown()) == 40)
    service.until(lambda: len(counted(service.stored(), "pipeline_error", lambda doc: doc["event"]["id"])) == 1)
    assert service.stop() == 0


def test_a_killed_service_leaves_no_process_behind(service: Service) -> None:
    service.start()
    roles = [page.pid for page in pages(service.data).values()]
    service.kill("supervisor-0")

    def gone(pid: int) -> bool:
        try:
            return b"Z" in Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        except FileNotFoundError:
            return True

    service.until(lambda: all(map(gone, roles)))


@pytest.mark.parametrize("topic", ["events", "alerts"])
def test_a_search_names_what_it_cannot_read(service: Service, vonggac: Callable[..., Any], topic: str) -> None:
    service.start()
    assert service.post([cleared(1)]) == 200
    service.until(lambda: len(service.stored()) == 2)
    assert service.stop() == 0
    for path in (service.data / "store" / "events").glob("*.parquet"):
        path.write_bytes(b"?" * 100)
    ran = vonggac("hunt", "--where", f'event.kind = "{topic[:-1]}"', "--json", environ=service.environ)
    assert ran.status == 3
    assert ran.err


def test_a_signal_to_the_whole_group_ends_it_in_order(service: Service) -> None:
    """A terminal, `timeout` or a service manager sends SIGTERM to every process: only the supervisor means it."""
    service.begin(prefix=["setsid", "--wait"])
    service.ready()
    pid = service.told["pid"]
    service.tcp(*(SSH.format(one) for one in range(50)))
    service.until(lambda: pages(service.data)["collect-0"].shown()[0].get("events_total") == 50)
    os.killpg(os.getpgid(pid), signal.SIGTERM)
    assert service.wait() == 0
    assert "started again" not in service.err
    assert len(counted(service.stored(), "event", lambda doc: doc["event"]["id"])) == 50
