"""How a submission of a batch goes on: by what its scheduler says, and by the allocation that begins it."""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve, field, frozen
from attrs.validators import optional

from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus
from sweepstake.domain.names import check_name
from sweepstake.domain.schema import checked, narrowed, nullable, ref
from sweepstake.errors import BatchLostError, InvalidInputError

__all__ = ["BatchNote", "begun", "noted"]

_ORDER: Final = tuple(BatchStatus)
#: What others may say of it; that it has begun its allocation says itself.
_TOLD: Final = (BatchStatus.SUBMITTED, BatchStatus.ENDED)
_SAID: Final = nullable({"enum": [status.value for status in _TOLD]})


def _is_said(_: object, attribute: Any, value: BatchStatus) -> None:
    if value not in _TOLD:
        raise InvalidInputError.at(attribute.name, f"must be one of {', '.join(_TOLD)}")


@frozen(kw_only=True)
class BatchNote:
    """What is known of a submission by now; None of what there is nothing new of.

    Attributes:
        status: how far it has come: ENDED, or SUBMITTED, as which it counts anyway once its `jobid` is known.
        jobid: what the scheduler calls its allocation.
        allocation: what became of that.
        reason: the scheduler's own words; of more than MAX_REASON characters a store keeps the beginning and the end.
    """

    status: BatchStatus | None = field(default=None, validator=optional(_is_said), metadata=narrowed(_SAID))
    jobid: str | None = field(
        default=None, validator=optional(checked(check_name)), metadata=narrowed(nullable(ref("Name")))
    )
    allocation: AllocationState | None = None
    reason: str | None = None


def noted(batch: BatchRecord, note: BatchNote, now: float) -> BatchRecord:
    """Return a submission with what is known by now; one that has ended stays as it ended.

    What is late changes nothing: the status goes on or stays, and the allocation that has begun it is its own.

    Raises:
        InvalidInputError: it was submitted, and nobody knows as what.
    """
    if batch.status is BatchStatus.ENDED:
        return batch
    wanted = note.status or (BatchStatus.INTENDED if note.jobid is None else BatchStatus.SUBMITTED)
    status = max(batch.status, wanted, key=_ORDER.index)
    jobid = batch.jobid if batch.status is BatchStatus.BEGUN else note.jobid or batch.jobid
    if status is BatchStatus.SUBMITTED and jobid is None:
        raise InvalidInputError.at("jobid", "must be given with SUBMITTED: what the scheduler calls the allocation")
    return evolve(
        batch,
        status=status,
        jobid=jobid,
        allocation=note.allocation or batch.allocation,
        reason=batch.reason if note.reason is None else note.reason,
        submitted_at=now if batch.submitted_at is None and jobid is not None else batch.submitted_at,
        ended_at=now if status is BatchStatus.ENDED else None,
    )


def begun(batch: BatchRecord, last: int, jobid: str, worker: str, now: float) -> BatchRecord:
    """Return a submission that an allocation has begun: the first that asks, which may ask again.

    Args:
        batch: what is to begin.
        last: the number of the batch's newest submission.
        jobid: of the allocation.
        worker: who asks.
        now: Unix time.

    Raises:
        BatchLostError: it is not for this allocation; the message says why.
    """
    if batch.status is BatchStatus.ENDED:
        how = "" if batch.allocation is None else f" ({batch.allocation})"
        newer = f", and was submitted again as number {last}" if last > batch.number else ""
        raise _lost(f"The batch {batch.called}, is over{how}{newer}", jobid)
    if batch.status is BatchStatus.BEGUN and batch.jobid != jobid:
        raise _lost(f"The batch {batch.called}, was begun by the allocation {batch.jobid}", jobid)
    if batch.status is BatchStatus.BEGUN:
        return batch
    return evolve(
        batch,
        status=BatchStatus.BEGUN,
        jobid=jobid,
        allocation=AllocationState.RUNNING,
        reason="",
        worker=worker or None,
        submitted_at=now if batch.submitted_at is None else batch.submitted_at,
        begun_at=now,
    )


def _lost(what: str, jobid: str) -> BatchLostError:
    return BatchLostError(f"{what}; there is nothing to do for the allocation {jobid}: end it.")
