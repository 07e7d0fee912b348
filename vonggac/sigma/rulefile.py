"""A rule file: YAML text into plain values with the line of each, bounded whatever the text holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

SIZE_LIMIT: Final = 1 << 20  # bytes a file; the largest of 3,780 public rules has 60 KB
NODE_LIMIT: Final = 50_000  # values a file, aliases counted with all that they stand for
DEPTH_LIMIT: Final = 40

At = tuple[str | int, ...]


class RuleFileError(ValueError):
    """The file cannot be read as rules; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class RuleError(ValueError):
    """A rule is refused: `at` is the path in its document, `kind` the name of the check."""

    def __init__(self, at: At, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value, its text, its first line in the file, and the line of each value by its path."""

    value: Any
    text: str
    line: int
    lines: dict[At, int] = field(repr=False)

    def line_of(self, path: At) -> int:
        """Give the line of a value, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


def read(path: Path) -> list[Document]:
    """Read a file's documents; raises RuleFileError, and OSError when it cannot be read."""
    with path.open("rb") as file:
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise RuleFileError(1, f"file is above the limit of {SIZE_LIMIT:,} bytes")
    return parse(data)


def parse(data: bytes) -> list[Document]:
    """Parse YAML bytes into documents; raises RuleFileError.

    Values are str, int, Decimal, bool, None, list and dict with str keys. Only plain decimal numbers are numbers, only
    `true` and `false` are booleans: `0x3e7`, `010`, `12:30`, `2026-01-01`, `yes` keep the text that their author wrote.
    """
    import yaml

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RuleFileError(line, f"not UTF-8 at byte {error.start}") from error
    try:
        return list(_documents(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RuleFileError(mark.line + 1 if mark else 1, f"bad YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise RuleFileError(1, f"bad YAML: {reason}") from error


@dataclass(slots=True)
class _Open:
    """A list or map being filled."""

    value: Any
    path: At
    anchor: str | None
    start: int  # nodes counted when it began
    key: str | None = None
    has_key: bool = False


@dataclass(slots=True)
class _Reading:
    """The state of one file: the containers that are open, the anchors seen, the nodes counted."""

    nodes: int = 0
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    lines: dict[At, int] = field(default_factory=dict)
    root: Any = None

    def count(self, nodes: int, line: int) -> None:
        self.nodes += nodes
        if self.nodes > NODE_LIMIT:
            raise RuleFileError(line, f"more than {NODE_LIMIT:,} values, aliases unfolded")

    def place(self, line: int) -> At:
        """Give the path of the value that comes next."""
        if not self.stack:
            return ()
        top = self.stack[-1]
        if isinstance(top.value, list):
            return (*top.path, len(top.value))
        return (*top.path, top.key or "")

    def put(self, value: Any, line: int, *, scalar: str | None = None) -> None:
        """Put a finished value into the open container, or take it as the next key of a map."""
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
            return
        if top.has_key:
            top.value[top.key] = value
            top.has_key = False
            return
        if scalar is None:
            raise RuleFileError(line, "a key must be plain text")
        if scalar in top.value:
            raise RuleFileError(line, f"key {scalar!r} stands twice")
        if scalar == "<<":
            raise RuleFileError(line, "merge keys are not part of Sigma")
        top.key, top.has_key = scalar, True
        self.lines[(*top.path, scalar)] = line


def _documents(text: str) -> Iterator[Document]:
    import yaml

    rows = text.splitlines(keepends=True)
    reading = _Reading()
    first = 0
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    event: Any
    for event in yaml.parse(text, Loader=loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            reading = _Reading(nodes=reading.nodes)
            first = line - 1
        elif isinstance(event, yaml.DocumentEndEvent):
            end = max(line - 1, first + 1)
            body = "".join(rows[first:end] if end < len(rows) else rows[first:])
            yield Document(reading.root, body, min(reading.lines.values(), default=first + 1), reading.lines)
        elif isinstance(event, yaml.NodeEvent):
            reading.count(1, line)
            _node(reading, event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = reading.stack.pop()
            if done.anchor:
                reading.anchors[done.anchor] = (done.value, reading.nodes - done.start)
            reading.put(done.value, line)


def _node(reading: _Reading, event: Any, line: int) -> None:
    """Take a scalar, an alias, or the start of a list or map."""
    import yaml

    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in reading.anchors:
            raise RuleFileError(line, f"alias {event.anchor!r} stands for nothing before it")
        value, weight = reading.anchors[event.anchor]
        reading.count(weight, line)
        reading.put(value, line)
        return
    tag = getattr(event, "tag", None)
    if tag not in (None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"):
        raise RuleFileError(line, f"YAML tag {tag!r} is not allowed")
    if isinstance(event, yaml.ScalarEvent):
        plain = event.style in (None, "") and tag is None  # libyaml gives "", the Python parser None
        value = scalar(event.value) if plain else event.value
        if event.anchor:
            reading.anchors[event.anchor] = (value, 1)
        path = reading.place(line)
        reading.lines.setdefault(path, line)
        reading.put(value, line, scalar=event.value)
        return
    if len(reading.stack) >= DEPTH_LIMIT:
        raise RuleFileError(line, f"nested deeper than {DEPTH_LIMIT}")
    path = reading.place(line)
    if reading.stack and isinstance(reading.stack[-1].value, dict) and not reading.stack[-1].has_key:
        raise RuleFileError(line, "a key must be plain text")
    reading.lines.setdefault(path, line)
    value = [] if isinstance(event, yaml.SequenceStartEvent) else {}
    reading.stack.append(_Open(value, path, event.anchor, reading.nodes))


def scalar(text: str) -> Any:
    """Give a plain (unquoted) scalar's value."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text):
        return Decimal(text)
    return text


_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,37})")
_FRACTION: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,37})\.[0-9]{1,37}")
