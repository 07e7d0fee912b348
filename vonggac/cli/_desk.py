"""The role `desk`: what people and monitoring see of the service: live alerts, metrics, source health."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from vonggac.cli._service import event_log
from vonggac.cli.live import shower
from vonggac.pipeline.pages import State, pages
from vonggac.pipeline.turning import Life
from vonggac.pipeline.watching import GROUP, Watch
from vonggac.settings import Settings

_log = logging.getLogger(__name__)
_STALE_S: Final = 10.0  # without a heartbeat, a role is not ready


def desk(settings: Settings, life: Life, alerts: str) -> Callable[[], None]:
    """Build the desk."""
    log = event_log(settings)
    watch = Watch(log.join(GROUP, ("alerts",), 0, 1), life, shower(alerts))

    def run() -> None:
        started = threading.Event()
        terminal = threading.Thread(target=_kept, args=(life, lambda: watch.run(started)), name="terminal")
        terminal.start()
        life.ready()
        while terminal.is_alive():
            terminal.join(0.5)
            life.show()

    return run


def _kept(life: Life, work: Callable[[], None]) -> None:
    """Run a part of the desk; when it ends by a fault, the desk ends with it and is started again."""
    try:
        work()
    except Exception:  # noqa: BLE001  the one fence of this thread
        _log.exception("the desk")
        life.stop.set()


def figures(settings: Settings) -> Mapping[str, Mapping[str, float]]:
    """Give what every role shows, by instance."""
    found: dict[str, Mapping[str, float]] = {}
    for name, page in pages(settings.folder).items():
        shown, _notes = page.shown()
        found[name] = {**shown, "heartbeat_age_seconds": page.age_s, "state": page.state}
        page.close()
    return found


def readiness(settings: Settings, wanted: tuple[str, ...]) -> Mapping[str, str]:
    """Say of each role why it is not ready; empty = it is."""
    found = dict.fromkeys(wanted, "not started")
    for name, page in pages(settings.folder).items():
        if name in found:
            state = page.state
            if state is not State.READY:
                found[name] = state.name.lower()
            else:
                found[name] = f"no sign of life for {page.age_s:.0f} s" if page.age_s > _STALE_S else ""
        page.close()
    return found
