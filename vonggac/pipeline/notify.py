"""Tells a service manager how we are: ready, reading settings again, stopping, still alive (sd_notify(3))."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Final

#: takes lines such as READY=1; never raises: a manager that is gone changes nothing for the service
Tell = Callable[[str], None]

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"


def reloading() -> str:
    """Say that settings are read again; READY is to follow."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def teller(environ: MutableMapping[str, str]) -> Tell:
    """Give what tells the service manager; does nothing where there is none.

    The variables are taken out of the environment: the roles are not to speak for the service.
    """
    address = environ.pop("NOTIFY_SOCKET", "")
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        environ.pop(name, None)
    if not address.startswith(("/", "@")):
        return lambda _line: None
    if address[0] == "@":  # an abstract socket
        address = f"\0{address[1:]}"

    def tell(line: str) -> None:
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender,
        ):
            sender.sendto(line.encode(), address)

    return tell
