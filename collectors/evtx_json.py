r"""Reads Windows events as evtx_dump, chainsaw and their like write them in JSON: `{"Event": {"System": {…}, …}}`.

One object, several one after another (pretty-printed or not), an array, or lines; `Record 17` lines between them are
stepped over. Namespace `winlog` holds the whole object, as the collector `evtx` gives it for the binary twin: the ids
are equal too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from vonggac.event import Event
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.jsonlog import Found, read_json, sample_objects, start_of
from vonggac.reading.jsonstream import is_ndjson
from vonggac.reading.windows import event


def claims(head: Head) -> int:
    """Claim what begins with `{"Event": {` and has a System in it."""
    start = start_of(head.data)
    if b"\0" in head.data[:1024] or not _START.match(start[:512]):
        return 0
    for value in sample_objects(start, 1):
        inner = value.get("Event")
        return 95 if isinstance(inner, dict) and isinstance(inner.get("System"), dict) else 0
    return 85 if b'"System"' in start else 0  # an object longer than the head


def splits(head: Head) -> bool:
    """Say that lines stand alone; objects of many lines do not."""
    return is_ndjson(head.data)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; the options say nothing to it."""
    return _EvtxJson(source)


class _EvtxJson:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = {"path": source.path}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        return read_json(self._source, mark, self._event, skipped=_BETWEEN)

    def _event(self, found: Found) -> Event:
        return event(found.value, found.raw, self._file, found.offset, lambda _: found.file_id())


_START: Final = re.compile(rb'(?:Record \d+\s*)?[\[\s]*\{\s*"(?:Event|Event_attributes)"\s*:\s*\{')
_BETWEEN: Final = re.compile(rb"Record \d{1,20}\s*")
