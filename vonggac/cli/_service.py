"""What `run` is made of: which roles with which settings, and how each is built. Joins log, store and tasks."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vonggac import shelf
from vonggac.cli._own import Figures, free_share
from vonggac.cli.packs import active
from vonggac.cli.unit import FILE as UNITS
from vonggac.dead import TOPIC as DEAD
from vonggac.i18n import language
from vonggac.people.units import Units, saved
from vonggac.pipeline import collecting, detecting, healthtask, storing
from vonggac.pipeline.leftovers import sweep_copies, sweep_pages
from vonggac.pipeline.supervisor import Role
from vonggac.pipeline.turning import Life
from vonggac.ports import Built, DetectorConfig, RuleSource
from vonggac.settings import Settings
from vonggac.storeport import Stop

if TYPE_CHECKING:
    from vonggac.pipeline.sifting import Sifter

ROLES: Final = ("collect", "detect", "store", "desk")
#: which groups must have read a topic before retention may delete of it
REQUIRED: Final = {
    "events": (detecting.GROUP, storing.GROUP),
    "alerts": (storing.GROUP,),
    DEAD: (storing.GROUP,),
    healthtask.TOPIC: (healthtask.GROUP,),
}
EXAMINE: Final = "examine"  # in the state folder: copies of files that wait for a detector
_MERGE_S: Final = 2.0
_DAY_S: Final = 86_400.0
_log = logging.getLogger(__name__)
_SHOWN: Final = 20  # refused rules
YEAR: Final = 365  # days: what NĐ 333 asks for


class Unfit(ValueError):
    """Settings or surroundings with which this role cannot run: one line."""


def event_log(settings: Settings) -> Any:
    """Open the event log of the settings."""
    module = importlib.import_module("connectors.embedded_log")
    keep = module.Keep(max_age_s=settings.log.keep_hours * 3600, max_bytes=int(settings.log.keep_gb * (1 << 30)))
    least = int(settings.log.floor_gb * (1 << 30))
    floors = module.Floors(least=least, reserve=min(256 << 20, least // 8))
    return module.EmbeddedLog(settings.folder / "log", required=REQUIRED, keep=keep, floors=floors)


def event_store(settings: Settings) -> Any:
    """Open the event store of the settings."""
    module = importlib.import_module("connectors.embedded_store")
    return module.EmbeddedStore(settings.folder / "store")


def detect_workers(settings: Settings) -> int:
    """Count the detect processes: half the cores, at least one."""
    return settings.run.detect_workers or max(1, len(os.sched_getaffinity(0)) // 2)


def now() -> datetime:
    """Give the time in UTC."""
    return datetime.now(UTC)


def roles_of(settings: Settings, chosen: Sequence[str], alerts: str) -> list[Role]:
    """List the processes, each with what it is told.

    `stamp` says what a role depends on beside its settings: one that is told something else is replaced on reload.
    """
    told = msgspec.to_builtins(settings)
    workers = detect_workers(settings)
    found = []
    for name in chosen:
        count = workers if name == "detect" else 1
        of_role = {key: value for key, value in told.items() if key in _SECTIONS[name]}
        if name == "collect":
            of_role["run"] = {"drill": settings.run.drill}  # how many workers there are is nothing to listeners
        spec: dict[str, Any] = {"settings": of_role, "lang": language(), "stamp": _stamp(settings, name)}
        if name == "desk":
            spec["alerts"] = alerts
        found += [Role(name, worker, count, spec) for worker in range(count)]
    return found


def _stamp(settings: Settings, role: str) -> list[tuple[str, int, int]]:
    """Name the files that a role reads at its start, with size and time."""
    if role == "detect":
        roots = [pack.root for pack in active(settings.folder, settings.rules.packs, builtin=True, only=False)]
    elif role == "collect":
        roots = [settings.folder / UNITS]
    else:
        return []
    found = []
    for root in roots:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((str(path), status.st_size, status.st_mtime_ns))
    return found


# ------------------------------------------------------------------------- roles


def collect(settings: Settings, life: Life, suspects: str) -> Callable[[], None]:
    """Build the collect role; raises Unfit, OSError or ValueError for what cannot be listened on or watched."""
    from vonggac.cli._intakes import intakes_of
    from vonggac.intake.inlet import Inlet
    from vonggac.intake.tally import Tally

    log = event_log(settings)
    tally = Tally()
    inlet = Inlet(_units(settings), tally, now, drill=settings.run.drill)
    intakes = list(intakes_of(settings, life.page.work, frozenset(filter(None, [suspects]))))
    for intake in intakes:
        intake.open()
    task = log.join(collecting.GROUP, (), 0, 1)
    own = Figures(event_log(settings), settings.folder, (detecting.GROUP, storing.GROUP))
    return collecting.Collect(task, inlet, tally, intakes, life, now, log.room, own).run


def detect(settings: Settings, life: Life, worker: int, workers: int, sifter: Sifter | None) -> Callable[[], None]:
    """Build a detect worker."""
    built = detectors(settings)
    events = [one.events for one in built if one.events is not None]
    files = [one.files for one in built if one.files is not None]
    life.figures["rules_loaded"] = sum(one.loaded for one in built)
    life.figures["rules_refused"] = sum(len(one.refused) for one in built)
    if worker == 0:
        _say_refused(built)
    digests = [one.digest for one in events] + [one.digest for one in files]
    rules = ".".join(one[:16] for one in digests)
    task = event_log(settings).join(detecting.GROUP, ("events",), worker, workers, rules=rules)
    return detecting.Detect(task, events, files, settings.folder / EXAMINE, life, sifter).run


def _say_refused(built: Sequence[Built]) -> None:
    """Name the rules that do not run: at the start, and after each reload."""
    refused = [one for each in built for one in each.refused]
    for one in refused[:_SHOWN]:
        _log.warning("%s:%d: rule refused: %s", one.path, one.line, one.reason)
    if len(refused) > _SHOWN:
        _log.warning(
            "… and %d more refused rules: `vonggac check` and `vonggac rules check PATH`", len(refused) - _SHOWN
        )


def store(settings: Settings, life: Life, sifter: Sifter | None) -> Callable[[], None]:
    """Build the store role."""
    days, floor = settings.store.keep_days, YEAR
    if days < YEAR:
        if not settings.store.short_retention:
            msg = f"store.keep_days = {days}: at least {YEAR} are kept; store.short_retention = true says less is meant"
            raise Unfit(msg)
        floor = days
    opened = event_store(settings)
    opened.writers = settings.store.writers
    log = event_log(settings)
    task = log.join(storing.GROUP, storing.TOPICS, 0, 1)
    house = _House(opened, log, settings)
    return storing.Store(task, opened, life, storing.Keeping(days, floor), now, house, sifter).run


class _House:
    """The embedded store's house work, the disk that it lies on, and what is left behind in the state folder."""

    def __init__(self, store: Any, log: Any, settings: Settings) -> None:
        self._store, self._log, self._settings = store, log, settings
        self._rows = store.limits.merged
        self._damaged = 0

    def merge(self, least: int, stop: Stop) -> int:
        """Join one group. One that takes too long here is given up, and the next one is half as large."""
        smallest = 2 * self._store.limits.small  # what is joined is no small file any more
        limit = _Until(stop, _MERGE_S if self._rows > smallest else math.inf)
        while True:
            merged: int = self._store.merge(least, 0, rows=self._rows, stop=limit)
            if merged or stop.is_set() or not limit.is_set():
                return merged
            self._rows = max(smallest, self._rows // 2)
            limit = _Until(stop, _MERGE_S if self._rows > smallest else math.inf)

    def damaged(self) -> int:
        with contextlib.suppress(importlib.import_module("connectors.embedded_store").StateError):  # busy: as before
            self._damaged = len(self._store.catalogue.damaged())
        return self._damaged

    def free_share(self) -> float:
        return free_share(self._settings.folder)

    def tidy(self) -> None:
        """Delete copies of files that were judged long ago, and pages of workers that are no more.

        A copy is younger than the event that names it is late: what waits to be judged keeps its copy.
        """
        at = now().timestamp()
        late = max((one.oldest_s or 0.0 for one in self._log.lag(detecting.GROUP).values()), default=0.0)
        copies = sweep_copies(
            self._settings.folder / EXAMINE, at - max(self._settings.log.keep_hours * 3_600, late) - _DAY_S
        )
        pages = sweep_pages(self._settings.folder, at)
        if copies or pages:
            _log.info("left behind, and deleted: %d copies of files, %d pages of roles", copies, pages)


class _Until:
    """A `Stop` that is set when another is, or when the time is over."""

    def __init__(self, stop: Stop, seconds: float) -> None:
        self._stop, self._end = stop, time.monotonic() + seconds

    def is_set(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._end


def detectors(settings: Settings) -> Sequence[Built]:
    """Build every detector from the active packs; raises OSError or ValueError naming what is wrong."""
    packs = active(settings.folder, settings.rules.packs, builtin=True, only=False)
    config = DetectorConfig(
        packs=[RuleSource(pack.name, Path(pack.root)) for pack in packs],
        cache=settings.folder / "cache",
        expand=dict(settings.rules.expand),
    )
    return tuple(shelf.detector(name).build(config) for name in shelf.names("detectors"))


def _units(settings: Settings) -> Units:
    return Units(saved(settings.folder / UNITS))


_COMMON: Final = {"data", "lang", "log"}
#: the settings that a role is told, and replaced for when they change
_SECTIONS: Final = {
    "collect": _COMMON | {"run", "syslog", "intake", "inbox", "follow", "journald", "capture", "scan"},
    "detect": _COMMON | {"run", "rules", "scan"},
    "store": _COMMON | {"store"},
    "desk": _COMMON | {"console", "health", "run"},
}
