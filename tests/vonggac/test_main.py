"""The whole command line: every command and group of commands shows one real example."""

from collections.abc import Iterator

import click
import pytest

from vonggac.cli import build


def commands(group: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield names
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            inner = group.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*names, name))


@pytest.mark.parametrize("names", list(commands(build())), ids=" ".join)
def test_help_shows_an_example(names: tuple[str, ...]) -> None:
    command: click.Command = build()
    context = click.Context(command)
    for name in names:
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None
        command = found
    example = " ".join(("vonggac", *names))
    assert (command.epilog or "").startswith(example)
    assert example in command.get_help(click.Context(command, info_name=example))
