"""Backups of the embedded state while the service runs: a folder of plain files with a manifest of their digests.

What refers is copied before what it refers to, so that restored positions only fall back, and a replay is harmless:

1. the store: a snapshot of its catalogue, then the files that it names (they never change: hard links where possible);
2. source health, units, packs, files that wait to be looked at or stored;
3. the log: journals of readers before those that they read, the collectors' last.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from connectors._catalogue import Catalogue
from connectors._journal import Journal, journals
from connectors._segment import name_of, numbers
from connectors._sound import digest_of
from connectors._sqlite import sqlite

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
#: beside store and log: databases, files, folders of the state
_DATABASES: Final = ("health.sqlite",)
_FILES: Final = ("units.json",)
_FOLDERS: Final = ("packs", "examine", "inbox/.spool")
#: journals in the order of copying: who reads the others stands first
_LAST: Final = {"detect": 1, "collect": 2}
_TRIES: Final = 3
_CHUNK: Final = 1 << 20

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Account:
    """What a backup holds."""

    files: int
    bytes: int
    rows: int  # events, alerts and dead records in the store


class Manifest(msgspec.Struct, frozen=True):
    """`manifest.json`."""

    format: int
    version: str  # of the program that made it
    created: str
    rows: int
    files: tuple[tuple[str, int, str], ...]  # path, bytes, SHA-256


class Spoiled(ValueError):
    """A backup that is not whole: the message names the file and what is wrong with it."""


def backup(data: Path, target: Path, created: str, version: str, progress: Progress) -> Account:
    """Copy the state under `data` into the new folder `target`; raises OSError, FileExistsError when it is not empty.

    `manifest.json` is written last: a folder without one is no backup.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(target.iterdir()):
        msg = "is not empty: a backup goes into a folder of its own"
        raise FileExistsError(0, msg, str(target))
    rows = _store(data / "store", target / "store", progress) if (data / "store" / "catalogue.sqlite").exists() else 0
    for name in _DATABASES:
        if (data / name).exists():
            _database(data / name, target / name)
    for name in _FILES:
        if (data / name).exists():
            _copied(data / name, target / name)
    for name in _FOLDERS:
        _folder(data / name, target / name)
    if (data / "log").is_dir():
        for journal in sorted(journals(data / "log"), key=lambda one: (_LAST.get(one.group, 0), one.name)):
            progress(f"log/{journal.name}")
            _journal(journal, target / "log" / journal.name)
    files: list[tuple[str, int, str]] = []
    for path in sorted(target.rglob("*")):
        if path.is_file():
            progress(str(path.relative_to(target)))
            files.append((str(path.relative_to(target)), path.stat().st_size, digest_of(path)))
    manifest = Manifest(FORMAT, version, created, rows, tuple(files))
    _written(target / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return Account(len(files), sum(size for _, size, _ in files), rows)


def restore(source: Path, data: Path, progress: Progress) -> Account:
    """Bring a backup's state to `data`, which has none; every file is checked against the manifest on the way.

    Raises Spoiled, FileExistsError when `data` has state already, OSError. Nothing stands in its place before all is
    there.
    """
    manifest = read_manifest(source)
    for name in state_of(data):
        msg = "there is state already: restore into a new folder, or move the old state away"
        raise FileExistsError(0, msg, str(data / name))
    new = data / ".restoring"
    shutil.rmtree(new, ignore_errors=True)
    for name, size, digest in manifest.files:
        path = source / name
        if (new / name).resolve().parts[: len(new.resolve().parts)] != new.resolve().parts:
            msg = f"{source / MANIFEST}: {name!r} lies outside the backup"
            raise Spoiled(msg)
        progress(name)
        try:
            found = _copied(path, new / name)
        except FileNotFoundError as error:
            msg = f"{path}: is missing"
            raise Spoiled(msg) from error
        if found != digest:
            msg = f"{path}: is not the file that was backed up ({size} bytes, SHA-256 {digest[:12]}…)"
            raise Spoiled(msg)
    if (new / "store" / "catalogue.sqlite").exists() and sqlite.sqlite_version_info >= (3, 51, 3):
        with closing(sqlite.connect(new / "store" / "catalogue.sqlite")) as db:
            db.execute("PRAGMA journal_mode=WAL")  # as the store makes it: who reads stops nobody who writes
    for top in sorted(one.name for one in new.iterdir()) if new.is_dir() else ():
        if top == "inbox":
            (data / "inbox").mkdir(exist_ok=True, mode=0o750)
            (new / "inbox" / ".spool").rename(data / "inbox" / ".spool")
        else:
            (new / top).rename(data / top)
    shutil.rmtree(new, ignore_errors=True)
    return Account(len(manifest.files), sum(size for _, size, _ in manifest.files), manifest.rows)


def read_manifest(source: Path) -> Manifest:
    """Read a backup's manifest; raises Spoiled when there is none that this version can read."""
    path = source / MANIFEST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        msg = f"{path}: is not there: {source} is no backup, or one that was not finished"
        raise Spoiled(msg) from error
    except ValueError as error:
        msg = f"{path}: {error}"
        raise Spoiled(msg) from error
    if found.format > FORMAT:
        msg = f"{path}: format {found.format} of {found.version}; this version reads up to {FORMAT}"
        raise Spoiled(msg)
    return found


def state_of(data: Path) -> Iterator[str]:
    """Name what there is of a state."""
    for name in ("store", "log", *_DATABASES, *_FILES, "packs", "inbox/.spool"):
        path = data / name
        if (path.is_dir() and any(path.iterdir())) or path.is_file():
            yield name


def _store(root: Path, target: Path, progress: Progress) -> int:
    """Copy the catalogue, then its files. One that has been swept meanwhile asks for a newer catalogue."""
    for attempt in range(_TRIES):
        _database(root / "catalogue.sqlite", target / "catalogue.sqlite")
        catalogue = Catalogue(target / "catalogue.sqlite")
        pieces = catalogue.live()
        _, blobs = catalogue.known()
        try:
            for piece in pieces:
                progress(f"store/events/{piece.name}")
                _linked(root / "events" / piece.name, target / "events" / piece.name)
            for sha in sorted(blobs):
                if (root / "blobs" / sha).exists():
                    _linked(root / "blobs" / sha, target / "blobs" / sha)
        except FileNotFoundError:
            if attempt == _TRIES - 1:
                raise
            continue
        return sum(piece.rows for piece in pieces)
    raise AssertionError


def _journal(journal: Journal, target: Path) -> None:
    """Copy one journal: its end under its lock, so between two commits; then the finished segments, newest first."""
    target.mkdir(parents=True, mode=0o700)
    with (journal.folder / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = numbers(journal.folder)
        for name in ("journal.json", "owner", "head"):
            with contextlib.suppress(FileNotFoundError):
                _copied(journal.folder / name, target / name)
        if found:
            _copied(journal.folder / name_of(found[-1]), target / name_of(found[-1]))
    for number in reversed(found[:-1]):
        try:
            _linked(journal.folder / name_of(number), target / name_of(number))
        except FileNotFoundError:
            break  # retention: the older ones are gone too
    _written(target / "lock", b"")


def _database(path: Path, target: Path) -> None:
    """Copy a SQLite file as it stands between two transactions."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.unlink(missing_ok=True)
    try:
        with closing(sqlite.connect(path, timeout=30)) as source, closing(sqlite.connect(target)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    except sqlite.Error as error:
        raise OSError(0, f"cannot be copied: {error}", str(path)) from error
    _synced(target)


def _folder(folder: Path, target: Path) -> None:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            with contextlib.suppress(FileNotFoundError):  # read and put away meanwhile
                _copied(path, target / path.relative_to(folder))


def _linked(path: Path, target: Path) -> None:
    """Put a file that never changes into the backup: the same file where the disk is the same, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if target.exists():
        return
    try:
        os.link(path, target)
    except FileNotFoundError:
        raise
    except OSError:
        _copied(path, target)


def _copied(path: Path, target: Path) -> str:
    """Copy a file, synced; give the SHA-256 of what was copied."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    seen = hashlib.sha256()
    new = target.with_name(f"{target.name}.new")
    with path.open("rb") as source, new.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            seen.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    new.chmod(path.stat().st_mode & 0o777)
    new.replace(target)
    return seen.hexdigest()


def _written(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _synced(path)


def _synced(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
