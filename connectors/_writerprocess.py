"""The store's second writer (`_second.py`): files what it is handed. It ends when idle, and when its parent is gone.

Started as `python -P -m connectors._writerprocess EVENTS BLOBS MEMORY IDLE_S MEMFD`. The parent's death is the end
of standard input. PR_SET_PDEATHSIG would be wrong: it means the thread that started us.
"""

from __future__ import annotations

import gc
import mmap
import os
import queue
import resource
import sys
import threading
from array import array
from dataclasses import asdict
from pathlib import Path
from typing import Final

import msgspec

from connectors._filing import Filer
from connectors._parquet import moment
from connectors._portion import Run
from connectors._querywire import Message, framed

_Lengths = tuple[int, int]  # of the list of runs, bytes; of the list of sizes, records


def main() -> None:
    """File until nobody hands anything over any more."""
    events, blobs, memory, idle_s, shared = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # our end costs least
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    given: queue.SimpleQueue[_Lengths] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(given,), name="writer-work", daemon=True).start()
    filer = Filer(Path(events), Path(blobs), memory, 1)
    _ = filer.engine.con  # DuckDB is there when work comes
    gc.freeze()
    work = Shared(int(shared))
    out.write(framed({"ready": True}))
    out.flush()
    while True:
        try:
            lengths = given.get(timeout=float(idle_s))
        except queue.Empty:
            os._exit(0)  # the thread that reads holds standard input: an ordered end would wait for it
        out.write(framed(_answer(filer, work.runs(*lengths))))
        out.flush()


class Shared:
    """The records that the parent put into the shared memory."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._map: mmap.mmap | None = None

    def runs(self, head: int, count: int) -> list[Run]:
        """Give the runs. Nothing of them is shared any more."""
        size = os.fstat(self._handle).st_size  # it never shrinks
        if self._map is None or len(self._map) < size:
            self._map = mmap.mmap(self._handle, size, prot=mmap.PROT_READ)
        shared = self._map
        sizes = array("Q", shared[head : head + 8 * count])
        at = head + 8 * count
        records = []
        for one in sizes:
            records.append(shared[at : at + one])
            at += one
        found, first = [], 0
        for number, appended, many in msgspec.msgpack.decode(shared[:head], type=list[tuple[int, int, int]]):
            found.append(Run("", 0, number, moment(appended), records[first : first + many]))
            first += many
        return found


def _answer(filer: Filer, runs: list[Run]) -> Message:
    """File, and say what came of it; of a failure the parent needs no more than that it is one."""
    import duckdb

    try:
        filed = filer.file(runs)
    except (OSError, MemoryError, duckdb.Error) as error:
        filer.close()
        return {"error": " ".join(str(error).split())[:_REASON] or type(error).__name__}
    if filed.tight:
        return {"error": "a record does not fit into its memory"}
    return {"pieces": [asdict(piece) for piece in filed.pieces], "bads": filed.bads}


def _read(given: queue.SimpleQueue[_Lengths]) -> None:
    while lengths := os.read(0, 16):  # so few are written and read at once
        head, count = array("Q", lengths)
        given.put((head, count))
    os._exit(0)  # the parent is gone; whatever we file is for nobody


_REASON: Final = 200

if __name__ == "__main__":
    main()
