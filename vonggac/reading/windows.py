"""Windows events to ECS, whoever delivers them: what the header says, what the named data say, which event it is.

Source: the event manifests' field names; the event ids of Sysmon and of Security auditing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vonggac.event import Event, windows_id
from vonggac.reading._windows import (
    ABOUT_TARGET,
    ACCOUNT,
    AUDIT_FAILURE,
    AUDIT_SUCCESS,
    DATASETS,
    FIELDS,
    FILTERING,
    LEVELS,
    LOGGER,
    MEANINGS,
    PROVIDERS,
    SUBJECT,
    TARGET,
    TRANSPORTS,
)
from vonggac.reading.bodies import address, port
from vonggac.reading.times import iso

Doc = dict[str, Any]
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
        plan = _plan(dataset, code, data)
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


def plain(value: Any) -> str:
    """Give an element's text: `4104`, `"Security"`, `{"#attributes": {…}, "#text": 4104}`; "" for anything else."""
    if isinstance(value, dict):
        value = value.get("#text")
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    return ""


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


# ------------------------------------------------------------------ the data

_Step = Callable[[Mapping[str, Any], Doc], None]


def _plan(dataset: str, code: str, data: Mapping[str, Any]) -> tuple[_Step, ...]:
    """List what is to be taken from the data of one kind of event."""
    security = dataset == "windows.security"
    steps: list[_Step] = []
    for group, field, how, names in FIELDS:
        if security and code == "4688" and field == "pid":
            # here ProcessId is the creator's
            names = ("NewProcessId",) if group == "process" else ("ProcessId",)
        elif security and code in FILTERING and field == "pid" and group == "process":
            names = ("ProcessID", "ProcessId")
        steps += [_STEPS[how](group, field, name) for name in reversed(names) if name in data]
    if "Protocol" in data:
        steps.append(_transport)
    if security and "ObjectType" in data and "ObjectName" in data:
        steps.append(_object)
    order = (LOGGER, SUBJECT, ACCOUNT, TARGET) if code in ABOUT_TARGET else (LOGGER, ACCOUNT, TARGET, SUBJECT)
    steps += [_account(*names) for names in order if names[0] in data and (names != ACCOUNT or names[1] in data)]
    if "User" in data:
        steps.append(_user)
    return tuple(steps)


# Each step sets its field when the value is one; of several steps for a field the last counts. Events of Windows spend
# most of their time here, so what could be shared is written out: a call costs 0.05 µs.


def _text(group: str, field: str, name: str) -> _Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and value not in _NOTHING:
            doc.setdefault(group, {})[field] = value

    def parent(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and value not in _NOTHING:
            doc.setdefault("process", {}).setdefault("parent", {})[field] = value

    return parent if group == _PARENT else step


def _path(group: str, field: str, name: str) -> _Step:
    r"""Take a path, and its last part as the name: `C:\Windows\System32\cmd.exe`."""

    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and value not in _NOTHING:
            place = doc.setdefault(group, {})
            place[field] = value
            place["name"] = value[value.rfind("\\") + 1 :] or value

    return step


def _number(group: str, field: str, name: str) -> _Step:
    """Take a process id: `4242`, `"4242"`, `"0x1092"`; 0 stands for none."""

    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str:
            if len(value) > 18:
                return
            try:
                value = int(value, 16) if value.startswith(_HEX) else int(value)
            except ValueError:
                return
        if value.__class__ is int and 0 < value < 1 << 63:
            if group == _PARENT:
                doc.setdefault("process", {}).setdefault("parent", {})[field] = value
            else:
                doc.setdefault(group, {})[field] = value

    return step


def _address(group: str, field: str, name: str) -> _Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and (ip := address(value.removeprefix("::ffff:"))):
            doc.setdefault(group, {})[field] = ip

    return step


def _port(group: str, field: str, name: str) -> _Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if number := port(value if value.__class__ is str else plain(value)):  # 0 stands for "none"
            doc.setdefault(group, {})[field] = number

    return step


def _hashes(group: str, field: str, name: str) -> _Step:
    """Take `SHA1=…,MD5=…,SHA256=…,IMPHASH=…`; ECS has no place for the import hash here."""

    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is not str:
            return
        found: Doc = {}
        for pair in value[:1024].lower().split(","):
            kind, _, digits = pair.partition("=")
            if _HASH_SIZES.get(kind) == len(digits):
                found[kind] = digits
        if found:
            doc.setdefault(group, {})[field] = found

    return step


def _question(group: str, field: str, name: str) -> _Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is str and value not in _NOTHING:
            doc.setdefault(group, {})[field] = {"name": value}

    return step


def _transport(data: Mapping[str, Any], doc: Doc) -> None:
    if known := TRANSPORTS.get(plain(data["Protocol"])):
        doc.setdefault("network", {})["transport"] = known


def _object(data: Mapping[str, Any], doc: Doc) -> None:
    """Take the object of an audited access when it is a file (4656, 4663)."""
    if data["ObjectType"] == "File":
        _OBJECT(data, doc)


def _account(name: str, domain: str, sid: str) -> _Step:
    def step(data: Mapping[str, Any], doc: Doc) -> None:
        value = data[name]
        if value.__class__ is not str or value in _NOTHING:
            return
        user = {"name": value}
        for field, source in (("domain", domain), ("id", sid)):
            more = data.get(source)
            if more.__class__ is str and more not in _NOTHING:
                user[field] = more
        doc["user"] = user

    return step


def _user(data: Mapping[str, Any], doc: Doc) -> None:
    r"""Take `EXAMPLE\alice`."""
    value = data["User"]
    if value.__class__ is str and value not in _NOTHING:
        domain, _, name = value.rpartition("\\")
        doc["user"] = {"domain": domain, "name": name} if domain else {"name": name}


_OBJECT: Final = _path("file", "path", "ObjectName")
_STEPS: Final = {
    "text": _text,
    "path": _path,
    "number": _number,
    "address": _address,
    "port": _port,
    "hashes": _hashes,
    "question": _question,
}
_NOTHING: Final = frozenset(("", "-", "NOT_TRANSLATED"))
_PARENT: Final = "process.parent"
_HEX: Final = ("0x", "0X")
_HASH_SIZES: Final = {"md5": 32, "sha1": 40, "sha256": 64}
_WORDS: Final = {"Audit Failure": AUDIT_FAILURE, "Audit Success": AUDIT_SUCCESS}
#: the objects that `fill` may set
FILLED: Final = frozenset(("process", "user", *(group.partition(".")[0] for group, *_ in FIELDS), "network"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_seconds: dict[str, int] = {}  # `2026-03-01T01:02:03` -> milliseconds since 1970
_REMEMBERED: Final = 4096  # kinds of events
_KEY_LIMIT: Final = 4096  # characters
_known: dict[tuple[str, str, str, Any, Any], tuple[Doc, str | None]] = {}
_plans: dict[tuple[str, ...], tuple[_Step, ...]] = {}
