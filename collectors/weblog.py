"""Reads web access logs: common, combined, nginx, Apache's vhost_combined, and W3C extended (IIS, CloudFront).

Dataset `web.access`. What has no ECS field stands under `weblog` (vhost, ident, client, extra), W3C's columns as they
are under `iis`. Malformed requests (TLS sent to a plain port, junk) are events too: `url.original` holds what came.
Sources: Apache mod_log_config, nginx ngx_http_log_module, W3C working draft WD-logfile.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from vonggac.ports import Collector, Head, ReadOptions, Source
from vonggac.reading import times
from vonggac.reading.bodies import address, number, port, put
from vonggac.reading.clock import Clock
from vonggac.reading.textlog import TextLog, sample_lines


def claims(head: Head) -> int:
    """Claim W3C logs by their `#Fields`, the others by the share of lines that read as one."""
    if (match := _FIELDS.search(head.data[:4096])) and b"\0" not in head.data[:1024]:
        names = match[1].split()
        return 95 if any(name.startswith((b"cs-", b"cs(", b"c-ip", b"sc-")) for name in names) else 0
    found = sample_lines(head.data)
    hits = sum(_ACCESS.match(line) is not None for line in found)
    return 85 if hits and 10 * hits >= 9 * len(found) else 60 if 2 * hits >= len(found) > 0 else 0


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; raises ValueError when `options.zone` is no time zone."""
    where = times.zone(options.zone)
    return TextLog(source, lambda: _Parser(Clock(where, source.modified), source.modified))


class _Parser:
    def __init__(self, clock: Clock, near: datetime) -> None:
        self.notes: list[str] = []
        self.anchor: int | None = None  # of the directives in force
        self._clock = clock
        self._utc = Clock(UTC, near)
        self._columns: list[str] = []
        self._date = ""
        self._directives = False  # the line before was one

    def parse(self, text: str, offset: int) -> dict[str, Any] | None:
        """Read a line of either family: W3C's directives switch to columns, for the lines behind them."""
        if text.startswith("#") and (match := _DIRECTIVE.match(text)):
            if not self._directives:
                self.anchor, self._directives = offset, True
            if match[1] == "Fields":
                self._columns = match[2].split()
            elif match[1] == "Date":
                self._date = match[2][:10]
            return None
        self._directives = False
        if self._columns:
            return self._w3c(text)
        match = _ACCESS.match(text)
        if match is None:
            return self._other(text)
        return self._access(text, match)

    def _access(self, text: str, match: re.Match[str]) -> dict[str, Any]:
        client, ident, user, minute, second, offset, request, status, size, referrer, agent, rest = match.groups()
        event = {"kind": "event", "module": "web", "dataset": "web.access", "category": ["web"], "original": text}
        doc: dict[str, Any] = {"event": event}
        own: dict[str, Any] = {}
        if " " in user and ident != "-" and ("." in ident or ":" in ident):  # vhost client ident user
            own["vhost"] = client
            client = ident
            ident, user = user.split(" ", 1)
        elif address(client) is None and (ip := address(ident)) is not None:  # vhost client user
            own["vhost"], client, ident = client, ip, "-"
        if (time := self._clock.named(minute, second, None, offset)) is None:
            self.notes.append(f"{minute}:{second} is no time")
        else:
            doc["@timestamp"] = time
        if ip := address(client):
            doc["source"] = {"ip": ip}
        else:
            own["client"] = client
        if user != "-":
            doc["user"] = {"name": _unescape(user)}
        if ident != "-":
            own["ident"] = ident
        http: dict[str, Any] = {"response": {"status_code": int(status)}}
        if size != "-":
            http["response"]["bytes"] = int(size)
        doc["http"] = http
        _request(doc, http, _unescape(request))
        if "vhost" in own:
            put(doc, "url.domain", own["vhost"].rpartition(":")[0] or own["vhost"])
        if referrer and referrer != "-":
            http.setdefault("request", {})["referrer"] = _unescape(referrer)
        if agent and agent != "-":
            doc["user_agent"] = {"original": _unescape(agent)}
        if rest and (rest := rest.strip()):
            own["extra"] = rest
        if own:
            doc["weblog"] = own
        return doc

    def _other(self, text: str) -> dict[str, Any]:
        """Keep a line in no known form: error logs often stand in the same file."""
        event = {"kind": "event", "module": "web", "dataset": "web.access", "original": text}
        doc: dict[str, Any] = {"event": event, "message": text}
        time, inferred = self._clock.find(text)
        if time is not None:
            doc["@timestamp"] = time
            if inferred:
                doc["vonggac"] = {"time_inferred": True}
        else:
            self.notes.append("no line of an access log, and without a time; kept as text")
        return doc

    def _w3c(self, text: str) -> dict[str, Any]:
        values = text.split("\t") if "\t" in text else _W3C_VALUE.findall(text) if '"' in text else text.split(" ")
        if len(values) != len(self._columns):
            self.notes.append(f"{len(values)} columns, #Fields names {len(self._columns)}")
        own = {name: value for name, value in zip(self._columns, values, strict=False) if value != "-"}
        event = {"kind": "event", "module": "web", "dataset": "web.access", "category": ["web"], "original": text}
        doc: dict[str, Any] = {"event": event, "iis": own}
        if (clock := own.get("time", "")) and (match := _W3C_TIME.fullmatch(f"{own.get('date', self._date)}T{clock}")):
            if (time := self._utc.numeric(match[1], match[2], match[3], "Z")) is not None:
                doc["@timestamp"] = time
            else:
                self.notes.append(f"{match[0]} is no time")
        for name, path in _W3C.items():
            if name in own:
                change = _CONVERT.get(path)
                put(doc, path, change(own[name]) if change else own[name])
        stem, query = own.get("cs-uri-stem"), own.get("cs-uri-query")
        if stem:
            put(doc, "url.original", f"{stem}?{query}" if query else stem)
        elif uri := own.get("cs-uri"):
            _url(doc.setdefault("url", {}), uri)
        return doc


def _request(doc: dict[str, Any], http: dict[str, Any], request: str) -> None:
    """Take `GET /path?query HTTP/1.1` apart; blanks inside the URL stay, junk is kept as it came."""
    if request in ("", "-"):
        return
    method, _, rest = request.partition(" ")
    url, _, version = rest.rpartition(" ")
    if not version.startswith("HTTP/"):
        url, version = rest, ""  # HTTP/0.9
    if not url or not _METHOD.fullmatch(method):
        doc["url"] = {"original": request}
        return
    http["request"] = {"method": method}
    if version:
        http["version"] = version[5:]
    _url(doc.setdefault("url", {}), url)


def _url(place: dict[str, Any], url: str) -> None:
    place["original"] = url
    path, mark, query = url.partition("?")
    if "://" in path[:12]:  # a proxy's request, or an attempt at one
        domain, slash, path = path.partition("://")[2].partition("/")
        path = slash + path
        place["domain"] = domain.rpartition("@")[2].partition(":")[0]
    if path:
        place["path"] = path
    if mark and query:
        place["query"] = query


def _unescape(text: str) -> str:
    r"""Undo `\"`, `\\`, `\t` and `\xE1\xBB\x8D` (UTF-8; other bytes stay escaped)."""
    if "\\" not in text:
        return text
    return _ESCAPES.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        return bytes.fromhex(match[0].replace("\\x", "")).decode(errors="backslashreplace")
    return _CONTROLS.get(match[2], match[2])


# the values between quotes: escaped quotes inside, each character looked at once
_QUOTED: Final = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_ACCESS: Final = re.compile(
    r"\s?(\S+) {1,2}(\S+) {1,2}([^\[\"]+?|\"[^\"]*\") {1,2}"
    r"\[([0-9]{1,2}/[^\W\d_]{3,5}\.?/[0-9]{4}:[0-9]{2}:[0-9]{2}):([0-9]{2}) ([+-][0-9]{4})\] "
    rf"{_QUOTED} ([0-9]{{3}}) ([0-9]{{1,18}}|-)(?: {_QUOTED}(?: {_QUOTED})?)?(?![^ ])(.*)",
    re.S,
)
_METHOD: Final = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}", re.ASCII)
_ESCAPES: Final = re.compile(r"((?:\\x[0-9A-Fa-f]{2})+)|\\(.)", re.S)
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "v": "\v", "f": "\f"}
_FIELDS: Final = re.compile(rb"^#Fields: ([^\r\n]+)", re.M)
_DIRECTIVE: Final = re.compile(r"#(Version|Fields|Software|Start-Date|End-Date|Date|Remark): ?(.*)")
_W3C_VALUE: Final = re.compile(r'"[^"]*"|[^ ]+')
_W3C_TIME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?")
_W3C: Final = {
    "c-ip": "source.ip",
    "c-port": "source.port",
    "s-ip": "destination.ip",
    "s-port": "destination.port",
    "s-computername": "host.name",
    "cs-username": "user.name",
    "cs-method": "http.request.method",
    "cs-uri-stem": "url.path",
    "cs-uri-query": "url.query",
    "cs-host": "url.domain",
    "cs(Host)": "url.domain",
    "cs-version": "http.version",
    "cs-protocol-version": "http.version",
    "cs-bytes": "source.bytes",
    "cs(User-Agent)": "user_agent.original",
    "cs(Referer)": "http.request.referrer",
    "sc-status": "http.response.status_code",
    "sc-bytes": "http.response.bytes",
}
_CONVERT: Final[dict[str, Callable[[str], Any]]] = {
    "source.ip": address,
    "destination.ip": address,
    "source.port": port,
    "destination.port": port,
    "source.bytes": number,
    "http.response.bytes": number,
    "http.response.status_code": number,
    "http.version": lambda text: text.removeprefix("HTTP/"),
    "user_agent.original": lambda text: text.replace("+", " "),
}
