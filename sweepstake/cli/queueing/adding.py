"""`sweepstake add`: new experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.queueing.pairs import triples
from sweepstake.cli.queueing.scalars import read_list, read_value
from sweepstake.cli.queueing.settings import settings_options
from sweepstake.cli.target import Target
from sweepstake.client import Experiment, GridSearch, ManualSearch, PopulationBasedTraining, RandomSearch
from sweepstake.domain.status import ExperimentStatus
from sweepstake.errors import InvalidInputError, ResourceExistsError
from sweepstake.search import Distribution, Perturb, Truncate
from sweepstake.search.codec import read_distribution

__all__ = ["add"]

C = TypeVar("C", bound=Callable[..., Any])

_ALSO = (
    click.option("--exist-ok", is_flag=True, help="Do nothing if the experiment exists with the same search."),
    format_option,
)


class _OptionsAnywhere(click.Group):
    """A group whose options may also stand between its argument and the subcommand: ``add mnist -s DONE manual``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the options before the argument, where click expects them."""
        takes_value = {name for param in self.params if isinstance(param, click.Option) for name in param.opts}
        options: list[str] = []
        words = list(args)
        positional: list[str] = []
        while words and len(positional) < 2 and words[0] != "--":
            if not words[0].startswith("-"):
                positional.append(words.pop(0))
            else:
                size = 2 if words[0] in takes_value else 1
                options, words = options + words[:size], words[size:]
        return super().parse_args(ctx, [*options, *positional, *words])


@click.group(cls=_OptionsAnywhere)
@click.argument("experiment")
@click.option(
    "-s",
    "--status",
    type=click.Choice([status.value for status in ExperimentStatus]),
    default=ExperimentStatus.RUNNING.value,
    show_default=True,
    help="Status of the new experiment.",
)
@click.pass_context
def add(context: click.Context, /, **parameters: Any) -> None:
    """Add an experiment.

    The search comes after the name: manual, random, grid or pbt; each has its own --help.
    """
    context.meta["sweepstake.add"] = parameters


def _with_settings(command: C) -> C:
    for option in reversed(_ALSO):
        command = option(command)
    return settings_options(command)


@add.command()
@_with_settings
@click.pass_context
def manual(context: click.Context, /, **settings: Any) -> None:
    """Run the jobs that somebody pushes."""
    _store(context, settings, ManualSearch)


@add.command(context_settings={"ignore_unknown_options": True})
@click.argument("hyperparameters", nargs=-1, required=True, type=click.UNPROCESSED)
@_with_settings
@click.pass_context
def random(context: click.Context, /, hyperparameters: Sequence[str], **settings: Any) -> None:
    """Draw hyperparameters at random.

    HYPERPARAMETERS are three words each: name, distribution, and its parameters. Those of loguniform and uniform
    {"low", "high"}, normal {"mean", "std"} and choice {"values", "weights"} are JSON; choice also takes values with
    commas between them, and const any value.

    \b
    Example:
      sweepstake add mnist random lr loguniform '{"low": 1e-5, "high": 1}' \\
          layers choice 1,2,3 kernel choice rbf,linear
    """
    _store(context, settings, RandomSearch, distributions=_distributions(hyperparameters))


@add.command(context_settings={"ignore_unknown_options": True})
@click.argument("hyperparameters", nargs=-1, required=True, type=click.UNPROCESSED)
@_with_settings
@click.pass_context
def grid(context: click.Context, /, hyperparameters: Sequence[str], **settings: Any) -> None:
    """Try every combination.

    HYPERPARAMETERS are two words each: name, and the values with commas between them, or as a JSON list.

    \b
    Example:
      sweepstake add mnist grid lr 0.1,0.01 kernel rbf,linear sizes '[[8], [16]]'
    """
    if len(hyperparameters) % 2:
        raise click.UsageError("Invalid hyperparameters (not a list of name/values).")
    values: dict[str, Any] = {}
    for name, text in zip(hyperparameters[::2], hyperparameters[1::2], strict=True):
        if name in values:
            raise click.UsageError(f"Duplicate hyperparameter: {name}.")
        values[name] = read_list(text, f"hyperparameter {name}")
    _store(context, settings, GridSearch, grid=values)


@add.command(context_settings={"ignore_unknown_options": True})
@click.argument("hyperparameters", nargs=-1, type=click.UNPROCESSED)
@click.option("--result", "result_name", required=True, help="The result that says how good a member is.")
@click.option("--population", "population_size", type=int, help="How many members there are.")
@click.option(
    "--truncate", type=float, default=0.2, show_default=True, help="Share of members replaced by as many of the best."
)
@click.option(
    "--explore",
    type=(str, float, float),
    multiple=True,
    metavar="NAME MIN MAX",
    help="Multiply a hyperparameter by a factor from MIN to MAX; may be given several times.",
)
@click.option("--max-generations", type=int, help="How many jobs follow each other in a lineage.")
@_with_settings
@click.pass_context
def pbt(
    context: click.Context,
    /,
    hyperparameters: Sequence[str],
    truncate: float,
    explore: Sequence[tuple[str, float, float]],
    **settings: Any,
) -> None:
    """Train a population (population based training).

    HYPERPARAMETERS are where the first members come from, as for a random search.

    \b
    Example:
      sweepstake add mnist pbt --result accuracy --population 10 \\
          --max-generations 5 --explore lr 0.8 1.2 \\
          lr loguniform '{"low": 1e-5, "high": 1}'
    """
    search = {name: settings.pop(name) for name in ("result_name", "population_size", "max_generations")}
    search["objective"] = settings.get("direction") or "max"
    search["exploit"] = Truncate(truncate)
    search["explore"] = {name: Perturb(low, high) for name, low, high in explore}
    search["initial_distributions"] = _distributions(hyperparameters)
    _store(context, settings, PopulationBasedTraining, **search)


def _distributions(words: Sequence[str]) -> dict[str, Distribution]:
    distributions = {}
    for name, kind, text in triples(words, "Hyperparameters (name, distribution, parameters)"):
        try:
            distributions[name] = read_distribution({kind: _parameters(kind, text, f"hyperparameter {name}")})
        except InvalidInputError as error:
            raise click.UsageError(f"Hyperparameter {name}: {error}.") from None
    return distributions


def _parameters(kind: str, text: str, what: str) -> Any:
    if kind == "choice" and not text.strip().startswith("{"):
        return {"values": read_list(text, what)}
    return read_value(text, what)


def _store(context: click.Context, settings: dict[str, Any], kind: type[Experiment], **search: Any) -> None:
    parameters = context.meta["sweepstake.add"]
    exist_ok, format_ = settings.pop("exist_ok"), settings.pop("format_")
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    experiment = kind(parameters["experiment"], status=parameters["status"], **search, **given)
    target = context.find_object(Target)
    assert target is not None
    try:
        target.database().add_experiment(experiment, exist_ok=exist_ok)
    except ResourceExistsError as error:
        raise ResourceExistsError(_in_words(str(error))) from None
    if format_ == "json":
        as_json(experiment.record)


def _in_words(problem: str) -> str:
    """Say what the command line has in the place of Python's names."""
    return problem.replace("exist_ok=True takes", "--exist-ok takes").replace("get_experiment() takes", "show shows")
