"""The supervisor starts roles, starts them again, finds out on what they die, and ends them in order.

The roles here are small scripts; the real ones run in tests/vonggac/cli/test_run.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vonggac.pipeline.pages import Page, State, page_of

ROOT = Path(__file__).parents[3]
#: a supervisor with the roles a and b; what a role does is a file of its name, read at each start
SUPERVISOR = """
import ctypes, pathlib, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans come here, as to PID 1
from vonggac.pipeline import supervisor
from vonggac.pipeline.supervisor import Role, Supervisor
supervisor.STUCK_S = float(sys.argv[3])
data = pathlib.Path(sys.argv[1])
names = sys.argv[2].split(",")
def roles(stamp=0):
    return [Role(name, 0, 1, {"stamp": stamp}) for name in names]
def reload():
    text = (data / "reload").read_text()
    return None if text == "refuse" else roles(int(text))
def tell(line):
    if line != "WATCHDOG=1":
        with open(data / "told", "a") as file:
            print(line.partition("\\n")[0], file=file)
command = [sys.executable, "-c", (data / "role.py").read_text(), str(data)]
sys.exit(Supervisor(data, command, roles(), reload, tell).run(lambda: print("ready", flush=True)))
"""
ROLE = """
import json, os, pathlib, select, signal, sys, time
from vonggac.pipeline.pages import Page, State, page_of
spec = json.loads(open(0, 'rb', buffering=0, closefd=False).readline())
data, name = pathlib.Path(sys.argv[1]), spec["role"]
page = Page.create(page_of(data, name + "-0"))
log = open(data / "log", "a", buffering=1)
print(name, "start", spec["stamp"], spec["suspects"], file=log)
def end(*_):
    print(name, "end", file=log)
    sys.exit(0)
signal.signal(signal.SIGUSR1, end)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
exec((data / name).read_text() if (data / name).exists() else "")
page.set_state(State.READY)
while not select.select([0], [], [], 0.02)[0]:  # the end of standard input is the end of the supervisor
    page.beat()
"""


class Running:
    def __init__(self, data: Path, roles: str, stuck_s: float) -> None:
        self.data = data
        (data / "role.py").write_text(ROLE)
        with (data / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, data, roles, str(stuck_s)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=err,
            )

    @property
    def log(self) -> list[str]:
        path = self.data / "log"
        return path.read_text().splitlines() if path.exists() else []

    def ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def pid(self, role: str) -> int:
        return Page(page_of(self.data, f"{role}-0")).pid

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def begin(roles: str = "collect,store", stuck_s: float = 60) -> Running:
        running.append(Running(tmp_path, roles, stuck_s))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()


def test_roles_end_in_the_order_of_an_events_way(start: Callable[..., Running]) -> None:
    service = start("store,desk,collect,detect")
    service.ready()
    assert service.end() == 0
    assert [line for line in service.log if "end" in line] == ["collect end", "detect end", "store end", "desk end"]


def test_ctrl_c_is_130(start: Callable[..., Running]) -> None:
    service = start()
    service.ready()
    assert service.end(signal.SIGINT) == 130


def test_a_killed_role_is_started_again(start: Callable[..., Running]) -> None:
    service = start()
    service.ready()
    first = service.pid("store")
    os.kill(first, signal.SIGKILL)
    until(lambda: service.log.count("store start 0 ") == 2 and service.pid("store") != first)
    assert service.end() == 0
    assert b"store-0 ended (SIGKILL)" in (service.data / "err").read_bytes()


def test_three_deaths_at_one_place_make_it_a_suspect(start: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / "store").write_text("page.work('events/c.1/0 12')\nif not spec['suspects']: os.kill(os.getpid(), 9)")
    service = start()
    service.ready()
    starts = [line for line in service.log if line.startswith("store")]
    assert starts == ["store start 0 "] * 3 + ["store start 0 events/c.1/0 12"]


def test_deaths_at_different_places_suspect_nothing(start: Callable[..., Running], tmp_path: Path) -> None:
    script = "n = len([1 for line in open(data / 'log') if 'store start' in line])\n"
    script += "page.work(f'events/c.1/0 {n}')\nif n < 5: os.kill(os.getpid(), 9)"
    (tmp_path / "store").write_text(script)
    service = start()
    service.ready()
    assert {line for line in service.log if line.startswith("store")} == {"store start 0 "}


def test_a_role_without_a_sign_of_life_is_ended_and_started_again(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    (tmp_path / "store").write_text(
        "if sum('store start' in line for line in open(data / 'log')) == 1:\n"
        "    page.set_state(State.READY)\n    time.sleep(3600)"
    )
    service = start(stuck_s=0.5)
    until(lambda: service.log.count("store start 0 ") == 2)
    assert service.end() == 0
    assert b"no sign of life" in (service.data / "err").read_bytes()


def test_a_role_that_cannot_run_at_all_ends_the_service(start: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / "collect").write_text("sys.exit(78)")
    service = start()
    assert service.process.wait(30) == 2


def test_roles_die_with_a_supervisor_that_is_killed(start: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / "collect").write_text("from vonggac.cli._role import die_with_parent\ndie_with_parent()")
    service = start("collect")
    service.ready()
    role = service.pid("collect")
    service.process.kill()
    service.process.wait()
    until(lambda: not Path(f"/proc/{role}").exists() or "Z" in Path(f"/proc/{role}/stat").read_text().split()[2])


def test_sighup_replaces_what_is_told_something_else(start: Callable[..., Running], tmp_path: Path) -> None:
    service = start("detect,store")
    service.ready()
    (tmp_path / "reload").write_text("refuse")
    service.process.send_signal(signal.SIGHUP)
    (tmp_path / "reload").write_text("0")
    service.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert len(service.log) == 2, "nothing changed"
    (tmp_path / "reload").write_text("7")
    service.process.send_signal(signal.SIGHUP)
    until(lambda: {"detect start 7 ", "store start 7 ", "detect end", "store end"} <= set(service.log))
    until(lambda: Page(page_of(tmp_path, "store-0")).state is State.READY)
    detect = [line for line in service.log if line.startswith("detect")]
    assert detect == ["detect start 0 ", "detect start 7 ", "detect end"], (
        "the new one is ready before the old one goes"
    )
    assert service.end() == 0


@pytest.mark.parametrize("role", ["detect", "store"])
def test_new_settings_that_a_role_cannot_run_with_are_taken_back(
    start: Callable[..., Running], tmp_path: Path, role: str
) -> None:
    (tmp_path / role).write_text("if spec['stamp'] == 7: sys.exit(78)")
    service = start("detect,store")
    service.ready()
    (tmp_path / "reload").write_text("7")
    service.process.send_signal(signal.SIGHUP)
    until(lambda: "the old ones stay" in (tmp_path / "err").read_text())
    until(lambda: role == "detect" or service.log.count("store start 0 ") == 2)
    starts = [line for line in service.log if line.startswith(f"{role} start")]
    assert starts == [f"{role} start 0 ", f"{role} start 7 "] + [f"{role} start 0 "] * (role == "store")
    (tmp_path / "reload").write_text("8")
    service.process.send_signal(signal.SIGHUP)
    until(lambda: f"{role} start 8 " in service.log)
    assert service.end() == 0


def test_what_is_left_to_it_is_reaped(start: Callable[..., Running], tmp_path: Path) -> None:
    """As PID 1 it gets orphans: here a role leaves one behind."""
    (tmp_path / "collect").write_text(
        "if os.fork() == 0:\n    if orphan := os.fork():\n"
        "        (data / 'orphan').write_text(str(orphan))\n        os._exit(0)\n"
        "    time.sleep(0.3)\n    os._exit(0)\nos.wait()"
    )
    service = start("collect")
    service.ready()
    orphan = int((tmp_path / "orphan").read_text())
    until(lambda: not Path(f"/proc/{orphan}").exists())  # a zombie has its folder
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    assert children == [str(service.pid("collect"))]
    assert service.end() == 0


def test_a_service_manager_hears_of_start_reload_and_stop(start: Callable[..., Running]) -> None:
    service = start()
    service.ready()
    (service.data / "reload").write_text("refuse")
    service.process.send_signal(signal.SIGHUP)
    told = service.data / "told"
    until(lambda: told.exists() and told.read_text().count("READY=1") == 2)
    assert service.end() == 0
    assert told.read_text().splitlines() == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
