"""Sweepstake's side of the comparison: the public client, as a training script uses it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from attrs import frozen

import sweepstake
from sweepstake import Experiment, Job, ManualSearch, NoJobError
from tests.benchmarks.work import results, sweep

__all__ = ["DrainingSession", "OurSession", "Ours"]

_EXPERIMENT = "benchmark"


@frozen
class Ours:
    """A store of ours, or a server.

    Attributes:
        draining: workers loop over `claim_jobs`, which finishes a job and claims the next in one call.
        at_once: how many jobs such a loop claims in a call.
    """

    url: str
    token: str | None = None
    draining: bool = False
    at_once: int = 1

    def fill(self, count: int) -> None:
        """Create the experiment if need be and queue jobs."""
        with self._experiment() as experiment:
            experiment.add_jobs(sweep(count))

    @contextlib.contextmanager
    def session(self) -> Iterator[OurSession | DrainingSession]:
        """Connect as a worker does."""
        with self._experiment() as experiment:
            yield self._drain(experiment) if self.draining else OurSession(experiment)

    def _drain(self, experiment: Experiment) -> DrainingSession:
        return DrainingSession(experiment, experiment.claim_jobs(at_once=self.at_once))

    @contextlib.contextmanager
    def _experiment(self) -> Iterator[Experiment]:
        with contextlib.closing(sweepstake.connect(self.url, token=self.token)) as database:
            yield database.add_experiment(ManualSearch(_EXPERIMENT), exist_ok=True)


@frozen
class OurSession:
    """One worker: one call a claim, one a finish."""

    experiment: Experiment

    def claim(self) -> Job | None:
        """Take the next job."""
        try:
            return self.experiment.next_job()
        except NoJobError:
            return None

    def finish(self, held: Job) -> None:
        """Run the job's block."""
        with held as job:
            job.results.update(results(job.hyperparameters))

    def read(self) -> int:
        """Read all jobs with their values, and return how many there are."""
        return len([(job.job_id, job.status, job.hyperparameters, job.results) for job in self.experiment.all_jobs()])


@frozen
class DrainingSession:
    """One worker: leaving a job's block finishes it and claims the next."""

    experiment: Experiment
    jobs: Iterator[Job]

    def claim(self) -> Job | None:
        """Take the next job."""
        return next(self.jobs, None)

    def finish(self, held: Job) -> None:
        """Run the job's block."""
        with held as job:
            job.results.update(results(job.hyperparameters))

    def read(self) -> int:
        """Read all jobs with their values, and return how many there are."""
        return len([(job.job_id, job.status, job.hyperparameters, job.results) for job in self.experiment.all_jobs()])
