"""The detect task: events in, alerts out; alerts, matches, dead records and the positions are one commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from vonggac.dead import TOPIC as DEAD
from vonggac.dead import dead_record
from vonggac.event import Alert, Bad, Event, Match
from vonggac.logport import Batch, Out, Part, Task
from vonggac.pipeline.sifting import SAMPLE, Sifter, in_hand
from vonggac.pipeline.turning import Life, commit, turns
from vonggac.ports import Detector, FileDetector
from vonggac.reading.times import iso
from vonggac.shorten import shortened

GROUP: Final = "detect"
ALERTS: Final = "alerts"
MATCHES: Final = "matches"
_POLL: Final = 2 << 20  # bytes of events a turn
_COMMIT: Final = 6 << 20  # bytes of alerts: what they exceed is committed in the midst of a batch
_STEP: Final = 200  # events judged at once
_LARGEST: Final = 1 << 20  # bytes of an alert: a field of 8 MiB stands in it twice, and the log takes 16 a commit


class Detect:
    """One worker. No memory between events."""

    def __init__(
        self,
        task: Task,
        events: Sequence[Detector],
        files: Sequence[FileDetector],
        examine: Path,
        life: Life,
        sifter: Sifter | None = None,
    ) -> None:
        self._task, self._events, self._files, self._life = task, events, files, life
        self._examine = examine
        self._sifter = sifter
        self._begin: dict[Part, int] = {}
        self._outs: list[Out] = []
        self._size = 0
        self._upto: dict[Part, int] = {}
        self._examined: list[Path] = []

    def run(self) -> None:
        """Judge until `stop`, or until nothing waits any more once `drain` is set."""
        self._begin = dict(self._task.start())
        self._life.ready()
        for batches in turns(self._task, self._life, _POLL):
            for batch in batches:
                self._batch(batch)
                if self._life.stop.is_set():
                    break
            self._commit()
            self._life.tell()
        self._life.show()
        self._task.close()

    def _batch(self, batch: Batch) -> None:
        self._life.page.work(in_hand([batch]))
        culprits = self._sifter(batch) if self._sifter is not None else {}
        skip = max(0, self._begin.get(batch.part, 0) - batch.first)  # a commit in the midst of it had these
        at = iso(batch.appended)
        for start in range(skip, len(batch.records), _STEP):
            step = batch.records[start : start + _STEP]
            for out in self._judged(self._decoded(step, batch, batch.first + start, culprits), batch, at):
                self._outs.append(out)
                self._size += len(out.record)
            self._upto[batch.part] = batch.first + start + len(step)
            if self._size > _COMMIT:
                self._commit()
        self._upto[batch.part] = batch.next

    def _decoded(self, records: Sequence[bytes], batch: Batch, first: int, culprits: Mapping[int, str]) -> list[Event]:
        events: list[Event] = []
        for offset, record in enumerate(records, first):
            reason = culprits.get(offset)
            if reason is None:
                try:
                    events.append(Event.from_json(record))
                    continue
                except ValueError as error:
                    reason = str(error)
            self._dead(Bad(batch.part, f"offset {offset}", reason, record[:SAMPLE]), batch)
        self._life.count("events_total", len(events))
        return events

    def _judged(self, events: Sequence[Event], batch: Batch, at: str) -> Iterator[Out]:
        for detector in self._events:
            yield from self._found(detector.judge(events), batch, at)
        if self._files:
            for event in events:
                name = event.doc.get("vonggac", {}).get("examine")
                if name is not None:
                    yield from self._file(event, name, batch, at)

    def _file(self, event: Event, name: object, batch: Batch, at: str) -> Iterator[Out]:
        """Give a file's bytes to the detectors that look at bytes; its copy is deleted after the commit."""
        path = self._examine / str(name)
        if not isinstance(name, str) or path.parent != self._examine or not path.is_file():
            self._dead(Bad(str(name), "", "the copy of the file's bytes is not there: not looked at"), batch)
            return
        for detector in self._files:
            size = path.stat().st_size
            if size > detector.limit:
                reason = f"{size:,} bytes: files are looked at up to {detector.limit:,} bytes"
                self._dead(Bad(event.doc.get("file", {}).get("path", name), "", reason), batch)
                continue
            yield from self._found(detector.examine(event, path), batch, at)
            self._life.page.beat()
        self._examined.append(path)

    def _found(self, found: Iterable[Alert | Match | Bad], batch: Batch, at: str) -> Iterator[Out]:
        for one in found:
            if isinstance(one, Alert):
                self._life.count("alerts_total")
                self._life.count(f'alerts_by_level_total{{level="{one.rule.level}"}}')
                yield Out(ALERTS, line_of(one, at))
            elif isinstance(one, Match):
                self._life.count("matches_total")
                yield Out(MATCHES, msgspec.json.encode(one))
            else:
                self._dead(one, batch)

    def _dead(self, bad: Bad, batch: Batch) -> None:
        self._life.count("dead_total")
        self._outs.append(Out(DEAD, dead_record(bad, task=GROUP, at=batch.appended)))

    def _commit(self) -> None:
        """Make it durable; a turn without alerts commits its positions only."""
        if not self._upto:
            return
        if commit(self._task, self._life, self._outs, self._upto, {}):
            for path in self._examined:
                path.unlink(missing_ok=True)
        self._outs, self._size, self._upto, self._examined = [], 0, {}, []


def line_of(alert: Alert, at: str) -> bytes:
    """Give an alert's line; one above 1 MiB is cut and marked `vonggac.shortened`: its event is stored as it was."""
    line = alert.to_json(at)
    if len(line) <= _LARGEST:
        return line
    doc = shortened(alert.event.doc)
    doc["vonggac"] = {**alert.event.doc.get("vonggac", {}), "shortened": True}
    event = msgspec.structs.replace(alert.event, doc=doc)
    return replace(alert, event=event, matched=shortened(alert.matched)).to_json(at)
