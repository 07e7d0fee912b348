"""Syslog over TCP (RFC 6587) and TLS (RFC 5425): one thread, many connections, each one's messages in their order.

When the log takes no more, nothing is read: TCP's window then stops the senders. Plain syslog has no answers: what a
sender has written and we have not committed is lost when we are killed. At the limit of connections a new one takes the
place of the oldest that has not sent one whole message within ten seconds; else it is refused, counted and told.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from vonggac.intake._connections import HELD, Connections
from vonggac.intake._live import BATCH, Notices, Reader, put, utc_now
from vonggac.intake.framing import Cut, Message
from vonggac.intake.inlet import Closed, Inlet
from vonggac.intake.tls import TlsFiles, server_context
from vonggac.reading import times
from vonggac.serving.address import listener

_BACKLOG: Final = 1_024  # a full one costs the sender a second
_LINGER_S: Final = 0.01  # what comes within it is one delivery
_PIECE: Final = 64 << 10  # bytes that one read gives at most: then there is more
_FEW: Final = 8  # messages of a full turn: senders that drip byte by byte are not given all our time
_DRAIN_S: Final = 0.5
_OTHER_FILES: Final = 512  # what the process has open besides connections


class SyslogTcp:
    """The intake `syslog-tcp`, or `syslog-tls` with certificates. Port 0 = any free one; `port` says which."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        zone: str = "Asia/Ho_Chi_Minh",
        unit: str = "",
        connections: int = 1_000,
        tls: TlsFiles | None = None,
        held: int = HELD,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Raise ValueError when `zone` is no time zone. `held`: bytes of begun messages, all connections together."""
        times.zone(zone)
        self.name = "syslog-tls" if tls else "syslog-tcp"
        self._kind = "tls" if tls else "tcp"
        self._host, self.port, self._zone, self._unit = host, port, zone, unit
        self._limit, self._tls, self._room, self._clock = connections, tls, held, clock
        self._context: ssl.SSLContext | None = None
        self._listener: socket.socket | None = None
        self._connections: Connections | None = None
        self._before: dict[str, float] = {}  # counters of earlier runs
        self._received = self._cut = self._dropped = 0

    def open(self) -> None:
        """Read the certificates and bind; raises OSError or ValueError naming the file or the address."""
        if self._tls is not None:
            self._context = server_context(self._tls)
        _more_files(self._limit + _OTHER_FILES)
        self._listener = listener(self._kind, self._host, self.port, _BACKLOG)
        self.port = self._listener.getsockname()[1]

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Serve until `stop`; then what had come is handed over, and all connections are closed."""
        if self._listener is None:
            msg = f"{self._kind} {self._host}:{self.port}: not open"
            raise OSError(msg)
        notices = Notices()
        reader = Reader(self._zone, self._unit, f"{self._kind} {self._host}:{self.port}")
        connections = Connections(self._listener, self._limit, self._context, notices, self._room)
        self._connections = connections
        try:
            with contextlib.suppress(Closed):
                fine = True
                while fine and not stop.is_set():
                    before = connections.received
                    messages, more = connections.turn(0.2)
                    fine = self._put(messages, reader, inlet, stop, None)
                    notices.tell(inlet, reader, self._clock())
                    small = connections.received - before < _PIECE
                    if small and len(messages) < (_FEW if more else BATCH):
                        stop.wait(_LINGER_S)
                end, more = time.monotonic() + _DRAIN_S, True
                while fine and more and time.monotonic() < end:
                    messages, more = connections.turn(0, accept=False)
                    more = more or bool(messages)
                    fine = self._put(messages, reader, inlet, stop, _DRAIN_S)
                self._put(connections.end(), reader, inlet, stop, _DRAIN_S if fine else 0.0)
                notices.tell(inlet, reader, self._clock(), all_of_it=True)
        finally:
            connections.end()
            self._before, self._connections = self._counted(), None

    def figures(self) -> Mapping[str, float]:
        """Give the counters; `connections` is how many are open."""
        served = self._connections
        return {
            **self._counted(),
            "connections": served.open if served else 0,
            "received_total": self._received,
            "cut_total": self._cut,
            "dropped_total": self._dropped,
        }

    def close(self) -> None:
        """Give the port back."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _counted(self) -> dict[str, float]:
        served, before = self._connections, self._before
        now = (
            {
                "bytes_total": served.received,
                "connections_total": served.accepted,
                "refused_total": served.refused,
                "handshakes_failed_total": served.failed,
            }
            if served
            else dict.fromkeys(_COUNTERS, 0)
        )
        return {name: value + before.get(name, 0) for name, value in now.items()}

    def _put(
        self,
        messages: Sequence[tuple[Message, str]],
        reader: Reader,
        inlet: Inlet,
        stop: threading.Event,
        patience_s: float | None,
    ) -> bool:
        """Hand over, waiting for room (None = as long as the service runs); what then found none is counted."""
        for at in range(0, len(messages), BATCH):
            some = messages[at : at + BATCH]
            self._received += len(some)
            self._cut += sum(isinstance(message, Cut) for message, _ in some)
            if not put(inlet, reader.deliveries(some, self._clock()), stop, patience_s):
                self._dropped += len(messages) - at
                return False
        return True


def _more_files(wanted: int) -> None:
    """Raise the soft limit of open files as far as we may: a shell's 1,024 is less than our connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        new = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (new, hard))


_COUNTERS: Final = ("bytes_total", "connections_total", "refused_total", "handshakes_failed_total")
