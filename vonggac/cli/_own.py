"""What the service knows of itself beside the collect task: disk, lag of its tasks, deaths of roles, damaged files."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from vonggac.health.measure import Own
from vonggac.pipeline.pages import look

_log = logging.getLogger(__name__)
_RESTARTS: Final = 'restarts_total{instance="'


class Figures:
    """Gives the figures, without those that cannot be had just now. `groups` are those that are to keep up.

    Cheap enough for once in ten seconds: about a millisecond, whatever lies in the log.
    """

    def __init__(self, log: Any, data: Path, groups: Iterable[str]) -> None:
        self._log, self._data, self._groups = log, data, tuple(groups)
        self._said = ""

    def __call__(self) -> Own:
        """Give them as of now."""
        try:
            disk, full = free_share(self._data), self._log.room() <= 0
            behind = {group: round(age, 1) for group in self._groups if (age := self._age(group)) >= 1}
        except (OSError, ValueError) as error:
            if str(error) != self._said:
                self._said = str(error)
                _log.error("the service's own figures: %s", error)
            return Own()
        shown = {name: one.figures for name, one in look(self._data).items()}
        store, supervisor = shown.get("store-0", {}), shown.get("supervisor-0", {})
        died = {
            name.removeprefix(_RESTARTS).removesuffix('"}'): int(count)
            for name, count in supervisor.items()
            if name.startswith(_RESTARTS) and count
        }
        return Own(
            disk=round(disk, 3),
            full=full,
            kept=bool(store.get("retention_short")),
            behind=behind,
            died=died,
            damaged=int(store.get("damaged_files", 0)),
        )

    def _age(self, group: str) -> float:
        return max((one.oldest_s or 0.0 for one in self._log.lag(group).values()), default=0.0)


def free_share(data: Path) -> float:
    """Give the share that is free of the fullest disk that state lies on: log and store may have one of their own."""
    used = [shutil.disk_usage(path) for path in (data, data / "log", data / "store") if path.is_dir()]
    return min((one.free / one.total for one in used if one.total), default=1.0)
