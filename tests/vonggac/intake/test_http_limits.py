"""The bounds of the HTTP intake: bodies too large, documents too many, senders too slow, crowds."""

import gzip
import socket

from tests.http_site import BEARER, TOKEN, site
from tests.listening import until
from vonggac.intake._documents import MOST
from vonggac.intaketesting import DEADLINE
from vonggac.serving.http import Limits


def test_packed_bodies() -> None:
    with site(max_bytes=100_000) as there:
        packed = gzip.compress(b'{"a":1}\n' * 100)
        assert there.ask("POST", "/", packed, {**BEARER, "Content-Encoding": "gzip"})[1]["taken"] == 100
        bomb = gzip.compress(bytes(10_000_000))
        assert there.ask("POST", "/", bomb, {**BEARER, "Content-Encoding": "gzip"})[0] == 413
        assert there.ask("POST", "/", b'{"a":1}\n' * 20_000)[0] == 413
        assert there.figure("refused_too_large_total") == 2
        assert len(there.log.events()) == 100


def test_the_number_of_documents_is_bounded() -> None:
    with site() as there:
        assert there.ask("POST", "/", b"{}\n" * (MOST + 1))[0] == 413
        assert there.ask("POST", "/_bulk", b'{"create":{}}\n{}\n' * (MOST + 1))[0] == 413
        assert there.log.records == []


def test_a_slow_sender_is_let_go() -> None:
    head = f"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 90\r\n\r\n"
    with site(limits=Limits(head_s=0.3, body_s=0.3)) as there:
        for begun in ("POST / HT", head + '{"a":'):
            with socket.create_connection(there.address, timeout=DEADLINE) as peer:
                peer.sendall(begun.encode())
                assert peer.recv(12) == b"HTTP/1.1 408"
        assert there.figure("refused_too_slow_total") == 2
        assert there.log.records == []


def test_a_crowd_is_bounded() -> None:
    with site(limits=Limits(connections=50)) as there:
        crowd = [socket.create_connection(there.address, timeout=DEADLINE) for _ in range(300)]
        try:
            until(lambda: there.figure("refused_connections_total") == 250)
            assert there.figure("connections") == 50
        finally:
            for peer in crowd:
                peer.close()
        until(lambda: there.figure("connections") == 0)
        assert there.ask("POST", "/", b'{"a":1}')[0] == 200
