"""Questions to the embedded store, answered by a process of their own: what a question breaks breaks nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from connectors._analyst import Table
from connectors._catalogue import Catalogue, CatalogueError, SourceSpan
from connectors._querychild import POLL_S, Child, Crashed, Left
from connectors._querywire import Message, page_in, query_out
from connectors._search import File, Unreadable, damage_of, file_of, missing, plan, tell
from vonggac.query import Query
from vonggac.storeport import Failed, Page, Stop, Stopped, TooMuch, TooSlow

__all__ = ["QueryProcess", "RowStream", "Table"]

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
        self._idle: list[Child] = []
        self._living: set[Child] = set()
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
        columns, given, more, times = found["table"]
        lacks = tell(catalogue, _unreadable(found)) if units else ()
        return Table(tuple(columns), tuple(given), more, lacks, tuple(times))

    def rows_of(
        self, text: str, units: frozenset[str], limit_s: float, stop: Stop, rows: int | None = None
    ) -> RowStream:
        """Answer one SELECT as `sql` does, with every row (or so many), as they are made and taken.

        Returns when the first rows are there. Until the last one is taken, or `close`, a process answers nobody else.
        """
        catalogue = self._catalogue()
        files = [file_of(one) for one in catalogue.live()]

        def question() -> Message:
            return {"do": "rows", "sql": text, "units": sorted(units), "files": files, "rows": rows}

        child, first = self._begun(question, limit_s, stop)

        def hear() -> Message:
            try:
                return self._heard(child.hear(limit_s, stop), limit_s)
            except Crashed:
                self._look_over(files, time.monotonic() + limit_s, stop)
                raise
            except TooSlow:
                raise _slow(limit_s) from None

        def lacks(found: Message) -> tuple[str, ...]:
            return tell(catalogue, _unreadable(found)) if units else ()

        def done(whole: bool) -> None:
            (self._keep if whole else self._end)(child)
            self._free.release()

        return RowStream(first, hear, lacks, done)

    def units(self, limit_s: float, stop: Stop) -> frozenset[str]:
        """Give the units that stored events carry, whatever a table of units says today."""
        catalogue = self._catalogue()

        def question() -> Message:
            return {"do": "units", "units": [], "files": [file_of(one) for one in catalogue.live()]}

        return frozenset(self._ask(question, limit_s, stop)["units"])

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
        child, answer = self._begun(question, limit_s, stop)
        self._keep(child)
        self._free.release()
        return answer

    def _begun(self, question: Callable[[], Message], limit_s: float, stop: Stop) -> tuple[Child, Message]:
        """Wait for a child, and for the first message of its answer; it and its place are the caller's then."""
        end = time.monotonic() + limit_s
        while not self._free.acquire(timeout=POLL_S):
            if stop.is_set():
                raise Stopped
            if time.monotonic() >= end:
                msg = f"no answer within {limit_s:g} s: others are asking"
                raise TooSlow(msg)
        try:
            return self._answer(question, limit_s, end, stop)
        except BaseException:
            self._free.release()
            raise

    def _answer(self, question: Callable[[], Message], limit_s: float, end: float, stop: Stop) -> tuple[Child, Message]:
        why: Exception = Failed("the query process ends before it answers")
        for _ in range(self._tries):
            asked = question()
            child = self._child()
            try:
                answer = child.ask(asked, max(0.0, end - time.monotonic()), stop)
            except Left:  # it had ended, idle, before it heard of us
                self._end(child)
                continue
            except Crashed as error:
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
            if "error" in answer:
                self._keep(child)
            return child, self._heard(answer, limit_s)
        raise why

    @staticmethod
    def _heard(answer: Message, limit_s: float) -> Message:
        if "error" in answer:
            kind, text = answer["error"]
            raise _error(kind, text, limit_s)
        return answer

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

    def _child(self) -> Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        child = Child(self._arguments)
        with self._lock:
            self._living.add(child)
        return child

    def _keep(self, child: Child) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                return
        self._end(child)

    def _end(self, child: Child) -> None:
        child.end()
        with self._lock:
            self._living.discard(child)


class RowStream:
    """The answer to a statement, row by row; what `more` and `missing` say is right after the last row.

    Taking rows may raise Stopped, TooSlow (a portion of about 1 MiB was not there within the limit; how long the taker
    takes does not count), TooMuch, Failed and ValueError: what was given before is right, but not all.
    """

    def __init__(
        self,
        first: Message,
        hear: Callable[[], Message],
        lacks: Callable[[Message], tuple[str, ...]],
        done: Callable[[bool], None],
    ) -> None:
        self.columns: tuple[str, ...] = tuple(first["columns"])
        self.times: tuple[int, ...] = tuple(first["times"])
        self.more = False
        self.missing: tuple[str, ...] = ()
        self._first, self._hear, self._lacks, self._done = first, hear, lacks, done
        self._open = True
        self.rows = self._rows()

    def close(self) -> None:
        """End the answer here; the process that gives it too. May be called twice."""
        self._close(whole=False)

    def _rows(self) -> Iterator[list[Any]]:
        message, whole = self._first, False
        del self._first
        try:
            while "ended" not in message:
                yield from message["rows"]
                message = self._hear()
            whole = True
        finally:
            self._close(whole)
        self.more, all_there = message["ended"]
        self.missing = self._lacks(message)
        if not all_there:
            msg = "the answer broke off at a file that cannot be read; asked again, the rest answers"
            raise Failed(msg)

    def _close(self, whole: bool) -> None:
        if self._open:
            self._open = False
            self._done(whole)


def _unreadable(found: Message) -> list[Unreadable]:
    return [Unreadable(*one) for one in found["unreadable"]]


def _error(kind: str, text: str, limit_s: float) -> Exception:
    return _slow(limit_s) if kind == "slow" else _ERRORS.get(kind, ValueError)(text)


def _slow(limit_s: float) -> TooSlow:
    return TooSlow(f"no answer within {limit_s:g} s")


# -------------------------------------------------------------------- tables

_TRIES: Final = 2
_ERRORS: Final[dict[str, type[Exception]]] = {
    "stopped": Stopped,
    "much": TooMuch,
    "failed": Failed,
}
