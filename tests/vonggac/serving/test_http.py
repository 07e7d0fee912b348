"""The small HTTP server, on real sockets: what is asked properly is answered, what is not costs little."""

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from vonggac.serving.http import Head, Limits, Request, Response, Server

DEADLINE = 20.0
USUAL = Limits()


async def echo(request: Request) -> Response:
    if request.head.path == "/defect":
        raise ZeroDivisionError
    told = f"{request.head.method} {request.head.path}?{request.head.query} {len(request.body)} ".encode()
    return Response(200, told + request.body[:100], "text/plain")


@contextmanager
def serving(limits: Limits = USUAL, **more: object) -> Iterator[Server]:
    server = Server("127.0.0.1", 0, echo, limits=limits, **more)  # type: ignore[arg-type]
    server.start()
    try:
        yield server
    finally:
        server.stop()


def asked(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    with closing(HTTPConnection(*server.address, timeout=DEADLINE)) as client:
        client.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = client.getresponse()
        return answer.status, answer.read()


def raw(server: Server, *parts: bytes) -> bytes:
    """Send bytes as they are, and give all that comes until the server closes."""
    with socket.create_connection(server.address, timeout=DEADLINE) as peer:
        for part in parts:
            peer.sendall(part)
        return to_end(peer)


def to_end(peer: socket.socket) -> bytes:
    got = b""
    try:
        while part := peer.recv(65_536):
            got += part
    except ConnectionResetError:
        pass
    return got


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)


def test_requests_follow_each_other_on_one_connection() -> None:
    with serving() as server, closing(HTTPConnection(*server.address, timeout=DEADLINE)) as client:
        for number in range(3):
            client.request("POST", f"/a?n={number}", b"xyz")
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (200, b"POST /a?n=%d 3 xyz" % number)
        assert server.counts.requests == 3
        assert server.counts.connections == 1


def test_pipelined_requests_are_answered_in_order() -> None:
    one = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
    last = b"GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with serving() as server:
        got = raw(server, one % 1 + one % 2 + last)
    assert [got.index(b"POST /1?"), got.index(b"POST /2?"), got.index(b"GET /3?")] == sorted(
        [got.index(b"POST /1?"), got.index(b"POST /2?"), got.index(b"GET /3?")]
    )


def test_head_has_no_body() -> None:
    with serving() as server:
        assert asked(server, "HEAD", "/") == (200, b"")


def test_chunks_and_waiting_for_100_continue() -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with serving() as server:
        assert raw(server, chunked, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n").endswith(b" 5 abcde")
        with socket.create_connection(server.address, timeout=DEADLINE) as peer:
            peer.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
            assert peer.recv(1_000).startswith(b"HTTP/1.1 100 ")
            peer.sendall(b"x")
            assert b"200" in peer.recv(1_000)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("encoding", PACKED)
def test_packed_bodies_are_unpacked(encoding: str) -> None:
    packed = PACKED[encoding](b"hello " * 1_000)
    with serving() as server:
        status, body = asked(server, "POST", "/", packed, Content_Encoding=encoding)
        assert (status, body[:19]) == (200, b"POST /? 6000 hello ")
        status, body = asked(server, "POST", "/", packed[:-9], Content_Encoding=encoding)
        assert (status, b"ends too early" in body) == (400, True)
        assert asked(server, "POST", "/", b"\xffjunk" * 9, Content_Encoding=encoding)[0] == 400


@given(
    st.lists(st.binary(max_size=2_000), min_size=1, max_size=3), st.integers(1, 300), st.sampled_from(sorted(PACKED))
)
@settings(max_examples=50)
def test_what_comes_out_does_not_depend_on_the_pieces(parts: list[bytes], step: int, encoding: str) -> None:
    from vonggac.serving._decoding import decoder

    members = parts if encoding != "deflate" else parts[:1]
    packed = b"".join(PACKED[encoding](part) for part in members)
    reader = decoder(encoding)
    assert reader is not None
    out = b"".join(reader.feed(packed[at : at + step], 10_000) for at in range(0, len(packed), step))
    reader.end()
    assert out == b"".join(members)


@pytest.mark.parametrize("encoding", PACKED)
def test_a_bomb_is_refused(encoding: str) -> None:
    bomb = PACKED[encoding](bytes(50_000_000))
    with serving(Limits(body=1_000_000)) as server:
        assert asked(server, "POST", "/", bomb, Content_Encoding=encoding)[0] == 413
        assert server.counts.too_large == 1
        wait_for(lambda: server.counts.held == 0)


def test_an_unknown_encoding_is_refused() -> None:
    with serving() as server:
        assert asked(server, "POST", "/", b"x", Content_Encoding="br")[0] == 415
        assert server.counts.malformed == 1


def test_a_body_that_is_not_what_its_encoding_says_is_refused_and_counted() -> None:
    with serving() as server:
        assert asked(server, "POST", "/", b"x", Content_Encoding="gzip")[0] == 400
        assert server.counts.malformed == 1


def test_a_body_above_the_limit_is_refused_before_it_is_read() -> None:
    with serving(Limits(body=1_000)) as server:
        assert asked(server, "POST", "/", bytes(1_000))[0] == 200
        assert asked(server, "POST", "/", bytes(300_000))[0] == 413
        endless = (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"fff\r\n" + bytes(4095) + b"\r\n"
        )
        assert raw(server, endless).startswith(b"HTTP/1.1 413 ")


def test_all_bodies_together_are_bounded() -> None:
    start = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
    with serving(Limits(body=100_000, held=100_000)) as server:
        with socket.create_connection(server.address, timeout=DEADLINE) as first:
            first.sendall(start + bytes(59_000))
            wait_for(lambda: server.counts.held == 59_000)
            status, _ = asked(server, "POST", "/", bytes(60_000))
            assert status == 429
            first.sendall(bytes(1_000))
            assert first.recv(12) == b"HTTP/1.1 200"
        assert asked(server, "POST", "/", bytes(60_000))[0] == 200


def test_a_body_that_is_cut_reaches_nobody() -> None:
    seen: list[Request] = []

    async def kept(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    server = Server("127.0.0.1", 0, kept)
    server.start()
    with socket.create_connection(server.address, timeout=DEADLINE) as peer:
        peer.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    wait_for(lambda: server.counts.malformed == 1 and server.counts.connections == 0)
    server.stop()
    assert seen == []


def test_a_slow_peer_is_let_go() -> None:
    limits = Limits(head_s=0.3, idle_s=0.3, body_s=0.3, body_rate=1_000_000)
    with serving(limits) as server:
        assert raw(server, b"GET / HT").startswith(b"HTTP/1.1 408 ")
        assert raw(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab").startswith(b"HTTP/1.1 408 ")
        assert raw(server) == b"", "a connection that says nothing is closed"
        wait_for(lambda: server.counts.too_slow == 2)
        with socket.create_connection(server.address, timeout=DEADLINE) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert to_end(peer).startswith(b"HTTP/1.1 200 "), "and one that has nothing more to ask, too"


def test_a_header_a_byte_at_a_time_does_not_stretch_the_time() -> None:
    with serving(Limits(head_s=0.5)) as server, socket.create_connection(server.address, timeout=DEADLINE) as peer:
        got = b""
        peer.settimeout(0.05)
        for letter in b"GET / HTTP/1.1\r\nX-Slow: " + b"a" * 200:
            try:
                peer.sendall(bytes([letter]))
                got = peer.recv(1_000)
                break
            except TimeoutError:
                continue
        assert got.startswith(b"HTTP/1.1 408 ")


def test_a_thousand_connections_are_bounded_and_the_server_lives() -> None:
    with serving(Limits(connections=200)) as server:
        crowd = [socket.create_connection(server.address, timeout=DEADLINE) for _ in range(1_000)]
        try:
            wait_for(lambda: server.counts.turned_away == 800)
            assert server.counts.connections == 200
            crowd[0].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert crowd[0].recv(12) == b"HTTP/1.1 200"
            assert crowd[-1].recv(12) == b"HTTP/1.1 503"
        finally:
            for peer in crowd:
                peer.close()
        wait_for(lambda: server.counts.connections == 0)
        assert asked(server, "GET", "/")[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
    ],
    ids=["TLS", "both framings", "two lengths", "negative", "long length", "no host", "no version"],
)
def test_what_is_no_proper_request_is_refused(sent: bytes) -> None:
    with serving() as server:
        assert raw(server, sent).startswith(b"HTTP/1.1 400 ")
        assert server.counts.malformed == 1


def test_headers_are_bounded() -> None:
    with serving() as server:
        assert raw(server, b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000).startswith(b"HTTP/1.1 431 ")


def test_a_request_can_be_refused_before_its_body_is_read() -> None:
    def admit(head: Head) -> Response | None:
        return None if head.headers.get("authorization") == "yes" else Response(401, b"{}")

    with serving(admit=admit, headers={"X-Own": "1"}) as server:
        assert asked(server, "POST", "/", b"x", Authorization="yes")[0] == 200
        got = raw(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + bytes(200_000))
        assert got.startswith(b"HTTP/1.1 401 ")
        assert b"X-Own: 1" in got, "refusals bear the common headers too"
        assert server.counts.body_bytes == 1


def test_a_defect_in_a_handler_is_one_answer() -> None:
    with serving() as server:
        assert asked(server, "GET", "/defect")[0] == 500
        assert asked(server, "GET", "/")[0] == 200
        assert server.counts.failed == 1


def test_stop_lets_what_is_in_hand_end() -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def slow(_: Request) -> Response:
        import asyncio

        begun.set()
        await asyncio.to_thread(go_on.wait, DEADLINE)
        return Response(200, b"done")

    server = Server("127.0.0.1", 0, slow)
    server.start()
    address = server.address
    answers: list[HTTPResponse] = []

    def ask() -> None:
        with closing(HTTPConnection(*address, timeout=DEADLINE)) as client:
            client.request("GET", "/")
            answers.append(client.getresponse())
            answers[0].read()

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(DEADLINE)
    with socket.create_connection(address, timeout=DEADLINE) as idle:
        wait_for(lambda: server.counts.connections == 2)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert idle.recv(1) == b"", "who asks nothing is closed at once"
    go_on.set()
    asking.join(DEADLINE)
    stopping.join(DEADLINE)
    assert answers[0].status == 200
    server.stop()
    with pytest.raises(OSError):
        socket.create_connection(address, timeout=1)


def test_an_address_in_use_is_said_at_once_and_named() -> None:
    with serving() as server, pytest.raises(OSError, match=rf"http 127\.0\.0\.1:{server.address[1]}: Address already"):
        Server("127.0.0.1", server.address[1], echo).bind()
