"""The supervisor: starts a process for each role, starts it again when it dies, and ends all of them in good order.

It imports nothing heavy and does nothing else, so that it outlives everything; it is safe as PID 1 (it reaps whatever
is left to it). Children die with it: the kernel is told so by each of them (`prctl`), and their standard input ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from vonggac.pipeline.notify import READY, STOPPING, WATCHDOG, Tell, reloading
from vonggac.pipeline.pages import Page, State, page_of
from vonggac.reading.endings import ending

_log = logging.getLogger(__name__)

#: exit statuses of a role beside 0: settings or surroundings that a new start does not mend; fenced by a new owner
UNUSABLE: Final = 78
FENCED: Final = 75
#: what asks a role to leave. Not SIGTERM: whoever sends that to the whole group (a terminal, `timeout`, a service
#: manager) means the supervisor, and roles that leave by themselves would be started again
LEAVE: Final = signal.SIGUSR1
STUCK_S: Final = 60.0  # without a heartbeat, a role that was ready is ended
_START_S: Final = 180.0  # and one that is still starting
_BACK_OFF_S: Final = (0.2, 30.0)
_WELL_S: Final = 60.0  # alive so long: the next death is a first one
_DEATHS: Final = 3  # at one place
_PHASES_S: Final = {"collect": 2.7, "detect": 2.0, "store": 2.0, "desk": 1.1}  # with the rest, below 10 s
_SIGNALS: Final = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class Role:
    """One process: `collect`, or the second of four `detect`."""

    name: str
    worker: int = 0
    workers: int = 1
    spec: Mapping[str, Any] = field(default_factory=dict)  # what the process is told, on its standard input

    @property
    def instance(self) -> str:
        """`detect-1`."""
        return f"{self.name}-{self.worker}"


@dataclass(slots=True)
class _Child:
    role: Role
    process: subprocess.Popen[bytes]
    page: Page | None
    began: float
    ready: bool = False
    leaving: bool = False  # it was asked to


@dataclass(slots=True)
class _History:
    """What happened to a role so far."""

    restarts: int = 0
    pause: float = _BACK_OFF_S[0]
    again_at: float = 0.0
    place: str = ""  # what it last died on
    deaths: int = 0  # there, in a row
    suspects: str = ""
    before: Role | None = None  # what it was told before the last reload, until it does its work with the new


class Supervisor:
    """Runs until it is told to stop. `command` starts a role's process, which reads its spec from standard input.

    `tell` is told what a service manager wants to know (`vonggac.pipeline.notify`).
    """

    def __init__(
        self,
        data: Path,
        command: Sequence[str],
        roles: Sequence[Role],
        reload: Callable[[], Sequence[Role] | None],
        tell: Tell = lambda _line: None,
    ) -> None:
        self._data, self._command, self._roles, self._reload = data, command, list(roles), reload
        self._tell = tell
        self._children: dict[int, _Child] = {}
        self._histories: dict[str, _History] = {}
        self._told_ready = False
        self._own = Page.create(page_of(data, "supervisor-0"))

    def run(self, ready: Callable[[], None]) -> int:
        """Give the exit status. `ready` is called once, when every role does its work."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for role in self._roles:
                self._start(role)
            self._own.set_state(State.READY)
            while True:
                told = signal.sigtimedwait(_SIGNALS, 0.05 if not self._told_ready else 0.5)
                number = 0 if told is None else told.si_signo
                if number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                    return self._end(130 if number == signal.SIGINT else 0)
                if number == signal.SIGHUP:
                    self._renew()
                if (status := self._reap()) is not None:
                    self._end(status)
                    return status
                self._look()
                if not self._told_ready and self._all_ready():
                    self._told_ready = True
                    ready()
                    self._tell(READY)
                self._show()
                self._tell(WATCHDOG)
        finally:
            for child in list(self._children.values()):
                child.process.kill()

    # ------------------------------------------------------------------ one child

    def _start(self, role: Role) -> None:
        history = self._histories.setdefault(role.instance, _History())
        spec = {**role.spec, "role": role.name, "worker": role.worker, "workers": role.workers}
        spec["suspects"] = history.suspects
        page = page_of(self._data, role.instance)
        page.unlink(missing_ok=True)
        process = subprocess.Popen(self._command, stdin=subprocess.PIPE, close_fds=True)
        assert process.stdin is not None  # noqa: S101  PIPE
        with contextlib.suppress(BrokenPipeError):  # it died at once: _reap says so
            process.stdin.write(orjson.dumps(spec) + b"\n")
            process.stdin.flush()
        self._children[process.pid] = _Child(role, process, None, time.monotonic())

    def _reap(self) -> int | None:
        """Take note of who died, ours or not; a status to end with when a role says that it cannot run at all."""
        while True:
            try:
                pid, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return None
            if pid == 0:
                return None
            child = self._children.pop(pid, None)
            if child is None:
                continue
            status = os.waitstatus_to_exitcode(code)
            child.process.returncode = status  # reaped here; its own wait() would find nothing
            if child.process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    child.process.stdin.close()
            if child.leaving and all(role.instance != child.role.instance for role in self._roles):
                page_of(self._data, child.role.instance).unlink(missing_ok=True)  # its figures are nobody's now
            if child.leaving or (status == FENCED and self._other(child)):
                continue
            if status == UNUSABLE and not self._told_ready:
                return 2
            if status == UNUSABLE and self._took_back(child):
                continue
            self._died(child, status)

    def _took_back(self, child: _Child) -> bool:
        """After a reload: a role that cannot run with what it is told now goes on with what it was told before."""
        history = self._histories[child.role.instance]
        if history.before is None:
            return False
        _log.error("the new settings are refused by %s (see above): the old ones stay", child.role.instance)
        self._roles = [history.before if one.instance == child.role.instance else one for one in self._roles]
        history.before, history.again_at = None, 0.0
        return True

    def _other(self, child: _Child) -> bool:
        return any(one.role.instance == child.role.instance for one in self._children.values())

    def _died(self, child: _Child, status: int) -> None:
        """Note the death, and when to start again; the third at one place makes what stood there a suspect."""
        history = self._histories[child.role.instance]
        how = ending(status)
        page = child.page or _open(page_of(self._data, child.role.instance))
        place = page.in_hand() if page is not None and page.pid == child.process.pid else ""
        if place and place == history.place:
            history.deaths += 1
        else:
            history.place, history.deaths, history.suspects = place, 1 if place else 0, ""
        if history.deaths >= _DEATHS:
            history.suspects, history.deaths = place, 0
        if time.monotonic() - child.began > _WELL_S:
            history.pause = _BACK_OFF_S[0]
        history.restarts += 1
        history.again_at = time.monotonic() + history.pause
        on = f" on {place}" if place else ""
        _log.error("%s ended (%s)%s; started again in %.1f s", child.role.instance, how, on, history.pause)
        history.pause = min(history.pause * 2, _BACK_OFF_S[1])

    def _look(self) -> None:
        """Start what is due, end what is stuck."""
        now = time.monotonic()
        running = {child.role.instance for child in self._children.values()}
        for role in self._roles:
            if role.instance not in running and self._histories[role.instance].again_at <= now:
                self._start(role)
        for child in self._children.values():
            if child.page is None or child.page.pid != child.process.pid:
                child.page = _open(page_of(self._data, child.role.instance))
                if child.page is None or child.page.pid != child.process.pid:
                    if now - child.began > _START_S:
                        child.process.kill()
                    continue
            state = child.page.state
            if state is State.READY and not child.ready:
                child.ready = True
                self._histories[child.role.instance].before = None
                self._relieve(child)
            if child.page.age_s > (STUCK_S if state is not State.STARTING else _START_S):
                _log.error("%s: no sign of life for %.0f s: ended", child.role.instance, child.page.age_s)
                child.process.kill()

    def _all_ready(self) -> bool:
        ready = {child.role.instance for child in self._children.values() if child.ready}
        return all(role.instance in ready for role in self._roles)

    # ------------------------------------------------------------------- reload

    def _renew(self) -> None:
        """Take new settings and rules: a process that they concern is replaced, without a pause where that can be."""
        self._tell(reloading())
        roles = self._reload()
        if self._told_ready:
            self._tell(READY)
        if roles is None:
            return  # refused, and said
        old = {role.instance: role for role in self._roles}
        self._roles = list(roles)
        wanted = {role.instance for role in roles}
        for child in list(self._children.values()):
            if child.role.instance not in wanted:
                self._ask(child)
        for role in roles:
            if old.get(role.instance) == role:
                continue
            history = self._histories.setdefault(role.instance, _History())
            history.before, history.pause, history.again_at = old.get(role.instance), _BACK_OFF_S[0], 0.0
            if role.name == "detect":
                self._start(role)  # beside the old one, which is relieved when this one is ready
                continue
            for child in self._children.values():
                if child.role.instance == role.instance:
                    self._ask(child)
        _log.info("settings and rules were read again")

    def _relieve(self, ready: _Child) -> None:
        for child in self._children.values():
            if child is not ready and child.role.instance == ready.role.instance:
                self._ask(child)

    def _ask(self, child: _Child) -> None:
        child.leaving = True
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(LEAVE)

    # ---------------------------------------------------------------------- end

    def _end(self, status: int) -> int:
        """End the roles in the order of an event's way: what was read is stored, as far as ten seconds reach."""
        self._tell(STOPPING)
        for name, seconds in _PHASES_S.items():
            asked = [child for child in self._children.values() if child.role.name == name]
            for child in asked:
                self._ask(child)
            if not self._gone(asked, seconds):
                for child in asked:
                    with contextlib.suppress(ProcessLookupError):
                        child.process.send_signal(LEAVE)  # the second: stop after this frame
                if not self._gone(asked, 0.3):
                    names = ", ".join(child.role.instance for child in asked if child.process.pid in self._children)
                    _log.warning("%s did not end in time: killed; nothing acknowledged is lost", names)
                    for child in asked:
                        if child.process.pid in self._children:
                            child.process.kill()
                    self._gone(asked, 0.2)
        self._own.set_state(State.STOPPED)
        return status

    def _gone(self, asked: Sequence[_Child], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while True:
            self._reap()
            if not any(child.process.pid in self._children for child in asked):
                return True
            if time.monotonic() > end:
                return False
            told = signal.sigtimedwait(_SIGNALS, 0.1)
            if told is not None and told.si_signo in (signal.SIGINT, signal.SIGQUIT):
                return False

    def _show(self) -> None:
        figures: dict[str, float] = {}
        for name, history in self._histories.items():
            figures[f'restarts_total{{instance="{name}"}}'] = history.restarts
        self._own.publish(figures)


def _open(path: Path) -> Page | None:
    try:
        return Page(path)
    except (OSError, ValueError):
        return None
