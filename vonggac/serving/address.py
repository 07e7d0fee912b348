"""An address that is listened on: parted from a setting, resolved, bound; is it reached from this machine alone."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any


def parted(key: str, text: str) -> tuple[str, int]:
    """Part `127.0.0.1:5514` or `[::1]:5514`; raises ValueError naming the key of the setting."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 1 << 16):
        msg = f"{key}: {text!r}: an address and a port are wanted, such as 127.0.0.1:5514"
        raise ValueError(msg)
    return host.removeprefix("[").removesuffix("]"), int(port)


def resolved(host: str, port: int, kind: socket.SocketKind) -> tuple[socket.AddressFamily, Any]:
    """Give family and address to bind; raises socket.gaierror (an OSError) for a host that is none."""
    try:
        family, _, _, _, at = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    except UnicodeError as error:  # a label that is empty, or too long for a name
        raise socket.gaierror(socket.EAI_NONAME, "no host can have this name") from error
    return family, at


def listener(what: str, host: str, port: int, backlog: int) -> socket.socket:
    """Listen on TCP, without blocking; port 0 = any free one. Raises OSError: `what HOST:PORT: reason`."""
    try:
        family, at = resolved(host, port, socket.SOCK_STREAM)
        made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(at)
            made.listen(backlog)
        except OSError:
            made.close()
            raise
    except OSError as error:
        msg = f"{what} {host}:{port}: {error.strerror or error}"
        raise OSError(msg) from error
    return made


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine itself, by its address; `localhost` counts as such."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
