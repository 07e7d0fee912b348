"""One file at a time: find its collector, read its events, run the detectors, yield what they say."""

from __future__ import annotations

import logging
import resource
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vonggac import shelf
from vonggac.event import Alert, Bad, Event
from vonggac.people.units import Units, saved
from vonggac.pipeline.job import Job, Rules, Tally
from vonggac.pipeline.parts import Part
from vonggac.ports import Batch, Built, DetectorConfig, ReadOptions, RuleSource, Source
from vonggac.reading import walk
from vonggac.reading.claims import claimed
from vonggac.reading.journal import JOURNAL, journal_source
from vonggac.reading.source import READ_ERRORS, Limits

_log = logging.getLogger(__name__)
#: what YARA is for: files, not log events
_FILE_COLLECTOR: Final = "file"


@dataclass(frozen=True, slots=True)
class Line:
    """An alert or (mode parse) an event, as JSON; `stored`: an event that a scan hands over (`Job.store`)."""

    json: bytes
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """An input, or the rest of it, could not be read."""

    path: str
    reason: str


class Scanner:
    """Built once a worker; holds the rules."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._limits = Limits(ratio=job.unpack_ratio)
        self._options = ReadOptions(job.logsource, job.zone, job.tshark_seconds)
        self._units = Units(saved(Path(job.units)) if job.units else ())
        self._built = _detectors(job) if job.mode == "scan" else ()
        self._collectors = {name: shelf.collector(name) for name in shelf.names("collectors")}
        self._all_files = "yara" in job.detectors

    @property
    def rules(self) -> Rules:
        """The account of the rules of all detectors."""
        refused = [one for built in self._built for one in built.refused]
        rows = ({"path": one.path, "line": one.line, "reason": one.reason} for one in refused)
        return Rules(sum(built.loaded for built in self._built), tuple(rows))

    def read(self, part: Part, tally: Tally) -> Iterator[Line | Bad | Failed]:
        """Yield everything that a file (or the journal, or each member of an archive) gives; count it in `tally`."""
        for source in self._sources(part):
            tally.inputs += part.first
            if isinstance(source, Bad):
                yield Failed(source.path, source.reason)
                continue
            try:
                yield from self._source(source, part, tally)
            except READ_ERRORS as error:
                yield Failed(source.path, walk.reason_of(error))
            except Exception as error:  # noqa: BLE001  the one fence of this loop: our fault on one input stops no other
                _log.exception("fault while reading %s", source.path)
                yield Failed(source.path, f"fault of Vọng Gác, please report it: {type(error).__name__}: {error}")
        tally.rss_mb = max(tally.rss_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)

    def _sources(self, part: Part) -> Iterator[Source | Bad]:
        if part.path == JOURNAL:
            try:
                return iter([journal_source()])
            except READ_ERRORS as error:
                return iter([Bad(JOURNAL, "", walk.reason_of(error))])
        return walk.inputs(part.path, self._limits, part.stop)

    def _source(self, source: Source, part: Part, tally: Tally) -> Iterator[Line | Bad]:
        if not source.head.data:
            tally.inputs_by_collector["empty"] += 1
            return
        name = self._job.collector or claimed(source, self._collectors)
        looks_at_file = name is None or self._all_files
        tally.inputs_by_collector[name or _FILE_COLLECTOR] += part.first
        if looks_at_file and part.first:
            yield from self._file(source, tally)
        if name is not None:
            batches = self._collectors[name].open(source, self._options).read(part.mark(self._collectors[name]))
            yield from self._batches(name, batches, tally)

    def _batches(self, name: str, batches: Iterator[Batch], tally: Tally) -> Iterator[Line | Bad]:
        for records, _ in batches:
            events: list[Event] = []
            for record in records:
                if isinstance(record, Bad):
                    yield self._bad(record, name, tally)
                else:
                    events.append(self._stamped(record, name))
            tally.events += len(events)
            tally.by_collector[name] += len(events)
            yield from self._judged([event for event in events if self._in_time(event)], tally)

    def _judged(self, events: Sequence[Event], tally: Tally) -> Iterator[Line | Bad]:
        if self._job.mode == "parse":
            yield from (Line(event.to_json()) for event in events)
            return
        if self._job.store:
            yield from (Line(event.to_json(), stored=True) for event in events)
        for built in self._built:
            if built.events is not None:
                for found in built.events.judge(events):
                    if isinstance(found, Alert):
                        yield self._alert(found, tally)
                    elif isinstance(found, Bad):
                        yield self._bad(found, "detectors", tally)

    def _file(self, source: Source, tally: Tally) -> Iterator[Line | Bad]:
        """Give a file to the detectors that look at bytes, through a temporary copy: it may be packed, or change."""
        batches = self._collectors[_FILE_COLLECTOR].open(source, self._options).read(None)
        events = [
            self._stamped(one, _FILE_COLLECTOR) for records, _ in batches for one in records if isinstance(one, Event)
        ]
        tally.events += len(events)
        tally.by_collector[_FILE_COLLECTOR] += len(events)
        if self._job.mode == "parse":
            yield from (Line(event.to_json()) for event in events)
            return
        if self._job.store:
            yield from (Line(event.to_json(), stored=True) for event in events)
        detectors = []
        for detector in (built.files for built in self._built if built.files is not None):
            sizes = [event.doc["file"]["size"] for event in events]
            if max(sizes, default=0) <= detector.limit:
                detectors.append(detector)
                continue
            reason = f"{max(sizes):,} bytes: files are looked at up to {detector.limit:,} bytes"
            yield self._bad(Bad(source.path, "", reason), _FILE_COLLECTOR, tally)
        if not detectors:
            return
        with tempfile.NamedTemporaryFile(prefix="vonggac-") as copy, source.open() as content:
            shutil.copyfileobj(content, copy, 1 << 20)
            copy.flush()
            for event in events:
                for detector in detectors:
                    for found in detector.examine(event, Path(copy.name)):
                        if isinstance(found, Alert):
                            yield self._alert(found, tally)
                        else:
                            yield self._bad(found, _FILE_COLLECTOR, tally)

    def _bad(self, bad: Bad, name: str, tally: Tally) -> Bad:
        tally.events_failed += 1
        tally.events_kept += bad.kept
        tally.failed_by_collector[name] += 1
        return bad

    def _alert(self, alert: Alert, tally: Tally) -> Line:
        tally.alerts += 1
        tally.by_rule[alert.rule.id] += 1
        tally.by_level[alert.rule.level] += 1
        return Line(alert.to_json(self._job.now))

    def _stamped(self, event: Event, collector: str) -> Event:
        """Put in what the collector cannot know: its name, the unit, the drill."""
        own = event.doc.setdefault("vonggac", {})
        own["collector"] = collector
        own["unit"] = self._units.of(event.doc)
        if self._job.drill:
            event.doc["labels"] = {**event.doc.get("labels", {}), "drill": self._job.drill}
        return event

    def _in_time(self, event: Event) -> bool:
        since, until, time = self._job.since, self._job.until, event.time
        return time is None or ((since is None or time >= since) and (until is None or time < until))


def _detectors(job: Job) -> tuple[Built, ...]:
    config = DetectorConfig(
        packs=[RuleSource(name, Path(root)) for name, root in job.packs],
        min_level=job.min_level,
        cache=Path(job.cache) if job.cache else None,
        expand=job.expand,
    )
    return tuple(shelf.detector(name).build(config) for name in job.detectors or shelf.names("detectors"))
