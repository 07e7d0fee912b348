"""Which fields an event has, as names of at most three parts: a few events of each source are looked at, not all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

NAMES: Final = 96  # of a source
_WIDTH: Final = 80  # names looked at, an event
_LONG: Final = 64  # characters of a name
_OURS: Final = frozenset(("vonggac", "labels", "ecs"))  # stamped by ourselves


def names(doc: dict[str, Any]) -> Iterator[str]:
    """Give `host.name`, `winlog.event_data.TargetUserName` … and `code:4624` for the event's code, a bounded number."""
    left = _WIDTH
    about = doc.get("event")
    if isinstance(about, dict) and isinstance(code := about.get("code"), str | int):
        yield _plain(f"code:{str(code)[:_LONG]}")
    for top, value in doc.items():
        if top in _OURS:
            continue
        for name in _inner(top, value, 2):
            if not left:
                return
            left -= 1
            yield _plain(name[:_LONG])


def _inner(name: str, value: Any, deeper: int) -> Iterator[str]:
    if deeper and isinstance(value, dict) and value:
        for part, inner in value.items():
            yield from _inner(f"{name[:_LONG]}.{str(part)[:_LONG]}", inner, deeper - 1)
    else:
        yield name


def _plain(name: str) -> str:
    return name if name.isascii() else name.encode("utf-8", "replace").decode()
