"""From what a person names to inputs: folders walked in a fixed order, archives opened, oddities named."""

from __future__ import annotations

import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Final, Self, cast

from vonggac.event import Bad
from vonggac.ports import Source
from vonggac.reading import source as sources
from vonggac.reading.source import COMPRESSED, READ_ERRORS, Allowance, BombError, Limits

_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
#: what zipfile and tarfile raise on damage besides READ_ERRORS: a negative seek, a short header, an unknown method
_ODDITIES: Final = (ValueError, LookupError, ArithmeticError, struct.error, RuntimeError)
_NO_HEADER: Final = (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError)  # type: ignore[attr-defined]  # not in the stub
_DIRECTORY: Final = 16 << 20  # bytes of a zip's directory, which zipfile holds in memory some ten times over
#: zip files that are documents or programs: YARA looks at them whole
_NOT_ARCHIVES: Final = (".docx", ".xlsx", ".pptx", ".jar", ".war", ".apk", ".odt", ".ods", ".whl", ".epub")


def files(paths: Iterable[str]) -> Iterator[str | Bad]:
    """Yield the files under each path, sorted within a folder, links followed; what is no file comes as a `Bad`.

    A file reached twice (a link, a path named twice) is yielded once.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        yield from _files(os.fspath(path), seen)


def _files(top: str, seen: set[tuple[int, int]]) -> Iterator[str | Bad]:
    """Walk without recursion: folders may lie deeper in each other than Python calls may."""
    above: list[tuple[int, int]] = []  # the folders that are open
    todo: list[Iterator[str]] = [iter([top])]  # what is left of each, and before them `top` itself
    while todo:
        path = next(todo[-1], None)
        if path is None:
            todo.pop()
            del above[-1:]
            continue
        try:
            status = os.stat(path)  # noqa: PTH116  one call for kind and identity
        except OSError as error:
            reason = error.strerror or str(error)
            yield Bad(sources.display(path), "", f"dangling link: {reason}" if os.path.islink(path) else reason)  # noqa: PTH114
            continue
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
                continue
            above.append(identity)
            todo.append(iter([os.path.join(path, name) for name in names if name != "__MACOSX"]))  # noqa: PTH118


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
    if head.startswith(COMPRESSED) and depth:  # what was compressed twice
        with sources.spool(source.open()) as spooled:
            yield from _opened(sources.member(source.path, spooled, source.modified, limits), limits, depth - 1)
        return
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


_CLIMBS: Final = "member climbs out of the archive's folder: not read"


def _zip(source: Source, limits: Limits) -> Iterator[Source | Bad]:
    with source.seekable() as file, _zip_of(file) as archive:
        allowance = _allowance(source, limits)
        for count, info in enumerate(archive.infolist()):
            path = f"{source.path}!{info.filename}"
            if info.filename.endswith("/") or _ignored(info.filename):
                continue
            if count >= limits.members:
                yield Bad(path, "", _too_many(limits))
                return
            if _climbs(info.filename):
                yield Bad(path, "", _CLIMBS)
                continue
            if info.flag_bits & 1:
                yield Bad(path, "", "member is encrypted: unpack it with its password first")
                continue
            try:
                with _unzipped(archive, info, allowance) as spooled:
                    yield sources.member(path, spooled, _zip_time(info), limits)
            except BombError:
                raise
            except READ_ERRORS as error:
                yield Bad(path, "", reason_of(error))


def _zip_of(file: BinaryIO) -> zipfile.ZipFile:
    """Open a zip whose directory is of a size to hold; raises READ_ERRORS alone."""
    try:
        return zipfile.ZipFile(cast(IO[bytes], _Sparing(file)))
    except _ODDITIES as error:
        raise _damaged(error) from error


class _Sparing:
    """The file as zipfile sees it: its directory is the one thing that it reads whole, whatever its size."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > _DIRECTORY:
            raise BombError(f"zip directory of {size:,} bytes: read up to {_DIRECTORY:,}")  # noqa: EM102
        return self._file.read(size)


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, allowance: Allowance) -> BinaryIO:
    """Spool a member; raises READ_ERRORS alone."""
    try:
        return sources.spool(allowance.bounded(archive.open(info)))
    except _ODDITIES as error:
        raise _damaged(error) from error


def _tar(source: Source, limits: Limits) -> Iterator[Source | Bad]:
    stream = _allowance(source, limits).bounded(source.open())
    contents = _allowance(source, limits)  # a sparse member's holes are no bytes of the stream
    with stream, tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive:
        for count, info in enumerate(_tar_members(archive)):
            path = f"{source.path}!{info.name}"
            if info.isdir() or _ignored(info.name):
                continue
            if count >= limits.members:
                yield Bad(path, "", _too_many(limits))
                return
            if _climbs(info.name):
                yield Bad(path, "", _CLIMBS)
                continue
            content = archive.extractfile(info) if info.isreg() else None
            if content is None:
                yield Bad(path, "", "member is a link or a device, not a file")
                continue
            try:
                modified = datetime.fromtimestamp(info.mtime, UTC)
            except (OverflowError, OSError, ValueError):
                modified = source.modified
            with sources.spool(contents.bounded(content)) as spooled:
                yield sources.member(path, spooled, modified, limits)


class _Member(tarfile.TarInfo):
    """A header whose damage is said: tarfile takes any but the first for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except _NO_HEADER as error:
            raise _damaged(error) from error


def _tar_members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members; raises READ_ERRORS alone."""
    while True:
        try:
            info = archive.next()
        except _ODDITIES as error:
            raise _damaged(error) from error
        if info is None:
            return
        archive.members.clear()  # type: ignore[attr-defined]  # not in the stub; what is read is not asked for again
        yield info


def _damaged(error: Exception) -> OSError:
    return OSError(f"damaged archive: {error or type(error).__name__}")


def _allowance(source: Source, limits: Limits) -> Allowance:
    return Allowance(source.size or len(source.head.data), limits, "archive")


def _climbs(name: str) -> bool:
    return ".." in PurePosixPath(name.replace("\\", "/")).parts or name.startswith("/")


def _too_many(limits: Limits) -> str:
    return f"it and what follows are not read: an archive is read up to {limits.members:,} members"


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
    return text.splitlines()[0][:300] if text else type(error).__name__
