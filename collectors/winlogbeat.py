"""Reads Windows events as Winlogbeat and Elastic Agent ship them: ECS documents with a `winlog` object.

The document stays the shipper's own (`@metadata` left out), with our `event.kind`, `module`, `dataset` and `log.file`,
`log.offset` in it, and ECS fields added that it lacks. What may not stand there (`"host": "ws01"`) moves to `shipper`.
Winlogbeat before 7 wrote a flat object (`log_name`, `event_data`): that stands under `winlog` as it is. A hit of a
search (`{"_index": …, "_source": {…}}`) is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vonggac.event import FIELDS, Event, windows_id
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.jsonlog import Found, read_json, sample_objects
from vonggac.reading.jsonstream import is_ndjson
from vonggac.reading.times import from_iso
from vonggac.reading.windows import NAMESPACE, document, first_plain, keyword_bits, moment, plain

Doc = dict[str, Any]


def claims(head: Head) -> int:
    """Claim when most of the first objects have a `winlog` object, or the flat names of Winlogbeat before 7."""
    found = sample_objects(head.data)
    fitting = sum(1 for one in found if _is_ecs(_opened(one)) or _is_flat(_opened(one)))
    return 95 if found and fitting * 2 >= len(found) else 0


def splits(head: Head) -> bool:
    """Say that lines stand alone; objects of many lines do not."""
    return is_ndjson(head.data)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; the options say nothing to it."""
    return _Winlogbeat(source)


class _Winlogbeat:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = {"path": source.path}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        return read_json(self._source, mark, self._event)

    def _event(self, found: Found) -> Event:
        value = _opened(found.value)
        if _is_ecs(value):
            doc, raw = self._ecs(value, found), None
        elif _is_flat(value):
            doc, raw = self._flat(value), found.raw if value is found.value else None
        else:
            msg = "no Windows event: neither winlog nor log_name and event_id"
            raise ValueError(msg)
        header = doc["winlog"]
        log = doc.setdefault("log", {})
        log["file"], log["offset"] = self._file, found.offset
        doc.pop("@timestamp", None)
        if time := _time(value.get("@timestamp"), found):
            doc["@timestamp"] = time
        computer, channel, provider = _names(header)
        number = first_plain(header, ("record_id", "record_number"))
        _, millis = moment(time)
        if number and millis is not None and computer:
            return Event(windows_id(computer, channel, provider, number, millis), doc, NAMESPACE, raw)
        return Event(found.file_id(), doc, NAMESPACE, raw)

    def _ecs(self, value: Doc, found: Found) -> Doc:
        """Take the shipper's document over; what it has filled wins over what we would fill."""
        doc, aside = _clean(value)
        if aside:
            doc["shipper"] = aside
            found.notes.append(f"fields that a shipper may not send, or no objects: {', '.join(aside)}; see shipper")
        header: Doc = doc["winlog"]
        computer, channel, provider = _names(header)
        code = plain(header.get("event_id")) or plain(doc.get("event", {}).get("code"))
        ours = document(provider, channel, code, None, keyword_bits(header.get("keywords")), _data(header))
        about = ours["event"]
        about.update(
            (name, part)
            for name, part in doc.get("event", {}).items()
            if name not in ("kind", "module", "dataset", "code")
        )
        if isinstance(category := about.get("category"), str):
            about["category"] = [category]
        for name, part in ours.items():
            doc[name] = {**part, **doc.get(name, {})} if name != "event" else about
        if computer:
            doc.setdefault("host", {}).setdefault("name", computer)
        return doc

    def _flat(self, value: Doc) -> Doc:
        """Fill ECS from the flat object, which is kept as it is."""
        computer, channel, provider = _names(value)
        doc = document(
            provider,
            channel,
            plain(value.get("event_id")),
            None,
            keyword_bits(value.get("keywords")),
            _data(value),
        )
        if level := plain(value.get("level")):
            doc["log"]["level"] = level.lower()
        if message := plain(value.get("message")):
            doc["message"] = message
        if computer:
            doc["host"] = {"name": computer}
        doc["winlog"] = value
        return doc


def _opened(value: Doc) -> Doc:
    inner = value.get("_source")
    return inner if isinstance(inner, dict) and "_index" in value else value


def _is_ecs(value: Doc) -> bool:
    header = value.get("winlog")
    return isinstance(header, dict) and not header.keys().isdisjoint(_HEADER)


def _is_flat(value: Doc) -> bool:
    return "log_name" in value and "event_id" in value and ("source_name" in value or "event_data" in value)


def _clean(value: Doc) -> tuple[Doc, Doc]:
    """Part a document into what may stand in an event and what may not.

    Not: our own marks, the mark of an exercise (it would keep an attack out of every figure), and what is no object
    where all code counts on one.
    """
    doc, aside = dict(value), {}
    doc.pop("@metadata", None)
    if "vonggac" in doc:
        aside["vonggac"] = doc.pop("vonggac")
    for path in _OBJECTS:
        *above, last = path.split(".")
        place: Any = doc
        for name in above:
            place = place.get(name, {})
        if last in place:
            if isinstance(place[last], dict):
                place[last] = dict(place[last])
            else:
                aside[path] = place.pop(last)
    if "drill" in doc.get("labels", ()):
        aside["labels.drill"] = doc["labels"].pop("drill")
    return doc, aside


def _names(header: Doc) -> tuple[str, str, str]:
    computer = first_plain(header, ("computer_name", "computer"))
    return computer, first_plain(header, ("channel", "log_name")), first_plain(header, ("provider_name", "source_name"))


def _data(header: Doc) -> Doc:
    data = header.get("event_data")
    return data if isinstance(data, dict) else {}


def _time(value: Any, found: Found) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return from_iso(value)
    except ValueError as error:
        found.notes.append(f"@timestamp: {error}")
        return None


_HEADER: Final = ("channel", "event_id", "provider_name", "record_id", "event_data")
#: the objects of ECS that events use, outer ones first
_OBJECTS: Final = tuple(
    sorted(
        {path.rpartition(".")[0] for path in FIELDS if "." in path}
        | {path.partition(".")[0] for path in FIELDS if "." in path}
    )
)
