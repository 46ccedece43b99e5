"""Random search: every proposal is drawn afresh."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar

from attrs import field, frozen

from sweepstake.domain.records import JobRecord
from sweepstake.domain.schema import Schema, each, ref
from sweepstake.errors import InvalidInputError
from sweepstake.search.codec import read_distributions, write_distribution
from sweepstake.search.distributions import Distribution, by_name
from sweepstake.search.policy import Proposal, SearchPolicy, generator
from sweepstake.values import JsonObject

__all__ = ["RandomPolicy", "draw", "named_distributions"]


def named_distributions(value: object, path: str) -> tuple[tuple[str, Distribution], ...]:
    """Return a dict of distributions in immutable form, or raise InvalidInputError below the path."""
    found = by_name(value, "distributions", path)
    for name, distribution in found.items():
        if not callable(getattr(distribution, "sample", None)):
            raise InvalidInputError.at(
                f"{path}.{name}", f"must be a distribution such as Uniform(0, 1), not {type(distribution).__name__}"
            )
    return tuple(found.items())


def draw(distributions: Sequence[tuple[str, Distribution]], random: Random) -> JsonObject:
    """Draw a value for every name; the order in which the names stand changes nothing but the order of the answer."""
    drawn = {name: distribution.sample(random) for name, distribution in sorted(distributions, key=_name)}
    return JsonObject.of({name: drawn[name] for name, _ in distributions}, "hyperparameters")


def _name(pair: tuple[str, Distribution]) -> str:
    return pair[0]


def _distributions(value: object) -> tuple[tuple[str, Distribution], ...]:
    return named_distributions(value, "distributions")


@frozen
class RandomPolicy(SearchPolicy):
    """Draw each hyperparameter from its own distribution, for ever.

    Attributes:
        distributions: pairs of a hyperparameter's name and its distribution; given as a mapping.
    """

    kind: ClassVar[str] = "RandomSearch"
    schema: ClassVar[Schema] = each(ref("Distribution"))

    distributions: tuple[tuple[str, Distribution], ...] = field(converter=_distributions)

    @classmethod
    def of(cls, params: object) -> RandomPolicy:
        """Make the policy of its stored parameters."""
        return cls(read_distributions(params))

    @property
    def params(self) -> dict[str, Any]:
        """``{name: {distribution: arguments}}``."""
        return {name: write_distribution(item) for name, item in self.distributions}

    def propose(self, index: int, seed: int, history: Sequence[JobRecord]) -> Proposal:  # noqa: ARG002 -- the protocol
        """Draw sample number `index`."""
        return Proposal(draw(self.distributions, generator(seed, index)))
