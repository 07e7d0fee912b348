"""`vonggac config show`: the settings in force, secrets masked."""

from __future__ import annotations

import click
import orjson

from vonggac.cli import Context
from vonggac.cli.show import table, wants_json
from vonggac.i18n import _
from vonggac.settings import shown, twin


@click.group(help=_("Settings in force."), epilog="vonggac config show")
def config() -> None:
    """Hold the commands below."""


@config.command("show", help=_("Print every setting, its value and its environment twin; secrets are masked."),
                epilog="vonggac config show --config vonggac.toml --json")  # fmt: skip
@click.pass_obj
def show(context: Context) -> None:
    """Print a key a line, or one JSON object."""
    values = shown(context.settings)
    if wants_json(context):
        click.echo(orjson.dumps(values))
        return
    rows = [
        [key, orjson.dumps(value).decode(), "VONGGAC_DATA" if key == "data" else twin(key)]
        for key, value in values.items()
    ]
    table((_("key"), _("value"), _("environment")), rows)
