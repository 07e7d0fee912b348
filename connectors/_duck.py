"""Connections to DuckDB as the embedded store wants them: one thread, little memory, one folder, an end in sight."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from connectors._querysql import prepare
from vonggac.storeport import Stop, Stopped, TooSlow

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def connected(folder: Path, memory: str) -> Iterator[DuckDBPyConnection]:
    """Give a connection that reaches nothing but the folder, and whose settings nobody changes any more."""
    import duckdb

    with duckdb.connect(":memory:", config=_CONFIG | {"memory_limit": memory}) as con:
        prepare(con)
        con.execute("SET allowed_directories = $folders", {"folders": [str(folder)]})
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con


class Watch:
    """Interrupts a connection when the time is over or the asker has gone."""

    def __init__(self, con: DuckDBPyConnection, limit_s: float, stop: Stop) -> None:
        self._con, self._limit_s, self._stop = con, limit_s, stop
        self._end = time.monotonic() + limit_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="query-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Raise what ends the query, if it is to end."""
        if self._stop.is_set() or time.monotonic() >= self._end:
            raise self.why()

    def why(self) -> Exception:
        """Give what ended it."""
        return Stopped() if self._stop.is_set() else TooSlow(f"no answer within {self._limit_s:g} s")

    def _run(self) -> None:
        while not self._done.wait(0.05):
            if self._stop.is_set() or time.monotonic() >= self._end:
                self._con.interrupt()  # again and again: a statement that had not begun hears nothing


# -------------------------------------------------------------------- tables

_CONFIG: Final[dict[str, Any]] = {
    "threads": 1,
    "temp_directory": "",  # what does not fit is refused, never spilled
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
