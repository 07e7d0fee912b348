"""One role of the service, in a process of its own: started by the supervisor, told what it is on standard input.

    {"role": "detect", "worker": 0, "workers": 1, "suspects": "", "alerts": "table", "lang": "vi", "settings": {…}}

When it is asked to leave: finish what waits, then end; asked again: end after the frame in hand. The end of standard
input is the end of the supervisor, and so ours.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from vonggac.cli import _service
from vonggac.cli._trial import Child, serve_trials
from vonggac.i18n import speak
from vonggac.logport import Fenced, SyncFailed
from vonggac.pipeline.pages import Page, State, page_of
from vonggac.pipeline.sifting import Sifter, sifter, suspects
from vonggac.pipeline.supervisor import FENCED, LEAVE, UNUSABLE
from vonggac.pipeline.turning import Life
from vonggac.settings import Settings

_log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG: Final = 1


class Spec(msgspec.Struct, frozen=True):
    """What a role's process is told."""

    role: str
    settings: Settings
    worker: int = 0
    workers: int = 1
    suspects: str = ""  # what the former process died on, three times
    alerts: str = "none"  # the desk's: table, jsonl, none
    lang: str = "vi"
    stamp: list[tuple[str, int, int]] = []  # only compared, by the supervisor
    trial: bool = False  # a sacrificial child: tries records, touches nothing of the service


def main() -> None:
    """Be the role that standard input names."""
    die_with_parent()
    speechless()
    with open(0, "rb", buffering=0, closefd=False) as told:
        spec = msgspec.json.decode(told.readline(), type=Spec)
    speak(spec.lang)
    if spec.trial:
        serve_trials(spec.role, spec.settings)
        return
    threading.Thread(target=_until_alone, daemon=True).start()
    sys.exit(run(spec, supervised=True))


def run(spec: Spec, *, supervised: bool = False) -> int:
    """Run a role to its end; the exit status. `supervised`: it leaves when the supervisor asks, else at SIGTERM."""
    name = f"{spec.role}-{spec.worker}"
    life = Life(Page.create(page_of(spec.settings.folder, name)))
    _listen(life, supervised=supervised)
    try:
        role = build(spec, life)
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # as the workers of a scan: events are born and dropped by the hundred
        role()
    except Fenced:
        _log.warning("%s: another process has taken over", name)
        return FENCED
    except SyncFailed as error:
        _log.critical("%s: %s", name, error)
        return 74
    except (OSError, ValueError) as error:
        _log.critical("%s: %s", name, error)
        return UNUSABLE if life.page.state is State.STARTING else 1
    life.page.set_state(State.STOPPED)
    return 0


def build(spec: Spec, life: Life) -> Callable[[], None]:
    """Build the role."""
    settings = spec.settings
    match spec.role:
        case "collect":
            return _service.collect(settings, life, spec.suspects)
        case "detect":
            return _service.detect(settings, life, spec.worker, spec.workers, _sifter(spec, life))
        case "store":
            return _service.store(settings, life, _sifter(spec, life))
        case "desk":
            from vonggac.cli import _desk

            return _desk.desk(settings, life, spec.alerts)
    msg = f"no role {spec.role!r}; known: {', '.join(_service.ROLES)}"
    raise _service.Unfit(msg)


def _sifter(spec: Spec, life: Life) -> Sifter | None:
    suspected = suspects(spec.suspects)
    return sifter(suspected, Child(spec.role, spec.settings, life.page.beat), spec.role) if suspected else None


def _listen(life: Life, *, supervised: bool) -> None:
    """Hear that we are to leave in a thread of its own: Python's own handler waits until a library gives time back."""
    hears, tells = os.pipe()
    os.set_blocking(tells, False)

    def told() -> None:
        while os.read(hears, 1):
            if life.drain.is_set():
                life.stop.set()
            life.page.set_state(State.DRAINING)
            life.drain.set()

    threading.Thread(target=told, name="signals", daemon=True).start()
    signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    if supervised:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # to the whole group: the supervisor's, who asks us in turn
    # without a handler there is nothing to wake up for
    signal.signal(LEAVE if supervised else signal.SIGTERM, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal: the supervisor's
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def die_with_parent() -> None:
    """Ask the kernel to end us when the parent dies, however it dies (prctl(2), PR_SET_PDEATHSIG)."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def speechless() -> None:
    """Send what a role says to standard error, a line each."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="vonggac: %(message)s")


def _until_alone() -> None:
    """End at once when the supervisor is gone: a kill that the kernel did not tell us of."""
    while os.read(0, 1 << 10):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
