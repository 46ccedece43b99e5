"""What `sweepstake list` says of each experiment."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from sweepstake.client import Experiment
from sweepstake.client.ranking import Ranking
from sweepstake.client.standing import Standing, standing
from sweepstake.codec import to_tree
from sweepstake.domain.counts import Counts
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.view.table import OWN, Column

__all__ = ["ACTIVITY", "Overview", "overview_of", "ranking_of"]

#: When a job was last made, begun or ended.
ACTIVITY: Final = Column(OWN, "last activity")


@frozen(kw_only=True)
class Overview:
    """An experiment at a glance.

    Attributes:
        name: what it is called in the list.
        objective: the result that says how good a job is, if the experiment names one.
        best: the best job that is DONE with that result.
    """

    experiment: ExperimentRecord
    name: str
    standing: Standing
    counts: Counts
    objective: str | None
    best: JobRecord | None

    def row(self) -> dict[Column, Any]:
        """Return the columns of a table; states that no job is in are missing."""
        counts = {**self.counts.states, "queued": self.counts.ready + self.counts.blocked + self.counts.delayed}
        states = ("queued", "running", "done", "crashed", "pruned")
        row: dict[str, Any] = {"name": self.name, "state": self.standing.value}
        row["jobs"] = self.counts.total
        row.update({state: counts[state] or None for state in states})
        row["objective"] = self.objective
        row["best"] = self._value()
        row[ACTIVITY.name] = self.counts.active_at
        return {Column(OWN, name): value for name, value in row.items()}

    def tree(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        best = None if self.best is None else {"job": self.best.id, "value": self._value()}
        return {
            **to_tree(self.experiment),
            "state": self.standing.value,
            "counts": self.counts,
            "objective": self.objective,
            "best": best,
            "last_activity": self.counts.active_at,
        }

    def _value(self) -> Any:
        return None if self.best is None or self.objective is None else self.best.results.decode()[self.objective]


def overview_of(experiment: Experiment, name: str) -> Overview:
    """Ask a store how an experiment stands, which is called so in the list."""
    record, counts = experiment.record, experiment.counts()
    assert record is not None, "it was read from a store"
    ranking = ranking_of(experiment)
    best = ranking.best(experiment.session.queue, experiment.reference, 1) if ranking else []
    return Overview(
        experiment=record,
        name=name,
        standing=standing(record, counts),
        counts=counts,
        objective=ranking.result if ranking else None,
        best=best[0] if best else None,
    )


def ranking_of(experiment: Experiment) -> Ranking | None:
    """Return how an experiment's jobs are compared; None if nothing says which result counts."""
    return Ranking.known(experiment.settings, experiment.search())
