"""A vendor's names to ECS fields by a table, compiled once: many fields an event, so it must cost little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: vendor's name; the ECS field's object, the object within that ("" = none), its last name
Fields = tuple[tuple[str, str, str, str], ...]
#: of what is copied; lists, objects, fractions and truth values stay where they are
_PLAIN = frozenset((str, int))


def compiled(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Split pairs like ("query", "dns.question.name") for `fill`; fields have two or three parts."""
    found = []
    for name, field in pairs:
        top, *middle, last = field.split(".")
        found.append((name, top, ".".join(middle), last))
    return tuple(found)


def fill(doc: dict[str, Any], record: Mapping[str, Any], fields: Fields) -> None:
    """Set the fields that the record has a text or a whole number for, and that are not set yet."""
    get = record.get
    for name, top, middle, last in fields:
        value = get(name)
        if value is None or value == "" or value.__class__ not in _PLAIN:
            continue
        at = doc.get(top)
        if at is None:
            at = doc[top] = {}
        if middle:
            at = at.setdefault(middle, {})
        if last not in at:
            at[last] = value
