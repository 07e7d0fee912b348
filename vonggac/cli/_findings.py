"""What `check` finds, one thing a finding: its shape, and the few words that several looks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `do` is empty when it is in order."""

    what: str
    state: State
    detail: str
    do: str = ""


def span(seconds: float) -> str:
    """Give a span of time as a person says it: `45 s`, `12 min`, `5 h`, `3 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
