"""What `sweepstake batch` does, from Python: for notebooks and scripts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sweepstake.batch.batch import Batch
from sweepstake.batch.cancelling import cancel_batches, wait_ended
from sweepstake.batch.keeping import keep as keep_up
from sweepstake.batch.packing import Packing, backends_of
from sweepstake.batch.preparing import Prepared, prepare
from sweepstake.batch.settling import settle
from sweepstake.batch.wishes import Wishes
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import BatchRecord

__all__ = ["cancel", "keep", "pack", "status", "submit", "wait"]

_logger = logging.getLogger(__name__)
#: Seconds between two looks at what is waited for, growing to the last.
_LOOKS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def pack(experiment: Experiment, **wishes: Any) -> list[Batch]:
    """Pack what waits in an experiment, and is not under way, into batches that are not submitted yet.

    Args:
        experiment: whose jobs.
        wishes: fields of `Wishes`, such as ``capacity="nodes=1,cpus=8"`` and ``duration=7200``.

    Returns:
        The batches, each behind those that it waits for; `Batch.run` runs one, if a command was said for jobs without a
        spec.

    Raises:
        PlanError, ConfigurationError: as `submit`.
    """
    return _told(prepare(experiment, Wishes(**wishes), settled=False)).unsubmitted()


def submit(experiment: Experiment, *, backend: str, **wishes: Any) -> list[Batch]:
    """Pack what waits in an experiment into batches, and submit them to a cluster.

    What is under way already is not submitted again. Whoever runs this may end: the batches are in the store, and each
    has a folder below ``batches`` in the state folder. The workers in the allocations find the store as this process
    has found it, by the URL, the token and the folders of the experiment's connection.

    Args:
        experiment: whose jobs, as `sweepstake.connect` finds it.
        backend: the scheduler, as in `Wishes`.
        wishes: the other fields of `Wishes`, such as ``duration=7200`` and ``command=["python", "train.py"]``.

    Returns:
        The batches, each behind those that it waits for; none if all that waits is under way.

    Raises:
        PlanError: jobs fit into no allocation, or there is nothing to estimate from.
        ConfigurationError: the experiment is paused, or what is wished lacks something.
        SubmissionError: the scheduler refused, in its own words; then nothing is submitted.
        LiveBatchError: somebody else has submitted some of these jobs meanwhile.
    """
    prepared = _told(prepare(experiment, Wishes(backend=backend, **wishes)))
    return [batch for _, batch in prepared.submit()] if prepared.batches else []


def status(experiment: Experiment) -> list[BatchRecord]:
    """Ask the schedulers how the batches of an experiment stand; return those that are not over, oldest first."""
    return [record for record, _ in settle(experiment, backends_of(experiment))]


def cancel(experiment: Experiment, batches: Iterable[Batch | BatchRecord | str] | None = None) -> list[BatchRecord]:
    """End allocations, and wait until their jobs are given back to the queue.

    Where a worker was killed, that is when the lease of its jobs is over.

    Args:
        experiment: whose batches.
        batches: which, or their ids; all that are not over without it.

    Returns:
        Those that were not over.

    Raises:
        SubmissionError: a scheduler did not answer.
    """
    chosen = _chosen(status(experiment), batches)
    cancel_batches(experiment, chosen, backends_of(experiment))
    wait_ended(experiment, chosen, backends_of(experiment))
    return chosen


def wait(
    experiment: Experiment,
    batches: Iterable[Batch | BatchRecord | str] | None = None,
    *,
    timeout: float | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until batches are over.

    Args:
        experiment: whose batches.
        batches: which, or their ids; all that are not over now without it.
        timeout: seconds to wait at most.
        pause: waits so many seconds.

    Raises:
        TimeoutError: some were not over in time; they go on.
    """
    until = None if timeout is None else time.monotonic() + timeout
    wanted = [each.id for each in status(experiment)] if batches is None else [_id(each) for each in batches]
    looks = 0
    while left := _chosen(status(experiment), wanted):
        nap = _LOOKS[min(looks, len(_LOOKS) - 1)]
        if until is not None:
            nap = min(nap, until - time.monotonic())
            if nap <= 0:
                raise TimeoutError(f"not over within {timeout:g} s: {', '.join(each.id for each in left)}")
        pause(nap)
        looks += 1


def keep(
    experiment: Experiment,
    *,
    backend: str,
    max_allocations: int,
    tell: Callable[[str], None] = print,
    **wishes: Any,
) -> dict[str, str]:
    """Keep allocations up as long as there is work, and return when nothing waits or runs any more.

    When it is ended before, the allocations go on, and another call counts them.

    Args:
        experiment: whose jobs.
        backend: the scheduler, as in `Wishes`.
        max_allocations: how many may wait and run at a time.
        tell: takes a line for each change.
        wishes: the other fields of `Wishes`.

    Returns:
        Jobs that no allocation could begin, each with why, in words that follow "they".

    Raises:
        SubmissionError: the scheduler refuses the first submission, or has refused for minutes.
        PlanError, ConfigurationError: as `submit`.
    """
    keeper = Packing(experiment, Wishes(backend=backend, **wishes)).keeper(max_allocations, tell)
    keep_up(keeper)
    return keeper.given_up


def _told(prepared: Prepared) -> Prepared:
    """Tell in the log which jobs are left out."""
    for each in prepared.read.left_out:
        _logger.warning("%s.", each)
    return prepared


def _chosen(records: Sequence[BatchRecord], batches: Iterable[Batch | BatchRecord | str] | None) -> list[BatchRecord]:
    ids = None if batches is None else {_id(each) for each in batches}
    return [each for each in records if ids is None or each.id in ids]


def _id(batch: Batch | BatchRecord | str) -> str:
    return batch if isinstance(batch, str) else batch.id
