"""Windows events to ECS, whoever delivers them: what the header says, what the named data say, which event it is.

Source: the event manifests' field names; the event ids of Sysmon and of Security auditing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vonggac.event import Event, windows_id
from vonggac.reading._windows import (
    AUDIT_FAILURE,
    AUDIT_SUCCESS,
    DATASETS,
    FIELDS,
    LEVELS,
    MEANINGS,
    PROVIDERS,
)
from vonggac.reading._windowsdata import Doc, Step, plain, plan_of
from vonggac.reading.times import iso

__all__ = [
    "FILLED",
    "NAMESPACE",
    "about",
    "document",
    "event",
    "fill",
    "first_plain",
    "in_known_second",
    "keyword_bits",
    "moment",
    "plain",
]
NAMESPACE: Final = ("winlog",)


def event(record: Doc, raw: bytes | str | None, file: Doc, offset: int, other_id: Callable[[int], str]) -> Event:
    """Make an event of `{"Event": {"System": …, "EventData": …}}`; `file` is ECS log.file, shared by an input's events.

    `other_id` gives the id of a record, by its offset, that lacks what identifies a Windows event.
    Raises ValueError when the record is no such object.
    """
    try:
        top = record["Event"]
        system = top["System"]
        get = system.get
    except (KeyError, TypeError, AttributeError) as error:
        msg = "no Windows event: Event.System is missing"
        raise ValueError(msg) from error
    channel, computer, code = get("Channel"), get("Computer"), get("EventID")
    try:
        provider = system["Provider"]["#attributes"]["Name"]
        written = system["TimeCreated"]["#attributes"]["SystemTime"]
    except (KeyError, TypeError):
        provider = _attribute(system, "Provider", "Name")
        written = _attribute(system, "TimeCreated", "SystemTime")
    # almost always text and a number already: the calls would be a tenth of the whole
    provider = provider if provider.__class__ is str else plain(provider)
    channel = channel if channel.__class__ is str else plain(channel)
    computer = computer if computer.__class__ is str else plain(computer)
    code = str(code) if code.__class__ is int else plain(code)
    data = top.get("EventData")
    if data.__class__ is not dict:
        data = _user_data(top.get("UserData"))
    time, millis = moment(written)
    doc = document(provider, channel, code, get("Level"), get("Keywords"), data)
    if time is not None:
        doc["@timestamp"] = time
    if computer:
        doc["host"] = {"name": computer}
    log = doc["log"]
    log["file"], log["offset"] = file, offset
    doc["winlog"] = record
    number = get("EventRecordID")
    if number.__class__ is not int:
        number = plain(number)
    if number != "" and millis is not None and computer:
        return Event(windows_id(computer, channel, provider, number, millis), doc, NAMESPACE, raw)
    return Event(other_id(offset), doc, NAMESPACE, raw)


def document(provider: str, channel: str, code: str, level: Any, keywords: Any, data: Mapping[str, Any]) -> Doc:
    """Give the part of an event's document that is the same for every shipper.

    `event` (kind, module, dataset, code, provider, action, category, outcome), `log.level`, and from the named data
    `process`, `user`, `file`, `source`, `destination`, `network`, `dns`.
    """
    told, level_name = about(provider, channel, code, level, keywords)
    doc: Doc = {"event": told.copy(), "log": {"level": level_name} if level_name else {}}
    if data:
        fill(doc, told["dataset"], code, data)
    return doc


def about(provider: str, channel: str, code: str, level: Any, keywords: Any) -> tuple[Doc, str | None]:
    """Give `event` and `log.level` of one kind of event; both are remembered: change nothing in them."""
    try:
        key = (provider, channel, code, level, keywords)
        found = _known.get(key)
    except TypeError:  # a level that is an object
        key = (provider, channel, code, plain(level), plain(keywords))
        found = _known.get(key)
    if found is None:
        found = _about(*key)
        _remember(_known, key, found)
    return found


def fill(doc: Doc, dataset: str, code: str, data: Mapping[str, Any]) -> None:
    """Put into `doc` what the named data of an event say: objects of FILLED, which must not be shared."""
    # Which fields an event of one kind has hardly varies, so which to take is worked out once for each kind.
    names = (dataset, code, *data)
    plan = _plans.get(names)
    if plan is None:
        plan = plan_of(dataset, code, data)
        _remember(_plans, names, plan)
    for step in plan:
        step(data, doc)


def keyword_bits(words: Any) -> int:
    """Give System/Keywords of the words that Winlogbeat makes of it: `["Audit Success"]`."""
    bits = 0
    if isinstance(words, list):
        for word in words:
            if isinstance(word, str):
                bits |= _WORDS.get(word, 0)
    return bits


def _remember(table: dict[Any, Any], key: tuple[Any, ...], value: Any) -> None:
    """Keep a result, within bounds whatever the input says: few keys, and none that is long."""
    if sum(len(part) for part in key if isinstance(part, str)) <= _KEY_LIMIT:
        if len(table) >= _REMEMBERED:
            table.clear()
        table[key] = value


def moment(text: Any) -> tuple[str | None, int | None]:
    """Give a time as ECS writes it and as milliseconds since 1970; (None, None) when it is none or has no zone."""
    if text.__class__ is not str:
        return None, None
    # `2026-03-01T01:02:03.004005Z`, by far the most: its second is looked up, since events come many a second (0.5 µs)
    second = _seconds.get(text[:19])
    if second is not None and len(text) == 27 and text[19:27:7] == ".Z" and text[20:26].isdecimal() and text.isascii():
        return text, second + int(text[20:23])
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            return None, None
        written = text if len(text) == 27 and text[26] == "Z" and text[10] == "T" else iso(when)
    except (ValueError, OverflowError):
        return None, None
    millis = (when - _EPOCH) // _MILLISECOND
    if written is text and text.isascii():
        if len(_seconds) >= _REMEMBERED:
            _seconds.clear()
        _seconds[text[:19]] = millis - millis % 1000
    return written, millis


def in_known_second(text: str) -> tuple[str, int] | None:
    """Give what `moment` gives, for `2026-03-01T01:02:03.004Z` (Winlogbeat's form) of a second that it has seen."""
    if len(text) == 24 and text[19] == "." and text[23] == "Z" and text[20:23].isdecimal() and text.isascii():
        second = _seconds.get(text[:19])
        if second is not None:
            return f"{text[:23]}000Z", second + int(text[20:23])
    return None


def first_plain(fields: Mapping[str, Any], names: Iterable[str]) -> str:
    """Give the text of the first of the named fields that has one, else ""."""
    return next((text for name in names if (text := plain(fields.get(name)))), "")


def _attribute(system: Doc, element: str, name: str) -> Any:
    """Find an attribute in either form: `{"#attributes": {…}}`, or `Provider_attributes` beside the element."""
    try:
        return system[element]["#attributes"][name]
    except (KeyError, TypeError):
        apart = system.get(f"{element}_attributes")
        return apart.get(name) if isinstance(apart, dict) else None


def _user_data(value: Any) -> Doc:
    """Give the fields below UserData's one element: `{"LogFileCleared": {"SubjectUserName": …}}`."""
    if isinstance(value, dict):
        for inner in value.values():
            if isinstance(inner, dict):
                return inner
    return {}


# ---------------------------------------------------------------- the header


def _about(provider: str, channel: str, code: str, level: Any, keywords: Any) -> tuple[Doc, str | None]:
    """Work out `event` and `log.level` for one kind of event."""
    lower = channel.lower()
    service = DATASETS.get(lower) or lower or PROVIDERS.get(provider.lower(), "unknown")
    told: Doc = {"kind": "event", "module": "windows", "dataset": f"windows.{service}"}
    if code:
        told["code"] = code
    if provider:
        told["provider"] = provider
    if meaning := MEANINGS.get((service, code)):
        told["action"], told["category"] = meaning[0], [meaning[1]]
    bits = _bits(keywords)
    if bits & AUDIT_FAILURE:
        told["outcome"] = "failure"
    elif bits & AUDIT_SUCCESS:
        told["outcome"] = "success"
    return told, LEVELS.get(plain(level))


def _bits(keywords: Any) -> int:
    """Read System/Keywords: `"0x8020000000000000"`, or the signed number that NXLog makes of it."""
    if isinstance(keywords, int):
        return keywords
    try:
        return int(plain(keywords)[:20], 16)
    except ValueError:
        return 0


_WORDS: Final = {"Audit Failure": AUDIT_FAILURE, "Audit Success": AUDIT_SUCCESS}
#: the objects that `fill` may set
FILLED: Final = frozenset(("process", "user", *(group.partition(".")[0] for group, *_ in FIELDS), "network"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_seconds: dict[str, int] = {}  # `2026-03-01T01:02:03` -> milliseconds since 1970
_REMEMBERED: Final = 4096  # kinds of events
_KEY_LIMIT: Final = 4096  # characters
_known: dict[tuple[str, str, str, Any, Any], tuple[Doc, str | None]] = {}
_plans: dict[tuple[str, ...], tuple[Step, ...]] = {}
