"""HTTP intake: bulk bodies as Beats, Logstash, Fluent Bit and Vector send them, and NDJSON; 200 means durable.

    POST /_bulk, /INDEX/_bulk    Elasticsearch's bulk body; an answer an item
    POST /, /ingest              NDJSON, one object, or one array of objects

Whoever sends shows the token: `Authorization: Bearer TOKEN`, `ApiKey TOKEN` (also as Beats send it, base64 of
`id:TOKEN`), or Basic with the token as the password. A body is taken whole or not at all (429, 503: send it again);
documents in it that cannot be read are refused one by one (400), and kept among the dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import orjson

from vonggac import shelf
from vonggac.intake import _bulk, _elastic
from vonggac.intake._documents import MOST, Document, TooManyError, documents_of
from vonggac.intake._sorting import Sorter
from vonggac.intake.inlet import Closed, Delivery, Inlet
from vonggac.intake.tls import TlsFiles, server_context
from vonggac.ports import CollectorModule, ReadOptions
from vonggac.serving.http import Head, Limits, Request, Response, Server

_TOKEN: Final = 16  # characters at least
_ROOM_S: Final = 5.0  # that a body waits for room before its sender is told to come back
_COMMIT_S: Final = 60.0
_THREADS: Final = 4  # they wait for room; events are made by one at a time
_NAMED: Final = 100  # refused documents in an answer to NDJSON
_POLL: Final = 0.1


class HttpIntake:
    """An `Intake`: `open`, `run` in a thread of its own, `close`."""

    name = "http"

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        *,
        max_bytes: int = 32 << 20,
        unit: str = "",
        cert: str = "",
        key: str = "",
        options: ReadOptions | None = None,
        collectors: Mapping[str, CollectorModule] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        limits: Limits | None = None,
        room_s: float = _ROOM_S,
        commit_s: float = _COMMIT_S,
    ) -> None:
        """`max_bytes`: of a body, unpacked. `cert` and `key`: PEM files; with both it speaks HTTPS only.

        Raises ValueError for a token that is too short, and for one PEM file without the other.
        """
        if len(token) < _TOKEN:
            msg = f"intake.token: at least {_TOKEN} characters; VONGGAC_INTAKE__TOKEN_FILE names a file that holds it"
            raise ValueError(msg)
        if bool(cert) != bool(key):
            msg = "intake.cert_file and intake.key_file go together"
            raise ValueError(msg)
        self._host, self._port, self._token = host, port, token.encode()
        self._cert, self._key, self._unit = cert, key, unit
        self._options, self._collectors, self._clock = options or ReadOptions(), collectors, clock
        self._limits = limits or Limits(body=max_bytes, held=max(2 * max_bytes, 64 << 20))
        self._room_s, self._commit_s = room_s, commit_s
        self._server: Server | None = None
        self._sorter: Sorter | None = None
        self._inlet: Inlet | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._making = threading.Lock()
        self._ended = threading.Event()  # the inlet is closed
        self._counts = dict.fromkeys(_FIGURES, 0)

    # ------------------------------------------------------------ as an intake

    def open(self) -> None:
        """Bind, and read certificate and collectors; raises OSError or ValueError naming the address or the file."""
        tls = server_context(TlsFiles(self._cert, self._key)) if self._cert else None
        modules = self._collectors or {name: shelf.collector(name) for name in shelf.names("collectors")}
        self._sorter = Sorter(modules, self._options)
        self._server = Server(
            self._host,
            self._port,
            self._handle,
            admit=self._admit,
            limits=self._limits,
            tls=tls,
            headers=_elastic.HEADERS,
        )
        self._server.bind()

    @property
    def address(self) -> tuple[str, int]:
        """Give host and port as bound."""
        if self._server is None:
            msg = "open first"
            raise RuntimeError(msg)
        return self._server.address

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Serve until `stop` is set or the inlet is closed. It has no marks: who sends remembers where it was."""
        if self._server is None:
            self.open()
        server = self._server
        if server is None:
            return
        self._inlet = inlet
        self._ended.clear()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="intake-http")
        server.start()
        try:
            while not stop.wait(_POLL) and not self._ended.is_set():
                pass
        finally:
            self._ended.set()
            server.stop()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._server = None

    def figures(self) -> Mapping[str, float]:
        """Give counters and gauges; `waiting` is bodies that are not answered yet."""
        found: dict[str, float] = dict(self._counts)
        if (server := self._server) is not None:
            counts = server.counts
            found.update(
                requests_total=counts.requests,
                bytes_total=counts.body_bytes,
                connections=counts.connections,
                held_bytes=counts.held,
                refused_connections_total=counts.turned_away,
                refused_too_large_total=self._counts["refused_too_large_total"] + counts.too_large,
                refused_too_slow_total=counts.too_slow,
                refused_busy_total=self._counts["refused_busy_total"] + counts.busy,
                refused_malformed_total=self._counts["refused_malformed_total"] + counts.malformed,
                handshakes_failed_total=counts.handshakes,
                failed_total=counts.failed,
            )
        return found

    def close(self) -> None:
        """Let go of the address."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    # ------------------------------------------------------------- as a server

    def _admit(self, head: Head) -> Response | None:
        if _elastic.allowed(head.headers.get("authorization", ""), self._token):
            return None
        self._counts["refused_unauthorized_total"] += 1
        headers = {"WWW-Authenticate": 'Bearer realm="vonggac", ApiKey, Basic realm="vonggac"'}
        return _elastic.error(401, "security_exception", "the token is missing or wrong", headers)

    async def _handle(self, request: Request) -> Response:
        head = request.head
        bulk = head.path.rstrip("/").endswith("/_bulk")
        if head.method in ("POST", "PUT") and (bulk or head.path in ("/", "/ingest")):
            self._counts["waiting"] += 1
            try:
                return await self._take(request, bulk)
            finally:
                self._counts["waiting"] -= 1
        if (known := _elastic.answer(head)) is not None:
            return known
        if head.path in ("/ingest", "/_bulk"):
            return _elastic.error(405, "illegal_argument_exception", "POST is wanted", {"Allow": "POST"})
        return _elastic.error(404, "resource_not_found_exception", f"nothing stands at {head.path[:200]}")

    async def _take(self, request: Request, bulk: bool) -> Response:
        """Give a body to the inlet and answer when it is durable."""
        loop, began = asyncio.get_running_loop(), time.monotonic()
        durable: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not durable.done():
                durable.set_result(None)

        def done() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: who sent it was not told, and sends again
                loop.call_soon_threadsafe(tell)

        pool = self._pool
        if pool is None or self._ended.is_set():
            return _busy(503, "stopping")
        try:
            taken = await loop.run_in_executor(pool, self._put, request, bulk, began + self._room_s, done)
            async with asyncio.timeout(self._commit_s):
                await durable
        except _bulk.NotBulkError as error:
            self._counts["refused_malformed_total"] += 1
            return _elastic.error(400, "illegal_argument_exception", str(error))
        except TooManyError:
            self._counts["refused_too_large_total"] += 1
            return _elastic.error(413, "illegal_argument_exception", f"a body holds at most {MOST:,} documents")
        except _NoRoomError:
            self._counts["refused_busy_total"] += 1
            return _busy(429, "no room: what came before is not durable yet")
        except Closed:
            self._ended.set()
            return _busy(503, "stopping")
        except TimeoutError:
            self._counts["refused_busy_total"] += 1
            return _busy(503, f"not durable after {self._commit_s:g} s: it may have been taken, or not")
        self._counts["events_total"] += len(taken.documents) - len(taken.unread)
        self._counts["refused_documents_total"] += len(taken.refused)
        return taken.answer(round((time.monotonic() - began) * 1000))

    def _put(self, request: Request, bulk: bool, deadline: float, done: Callable[[], None]) -> _Taken:
        """Make events of a body and hand them over, all or nothing. In a thread of the pool.

        Raises _NoRoomError, NotBulkError, TooManyError, Closed.
        """
        inlet, sorter = self._inlet, self._sorter
        if inlet is None or sorter is None:
            raise Closed
        if inlet.stalled:  # taken now, it would not be durable in time, be sent again, and be there twice in the end
            raise _NoRoomError
        self._wait(lambda wait_s: inlet.has_room(len(request.body), wait_s), deadline)
        source = f"http {request.head.peer}"
        with self._making:  # one at a time: of the others only the bodies fill memory, not their events
            if bulk:
                path = request.head.path.rstrip("/")
                asked = _bulk.items(request.body, path.removesuffix("/_bulk").strip("/"))
                taken = _Taken(_bulk.documents(asked), asked, {})
            else:
                taken = _Taken(documents_of(request.body), None, {})
            sealed = [
                inlet.seal(Delivery(part.collector, part.records, source, self._unit))
                for part in sorter.sort(taken.documents, source, self._clock(), taken.unread)
            ]
        if not sealed:
            done()
            return taken
        sealed[-1] = replace(sealed[-1], done=done)  # they are committed in this order: then all are durable
        self._wait(lambda wait_s: inlet.put_sealed(sealed, wait_s), deadline)
        return taken

    def _wait(self, done: Callable[[float], bool], deadline: float) -> None:
        """Try until it is done; raises _NoRoomError at the deadline, Closed when the intake ends."""
        while not self._ended.is_set():
            left = deadline - time.monotonic()
            if done(max(0.0, min(left, _POLL))):
                return
            if left <= 0:
                raise _NoRoomError
        raise Closed


class _NoRoomError(Exception):
    """Nothing of the body was taken."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A body that was handed over: what is to be answered once it is durable."""

    documents: Sequence[Document]
    asked: Sequence[_bulk.Item] | None  # of a bulk body
    unread: dict[int, str]  # position: reason

    @property
    def refused(self) -> Mapping[int, str]:
        """Give all that was not taken, by position: what cannot be read, and actions that nobody does here."""
        never = ((position, item.refused) for position, item in enumerate(self.asked or ()) if item.refused)
        return {**self.unread, **dict(never)}

    def answer(self, took_ms: int) -> Response:
        """Answer in the form of the question."""
        refused = self.refused
        if not self.documents and not refused:
            return _elastic.error(400, "parse_exception", "the body holds no document")
        if self.asked is not None:
            return Response(200, _bulk.answer(self.asked, refused, took_ms))
        first = [{"line": self.documents[position].line, "reason": refused[position]} for position in sorted(refused)]
        told = {"taken": len(self.documents) - len(refused), "refused": len(refused), "reasons": first[:_NAMED]}
        return Response(400 if len(refused) == len(self.documents) else 200, orjson.dumps(told))


def _busy(status: int, reason: str) -> Response:
    return _elastic.error(status, "es_rejected_execution_exception", reason, {"Retry-After": "5"})


_FIGURES: Final = (
    "events_total",
    "waiting",
    "refused_unauthorized_total",
    "refused_documents_total",
    "refused_too_large_total",
    "refused_busy_total",
    "refused_malformed_total",
)
