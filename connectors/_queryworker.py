"""The query process: DuckDB apart from everything else. It ends when nobody asks, and when its parent is gone.

Started by `QueryProcess` as `python -P -m connectors._queryworker FOLDER MEMORY_MB THREADS IDLE_S`; questions come on
standard input, answers go to standard output (`_querywire.py`). It opens no catalogue and can write no file: which
files to ask stands in the question, which of them cannot be read in the answer.

The parent's death is the end of standard input. PR_SET_PDEATHSIG would be wrong: it means the thread that started us.
"""

from __future__ import annotations

import os
import queue
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from connectors._analyst import portions, table
from connectors._duck import Engine
from connectors._querywire import Message, framed, page_out, query_in, read_message
from connectors._search import File, answer, units_of
from vonggac.storeport import Failed, Stopped, TooMuch, TooSlow

Send = Callable[[Message], int]  # gives the frame's bytes; waits until who asks has room


def main() -> None:
    """Answer until nobody asks any more."""
    folder, memory_mb, threads, idle_s = sys.argv[1:]
    _confine(int(memory_mb), int(threads))
    engines = [Engine(Path(folder), f"{memory_mb}MB", number) for number in dict.fromkeys((int(threads), 1))]
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    questions = Questions(sys.stdin.buffer)
    while (question := questions.next(float(idle_s))) is not None:
        _allow(question["limit_s"] * int(threads))

        def send(message: Message, asked: Message = question) -> int:
            frame = framed({"n": asked["n"], **message})
            out.write(frame)
            out.flush()
            _allow(asked["limit_s"] * int(threads))  # for each portion
            return len(frame)

        send(_answer(engines, question, questions.stop, send))
    os._exit(0)  # the thread that waits for questions holds standard input: an ordered end would wait for it


class Questions:
    """Reads questions and stops in a thread of its own."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.stop = threading.Event()  # of the question that is being answered
        threading.Thread(target=self._read, name="query-questions", daemon=True).start()

    def next(self, idle_s: float) -> Message | None:
        """Give the next question; None when none came for so long."""
        try:
            return self._waiting.get(timeout=idle_s)
        except queue.Empty:
            return None

    def _read(self) -> None:
        while (message := read_message(self._source.read)) is not None:
            if message["do"] == "stop":
                self.stop.set()
            else:
                self.stop.clear()  # the one before was answered, or there would be no next
                self._waiting.put(message)
        os._exit(0)  # the parent is gone; whatever runs is for nobody


def _answer(engines: Sequence[Engine], question: Message, stop: threading.Event, send: Send) -> Message:
    """Answer, by the last message at least; what does not fit into memory on several threads, on one."""
    begun = False

    def portion(message: Message) -> int:
        nonlocal begun
        begun = True
        return send(message)

    end = time.monotonic() + question["limit_s"]
    try:
        for engine in engines:
            try:
                return _answered(engine, question, end - time.monotonic(), stop, portion)
            except (TooMuch, MemoryError):
                engine.close()
                if begun or engine is engines[-1]:
                    raise
            finally:
                if engine is not engines[0]:
                    engine.close()  # two would keep twice the memory
    except (Stopped, TooSlow, TooMuch, Failed, ValueError) as error:
        return {"error": [_ERRORS.get(type(error), "value"), str(error)]}
    except MemoryError:
        pass
    return {"error": ["much", engines[0].memory]}


def _answered(engine: Engine, question: Message, limit_s: float, stop: threading.Event, send: Send) -> Message:
    units, files = frozenset(question["units"]), [File(*one) for one in question["files"]]
    if question["do"] == "search":
        page, bad = answer(engine, query_in(question["query"]), units, files, limit_s, stop)
        return {"page": page_out(page), "unreadable": bad}
    if question["do"] == "units":
        carried, bad = units_of(engine, files, limit_s, stop)
        return {"units": carried, "unreadable": bad}
    if question["do"] == "rows":

        def give(columns: tuple[str, ...], times: tuple[int, ...], rows: list[list[Any]]) -> int:
            return send({"columns": columns, "times": times, "rows": rows})

        ended, bad = portions(engine, question["sql"], units, files, limit_s, stop, question["rows"], give)
        return {"ended": ended, "unreadable": bad}
    found, bad = table(engine, question["sql"], units, files, limit_s, stop, question["rows"])
    return {"table": [found.columns, found.rows, found.more, found.times], "unreadable": bad}


def _confine(memory_mb: int, threads: int) -> None:
    """Give way to everything else, and keep to bounds that no bug of the engine can pass."""
    os.nice(_NICE)
    # DuckDB's own limit holds what it counts; this holds what it does not, Python's objects and the address space
    space = (2 * memory_mb + 256 * threads + 1_024) << 20
    for what, value in ((resource.RLIMIT_AS, space), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        _, most = resource.getrlimit(what)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(what, (value, value))
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # the first to go when memory ends


def _allow(seconds: float) -> None:
    """Allow so much more processor time; past it the kernel ends us, should nothing else have."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 10, most))


# -------------------------------------------------------------------- tables

_NICE: Final = 10
_ERRORS: Final[dict[type[Any], str]] = {Stopped: "stopped", TooSlow: "slow", TooMuch: "much", Failed: "failed"}

if __name__ == "__main__":
    main()
