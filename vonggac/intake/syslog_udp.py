"""Syslog over UDP (RFC 5426): a datagram is a message; what the kernel or we had no room for is counted, and told.

UDP promises nothing. The receive buffer bridges what takes us up to a second; the kernel says how many it let go.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from vonggac.intake._live import BATCH, Notices, Reader, peer_of, put, utc_now
from vonggac.intake.framing import Message
from vonggac.intake.inlet import Closed, Inlet
from vonggac.reading import times
from vonggac.serving.address import resolved

BUFFER: Final = 32 << 20  # bytes; a datagram of 200 counts as about 1,300: two seconds of 12,000 a second
_LARGEST: Final = 64 << 10  # a datagram cannot be larger
_LINGER_S: Final = 0.02  # what comes within it is one delivery
_BYTES_A_SECOND: Final = 32 << 20  # of buffer, what 25,000 small messages take: in a small one they must not wait long
_PATIENCE_S: Final = 0.2
_DRAIN_S: Final = 0.5
_TRAILERS: Final = b"\r\n\0"
_LOST: Final = "messages lost, the receive buffer was full"
_NO_ROOM: Final = "messages lost, the log took no more"
_SO_RCVBUFFORCE: Final = 33  # asm-generic/socket.h; above net.core.rmem_max, for CAP_NET_ADMIN
_SO_MEMINFO: Final = 55  # linux/sock_diag.h: nine numbers, the last is how many datagrams were dropped
_MEMINFO: Final = struct.Struct("9I")


_log = logging.getLogger(__name__)


class SyslogUdp:
    """The intake `syslog-udp`. Port 0 = any free one; `port` says which after `open`."""

    name = "syslog-udp"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        zone: str = "Asia/Ho_Chi_Minh",
        unit: str = "",
        buffer: int = BUFFER,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Raise ValueError when `zone` is no time zone. `buffer` is what is asked of the kernel, in bytes."""
        times.zone(zone)
        self._host, self.port, self._zone, self._unit = host, port, zone, unit
        self._buffer, self._clock = buffer, clock
        self._socket: socket.socket | None = None
        self._linger_s = _LINGER_S
        self._received = self._bytes = self._dropped = self._lost = self._seen = 0

    def open(self) -> None:
        """Bind; raises OSError that names the address."""
        made: socket.socket | None = None
        try:
            family, at = resolved(self._host, self.port, socket.SOCK_DGRAM)
            made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, min(self._buffer, 0x3FFFFFFF))
            with contextlib.suppress(PermissionError):
                made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, min(self._buffer, 0x3FFFFFFF))
            granted = made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles what is asked
            made.bind(at)
        except OSError as error:
            if made is not None:
                made.close()
            msg = f"udp {self._host}:{self.port}: {error.strerror or error}"
            raise OSError(msg) from error
        self._socket, self.port, self._seen = made, made.getsockname()[1], 0
        self._linger_s = min(_LINGER_S, granted / _BYTES_A_SECOND)
        if granted < self._buffer:
            wanted = f"sysctl net.core.rmem_max={self._buffer}, or CAP_NET_ADMIN"
            _log.warning("udp %s:%s: a receive buffer of %d bytes only: %s", self._host, self.port, granted, wanted)

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Read until `stop`, then what the kernel still holds."""
        receiver = self._socket
        if receiver is None:
            msg = f"udp {self._host}:{self.port}: not open"
            raise OSError(msg)
        reader, notices = Reader(self._zone, self._unit, f"udp {self._host}:{self.port}"), Notices()
        poller = select.poll()
        poller.register(receiver, select.POLLIN)
        end: float | None = None
        with contextlib.suppress(Closed):
            while True:
                if end is None and stop.is_set():
                    end = time.monotonic() + _DRAIN_S
                if poller.poll(200 if end is None else 0):
                    full = self._turn(receiver, reader, notices, inlet, stop)
                    if not full and end is None:
                        stop.wait(self._linger_s)
                elif end is not None:
                    end = 0.0
                self._lose(receiver, notices)
                last = end is not None and time.monotonic() >= end
                notices.tell(inlet, reader, self._clock(), all_of_it=last)
                if last:
                    return

    def figures(self) -> Mapping[str, float]:
        """Give the counters: datagrams and bytes received, dropped by us and by the kernel."""
        return {
            "received_total": self._received,
            "bytes_total": self._bytes,
            "dropped_total": self._dropped,
            "dropped_kernel_total": self._lost,
        }

    def close(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _turn(
        self, receiver: socket.socket, reader: Reader, notices: Notices, inlet: Inlet, stop: threading.Event
    ) -> bool:
        """Read what is there, up to a batch, and hand it over; True when there may be more."""
        got: list[tuple[Message, str]] = []
        receive, more, size = receiver.recvfrom, True, 0
        try:
            for _ in range(BATCH):
                data, at = receive(_LARGEST)
                size += len(data)
                if message := data.strip(_TRAILERS):
                    got.append((message, peer_of(at)))
        except BlockingIOError:
            more = False
        self._received += len(got)
        self._bytes += size
        if got and not (
            inlet.has_room(2 * size, _PATIENCE_S)
            and put(inlet, reader.deliveries(got, self._clock()), stop, _PATIENCE_S)
        ):
            self._dropped += len(got)
            notices.add(_NO_ROOM, len(got))
        return more

    def _lose(self, receiver: socket.socket, notices: Notices) -> None:
        """Count what the kernel let go since the last time."""
        drops = _MEMINFO.unpack(receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[8]
        if drops != self._seen:
            new = (drops - self._seen) & 0xFFFFFFFF
            self._seen = drops
            self._lost += new
            notices.add(_LOST, new)
