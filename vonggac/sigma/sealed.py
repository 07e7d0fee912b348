"""A cache file: bytes under a key, whole or not at all; what is damaged, foreign or of other code is as if not there.

    8 bytes   VGCACHE and the format's number, 1
    16 bytes  the key: a digest of what the body was made by (code, libraries)
    16 bytes  BLAKE2b of the body
    8 bytes   its length, little-endian
    …         the body

The digest finds damage, not malice: a file that another user owns or may write is not read.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

MAGIC: Final = b"VGCACHE\x01"
SIZE_LIMIT: Final = 256 << 20  # bytes of a body; all public rules make 5 MB
_KEY: Final = 16
_HEAD: Final = len(MAGIC) + _KEY + 16 + 8


def load(path: Path, key: bytes) -> bytes | None:
    """Give the body stored under this key, or None where there is none that can be used."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # not there, a link, not ours to read
        return None
    try:
        with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor, not a path
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o022:
                return None
            if not _HEAD <= about.st_size <= _HEAD + SIZE_LIMIT:
                return None
            data = file.read(_HEAD + SIZE_LIMIT)
    except OSError:  # a disk's error: the cache is made anew
        return None
    body = data[_HEAD:]
    return body if data[:_HEAD] == _head(key, body) else None


def store(path: Path, key: bytes, body: bytes) -> None:
    """Put a body in place by one rename, readable to its owner alone; raises OSError, ValueError for one too large."""
    if len(body) > SIZE_LIMIT:
        msg = f"{len(body):,} bytes are above the limit of {SIZE_LIMIT:,}"
        raise ValueError(msg)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
    new = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(_head(key, body))
            file.write(body)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)  # nothing half-written
        raise


def _head(key: bytes, body: bytes) -> bytes:
    if len(key) != _KEY:
        msg = f"a key has {_KEY} bytes"
        raise ValueError(msg)
    return b"".join((MAGIC, key, hashlib.blake2b(body, digest_size=16).digest(), len(body).to_bytes(8, "little")))
