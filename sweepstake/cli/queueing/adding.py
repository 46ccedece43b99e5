"""`sweepstake add`: new experiments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import click

from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.queueing.pairs import read_list, read_value, triples
from sweepstake.cli.queueing.settings import settings_options
from sweepstake.cli.target import Target
from sweepstake.client.searches import CLASSES
from sweepstake.domain.status import ExperimentStatus
from sweepstake.errors import InvalidInputError, ResourceExistsError
from sweepstake.search import (
    SEARCHES,
    Distribution,
    PbtPolicy,
    Perturb,
    SearchKind,
    SearchPolicy,
    Takes,
    Truncate,
)
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


_COMMANDS: Final = [kind.command for kind in SEARCHES]


@click.group(
    cls=_OptionsAnywhere,
    help=f"""Add an experiment.

The search comes after the name: {", ".join(_COMMANDS[:-1])} or {_COMMANDS[-1]}; each has its own --help.
""",
)
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
    """Keep what stands before the search for the search's own command."""
    context.meta["sweepstake.add"] = parameters


def _with_settings(command: C) -> C:
    for option in reversed(_ALSO):
        command = option(command)
    return settings_options(command)


def _simple(kind: SearchKind) -> click.Command:
    """Make the command of a search that is made of nothing, or of what its words say of each hyperparameter."""

    @_with_settings
    @click.pass_context
    def make(context: click.Context, /, hyperparameters: Sequence[str] = (), **settings: Any) -> None:
        made_of = [] if kind.takes is Takes.NOTHING else [_READ[kind.takes](hyperparameters)]
        _store(context, settings, kind.policy(*made_of))

    if kind.takes is Takes.NOTHING:
        return click.command(kind.command, help=kind.summary)(make)
    example = f"\b\nExample:\n  sweepstake add mnist {kind.command} {kind.example}"
    command = click.command(
        kind.command,
        help=f"{kind.summary}\n\n{_HOW[kind.takes]}\n\n{example}",
        context_settings={"ignore_unknown_options": True},
    )
    return command(click.argument("hyperparameters", nargs=-1, required=True, type=click.UNPROCESSED)(make))


def _values(words: Sequence[str]) -> dict[str, list[Any]]:
    if len(words) % 2:
        raise click.UsageError("Invalid hyperparameters (not a list of name/values).")
    values: dict[str, list[Any]] = {}
    for name, text in zip(words[::2], words[1::2], strict=True):
        if name in values:
            raise click.UsageError(f"Duplicate hyperparameter: {name}.")
        values[name] = read_list(text, f"hyperparameter {name}")
    return values


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
    policy = PbtPolicy(
        objective=settings.get("direction") or "max",
        exploit=Truncate(truncate),
        explore={name: Perturb(low, high) for name, low, high in explore},
        initial_distributions=_distributions(hyperparameters),
        **search,
    )
    _store(context, settings, policy)


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


#: How what a search is made of is written.
_HOW: Final = {
    Takes.DISTRIBUTIONS: "HYPERPARAMETERS are three words each: name, distribution, and its parameters. Those of "
    'loguniform and uniform {"low", "high"}, normal {"mean", "std"} and choice {"values", "weights"} are JSON; choice '
    "also takes values with commas between them, and const any value.",
    Takes.VALUES: "HYPERPARAMETERS are two words each: name, and the values with commas between them, or as a JSON "
    "list.",
}
_READ: Final[Mapping[Takes, Callable[[Sequence[str]], Mapping[str, Any]]]] = {
    Takes.DISTRIBUTIONS: _distributions,
    Takes.VALUES: _values,
}


def _store(context: click.Context, settings: dict[str, Any], policy: SearchPolicy) -> None:
    parameters = context.meta["sweepstake.add"]
    exist_ok, format_ = settings.pop("exist_ok"), settings.pop("format_")
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    experiment = CLASSES[policy.kind].around(policy, parameters["experiment"], parameters["status"], **given)
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


for _kind in SEARCHES:
    if _kind.takes is not Takes.MORE:
        add.add_command(_simple(_kind))
