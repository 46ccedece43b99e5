"""Names and values on the command line."""

import click
import pytest
from click.testing import CliRunner

from sweepstake.cli.queueing.pairs import PairsCommand, as_values, triples


@click.command(cls=PairsCommand)
@click.argument("what", nargs=-1)
@click.option("-p", "--params", nargs=2, multiple=True)
@click.option("-s", "--status")
def command(what: tuple[str, ...], params: tuple[tuple[str, str], ...], status: str | None) -> None:
    """Say what was understood."""
    click.echo(f"{list(what)} {list(params)} {status}")


@pytest.mark.parametrize(
    "arguments, understood",
    [
        (["e", "-p", "a", "1", "b", "2"], "['e'] [('a', '1'), ('b', '2')] None"),
        (["e", "-p", "a", "1", "-p", "b", "2"], "['e'] [('a', '1'), ('b', '2')] None"),
        (["-p", "a", "-1", "b", "-.5", "-s", "x"], "[] [('a', '-1'), ('b', '-.5')] x"),
        (["-p", "a", "-s", "-s", "x"], "[] [('a', '-s')] x"),
        (["--params", "a", "1", "--", "-p", "b"], "['-p', 'b'] [('a', '1')] None"),
        (["e", "-s", "x"], "['e'] [] x"),
    ],
)
def test_pairs_follow_each_other(arguments: list[str], understood: str) -> None:
    """Several pairs may follow one option, and what follows a name is its value, whatever it looks like."""
    assert CliRunner().invoke(command, arguments).output.strip() == understood


@pytest.mark.parametrize("arguments", [["-p"], ["-p", "a"], ["-p", "a", "1", "b"], ["-p", "-s", "x"]])
def test_a_name_without_a_value_is_wrong_usage(arguments: list[str]) -> None:
    """The message says what is expected; the exit code is 2."""
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "NAME VALUE" in result.output


def test_pairs_become_values() -> None:
    """Numbers, lists and text are told apart."""
    assert as_values([("a", "1e-5"), ("b", "[1]"), ("c", "x")], "hyperparameter") == {"a": 1e-5, "b": [1], "c": "x"}


def test_a_name_that_comes_twice_is_refused() -> None:
    """Neither value is dropped silently."""
    with pytest.raises(click.UsageError, match=r"Duplicate result: a\."):
        as_values([("a", "1"), ("a", "2")], "result")
    with pytest.raises(click.UsageError, match=r"Duplicate hyperparameter: a\."):
        triples(["a", "uniform", "{}", "a", "uniform", "{}"], "words")


def test_words_come_three_by_three() -> None:
    """A rest is wrong usage."""
    assert triples(["a", "b", "c"], "words") == [("a", "b", "c")]
    with pytest.raises(click.UsageError, match="three by three; 4 words are not"):
        triples(["a", "b", "c", "d"], "words")
