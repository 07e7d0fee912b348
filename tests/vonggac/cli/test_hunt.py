"""`vonggac hunt`: the real command over a store with events in it."""

from __future__ import annotations

import csv
import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connectors.embedded_store import EmbeddedStore
from vonggac.storetesting import batch_of, upto
from vonggac.testing import NOW

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]

EVIL = "=cmd|'/c calc'!A1\x1b[31m\u202egnp.exe"


def doc(n: int, name: str = "cmd.exe", host: str = "ws01", unit: str | None = None, **more: Any) -> dict[str, Any]:
    """Make an event of second n, 08:00 in Viet Nam."""
    at = datetime(2026, 3, 1, 1) + timedelta(seconds=n)  # noqa: DTZ001 (written as UTC)
    made = {
        "@timestamp": f"{at.isoformat()}.000000Z",
        "event": {"kind": "event", "dataset": "windows.sysmon", "code": "1"},
        "host": {"name": host},
        "process": {"name": name, "command_line": f"{name} /c {n}"},
        **more,
    }
    return made if unit is None else {**made, "vonggac": {"unit": unit}}


@pytest.fixture
def save(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Save events into the store that the command will ask."""
    saved = 0
    with closing(EmbeddedStore(tmp_path / "data" / "store")) as store:

        def put(*docs: dict[str, Any]) -> None:
            nonlocal saved
            batch = batch_of(*docs, first=saved, appended=NOW)
            assert store.save([batch], upto(batch)) == []
            saved = batch.next

        yield put


def names(ran: Ran) -> list[str]:
    assert ran.status == 0, ran.err
    return [row["process"]["name"] for row in ran.rows]


def test_without_a_store_there_is_a_line_and_no_empty_answer(vonggac: Command, tmp_path: Path) -> None:
    ran = vonggac("hunt", "--where", "a = 1")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"vonggac: nothing has been stored in {tmp_path / 'data'} yet: start `vonggac run`\n"
    assert not (tmp_path / "data" / "store").exists()


def test_where_gives_the_documents_as_they_are_stored(vonggac: Command, save: Callable[..., None]) -> None:
    save(doc(1), doc(2, "Evil.exe"), doc(3, host="a"), doc(4, host="b"))
    ran = vonggac("hunt", "--where", 'process.name = "CMD.exe" and not host.name in ("a","b")')
    assert (ran.status, ran.err) == (0, "")
    assert ran.rows == [{**doc(1), "event": {**doc(1)["event"], "id": "e0"}}]


def test_the_newest_first_or_the_oldest_within_times_of_viet_nam(vonggac: Command, save: Callable[..., None]) -> None:
    save(*(doc(n, f"p{n}") for n in range(5)))
    assert names(vonggac("hunt")) == ["p4", "p3", "p2", "p1", "p0"]
    assert names(vonggac("hunt", "--sort", "oldest", "--limit", "2")) == ["p0", "p1"]
    span = ("--since", "2026-03-01T08:00:01", "--until", "2026-03-01T01:00:03Z")
    assert names(vonggac("hunt", *span)) == ["p2", "p1"]
    assert names(vonggac("hunt", "--since", "5m")) == []
    assert names(vonggac("hunt", "--text", "P3 /c")) == ["p3"]
    assert names(vonggac("hunt", "--where", '"p3 /C" or "p1 /c"')) == ["p3", "p1"]


def test_sql_and_where_and_a_count(vonggac: Command, save: Callable[..., None]) -> None:
    save(doc(1), doc(2), doc(3, host="b"))
    ran = vonggac("hunt", "SELECT host, count(*) AS n, host FROM events GROUP BY host ORDER BY n DESC")
    assert (ran.status, ran.err) == (0, "")
    assert ran.rows == [{"host": "ws01", "n": 2, "host_2": "ws01"}, {"host": "b", "n": 1, "host_2": "b"}]
    assert vonggac("hunt", "--count", "--where", "host.name = ws01").rows == [{"count": 2}]
    assert vonggac("hunt", "--count", "--table").out == "3\n"
    assert vonggac("hunt", "--count", "--csv").out == "count\r\n3\r\n"
    assert len(vonggac("hunt", "SELECT id FROM events", "--limit", "2").rows) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--where", "process.name cmd"), "--where: column 14: cmd stands there; wanted: one of = !="),
        (("--where", "a = "), "--where: column 5: the end of the text stands there; wanted: a value"),
        (("SELECT 1", "--where", "a=1"), "--where does not go with SQL"),
        (("SELECT 1", "--count"), "--count does not go with SQL"),
        (("DROP TABLE events",), "SELECT"),
        (("SELECT * FROM read_csv('/etc/passwd')",), "refused: "),
        (('process.name = "x"',), "a condition instead of SQL goes with --where"),
        (("--csv", "--json"), "one form of output"),
        (("--xlsx", "a.xlsx", "--output", "b"), "one form of output"),
        (("--format", "xlsx"), "a workbook goes to a file"),
        (("--table", "--output", "x"), "a table goes to the screen"),
        (("--table", "--limit", "10001"), "at most 10000 rows"),
        (("--fields", "a,,b", "--csv"), "'' is no field"),
        (("--fields", "a"), "JSON lines are whole documents"),
        (("--stats", "a,b,c,d,e"), "at most 4 fields"),
        (("--stats", "a", "--count"), "--count and --stats"),
        (("--since", "soon"), "--since: 'soon' is no time"),
        (("--since", "1h", "--until", "2h"), "does not lie before --until"),
        (("--xlsx", "/dev/full"), "/dev/full: No space left on device"),
        (("--csv", "--output", "/dev/full"), "/dev/full: No space left on device"),
        (("--output", "no/such/folder/x"), "no/such/folder/x: No such file or directory"),
    ],
)
def test_wrong_use_is_one_line(
    vonggac: Command, save: Callable[..., None], arguments: tuple[str, ...], said: str
) -> None:
    save(doc(1))
    ran = vonggac("hunt", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_units_below_a_named_one_and_all_by_default(
    vonggac: Command, save: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "u.csv").write_text("id,name,parent,hosts,networks\nt,T,,,\na,A,t,,\na1,A1,a,,\nb,B,t,,\n")
    assert vonggac("unit", "import", tmp_path / "u.csv").status == 0
    (tmp_path / "data" / "inbox" / "new").mkdir(parents=True)
    save(*(doc(n, unit or "none", unit=unit) for n, unit in enumerate(["a", "a1", "b", "default", None, "new", "far"])))
    assert names(vonggac("hunt")) == ["far", "new", "none", "default", "b", "a1", "a"]
    assert names(vonggac("hunt", "--unit", "a")) == ["a1", "a"]
    assert names(vonggac("hunt", "--unit", "a1", "--unit", "b")) == ["b", "a1"]
    ran = vonggac("hunt", "--unit", "far")
    assert names(ran) == ["far"]
    assert "unit 'far' is not in the unit table" in ran.err
    assert vonggac("hunt", "SELECT count(*) AS n FROM events", "--unit", "a").rows == [{"n": 2}]


def test_backslashes_that_were_doubled_by_habit_are_told(vonggac: Command, save: Callable[..., None]) -> None:
    save(doc(1, r"C:\Windows\cmd.exe"), doc(2, r"\\server\x.exe"))
    ran = vonggac("hunt", "--where", r'process.name = "C:\Windows\cmd.exe" or process.name = "\\server\x.exe"')
    assert (len(ran.rows), ran.err) == (2, "")
    ran = vonggac("hunt", "--where", r'process.name = "C:\\Windows\\cmd.exe"')
    assert (ran.status, ran.out) == (0, "")
    assert "a backslash stands for itself" in ran.err


def test_every_row_beyond_a_page(vonggac: Command, save: Callable[..., None]) -> None:
    for start in range(0, 24_000, 8_000):
        save(*(doc(n) for n in range(start, start + 8_000)))
    ran = vonggac("hunt", "--sort", "oldest")
    assert ran.status == 0, ran.err
    assert [row["event"]["id"] for row in ran.rows] == [f"e{n}" for n in range(24_000)]


def test_sql_gives_every_row_and_times_with_their_offset(
    vonggac: Command, save: Callable[..., None], tmp_path: Path
) -> None:
    save(*(doc(n) for n in range(400)))
    many = "SELECT a.id, a.ts FROM events a, events b"
    assert vonggac("hunt", f"{many} WHERE b.id < 'e4'", "--output", "a.csv").err == "133600 rows to a.csv\n"
    assert vonggac("hunt", many, "--stats", "id").rows[0]["count"] == 400
    assert len(vonggac("hunt", many, "--limit", "100001").rows) == 100_001
    ran = vonggac("hunt", "SELECT ts, min(ts) OVER () AS m, ts::DATE AS d FROM events WHERE id = 'e7'")
    assert ran.rows == [{"ts": "2026-03-01T01:00:07.000000Z", "m": "2026-03-01T01:00:07.000000Z", "d": "2026-03-01"}]
    one = "SELECT ts + INTERVAL 1 HOUR AS m, doc->>'$.\"@timestamp\"' AS t FROM events WHERE id = 'e7'"
    ran = vonggac("hunt", one, "--table")
    assert re.search(r"m \(UTC\+7\) +t\b", ran.out)
    assert re.search(r"2026-03-01 09:00:07 +2026-03-01T01:00:07\.000000Z", ran.out)


def test_an_answer_that_breaks_off_says_so_and_no_file_is_half(
    vonggac: Command, save: Callable[..., None], tmp_path: Path
) -> None:
    """A cast that goes wrong in a late row: what is out is out, with status 3; a file is not there."""
    save(*(doc(n) for n in range(200)))
    rows = "SELECT a.host, row_number() OVER () AS n FROM events a, events b"
    # 8 MB before that row: far more than what DuckDB makes in advance, or nothing might be out yet
    late = "(CASE WHEN n = 39999 THEN host ELSE '1' END)::INT AS x, host || '" + "y" * 200 + "' AS y"
    sql = f"SELECT {late} FROM ({rows})"  # noqa: S608 (a test's)
    ran = vonggac("hunt", sql)
    assert ran.status == 3
    assert 0 < len(ran.rows) < 40_000
    assert ran.err.startswith("the answer broke off, rows are missing: ")
    assert ran.err.count("\n") == 1
    ran = vonggac("hunt", sql, "--output", "x.jsonl")
    assert (ran.status, ran.out) == (2, "")
    assert vonggac("hunt", sql, "--stats", "x").status == 2
    assert not (tmp_path / "x.jsonl").exists()


def test_stats_by_hand(vonggac: Command, save: Callable[..., None]) -> None:
    save(doc(1), doc(2, "evil.exe"), doc(3), doc(4, "CMD.EXE"))
    ran = vonggac("hunt", "--stats", "process.name")
    assert ran.rows == [
        {"values": {"process.name": "CMD.EXE"}, "count": 3, "share": 0.75,
         "first": "2026-03-01T01:00:01.000000Z", "last": "2026-03-01T01:00:04.000000Z"},
        {"values": {"process.name": "evil.exe"}, "count": 1, "share": 0.25,
         "first": "2026-03-01T01:00:02.000000Z", "last": "2026-03-01T01:00:02.000000Z"},
    ]  # fmt: skip
    assert ran.err == "4 events, 2 groups\n"
    ran = vonggac("hunt", "--stats", "process.name,host.name", "--csv", "--limit", "1")
    assert ran.out.splitlines()[0] == "process.name,host.name,count,share,first,last"
    assert ran.out.splitlines()[1].startswith("CMD.EXE,ws01,3,0.75,2026-03-01T01:00:01")
    ran = vonggac("hunt", "--stats", "process.name", "--table")
    assert re.search(r"CMD\.EXE +3 +75\.0% +2026-03-01 08:00:01 +2026-03-01 08:00:04", ran.out)
    ran = vonggac("hunt", "SELECT host, ts FROM events", "--stats", "host")
    assert [row["count"] for row in ran.rows] == [4]
    assert ran.rows[0]["last"] == "2026-03-01T01:00:04.000000Z"


def test_a_table_is_calm_and_what_attackers_wrote_is_not_obeyed(vonggac: Command, save: Callable[..., None]) -> None:
    save(doc(1, EVIL), doc(2, host="h\u202e"))
    ran = vonggac("hunt", "--table")
    assert ran.status == 0, ran.err
    assert re.search(r"time \(UTC\+7\) +host +dataset +code +user +what", ran.out)
    assert "2026-03-01 08:00:01" in ran.out
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert r"=cmd|'/c calc'!A1\x1b[31m\u202egnp.exe /c 1" in ran.out
    assert vonggac("hunt", "--table", "--where", "host.name = none").err == "no events\n"
    assert "1 rows are shown, there are more" in vonggac("hunt", "--table", "--limit", "1").err
    ran = vonggac("hunt", "--table", "--fields", "process.name,host.name")
    assert re.search(r"process\.name +host\.name", ran.out)


def test_csv_and_a_workbook_run_no_formula(vonggac: Command, save: Callable[..., None], tmp_path: Path) -> None:
    save(doc(1, EVIL, host="@SUM(1)"), doc(2, "http://evil.example/", host="+1"), doc(3, "x" * 40_000))
    ran = vonggac("hunt", "--csv", "--sort", "oldest", "--fields", "process.name,host.name,@timestamp")
    rows = list(csv.reader(io.StringIO(ran.out, newline="")))
    assert rows[:3] == [
        ["process.name", "host.name", "timestamp"],
        [r"'=cmd|'/c calc'!A1\x1b[31m\u202egnp.exe", "'@SUM(1)", "2026-03-01T01:00:01.000000Z"],
        ["http://evil.example/", "'+1", "2026-03-01T01:00:02.000000Z"],
    ]
    ran = vonggac("hunt", "--xlsx", "day.xlsx", "--where", "process.name exists")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "3 rows to day.xlsx\n"
    with zipfile.ZipFile(tmp_path / "day.xlsx") as book:
        sheets = [book.read(name).decode() for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        assert not any("hyperlink" in name for name in book.namelist())
    assert len(sheets) == 2
    assert not any("<f>" in sheet or "hyperlink" in sheet for sheet in sheets)
    assert "=cmd|'/c calc'!A1\\x1b[31m" in sheets[0]
    assert "process.name exists" in sheets[1]


def test_output_is_there_whole_or_not_at_all(vonggac: Command, save: Callable[..., None], tmp_path: Path) -> None:
    save(doc(1), doc(2))
    assert vonggac("hunt", "--output", "a.jsonl").err == "2 rows to a.jsonl\n"
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == 2
    assert vonggac("hunt", "SELECT nothing FROM events", "--output", "a.jsonl").status == 2
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == 2
    assert vonggac("hunt", "SELECT nothing FROM events", "--output", "b.jsonl").status == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "data"]


def test_what_cannot_be_read_is_named_and_the_rest_is_given(
    vonggac: Command, save: Callable[..., None], tmp_path: Path
) -> None:
    save(doc(1, "lost"), doc(2, "lost"))
    (broken,) = (tmp_path / "data" / "store" / "events").glob("*.parquet")
    save(doc(3, "kept"))
    broken.write_bytes(b"PAR1" + bytes(500) + b"PAR1")
    for arguments in ((), ("--table",), ("--count",), ("--stats", "process.name"), ("--xlsx", "x.xlsx"),
                      ("SELECT doc FROM events",)):  # fmt: skip
        ran = vonggac("hunt", *arguments)
        assert ran.status == 3, arguments
        assert f"not in the answer: events/{broken.name}: 2 events of 2026-03-01T01:00:01Z" in ran.err
    assert [row["process"]["name"] for row in vonggac("hunt").rows] == ["kept"]


def test_ctrl_c_ends_the_question(save: Callable[..., None], tmp_path: Path) -> None:
    """A statement that would run for minutes; 130, nothing printed, no process left behind."""
    save(*(doc(n) for n in range(3_000)))
    sql = "SELECT count(*) FROM events a, events b, events c WHERE a.doc < b.doc OR b.doc < c.doc"
    command = [sys.executable, "-P", "-m", "vonggac", "--data", str(tmp_path / "data"), "hunt", sql, "--output", "x"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not any(ticks > 100 for ticks in _children(running.pid).values()):  # it has begun to count
        assert running.poll() is None
        time.sleep(0.05)
    children = _children(running.pid)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err.strip()) == (130, b"", b"")
    while any(_runs(child) for child in children):
        time.sleep(0.05)
    assert not (tmp_path / "x").exists()


def test_a_question_that_takes_too_long_says_so(vonggac: Command, save: Callable[..., None]) -> None:
    save(*(doc(n) for n in range(3_000)))
    sql = "SELECT count(*) FROM events a, events b, events c WHERE a.doc < b.doc OR b.doc < c.doc"
    for ran in (
        vonggac("hunt", sql, "--timeout", "1"),
        vonggac("hunt", sql, environ={"VONGGAC_STORE__QUERY_SECONDS": "1"}),
    ):
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("vonggac: no answer within 1 s")


def test_a_question_has_the_memory_of_the_settings(vonggac: Command, save: Callable[..., None]) -> None:
    save(*(doc(n) for n in range(3_000)))
    sql = "SELECT count(DISTINCT a.doc || b.id) AS n FROM events a, (SELECT id FROM events LIMIT 120) b"
    assert vonggac("hunt", sql).rows == [{"n": 360_000}]
    ran = vonggac("hunt", sql, environ={"VONGGAC_STORE__QUERY_MEMORY_MB": "64"})
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("vonggac: the answer does not fit into the memory of queries")


def test_a_terminal_gets_a_table(save: Callable[..., None], tmp_path: Path) -> None:
    save(*(doc(n) for n in range(120)))
    here, there = pty.openpty()
    arguments = [sys.executable, "-P", "-m", "vonggac", "--lang", "en", "--data", str(tmp_path / "data"), "hunt"]
    with subprocess.Popen(
        arguments, stdout=there, stderr=subprocess.PIPE, cwd=tmp_path, env={**os.environ, "COLUMNS": "140"}
    ) as running:
        os.close(there)
        shown = b""
        try:
            while piece := os.read(here, 65_536):
                shown += piece
        except OSError:  # the other end is closed
            pass
        assert running.stderr is not None
        said = running.stderr.read()
    os.close(here)
    assert running.returncode == 0
    assert shown.count(b"cmd.exe /c") == 100
    assert said == b"100 rows are shown, there are more: --limit N, or --json for all\n"


def test_it_answers_while_another_process_saves(vonggac: Command, save: Callable[..., None]) -> None:
    """The fixture's store holds the writer's lock all the time."""
    save(doc(1))
    assert len(vonggac("hunt").rows) == 1
    save(doc(2))
    assert len(vonggac("hunt").rows) == 2


def test_help_imports_neither_pandas_nor_duckdb() -> None:
    script = (
        "import sys; from vonggac.cli import main; sys.argv = ['vonggac', 'hunt', '--help']\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "print([name for name in ('pandas', 'duckdb', 'xlsxwriter', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"


def _children(pid: int) -> dict[int, int]:
    """Give the children of a process, and the processor time of each in ticks (proc(5))."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found[int(path.parent.name)] = int(fields[11])
    return found


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # empty: dead, and nobody asked how
    except OSError:
        return False


def test_events_of_units_that_no_table_names_any_more_are_found(vonggac: Command, save: Callable[..., None]) -> None:
    """A sub-folder of the inbox that was taken away, a table that was replaced: the events are still there."""
    save(doc(1, "a.exe", unit="gone"), doc(2, "b.exe", unit="default"))
    assert names(vonggac("hunt", "--where", "process.name exists", "--sort", "oldest")) == ["a.exe", "b.exe"]
    counted = vonggac("hunt", "SELECT unit, count(*) AS n FROM events GROUP BY unit ORDER BY unit", "--json")
    assert counted.rows == [{"unit": "default", "n": 1}, {"unit": "gone", "n": 1}]
