"""A document that is too large for where it goes, cut so that it can still be read and searched by its short values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

KEPT: Final = 64 << 10  # bytes of JSON, at most


def shortened(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Give what fits into `KEPT` bytes of a document: short values first come, long texts cut, deep ones left out."""
    found: dict[str, Any] = _cut(doc, [KEPT // 8], 0)  # a character may take 6 bytes as JSON
    return found


def _cut(value: Any, room: list[int], depth: int) -> Any:
    if isinstance(value, str):
        value = value[: min(1_024, max(0, room[0]))]
        room[0] -= len(value)
        return value
    room[0] -= 8
    if isinstance(value, dict):
        inner = sorted(value.items(), key=lambda item: isinstance(item[1], dict | list))  # scalars first
        cut = {}
        for key, one in inner:
            if room[0] <= 0 or depth >= _DEEP:
                break
            if len(key) <= _LONG_KEY:
                room[0] -= len(key)
                cut[key] = _cut(one, room, depth + 1)
        return cut
    if isinstance(value, list):
        items: list[Any] = []
        for one in value:
            if room[0] <= 0 or depth >= _DEEP:
                break
            items.append(_cut(one, room, depth + 1))
        return items
    return value


_DEEP: Final = 16
_LONG_KEY: Final = 256
