"""What monitoring asks for: /metrics, /healthz, /readyz; without a token, and so on the loopback interface only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import orjson

from vonggac.serving.address import is_loopback
from vonggac.serving.http import Head, Limits, Request, Response, Server
from vonggac.serving.metrics import TYPE, exposition

Figures = Callable[[], Mapping[str, Mapping[str, float]]]
Ready = Callable[[], Mapping[str, str]]  # role -> "" or why it is not ready
_LIMITS: Final = Limits(body=1_024, held=64 << 10, connections=64)


class Status:
    """The server of the three pages; the two callables run in its thread and must be quick."""

    def __init__(self, host: str, port: int, figures: Figures, ready: Ready) -> None:
        """Raises ValueError when `host` is no loopback address."""
        if not is_loopback(host):
            msg = (
                f"console.listen: {host} is no loopback address, and these pages ask for no token: use 127.0.0.1 or ::1"
            )
            raise ValueError(msg)
        self._figures, self._ready = figures, ready
        self._server = Server(host, port, self._handle, admit=_admit, limits=_LIMITS)

    def bind(self) -> None:
        """Take the address; raises OSError."""
        self._server.bind()

    def start(self) -> None:
        """Serve, in a thread of its own, until `stop`."""
        self._server.start()

    def stop(self) -> None:
        """End within 2 s. May be called twice, and without `start`."""
        self._server.stop()

    @property
    def address(self) -> tuple[str, int]:
        """Give host and port as bound."""
        return self._server.address

    async def _handle(self, request: Request) -> Response:
        path = request.head.path
        if path == "/metrics":
            return Response(200, exposition(self._figures()), TYPE)
        if path == "/healthz":
            return Response(200, b'{"status":"alive"}')
        if path == "/readyz":
            reasons = {role: reason for role, reason in self._ready().items() if reason}
            told = {"status": "not ready" if reasons else "ready", "roles": reasons}
            return Response(503 if reasons else 200, orjson.dumps(told))
        return Response(404, b'{"error":"known are /metrics, /healthz and /readyz","status":404}')


def _admit(head: Head) -> Response | None:
    if head.method in ("GET", "HEAD"):
        return None
    return Response(405, b'{"error":"GET is wanted","status":405}', headers={"Allow": "GET, HEAD"})
