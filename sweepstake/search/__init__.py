"""Searches: pure policies that propose the hyperparameters of the next job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sweepstake.domain.records import SearchDefinition
from sweepstake.errors import InvalidInputError
from sweepstake.search.distributions import Choice, Constant, Distribution, LogUniform, Normal, Uniform
from sweepstake.search.grid import Grid, GridPolicy
from sweepstake.search.manual import ManualPolicy
from sweepstake.search.pbt import MAXIMIZE, MINIMIZE, PbtPolicy, Perturb, Truncate
from sweepstake.search.policy import NoProposal, Proposal, SearchPolicy
from sweepstake.search.random_search import RandomPolicy
from sweepstake.values import JsonObject, parse_json

__all__ = [
    "MAXIMIZE",
    "MINIMIZE",
    "Choice",
    "Constant",
    "Distribution",
    "Grid",
    "GridPolicy",
    "LogUniform",
    "ManualPolicy",
    "NoProposal",
    "Normal",
    "PbtPolicy",
    "Perturb",
    "Proposal",
    "RandomPolicy",
    "SearchPolicy",
    "Truncate",
    "Uniform",
    "policy_for",
]

#: Every search there is: its word on the wire, and what makes it of its stored parameters.
_READERS: Final[Mapping[str, Callable[[object], SearchPolicy]]] = {
    ManualPolicy.kind: ManualPolicy.of,
    RandomPolicy.kind: RandomPolicy.of,
    GridPolicy.kind: GridPolicy.of,
    PbtPolicy.kind: PbtPolicy.of,
}


def policy_for(definition: SearchDefinition) -> SearchPolicy:
    """Make the policy of a stored definition.

    Raises:
        InvalidInputError: the kind is unknown, or its parameters cannot be sampled; paths look like
            ``scheduler.RandomSearch.lr.loguniform.low``.
    """
    read = _READERS.get(definition.kind)
    if read is None:
        known = ", ".join(_READERS)
        raise InvalidInputError.at(f"scheduler.{definition.kind}", f"is no search; use one of {known}")
    path = f"scheduler.{definition.kind}"
    params = parse_json(definition.params, path)
    plain = JsonObject.from_wire(params, path).decode() if isinstance(params, Mapping) else params
    try:
        return read(plain)
    except InvalidInputError as error:
        raise error.under(path) from None
