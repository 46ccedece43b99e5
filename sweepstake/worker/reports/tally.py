"""How many attempts ended in which way, and what people are told of each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from sweepstake.client import Experiment
from sweepstake.client.attempt.reporting import with_notes
from sweepstake.domain.addresses import told_apart
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim, Finished
from sweepstake.domain.status import Outcome
from sweepstake.errors import NotFoundError, SweepstakeError
from sweepstake.worker.reports.reporting import End

__all__ = ["Tally", "first_line"]


class Tally:
    """Counts ends, and tells of them.

    Args:
        tell: takes a line for people.

    Attributes:
        outcomes: how many attempts ended in which way.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self._tell = tell
        self._titles: dict[str, str] = {}
        self._lock = threading.Lock()

    def name(self, experiments: Iterable[Experiment]) -> None:
        """Let jobs be called by the experiments they are of, if these are several."""
        these = tuple(experiments)  # at once, as another thread may leave one out
        named = {each.reference: (each.owner, each.name) for each in these}
        self._titles = dict(zip(named, told_apart(list(named.values())), strict=True))

    def title(self, claim: Claim) -> str:
        """Return what a job is called."""
        title = f"job {claim.job.id}"
        if len(self._titles) == 1:
            return title
        return f"{title} of {self._titles.get(claim.job.reference, claim.job.experiment)}"

    def recorded(self, end: End, finished: Finished) -> None:
        """Count an end that the store has recorded."""
        self._count(finished.ended)
        line = f"{self.title(end.claim)}: {finished.ended.value} after {end.seconds:.1f} s"
        if finished.ended is Outcome.CRASHED or (finished.ended is Outcome.DONE and end.report.reason):
            line += f": {first_line(end.report.reason)}"
        if not finished.recorded and finished.ended is not Outcome.PRUNED:
            line += " (it was no longer this worker's; its results were kept as late results)"
        self._tell(line)

    def spooled(self, claim: Claim, report: Finish) -> None:
        """Count an end that the store will hear of later."""
        self._count(report.outcome)
        line = f"{report.outcome.value}; its report waits in the spool until the store answers"
        self._tell(f"{self.title(claim)}: {line}")

    def refused(self, claim: Claim, error: SweepstakeError) -> bool:
        """Tell why an end was not recorded; return whether that is a reason to stop."""
        if isinstance(error, NotFoundError):
            self._tell(f"{self.title(claim)}: it was deleted while it ran. {with_notes(error)}")
            return False
        self._tell(f"{self.title(claim)}: its end could not be recorded: {error}")
        return True

    def _count(self, outcome: Outcome) -> None:
        with self._lock:
            self.outcomes[outcome] += 1


def first_line(text: str) -> str:
    """Return what stands before the first line break."""
    return text.partition("\n")[0]
