"""A small HTTP/1.1 server for machines, in a thread of its own: whatever a peer can make grow or last is bounded.

Framing and headers are h11's (RFC 9112). It serves the intake and the metrics, not people: no files, no sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from vonggac.serving._connection import Connection
from vonggac.serving._messages import Counts, Head, Limits, Request, Response
from vonggac.serving.address import listener

__all__ = ["Admit", "Counts", "Handler", "Head", "Limits", "Request", "Response", "Server"]

_log = logging.getLogger(__name__)
_DEFAULT: Final = Limits()
_GRACE: Final = 1.5  # seconds that requests in hand have to end at `stop`
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"


Handler = Callable[[Request], Awaitable[Response]]
#: called before a body is read: None = go on; runs in the server's loop, so it must be quick
Admit = Callable[[Head], Response | None]


class Server:
    """`bind`, then `start` and `stop`; or `stop` alone, to let go of what `bind` took."""

    def __init__(
        self,
        host: str,
        port: int,
        handler: Handler,
        *,
        admit: Admit = lambda _: None,
        limits: Limits = _DEFAULT,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` go with every answer, those of refusals too."""
        self._host, self._port, self._tls = host, port, tls
        self.handler, self.admit, self.limits, self.headers = handler, admit, limits, dict(headers or {})
        self.counts = Counts()
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._connections: dict[asyncio.Task[None], Connection] = {}

    def bind(self) -> None:
        """Take the address; raises OSError that names it."""
        # a backlog beyond `connections`: those are told so, not left to wait
        self._listener = listener("http", self._host, self._port, 1_024)

    @property
    def address(self) -> tuple[str, int]:
        """Give host and port as bound: the port that the system chose, when 0 was asked for."""
        if self._listener is None:
            msg = "bind first"
            raise RuntimeError(msg)
        host, port = self._listener.getsockname()[:2]
        return host, port

    def start(self) -> None:
        """Serve, in a thread of its own, until `stop`."""
        if self._listener is None:
            self.bind()
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(started)), name=f"http {self._host}", daemon=True
        )
        self._thread.start()
        started.wait()

    def stop(self) -> None:
        """Let requests in hand end, within 2 s, and close everything. May be called twice."""
        thread, loop, ending = self._thread, self._loop, self._ending
        if thread is not None and loop is not None and ending is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(ending.set)
            thread.join(5)
        self._thread = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    @property
    def stopping(self) -> bool:
        """Say that no connection should wait for another request."""
        return self._ending is None or self._ending.is_set()

    async def _main(self, started: threading.Event) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        started.set()
        accepting = asyncio.create_task(self._accept())
        await self._ending.wait()
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()  # who still waits to be accepted is told at once
        for task, connection in list(self._connections.items()):
            if connection.idle:
                task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_GRACE)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self) -> None:
        loop, listening = asyncio.get_running_loop(), self._listener
        if listening is None:
            return
        failing = False
        while True:
            try:
                peer, address = await loop.sock_accept(listening)
            except OSError as error:  # gone again already, or no file descriptor left
                if not failing:
                    _log.warning("connections cannot be accepted: %s", error)
                failing = True
                await asyncio.sleep(0.1)
                continue
            failing = False
            if len(self._connections) >= self.limits.connections:
                self._turn_away(peer)
                continue
            connection = Connection(self, address[0])
            task = asyncio.create_task(connection.serve(peer, self._tls))
            self._connections[task] = connection
            self.counts.connections = len(self._connections)
            task.add_done_callback(self._gone)

    def _turn_away(self, peer: socket.socket) -> None:
        self.counts.turned_away += 1
        with peer, contextlib.suppress(OSError):
            peer.setblocking(False)
            if self._tls is None:
                peer.send(_FULL)

    def _gone(self, task: asyncio.Task[None]) -> None:
        del self._connections[task]
        self.counts.connections = len(self._connections)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection ended by a defect", exc_info=error)
