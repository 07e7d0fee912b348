"""The role `desk`: what people and monitoring see of the service: live alerts, metrics, source health."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from typing import Final

from vonggac.cli._service import ROLES, event_log, roles_of
from vonggac.cli.live import shower
from vonggac.pipeline import healthtask
from vonggac.pipeline.healthtask import Health
from vonggac.pipeline.pages import State, look
from vonggac.pipeline.turning import Life
from vonggac.pipeline.watching import GROUP, Watch
from vonggac.settings import Settings

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
    measured = log.join(healthtask.GROUP, (healthtask.TOPIC,), 0, 1)
    parts = {
        "terminal": Watch(log.join(GROUP, ("alerts",), 0, 1), life, shower(alerts)).run,
        "health": Health(measured, Fold(settings.health), ledger, life).run,
    }

    def run() -> None:
        faults: list[Exception] = []
        status.start()
        threads = [
            threading.Thread(target=_kept, args=(life, work, faults), name=name, daemon=True)
            for name, work in parts.items()
        ]
        for thread in threads:
            thread.start()
        life.ready()
        while any(thread.is_alive() for thread in threads):
            threads[0].join(0.5)
            life.show()
        status.stop()
        if faults:
            raise faults[0]

    return run


def _kept(life: Life, work: Callable[[], None], faults: list[Exception]) -> None:
    """Run a part of the desk; its fault is the desk's, which ends with it and is started again."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  the one fence of this thread: raised again in the desk's own
        faults.append(error)
        life.stop.set()


def figures(settings: Settings) -> Mapping[str, Mapping[str, float]]:
    """Give what every role shows, by instance."""
    return {
        name: {**one.figures, "heartbeat_age_seconds": one.age_s, "state": int(one.state)}
        for name, one in look(settings.folder).items()
    }


def readiness(settings: Settings, wanted: tuple[str, ...]) -> Mapping[str, str]:
    """Say of each role why it is not ready; empty = it is."""
    found = dict.fromkeys(wanted, "not started")
    for name, one in look(settings.folder).items():
        if name in found:
            silent = f"no sign of life for {one.age_s:.0f} s" if one.age_s > _STALE_S else ""
            found[name] = silent if one.state is State.READY else one.state.name.lower()
    return found
