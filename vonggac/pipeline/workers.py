"""The scan over many files: in this process, or by a process a core; results in the order of the inputs."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final, Protocol

import msgspec
import orjson

from vonggac import shelf
from vonggac.event import Bad
from vonggac.pipeline._held import Held, Room
from vonggac.pipeline.job import Job, Outcome, Rules, Tally
from vonggac.pipeline.parts import Part, parts_of
from vonggac.pipeline.scanner import Failed, Line, Scanner
from vonggac.reading.endings import ending
from vonggac.reading.journal import JOURNAL
from vonggac.reading.source import display

_CHUNK: Final = 256 << 10  # bytes of lines sent at once
_LINES, _STORED, _BAD, _FAILED, _DONE, _RULES, _BROKEN = b"L", b"S", b"B", b"F", b"D", b"R", b"X"


class Output(Protocol):
    """Where results go, called in the order of the inputs."""

    def lines(self, block: bytes) -> None:
        r"""Take alerts or events: whole JSON lines, each with its `\n`."""

    def bad(self, bad: Bad) -> None:
        """Take a record that could not be read."""

    def failed(self, failed: Failed) -> None:
        """Take an input that could not be read."""

    def progress(self, done: int, known: int) -> None:
        """Take note that `done` of the `known` files are finished."""


class WorkerError(RuntimeError):
    """A worker could not start its detectors: the message is the reason."""


def run(
    job: Job,
    paths: Iterable[str | Bad],
    output: Output,
    workers: int,
    clock: Callable[[], float],
    store: Callable[[bytes], None] | None = None,
) -> Outcome:
    r"""Read every path; `workers` = 1 stays in this process. `clock` gives seconds, for the figure in the summary.

    `store` takes the events of a job with `store`: whole JSON lines, each with its `\n`.
    """
    start = clock()
    account = _Account(output, store)
    rules = _alone(job, paths, account) if workers == 1 else _together(job, paths, account, workers)
    return Outcome(account.tally, account.inputs_failed, rules, clock() - start)


@dataclass(slots=True)
class _Account:
    output: Output
    store: Callable[[bytes], None] | None = None
    tally: Tally = field(default_factory=Tally)
    inputs_failed: list[dict[str, str]] = field(default_factory=list)

    def stored(self, block: bytes) -> None:
        if self.store is not None:
            self.store(block)

    def failed(self, failed: Failed) -> None:
        self.inputs_failed.append({"path": failed.path, "reason": failed.reason})
        self.output.failed(failed)

    def unusable(self, bad: Bad) -> None:
        self.tally.inputs += 1
        self.failed(Failed(bad.path, bad.reason))


def _alone(job: Job, paths: Iterable[str | Bad], account: _Account) -> Rules:
    scanner = Scanner(job)
    todo = [path if isinstance(path, Bad) else Part(path) for path in paths]
    for done, part in enumerate(todo):
        account.output.progress(done, len(todo))
        if isinstance(part, Bad):
            account.unusable(part)
            continue
        for found in scanner.read(part, account.tally):
            match found:
                case Line(stored=True):
                    account.stored(found.json + b"\n")
                case Line():
                    account.output.lines(found.json + b"\n")
                case Bad():
                    account.output.bad(found)
                case Failed():
                    account.failed(found)
    account.output.progress(len(todo), len(todo))
    return scanner.rules


# ------------------------------------------------------------------ processes


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    turn: int | None = None  # which input it reads


class _Pool:
    """Workers, and the inputs between asking and answering."""

    def __init__(self, job: Job, todo: list[Part | Bad], account: _Account, count: int) -> None:
        self.job, self.todo, self.account = job, todo, account
        self.rules: Rules | None = None
        self.next = 0  # the next input to give out
        self.first = 0  # the earliest input whose results are not all written
        self.room = Room()
        self.held: dict[int, Held] = {}
        readable = sum(isinstance(one, Part) for one in todo)
        self.workers = [self._start() for _ in range(max(1, min(count, readable)))]

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        process = context.Process(target=_work, args=(its,), daemon=True)
        process.start()
        its.close()
        mine.send_bytes(msgspec.json.encode(self.job))
        return _Worker(process, mine)

    def loop(self) -> Rules:
        for worker in self.workers:
            self._give(worker)
        while self.first < len(self.todo):
            by_pipe = {worker.pipe: worker for worker in self.workers if worker.turn is not None}
            for pipe in wait(list(by_pipe)):
                worker = by_pipe[pipe]  # type: ignore[index]  # wait() gives back what it was given
                try:
                    self._take(worker, worker.pipe.recv_bytes())
                except (EOFError, ConnectionResetError):
                    self._died(worker)
        return self.rules or Rules(0, ())

    def _give(self, worker: _Worker) -> None:
        """Hand out the next input; what the walk found unusable is answered on the spot."""
        while self.next < len(self.todo) and isinstance(self.todo[self.next], Bad):
            self._held(self.next).done = True
            self.next += 1
        self._advance()
        worker.turn = None
        if self.next < len(self.todo) and isinstance(part := self.todo[self.next], Part):
            worker.turn = self.next
            self._held(self.next)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: loop() sees its end and says so
                worker.pipe.send_bytes(part.to_bytes())
            self.next += 1

    def _take(self, worker: _Worker, message: bytes) -> None:
        turn = worker.turn
        kind = message[:1]
        if kind == _BROKEN:
            raise WorkerError(message[1:].decode())
        if kind == _RULES:
            self.rules = msgspec.json.decode(message[1:], type=Rules)
        elif kind == _DONE:
            self.account.tally.add(Tally.from_json(message[1:]))
            if turn is not None:
                self._held(turn).done = True
            self._give(worker)
            self._advance()
        elif turn == self.first:
            self._write(message)
        elif turn is not None:
            self._held(turn).put(message)

    def _died(self, worker: _Worker) -> None:
        """Name the input that ended a worker, and go on with a new one."""
        worker.process.join()
        how = ending(worker.process.exitcode or 0)
        if self.rules is None:
            msg = f"a worker ended before it was ready ({how})"
            raise WorkerError(msg)
        fresh = self._start()
        self.workers[self.workers.index(worker)] = fresh
        if worker.turn is not None and isinstance(part := self.todo[worker.turn], Part):
            failed = {
                "path": display(part.path),
                "reason": f"reading it ended the worker ({how}); what came before is kept",
            }
            self.account.tally.inputs += part.first
            self._take(_Worker(worker.process, worker.pipe, worker.turn), _FAILED + orjson.dumps(failed))
            self._held(worker.turn).done = True
        self._give(fresh)
        self._advance()

    def _held(self, turn: int) -> Held:
        if turn not in self.held:
            self.held[turn] = Held(self.room)
        return self.held[turn]

    def _advance(self) -> None:
        """Write what waited for its turn."""
        while (held := self.held.get(self.first)) is not None:
            for message in held.replay():
                self._write(message)
            if not held.done:
                return
            bad = self.todo[self.first]
            if isinstance(bad, Bad):
                self.account.unusable(bad)
            del self.held[self.first]
            self.first += 1
            self.account.output.progress(self.first, len(self.todo))

    def _write(self, message: bytes) -> None:
        kind, body = message[:1], message[1:]
        if kind == _LINES:
            self.account.output.lines(body)
        elif kind == _STORED:
            self.account.stored(body)
        elif kind == _BAD:
            self.account.output.bad(msgspec.json.decode(body, type=Bad))
        elif kind == _FAILED:
            self.account.failed(msgspec.json.decode(body, type=Failed))

    def stop(self) -> None:
        self.room.close()
        for worker in self.workers:
            worker.pipe.close()  # a worker that waits for its next input sees the end and leaves
        for worker in self.workers:
            if worker.turn is not None:
                worker.process.terminate()
            worker.process.join()


def _together(job: Job, paths: Iterable[str | Bad], account: _Account, workers: int) -> Rules:
    collectors = {name: shelf.collector(name) for name in shelf.names("collectors")}
    todo: list[Part | Bad] = []
    for path in paths:
        if isinstance(path, Bad):
            todo.append(path)
        else:
            todo += [Part(path)] if path == JOURNAL else parts_of(path, collectors, job.collector, workers)
    if not any(isinstance(one, Part) for one in todo):
        # nothing to read, but the rules have their account all the same
        return _alone(job, [one for one in todo if isinstance(one, Bad)], account)
    pool = _Pool(job, todo, account, workers)
    try:
        return pool.loop()
    finally:
        pool.stop()


def _work(pipe: Connection) -> None:
    """Be a worker: get the job, say how the rules are, then read each path that comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and its end ends us
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is done, or gone
        _serve(pipe)


def _serve(pipe: Connection) -> None:
    job = msgspec.json.decode(pipe.recv_bytes(), type=Job)
    try:
        scanner = Scanner(job)
    except (OSError, ValueError) as error:
        pipe.send_bytes(_BROKEN + str(error).encode())
        return
    settle()
    pipe.send_bytes(_RULES + orjson.dumps(scanner.rules))
    while True:
        try:
            part = Part.from_bytes(pipe.recv_bytes())
        except EOFError:
            return
        tally = Tally()
        sender = _Sender(pipe)
        for found in scanner.read(part, tally):
            sender.send(found)
        sender.flush()
        pipe.send_bytes(_DONE + orjson.dumps(tally))


class _Sender:
    """Joins lines to blocks, since a message costs more than a line."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._blocks: dict[bytes, list[bytes]] = {_LINES: [], _STORED: []}
        self._size = 0

    def send(self, found: Line | Bad | Failed) -> None:
        if isinstance(found, Line):
            self._blocks[_STORED if found.stored else _LINES].append(found.json)
            self._size += len(found.json)
            if self._size > _CHUNK:
                self.flush()
            return
        self.flush()
        if isinstance(found, Bad):
            self._pipe.send_bytes(_BAD + msgspec.json.encode(found))
        else:
            self._pipe.send_bytes(_FAILED + msgspec.json.encode(found))

    def flush(self) -> None:
        for kind, block in self._blocks.items():
            if block:
                self._pipe.send_bytes(b"".join((kind, b"\n".join(block), b"\n")))
                block.clear()
        self._size = 0


def settle() -> None:
    """Keep Python's collector of cycles from going through the rules again and again.

    What stands now stays, out of its sight; events are born and dropped by the hundred, so it may come rarely.
    Measured: 12 % more EVTX records a second.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


#: the clock of a real run
CLOCK: Final = time.monotonic
