"""Archives into a folder, whoever made them: no path out of it, no links, no devices, bounded size, count and ratio."""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, cast

ARCHIVES: Final = (".zip", ".tar.gz", ".tgz")
MEMBER_LIMIT: Final = 16 << 20  # bytes a file
TOTAL_LIMIT: Final = 512 << 20  # bytes a pack
COUNT_LIMIT: Final = 100_000  # files a pack
RATIO_LIMIT: Final = 200  # unpacked bytes per byte of the archive, above the first 8 MiB
ARCHIVE_LIMIT: Final = 512 << 20  # bytes of the archive itself
_FREE: Final = 8 << 20
_HEADERS: Final = 64 << 20  # what a tar's own headers may add
_READ_LIMIT: Final = 32 << 20  # bytes asked for at once: a pax header of gigabytes would be read whole
_CHUNK: Final = 1 << 20


def unpack(archive: Path, target: Path) -> list[str]:
    """Unpack a .zip, .tar.gz or .tgz; give the names of the links and special files left out.

    Raises ValueError with the reason, OSError when the disk or the file fails.
    """
    size = archive.stat().st_size
    if size > ARCHIVE_LIMIT:
        msg = f"archive of {size:,} bytes is above the limit of {ARCHIVE_LIMIT:,}"
        raise ValueError(msg)
    budget = _Budget(size)
    target.mkdir(mode=0o700, parents=True)
    skipped: list[str] = []
    members = _zip if archive.name.lower().endswith(".zip") else _tar
    try:
        for name, stream in members(archive, budget.most):
            budget.member(name)
            if stream is None:
                skipped.append(name)
                continue
            place = target.joinpath(*_inside(name))
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with stream, place.open("xb") as file:
                budget.copy(name, stream, file)
    except _DAMAGE as error:
        msg = f"damaged or of a kind that cannot be read: {error}"
        raise ValueError(msg) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        msg = f"two members claim one place: {Path(error.filename).name}"
        raise ValueError(msg) from error
    return skipped


def copy_folder(source: Path, target: Path) -> list[str]:
    """Copy a folder's plain files within the same limits; give the names of what was left out."""
    budget = _Budget(TOTAL_LIMIT)
    skipped: list[str] = []
    waiting = [source]
    while waiting:
        folder = waiting.pop()
        for one in sorted(folder.iterdir()):
            name = one.relative_to(source).as_posix()
            mode = one.lstat().st_mode
            if stat.S_ISDIR(mode):
                if not one.name.startswith("."):  # .git and its kind are no rules
                    waiting.append(one)
                continue
            budget.member(name)
            if not stat.S_ISREG(mode):
                skipped.append(name)
                continue
            place = target / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with one.open("rb") as stream, place.open("xb") as file:
                budget.copy(name, stream, file)
    return skipped


class _Budget:
    """What an archive may still cost; the sizes it claims are not believed, the bytes are counted."""

    def __init__(self, size: int) -> None:
        self.most = min(TOTAL_LIMIT, _FREE + size * RATIO_LIMIT)
        self._total = 0
        self._count = 0

    def member(self, name: str) -> None:
        self._count += 1
        if self._count > COUNT_LIMIT:
            msg = f"more than {COUNT_LIMIT:,} files; stopped at {name!r}"
            raise ValueError(msg)

    def copy(self, name: str, stream: BinaryIO, file: BinaryIO) -> None:
        size = 0
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            self._total += len(chunk)
            if size > MEMBER_LIMIT:
                msg = f"{name!r} is above the limit of {MEMBER_LIMIT:,} bytes"
                raise ValueError(msg)
            if self._total > self.most:
                msg = f"unpacks to more than {self.most:,} bytes; stopped at {name!r}"
                raise ValueError(msg)
            file.write(chunk)


def _inside(name: str) -> tuple[str, ...]:
    """Give the parts of a member's path; raises ValueError when it leaves the folder or is no plain path."""
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    if (
        not parts
        or path.is_absolute()
        or ".." in parts
        or any(bad in name for bad in ("\\", "\0", ":"))
        or any(len(part.encode("utf-8", "surrogateescape")) > 200 for part in parts)
        or len(parts) > 40
    ):
        msg = f"member {name[:200]!r} does not stay inside"
        raise ValueError(msg)
    return tuple(parts)


def _zip(archive: Path, _: int) -> Iterator[tuple[str, BinaryIO | None]]:
    with zipfile.ZipFile(archive) as box:
        for info in box.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or info.filename.startswith("__MACOSX/"):
                continue
            _inside(info.filename)
            if info.flag_bits & 1:
                msg = f"member {info.filename!r} is encrypted"
                raise ValueError(msg)
            plain = kind in (0, stat.S_IFREG)
            yield info.filename, cast(BinaryIO, box.open(info)) if plain else None


def _tar(archive: Path, most: int) -> Iterator[tuple[str, BinaryIO | None]]:
    with (
        gzip.open(archive) as plain,
        tarfile.open(fileobj=cast(BinaryIO, _Bounded(plain, most + _HEADERS)), mode="r:") as box,
    ):
        for info in box:
            if info.isdir():
                continue
            _inside(info.name)
            stream = box.extractfile(info) if info.isreg() else None
            yield info.name, cast("BinaryIO | None", stream)


class _Bounded:
    """A decompressed tar: `read`, `seek` and `tell` for tarfile, up to a limit."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self._stream = stream
        self._most = most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _READ_LIMIT:
            msg = f"a header of {size:,} bytes"
            raise ValueError(msg)
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, place: int) -> int:
        self._check(place)
        return self._stream.seek(place)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, place: int) -> None:
        if place > self._most:
            msg = f"unpacks to more than {self._most:,} bytes"
            raise ValueError(msg)


_DAMAGE: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
)
