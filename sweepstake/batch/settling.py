"""What became of submissions: the queue is told what the scheduler says, and nothing is believed that it does not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from sweepstake.batch.backends.allocations import Allocation
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus
from sweepstake.errors import AuthenticationError, BatchLostError, ConfigurationError, MissingExtraError, NotFoundError

__all__ = ["all_batches", "end_overdue", "live_batches", "settle"]

#: For so many seconds an intent counts whose allocation the scheduler does not know: its submitter may be about it.
_INTENT_SECONDS: Final = 30.0


def live_batches(experiment: Experiment) -> Iterator[BatchRecord]:
    """Give the submissions of an experiment's batches that are not over, oldest first."""
    return _batches(experiment, live=True)


def all_batches(experiment: Experiment) -> Iterator[BatchRecord]:
    """Give all submissions of an experiment's batches, oldest first."""
    return _batches(experiment, live=False)


def _batches(experiment: Experiment, *, live: bool) -> Iterator[BatchRecord]:
    queue, start = experiment.session.queue, None
    while True:
        page = queue.list_batches(experiment.reference, start, live=live)
        yield from page.items
        if page.next is None:
            return
        start = page.next


def end_overdue(experiment: Experiment) -> None:
    """Let the queue end attempts whose leases ran out: whoever claims does so, and no worker may be up that would.

    For who may only look nothing is done.
    """
    with suppress(AuthenticationError):
        experiment.session.queue.claim_jobs(experiment.reference, "", at_once=0)


def settle(
    experiment: Experiment, backends: Callable[[str], Backend], now: Callable[[], float] = time.time
) -> Sequence[tuple[BatchRecord, Allocation | None]]:
    """Ask the schedulers what became of the batches that are not over, and tell the queue.

    One whose submitter died before it could say what came of it is looked for by its name. Jobs of workers that were
    killed are queued again once their leases are over. Those of a scheduler that this machine has no commands for stay
    as the queue knows them.

    Args:
        experiment: whose batches.
        backends: returns the backend of a name.
        now: the clock of this machine, for how old an intent is.

    Returns:
        Those that are still not over, with what their schedulers say.
    """
    end_overdue(experiment)
    found = list(live_batches(experiment))
    told: list[tuple[BatchRecord, Allocation | None]] = []
    for name in dict.fromkeys(each.backend for each in found):
        mine = [each for each in found if each.backend == name]
        try:
            backend = backends(name)
            said = dict(backend.poll({each.jobid: each.name for each in mine if each.jobid is not None}))
            recovered = _recovered(backend, mine)
        except (ConfigurationError, MissingExtraError) as error:  # this machine cannot ask; what the queue knows counts
            told += [(each, _unasked(each, str(error))) for each in mine]
            continue
        for record in mine:
            allocation = said[record.jobid] if record.jobid is not None else (recovered or {}).get(record.id)
            if allocation is not None and allocation.is_over:
                state = AllocationState.DONE if allocation.gone else allocation.state
                _end(experiment, record, state, allocation.reason)
            elif _is_lost(record, recovered) and now() - record.intended_at > _INTENT_SECONDS:
                _end(experiment, record, None, "its scheduler does not know it: whoever submitted it died before that")
            else:
                told.append((_tell(experiment, record, allocation), allocation))
    return told


def _unasked(record: BatchRecord, why: str) -> Allocation:
    return Allocation(jobid=record.jobid or "", state=AllocationState.UNKNOWN, name=record.name, reason=why)


def _is_lost(record: BatchRecord, recovered: Mapping[str, object] | None) -> bool:
    """Tell whether a scheduler that answers knows nothing of a submission of which nobody could say the id."""
    return record.jobid is None and recovered is not None and record.id not in recovered


def _recovered(backend: Backend, records: Sequence[BatchRecord]) -> Mapping[str, Allocation | None] | None:
    """Return what is found by name for submissions of which nobody could say the id; None if nobody answered.

    Those of an array have one name: they are told apart by their order, if all of them are there. If not, they are
    there and unknown: a worker tells the id itself when it begins one.
    """
    lost = [each for each in records if each.jobid is None]
    if not lost:
        return {}
    found = backend.find({each.name for each in lost})
    if found is None:
        return None
    known = {each.jobid for each in records}
    recovered: dict[str, Allocation | None] = {}
    for name in dict.fromkeys(each.name for each in lost):
        together = [each.id for each in lost if each.name == name]
        up = [each for each in found.values() if each.name == name and each.jobid not in known and not each.is_over]
        up.sort(key=lambda each: _place(each.jobid))
        if len(up) == len(together):
            recovered |= zip(together, up, strict=True)
        elif up:
            recovered |= dict.fromkeys(together)
    return recovered


def _place(jobid: str) -> tuple[int, str]:
    """Return where in its array an allocation stands: by the last number in its id."""
    numbers = re.findall(r"\d+", jobid)
    return (int(numbers[-1]) if numbers else 0, jobid)


def _tell(experiment: Experiment, record: BatchRecord, allocation: Allocation | None) -> BatchRecord:
    """Keep what is new of a submission that goes on."""
    if allocation is None or allocation.state is AllocationState.UNKNOWN:
        return record
    if (record.jobid, record.allocation, record.reason) == (allocation.jobid, allocation.state, allocation.reason):
        return record
    return experiment.session.queue.note_batch(
        experiment.reference,
        record.id,
        record.number,
        jobid=allocation.jobid,
        allocation=allocation.state,
        reason=allocation.reason,
    )


def _end(experiment: Experiment, record: BatchRecord, state: AllocationState | None, reason: str) -> None:
    try:
        experiment.session.queue.note_batch(
            experiment.reference,
            record.id,
            record.number,
            status=BatchStatus.ENDED,
            allocation=state,
            reason=reason or None,
        )
    except (NotFoundError, BatchLostError):  # its experiment was deleted meanwhile, or somebody was quicker
        return
