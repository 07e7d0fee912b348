"""The fast way from a record to the values of its columns: one pass that takes only what is quite in order.

`row_of` is the rule. What is taken here has the same row; what is not (a value of another type than its column, a key
with a dot, what is no event) is left to it. So that a name without a column does not count as odd each time it comes,
such names are remembered from the records that were left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec

from connectors._parquet import COLUMNS, LARGE

Values = tuple[Any, ...]


class Shape:
    """Takes records apart whose names it knows. Not for several threads."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], set[str]] = {}
        self._count = 0
        self._changed = False
        self.decode, self.values = self._made()

    def learn(self, doc: Mapping[str, Any]) -> None:
        """Remember the names in a document that have no column; `refresh` makes use of them."""
        self._walk(doc, _TREE, ())

    def refresh(self) -> None:
        """Know what was learnt from now on. Takes some ms, so not for every record."""
        if self._changed:
            self._changed = False
            self.decode, self.values = self._made()

    def _walk(self, doc: Mapping[str, Any], tree: Mapping[str, Any], path: tuple[str, ...]) -> None:
        for key, value in doc.items():
            inner = tree.get(key)
            if inner is None:
                if _NAME.fullmatch(key) and key not in self._names.get(path, ()):
                    if self._count >= _NAMES:  # somebody makes them up: begin anew
                        self._names, self._count = {}, 0
                    self._names.setdefault(path, set()).add(key)
                    self._count += 1
                    self._changed = True
            elif isinstance(inner, dict) and isinstance(value, dict):
                self._walk(value, inner, (*path, key))

    def _made(self) -> tuple[Callable[[bytes], Any], Callable[[Any], Values]]:
        """Give the decoder, which raises ValueError for the odd, and what takes `FIELDS` from its result."""
        return msgspec.json.Decoder(self._struct(_TREE, ())).decode, attrgetter(*map(_attribute, FIELDS))

    def _struct(self, tree: Mapping[str, Any], path: tuple[str, ...]) -> type[msgspec.Struct]:
        fields: list[Any] = []
        names: dict[str, str] = {}
        for n, (key, inner) in enumerate(tree.items()):
            names[f"f{n}"] = key
            if isinstance(inner, dict):
                kind = self._struct(inner, (*path, key))
                fields.append((f"f{n}", kind, kind()))
            else:
                fields.append((f"f{n}", inner, None))
        for n, key in enumerate(sorted(self._names.get(path, ()))):
            names[f"x{n}"] = key
            fields.append((f"x{n}", msgspec.Raw, msgspec.Raw()))
        # gc=False: no cycles, and a save makes some 10 an event
        return msgspec.defstruct("Node", fields, rename=names, forbid_unknown_fields=True, frozen=True, gc=False)


def _attribute(field: str) -> str:
    """Give where the structs have a field: `f1.f3`."""
    node: Any = _TREE
    steps = []
    for name in field.split("."):
        steps.append(f"f{list(node).index(name)}")
        node = node[name]
    return ".".join(steps)


# -------------------------------------------------------------------- tables

_NAMES: Final = 2_000
_NAME: Final = re.compile(r'[^\x00-\x1f"\\.]{1,64}')  # a key with a dot is odd; the rest msgspec does not take
_TEXT: Final = str | None
_NUMBER: Final = Annotated[int, msgspec.Meta(gt=-LARGE, lt=LARGE)] | None

#: what `Shape.values` gives, in order
FIELDS: Final = (*COLUMNS, "vonggac.unit", "@timestamp")


def _tree() -> dict[str, Any]:
    root: dict[str, Any] = {}
    for field in FIELDS:
        *path, last = field.split(".")
        node = root
        for name in path:
            node = node.setdefault(name, {})
        node[last] = _NUMBER if COLUMNS.get(field) is int else _TEXT
    return root


_TREE: Final = _tree()
