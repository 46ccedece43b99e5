"""`JobList`: jobs that a notebook shows as a table."""

from __future__ import annotations

from sweepstake.client.job import Job
from sweepstake.markup import text_html

__all__ = ["JobList"]


class JobList(list[Job]):
    """Jobs in an order; as the last line of a notebook's cell they are a table."""

    def _repr_html_(self) -> str:
        return self[0].experiment.session.display.jobs_html([job.record for job in self]) if self else text_html("none")
