"""How fast the embedded log takes events: commits of 1,000, each durable before the next begins."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.embedded_log import EmbeddedLog
from vonggac.logport import Out


@dataclass(frozen=True, slots=True)
class LogSpeed:
    """Figures of one run."""

    events: int
    bytes_an_event: float  # as they came
    stored_an_event: float  # bytes on disk
    written_a_second: float  # events committed, with sync; making the `Out`s is part of it
    read_a_second: float  # events polled and committed past
    cpu_us_an_event: float  # of the writer
    commit_ms: float  # median
    commit_p99_ms: float


def bench_log(root: Path, records: Sequence[bytes], events: int, batch: int = 1000) -> LogSpeed:
    """Commit `events` of the records, over and over, into a new log at `root`, and read them back.

    Raises ValueError without records. The folder must lie on the disk that is asked about; nothing is deleted.
    """
    if not records:
        msg = "no records to write"
        raise ValueError(msg)
    log = EmbeddedLog(root)
    source, reader = log.join("bench-in", (), 0, 1), log.join("bench-out", ("events",), 0, 1)
    turns = max(1, events // batch)
    rounds = [[records[(turn * batch + n) % len(records)] for n in range(batch)] for turn in range(turns)]
    took = []
    try:
        source.start()
        cpu, began = time.process_time(), time.perf_counter()
        for turn, chosen in enumerate(rounds):
            now = time.perf_counter()
            source.commit([Out("events", record) for record in chosen], {}, {"bench": b"%d" % turn})
            took.append(time.perf_counter() - now)
        wrote_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        reader.start()
        began, read = time.perf_counter(), 0
        while batches := reader.poll(0, 4 << 20):
            read += sum(len(one.records) for one in batches)
            reader.commit([], {one.part: one.next for one in batches}, {})
        read_s = time.perf_counter() - began
    finally:
        source.close()
        reader.close()
    total = turns * batch
    if read != total:
        msg = f"{total} events written, {read} read"
        raise ValueError(msg)
    stored = sum(path.stat().st_size for path in (root / "bench-in-0").iterdir())
    took.sort()
    return LogSpeed(
        events=total,
        bytes_an_event=sum(len(record) for chosen in rounds for record in chosen) / total,
        stored_an_event=stored / total,
        written_a_second=total / wrote_s,
        read_a_second=total / read_s,
        cpu_us_an_event=cpu_s / total * 1e6,
        commit_ms=statistics.median(took) * 1e3,
        commit_p99_ms=took[int(len(took) * 0.99)] * 1e3,
    )
