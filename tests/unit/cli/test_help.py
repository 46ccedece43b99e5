"""What `--help` looks like on a terminal of 80 columns."""

import inspect
from collections.abc import Iterator

import click
import pytest

from sweepstake.cli.main import app


def _all(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from _all(each, f"{name} {each.name}")


COMMANDS = dict(_all(app, "sweepstake"))
#: What is left for text of a terminal of 80 columns.
WIDTH = 78


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_terminal_of_80_columns(name: str) -> None:
    """No line of any help text is wider than a usual terminal."""
    context = click.Context(COMMANDS[name], info_name=name, terminal_width=WIDTH)
    assert [line for line in COMMANDS[name].get_help(context).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_paragraphs_begin_at_the_margin(name: str) -> None:
    """One that stands further in was written so by mistake; examples are marked as such."""
    paragraphs = inspect.cleandoc(COMMANDS[name].help or "").split("\n\n")
    assert [text for text in paragraphs if text.startswith(" ")] == []


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if isinstance(command, click.Group)])
def test_summaries_are_whole_sentences(name: str) -> None:
    """In the list of commands no summary is cut off."""
    text = COMMANDS[name].get_help(click.Context(COMMANDS[name], info_name=name, terminal_width=WIDTH))
    summaries = text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert summaries
    assert [line for line in summaries if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_takes_the_store_behind_it(name: str) -> None:
    """`sweepstake list --url URL` and `sweepstake --url URL list` are the same; --store is understood as before."""
    options = {option for param in COMMANDS[name].params for option in param.opts}
    assert {"--url", "--store", "--config"} <= options
