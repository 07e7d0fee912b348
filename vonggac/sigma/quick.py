"""YAML of rule files, read fast: plain documents in one loop; whatever is not plain goes to `rulefile.parse`.

That keeps a path and a line for each value, wanted only where something is wrong. Here values alone are built, and
`Quick.line_of` reads the file's text again when it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vonggac.sigma.rulefile import NODE_LIMIT, At, parse, scalar

DEEPEST: Final = 40  # as rulefile.DEPTH_LIMIT; deeper text is refused there, with its line


@dataclass(frozen=True, slots=True)
class Quick:
    """A YAML document as in rulefile.Document, its lines found when they are asked for."""

    value: Any
    text: str
    line: int
    data: bytes  # the whole file
    number: int  # of this document in it, from 0

    def line_of(self, path: At) -> int:
        """Give the line of a value, or of the nearest one around it."""
        return parse(self.data)[self.number].line_of(path)


class _NotPlain(Exception):
    """The text has what the fast loop does not know: aliases, tags, too much, or a mistake."""


def documents(data: bytes) -> list[Quick]:
    """Parse YAML bytes into documents, exactly as rulefile.parse does; raises RuleFileError."""
    import yaml

    if hasattr(yaml, "CSafeLoader"):
        try:
            return _quick(data)
        except (_NotPlain, yaml.YAMLError, UnicodeDecodeError):
            pass
    return [Quick(one.value, one.text, one.line, data, number) for number, one in enumerate(parse(data))]


def _quick(data: bytes) -> list[Quick]:
    """Build the values of plain documents; raises _NotPlain, YAMLError, UnicodeDecodeError."""
    import yaml
    from yaml.events import DocumentEndEvent, DocumentStartEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

    text = data.decode("utf-8-sig")
    rows = text.splitlines(keepends=True)
    loader: Any = yaml.CSafeLoader(text)
    get = loader.get_event
    found: list[Quick] = []
    stack: list[Any] = []  # the containers around the open one, each before the key that waits in it
    top: Any = None  # the open list or map
    key: str | None = None  # of the open map, whose value comes next
    mapped = False  # whether the open one is a map
    root: Any = None
    first = start = nodes = 0
    while (event := get()) is not None:
        kind = event.__class__
        if kind is ScalarEvent:
            nodes += 1
            if event.tag is not None:
                raise _NotPlain
            value: Any = event.value
            if mapped and key is None:
                if value in top or value == "<<":
                    raise _NotPlain
                key = value
                continue
            if not event.style:
                value = scalar(value)
            if mapped:
                top[key] = value
                key = None
            elif top is not None:
                top.append(value)
            else:
                root, start = value, event.start_mark.line
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            nodes += 1
            if len(stack) >= 2 * DEEPEST or event.tag is not None or (mapped and key is None):
                raise _NotPlain
            new: Any = {} if kind is MappingStartEvent else []
            if mapped:
                top[key] = new
            elif top is not None:
                top.append(new)
            else:
                root, start = new, event.start_mark.line
            stack += (top, mapped)
            top, key, mapped = new, None, kind is MappingStartEvent
        elif kind is DocumentStartEvent:
            first = event.start_mark.line
        elif kind is DocumentEndEvent:
            end = max(event.start_mark.line, first + 1)
            body = "".join(rows[first:end] if end < len(rows) else rows[first:])
            found.append(Quick(root, body, start + 1, data, len(found)))
            root, top, key, mapped = None, None, None, False
        elif isinstance(event, yaml.CollectionEndEvent):
            mapped = stack.pop()
            top = stack.pop()
            key = None
        elif isinstance(event, yaml.AliasEvent):
            raise _NotPlain
        if nodes > NODE_LIMIT:
            raise _NotPlain
    return found
