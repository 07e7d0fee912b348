"""What monitoring asks."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection

import orjson
import pytest

from vonggac.serving.status import Status


@contextmanager
def status(ready: Mapping[str, str]) -> Iterator[HTTPConnection]:
    server = Status("127.0.0.1", 0, lambda: {"collect-0": {"events_total": 3}}, lambda: ready)
    server.start()
    try:
        with closing(HTTPConnection(*server.address, timeout=20)) as client:
            yield client
    finally:
        server.stop()


def get(client: HTTPConnection, path: str, method: str = "GET") -> tuple[int, bytes]:
    client.request(method, path)
    answer = client.getresponse()
    return answer.status, answer.read()


def test_the_metrics() -> None:
    with status({}) as client:
        code, page = get(client, "/metrics")
        assert code == 200
        assert b'vonggac_events_total{role="collect-0"} 3\n' in page
        client.request("GET", "/metrics")
        answer = client.getresponse()
        answer.read()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_alive_and_ready() -> None:
    with status({"collect-0": "", "store-0": ""}) as client:
        assert get(client, "/healthz")[0] == 200
        assert get(client, "/readyz") == (200, b'{"status":"ready","roles":{}}')
        assert get(client, "/readyz", "HEAD") == (200, b"")


def test_not_ready_says_who_and_why() -> None:
    with status({"collect-0": "", "store-0": "no heartbeat for 12 s"}) as client:
        assert get(client, "/healthz")[0] == 200, "alive all the same"
        code, body = get(client, "/readyz")
        assert (code, orjson.loads(body)["roles"]) == (503, {"store-0": "no heartbeat for 12 s"})


def test_nothing_else_is_there() -> None:
    with status({}) as client:
        assert get(client, "/")[0] == 404
        assert get(client, "/metrics", "POST")[0] == 405


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "", "soc.example", "::"])  # noqa: S104  refused
def test_only_on_the_loopback_interface(host: str) -> None:
    with pytest.raises(ValueError, match=r"console\.listen: .* is no loopback address"):
        Status(host, 0, dict, dict)


def test_ipv6_loopback_is_one() -> None:
    Status("::1", 0, dict, dict).stop()
