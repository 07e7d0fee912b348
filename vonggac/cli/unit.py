"""`vonggac unit import|list`: the unit tree, from a CSV file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import orjson

from vonggac.cli import Context, Unusable
from vonggac.cli.show import table, wants_json
from vonggac.i18n import _
from vonggac.people.units import COLUMNS, read_csv, save, saved

FILE = "units.json"  # under the data folder


@click.group(help=_("The unit tree: departments, communes, their hosts and networks."),
             epilog="vonggac unit import units.csv")  # fmt: skip
def unit() -> None:
    """Hold the commands below."""


@unit.command("import", help=_("Replace the unit table from a CSV file: id,name,parent,hosts,networks."),
              epilog="vonggac unit import units.csv")  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def import_(context: Context, file: Path) -> None:
    """Check the whole file, then replace the table."""
    try:
        units = read_csv(file)
        save(units, context.data / FILE)
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from error  # noqa: EM102  the line itself
    except ValueError as error:
        raise Unusable(str(error)) from error
    click.echo(_("{count} units imported").format(count=len(units)), err=True)


@unit.command("list", help=_("List the units."), epilog="vonggac unit list --json")
@click.pass_obj
def list_(context: Context) -> None:
    """Print a unit a line."""
    try:
        units = saved(context.data / FILE)
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error
    if wants_json(context):
        for one in units:
            click.echo(orjson.dumps(asdict(one)))
        return
    rows = [[one.id, one.name, one.parent or "", " ".join(one.hosts), " ".join(one.networks)] for one in units]
    table(COLUMNS, rows)
