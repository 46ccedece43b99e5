"""What a listing finds: jobs one after another, or in a list; in a notebook a table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sweepstake.client.job import Job
from sweepstake.client.listing import iterate
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import JobRecord
from sweepstake.markup import text_html
from sweepstake.view.html import jobs_html

if TYPE_CHECKING:  # it makes its jobs, and each of them refers to it
    from sweepstake.client.experiment import Experiment

__all__ = ["JobList", "Jobs"]

#: How many jobs a notebook shows.
_GLANCE: Final = 20


class Jobs(Iterator[Job]):
    """The jobs that `Experiment.all_jobs` finds; they are read page by page as they are asked for.

    As the last line of a notebook's cell it shows the first of them.
    """

    def __init__(self, experiment: Experiment, query: JobQuery) -> None:
        self._experiment = experiment
        self._query = query
        self._jobs = map(partial(Job, experiment.session, experiment), self._read())

    def _read(self) -> Iterator[JobRecord]:
        return iterate(self._experiment.session.queue, self._experiment.reference, self._query)

    def __next__(self) -> Job:
        """Return the next job."""
        return next(self._jobs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a copy be a listing of its own, which begins with the first job."""
        return Jobs, (self._experiment, self._query)

    def __repr__(self) -> str:
        return f"<Jobs of {self._experiment.name!r}: iterate over them, or see experiment.to_frame()>"

    def _repr_html_(self) -> str:
        found = list(islice(self._read(), _GLANCE + 1))
        return jobs_html(found[:_GLANCE], more=len(found) > _GLANCE)


class JobList(list[Job]):
    """Jobs in an order; as the last line of a notebook's cell they are a table."""

    def _repr_html_(self) -> str:
        return jobs_html([job.record for job in self]) if self else text_html("none")
