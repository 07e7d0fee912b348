"""One connection's conversation: head, body, answer, and again; each step has its time and its size."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import h11
import orjson

from vonggac.serving._decoding import DamagedError, TooLargeError, decoder
from vonggac.serving._messages import Head, Request, Response

if TYPE_CHECKING:
    from vonggac.serving.http import Server

_log = logging.getLogger(__name__)
_READ: Final = 64 << 10
_LINGER_S: Final = 2.0
_TLS_S: Final = 10.0  # for the handshake


class _RefusedError(Exception):
    """What is answered instead of what was asked for; the connection ends after it."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers or {}


class Connection:
    """Serves one peer until one of the two has had enough."""

    def __init__(self, server: Server, peer: str) -> None:
        self._server, self._limits, self._counts, self._peer = server, server.limits, server.counts, peer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=server.limits.head)
        self._held = 0
        self._head_only = False
        self.idle = True  # between two requests: nothing is lost by closing

    async def serve(self, peer: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Talk; a peer that goes away or breaks TLS ends it without a word."""
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(limit=_READ, loop=loop)
        protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                peer,
                ssl=tls,
                ssl_handshake_timeout=_TLS_S if tls else None,
                ssl_shutdown_timeout=_LINGER_S if tls else None,
            )
        except (OSError, asyncio.CancelledError) as error:
            peer.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            self._counts.handshakes += tls is not None
            return
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)
        try:
            await self._talk()
            self._writer.close()
            async with asyncio.timeout(_LINGER_S):
                await self._writer.wait_closed()
        except OSError:  # the peer is gone, or does not take its answer (TimeoutError is one too)
            pass
        finally:
            self._give_back()
            transport.abort()

    async def _talk(self) -> None:
        first = True
        while True:
            try:
                asked = await self._head(first)
                if asked is None:
                    return
                first = False
                self._counts.requests += 1
                await self._answer(asked)
            except (_RefusedError, h11.RemoteProtocolError) as error:
                await self._refuse(error)
                return
            self._give_back()
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    # ------------------------------------------------------------------ reading

    async def _head(self, first: bool) -> h11.Request | None:
        """Read up to the end of the headers; None when the peer has no more to ask."""
        loop = asyncio.get_running_loop()
        event = self._http.next_event()
        self.idle = event is h11.NEED_DATA and not self._http.trailing_data[0]
        begun = first or not self.idle
        try:
            async with asyncio.timeout(self._limits.head_s if begun else self._limits.idle_s) as clock:
                while event is h11.NEED_DATA:
                    data = await self._reader.read(_READ)
                    if not begun:
                        clock.reschedule(loop.time() + self._limits.head_s)
                        begun = True
                    self.idle = self.idle and not data
                    self._http.receive_data(data)
                    event = self._http.next_event()
        except TimeoutError:
            if self.idle:
                return None
            self._counts.too_slow += 1
            raise _RefusedError(408, f"the headers took more than {self._limits.head_s:g} s") from None
        self.idle = False
        self._head_only = isinstance(event, h11.Request) and event.method == b"HEAD"
        return event if isinstance(event, h11.Request) else None

    async def _body(self, head: Head) -> bytes:
        """Read and unpack the body, within its size, its time, and what all connections may hold together."""
        limits, clock = self._limits, asyncio.get_running_loop()
        packed = decoder(head.headers.get("content-encoding", ""))
        if packed is None:
            raise _RefusedError(
                415, "Content-Encoding: known are gzip, deflate, zstd", {"Accept-Encoding": "gzip, zstd"}
            )
        if int(head.headers.get("content-length", "0")) > limits.body:
            raise TooLargeError
        parts: list[bytes] = []
        received = size = 0
        deadline = clock.time() + limits.body_s
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                async with asyncio.timeout_at(deadline + received / limits.body_rate):
                    self._http.receive_data(await self._reader.read(_READ))
            elif isinstance(event, h11.Data):
                received += len(event.data)
                part = packed.feed(bytes(event.data), limits.body - size)
                size += len(part)
                self._hold(len(part))
                parts.append(part)
            elif isinstance(event, h11.EndOfMessage):
                break
        if received:
            packed.end()
        self._counts.body_bytes += size
        return b"".join(parts)

    def _hold(self, size: int) -> None:
        if self._counts.held + size > self._limits.held:
            self._counts.busy += 1
            raise _RefusedError(429, "too many bodies at once", {"Retry-After": "1"})
        self._held += size
        self._counts.held += size

    def _give_back(self) -> None:
        self._counts.held -= self._held
        self._held = 0

    # ---------------------------------------------------------------- answering

    async def _answer(self, asked: h11.Request) -> None:
        head = _head_of(asked, self._peer)
        if "transfer-encoding" in head.headers and "content-length" in head.headers:
            raise _RefusedError(400, "Content-Length and Transfer-Encoding together")  # RFC 9112 §6.3: smuggling
        if (refused := self._server.admit(head)) is not None:
            await self._respond(refused, close=True)
            await self._linger()
            return
        try:
            request = Request(head, await self._body(head))
        except TooLargeError:
            self._counts.too_large += 1
            raise _RefusedError(413, f"a body is at most {self._limits.body:,} bytes, unpacked") from None
        except DamagedError as error:
            raise _RefusedError(400, f"Content-Encoding: {error}") from error
        except TimeoutError:
            self._counts.too_slow += 1
            raise _RefusedError(408, "the body comes too slowly") from None
        try:
            answer = await self._server.handler(request)
        except Exception:  # noqa: BLE001  the fence of this loop: a defect in a handler is one 500, not a dead server
            self._counts.failed += 1
            _log.exception("%s %s", head.method, head.path)
            answer = Response(500, b'{"error":"a defect of ours; see the log","status":500}')
        await self._respond(answer, close=self._server.stopping)

    async def _refuse(self, error: _RefusedError | h11.RemoteProtocolError) -> None:
        self._give_back()
        if isinstance(error, h11.RemoteProtocolError):
            status, headers = error.error_status_hint, {}
        else:
            status, headers = error.status, error.headers
        self._counts.malformed += isinstance(error, h11.RemoteProtocolError) or status in (400, 415)
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = orjson.dumps({"error": str(error), "status": status})
            await self._respond(Response(status, body, headers=headers), close=True)
        await self._linger()

    async def _respond(self, answer: Response, *, close: bool) -> None:
        headers = {
            **self._server.headers,
            "Date": formatdate(usegmt=True),
            "Content-Type": answer.type,
            "Content-Length": str(len(answer.body)),
            **answer.headers,
        }
        if close:
            headers["Connection"] = "close"
        reason = HTTPStatus(answer.status).phrase
        start = h11.Response(status_code=answer.status, headers=list(headers.items()), reason=reason)
        await self._send(start, *([] if self._head_only else [h11.Data(data=answer.body)]), h11.EndOfMessage())

    async def _send(self, *events: h11.Event) -> None:
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
        async with asyncio.timeout(self._limits.write_s):
            await self._writer.drain()

    async def _linger(self) -> None:
        """Take what the peer still sends for a moment: closing at once could destroy the answer (RFC 9112 §9.6)."""
        with contextlib.suppress(OSError, TimeoutError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            async with asyncio.timeout(_LINGER_S):
                while await self._reader.read(_READ):
                    pass


def _head_of(asked: h11.Request, peer: str) -> Head:
    path, _, query = asked.target.decode("latin-1").partition("?")
    headers: dict[str, str] = {}
    for raw_name, raw_value in asked.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(asked.method.decode("latin-1"), path, query, headers, peer)
