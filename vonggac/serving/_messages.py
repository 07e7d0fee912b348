"""What goes in and out of the server: request, answer, limits, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may take. Seconds and bytes."""

    head: int = 16 << 10  # request line and headers
    head_s: float = 10.0  # from the first byte (of a new connection: from its start) to the last header
    idle_s: float = 75.0  # between two requests
    body: int = 1 << 20  # after unpacking
    body_s: float = 10.0  # for a body, and more by what of it has come:
    body_rate: int = 16 << 10  # bytes a second that a sender must reach
    held: int = 64 << 20  # bodies of all connections together; more are told to come back
    write_s: float = 30.0  # until the peer has taken an answer
    connections: int = 512


@dataclass(frozen=True, slots=True)
class Head:
    """A request before its body. Header names are lower case; of one that came twice, both stand, joined by `, `."""

    method: str
    path: str  # as sent, without the query
    query: str
    headers: Mapping[str, str]
    peer: str  # the address, without the port


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request; the body is unpacked."""

    head: Head
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; Content-Length, Date and Connection are the server's."""

    status: int
    body: bytes = b""
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Counts:
    """What happened so far; written by the server's thread, read by any."""

    connections: int = 0  # now
    requests: int = 0
    body_bytes: int = 0
    held: int = 0  # bytes of bodies, now
    turned_away: int = 0  # connections beyond the limit
    too_large: int = 0
    too_slow: int = 0
    busy: int = 0  # bodies that were told to come back
    malformed: int = 0  # no HTTP, or a body that is not what its headers say
    handshakes: int = 0  # of TLS, that failed
    failed: int = 0  # handlers that raised
