"""How things are shown: tables on a terminal, JSON in a pipe; nothing of a log line reaches the terminal raw."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from vonggac.cli import Context

COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "informational": "dim"}


def wants_json(context: Context) -> bool:
    """Say whether standard output gets JSON: `--json`, or no terminal there."""
    return context.json or not sys.stdout.isatty()


def safe(text: Any) -> str:
    r"""Give text that a terminal prints and does not obey: ESC becomes `\x1b`, what turns text around `\u202e`.

    Whatever is not printable is written out: controls, bidi and zero-width characters, lone surrogates.
    """
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in plain)


def cell(value: Any) -> str:
    """Give a CSV cell that a spreadsheet shows and does not run: what begins like a formula gets an apostrophe."""
    text = "" if value is None else safe(value)
    # after `safe` no tab or line end can stand first; the last four are what a Japanese or Chinese input method types
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else text


def local(text: str) -> str:
    """Show an event's time in Viet Nam's zone, to the second; a text that is no time (`time_of`) as it is."""
    from datetime import UTC, datetime

    from vonggac.query import time_of
    from vonggac.reading.times import zone

    none = datetime.min.replace(tzinfo=UTC)
    found = time_of({"@timestamp": text}, none)
    return text if found is none else f"{found.astimezone(zone('Asia/Ho_Chi_Minh')):%Y-%m-%d %H:%M:%S}"


def console(*, err: bool = False) -> Console:
    """Give rich's console; colour obeys NO_COLOR and the terminal; a pipe is 160 wide."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else 160
    return Console(stderr=err, highlight=False, soft_wrap=False, width=width, emoji=False, markup=False)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], styles: Sequence[str] = (), fixed: Sequence[int] = ()
) -> None:
    """Print a table; `styles` gives each row's colour, `fixed` the columns that are never folded."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=number in fixed)
    for number, row in enumerate(rows):
        made.add_row(*(Text(safe(cell)) for cell in row), style=styles[number] if styles else None)
    screen = console()
    with screen.capture() as shown:  # rich would end the program when the reader has left
        screen.print(made)
    click.echo(shown.get(), nl=False)
