"""The file name is the registration: which names stand on a shelf, and the module of a name."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import cast

from vonggac.ports import CollectorModule, DetectorModule


@cache
def names(shelf: str) -> tuple[str, ...]:
    """List what stands on a shelf ("collectors", "detectors" …), sorted; `_private` files are not things."""
    found = pkgutil.iter_modules(importlib.import_module(shelf).__path__)
    return tuple(sorted(one.name for one in found if not one.name.startswith("_")))


def collector(name: str) -> CollectorModule:
    """Load a collector by name; raises ValueError naming the known ones."""
    return cast(CollectorModule, _load("collectors", name))


def detector(name: str) -> DetectorModule:
    """Load a detector by name; raises ValueError naming the known ones."""
    return cast(DetectorModule, _load("detectors", name))


def _load(shelf: str, name: str) -> object:
    if name not in names(shelf):
        msg = f"no {shelf[:-1]} named {name!r}; known: {', '.join(names(shelf))}"
        raise ValueError(msg)
    return importlib.import_module(f"{shelf}.{name}")
