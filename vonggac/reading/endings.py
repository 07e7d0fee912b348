"""How a process ended, in words: `SIGSEGV`, `exit status 3`."""

from __future__ import annotations

import signal


def ending(status: int) -> str:
    """Say it of a return code as `subprocess` gives it: below zero, the signal that ended it."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:  # most of the real-time signals have no name of their own
        return f"signal {-status}"
