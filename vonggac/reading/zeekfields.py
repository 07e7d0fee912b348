"""What a Zeek record says in ECS names, for both of its forms (TSV and JSON)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from vonggac.reading.bodies import put
from vonggac.reading.fill import compiled, fill


def document(path: str, record: Mapping[str, Any], original: str | None) -> dict[str, Any]:
    """Make the event's document; `record` is flat, with the vendor's names (`id.orig_h`)."""
    event: dict[str, Any] = {"kind": "event", "module": "zeek", "dataset": f"zeek.{path}", "category": ["network"]}
    if original is not None:
        event["original"] = original
    doc: dict[str, Any] = {"event": event}
    fill(doc, record, _COMPILED.get(path, _COMMON))
    duration = record.get("duration")
    if duration.__class__ is float and 0 <= duration < _LONGEST:
        event["duration"] = round(duration * 1e9)
    if path in _MORE:
        _more(path, doc, record)
    return doc


def _more(path: str, doc: dict[str, Any], record: Mapping[str, Any]) -> None:
    if path == "http":
        _url(doc, record)
    elif path == "files":  # before Zeek 5.1 a file may have gone between several hosts
        for name, side in (("tx_hosts", "source.ip"), ("rx_hosts", "destination.ip")):
            hosts = record.get(name)
            if isinstance(hosts, list) and hosts:
                put(doc, side, _text(hosts[0]))
    else:
        put(doc, "message", _text(record.get("msg")) or _text(record.get("name")))


def flat(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a JSON record's dotted names, however it writes them: `id.orig_h`, `id_orig_h`, `{"id": {"orig_h": …}}`."""
    if "id.orig_h" in record:
        return record
    connection = record.get("id")
    if isinstance(connection, dict) and "orig_h" in connection:
        return {**record, **{f"id.{name}": value for name, value in connection.items()}}
    if "id_orig_h" in record:
        return {**record, **{f"id.{name}": record.get(f"id_{name}") for name in _ENDS}}
    return record


def _url(doc: dict[str, Any], record: Mapping[str, Any]) -> None:
    uri = _text(record.get("uri"))
    if uri is None:
        return
    path, mark, query = uri.partition("?")
    put(doc, "url.original", uri)
    put(doc, "url.path", path)
    put(doc, "url.query", query if mark else None)
    put(doc, "url.domain", _text(record.get("host")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


_ENDS: Final = ("orig_h", "orig_p", "resp_h", "resp_p")
_FIELDS: Final = (
    ("id.orig_h", "source.ip"),
    ("id.orig_p", "source.port"),
    ("id.resp_h", "destination.ip"),
    ("id.resp_p", "destination.port"),
    ("proto", "network.transport"),
    ("community_id", "network.community_id"),
)
#: what a name means only in this log
_OF_PATH: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "conn": (
        ("service", "network.protocol"),
        ("orig_bytes", "source.bytes"),
        ("resp_bytes", "destination.bytes"),
    ),
    "dns": (
        ("query", "dns.question.name"),
        ("qtype_name", "dns.question.type"),
        ("rcode_name", "dns.response_code"),
    ),
    "http": (
        ("method", "http.request.method"),
        ("referrer", "http.request.referrer"),
        ("status_code", "http.response.status_code"),
        ("response_body_len", "http.response.bytes"),
        ("version", "http.version"),
        ("user_agent", "user_agent.original"),
        ("username", "user.name"),
    ),
    "ssl": (("server_name", "tls.server_name"), ("version", "tls.version")),
    "files": (
        ("filename", "file.name"),
        ("total_bytes", "file.size"),
        ("md5", "file.hash.md5"),
        ("sha1", "file.hash.sha1"),
        ("sha256", "file.hash.sha256"),
    ),
    "notice": (("src", "source.ip"), ("dst", "destination.ip"), ("p", "destination.port"), ("note", "event.action")),
    "weird": (("name", "event.action"),),
    "ftp": (("user", "user.name"), ("command", "event.action"), ("arg", "url.original")),
    "kerberos": (("client", "user.name"), ("request_type", "event.action")),
    "ntlm": (("username", "user.name"), ("domainname", "user.domain"), ("hostname", "host.name")),
    "smb_files": (("action", "event.action"), ("name", "file.name"), ("path", "file.path"), ("size", "file.size")),
    "smb_mapping": (("path", "file.path"),),
    "dce_rpc": (("operation", "event.action"),),
    "rdp": (("cookie", "user.name"),),
    "dhcp": (("host_name", "host.name"), ("client_addr", "source.ip"), ("server_addr", "destination.ip")),
}


_COMMON: Final = compiled(_FIELDS)
_COMPILED: Final = {path: compiled((*_FIELDS, *fields)) for path, fields in _OF_PATH.items()}
_MORE: Final = frozenset(("files", "http", "notice", "weird"))
_LONGEST: Final = 1e9  # seconds: 31 years
#: logs whose records may have no `ts` or connection: they are known by the file's name
LOGS: Final = re.compile(
    "analyzer|arp|broker|capture_loss|cluster|config|conn|dce_rpc|dhcp|dnp3|dns|dpd|files|ftp|http|intel|irc|kerberos|"
    "known_(?:certs|hosts|services)|ldap(?:_search)?|loaded_scripts|modbus|mqtt_(?:connect|publish)|mysql|notice|"
    "notice_alarm|ntlm|ntp|ocsp|packet_filter|pe|print|prof|quic|radius|rdp|reporter|rfb|signatures|sip|"
    "smb_(?:files|mapping)|smtp|snmp|socks|software|ssh|ssl|stats|telemetry|traceroute|tunnel|weird|websocket|"
    "wireguard|x509"
)
