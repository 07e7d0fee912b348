"""Questions to the embedded store, answered by a process of their own: what a question breaks breaks nothing else."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from connectors._analyst import Table
from connectors._catalogue import Catalogue, CatalogueError, SourceSpan
from connectors._querywire import Message, framed, page_in, parsed, query_out
from connectors._search import File, Unreadable, damage_of, file_of, missing, plan, tell
from vonggac.query import Query
from vonggac.reading.endings import ending
from vonggac.storeport import Failed, Page, Stop, Stopped, TooMuch, TooSlow

__all__ = ["QueryProcess", "Table"]

MAX_ROWS: Final = 100_000  # of a table


class QueryProcess:
    """Asks a store at `root`; any thread may, several at once. Children are started on demand and end when idle.

    Each question may raise Stopped, TooSlow, TooMuch and Failed (as `EventStore.search` says), and ValueError for what
    is wrong with the question itself. A child that dies or does not obey is replaced; the next question works.
    """

    def __init__(
        self, root: Path, *, memory_mb: int = 256, threads: int = 2, idle_s: float = 60.0, processes: int = 2
    ) -> None:
        self._root = root
        self._arguments = (str(root / "events"), str(memory_mb), str(threads), str(idle_s))
        self._memory = f"{memory_mb}MB"
        self._lock = threading.Lock()
        self._free = threading.Semaphore(processes)
        self._tries = processes + _TRIES  # each of the children may have ended, idle
        self._idle: list[_Child] = []
        self._living: set[_Child] = set()
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """Give the children that were started and not ended; one that was idle too long may be gone already."""
        with self._lock:
            return tuple(child.pid for child in self._living)

    def search(self, query: Query, units: frozenset[str], limit_s: float, stop: Stop) -> Page:
        """Answer a query over the events of these units only (`EventStore.search`)."""
        catalogue = self._catalogue()

        def question() -> Message:
            return {"do": "search", "query": query_out(query), "units": sorted(units), "files": listed()}

        def listed() -> list[File]:
            return plan(catalogue, query, units)

        found = self._ask(question, limit_s, stop)
        return replace(page_in(found["page"]), missing=missing(catalogue, query, units, _unreadable(found)))

    def sql(self, text: str, units: frozenset[str], limit_s: float, stop: Stop, rows: int = 10_000) -> Table:
        """Answer one SELECT over the view `events` of these units; at most so many rows are given out.

        For those with full right over the root unit. Raises ValueError for a statement that is wrong or refused.
        """
        catalogue = self._catalogue()
        if not 1 <= rows <= MAX_ROWS:
            msg = f"{rows} rows: 1 to {MAX_ROWS}"
            raise ValueError(msg)

        def question() -> Message:
            files = [file_of(one) for one in catalogue.live()]
            return {"do": "sql", "sql": text, "units": sorted(units), "files": files, "rows": rows}

        found = self._ask(question, limit_s, stop)
        columns, given, more = found["table"]
        lacks = tell(catalogue, _unreadable(found)) if units else ()
        return Table(tuple(columns), tuple(given), more, lacks)

    def sources(self) -> Sequence[SourceSpan]:
        """Give the oldest and newest searchable event of each source."""
        return self._catalogue().sources()

    def damaged(self) -> tuple[str, ...]:
        """Give a line for each file that could not be read when somebody tried: what is missing, and why."""
        return tell(self._catalogue(), ())

    def close(self) -> None:
        """End the children that answer nobody; the others when they have answered. May be called twice."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            self._end(child)

    def __enter__(self) -> QueryProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _catalogue(self) -> Catalogue:
        path = self._root / "catalogue.sqlite"
        if not path.exists():  # and none is made: only the store task does
            msg = f"no event store at {self._root}: nothing was stored here yet"
            raise Failed(msg)
        try:
            return Catalogue(path)
        except CatalogueError as error:
            msg = f"{path}: {error}"
            raise Failed(msg) from error

    def _ask(self, question: Callable[[], Message], limit_s: float, stop: Stop) -> Message:
        """Wait for a child, and for its answer."""
        end = time.monotonic() + limit_s
        while not self._free.acquire(timeout=_POLL_S):
            if stop.is_set():
                raise Stopped
            if time.monotonic() >= end:
                msg = f"no answer within {limit_s:g} s: others are asking"
                raise TooSlow(msg)
        try:
            return self._answer(question, limit_s, end, stop)
        finally:
            self._free.release()

    def _answer(self, question: Callable[[], Message], limit_s: float, end: float, stop: Stop) -> Message:
        why: Exception = Failed("the query process ends before it answers")
        for _ in range(self._tries):
            asked = question()
            child = self._child()
            try:
                answer = child.ask(asked, max(0.0, end - time.monotonic()), stop)
            except _Left:  # it had ended, idle, before it heard of us
                self._end(child)
                continue
            except _Crashed as error:
                self._end(child)
                why = error
                if not self._look_over(asked["files"], end, stop):
                    break
                continue
            except TooSlow:
                self._end(child)
                raise _slow(limit_s) from None
            except BaseException:
                self._end(child)
                raise
            self._keep(child)
            if "error" in answer:
                kind, text = answer["error"]
                raise _error(kind, text, limit_s)
            return answer
        raise why

    def _look_over(self, files: Sequence[File], end: float, stop: Stop) -> bool:
        """Look for the damaged file that may have been too much for the engine, and mark it; say whether one was."""
        found = []
        for file in files:
            if time.monotonic() >= end or stop.is_set():
                break
            if (one := damage_of(self._root / "events", file, whole=True)) is not None:
                found.append(one)
        tell(self._catalogue(), found)
        return bool(found)

    def _child(self) -> _Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        child = _Child(self._arguments)
        with self._lock:
            self._living.add(child)
        return child

    def _keep(self, child: _Child) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                return
        self._end(child)

    def _end(self, child: _Child) -> None:
        child.end()
        with self._lock:
            self._living.discard(child)


class _Left(Exception):
    """The child ended of itself."""


class _Crashed(Failed):
    """The child died of itself."""


class _Child:
    """A query process and the pipes to it; one question at a time."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "connectors._queryworker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},  # no secrets
            start_new_session=True,  # Ctrl-C is for us; we tell it to stop
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._numbers = count()
        self.pid = self._process.pid

    def ask(self, question: Message, limit_s: float, stop: Stop) -> Message:
        """Send the question and wait for the answer; what does not obey within 2 s is ended."""
        number = next(self._numbers)
        sending = bytearray(framed({**question, "n": number, "limit_s": limit_s}))
        got = bytearray()
        end = time.monotonic() + limit_s + _OBEY_S
        told: float | None = None
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._in, select.POLLOUT)
        while True:
            now = time.monotonic()
            if told is None and stop.is_set():
                sending += framed({"do": "stop", "n": number})
                told = now
            if told is not None and now > told + _OBEY_S:
                raise Stopped
            if now > end:
                raise TooSlow
            poll.modify(self._in, select.POLLOUT if sending else 0)
            ready = dict(poll.poll(_POLL_S * 1000))
            if self._out in ready and not self._receive(got):
                self._raise_end(heard=bool(got))
            if sending and self._in in ready:
                try:
                    del sending[: os.write(self._in, sending)]
                except BrokenPipeError:
                    sending.clear()  # its end is told by the other pipe
            if len(got) >= 4 and len(got) - 4 >= (size := int.from_bytes(got[:4], "big")):
                return parsed(memoryview(got)[4 : 4 + size])

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _receive(self, got: bytearray) -> bool:
        """Take what is there; False at the end."""
        try:
            data = os.read(self._out, _CHUNK)
        except BlockingIOError:
            return True
        got += data
        return bool(data)

    def _raise_end(self, *, heard: bool) -> None:
        try:
            code = self._process.wait(_OBEY_S)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        if code == 0 and not heard:
            raise _Left
        if code in (-signal.SIGKILL, -signal.SIGABRT):  # the kernel's when memory ends, and the engine's own
            msg = "the query process was ended for want of memory"
            raise TooMuch(msg)
        if code == -signal.SIGXCPU:
            raise TooSlow
        msg = f"the query process died ({ending(code)}); the next question gets a new one"
        raise _Crashed(msg)


def _unreadable(found: Message) -> list[Unreadable]:
    return [Unreadable(*one) for one in found["unreadable"]]


def _error(kind: str, text: str, limit_s: float) -> Exception:
    return _slow(limit_s) if kind == "slow" else _ERRORS.get(kind, ValueError)(text)


def _slow(limit_s: float) -> TooSlow:
    return TooSlow(f"no answer within {limit_s:g} s")


# -------------------------------------------------------------------- tables

_OBEY_S: Final = 2.0
_POLL_S: Final = 0.05
_CHUNK: Final = 1 << 20
_TRIES: Final = 2
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG", "LC_ALL")
_ERRORS: Final[dict[str, type[Exception]]] = {
    "stopped": Stopped,
    "much": TooMuch,
    "failed": Failed,
}
