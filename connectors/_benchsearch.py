"""How fast the embedded store answers: a store of some million events is made, then questions are asked of it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from connectors.embedded_query import QueryProcess
from connectors.embedded_store import EmbeddedStore
from vonggac.logport import Batch, Part
from vonggac.query import And, Histogram, Op, Query, Terms, Test, Text

DAYS: Final = 7
_SAVE: Final = 20_000
_TIME: Final = re.compile(rb'"@timestamp":"[^"]*"')


def bench_search(root: Path, records: Sequence[bytes], events: int, runs: int = 5) -> dict[str, list[float]]:
    """Give milliseconds of each question, `runs` times, after one that is not counted.

    The records are repeated with times spread evenly over the last seven days, saved and joined as the store does it.
    Each question goes through a query process, as `hunt` asks; nothing is remembered between them but the files that
    the system keeps in memory.
    """
    now = datetime.now(UTC)
    store = EmbeddedStore(root)
    for batch in _batches(records, events, now):
        store.save([batch], {batch.part: batch.next})
    while store.merge():
        pass
    store.close()
    hour, day = now - timedelta(hours=1), now - timedelta(days=1)
    one = And((Test("host.name", Op.EQ, _host(records)), Test("event.code", Op.EQ, "4624")))
    questions = {
        "host and event code, last hour": Query(one, since=hour, count=True),
        "host and event code, all time, 100 newest": Query(one),
        "a text that is nowhere, all time": Query(Text("mimikatz"), count=True),
        "a text in command lines, all time": Query(Test("process.command_line", Op.CONTAINS, "mimikatz"), count=True),
        "one source address, all time": Query(Test("source.ip", Op.EQ, "10.1.2.3"), count=True),
        "ten most frequent programs, 24 h": Query(since=day, size=0, terms=Terms("process.executable")),
        "events an hour, all time": Query(size=0, histogram=Histogram(timedelta(hours=1))),
    }
    asker, never = QueryProcess(root), threading.Event()
    found: dict[str, list[float]] = {name: [] for name in questions}
    try:
        for run in range(runs + 1):
            for name, query in questions.items():
                began = time.perf_counter()
                page = asker.search(query, frozenset({"default"}), 300, never)
                took = (time.perf_counter() - began) * 1e3
                if page.missing:
                    raise ValueError(page.missing[0])
                if run:
                    found[name].append(took)
    finally:
        asker.close()
    return found


def _batches(records: Sequence[bytes], events: int, now: datetime) -> Iterator[Batch]:
    part = Part("events/bench-0.0123456789abcdef/0")
    begin, step = now - timedelta(days=DAYS), timedelta(days=DAYS) / events
    for first in range(0, events, _SAVE):
        chosen = []
        for n in range(first, min(first + _SAVE, events)):
            time_ = (begin + n * step).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
            chosen.append(_TIME.sub(b'"@timestamp":"%s"' % time_, records[n % len(records)], count=1))
        yield Batch(part, first, first + len(chosen), begin + first * step, chosen)


def _host(records: Sequence[bytes]) -> str:
    """Give the host of some record."""
    for record in records:
        name = orjson.loads(record).get("host", {}).get("name")
        if name:
            return str(name)
    return ""
