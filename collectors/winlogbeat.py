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
from vonggac.reading.windows import (
    FILLED,
    NAMESPACE,
    about,
    document,
    fill,
    first_plain,
    in_known_second,
    keyword_bits,
    moment,
    plain,
)

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
        value = found.value
        if "_index" in value:
            value = _opened(value)
        written = value.get("@timestamp")
        if _is_ecs(value):
            header: Doc = value["winlog"]
            names = _names(header)
            doc, raw = value, None
            _to_ours(doc, header, names, found)
        elif _is_flat(value):
            header, names = value, _names(value)
            doc, raw = _flat(value, names), found.raw if value is found.value else None
        else:
            msg = "no Windows event: neither winlog nor log_name and event_id"
            raise ValueError(msg)
        log = doc.get("log")
        if log is None:
            doc["log"] = {"file": self._file, "offset": found.offset}
        else:
            log["file"], log["offset"] = self._file, found.offset
        time, millis = _time(written, found)
        if time is not None:
            doc["@timestamp"] = time
        else:
            doc.pop("@timestamp", None)
        number = header.get("record_id")
        if number.__class__ is not int:
            number = first_plain(header, ("record_id", "record_number"))
        computer, channel, provider = names
        if number != "" and millis is not None and computer:
            return Event(windows_id(computer, channel, provider, number, millis), doc, NAMESPACE, raw)
        return Event(found.file_id(), doc, NAMESPACE, raw)


def _to_ours(doc: Doc, header: Doc, names: tuple[str, str, str], found: Found) -> None:
    """Make the shipper's document ours, in place; what it has filled wins over what we would fill."""
    doc.pop("@metadata", None)
    if not _sound(doc):
        aside = _set_aside(doc)
        doc["shipper"] = aside
        found.notes.append(f"fields that a shipper may not send, or no objects: {', '.join(aside)}; see shipper")
    computer, channel, provider = names
    theirs = doc.get("event")
    code = header.get("event_id")
    if code.__class__ is not str or not code:
        code = plain(code) or plain(theirs.get("code") if theirs else None)
    keywords = header.get("keywords")
    told, _ = about(provider, channel, code, None, keyword_bits(keywords) if keywords else 0)
    event = told.copy()
    if theirs:  # all but what is ours to say
        event.update(theirs)
        event["kind"], event["module"], event["dataset"] = told["kind"], told["module"], told["dataset"]
        if code:
            event["code"] = code
        else:
            event.pop("code", None)
    doc["event"] = event
    if (category := event.get("category")).__class__ is str:
        event["category"] = [category]
    data = header.get("event_data")
    if data.__class__ is dict and data:
        if FILLED.isdisjoint(doc):
            fill(doc, told["dataset"], code, data)
        else:
            ours: Doc = {}
            fill(ours, told["dataset"], code, data)
            for name, part in ours.items():
                doc[name] = {**part, **doc.get(name, {})}
    if computer:
        host = doc.get("host")
        if host is None:
            doc["host"] = {"name": computer}
        elif "name" not in host:
            host["name"] = computer


def _flat(value: Doc, names: tuple[str, str, str]) -> Doc:
    """Fill ECS from the flat object, which is kept as it is."""
    computer, channel, provider = names
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


def _sound(doc: Doc) -> bool:
    """Say whether all of a document may stand in an event; see `_set_aside`.

    Shippers write a few shapes, so which objects to look at is worked out once for each (0.4 µs an event, not 5).
    """
    shape = tuple(doc)
    objects = _shapes.get(shape)
    if objects is None:
        objects = tuple(
            (top, tuple(path.partition(".")[2] for path in _OBJECTS if path.startswith(f"{top}.")))
            for top in shape
            if top in _OBJECTS
        )
        if sum(map(len, shape)) <= _SHAPE_LIMIT:
            if len(_shapes) >= _REMEMBERED:
                _shapes.clear()
            _shapes[shape] = objects
    for top, inner in objects:
        part = doc[top]
        if part.__class__ is not dict:
            return False
        for name in inner:
            if name in part and part[name].__class__ is not dict:
                return False
    return "vonggac" not in doc and "drill" not in doc.get("labels", ())


def _set_aside(doc: Doc) -> Doc:
    """Take out of a document what may not stand in an event, and give it.

    Our own marks, the mark of an exercise (it would keep an attack out of every figure), and what is no object where
    all code counts on one.
    """
    aside: Doc = {}
    if "vonggac" in doc:
        aside["vonggac"] = doc.pop("vonggac")
    for path in _OBJECTS:
        *above, last = path.split(".")
        place: Any = doc
        for name in above:
            place = place.get(name, {})
        if last in place and not isinstance(place[last], dict):
            aside[path] = place.pop(last)
    if "drill" in doc.get("labels", ()):
        aside["labels.drill"] = doc["labels"].pop("drill")
    return aside


def _names(header: Doc) -> tuple[str, str, str]:
    """Give computer, channel and provider, "" where there is none."""
    computer, channel, provider = header.get("computer_name"), header.get("channel"), header.get("provider_name")
    if computer.__class__ is channel.__class__ is provider.__class__ is str and computer and channel and provider:
        return computer, channel, provider
    computer = first_plain(header, ("computer_name", "computer"))
    return computer, first_plain(header, ("channel", "log_name")), first_plain(header, ("provider_name", "source_name"))


def _data(header: Doc) -> Doc:
    data = header.get("event_data")
    return data if isinstance(data, dict) else {}


def _time(value: Any, found: Found) -> tuple[str | None, int | None]:
    """Give the time as an event has it, and as milliseconds since 1970."""
    if value.__class__ is not str:
        return None, None
    if known := in_known_second(value):
        return known
    try:
        return moment(from_iso(value))
    except ValueError as error:
        found.notes.append(f"@timestamp: {error}")
        return None, None


_HEADER: Final = ("channel", "event_id", "provider_name", "record_id", "event_data")
#: the objects of ECS that events use, outer ones first
_OBJECTS: Final = tuple(
    sorted(
        {path.rpartition(".")[0] for path in FIELDS if "." in path}
        | {path.partition(".")[0] for path in FIELDS if "." in path}
    )
)
_shapes: dict[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]] = {}
_REMEMBERED: Final = 1_024
_SHAPE_LIMIT: Final = 4_096  # characters
