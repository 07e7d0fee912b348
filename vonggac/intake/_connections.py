"""The open connections of a TCP or TLS listener: accepted, greeted and read in turn, none of them waiting for another.

What is bounded: connections, bytes of begun messages (all together), time for a handshake, handshakes a turn (one costs
a millisecond). There is no time limit for silence: senders are silent for hours; TCP's keep-alive finds dead ones.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
import time
from typing import Final

from vonggac.intake._live import Notices, peer_of
from vonggac.intake.framing import Framer, Message

HELD: Final = 32 << 20  # bytes of messages that have begun, all connections together
HANDSHAKE_S: Final = 10.0
_UNPROVEN_S: Final = 10.0
_CHUNK: Final = 64 << 10
_AT_ONCE: Final = 64  # connections a turn: the kernel gives them round robin
_ACCEPTS: Final = 256  # a turn
_GREETINGS: Final = 8  # handshake steps a turn
_RECORDS: Final = 4  # TLS records a turn, of one connection
_SMALL: Final = 16 << 10
_EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_FULL: Final = "connections refused, as many as allowed are open"
_NO_FILES: Final = "connections could not be accepted, no file descriptors or memory left"
_PUSHED_OUT: Final = "connections closed, they had sent no message and another sender came"
_GREEDY: Final = "connections closed, too many bytes of messages that do not end"
_BAD_TLS: Final = "TLS handshakes failed"


class Connection:
    """One sender."""

    __slots__ = ("framer", "peer", "proven", "sock")

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.sock, self.peer = sock, peer
        self.framer = Framer()
        self.proven = False  # it has sent a whole message


class Connections:
    """All of them; for one thread. The counters are read from others."""

    def __init__(
        self, listener: socket.socket, limit: int, context: ssl.SSLContext | None, notices: Notices, held: int = HELD
    ) -> None:
        self._listener, self._limit, self._context, self._notices, self._room = listener, limit, context, notices, held
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)
        self._paused = 0.0  # when accepting was paused; 0 = it is not
        self._all: dict[int, Connection] = {}
        self._unproven: dict[Connection, float] = {}  # since when; oldest first, as in the next
        self._greeting: dict[Connection, float] = {}
        self._again: dict[Connection, None] = {}  # decrypted bytes wait that the kernel knows nothing of
        self._held = 0
        self.accepted = self.refused = self.failed = self.received = 0

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._all)

    def turn(self, wait_s: float, *, accept: bool = True) -> tuple[list[tuple[Message, str]], bool]:
        """Serve who has something, each a little; give the messages with their peers, and whether more may be there."""
        now = time.monotonic()
        self._sweep(now)
        out: list[tuple[Message, str]] = []
        ready = list(self._again)
        self._again.clear()
        greetings, knocked = _GREETINGS, False
        found = self._poll.poll(0 if ready else wait_s, _AT_ONCE)
        for file, _ in found:
            connection = self._all.get(file)
            if connection is None:
                knocked = file == self._listener.fileno()
            elif connection in self._greeting:
                greetings -= 1
                if greetings >= 0:
                    self._greet(connection)
            elif connection not in ready:
                ready.append(connection)
        for connection in ready:
            self._read(connection, out)
        if knocked and accept:  # last: it may close others
            self._accept(now)
        return out, len(found) == _AT_ONCE or greetings < 0 or bool(self._again)

    def end(self) -> list[tuple[Message, str]]:
        """Close all; give what had begun."""
        out: list[tuple[Message, str]] = []
        for connection in list(self._all.values()):
            self._end(connection, out)
        self._poll.close()
        return out

    def _accept(self, now: float) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, at = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:  # it would be reported ready again at once, for ever
                    self._notices.add(_NO_FILES)
                    self.refused += 1
                    self._poll.unregister(self._listener)
                    self._paused = now
                    return
                continue  # this one has gone already
            peer = peer_of(at)
            if len(self._all) >= self._limit and not self._push_out(now):
                self.refused += 1
                self._notices.add(_FULL, 1, peer)
                sock.close()
                continue
            self._welcome(sock, peer, now)

    def _welcome(self, sock: socket.socket, peer: str, now: float) -> None:
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 6)):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:
            sock.close()
            return
        connection = Connection(sock, peer)
        self._all[sock.fileno()] = connection
        self._unproven[connection] = now
        if self._context is not None:
            self._greeting[connection] = now
        self._poll.register(sock, select.EPOLLIN)
        self.accepted += 1

    def _push_out(self, now: float) -> bool:
        """Make room by closing who has sent nothing whole for some time, the oldest first; a real sender never is."""
        oldest = next(iter(self._unproven), None)
        if oldest is None or now - self._unproven[oldest] < _UNPROVEN_S:
            return False
        self._notices.add(_PUSHED_OUT, 1, oldest.peer)
        self._close(oldest)
        return True

    def _sweep(self, now: float) -> None:
        while self._greeting:
            connection, since = next(iter(self._greeting.items()))
            if now - since < HANDSHAKE_S:
                break
            self._fail(connection, f"not done within {HANDSHAKE_S:g} s")
        if self._paused and now - self._paused >= 1.0:
            self._paused = 0.0
            self._poll.register(self._listener, select.EPOLLIN)

    def _greet(self, connection: Connection) -> None:
        sock = connection.sock
        assert isinstance(sock, ssl.SSLSocket)  # noqa: S101  for the type: only those are greeted
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._poll.modify(sock, select.EPOLLIN)
        except ssl.SSLWantWriteError:
            self._poll.modify(sock, select.EPOLLOUT)
        except ssl.SSLCertVerificationError as error:
            self._fail(connection, f"client certificate: {error.verify_message}")
        except ssl.SSLError as error:
            self._fail(connection, (error.reason or "broken off").replace("_", " ").lower())
        except OSError as error:
            self._fail(connection, error.strerror or "broken off")
        else:
            del self._greeting[connection]
            self._poll.modify(sock, select.EPOLLIN)

    def _fail(self, connection: Connection, why: str) -> None:
        self.failed += 1
        self._notices.add(_BAD_TLS, 1, connection.peer, why)
        self._close(connection)

    def _read(self, connection: Connection, out: list[tuple[Message, str]]) -> None:
        sock, framer, peer = connection.sock, connection.framer, connection.peer
        encrypted = isinstance(sock, ssl.SSLSocket)
        for _ in range(_RECORDS if encrypted else 1):
            try:
                data = sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:  # reset, a broken record, or it asks for TLS answers and takes none
                data = b""  # what came before counts
            if not data:
                self._end(connection, out)
                return
            self.received += len(data)
            self._held -= framer.held
            messages = framer.feed(data)
            self._held += framer.held
            if messages:
                out += [(message, peer) for message in messages]
                if not connection.proven:
                    connection.proven = True
                    del self._unproven[connection]
            if self._held > self._room and framer.held > _SMALL:
                self._notices.add(_GREEDY, 1, peer)
                self._end(connection, out)
                return
            if isinstance(sock, ssl.SSLSocket) and not sock.pending():
                return
        if encrypted:
            self._again[connection] = None

    def _end(self, connection: Connection, out: list[tuple[Message, str]]) -> None:
        self._held -= connection.framer.held
        out += [(message, connection.peer) for message in connection.framer.end()]
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        self._held -= connection.framer.held
        del self._all[connection.sock.fileno()]
        for among in (self._unproven, self._greeting, self._again):
            among.pop(connection, None)
        connection.sock.close()
