"""SQLite for the embedded state: the newest there is, since Debian's own may lose a transaction in WAL mode."""

from __future__ import annotations

import sqlite3

try:
    from pysqlite3 import dbapi2 as sqlite
except ImportError:  # no wheel for this platform
    sqlite = sqlite3

__all__ = ["sqlite"]
