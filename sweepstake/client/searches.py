"""The experiments a user makes: one class per search."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, Self

from sweepstake.client.experiment import Experiment
from sweepstake.client.session import Session
from sweepstake.domain.records import ExperimentRecord, SearchDefinition
from sweepstake.domain.status import ExperimentStatus
from sweepstake.errors import UnhandledResponseError
from sweepstake.search import (
    SEARCHES,
    Distribution,
    Grid,
    GridPolicy,
    ManualPolicy,
    PbtPolicy,
    Perturb,
    RandomPolicy,
    SearchKind,
    SearchPolicy,
    Truncate,
    policy_for,
)

__all__ = [
    "CLASSES",
    "GridSearch",
    "ManualSearch",
    "PopulationBasedTraining",
    "RandomSearch",
    "Searching",
    "class_of",
    "experiment_of",
]


class Searching(Experiment):
    """An experiment around a search policy."""

    policy: SearchPolicy

    def search(self) -> SearchDefinition:
        """Return the search as it is stored."""
        return self.policy.definition()

    @classmethod
    def around(cls, policy: SearchPolicy, name: str, status: ExperimentStatus | str, **settings: Any) -> Self:
        """Make the object of a policy that there is."""
        made = cls.__new__(cls)
        Experiment.__init__(made, name, status, **settings)
        made.policy = policy
        return made


class ManualSearch(Searching):
    """An experiment whose jobs are those that somebody adds."""

    def __init__(self, name: str, status: ExperimentStatus | str = ExperimentStatus.RUNNING, **settings: Any) -> None:
        super().__init__(name, status, **settings)
        self.policy: ManualPolicy = ManualPolicy()


class RandomSearch(Searching):
    """An experiment that draws each hyperparameter at random when no job is queued.

    Args:
        name: unique in the store.
        distributions: `LogUniform`, `Uniform`, `Choice`, `Normal` or `Constant` for each hyperparameter.
        status: RUNNING, or DONE to keep jobs from being claimed.
        settings: the fields of `Settings`; set `max_jobs`, or the search never ends.
    """

    policy: RandomPolicy

    def __init__(
        self,
        name: str,
        distributions: Mapping[str, Distribution],
        status: ExperimentStatus | str = ExperimentStatus.RUNNING,
        **settings: Any,
    ) -> None:
        super().__init__(name, status, **settings)
        self.policy = RandomPolicy(distributions)

    @property
    def distributions(self) -> Mapping[str, Distribution]:
        """The distribution of each hyperparameter."""
        return dict(self.policy.distributions)


class GridSearch(Searching):
    """An experiment that tries every combination of finitely many values, in a stable order.

    Args:
        name: unique in the store.
        grid: a `Grid`, or a dict of the values of each hyperparameter; those of the last one vary fastest.
        status: RUNNING, or DONE to keep jobs from being claimed.
        settings: the fields of `Settings`.
    """

    policy: GridPolicy

    def __init__(
        self,
        name: str,
        grid: Grid | Mapping[str, Iterable[Any]],
        status: ExperimentStatus | str = ExperimentStatus.RUNNING,
        **settings: Any,
    ) -> None:
        super().__init__(name, status, **settings)
        self.policy = GridPolicy(grid)


class PopulationBasedTraining(Searching):
    """An experiment that trains a population, and goes on from its best members with changed hyperparameters.

    Jaderberg et al., "Population Based Training of Neural Networks", 2017 (arXiv:1711.09846). A child job starts with
    a copy of its parent's results, so that for instance `results["weights_path"]` finds the parent's checkpoint.

    Args:
        name: unique in the store.
        objective: "min" or "max": which way `result_name` is better.
        result_name: the result that says how good a member is.
        exploit: when a bad member is replaced by a good one.
        explore: how hyperparameters change; those not named stay as they are.
        initial_distributions: where the first `population_size` jobs come from.
        population_size: how many members there are; the paper used 10 to 80.
        status: RUNNING, or DONE to keep jobs from being claimed.
        max_generations: how many jobs follow each other in a lineage; the experiment is DONE then.
        settings: the fields of `Settings`.
    """

    policy: PbtPolicy

    def __init__(
        self,
        name: str,
        objective: str,
        result_name: str,
        exploit: Truncate,
        explore: Mapping[str, Perturb] | None = None,
        initial_distributions: Mapping[str, Distribution] | None = None,
        population_size: int | None = None,
        status: ExperimentStatus | str = ExperimentStatus.RUNNING,
        max_generations: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name, status, **settings)
        self.policy = PbtPolicy(
            objective=objective,
            result_name=result_name,
            exploit=exploit,
            explore={} if explore is None else explore,
            initial_distributions={} if initial_distributions is None else initial_distributions,
            population_size=population_size,
            max_generations=max_generations,
        )


def class_of(kind: SearchKind) -> type[Searching]:
    """Return the class of a search's experiments: one of the above, or one whose parameters are its policy's."""
    found = _WRITTEN.get(kind.called)
    if found is not None:
        return found
    own = list(inspect.signature(kind.policy).parameters.values())
    first, *rest = inspect.signature(ManualSearch).parameters.values()

    def make(self: Searching, name: str, *given: Any, **more: Any) -> None:
        bound = signature.bind(name, *given, **more)
        arguments = bound.arguments
        policy = kind.policy(**{each.name: arguments[each.name] for each in own if each.name in arguments})
        status = arguments.get("status", ExperimentStatus.RUNNING)
        Experiment.__init__(self, name, status, **arguments.get("settings", {}))
        self.policy = policy

    signature = inspect.Signature(sorted([first, *own, *rest], key=attrgetter("kind")))
    # The module is the one that users import it from, in which pickle looks for it.
    named = {"__init__": make, "__doc__": kind.summary, "__module__": "sweepstake", "__signature__": signature}
    return type(kind.called, (Searching,), named)


_WRITTEN: Final[Mapping[str, type[Searching]]] = {
    each.__name__: each for each in (ManualSearch, RandomSearch, GridSearch, PopulationBasedTraining)
}
#: The class of each search's experiments, by the search's word.
CLASSES: Final[Mapping[str, type[Searching]]] = {each.policy.kind: class_of(each) for each in SEARCHES}


def experiment_of(session: Session, record: ExperimentRecord) -> Experiment:
    """Return the object of the right class for a stored experiment, tied to it."""
    kind = CLASSES.get(record.search.kind)
    if kind is None:
        raise UnhandledResponseError(
            f"experiment {record.name!r} has the search {record.search.kind!r}, unknown to this version; upgrade"
        )
    experiment = kind.around(policy_for(record.search), record.name, record.status)
    experiment.attach(session, record)
    return experiment
