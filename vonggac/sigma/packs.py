"""Rule packs from elsewhere: kept under the data folder with origin, digest and licence; nobody's rules are ours.

    <data>/packs/<name>/            the pack's files, as they came
    <data>/packs/<name>/pack.json   {"format": 1, "name", "origin", "digest", "licence", "added", "files", "skipped"}

A pack appears and disappears by one rename: half a pack is never seen.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from vonggac.event import digest
from vonggac.sigma._unpack import ARCHIVES, MEMBER_LIMIT, copy_folder, unpack

FORMAT: Final = 1
BUILTIN: Final = "vonggac"  # the name of the rules that come with the program
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RECORD: Final = "pack.json"


class PackError(ValueError):
    """A pack that cannot be added, found or removed; the message names it and what would be right."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack in place."""

    name: str
    root: Path
    origin: str  # the file name or folder it came from
    digest: str  # of the names and bytes of its files
    licence: str  # its name, else the first line of the licence file, or ""
    added: str  # ISO 8601, UTC
    files: int
    skipped: tuple[str, ...] = ()  # links and the like that were left out


def listed(data: Path) -> list[Pack]:
    """List the packs in place, by name; raises OSError, and PackError for one whose record is damaged."""
    folder = data / "packs"
    if not folder.is_dir():
        return []
    return [_pack(one) for one in sorted(folder.iterdir()) if one.is_dir() and not one.name.startswith(".")]


def add(source: Path, data: Path, name: str | None = None, *, replace: bool = False) -> Pack:
    """Take a pack from a folder, .zip or .tar.gz; raises PackError, OSError.

    1. copy or unpack into a hidden folder beside the packs, within limits;
    2. write the record;
    3. rename it into place.
    """
    name = name or _name_of(source)
    if not _NAME.fullmatch(name):
        msg = f"{name!r} is no pack name: small letters, digits, `.`, `_` and `-`, at most 64"
        raise PackError(msg)
    if name == BUILTIN:
        msg = f"{BUILTIN!r} is our own pack; give this one another name with --name"
        raise PackError(msg)
    folder = data / "packs"
    target = folder / name
    if target.exists() and not replace:
        msg = f"pack {name!r} is there already; `rules remove {name}` first, or add it with --replace"
        raise PackError(msg)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".adding-", dir=folder))
    try:
        new = work / "new"
        skipped = _take(source, new)  # 1.
        files = sum(1 for _ in _files(new))
        if not files:
            msg = f"{source}: no files in it"
            raise PackError(msg)
        record = {
            "format": FORMAT,
            "name": name,
            "origin": source.name or str(source),
            "digest": digest_of(new),
            "licence": _licence(new),
            "added": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": files,
            "skipped": skipped,
        }
        (new / _RECORD).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))  # 2.
        if target.exists():
            target.rename(work / "old")
        new.rename(target)  # 3.
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _pack(target)


def remove(name: str, data: Path) -> None:
    """Take a pack out of use and delete it; raises PackError when there is none, OSError."""
    target = data / "packs" / name
    if not _NAME.fullmatch(name) or not target.is_dir():
        known = ", ".join(pack.name for pack in listed(data)) or "none"
        msg = f"no pack named {name!r}; added packs: {known}"
        raise PackError(msg)
    work = Path(tempfile.mkdtemp(prefix=".removing-", dir=target.parent))
    target.rename(work / "old")
    shutil.rmtree(work)


def unpacked(archive: Path, cache: Path) -> Path:
    """Unpack an archive that is used once, into a cache folder named by its bytes; raises PackError, OSError."""
    import hashlib

    with archive.open("rb") as file:
        name = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    target = cache / "packs" / name
    if target.is_dir():
        return target
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        _take(archive, work / "new")
        try:
            (work / "new").rename(target)
        except OSError:
            if not target.is_dir():  # else another process was first
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def is_archive(path: Path) -> bool:
    """Say whether a name is that of an archive that can be a pack."""
    return path.name.lower().endswith(ARCHIVES)


def digest_of(root: Path) -> str:
    """Digest a pack: the names and bytes of its files, without the record."""
    parts: list[str | bytes] = []
    for one in _files(root):
        parts += [one.relative_to(root).as_posix(), digest(one.read_bytes())]
    return digest("pack", *parts)


def _take(source: Path, target: Path) -> list[str]:
    """Copy or unpack; give the names of what was left out."""
    if not source.exists():
        msg = f"{source}: no such file or folder"
        raise PackError(msg)
    if source.is_dir():
        return copy_folder(source, target)
    if not is_archive(source):
        msg = f"{source}: a pack is a folder, {', '.join(ARCHIVES)}"
        raise PackError(msg)
    try:
        return unpack(source, target)
    except ValueError as error:
        msg = f"{source}: {error}"
        raise PackError(msg) from error


def _files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            if (one := Path(folder, name)).relative_to(root).as_posix() != _RECORD:
                yield one


def _pack(root: Path) -> Pack:
    try:
        record: Any = orjson.loads((root / _RECORD).read_bytes())
        if record["format"] > FORMAT:
            msg = f"pack {root.name!r}: its record has format {record['format']}, this version reads {FORMAT}"
            raise PackError(msg)
        return Pack(
            name=root.name,
            root=root,
            origin=str(record["origin"]),
            digest=str(record["digest"]),
            licence=str(record["licence"]),
            added=str(record["added"]),
            files=int(record["files"]),
            skipped=tuple(map(str, record["skipped"])),
        )
    except (OSError, KeyError, TypeError, orjson.JSONDecodeError) as error:
        msg = f"pack {root.name!r}: its {_RECORD} cannot be read; `rules remove {root.name}` and add it again"
        raise PackError(msg) from error


def _licence(root: Path) -> str:
    """Name the licence by its file, at the top or one folder down (archives wrap their content)."""
    for one in sorted([*root.glob("LICEN[CS]E*"), *root.glob("*/LICEN[CS]E*")], key=lambda path: len(path.parts)):
        if one.is_file() and one.stat().st_size <= MEMBER_LIMIT:
            text = one.read_text("utf-8", "replace")
            if known := next((short for words, short in _LICENCES.items() if words in text[:8192]), None):
                return known
            lines = text.splitlines()
            return next((text[:120] for line in lines if (text := line.strip("# \t"))), "")
    return ""


def _name_of(source: Path) -> str:
    name = source.resolve().name.lower() if source.is_dir() else source.name.lower()
    for suffix in ARCHIVES:
        name = name.removesuffix(suffix)
    return re.sub(r"[^a-z0-9._-]+", "-", name).strip("-._")[:64]


_LICENCES: Final = {
    "Detection Rule License": "DRL",
    "Apache License": "Apache-2.0",
    "MIT License": "MIT",
    "GNU LESSER GENERAL PUBLIC LICENSE": "LGPL",
    "GNU GENERAL PUBLIC LICENSE": "GPL",
    "Creative Commons Attribution-NonCommercial": "CC-BY-NC",
    "BSD 3-Clause": "BSD-3-Clause",
}
