"""Questions and answers inside of a conversation: DNS, HTTP, TLS hellos; a question waits for its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from vonggac.reading.communityid import TCP, UDP
from vonggac.reading.packets import Ends, Packet

_TEXT: Final = 16 << 10  # characters of a value
_LIST: Final = 64  # values of a list
_WAITING: Final = 64  # questions of one conversation without an answer


@dataclass(slots=True)
class Exchange:
    """A question, and its answer if one came. `fields` are ECS names with dots, `own` goes under the namespace."""

    kind: str  # "dns", "http", "tls"
    action: str
    frame: int
    index: int  # among those of its kind in the packet
    time: int | None
    ends: Ends  # as who asks sees it
    protocol: str
    key: str  # which answer is its own
    fields: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """Give about how many characters it holds while it waits."""
        return 500 + sum(len(value) for value in self.fields.values() if isinstance(value, str))

    def put(self, name: str, value: str | None) -> None:
        """Set a field to a text; what is longer than a text may be is cut, and said so."""
        if value:
            self.fields[name] = value[:_TEXT]
            if len(value) > _TEXT:
                self.own.setdefault("cut", []).append(name)


def exchanges(packet: Packet, waiting: list[Exchange]) -> Iterator[Exchange]:
    """Yield what is finished by this packet; what asks is put to the end of `waiting`, in place."""
    ends = packet.ends
    if ends is None or ends.protocol not in (TCP, UDP):
        return
    if packet.has("dns.id"):
        yield from _dns(packet, ends, waiting)
    if ends.protocol == TCP and packet.has("http.request.method"):
        waiting += _requests(packet, ends)
    if ends.protocol == TCP and packet.has("http.response.code"):
        yield from _responses(packet, ends, waiting)
    if packet.has("tls.handshake.type"):
        yield from _tls(packet, ends, waiting)
    while len(waiting) > _WAITING:
        yield waiting.pop(0)


def _answered(waiting: list[Exchange], kind: str, key: str, ends: Ends) -> Exchange | None:
    """Take the oldest question out that an answer from `ends` is for."""
    asker = ends.turned()
    for place, one in enumerate(waiting):
        if one.kind == kind and one.key == key and one.ends == asker:
            return waiting.pop(place)
    return None


def _dns(packet: Packet, ends: Ends, waiting: list[Exchange]) -> Iterator[Exchange]:
    """Read the messages of a packet (over TCP it may hold several): names are told apart by the counts of questions."""
    numbers, answers = packet.all("dns.id"), packet.all("dns.flags.response")
    counts, codes = packet.all("dns.count.queries"), packet.all("dns.flags.rcode")
    names, types = iter(packet.all("dns.qry.name")), iter(packet.all("dns.qry.type"))
    protocol = packet.protocol or "dns"
    code = iter(codes)
    for index, (number, answer) in enumerate(zip(numbers, answers, strict=False)):
        count = int(counts[index]) if index < len(counts) and counts[index].isdecimal() else 0
        asked, kinds = list(islice(names, count)), list(islice(types, count))
        one = Exchange("dns", "dns-query", packet.number, index, packet.time, ends, protocol, number)
        _question(one, asked, kinds)
        if answer not in _TRUE:
            again = any(
                other.kind == "dns" and (other.key, other.fields, other.ends) == (number, one.fields, ends)
                for other in waiting
            )
            if not again:  # a repeated question is the same one
                waiting.append(one)
            continue
        if found := _answered(waiting, "dns", number, ends):
            one = found
            one.own["response_frame"] = packet.number
        else:
            one.action = "dns-response"
        status = next(code, "")
        one.put("dns.response_code", _RCODES.get(status, f"RCODE{status}" if status else ""))
        if len(numbers) == 1:
            data = [value for name in ("dns.cname", "dns.a", "dns.aaaa") for value in packet.all(name)]
            if data:
                one.own["answers"] = [value[:_TEXT] for value in data[:_LIST]]
        yield one


def _question(one: Exchange, names: list[str], types: list[str]) -> None:
    one.own["id"] = one.key
    if names:
        one.put("dns.question.name", names[0])
    if types:
        one.put("dns.question.type", _TYPES.get(types[0], f"TYPE{types[0]}"))
    if len(names) > 1:
        one.own["questions"] = [name[:_TEXT] for name in names[:_LIST]]


def _requests(packet: Packet, ends: Ends) -> Iterator[Exchange]:
    """Read the requests of a packet; of pipelined ones a header counts only when each request has it."""
    methods = packet.all("http.request.method")
    columns = {name: packet.all(column) for name, column in _REQUEST.items()}
    for index, method in enumerate(methods):
        one = Exchange("http", "http-request", packet.number, index, packet.time, ends, "http", "")
        one.put("http.request.method", method)
        for name, values in columns.items():
            if len(values) == len(methods):
                one.put(name, values[index])
            elif values and len(methods) == 1:
                one.put(name, values[0])
        _addressed(one)
        yield one


def _addressed(one: Exchange) -> None:
    """Take the target and the host apart: `/a?b=1` and `www.example.com:8080`, or `http://www.example.com/a?b=1`."""
    target = str(one.fields.get("url.original", ""))
    host = str(one.fields.pop("host", ""))
    if target.startswith(("http://", "https://")):
        authority, slash, rest = target.partition("://")[2].partition("/")
        host, target = authority.rpartition("@")[2] or host, slash + rest
    name, colon, port = host.rpartition(":")
    one.put("url.domain", (name if colon and port.isdecimal() else host).strip("[]"))
    path, _, query = target.partition("?")
    one.put("url.path", path)
    one.put("url.query", query)
    if version := one.fields.get("http.version"):
        one.fields["http.version"] = str(version).removeprefix("HTTP/")


def _responses(packet: Packet, ends: Ends, waiting: list[Exchange]) -> Iterator[Exchange]:
    codes = packet.all("http.response.code")
    for index, code in enumerate(codes):
        if not code.isdecimal() or (code.startswith("1") and code != "101"):  # 100 Continue: the answer is to come
            continue
        one = _answered(waiting, "http", "", ends)
        if one is None:
            one = Exchange("http", "http-response", packet.number, index, packet.time, ends.turned(), "http", "")
        one.own["response_frame"] = packet.number
        one.fields["http.response.status_code"] = int(code[:9])
        if len(codes) == 1:
            lengths, types = packet.all("http.content_length_header"), packet.all("http.content_type")
            if lengths and lengths[-1].isdecimal() and len(lengths[-1]) < 18:
                one.fields["http.response.bytes"] = int(lengths[-1])
            if types:
                one.own["content_type"] = types[-1][:_TEXT]
        yield one


def _tls(packet: Packet, ends: Ends, waiting: list[Exchange]) -> Iterator[Exchange]:
    """Read hellos; a ClientHello waits for the ServerHello, which says the version that was taken."""
    types = packet.all("tls.handshake.type")
    offered = [_VERSIONS.get(one, one) for one in packet.all("tls.handshake.extensions.supported_version")]
    versions = offered or [_VERSIONS.get(one, one) for one in packet.all("tls.handshake.version")]
    if "1" in types:
        one = Exchange("tls", "tls-client-hello", packet.number, 0, packet.time, ends, packet.protocol or "tls", "")
        one.put("tls.server_name", next(iter(packet.all("tls.handshake.extensions_server_name")), None))
        one.own["offered"] = versions[:_LIST]
        if prints := packet.all("tls.handshake.ja3"):
            one.own["ja3"] = prints[0]
        if names := packet.all("tls.handshake.extensions_alpn_str"):
            one.own["alpn"] = [name[:_TEXT] for name in names[:_LIST]]
        if not any(other.kind == "tls" and other.ends == ends for other in waiting):  # QUIC sends it again
            waiting.append(one)
    elif "2" in types and (found := _answered(waiting, "tls", "", ends)):
        found.own["response_frame"] = packet.number
        if versions:
            found.fields["tls.version"] = versions[0]
        if prints := packet.all("tls.handshake.ja3s"):
            found.own["ja3s"] = prints[0]
        if ciphers := packet.all("tls.handshake.ciphersuite"):
            found.own["cipher"] = ciphers[0]
        yield found


_TRUE: Final = frozenset(("1", "True"))  # tshark 4.0 and 4.2
_REQUEST: Final = {
    "url.original": "http.request.uri",
    "http.version": "http.request.version",
    "host": "http.host",
    "user_agent.original": "http.user_agent",
    "http.request.referrer": "http.referer",
}
_VERSIONS: Final = {"0x0300": "3.0", "0x0301": "1.0", "0x0302": "1.1", "0x0303": "1.2", "0x0304": "1.3"}
#: IANA, DNS parameters
_RCODES: Final = {
    "0": "NOERROR", "1": "FORMERR", "2": "SERVFAIL", "3": "NXDOMAIN", "4": "NOTIMP", "5": "REFUSED", "6": "YXDOMAIN",
    "7": "YXRRSET", "8": "NXRRSET", "9": "NOTAUTH", "10": "NOTZONE",
}  # fmt: skip
_TYPES: Final = {
    "1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "10": "NULL", "12": "PTR", "13": "HINFO", "15": "MX", "16": "TXT",
    "28": "AAAA", "33": "SRV", "35": "NAPTR", "39": "DNAME", "41": "OPT", "43": "DS", "44": "SSHFP", "46": "RRSIG",
    "47": "NSEC", "48": "DNSKEY", "50": "NSEC3", "52": "TLSA", "64": "SVCB", "65": "HTTPS", "99": "SPF", "249": "TKEY",
    "250": "TSIG", "251": "IXFR", "252": "AXFR", "255": "ANY", "256": "URI", "257": "CAA",
}  # fmt: skip
