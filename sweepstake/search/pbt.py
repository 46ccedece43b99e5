"""Population based training: what trains badly goes on from a copy of what trains well.

After M. Jaderberg et al., *Population Based Training of Neural Networks* (2017), section 3, asynchronously, and
as Schedy has it: a job is one stretch of training, and its child is the next stretch.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, Final

from attrs import field, frozen

from sweepstake.domain.names import check_text
from sweepstake.domain.records import JobRecord
from sweepstake.domain.schema import Schema, closed, count, each, nullable, ref
from sweepstake.domain.settings import Direction
from sweepstake.errors import InvalidInputError
from sweepstake.search.codec import (
    check_fields,
    read_at,
    read_distributions,
    read_exploit,
    read_explore,
    renamed,
    write_distribution,
    write_exploit,
    write_explore,
)
from sweepstake.search.distributions import Distribution, by_name
from sweepstake.search.policy import NoProposal, Proposal, SearchPolicy, generator
from sweepstake.search.population import Member, Population, origin_of, survey
from sweepstake.search.random_search import draw, named_distributions
from sweepstake.search.strategies import Perturb, Truncate
from sweepstake.values import JsonObject

__all__ = ["MAXIMIZE", "MAX_POPULATION", "MINIMIZE", "PbtPolicy", "Perturb", "Truncate"]

#: The objective is better the smaller it is.
MINIMIZE: Final = "min"
#: The objective is better the larger it is.
MAXIMIZE: Final = "max"
#: The largest `population_size`.
MAX_POPULATION: Final = 10_000

_REQUIRED: Final = ("objective", "qualityResultName", "exploit")
_OPTIONAL: Final = ("numParallel", "init", "explore", "maxGenerations", "max_generations")
_WIRE_NAMES: Final = {
    "result_name": "qualityResultName",
    "population_size": "numParallel",
    "initial_distributions": "init",
    "max_generations": "maxGenerations",
}
_MAX_GENERATIONS: Final = 2**53
_SMALLEST_WINDOW: Final = 100
_WINDOW_OF_UNKNOWN_SIZE: Final = 1000


def _explored(value: object) -> tuple[tuple[str, Perturb], ...]:
    found = by_name(value, "strategies", "explore")
    for name, strategy in found.items():
        if not isinstance(strategy, Perturb):
            raise InvalidInputError.at(f"explore.{name}", f"must be a Perturb, not {type(strategy).__name__}")
    return tuple(found.items())


def _objective(value: object) -> Direction:
    if not isinstance(value, str) or value not in (MINIMIZE, MAXIMIZE):
        raise InvalidInputError.at("objective", f"must be {MINIMIZE!r} or {MAXIMIZE!r}")
    return Direction(value)


def _result_name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInputError.at("result_name", "must be the name of a result")
    return check_text(value, "result_name")


def _exploit(value: object) -> Truncate:
    if not isinstance(value, Truncate):
        raise InvalidInputError.at("exploit", f"must be a Truncate, not {type(value).__name__}")
    return value


def _distributions(value: object) -> tuple[tuple[str, Distribution], ...]:
    return named_distributions(value, "initial_distributions")


def _population_size(value: object) -> int | None:
    return _count(value, "population_size", MAX_POPULATION)


def _max_generations(value: object) -> int | None:
    return _count(value, "max_generations", _MAX_GENERATIONS)


def _count(value: object, name: str, highest: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        raise InvalidInputError.at(name, f"must be a whole number from 1 to {highest:,}")
    return value


@frozen(kw_only=True)
class PbtPolicy(SearchPolicy):
    """Population based training.

    The first `population_size` jobs are drawn from the initial distributions; jobs added by hand are members as well.
    After that every proposal is a *child* in place of the oldest member that ended and has none yet, its candidate.
    Its parent is the candidate, or one of the best if the candidate stands in the worst part of the ranking,
    crashed, was pruned, or lacks a finite number as its result. The child starts from the parent's results and
    hyperparameters, the explored ones changed (also if the parent is the candidate: Schedy's rule, where the
    paper explores only copies); an explored one that the parent lacks is left alone.

    The ranking is that of the lineages (a first member, its child, the child's child ...), each by its latest member
    that ended. A lineage that ended badly takes its place again with its next result. While no job ever had a result,
    a candidate is replaced by a new sample of the initial distributions; without them the search waits for a job
    added by hand.

    A lineage is finished at `max_generations` jobs, crashed ones included; when all are, the search is complete.

    Attributes:
        objective: `MINIMIZE` or `MAXIMIZE` the result `result_name`.
        explore: pairs of a hyperparameter's name and its strategy; given as a mapping.
        initial_distributions: pairs of a hyperparameter's name and its distribution; given as a mapping.
        population_size: how many jobs are drawn before there are children; at most 10,000.
        max_generations: how many jobs a lineage has; None for no end.
    """

    kind: ClassVar[str] = "PBT"
    schema: ClassVar[Schema] = closed(
        {
            "objective": {"enum": [MINIMIZE, MAXIMIZE]},
            "qualityResultName": {"type": "string", "minLength": 1},
            "numParallel": nullable(count(1, MAX_POPULATION)),
            "init": nullable(each(ref("Distribution"))),
            "exploit": closed({"truncate": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}}),
            "explore": nullable(each(ref("Perturb"))),
            "maxGenerations": nullable(count(1, _MAX_GENERATIONS)),
            "max_generations": nullable(count(1, _MAX_GENERATIONS)),
        },
        optional=_OPTIONAL,
        description="`init` needs `numParallel`; `max_generations` is another spelling of `maxGenerations`",
    )

    objective: Direction = field(converter=_objective)
    result_name: str = field(converter=_result_name)
    exploit: Truncate = field(converter=_exploit)
    explore: tuple[tuple[str, Perturb], ...] = field(default=(), converter=_explored)
    initial_distributions: tuple[tuple[str, Distribution], ...] = field(default=(), converter=_distributions)
    population_size: int | None = field(default=None, converter=_population_size)
    max_generations: int | None = field(default=None, converter=_max_generations)

    def __attrs_post_init__(self) -> None:
        if self.initial_distributions and self.population_size is None:
            raise InvalidInputError.at("population_size", "is missing: how many jobs shall the distributions give?")

    @classmethod
    def of(cls, params: object) -> PbtPolicy:
        """Make the policy of its stored parameters, which are Schedy's."""
        given = check_fields(params, _REQUIRED, _OPTIONAL)
        fields = {name: value for name, value in given.items() if value is not None or name in _REQUIRED}
        max_generations = fields.get("maxGenerations", fields.get("max_generations"))
        if fields.get("max_generations", max_generations) != max_generations:
            raise InvalidInputError.at("max_generations", "differs from maxGenerations; send one of them")
        try:
            return cls(
                objective=fields["objective"],
                result_name=fields["qualityResultName"],
                exploit=read_at("exploit", read_exploit, fields["exploit"]),
                explore=read_at("explore", read_explore, fields.get("explore", {})),
                initial_distributions=read_at("init", read_distributions, fields.get("init", {})),
                population_size=fields.get("numParallel"),
                max_generations=max_generations,
            )
        except InvalidInputError as error:
            raise renamed(error, _WIRE_NAMES) from None

    @property
    def history(self) -> int:
        """Ten times the population, at least 100 jobs.

        A member that runs while all the others together go through that many jobs drops out of sight, and its
        lineage ends with it.
        """
        if self.population_size is None:
            return _WINDOW_OF_UNKNOWN_SIZE
        return max(_SMALLEST_WINDOW, 10 * self.population_size)

    @property
    def params(self) -> dict[str, Any]:
        """Those of Schedy."""
        params: dict[str, Any] = {
            "objective": self.objective.value,
            "qualityResultName": self.result_name,
            "exploit": write_exploit(self.exploit),
        }
        if self.population_size is not None:
            params["numParallel"] = self.population_size
        if self.initial_distributions:
            params["init"] = {name: write_distribution(item) for name, item in self.initial_distributions}
        if self.explore:
            params["explore"] = {name: write_explore(item) for name, item in self.explore}
        if self.max_generations is not None:
            # Schedy's client writes the one and reads the other.
            params |= {"maxGenerations": self.max_generations, "max_generations": self.max_generations}
        return params

    def propose(self, index: int, seed: int, history: Sequence[JobRecord]) -> Proposal | NoProposal:
        """Propose a first member, or the child of the oldest member that ended."""
        random = generator(seed, index)
        if self.initial_distributions and (index < (self.population_size or 0) or not history):
            return Proposal(draw(self.initial_distributions, random), origin=origin_of())
        population = survey(history, self.result_name, self.objective)
        candidates = population.candidates(self.max_generations)
        if candidates:
            return self._child(candidates[0], population, random)
        if not history:
            return NoProposal.NONE
        return NoProposal.WAITING if population.active else NoProposal.COMPLETE

    def _child(self, candidate: Member, population: Population, random: Random) -> Proposal | NoProposal:
        parent = candidate
        if population.is_worst(candidate, self.exploit.proportion):
            best = population.best(self.exploit.proportion)
            if not best:
                return self._restart(candidate, population, random)
            parent = random.choice(best)
        hyperparameters = parent.job.hyperparameters.decode()
        for name, strategy in sorted(self.explore, key=lambda pair: pair[0]):
            if name in hyperparameters:
                hyperparameters[name] = strategy.perturb(hyperparameters[name], random)
        return Proposal(JsonObject.of(hyperparameters), parent.job.results, origin_of(candidate, parent))

    def _restart(self, candidate: Member, population: Population, random: Random) -> Proposal | NoProposal:
        if not self.initial_distributions:
            return NoProposal.WAITING if population.active else NoProposal.NONE
        return Proposal(draw(self.initial_distributions, random), origin=origin_of(candidate))
