"""`vonggac hunt`: what the store knows, asked by SQL or by --where; events and alerts alike."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import click

from vonggac.cli import Context, Unusable
from vonggac.cli.hunted import FORMATS, TABLE_ROWS, Form, counted, given, said, summed
from vonggac.cli.inputs import moment, unwritten
from vonggac.cli.show import wants_json
from vonggac.cli.unit import FILE as UNITS
from vonggac.hunting.answers import COLUMNS, Answer, Rows, SqlAnswer
from vonggac.hunting.where import WhereError, parse, written
from vonggac.i18n import _
from vonggac.people.units import DEFAULT, below, saved
from vonggac.query import And, Condition, Query, Sort, Text, check_field
from vonggac.reading.times import zone
from vonggac.settings import units as named_by
from vonggac.storeport import Failed, Stopped, TooMuch, TooSlow

_LIMIT: Final = 100  # rows on a screen
_STATS: Final = 4  # fields
_DOUBLED: Final = re.compile(r"""[^\s\\"'(,=]\\\\(?!\\)""")
_BEGINNINGS: Final = ("select", "with", "from", "(", "-", "/")
_EYE: Final = ("@timestamp", "host.name", "event.dataset", "event.code", "user.name", "what")


@click.command(
    help=_(
        "Search stored events and alerts: by SQL over the view events(ts, ingested, id, kind, dataset, host, user, "
        "src_ip, dst_ip, event_code, rule_id, level, unit, doc), or by --where. In --where stand fields and "
        "= != < <= > >= in like startswith contains cidr exists, and, or, not, ( ); a backslash stands for itself."
    ),
    epilog='vonggac hunt --where \'process.name = "cmd.exe" and not host.name in ("a", "b")\' --since 24h',
)
@click.argument("sql", required=False, metavar="[SQL]")
@click.option("--where", metavar="TEXT", help=_("events that answer to this condition"))
@click.option("--text", metavar="WORD", help=_("events that hold this text anywhere"))
@click.option("--since", metavar="T", help=_("events from then on: ISO 8601, or 24h, 7d before now"))
@click.option("--until", metavar="T", help=_("events before then"))
@click.option("--sort", type=click.Choice([one.value for one in Sort]), help=_("the order of rows; newest first"))
@click.option("--unit", "units", multiple=True, metavar="ID", help=_("only this unit and those below it"))
@click.option("--limit", type=click.IntRange(1), metavar="N", help=_("at most so many rows; in a table 100"))
@click.option("--fields", metavar="A,B,C", help=_("the columns of a table, of CSV or of a workbook"))
@click.option("--count", is_flag=True, help=_("only how many there are"))
@click.option("--stats", metavar="FIELD[,FIELD]", help=_("count by these fields: share, rarest, first and last seen"))
@click.option("--format", "form", type=click.Choice(FORMATS), help=_("table on a terminal, jsonl in a pipe"))
@click.option("--csv", "as_csv", is_flag=True, help=_("the same as --format csv"))
@click.option("--table", "as_table", is_flag=True, help=_("the same as --format table"))
@click.option("--xlsx", type=click.Path(path_type=Path), metavar="FILE", help=_("a workbook to this file"))
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help=_("the answer to a file"))
@click.option("--timeout", type=click.FloatRange(0.1, 300), metavar="SECONDS",
              help=_("how long one question to the store may take; a long answer is many"))  # fmt: skip
@click.pass_obj
def hunt(context: Context, /, **asked: Any) -> int:
    """Hunt; 0 done, 2 unusable or refused, 3 a part of the store could not be read, 130 interrupted."""
    form = _form(context, asked)
    kept = context.settings.store
    asked["timeout"] = asked["timeout"] or kept.query_seconds
    question = (_events if asked["sql"] is None else _statement)(context, asked, form)
    stats = _names("--stats", asked["stats"], _STATS)
    if stats and asked["count"]:
        raise Unusable(_("--count and --stats are two questions: ask one of them"))
    root = context.data / "store"
    if not (root / "catalogue.sqlite").exists():
        raise Unusable(_("nothing has been stored in {data} yet: start `vonggac run`").format(data=context.data))
    stop = threading.Event()
    process = importlib.import_module("connectors.embedded_query").QueryProcess  # reached by name, as every shelf
    rows: Rows | None = None
    try:
        with process(root, memory_mb=kept.query_memory_mb) as asker:
            if not asked["units"]:  # also those that no table names any more
                question = question.over(asker.units(asked["timeout"], stop))
            rows = question.rows(asker, stop)
            if isinstance(rows, Answer) and asked["count"]:
                counted(form, rows.count())
            elif stats:
                summed(form, rows, stats, question.about, asked["limit"])
            else:
                given(form, rows, question.about)
    except (TooSlow, TooMuch, Failed, Stopped, ValueError) as error:
        if rows is None or not rows.begun or not _at_once(form, asked):
            raise Unusable(_failure(error, asked)) from error
        said(_("the answer broke off, rows are missing: {why}").format(why=_failure(error, asked)))
        return 3
    except OSError as error:
        raise unwritten(error, form.output) from error
    finally:
        stop.set()
    for line in rows.missing:
        said(_("not in the answer: {line}").format(line=line))
    return 3 if rows.missing else 0


def _at_once(form: Form, asked: dict[str, Any]) -> bool:
    """Say that rows are out as soon as they are there; else they are given whole or not at all."""
    return form.output is None and form.name in ("jsonl", "csv") and not asked["stats"]


class _Question(Protocol):
    """What was asked, checked."""

    @property
    def about(self) -> Sequence[tuple[str, str]]:
        """Give what a workbook says of the question."""
        ...

    def over(self, units: frozenset[str]) -> _Question:
        """Give the same question over these units too."""
        ...

    def rows(self, asker: Any, stop: threading.Event) -> Rows:
        """Ask."""
        ...


@dataclass(frozen=True, slots=True)
class _Statement:
    """A question in SQL."""

    text: str
    units: frozenset[str]
    limit: int | None
    limit_s: float
    small: bool  # a table, which is laid out as a whole
    about: tuple[tuple[str, str], ...]

    def over(self, units: frozenset[str]) -> _Statement:
        return replace(self, units=self.units | units)

    def rows(self, asker: Any, stop: threading.Event) -> SqlAnswer:
        ask = asker.sql if self.small else asker.rows_of
        return SqlAnswer(ask(self.text, self.units, self.limit_s, stop, self.limit))


@dataclass(frozen=True, slots=True)
class _Events:
    """A question in the query model."""

    query: Query
    units: frozenset[str]
    limit: int | None
    limit_s: float
    columns: Sequence[str]
    about: tuple[tuple[str, str], ...]

    def over(self, units: frozenset[str]) -> _Events:
        return replace(self, units=self.units | units)

    def rows(self, asker: Any, stop: threading.Event) -> Answer:
        return Answer(
            asker, self.query, self.units, limit=self.limit, limit_s=self.limit_s, stop=stop, columns=self.columns
        )


def _statement(context: Context, asked: dict[str, Any], form: Form) -> _Question:
    """Refuse beside SQL what SQL itself says."""
    for name in ("where", "text", "since", "until", "sort", "fields", "count"):
        if asked[name]:
            raise Unusable(_("--{name} does not go with SQL, which says it itself").format(name=name))
    units = _units(context, asked["units"])
    limit = None if asked["stats"] else _limit(asked, form)
    about = (("SQL", asked["sql"]), ("unit", ", ".join(asked["units"])), (_("asked at"), _now()))
    small = form.name == "table" and not asked["stats"]
    return _Statement(asked["sql"], units, limit, asked["timeout"], small, about)


def _events(context: Context, asked: dict[str, Any], form: Form) -> _Question:
    """Check everything that a person said before anything is asked."""
    now = datetime.now(UTC)
    since, until = (_moment(asked[name], now, f"--{name}") for name in ("since", "until"))
    if since and until and since >= until:
        raise Unusable(_("--since does not lie before --until: no event can be between them"))
    conditions: list[Condition] = []
    if asked["where"] is not None:
        conditions.append(_where(asked["where"]))
    if asked["text"] is not None:
        conditions.append(Text(asked["text"]))
    where = conditions[0] if len(conditions) == 1 else And(tuple(conditions))
    try:
        query = Query(where, since, until, Sort(asked["sort"] or Sort.NEWEST))
    except ValueError as error:
        raise Unusable(str(error)) from error
    limit = None if asked["stats"] else _limit(asked, form)
    fields = _names("--fields", asked["fields"], 64)
    if fields and (form.name == "jsonl" or asked["stats"] or asked["count"]):
        raise Unusable(_("--fields goes with a table, CSV or a workbook of events; JSON lines are whole documents"))
    about = (
        (_("where"), written(where) if conditions else ""),
        ("since", asked["since"] or ""),
        ("until", asked["until"] or ""),
        ("unit", ", ".join(asked["units"])),
        (_("asked at"), _now()),
    )
    columns = fields or (_EYE if form.name == "table" else COLUMNS)
    return _Events(query, _units(context, asked["units"]), limit, asked["timeout"], columns, about)


def _limit(asked: dict[str, Any], form: Form) -> int | None:
    limit: int | None = asked["limit"]
    if form.name != "table":
        return limit
    if (limit or 0) > TABLE_ROWS:
        raise Unusable(_("--limit: a table has at most {rows} rows; take --csv or --json").format(rows=TABLE_ROWS))
    return limit or _LIMIT


def _now() -> str:
    return datetime.now(UTC).astimezone(zone("Asia/Ho_Chi_Minh")).isoformat(timespec="seconds")


def _where(text: str) -> Condition:
    if _DOUBLED.search(text):  # not at the beginning of a text: there it is a share
        said(_("--where: a backslash stands for itself: two in a row are looked for as two"))
    try:
        return parse(text)
    except WhereError as error:
        line = _("--where: column {column}: {found} stands there; wanted: {wanted}")
        found = error.found or _("the end of the text")
        raise Unusable(line.format(column=error.column, found=found, wanted=_(error.wanted))) from error


def _form(context: Context, asked: dict[str, Any]) -> Form:
    names = {
        "jsonl": context.json,
        "csv": asked["as_csv"],
        "table": asked["as_table"],
        "xlsx": asked["xlsx"] is not None,
        asked["form"] or "": bool(asked["form"]),
    }
    chosen = [name for name, wanted in names.items() if wanted]
    output: Path | None = asked["output"]
    if len(chosen) > 1 or (asked["xlsx"] and output):
        raise Unusable(_("one form of output, and one file: {chosen}").format(chosen=", ".join(chosen)))
    name = chosen[0] if chosen else "jsonl" if output or wants_json(context) else "table"
    output = asked["xlsx"] or output
    if name == "xlsx" and output is None:
        raise Unusable(_("a workbook goes to a file: --xlsx FILE"))
    if name == "table" and output is not None:
        raise Unusable(_("a table goes to the screen: --output takes --json, --csv or --format xlsx"))
    return Form(name, output)


def _names(option: str, text: str | None, most: int) -> tuple[str, ...]:
    """Read names of fields parted by commas."""
    if text is None:
        return ()
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if len(names) > most:
        raise Unusable(_("{option}: at most {most} fields").format(option=option, most=most))
    for name in names:
        try:
            check_field(name)
        except ValueError as error:
            line = _("{option}: {name!r} is no field; write names such as process.name, parted by commas")
            raise Unusable(line.format(option=option, name=name)) from error
    return names


def _moment(text: str | None, now: datetime, option: str) -> datetime | None:
    found = moment(text, now, option)
    return None if found is None else datetime.fromisoformat(found)


def _units(context: Context, named: Sequence[str]) -> frozenset[str]:
    """Give the units to look at: all that anything here speaks of, or those named and what is below them."""
    inbox = context.data / "inbox"
    try:
        table = saved(context.data / UNITS)
        folders = [one.name for one in inbox.iterdir() if one.is_dir()] if inbox.is_dir() else []
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from error  # noqa: EM102  the line itself
    except ValueError as error:
        raise Unusable(str(error)) from error
    known = {unit.id for unit in table} | {"", DEFAULT, *named_by(context.settings).values()}
    known |= {name for name in folders if name.isprintable()}  # no lone surrogates of a name that is no UTF-8
    for name in named:
        if name not in known:
            said(_("unit {name!r} is not in the unit table: only events that carry just this name").format(name=name))
    return below(table, named) if named else frozenset(known)


def _failure(error: Exception, asked: dict[str, Any]) -> str:
    """Say in one line why there is no answer, and what to do."""
    if isinstance(error, TooSlow):
        line = _("no answer within {limit:g} s: ask for less time (--since), a narrower --where, or raise --timeout")
        return line.format(limit=asked["timeout"])
    if isinstance(error, TooMuch):
        return _("the answer does not fit into the memory of queries: ask for less time or fewer columns")
    line = " ".join(str(error).split()) or _("the question was given up")
    if asked["sql"] and not asked["sql"].lstrip().lower().startswith(_BEGINNINGS):
        line += _(" (a condition instead of SQL goes with --where)")
    return line
