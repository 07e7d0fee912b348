"""Connections to DuckDB as the embedded store wants them: few threads, little memory, one folder, an end in sight."""

from __future__ import annotations

import math
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
def connected(folder: Path, memory: str, threads: int = 1) -> Iterator[DuckDBPyConnection]:
    """Give a connection that reaches nothing but the folder, and whose settings nobody changes any more."""
    with connect(folder, memory, threads) as con:
        yield con


def connect(folder: Path, memory: str, threads: int = 1) -> DuckDBPyConnection:
    """Open such a connection; whoever asks closes it."""
    import duckdb

    con = duckdb.connect(":memory:", config=_CONFIG | {"memory_limit": memory, "threads": threads})
    prepare(con)
    con.execute("SET TimeZone = 'UTC'")  # else now() is compared in the machine's zone
    con.execute("SET allowed_directories = $folders", {"folders": [str(folder)]})
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


class Engine:
    """Keeps one connection from question to question; after an error that may have hurt it, the next one is new."""

    def __init__(self, folder: Path, memory: str, threads: int = 1) -> None:
        self.folder, self.memory = folder, memory
        self._threads = threads
        self._con: DuckDBPyConnection | None = None

    @property
    def con(self) -> DuckDBPyConnection:
        """Give the connection."""
        if self._con is None:
            self._con = connect(self.folder, self.memory, self._threads)
        return self._con

    def renew(self) -> DuckDBPyConnection:
        """Go on with another connection; the one before stays open, for who holds it to close."""
        self._con = None
        return self.con

    def close(self) -> None:
        """Let go of the connection and its memory; the next use opens another."""
        if self._con is not None:
            self._con.close()
            self._con = None


class Watch:
    """Interrupts an engine's connection when the time is over or the asker has gone."""

    def __init__(self, engine: Engine, limit_s: float, stop: Stop) -> None:
        self._engine, self._limit_s, self._stop = engine, limit_s, stop
        self._end = time.monotonic() + limit_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="query-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._con = self._engine.con
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def renew(self) -> None:
        """Go on with a new connection."""
        old, self._con = self._con, self._engine.renew()
        old.close()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let somebody else take his time; after it the limit begins anew."""
        self._end = math.inf
        try:
            yield
        finally:
            self._end = time.monotonic() + self._limit_s

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
    "temp_directory": "",  # what does not fit is refused, never spilled
    "preserve_insertion_order": False,
    "pandas_analyze_sample": 0,  # columns of Python objects are texts: no need to look
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,  # a name in SQL is never a variable of ours
}
