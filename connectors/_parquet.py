r"""The embedded store's files: events as rows of typed ECS columns beside the whole record, written by DuckDB.

ts, ingested   event time (else append time) and append time
n              the row's number in the store; id: event.id; unit: vonggac.unit or ""
plain          `raw` is ASCII without \u and \/ escapes: a text can be looked for in it before it is parsed
stray          some value does not fit its column (a list, a number for a text): look into `raw` instead
schema         number of this set of columns
<COLUMNS>      event_code, host_name, …; raw: the record as it came
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import zstandard

from vonggac.query import time_of
from vonggac.shorten import shortened

SCHEMA: Final = 1
MAX_RAW: Final = 1 << 20  # bytes of a record that stands in `raw` as a whole
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Give µs since 1970, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def moment(us: int) -> datetime:
    """Give the moment of µs since 1970."""
    return EPOCH + us * _MICROSECOND


def row_of(record: bytes, appended: int, n: int) -> tuple[dict[str, Any], bytes | None]:
    """Give an event's row, and the record itself when it is too large for it; raises ValueError for no event."""
    doc = orjson.loads(record)
    if not isinstance(doc, dict):
        msg = "no JSON object"
        raise ValueError(msg)  # noqa: TRY004 (the record's fault, not the caller's)
    row: dict[str, Any] = {}
    fits = _fill(_TABLE, doc, row)
    if not row.get("id"):
        msg = "no event.id"
        raise ValueError(msg)
    own = doc.get("vonggac")
    unit = own.get("unit") if isinstance(own, dict) else None
    blob = None
    raw = record
    if len(record) > MAX_RAW:
        blob = record
        short = shortened(doc)
        short["event"] = {"id": row["id"], **(short["event"] if isinstance(short.get("event"), dict) else {})}
        mine = short.get("vonggac")
        short["vonggac"] = {**(mine if isinstance(mine, dict) else {}), "blob": hashlib.sha256(record).hexdigest()}
        raw = orjson.dumps(short)
        row = {}
        fits = _fill(_TABLE, short, row)
    row["ts"] = micros(time_of(doc, moment(appended)))
    row["ingested"] = appended
    row["n"] = n
    row["unit"] = unit if isinstance(unit, str) else ""
    row["plain"] = raw.isascii() and not _escaped(raw)
    row["stray"] = not fits
    row["raw"] = raw.decode()
    return row, blob


def save_blob(folder: Path, record: bytes, sync: Callable[[int], None]) -> str:
    """Keep a record of any size under its SHA-256, compressed; give the name."""
    sha = hashlib.sha256(record).hexdigest()
    path = folder / sha
    if not path.exists():
        _whole(path, zstandard.compress(record), sync)
    return sha


def write_lines(lines: Iterable[bytes], target: Path) -> None:
    """Write lines of JSON, for `rows_of`."""
    with target.open("wb") as file:
        file.writelines(part for line in lines for part in (line, b"\n"))


def rows_of(source: Path) -> str:
    """Give the SELECT of rows that were written as lines of JSON."""
    types = ", ".join(f"{name}: '{kind}'" for name, kind in _READ.items())
    columns = "make_timestamp(ts) AS ts, make_timestamp(ingested) AS ingested, * EXCLUDE (ts, ingested)"
    options = f"format = 'newline_delimited', maximum_object_size = {_LINE}, columns = {{{types}}}"
    return f"SELECT {columns}, {SCHEMA}::SMALLINT AS schema FROM read_json({quoted(source)}, {options})"  # noqa: S608 (ours)


def copy_files(files: Sequence[Path], con: Any, target: Path, rows: int) -> int:
    """Write the rows of some files into one, `rows` to a row group; give how many."""
    listed = ", ".join(quoted(path) for path in files)
    return copy(con, f"SELECT * FROM read_parquet([{listed}], union_by_name = true)", target, level=3, group=rows)  # noqa: S608 (ours)


def copy(con: Any, select: str, target: Path, *, level: int, group: int) -> int:
    """Write what a SELECT gives, and say how many rows; each thread holds a row group of `group` rows in memory."""
    # also about as large as a processor's cache: who looks through `raw` holds a row group of it a thread, and is a
    # quarter faster over 15 MB of it than over 60
    size = f"ROW_GROUP_SIZE {group}, ROW_GROUP_SIZE_BYTES {_ROW_GROUP}"
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {level}, {size}"
    return int(con.execute(f"COPY ({select}) TO {quoted(target)} ({options})").fetchall()[0][0])


def sync_file(path: Path, sync: Callable[[int], None]) -> None:
    """Bring a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        sync(handle)
    finally:
        os.close(handle)


def quoted(path: Path) -> str:
    """Give a path as an SQL text; where DuckDB takes no parameter."""
    return "'" + str(path).replace("'", "''") + "'"


def _fill(table: Mapping[str, Any], node: Mapping[str, Any], row: dict[str, Any]) -> bool:
    """Put what fits into the row; say whether all did."""
    fits = True
    for key, value in node.items():
        want = table.get(key)
        if want is None:
            if "." in key:
                fits = False
        elif type(want) is dict:
            if type(value) is dict:
                fits = _fill(want, value, row) and fits
            elif value is not None:
                fits = False
        elif type(value) is want[1] and (want[1] is str or -LARGE < value < LARGE):
            row[want[0]] = value
        elif value is not None:
            fits = False
    return fits


def _escaped(raw: bytes) -> bool:
    if b"\\u" not in raw and b"\\/" not in raw:
        return False
    single = raw.replace(b"\\\\", b"")  # C:\\users is no escape
    return b"\\u" in single or b"\\/" in single


def _whole(path: Path, data: bytes, sync: Callable[[int], None]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # two processes may keep the same record
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        sync(file.fileno())
    temporary.replace(path)
    sync_file(path.parent, sync)


# -------------------------------------------------------------------- tables

_ROW_GROUP: Final = 16 << 20  # bytes before compression
_MICROSECOND: Final = timedelta(microseconds=1)
LARGE: Final = 10**15
_LINE: Final = 32 << 20  # of JSON; a record of MAX_RAW may be six times as long in it, and its columns once more

#: the ECS fields with a column of their own: single values, often asked for
COLUMNS: Final[Mapping[str, type]] = {
    "event.id": str,
    "event.kind": str,
    "event.module": str,
    "event.dataset": str,
    "event.code": str,
    "event.action": str,
    "event.outcome": str,
    "event.provider": str,
    "rule.id": str,
    "rule.level": str,
    "host.name": str,
    "user.name": str,
    "user.domain": str,
    "user.id": str,
    "process.name": str,
    "process.pid": int,
    "process.executable": str,
    "process.command_line": str,
    "process.parent.executable": str,
    "process.parent.command_line": str,
    "file.path": str,
    "file.name": str,
    "file.hash.md5": str,
    "file.hash.sha256": str,
    "source.ip": str,
    "source.port": int,
    "source.bytes": int,
    "destination.ip": str,
    "destination.port": int,
    "destination.bytes": int,
    "destination.domain": str,
    "network.transport": str,
    "network.protocol": str,
    "network.community_id": str,
    "dns.question.name": str,
    "dns.question.type": str,
    "dns.response_code": str,
    "http.request.method": str,
    "http.response.status_code": int,
    "url.original": str,
    "url.path": str,
    "url.domain": str,
    "user_agent.original": str,
    "tls.server_name": str,
    "labels.drill": str,
}


def column(name: str) -> str:
    """Give the column of an ECS field."""
    return "id" if name == "event.id" else name.replace(".", "_")


def _table() -> dict[str, Any]:
    root: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        *path, last = name.split(".")
        node = root
        for part in path:
            node = node.setdefault(part, {})
        node[last] = (column(name), kind)
    return root


_TABLE: Final = _table()
_READ: Final = {
    "ts": "BIGINT",
    "ingested": "BIGINT",
    "n": "BIGINT",
    "unit": "VARCHAR",
    "plain": "BOOLEAN",
    "stray": "BOOLEAN",
    **{column(name): "VARCHAR" if kind is str else "BIGINT" for name, kind in COLUMNS.items()},
    "raw": "VARCHAR",
}
