"""How an answer of `hunt` is given out: JSON lines, CSV, a table for the eye or a workbook."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import click
import orjson

from vonggac.cli.show import cell, console, local, safe, table
from vonggac.cli.whole import whole
from vonggac.hunting.answers import Rows
from vonggac.hunting.stats import Group, Stats, Summary
from vonggac.i18n import _, later

FORMATS: Final = ("table", "jsonl", "csv", "xlsx")
TABLE_ROWS: Final = 10_000  # a screen's table is laid out as a whole
SHEET_ROWS: Final = 1_048_575  # of a sheet beside its heading: Excel's limit (ECMA-376 has none; Excel has 2^20)
SHEETS: Final = 20
_CELL: Final = 32_767  # characters that Excel takes in a cell

#: which columns of the table of events a screen of so many characters has room for
_FITTING: Final = ((130, (0, 1, 2, 3, 4, 5)), (100, (0, 1, 3, 4, 5)), (0, (0, 1, 5)))
_GROUPS: Final = 40  # of --stats on a screen …
_RAREST: Final = 10  # … and of the rarest

Row = Sequence[Any]
About = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is wanted: one of `FORMATS`, to a file or to standard output."""

    name: str
    output: Path | None = None


def given(form: Form, rows: Rows, about: About) -> None:
    """Give out the rows themselves."""
    if form.name == "table":
        count = _events(rows)
        if not count and not rows.missing:
            said(_("no events"))
        elif rows.more:
            said(_("{count} rows are shown, there are more: --limit N, or --json for all").format(count=count))
        return
    with opened(form.output) as stream:
        if form.name == "jsonl":
            count = lines(stream, rows.lines())
        elif form.name == "csv":
            count = comma(stream, rows.columns, rows.cells())
        else:
            count = workbook(stream, rows.columns, rows.cells(), _noted(about, rows))
    if form.output:
        said(_("{count} rows to {output}").format(count=count, output=form.output))


def counted(form: Form, count: int) -> None:
    """Give out a number alone."""
    columns, row = [_("events")], [count]
    with opened(form.output) as stream:
        if form.name == "jsonl":
            lines(stream, [orjson.dumps({"count": count})])
        elif form.name == "xlsx":
            workbook(stream, columns, [row], ())
        else:
            comma(stream, ["count"], [row]) if form.name == "csv" else stream.write(b"%d\n" % count)


def summed(form: Form, rows: Rows, fields: Sequence[str], about: About, limit: int | None) -> None:
    """Give out what the rows come to, the most frequent first; `limit`: at most so many groups."""
    summary = Summary(fields)
    summary.add(rows.docs())
    stats = summary.done()
    groups = stats.groups if limit is None else stats.groups[:limit]
    columns = [*fields, "count", "share", "first", "last"]
    cells = ((*one.values, one.count, one.share, one.first, one.last) for one in groups)
    if form.name == "table":
        _groups(fields, stats.groups, limit)
    else:
        with opened(form.output) as stream:
            if form.name == "jsonl":
                lines(stream, (_line(fields, one) for one in groups))
            elif form.name == "csv":
                comma(stream, columns, cells)
            else:
                workbook(stream, columns, cells, _noted(about, rows, stats))
    said(_("{rows} events, {groups} groups").format(rows=stats.rows, groups=len(stats.groups)))
    if stats.left_out:
        said(_beyond(stats))


def _beyond(stats: Stats) -> str:
    line = _("the bound of groups was reached: {count} times an event is in none, and what is rare is not certain")
    return line.format(count=stats.left_out)


def _events(rows: Rows) -> int:
    """Print the rows; times of events are shown in Viet Nam's zone."""
    columns = list(rows.columns)
    made = list(islice(rows.cells(), TABLE_ROWS))
    shown = list(range(len(columns)))
    usual = "what" in columns  # else the person named them
    if usual:
        shown = list(next(places for width, places in _FITTING if console().width >= width))
    times = {n for n in shown if n in rows.times}
    picked = [[local(str(row[n])) if row[n] and n in times else row[n] for n in shown] for row in made]
    zoned = (_("{name} (UTC+7)").format(name=columns[n]) if n in times else columns[n] for n in shown)
    names = [_(_NAMES[columns[n]]) for n in shown] if usual else list(zoned)
    fixed = [at for at, n in enumerate(shown) if n in times]
    eye(names, picked, fixed, long=len(shown) - 1 if usual else None)
    return len(made)


def _groups(fields: Sequence[str], groups: Sequence[Group], limit: int | None) -> None:
    names = [*fields, _("events"), _("share"), _("first (UTC+7)"), _("last (UTC+7)")]
    fixed = range(len(fields), len(names))
    most = limit or (_GROUPS if len(groups) > _GROUPS + _RAREST else len(groups))
    eye(names, map(_group, groups[:most]), list(fixed))
    if rest := groups[most:][-_RAREST:]:
        click.echo(_("the rarest:"))
        eye(names, map(_group, reversed(rest)), list(fixed))


def _group(group: Group) -> Row:
    times = (local(time) if time else "" for time in (group.first, group.last))
    values = (_("(none)") if value is None else value for value in group.values)
    return (*values, group.count, f"{group.share:.1%}", *times)


def _line(fields: Sequence[str], group: Group) -> bytes:
    return orjson.dumps(
        {
            "values": dict(zip(fields, group.values, strict=True)),
            "count": group.count,
            "share": round(group.share, 6),
            "first": group.first,
            "last": group.last,
        }
    )


def _noted(about: About, rows: Rows, stats: Stats | None = None) -> Iterator[tuple[str, str]]:
    """Give what a workbook says of itself; read after its rows, when what is missing is known."""
    yield from about
    if stats is not None:
        yield _("events"), str(stats.rows)
    if stats is not None and stats.left_out:
        yield "", _beyond(stats)
    if rows.more:
        yield "", _("the limit was reached: there are more rows")
    for line in rows.missing:
        yield _("missing"), line


@contextlib.contextmanager
def opened(output: Path | None) -> Iterator[IO[bytes]]:
    """Give where the answer goes: standard output, or a file that is there whole or not at all."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with whole(output) as stream:
        yield stream


def lines(stream: IO[bytes], rows: Iterable[bytes]) -> int:
    """Write a JSON object a line; give how many."""
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 (the last one is the number)
        stream.write(row + b"\n")
    return count


def comma(stream: IO[bytes], columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Write CSV in UTF-8, its cells harmless to a spreadsheet; give how many rows."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    count = 0
    try:
        writer = csv.writer(text)
        # our own time field begins like a formula
        writer.writerow("timestamp" if name == "@timestamp" else cell(name) for name in columns)
        for count, row in enumerate(rows, 1):  # noqa: B007 (the last one is the number)
            writer.writerow(map(cell, row))
    finally:
        text.detach()
    return count


def eye(columns: Sequence[str], rows: Iterable[Row], fixed: Sequence[int] = (), *, long: int | None = None) -> int:
    """Print a table; `long` is the column whose texts are cut to about two lines of what the screen has left."""
    width = max(60, 2 * (console().width - 90))
    made = [[_cut(one, width) if n == long else one for n, one in enumerate(row)] for row in islice(rows, TABLE_ROWS)]
    if made:
        table([safe(one) for one in columns], [["" if one is None else one for one in row] for row in made], (), fixed)
    return len(made)


def workbook(stream: IO[bytes], columns: Sequence[str], rows: Iterable[Row], about: Iterable[tuple[str, str]]) -> int:
    """Write a workbook: the rows on as many sheets as they need, and what was asked (`about`) on the last one.

    Texts stay texts: no formula, no link, no number made of them. Row by row, in little memory (the library keeps
    them in a temporary file). Raises ValueError beyond 20 full sheets.
    """
    with _book(stream) as book:
        bold = book.add_format({"bold": True})
        count, sheet, at = 0, None, 0
        for row in rows:
            if sheet is None or at > SHEET_ROWS:
                if len(book.worksheets()) >= SHEETS:
                    msg = f"more than {SHEETS * SHEET_ROWS} rows do not go into a workbook"
                    raise ValueError(msg)
                sheet, at = _sheet(book, columns, bold), 1
            for column, value in enumerate(row):
                _put(sheet, at, column, value)
            count, at = count + 1, at + 1
        if sheet is None:
            _sheet(book, columns, bold)
        note = book.add_worksheet(_("about"))
        for at, (name, value) in enumerate(about):
            _put(note, at, 0, name)
            _put(note, at, 1, value)
    return count


@contextlib.contextmanager
def _book(stream: IO[bytes]) -> Iterator[Any]:
    """Give a workbook that is written to the stream when the block ends well; its temporary files never stay."""
    import xlsxwriter

    with tempfile.TemporaryDirectory(prefix="vonggac-") as folder:
        options = {
            "constant_memory": True,
            "tmpdir": folder,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        sink = _Sink(stream)
        book = xlsxwriter.Workbook(sink, options)
        try:
            yield book
        except BaseException:
            for sheet in book.worksheets():  # the library closes them only with the book
                sheet.row_data_fh.close()
            raise
        try:
            book.close()
        except xlsxwriter.exceptions.FileSizeError as error:
            msg = "more than 4 GB do not go into a workbook"
            raise ValueError(msg) from error
        if sink.failed:
            raise sink.failed


class _Sink:
    """A stream for ZipFile, which complains aloud when it cannot end in order: a failure is kept until it has."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.failed: OSError | None = None
        self._stream, self._at = stream, 0

    def write(self, data: bytes) -> int:
        self._try(lambda: self._stream.write(data))
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def seek(self, at: int) -> int:
        if at != self._at:
            self._try(lambda: self._stream.seek(at))
            self._at = at
        return at

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        if self.failed is None:
            try:
                act()
            except OSError as error:
                self.failed = error


def _sheet(book: Any, columns: Sequence[str], bold: Any) -> Any:
    rows = _("rows")  # pybabel does not see it within an f-string
    sheet = book.add_worksheet(f"{rows} {len(book.worksheets()) + 1}")
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(columns):
        sheet.write_string(0, column, safe(name)[:_CELL], bold)
        sheet.set_column(column, column, 24)
    return sheet


def _put(sheet: Any, row: int, column: int, value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        sheet.write_number(row, column, value)  # more digits than that a spreadsheet would round
    elif value is not None:
        sheet.write_string(row, column, _cut(safe(value), _CELL))


def _cut(value: Any, length: int) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def said(line: str) -> None:
    """Say something about the answer, to standard error."""
    click.echo(safe(line), err=True)


_NAMES: Final = {
    "@timestamp": later("time (UTC+7)"),
    "host.name": later("host"),
    "event.dataset": later("dataset"),
    "event.code": later("code"),
    "user.name": later("user"),
    "what": later("what"),
}
