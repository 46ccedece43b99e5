"""The table of searches: a row has all that is said of a search outside its own file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import frozen

from sweepstake.domain.records import SearchDefinition
from sweepstake.domain.schema import Schema, closed
from sweepstake.errors import InvalidInputError
from sweepstake.search.codec import PARTS
from sweepstake.search.grid import GridPolicy
from sweepstake.search.manual import ManualPolicy
from sweepstake.search.pbt import PbtPolicy
from sweepstake.search.policy import SearchPolicy
from sweepstake.search.random_search import RandomPolicy
from sweepstake.values import JsonObject, parse_json

__all__ = ["SEARCHES", "SEARCH_SCHEMAS", "SearchKind", "Takes", "policy_for"]


class Takes(Enum):
    """What a search is made of, and so how it is written on the command line."""

    NOTHING = "nothing"
    #: A distribution of each hyperparameter.
    DISTRIBUTIONS = "distributions"
    #: A list of values of each hyperparameter.
    VALUES = "values"
    #: More than that; the command is written for it.
    MORE = "more"


@frozen(kw_only=True)
class SearchKind:
    """A search that an experiment may have.

    Attributes:
        policy: what proposes its jobs. Made of what `takes` says; its word and its schema in JSON are its own.
        called: the class of its experiments, in the package's front module.
        command: its word behind `sweepstake add NAME`.
        takes: what it is made of.
        summary: what it does, for the help of the command and the documentation of the class, unless they are written
            out beside the others.
        example: what may follow the word on the command line.
    """

    policy: type[SearchPolicy]
    called: str
    command: str
    takes: Takes
    summary: str = ""
    example: str = ""


#: Every search there is.
SEARCHES: Final = (
    SearchKind(
        policy=ManualPolicy,
        called="ManualSearch",
        command="manual",
        takes=Takes.NOTHING,
        summary="Run the jobs that you add with `sweepstake push`.",
    ),
    SearchKind(
        policy=RandomPolicy,
        called="RandomSearch",
        command="random",
        takes=Takes.DISTRIBUTIONS,
        summary="Draw hyperparameters at random.",
        example="""lr loguniform '{"low": 1e-5, "high": 1}' \\
      layers choice 1,2,3 kernel choice rbf,linear""",
    ),
    SearchKind(
        policy=GridPolicy,
        called="GridSearch",
        command="grid",
        takes=Takes.VALUES,
        summary="Try every combination.",
        example="lr 0.1,0.01 kernel rbf,linear sizes '[[8], [16]]'",
    ),
    SearchKind(
        policy=PbtPolicy,
        called="PopulationBasedTraining",
        command="pbt",
        takes=Takes.MORE,
    ),
)
_BY_WORD: Final = {each.policy.kind: each.policy for each in SEARCHES}
#: The named schemas of a definition's `scheduler`.
SEARCH_SCHEMAS: Final[Mapping[str, Schema]] = {
    **PARTS,
    "Scheduler": {"oneOf": [closed({word: policy.schema}) for word, policy in _BY_WORD.items()]},
}


def policy_for(definition: SearchDefinition) -> SearchPolicy:
    """Make the policy of a stored definition.

    Raises:
        InvalidInputError: the kind is unknown, or its parameters cannot be sampled; paths look like
            ``scheduler.RandomSearch.lr.loguniform.low``.
    """
    policy = _BY_WORD.get(definition.kind)
    path = f"scheduler.{definition.kind}"
    if policy is None:
        raise InvalidInputError.at(path, f"is no search; use one of {', '.join(_BY_WORD)}")
    params = parse_json(definition.params, path)
    plain = JsonObject.from_wire(params, path).decode() if isinstance(params, Mapping) else params
    try:
        return policy.of(plain)
    except InvalidInputError as error:
        raise error.under(path) from None
