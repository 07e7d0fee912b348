"""What a service manager hears, on the socket that it names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from vonggac.pipeline.notify import READY, reloading, teller


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.settimeout(30)
        yield made


def test_it_hears_a_line_a_datagram(manager: socket.socket, tmp_path: Path) -> None:
    manager.bind(str(tmp_path / "notify"))
    tell = teller({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    tell(READY)
    tell(reloading())
    assert manager.recv(100) == b"READY=1"
    assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_an_abstract_socket_has_a_zero_for_its_sign(manager: socket.socket, tmp_path: Path) -> None:
    name = f"vonggac{tmp_path}"
    manager.bind(f"\0{name}")
    teller({"NOTIFY_SOCKET": f"@{name}"})(READY)
    assert manager.recv(100) == b"READY=1"


def test_the_roles_do_not_inherit_it(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1", "LANG": "C"}
    teller(environ)
    assert environ == {"LANG": "C"}


@pytest.mark.parametrize("address", ["", "notify", "vsock:2:1234", "/nowhere/notify"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    teller({"NOTIFY_SOCKET": address})(READY)
