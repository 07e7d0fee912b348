"""Addresses that are listened on."""

import socket

import pytest

from vonggac.serving.address import is_loopback, listener, parted, resolved


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:5514", ("127.0.0.1", 5514)),
        ("[::1]:0", ("::1", 0)),
        ("::1:514", ("::1", 514)),
        ("soc.example:65535", ("soc.example", 65535)),
    ],
)
def test_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parted("syslog.listen", text) == address


@pytest.mark.parametrize(
    "text", ["", "5514", ":5514", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "h:٣"]
)
def test_no_address_is_refused_by_its_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"syslog\.listen: .*such as 127\.0\.0\.1:5514"):
        parted("syslog.listen", text)


def test_a_free_port_is_taken_and_listened_on() -> None:
    with listener("tcp", "127.0.0.1", 0, 8) as made, socket.create_connection(made.getsockname()):
        assert not made.getblocking()
        assert not made.get_inheritable()


def test_both_families() -> None:
    assert resolved("127.0.0.1", 1, socket.SOCK_DGRAM) == (socket.AF_INET, ("127.0.0.1", 1))
    assert resolved("::1", 1, socket.SOCK_STREAM)[0] is socket.AF_INET6


def test_an_address_that_cannot_be_taken_is_named() -> None:
    with listener("tcp", "127.0.0.1", 0, 8) as held:
        port = held.getsockname()[1]
        with pytest.raises(OSError, match=rf"^http 127\.0\.0\.1:{port}: Address already in use$"):
            listener("http", "127.0.0.1", port, 8)


@pytest.mark.parametrize("host", ["256.0.0.1", "a..example", "x" * 64 + ".example"])
def test_what_is_no_host_is_named(host: str) -> None:
    with pytest.raises(OSError, match=rf"^tcp {host}:5514: "):
        listener("tcp", host, 5514, 8)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "soc.example", ""])  # noqa: S104  not listened on
def test_others_too(host: str) -> None:
    assert not is_loopback(host)
