"""Reports of a worker's attempts, and with them the claims of what comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

from sweepstake.client import Session
from sweepstake.client.attempt.reporting import Told, report_end, report_ends
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim, Claims, Finished
from sweepstake.domain.tasks.needs import Offer
from sweepstake.errors import SweepstakeError
from sweepstake.queue.retrying import Patience
from sweepstake.worker.attempt import Attempt

__all__ = ["End", "Wanted", "report_alone", "report_together"]


@frozen(kw_only=True, eq=False)
class End:
    """How an attempt ended.

    Attributes:
        attempt: the job, and what ran for it.
        report: what is reported.
        seconds: how long it ran.
    """

    attempt: Attempt
    report: Finish
    seconds: float

    @property
    def claim(self) -> Claim:
        """The job as it was claimed."""
        return self.attempt.claim


@frozen(kw_only=True)
class Wanted:
    """What is claimed with a report.

    Attributes:
        at_once: how many jobs at most.
        offer: what there is for them together; None asks for a job that says nothing of what is run for it.
        slots: all that this worker has, if it wants to know which job waits for more than is offered.
        ids: the only jobs that are wanted, in their order; nothing for any.
    """

    at_once: int
    offer: Offer | None
    slots: Offer | None
    ids: tuple[str, ...]


def report_together(
    session: Session,
    reference: str,
    ends: Sequence[End],
    wanted: Wanted | None,
    *,
    patience: Patience,
    away: Callable[[], None],
) -> Told:
    """Report several ends of one experiment in a call; as `report_ends`, but an error is that of each."""
    try:
        return report_ends(
            session,
            reference,
            [(end.claim.job, end.report) for end in ends],
            patience=patience,
            at_once=0 if wanted is None else wanted.at_once,
            offer=None if wanted is None else wanted.offer,
            slots=None if wanted is None else wanted.slots,
            ids=() if wanted is None else wanted.ids,
            away=away,
        )
    except SweepstakeError as error:
        return Told(ends=(error,) * len(ends))


def report_alone(session: Session, end: End, wanted: Wanted | None, *, patience: Patience) -> Told:
    """Report an end in a call that servers of all releases know, and claim one job with it."""
    try:
        finished = report_end(session, end.claim.job, end.report, patience=patience, claim=wanted is not None)
    except SweepstakeError as error:
        return Told(ends=(error,))
    return Told(ends=(finished,), next=_next(finished))


def _next(finished: Finished | None) -> Claims | None:
    if finished is None or finished.next is None:
        return None
    return Claims(claims=(finished.next,)) if isinstance(finished.next, Claim) else Claims(reason=finished.next.reason)
