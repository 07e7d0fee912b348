"""Reads Suricata's eve.json: one JSON object a line, unchanged under `suricata.eve`; dataset `suricata.<event_type>`.

Source: Suricata user guide, "Eve JSON Format"; DNS in its three forms (v1 flat, v2 with `rrname` and `answers`, v3 with
`queries`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from vonggac.event import Event
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.fill import compiled, fill
from vonggac.reading.jsonlog import Found, read_json, sample_objects
from vonggac.reading.jsonstream import is_ndjson
from vonggac.reading.times import from_iso


def claims(head: Head) -> int:
    """Claim when most of the first objects have an event_type and a flow, addresses or statistics."""
    found = sample_objects(head.data)
    fitting = sum(map(_fits, found))
    return 95 if fitting and 2 * fitting >= len(found) else 0


def splits(head: Head) -> bool:
    """Say that lines stand alone."""
    return is_ndjson(head.data)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector."""
    return _Eve(source)


class _Eve:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = {"path": source.path}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        return read_json(self._source, mark, self._event)

    def _event(self, found: Found) -> Event:
        eve = found.value
        kind = eve.get("event_type")
        if not isinstance(kind, str) or not kind:
            msg = "no Suricata event: event_type is missing"
            raise ValueError(msg)
        event: dict[str, Any] = {"kind": "event", "module": "suricata", "dataset": f"suricata.{kind}"}
        event["category"] = ["intrusion_detection"] if kind == "alert" else ["network"]
        doc: dict[str, Any] = {"event": event, "log": {"file": self._file, "offset": found.offset}}
        if isinstance(moment := eve.get("timestamp"), str):
            try:
                doc["@timestamp"] = from_iso(moment)
            except ValueError as error:
                found.notes.append(f"timestamp: {error}")
        fill(doc, eve, _COMMON)
        if isinstance(transport := eve.get("proto"), str) and transport:
            doc.setdefault("network", {})["transport"] = transport.lower()
        for section, inner in eve.items():
            if inner.__class__ is dict and (add := _SECTIONS.get(section)):
                add(doc, event, inner)
        doc["suricata"] = {"eve": eve}
        return Event(found.file_id(), doc, ("suricata", "eve"), found.raw)


def _fits(value: dict[str, Any]) -> bool:
    known = ("flow_id", "src_ip", "stats", "pcap_cnt", "engine")
    return isinstance(value.get("event_type"), str) and "timestamp" in value and any(name in value for name in known)


# ------------------------------------------------- what each section adds to (doc, doc["event"])


def _alert(doc: dict[str, Any], event: dict[str, Any], alert: dict[str, Any]) -> None:
    if isinstance(signature := alert.get("signature"), str) and signature:
        doc["message"] = signature
    if isinstance(action := alert.get("action"), str) and action:
        event["action"] = action
    if isinstance(number := alert.get("signature_id"), int):
        event["code"] = str(number)


def _anomaly(doc: dict[str, Any], event: dict[str, Any], anomaly: dict[str, Any]) -> None:
    if isinstance(action := anomaly.get("event"), str) and action:
        event["action"] = action


def _dns(doc: dict[str, Any], event: dict[str, Any], dns: dict[str, Any]) -> None:
    queries = dns.get("queries", dns.get("query"))
    query = queries[0] if isinstance(queries, list) and queries and isinstance(queries[0], dict) else dns
    fill(doc, query, _QUESTION)
    fill(doc, dns, _ANSWER)


def _fileinfo(doc: dict[str, Any], event: dict[str, Any], info: dict[str, Any]) -> None:
    fill(doc, info, _FILE)


def _flow(doc: dict[str, Any], event: dict[str, Any], flow: dict[str, Any]) -> None:
    fill(doc, flow, _BYTES)
    if flow.get("age").__class__ is int and 0 <= flow["age"] < 1e9:
        event["duration"] = flow["age"] * 1_000_000_000


def _http(doc: dict[str, Any], event: dict[str, Any], http: dict[str, Any]) -> None:
    fill(doc, http, _REQUEST)
    if isinstance(target := http.get("url"), str) and target:
        path, mark, query = target.partition("?")
        if path:
            doc["url"]["path"] = path
        if mark and query:
            doc["url"]["query"] = query


def _tls(doc: dict[str, Any], event: dict[str, Any], tls: dict[str, Any]) -> None:
    fill(doc, tls, _TLS)


_SECTIONS: Final[Mapping[str, Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], None]]] = {
    "alert": _alert,
    "anomaly": _anomaly,
    "dns": _dns,
    "fileinfo": _fileinfo,
    "flow": _flow,
    "http": _http,
    "tls": _tls,
}
_COMMON: Final = compiled(
    (
        ("src_ip", "source.ip"),
        ("src_port", "source.port"),
        ("dest_ip", "destination.ip"),
        ("dest_port", "destination.port"),
        ("app_proto", "network.protocol"),
        ("community_id", "network.community_id"),
        ("host", "host.name"),
    )
)
_QUESTION: Final = compiled((("rrname", "dns.question.name"), ("rrtype", "dns.question.type")))
_ANSWER: Final = compiled((("rcode", "dns.response_code"),))
_BYTES: Final = compiled((("bytes_toserver", "source.bytes"), ("bytes_toclient", "destination.bytes")))
_TLS: Final = compiled((("sni", "tls.server_name"), ("version", "tls.version")))
_FILE: Final = compiled(
    (
        ("filename", "file.name"),
        ("size", "file.size"),
        ("md5", "file.hash.md5"),
        ("sha1", "file.hash.sha1"),
        ("sha256", "file.hash.sha256"),
    )
)
_REQUEST: Final = compiled(
    (
        ("hostname", "url.domain"),
        ("url", "url.original"),
        ("http_method", "http.request.method"),
        ("http_refer", "http.request.referrer"),
        ("status", "http.response.status_code"),
        ("length", "http.response.bytes"),
        ("protocol", "http.version"),
        ("http_user_agent", "user_agent.original"),
    )
)
