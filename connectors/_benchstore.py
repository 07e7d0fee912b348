"""How fast the embedded store takes events: from batches of the log to a synced file that the catalogue names."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from connectors.embedded_store import EmbeddedStore
from vonggac.logport import Batch, Part


@dataclass(frozen=True, slots=True)
class StoreSpeed:
    """Figures of one run."""

    events: int
    bytes_an_event: float  # as they came
    stored_an_event: float  # bytes on disk, before small files are joined
    saved_a_second: float  # with sync and catalogue
    cpu_us_an_event: float  # of all threads
    save_ms: float  # median
    save_p99_ms: float
    merge_us_an_event: float  # CPU
    merged_an_event: float  # bytes on disk, after
    rss_mb: float  # the most of all writers together, merging left out
    writers: int = 1


def bench_store(
    root: Path, records: Sequence[bytes], events: int, batch: int = 1000, flush: int = 16 << 20, writers: int = 1
) -> StoreSpeed:
    """Save `events` of the records, over and over, into a new store at `root`; then join its small files.

    A save takes `flush` bytes of records, as the store task does, and is done by so many writers (1 or 2). Raises
    ValueError without records, OSError when there is no second writer. The folder must lie on the disk that is asked
    about; nothing is deleted.
    """
    if not records:
        msg = "no records to save"
        raise ValueError(msg)
    store = EmbeddedStore(root, writers=writers)
    second = store.second_writer(_START_S) if writers > 1 else None
    if writers > 1 and second is None:
        store.close()
        msg = "the second writer does not start"
        raise OSError(msg)
    took = []
    saved = size = refused = 0
    cpu_s = 0.0
    try:
        for batches in _rounds(records, max(1, events // batch), batch, flush):
            upto = {one.part: one.next for one in batches}
            cpu, began = _cpu_s(second), time.perf_counter()
            refused += len(store.save(batches, upto))
            took.append(time.perf_counter() - began)
            cpu_s += _cpu_s(second) - cpu
            saved += sum(len(one.records) for one in batches)
            size += sum(len(record) for one in batches for record in one.records)
        rss = _rss_mb() + (_rss_mb(second) if second else 0)
        stored = sum(piece.size for piece in store.catalogue.live())
        cpu = time.process_time()
        store.merge()
        merge_s = time.process_time() - cpu
        pieces = store.catalogue.live()
    finally:
        store.close()
    if sum(piece.rows for piece in pieces) != saved - refused:
        msg = f"{saved} events given, {refused} refused, {sum(piece.rows for piece in pieces)} in the store"
        raise ValueError(msg)
    wall_s = sum(took)
    took.sort()
    return StoreSpeed(
        events=saved,
        bytes_an_event=size / saved,
        stored_an_event=stored / saved,
        saved_a_second=saved / wall_s,
        cpu_us_an_event=cpu_s / saved * 1e6,
        save_ms=statistics.median(took) * 1e3,
        save_p99_ms=took[int(len(took) * 0.99)] * 1e3,
        merge_us_an_event=merge_s / saved * 1e6,
        merged_an_event=sum(piece.size for piece in pieces) / saved,
        rss_mb=rss,
        writers=1 if second is None else 2,
    )


def _rounds(records: Sequence[bytes], turns: int, batch: int, flush: int) -> Iterator[list[Batch]]:
    """Give the batches of each save; made one save at a time, so that they do not fill the memory."""
    waiting: list[Batch] = []
    size = 0
    for turn in range(turns):
        first = turn * batch
        chosen = [records[n % len(records)] for n in range(first, first + batch)]
        waiting.append(Batch(_PART, first, first + batch, datetime.now(UTC), chosen))
        size += sum(map(len, chosen))
        if size >= flush or turn == turns - 1:
            yield waiting
            waiting, size = [], 0


def _cpu_s(second: int | None) -> float:
    """Give the seconds of processor time of this process, and of the second writer's threads (10 ms exactly)."""
    mine = time.process_time()
    if second is None:
        return mine
    fields = Path(f"/proc/{second}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return mine + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(process: int | str = "self") -> float:
    """Give the most memory that a process ever held."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


_START_S: Final = 60.0
_PART: Final = Part("events/bench-0.0123456789abcdef/0")
