"""Where a scan's results go: JSON lines, CSV, a timeline or a table; failures and progress to standard error."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final

import click
import orjson

from vonggac.cli.show import COLOURS, cell, console, local, safe, table
from vonggac.cli.titles import titles
from vonggac.cli.whole import whole
from vonggac.event import LEVELS, Bad
from vonggac.i18n import _, language
from vonggac.pipeline.scanner import Failed

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

FORMATS: Final = ("table", "jsonl", "csv", "timeline")
_SHOWN: Final = 10  # failed records shown of an input; all are counted
#: which of the table's columns a screen of so many characters has room for, the time of the last event before the first
_FITTING: Final = ((150, range(9)), (110, (0, 1, 2, 3, 4, 6, 7)), (0, (0, 1, 2, 4, 6)))
_FIXED: Final = (0, 4, 5, 6)  # level, count, first, last: never folded
_COLUMNS: Final = (
    "time",
    "level",
    "rule",
    "title",
    "host",
    "user",
    "unit",
    "matched",
    "path",
    "offset",
    "event",
    "alert",
)


class Results:
    """Takes results in the order of the inputs; `finish` writes what needs all of them (table, timeline)."""

    def __init__(self, form: str, output: Path | None) -> None:
        self.shown_failures = 0
        self._form = form
        self._output = output
        self._target: IO[bytes] = sys.stdout.buffer
        self._spool: IO[bytes] | None = None
        self._open = contextlib.ExitStack()
        self._of: str | None = None
        self._of_shown = 0
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Results:
        if self._output:
            self._target = self._open.enter_context(whole(self._output))
        if self._form != "jsonl":
            self._spool = tempfile.SpooledTemporaryFile(max_size=8 << 20)
        if sys.stderr.isatty():
            self._progress = _bar()
            self._task = self._progress.add_task(_("reading"), total=None)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()
        if self._spool:
            self._spool.close()
        self._open.__exit__(kind, error, trace)

    def lines(self, block: bytes) -> None:
        """Take alerts as whole JSON lines."""
        (self._spool or self._target).write(block)

    def bad(self, bad: Bad) -> None:
        """Say what could not be read, the first ten of an input."""
        if self._of != bad.path:
            self._of, self._of_shown = bad.path, 0
        self._of_shown += 1
        if self._of_shown <= _SHOWN:
            self.shown_failures += 1
            self._say(safe(bad))

    def failed(self, failed: Failed) -> None:
        """Say which input could not be read."""
        self._say(safe(f"{failed.path}: {failed.reason}"))

    def progress(self, done: int, known: int) -> None:
        """Move the bar."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, completed=done, total=known)

    def finish(self) -> None:
        """Write what needed all alerts."""
        if self._progress:
            self._progress.stop()
        if self._form == "csv":
            self._csv(self._alerts())
        elif self._form == "timeline":
            self._csv(sorted(self._alerts(), key=lambda alert: (alert["@timestamp"] or "", alert["event"]["id"])))
        elif self._form == "table":
            self._table()
        self._target.flush()

    def _alerts(self) -> Iterator[dict[str, Any]]:
        if self._spool is None:
            return
        self._spool.seek(0)
        for line in self._spool:
            yield orjson.loads(line)

    def _csv(self, alerts: Any) -> None:
        text = io.TextIOWrapper(self._target, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        for alert in alerts:
            writer.writerow(map(cell, _row(alert)))
        text.detach()

    def _table(self) -> None:
        rows = grouped(self._alerts(), titles(language()))
        if not rows:
            click.echo(_("no alerts"), err=True)
            return
        names = [_("level"), _("rule"), _("host"), _("user"), _("count"), _("first (UTC+7)")]
        names += [_("last (UTC+7)"), _("matched"), _("in")]
        shown = next(columns for width, columns in _FITTING if console().width >= width)
        table(
            [names[one] for one in shown],
            [[row[1 + one] for one in shown] for row in rows],
            [COLOURS[LEVELS[-row[0] - 1]] for row in rows],
            fixed=[place for place, one in enumerate(shown) if one in _FIXED],
        )

    def _say(self, line: str) -> None:
        if self._progress:
            console(err=True).print(line)
        else:
            click.echo(line, err=True)


def grouped(alerts: Iterator[dict[str, Any]], named: Mapping[str, str] | None = None) -> list[tuple[Any, ...]]:
    """Make a row of each rule and host, the gravest and then the most frequent first; the first cell is -rank.

    `named` gives rules' titles in the reader's language.
    """
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for alert in alerts:
        host = name_of(alert, "host")
        group = groups.setdefault((alert["rule"]["id"], host), {"alert": alert, "count": 0, "users": {}, "times": []})
        group["count"] += 1
        if len(group["users"]) < 4 and (user := name_of(alert, "user")):
            group["users"][user] = None
        if time := alert["@timestamp"]:
            times = group["times"]
            group["times"] = [min([time, *times]), max([time, *times])]
    rows = []
    for (rule, host), group in groups.items():
        alert, users, times = group["alert"], list(group["users"]), group["times"]
        level = alert["rule"]["level"]
        who = ", ".join(users[:3]) + (" …" if len(users) > 3 else "")
        first, last = (local(times[0]), local(times[1])) if times else ("", "")
        where = os.path.basename(alert.get("log", {}).get("file", {}).get("path", ""))  # noqa: PTH119  may be "a.zip!b"
        rows.append(
            (
                -LEVELS.index(level) - 1,
                level,
                (named or {}).get(rule, alert["rule"]["name"]),
                host,
                who,
                group["count"],
                first,
                last,
                _matched(alert),
                where,
            )
        )
    return sorted(rows, key=lambda row: (row[0], -row[5], row[2], row[3]))


def _row(alert: dict[str, Any]) -> tuple[Any, ...]:
    log = alert.get("log", {})
    own = alert["vonggac"]
    return (
        alert["@timestamp"],
        alert["rule"]["level"],
        alert["rule"]["id"],
        alert["rule"]["name"],
        name_of(alert, "host"),
        name_of(alert, "user"),
        own.get("unit"),
        _matched(alert, 2_000),
        log.get("file", {}).get("path"),
        log.get("offset"),
        own["events"][0],
        alert["event"]["id"],
    )


def _matched(alert: dict[str, Any], limit: int = 120) -> str:
    text = "; ".join(f"{name}={value}" for name, value in alert["vonggac"]["matched"].items())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def name_of(alert: dict[str, Any], what: str) -> str:
    """Give the name of an alert's host or user; "" when it has none."""
    value = alert.get(what)
    name = value.get("name") if isinstance(value, dict) else None
    return str(name) if name else ""


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console(err=True), transient=True)
