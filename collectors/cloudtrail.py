"""Reads AWS CloudTrail: files as delivered (`{"Records": […]}`), several of them in one, arrays, lines, single records.

A record lies unchanged under `aws.cloudtrail`. A delivered file is read from behind its `[`, an object at a time, so
its size does not matter. Digest files (of log validation) have no records and are left to others. Source: CloudTrail
record contents, AWS CloudTrail User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from vonggac.event import Event, digest
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.bodies import address
from vonggac.reading.jsonlog import Found, read_json, sample_objects
from vonggac.reading.jsonstream import is_ndjson
from vonggac.reading.times import from_iso


def claims(head: Head) -> int:
    """Claim when most of the first objects are CloudTrail records."""
    data = head.data
    if (wrapper := _WRAPPER.match(data)) and (around := _AROUND.match(data, wrapper.end())):
        data = data[around.end() :]
        if not data:
            return 95  # a delivered file without records
    found = sample_objects(data)
    fitting = sum(map(_fits, found))
    if not found and data.lstrip(b" \t\r\n[").startswith(b"{"):  # a first record larger than the head
        return 90 if set(re.findall(rb'"(event(?:Name|Source|Time))"\s*:', data)) >= _NAMES else 0
    return 95 if 2 * fitting >= len(found) and fitting else 0


def splits(head: Head) -> bool:
    """Say that lines stand alone; a delivered file is one object."""
    return not _WRAPPER.match(head.data) and is_ndjson(head.data)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector."""
    return _CloudTrail(source)


class _CloudTrail:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = {"path": source.path}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        match = _WRAPPER.match(self._source.head.data)
        if match is None:
            return read_json(self._source, mark, self._event)
        # {"Records":[{…},{…}]}: further wrappers (files put one behind the other) are stepped over like white space;
        # the head is made to look like the objects that follow
        head = Head(self._source.head.name, b"[\n" + self._source.head.data[match.end() :])
        inside = replace(self._source, head=head)
        return read_json(inside, mark or b"%d" % match.end(), self._event, _MORE, _AROUND)

    def _event(self, found: Found) -> Event:
        value = found.value
        if not _fits(value):
            msg = "no CloudTrail record: eventName, eventSource or eventTime is missing"
            raise ValueError(msg)
        event: dict[str, Any] = {"kind": "event", "module": "aws", "dataset": "aws.cloudtrail"}
        event["action"], event["provider"] = value["eventName"], value["eventSource"]
        event["outcome"] = "failure" if value.get("errorCode") or value.get("errorMessage") else _login(value)
        doc: dict[str, Any] = {"event": event, "log": {"file": self._file, "offset": found.offset}}
        try:
            doc["@timestamp"] = from_iso(value["eventTime"])
        except ValueError as error:
            found.notes.append(f"eventTime: {error}")
        _who(value, doc)
        _where(value, doc)
        doc["aws"] = {"cloudtrail": value}
        known = value.get("eventID")
        identity = digest("cloudtrail", known) if isinstance(known, str) and known else found.file_id()
        return Event(identity, doc, ("aws", "cloudtrail"), found.raw)


def _fits(value: dict[str, Any]) -> bool:
    """Know a record by what each has; S3's notifications have it too, from `aws:s3`."""
    named = all(isinstance(value.get(name), str) for name in ("eventName", "eventSource", "eventTime"))
    return named and not value["eventSource"].startswith("aws:")


def _login(value: dict[str, Any]) -> str:
    """A console log-in says its outcome in the response, not by an error code."""
    response = value.get("responseElements")
    return "failure" if isinstance(response, dict) and response.get("ConsoleLogin") == "Failure" else "success"


def _who(value: dict[str, Any], doc: dict[str, Any]) -> None:
    identity = _identity(value)
    user = {
        "name": _text(identity.get("userName")) or _issuer(identity) or _root(identity),
        "id": _text(identity.get("principalId")),
    }
    if kept := {name: text for name, text in user.items() if text}:
        doc["user"] = kept


def _identity(value: dict[str, Any]) -> dict[str, Any]:
    found = value.get("userIdentity")
    return found if isinstance(found, dict) else {}


def _issuer(identity: dict[str, Any]) -> str | None:
    """Name who assumed a role: `arn:aws:sts::1:assumed-role/Admin/minh` is the session minh."""
    arn = _text(identity.get("arn"))
    return arn.rsplit("/", 1)[1] if arn and ":assumed-role/" in arn else None


def _root(identity: dict[str, Any]) -> str | None:
    return "root" if identity.get("type") == "Root" else None


def _where(value: dict[str, Any], doc: dict[str, Any]) -> None:
    cloud: dict[str, Any] = {}
    if region := _text(value.get("awsRegion")):
        cloud["region"] = region
    if account := _text(value.get("recipientAccountId")) or _text(_identity(value).get("accountId")):
        cloud["account"] = {"id": account}
    if cloud:
        doc["cloud"] = cloud
    if agent := _text(value.get("userAgent")):
        doc["user_agent"] = {"original": agent}
    # a service calls itself by name: cloudformation.amazonaws.com
    if (caller := _text(value.get("sourceIPAddress"))) and (known := address(caller)):
        doc["source"] = {"ip": known}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


_NAMES: Final = {b"eventName", b"eventSource", b"eventTime"}
#: what opens a delivered file, and what else may stand there before the records
_WRAPPER: Final = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{\s*(?:"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\w.+-]+)\s*,\s*)*"Records"\s*:\s*\['
)
#: the next file's wrapper, and what stands between records and behind them
_AROUND: Final = re.compile(rb'(?:[\s,\[\]}\0]|\xef\xbb\xbf|\{\s{0,16}"Records"\s{0,16}:\s{0,16}\[)*')
#: what else a wrapper says behind its records, a line of it; a line with a record is never that
_MORE: Final = re.compile(rb'(?![^\n]*"eventName")"[^"\n]*"\s*:[^\n]*\n?')
