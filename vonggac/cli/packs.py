"""Which rule packs a run uses: our own, those that `rules add` keeps, those that a person names."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vonggac.ports import RuleSource

BUILTIN: Final = "vonggac"
_ARCHIVES: Final = (".zip", ".tar.gz", ".tgz")


def active(data: Path, chosen: Sequence[str], *, builtin: bool, only: bool) -> list[RuleSource]:
    """List the packs: our own unless `builtin` is off, the chosen (names or paths), and, unless `only`, the added ones.

    Raises ValueError naming a pack that is neither added nor a path; OSError when a folder cannot be read.
    """
    from vonggac.sigma import packs

    added = {pack.name: pack.root for pack in packs.listed(data)}
    found: dict[str, Path] = {}
    if builtin:
        found[BUILTIN] = Path(str(importlib.resources.files("rules")))
    for one in chosen:
        if one in added:
            found[one] = added[one]
        else:
            found |= _of_path(Path(one), data, sorted(added))
    return [RuleSource(name, root) for name, root in ({} if only else added | {}).items() if name not in found] + [
        RuleSource(name, root) for name, root in found.items()
    ]


def _of_path(path: Path, data: Path, added: Sequence[str]) -> dict[str, Path]:
    """Give the packs at a path: a rule file, a folder of rules with the archives in it, or an archive."""
    from vonggac.sigma import packs

    if not path.exists():
        known = ", ".join([BUILTIN, *added])
        msg = f"no rule pack {str(path)!r}: neither a path nor an added pack; known: {known}"
        raise ValueError(msg)
    if path.is_file() and path.name.endswith(_ARCHIVES):
        return {_name(path): packs.unpacked(path, data / "cache")}
    found = {_name(path): path.absolute()}
    if path.is_dir():
        inside = (one for one in sorted(path.rglob("*")) if one.name.endswith(_ARCHIVES) and one.is_file())
        found |= {_name(one): packs.unpacked(one, data / "cache") for one in inside}
    return found


def _name(path: Path) -> str:
    name = path.absolute().name
    for suffix in (*_ARCHIVES, ".yml", ".yaml", ".yar"):
        name = name.removesuffix(suffix)
    return name
