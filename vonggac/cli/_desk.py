"""The role `desk`: what people and monitoring see of the service: live alerts, metrics, source health."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from vonggac.cli._service import ROLES, event_log, roles_of
from vonggac.cli.live import shower
from vonggac.pipeline.healthtask import Health
from vonggac.pipeline.pages import State, pages
from vonggac.pipeline.turning import Life
from vonggac.pipeline.watching import GROUP, Watch
from vonggac.settings import Settings

_log = logging.getLogger(__name__)
_STALE_S: Final = 10.0  # without a heartbeat, a role is not ready


def desk(settings: Settings, life: Life, alerts: str) -> Callable[[], None]:
    """Build the desk; raises ValueError or OSError for an address that cannot be listened on."""
    from vonggac.health.fold import Fold
    from vonggac.serving.address import parted
    from vonggac.serving.status import Status

    log = event_log(settings)
    host, port = parted("console.listen", settings.console.listen)
    wanted = tuple(role.instance for role in roles_of(settings, ROLES, "none"))
    status = Status(host, port, lambda: figures(settings), lambda: readiness(settings, wanted))
    status.bind()
    bound_host, bound_port = status.address
    life.notes["console"] = f"http://{f'[{bound_host}]' if ':' in bound_host else bound_host}:{bound_port}"
    ledger = importlib.import_module("connectors.health_ledger").HealthLedger(settings.folder / "health.sqlite")
    parts = {
        "terminal": Watch(log.join(GROUP, ("alerts",), 0, 1), life, shower(alerts)).run,
        "health": Health(log.join("health", ("health",), 0, 1), Fold(settings.health), ledger, life).run,
    }

    def run() -> None:
        status.start()
        threads = [
            threading.Thread(target=_kept, args=(life, work), name=name, daemon=True) for name, work in parts.items()
        ]
        for thread in threads:
            thread.start()
        life.ready()
        while any(thread.is_alive() for thread in threads):
            threads[0].join(0.5)
            life.show()
        status.stop()

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
        found[name] = {**shown, "heartbeat_age_seconds": page.age_s, "state": int(page.state)}
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
