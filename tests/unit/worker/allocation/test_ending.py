"""What is noted when a worker is through with a batch."""

import signal
from typing import Any

import pytest

from sweepstake.domain.batches.records import AllocationState, BatchRecord
from sweepstake.domain.counts import Counts
from sweepstake.worker.allocation.ending import note_of
from sweepstake.worker.pacing.agenda import Summary
from sweepstake.worker.stopping import Stop

NONE = {"ready": 0, "blocked": 0, "delayed": 0, "running": 0, "done": 0, "crashed": 0, "pruned": 0}


def batch(nodes: int = 1, **counts: int) -> BatchRecord:
    """Make a batch with so many jobs in some states."""
    states: dict[str, Any] = {**NONE, **counts}
    return BatchRecord(
        id="b", jobs=("a",), backend="slurm", nodes=nodes, number=1, intended_at=0.0, counts=Counts(**states)
    )


@pytest.mark.parametrize(
    "summary, near, state, why",
    [
        (Summary(), False, AllocationState.DONE, ""),
        (Summary(), True, AllocationState.DONE, ""),
        (Summary(step=Stop.END), True, AllocationState.DONE, "its time was over; "),
        (Summary(stopped_by=signal.SIGTERM), False, AllocationState.CANCELLED, "SIGTERM; "),
        (Summary(stopped_by=signal.SIGTERM), True, AllocationState.TIMEOUT, "SIGTERM; "),
        (Summary(tripped="3 jobs crashed"), False, AllocationState.FAILED, "3 jobs crashed; "),
        (Summary(failure=OSError("full")), False, AllocationState.FAILED, "full; "),
        (Summary(failure=KeyboardInterrupt()), False, AllocationState.FAILED, "KeyboardInterrupt; "),
    ],
)
def test_it_says_why_and_what_is_left(summary: Summary, near: bool, state: AllocationState, why: str) -> None:
    """A signal just before the end comes from the limit."""
    note = note_of(batch(done=5, ready=1, blocked=2), summary, near=near)
    assert note is not None
    assert (note.allocation, note.reason) == (state, f"{why}left of its jobs: 1 ready, 2 blocked")


def test_another_node_goes_on() -> None:
    """Its batch is not over while a job of it runs, unless it can only be another's."""
    assert note_of(batch(nodes=2, running=1), Summary(), near=False) is None
    assert note_of(batch(nodes=2), Summary(), near=False) is not None
    assert note_of(batch(running=1), Summary(), near=False) is not None
