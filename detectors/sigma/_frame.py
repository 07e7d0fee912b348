"""A document's frame, judged as pySigma 1.5 and our own rules judge it: title, id, level, dates, tags, log source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from detectors.sigma import _attack
from detectors.sigma._shapes import Frame, Related, Source
from vonggac.sigma.rulefile import RuleError

TITLE_LIMIT: Final = 256  # characters, by the specification


def frame_of(value: Mapping[str, Any]) -> Frame:
    """Judge the keys around a detection; raises RuleError."""
    get = value.get
    title = get("title")
    if not isinstance(title, str):
        raise RuleError(("title",), "title", "no title" if title is None else "title must be text")
    if len(title) > TITLE_LIMIT:
        raise RuleError(("title",), "title", f"title longer than {TITLE_LIMIT} characters")
    for key in ("id", "name"):
        if not isinstance(get(key, ""), str):
            raise RuleError((key,), key, f"{key} must be text")
    own = get("id")
    if own is not None and not _UUID.fullmatch(own):
        own = _uuid(own, ("id",), "id")
    if get("name") == "":
        raise RuleError(("name",), "name", "name must not be empty")
    if (taxonomy := get("taxonomy", "sigma")) != "sigma":
        raise RuleError(("taxonomy",), "taxonomy", f"taxonomy {taxonomy!r} is not known, only sigma")
    status = _choice(value, "status", _STATUSES)
    if status == "unsupported":
        raise RuleError(("status",), "status", "its author marked it unsupported")
    tags = _tags(get("tags"))
    _listed(value, "scope")
    return Frame(
        title=" ".join(title.split()),
        id=own,
        name=get("name"),
        level=_choice(value, "level", _LEVELS),
        status=status,
        tags=tags,
        techniques=_attack.techniques(tags),
        tactics=_attack.tactics(tags),
        related=_related(get("related")),
        fields=_listed(value, "fields"),
        falsepositives=_listed(value, "falsepositives"),
        references=_listed(value, "references"),
        description=_text(value, "description"),
        author=_text(value, "author"),
        license=_text(value, "license"),
        date=_date(value, "date"),
        modified=_date(value, "modified"),
    )


def source_of(value: Mapping[str, Any]) -> Source:
    """Judge `logsource`; raises RuleError."""
    found = value.get("logsource")
    if not isinstance(found, dict):
        raise RuleError(("logsource",), "logsource", "no log source" if found is None else "logsource must be a map")
    for key in ("product", "category", "service", "definition"):
        if (part := found.get(key)) is not None and not isinstance(part, str):
            raise RuleError(("logsource", key), "logsource", f"{key} of a log source must be text")
    parts = [part.lower() if (part := found.get(key)) else None for key in ("product", "category", "service")]
    if not any(parts):
        raise RuleError(("logsource",), "logsource", "the log source is empty: no product, category or service")
    return Source(*parts)


def _uuid(text: str, at: tuple[str | int, ...], kind: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise RuleError(at, kind, f"id {text[:80]!r} is no UUID") from error


def _choice(value: Mapping[str, Any], key: str, known: Mapping[str, str]) -> str | None:
    found = value.get(key)
    if found is None:
        return None
    # upper, as pySigma compares
    if not isinstance(found, str) or (chosen := known.get(found.upper())) is None:
        raise RuleError((key,), key, f"{key} {str(found)[:80]!r} is not one of {', '.join(known.values())}")
    return chosen


def _tags(found: Any) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise RuleError(("tags",), "tags", "tags must be a list")
    for number, tag in enumerate(found):
        if not isinstance(tag, str) or "." not in tag:
            raise RuleError(("tags", number), "tags", f"tag {str(tag)[:80]!r} has no namespace before a dot")
    return tuple(map(str.lower, found))


def _related(found: Any) -> tuple[Related, ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise RuleError(("related",), "related", "related must be a list")
    out = []
    for number, one in enumerate(found):
        if not isinstance(one, dict) or not isinstance(one.get("id"), str) or not isinstance(one.get("type"), str):
            raise RuleError(("related", number), "related", "each of related is a map with id and type, both text")
        own = one["id"] if _UUID.fullmatch(one["id"]) else _uuid(one["id"], ("related", number, "id"), "related")
        if (kind := _RELATIONS.get(one["type"].upper())) is None:
            reason = f"type {one['type'][:80]!r} is not one of {', '.join(_RELATIONS.values())}"
            raise RuleError(("related", number, "type"), "related", reason)
        out.append(Related(own, kind))
    return tuple(out)


def _date(value: Mapping[str, Any], key: str) -> str | None:
    """`2026-03-01`, or `2026/3/1` as older rules write; a calendar day."""
    found = value.get(key)
    if found is None:
        return None
    parts = (_DASHES.fullmatch(found) or _SLASHES.fullmatch(found)) if isinstance(found, str) else None
    if parts is not None:
        try:
            return date(*map(int, parts.groups())).isoformat()
        except ValueError:  # the 30th of February
            pass
    raise RuleError((key,), key, f"{key} {str(found)[:80]!r} is no day as yyyy-mm-dd")


def _text(value: Mapping[str, Any], key: str) -> str | None:
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise RuleError((key,), key, f"{key} must be text")
    return found


def _listed(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Give a list's members as texts; what they are is nobody's concern."""
    found = value.get(key)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise RuleError((key,), key, f"{key} must be a list")
    return tuple(map(str, found))


_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DASHES: Final = re.compile(r"([1-3][0-9]{3})-([01][0-9])-([0-3][0-9])")
_SLASHES: Final = re.compile(r"([1-3][0-9]{3})/([01]?[0-9])/([0-3]?[0-9])")
_STATUSES: Final = {one.upper(): one for one in ("stable", "test", "experimental", "deprecated", "unsupported")}
_LEVELS: Final = {one.upper(): one for one in ("informational", "low", "medium", "high", "critical")}
_RELATIONS: Final = {one.upper(): one for one in ("derived", "obsolete", "merged", "renamed", "similar", "correlation")}
