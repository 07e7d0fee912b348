"""What `vonggac check` finds on the machine: libraries, disk, clock, receive buffer."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.embedded_store import EmbeddedStore
from vonggac.cli import _findings_machine as machine
from vonggac.testing import NOW

GIB = 1 << 30


def test_an_old_sqlite_is_a_fault_only_where_the_catalogue_is_in_wal_mode(data: Path) -> None:
    assert machine.sqlite("3.53.4", write_ahead=True).state == "ok"
    assert machine.sqlite("3.40.1", write_ahead=False).state == "warn"
    fault = machine.sqlite("3.51.2", write_ahead=True)
    assert fault.state == "fail"
    assert "pysqlite3" in fault.do
    EmbeddedStore(data / "store")
    sqlite, duckdb = machine.versions(data / "store")
    assert (sqlite.state, duckdb.state) == ("ok", "ok")


@pytest.mark.parametrize(
    ("free", "total", "files", "how", "says"),
    [
        (300 * GIB, 1000 * GIB, 100, "ok", "300 GiB free (30%)"),
        (140 * GIB, 1000 * GIB, 100, "warn", "14%"),
        (90 * GIB, 1000 * GIB, 100, "warn", "9%"),
        (40 * GIB, 1000 * GIB, 100, "fail", "4%"),
        (1 * GIB, 4 * GIB, 100, "fail", "1 GiB free"),
        (300 * GIB, 1000 * GIB, 1, "fail", "1 more files fit"),
    ],
)
def test_the_disk_is_judged_by_the_marks_of_the_service(
    free: int, total: int, files: int, how: str, says: str, tmp_path: Path
) -> None:
    stats = os.statvfs_result((4096, 4096, total >> 12, free >> 12, free >> 12, 100, files, files, 0, 255))
    found = machine.disk(tmp_path, 2 * GIB, stats)
    assert found.state == how
    assert says in found.detail
    assert bool(found.do) == (how != "ok")


def test_a_clock_that_is_wrong_set_back_or_left_alone() -> None:
    hour_later = NOW + timedelta(hours=3)
    assert machine.clock(NOW, synchronised=True, newest=NOW).state == "ok"
    assert machine.clock(NOW, synchronised=None, newest=None).detail == "2026-03-01T15:00:00+07:00"
    assert machine.clock(NOW, synchronised=False, newest=None).state == "warn"
    assert "3 h behind the newest record" in machine.clock(NOW, synchronised=True, newest=hour_later).detail
    assert machine.clock(datetime(1970, 1, 2, tzinfo=UTC), synchronised=True, newest=None).state == "fail"
    assert machine.synchronised() in (True, False, None)


def test_a_small_receive_buffer_says_the_line_that_mends_it() -> None:
    (small,) = machine.buffer(32 << 20, 212_992, mighty=False)
    assert small.state == "warn"
    assert small.do == "sysctl -w net.core.rmem_max=33554432"
    assert [found.state for found in machine.buffer(32 << 20, 64 << 20, mighty=False)] == ["ok"]
    assert list(machine.buffer(32 << 20, 212_992, mighty=True)) == []
    assert list(machine.buffer(32 << 20, None, mighty=False)) == []
