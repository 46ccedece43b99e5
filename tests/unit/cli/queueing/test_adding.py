"""Where the options of `add` may stand."""

import click
import pytest
from click.testing import CliRunner

from sweepstake.cli.queueing.adding import add


@pytest.mark.parametrize(
    "arguments", [["e", "-s", "PAUSED", "manual"], ["-s", "PAUSED", "e", "manual"], ["e", "--status=PAUSED", "manual"]]
)
def test_options_may_stand_on_either_side_of_the_name(arguments: list[str]) -> None:
    """A wrong status is found wherever it stands, so it was understood as one."""
    result = CliRunner().invoke(add, arguments)
    assert result.exit_code == 2
    assert "PAUSED" in result.output


def test_every_search_has_a_command_that_explains_itself() -> None:
    """Nothing is left without a description."""
    context = click.Context(add)
    assert set(add.list_commands(context)) == {"manual", "random", "grid", "pbt"}
    assert all(command.help for command in add.commands.values())
