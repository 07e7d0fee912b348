"""Which rule packs a run uses: our own, those that `rules add` keeps, those that a person names."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Final

from vonggac.ports import RuleSource
from vonggac.sigma import packs
from vonggac.sigma.packs import BUILTIN

_ENDING: Final = re.compile(r"\.(?:zip|tar\.gz|tgz|ya?ml|yara?)$", re.IGNORECASE)


def active(data: Path, chosen: Sequence[str], *, builtin: bool, only: bool) -> list[RuleSource]:
    """List the packs: our own unless `builtin` is off, the chosen (names or paths), and, unless `only`, the added ones.

    Raises ValueError naming a pack that is neither added nor a path; OSError when a folder cannot be read.
    """
    added = {pack.name: pack.root for pack in packs.listed(data)}
    found: dict[str, Path] = {}
    if builtin:
        found[BUILTIN] = Path(str(importlib.resources.files("rules")))
    for one in chosen:
        if one in added:
            found[one] = added[one]
            continue
        for name, root in _of_path(Path(one), data, sorted(added)):
            if root not in found.values():
                found[_free(name, {*found, *added})] = root
    rest = {} if only else {name: root for name, root in added.items() if name not in found}
    return [RuleSource(name, root) for name, root in (rest | found).items()]


def _free(name: str, taken: Collection[str]) -> str:
    """Give a pack a name of its own: `rules`, `rules-2` … Of two folders of one name neither may hide the other."""
    return next(one for one in chain((name,), (f"{name}-{number}" for number in count(2))) if one not in taken)


def _of_path(path: Path, data: Path, added: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield name and root of the packs at a path: a rule file, an archive, a folder and the archives in it."""
    if not path.exists():
        known = ", ".join([BUILTIN, *added])
        msg = f"no rule pack {str(path)!r}: neither a path nor an added pack; known: {known}"
        raise ValueError(msg)
    if path.is_file() and packs.is_archive(path):
        yield _name(path), packs.unpacked(path, data / "cache")
        return
    if not path.is_dir() and not _ENDING.search(path.name):
        msg = f"{str(path)!r} is no rule file or pack: their names end in .yml .yaml .yar .yara .zip .tar.gz .tgz"
        raise ValueError(msg)
    yield _name(path), path.absolute()
    if path.is_dir():
        for one in sorted(path.rglob("*")):
            if packs.is_archive(one) and one.is_file():
                yield _name(one), packs.unpacked(one, data / "cache")


def _name(path: Path) -> str:
    name = path.absolute().name
    return name[: match.start()] if (match := _ENDING.search(name)) else name
