"""How fast the embedded store takes events: from batches of the log to a synced file that the catalogue names."""

from __future__ import annotations

import resource
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
    rss_mb: float  # the process's most, merging left out


def bench_store(
    root: Path, records: Sequence[bytes], events: int, batch: int = 1000, flush: int = 16 << 20
) -> StoreSpeed:
    """Save `events` of the records, over and over, into a new store at `root`; then join its small files.

    A save takes `flush` bytes of records, as the store task does. Raises ValueError without records. The folder must
    lie on the disk that is asked about; nothing is deleted.
    """
    if not records:
        msg = "no records to save"
        raise ValueError(msg)
    store = EmbeddedStore(root)
    took = []
    saved = size = refused = 0
    cpu_s = 0.0
    try:
        for batches in _rounds(records, max(1, events // batch), batch, flush):
            upto = {one.part: one.next for one in batches}
            cpu, began = time.process_time(), time.perf_counter()
            refused += len(store.save(batches, upto))
            took.append(time.perf_counter() - began)
            cpu_s += time.process_time() - cpu
            saved += sum(len(one.records) for one in batches)
            size += sum(len(record) for one in batches for record in one.records)
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
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


_PART: Final = Part("events/bench-0.0123456789abcdef/0")
