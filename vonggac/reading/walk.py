"""From what a person names to inputs: folders walked in a fixed order, archives opened, oddities named."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import BinaryIO, Final, cast

from vonggac.event import Bad
from vonggac.ports import Source
from vonggac.reading import source as sources
from vonggac.reading.source import READ_ERRORS, Allowance, BombError, Limits

_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
#: zip files that are documents or programs: YARA looks at them whole
_NOT_ARCHIVES: Final = (".docx", ".xlsx", ".pptx", ".jar", ".war", ".apk", ".odt", ".ods", ".whl", ".epub")


def files(paths: Iterable[str]) -> Iterator[str | Bad]:
    """Yield the files under each path, sorted within a folder, links followed; what is no file comes as a `Bad`.

    A file reached twice (a link, a path named twice) is yielded once.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        yield from _files(os.fspath(path), seen, frozenset())


def _files(path: str, seen: set[tuple[int, int]], above: frozenset[tuple[int, int]]) -> Iterator[str | Bad]:
    try:
        status = os.stat(path)  # noqa: PTH116  one call for kind and identity
    except OSError as error:
        reason = error.strerror or str(error)
        yield Bad(sources.display(path), "", f"dangling link: {reason}" if os.path.islink(path) else reason)  # noqa: PTH114
        return
    identity = (status.st_dev, status.st_ino)
    if stat.S_ISREG(status.st_mode):
        if identity not in seen:
            seen.add(identity)
            yield path
    elif not stat.S_ISDIR(status.st_mode):
        yield Bad(sources.display(path), "", f"is a {sources.kind_of(status.st_mode)}, not a file")
    elif identity in above:
        yield Bad(sources.display(path), "", "link loop: it leads back to a folder above it")
    elif identity not in seen:
        seen.add(identity)
        try:
            names = sorted(os.listdir(path))  # noqa: PTH208  names, not Paths: they may be any bytes
        except OSError as error:
            yield Bad(sources.display(path), "", error.strerror or str(error))
            return
        for name in names:
            if name != "__MACOSX":
                yield from _files(os.path.join(path, name), seen, above | {identity})  # noqa: PTH118


def inputs(path: str, limits: Limits, stop: int | None = None) -> Iterator[Source | Bad]:
    """Yield the inputs of one file: itself, or each member of an archive, archives inside opened too.

    `stop` ends a plain file early (`vonggac.reading.source.plain`).
    """
    try:
        yield from _opened(sources.plain(path, limits, stop), limits, limits.depth)
    except READ_ERRORS as error:
        yield Bad(sources.display(path), "", reason_of(error))


def _opened(source: Source, limits: Limits, depth: int) -> Iterator[Source | Bad]:
    name, head = source.head.name, source.head.data
    archive = None
    if head.startswith((_ZIP, _EMPTY_ZIP)) and not name.endswith(_NOT_ARCHIVES):
        archive = _zip
    elif head[257:262] == b"ustar":
        archive = _tar
    if archive is None:
        yield source
    elif depth == 0:
        yield Bad(source.path, "", f"archive inside {limits.depth} archives: not opened")
    else:
        for found in archive(source, limits):
            if isinstance(found, Bad):
                yield found
                continue
            try:
                yield from _opened(found, limits, depth - 1)
            except READ_ERRORS as error:
                yield Bad(found.path, "", reason_of(error))


def _zip(source: Source, limits: Limits) -> Iterator[Source | Bad]:
    with source.seekable() as file, zipfile.ZipFile(file) as archive:
        allowance = _allowance(source, limits)
        for count, info in enumerate(archive.infolist()):
            path = f"{source.path}!{info.filename}"
            if info.is_dir() or _ignored(info.filename):
                continue
            if problem := _unfit(info.filename, count, limits):
                yield Bad(path, "", problem)
                continue
            if info.flag_bits & 1:
                yield Bad(path, "", "member is encrypted: unpack it with its password first")
                continue
            try:
                with sources.spool(allowance.bounded(archive.open(info))) as spooled:
                    yield sources.member(path, spooled, _zip_time(info), limits)
            except BombError:
                raise
            except (*READ_ERRORS, NotImplementedError) as error:
                yield Bad(path, "", reason_of(error))


def _tar(source: Source, limits: Limits) -> Iterator[Source | Bad]:
    stream = _allowance(source, limits).bounded(source.open())
    with stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for count, info in enumerate(archive):
            path = f"{source.path}!{info.name}"
            if info.isdir() or _ignored(info.name):
                continue
            if problem := _unfit(info.name, count, limits):
                yield Bad(path, "", problem)
                continue
            content = archive.extractfile(info) if info.isreg() else None
            if content is None:
                yield Bad(path, "", "member is a link or a device, not a file")
                continue
            try:
                modified = datetime.fromtimestamp(info.mtime, UTC)
            except (OverflowError, OSError, ValueError):
                modified = source.modified
            with sources.spool(cast(BinaryIO, content)) as spooled:
                yield sources.member(path, spooled, modified, limits)


def _allowance(source: Source, limits: Limits) -> Allowance:
    return Allowance(source.size or len(source.head.data), limits, "archive")


def _unfit(name: str, count: int, limits: Limits) -> str | None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith("/"):
        return "member climbs out of the archive's folder: not read"
    if count >= limits.members:
        return f"member number {count + 1:,}: an archive is read up to {limits.members:,}"
    return None


def _ignored(name: str) -> bool:
    return name.startswith("__MACOSX/") or "/__MACOSX/" in name


def _zip_time(info: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:  # a zip may say month 0
        return datetime(1980, 1, 1, tzinfo=UTC)


def reason_of(error: BaseException) -> str:
    """Give an error as the reason people read: its text, or its kind where it has none."""
    text = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__
