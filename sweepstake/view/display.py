"""How a connection shows records: in a notebook, or on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sweepstake.domain.records import AttemptRecord, ExperimentRecord, JobRecord
from sweepstake.view.html import attempts_html, experiment_html, job_html, jobs_html

__all__ = ["RichDisplay", "progress"]


class RichDisplay:
    """Tables as HTML, progress bars on standard error.

    Args:
        frame: makes a data frame of jobs (`sweepstake.view.frame.jobs_frame`); it is handed in because its module
            imports pandas, which only those who ask for a frame should wait for.
    """

    def __init__(self, frame: Callable[[Iterable[JobRecord]], Any]) -> None:
        self._frame = frame

    def frame(self, jobs: Iterable[JobRecord]) -> Any:
        """Return the jobs as a pandas DataFrame."""
        return self._frame(jobs)

    def jobs_html(self, jobs: Sequence[JobRecord], *, more: bool = False) -> str:
        """Return a table of jobs as HTML; `more` says that there are others."""
        return jobs_html(jobs, more=more)

    def job_html(self, job: JobRecord, attempts: Sequence[AttemptRecord]) -> str:
        """Return a job as HTML, with why its last attempt ended as it did."""
        return job_html(job, attempts)

    def attempts_html(self, attempts: Sequence[AttemptRecord]) -> str:
        """Return a table of attempts as HTML."""
        return attempts_html(attempts)

    def experiment_html(
        self, experiment: ExperimentRecord, jobs: str, best: Sequence[JobRecord], newest: Sequence[JobRecord]
    ) -> str:
        """Return an experiment as HTML, with its jobs counted and the best and newest of them."""
        return experiment_html(experiment, jobs, best, newest)

    def progress(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Show a progress bar inside the block; call what it gives with each number of things done."""
        return progress(description, total)


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error inside the block; call what it gives with each number of things done."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.advance(task, done)
