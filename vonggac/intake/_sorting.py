"""Documents of one body to events: which collector reads which, which of them none can read, ids for the rest."""

from __future__ import annotations

import bisect
import dataclasses
import io
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from vonggac.event import Bad, Event, digest, file_id, head_digest
from vonggac.intake._documents import Document
from vonggac.ports import CollectorModule, Head, ReadOptions, Source
from vonggac.reading.claims import claimed
from vonggac.reading.source import of_bytes

GENERIC: Final = "json"
_CHUNK: Final = 256 << 10  # bytes that are events at once, and of one delivery; 1 MiB costs 7 µs more an event (caches)
_EACH: Final = 500  # what an event or a dead record has beside the document
_SAMPLE: Final = 4096
_SHAPES: Final = 4_096
_NAME: Final = "post.json"


@dataclass(slots=True)
class Sorted:
    """A part of a body, as one delivery: of one collector, in the order sent."""

    collector: str
    records: list[Event | Bad] = field(default_factory=list)


class Sorter:
    """Knows the collectors, and which of them reads documents of a shape seen before."""

    def __init__(self, collectors: Mapping[str, CollectorModule], options: ReadOptions) -> None:
        """`collectors` must hold `json`, which takes what no other does."""
        self._collectors, self._options = collectors, options
        self._known: dict[tuple[Any, ...], str] = {}

    def sort(
        self, documents: Sequence[Document], source: str, at: datetime, refused: dict[int, str]
    ) -> Iterator[Sorted]:
        """Yield the parts; `refused` is filled with position: reason. A refused document is a `Bad` in its part."""
        groups: dict[str, list[Document]] = {}
        sizes: dict[str, int] = {}
        unreadable: list[Event | Bad] = []
        unread = 0
        for document in documents:
            text = document.text
            try:
                value = orjson.loads(text)
                reason = "" if value.__class__ is dict else "no JSON object"
            except orjson.JSONDecodeError as error:
                reason = f"not JSON: {error}"
            if reason:
                refused[document.position] = reason
                unreadable.append(Bad(source, f"line {document.line}", reason, text[:_SAMPLE]))
                unread += min(len(text), _SAMPLE) + _EACH
                if unread >= _CHUNK:
                    yield Sorted(GENERIC, unreadable)
                    unreadable, unread = [], 0
                continue
            name = self._collector(value, text)
            groups.setdefault(name, []).append(document)
            sizes[name] = sizes.get(name, 0) + len(text) + _EACH
            if sizes[name] >= _CHUNK:
                yield from self._read(name, groups.pop(name), source, at, refused)
                del sizes[name]
        if unreadable:
            yield Sorted(GENERIC, unreadable)
        for name, group in groups.items():
            yield from self._read(name, group, source, at, refused)

    def _collector(self, value: dict[str, Any], text: bytes) -> str:
        """Name the collector by the document's own claim, remembered for documents with the same keys on two levels."""
        shape = (*value, *(tuple(one) for one in value.values() if one.__class__ is dict))
        name = self._known.get(shape)
        if name is None:
            alone = Source("", Head(_NAME, text), None, _NEVER, io.BytesIO, io.BytesIO)  # only its head is looked at
            name = claimed(alone, self._collectors) or GENERIC
            if len(self._known) >= _SHAPES:
                self._known.clear()
            if len(shape) <= 200 and len(repr(shape)) <= 16_000:
                self._known[shape] = name
        return name

    def _read(
        self, name: str, group: Sequence[Document], source: str, at: datetime, refused: dict[int, str]
    ) -> Iterator[Sorted]:
        """Read documents of one kind; those that the collector does not take after all are read as generic JSON.

        A random line stands before them: where a collector makes an id of its input's first line and the place in it,
        equal documents of two bodies get two ids.
        """
        before = b'{"post":"%s"}\n' % os.urandom(16).hex().encode()
        first = head_digest(before[:-1])
        starts = list(itertools.accumulate((len(document.text) + 1 for document in group), initial=len(before)))
        whole = of_bytes(before + b"\n".join(document.text for document in group), source, at, _NAME)
        out: list[Event | Bad] = []
        last, taken = 0, set()
        for records, _ in self._collectors[name].open(whole, self._options).read(None):
            for record in records:
                if isinstance(record, Event):
                    place = record.doc["log"].pop("offset")
                    if not place:
                        continue
                    last = bisect.bisect_right(starts, place, last) - 1
                    document = group[last]
                    taken.add(last)
                    given = _given(record.doc, document)
                    if given and record.id == file_id(first, place, document.text):
                        record = Event(given, record.doc, record.namespace, record.raw)
                    out.append(record)
                elif record.kept:
                    out.append(Bad(source, f"line {group[last].line}", record.reason, record.sample, kept=True))
        strange: list[Document] = []
        for document in (one for position, one in enumerate(group) if position not in taken):
            if name != GENERIC:
                told = list(self._alone(name, document, source, at))
                if not any(isinstance(one, Event) for one in told):
                    strange.append(document)
                    continue
                place = f"line {document.line}"  # of many records in it some may be bad, or odd
                out += [one if isinstance(one, Event) else dataclasses.replace(one, place=place) for one in told]
                continue
            reasons = (one.reason for one in self._alone(name, document, source, at) if isinstance(one, Bad))
            reason = refused[document.position] = next(reasons, "not read")
            out.append(Bad(source, f"line {document.line}", reason, document.text[:_SAMPLE]))
        if out:
            yield Sorted(name, out)
        if strange:
            yield from self._read(GENERIC, strange, source, at, refused)

    def _alone(self, name: str, document: Document, source: str, at: datetime) -> Iterator[Event | Bad]:
        """Read one document as a whole input: such as CloudTrail's `{"Records": […]}`, which is none among others."""
        whole = of_bytes(document.text, source, at, _NAME)
        for records, _ in self._collectors[name].open(whole, self._options).read(None):
            yield from records


def _given(doc: Mapping[str, Any], document: Document) -> str:
    """Give the id that the sender gave the event, in the document or beside it; "" = none."""
    own = doc.get("event", {}).get("id")
    if isinstance(own, str | int) and own != "" and not isinstance(own, bool):
        return digest(GENERIC, own)
    return document.id


_NEVER: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
