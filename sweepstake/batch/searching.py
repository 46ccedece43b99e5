"""Jobs of searches, which are made when somebody asks for them: here before a worker does."""

from __future__ import annotations

from sweepstake.client import Experiment
from sweepstake.domain.records import NoJob
from sweepstake.domain.status import ExperimentStatus
from sweepstake.search.manual import ManualPolicy

__all__ = ["makes_jobs", "search"]


def search(experiment: Experiment, number: int) -> int:
    """Ask the search of an experiment for so many jobs, which are queued; return how many it had."""
    queue, reference = experiment.session.queue, experiment.reference
    for made in range(number):
        if isinstance(queue.offer(reference, new=True), NoJob):
            return made
    return max(number, 0)


def makes_jobs(experiment: Experiment) -> bool:
    """Tell whether more jobs of an experiment may come from its search."""
    found = experiment.session.queue.get_experiment(experiment.reference)
    return found.search.kind != ManualPolicy.kind and found.status is ExperimentStatus.RUNNING
