"""Says whether a file of the embedded store is still what was saved."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any

from connectors._parquet import quoted


def digest_of(path: Path) -> str:
    """Give the SHA-256 of a file; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damage(path: Path, size: int, digest: str) -> str:
    """Say what is wrong with a file that had this size and digest ("": not known); "" when nothing is.

    Raises OSError when that cannot be told: no right to read it, too many open files.
    """
    try:
        found = path.stat().st_size
        if found != size:
            return f"{found} bytes long, not {size}"
        if digest and digest_of(path) != digest:
            return "other bytes than were saved: its SHA-256 differs"
    except FileNotFoundError:
        return "not there"
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return f"the disk cannot read it: {error.strerror}"
    return ""


def read_whole(con: Any, path: Path) -> None:
    """Read every value of a file; raises duckdb.Error."""
    con.execute(f"SELECT max(hash(one)) FROM read_parquet({quoted(path)}) AS one").fetchall()  # noqa: S608 (ours)
