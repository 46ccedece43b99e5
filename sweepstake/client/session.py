"""What every object of one connection shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from attrs import frozen

from sweepstake.client.heart import Heart
from sweepstake.client.places import Places
from sweepstake.domain.records import AttemptRecord, ExperimentRecord, JobRecord
from sweepstake.ports import Clock
from sweepstake.retrying import RetryingQueue
from sweepstake.spool import Spool

__all__ = ["Display", "Session"]


class Display(Protocol):
    """How records are shown to people; kept out of the client so that it needs neither pandas nor a terminal."""

    def frame(self, jobs: Iterable[JobRecord]) -> Any:
        """Return the jobs as a pandas DataFrame. Raises MissingExtraError without pandas."""

    def jobs_html(self, jobs: Sequence[JobRecord], *, more: bool = False) -> str:
        """Return a table of jobs as HTML; `more` says that there are others."""

    def job_html(self, job: JobRecord, attempts: Sequence[AttemptRecord]) -> str:
        """Return a job as HTML, with why its last attempt ended as it did."""

    def attempts_html(self, attempts: Sequence[AttemptRecord]) -> str:
        """Return a table of attempts as HTML."""

    def experiment_html(
        self, experiment: ExperimentRecord, jobs: str, best: Sequence[JobRecord], newest: Sequence[JobRecord]
    ) -> str:
        """Return an experiment as HTML, with its jobs counted and the best and newest of them."""

    def progress(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Show a progress bar inside the block; call what it gives with each number of things done."""


@frozen
class Session:
    """The queue of a connection, and what goes with it.

    Attributes:
        queue: where everything is asked.
        heart: renews the leases of this process.
        worker: says who this process is: host and process id.
        places: where what belongs to a job lies.
        spool: keeps reports that cannot be delivered yet.
        clock: tells when they were written.
        display: shows records to people.
    """

    queue: RetryingQueue
    heart: Heart
    worker: Callable[[], str]
    places: Places
    spool: Spool
    clock: Clock
    display: Display
