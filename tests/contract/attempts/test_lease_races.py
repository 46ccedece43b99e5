"""The moment in which a lease runs out: one side has the job, and both are told the same."""

import time

import pytest

from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import JobStatus, Outcome, Signal
from sweepstake.queue.queue import Queue
from tests.kit.crew import at_once
from tests.kit.lab import GRACE_SECONDS, Lab, eventually

LEASE = 0.1


def _outlive(claim: Claim) -> None:
    """Return once the lease of a claim has run out."""
    until = time.monotonic() + claim.lease * 1.2
    eventually(lambda: True if time.monotonic() > until else None)


def test_each_lost_job_goes_to_one_of_many(queue: Queue) -> None:
    """Eight threads that settle a dead worker's leases claim each of its jobs once, and count each loss once."""
    lab = Lab.new(queue, lease=3.0, max_lost=1)
    ids = lab.add_many(24)
    dead = [lab.claim(worker="dead") for _ in ids]
    _outlive(dead[-1])
    deadline = time.monotonic() + GRACE_SECONDS

    def take(_: int) -> list[Claim]:
        taken: list[Claim] = []
        while time.monotonic() < deadline and len(taken) < 3:
            claim = lab.claimed_or_none()
            if claim is not None:
                taken.append(claim)
        return taken

    taken = [claim for some in at_once(take) for claim in some]
    assert sorted(claim.job.id for claim in taken) == sorted(ids)
    assert {claim.job.attempt for claim in taken} == {2}


@pytest.mark.parametrize("_time", range(2))
def test_a_heartbeat_and_a_claim_agree_on_who_has_the_job(queue: Queue, _time: int) -> None:
    """Either the heartbeat came first and the claim finds nothing, or the claim did and the heartbeat says lost."""
    # Long enough that a renewed lease does not run out while a busy disk keeps the claim waiting.
    lab = Lab.new(queue, lease=5 * LEASE)
    lab.add_many(1)
    claim = lab.claim()
    _outlive(claim)
    answers: list[object] = at_once(lambda i: lab.ask() if i else lab.beat(claim), 2)
    if answers[0] is Signal.CONTINUE:
        assert isinstance(answers[1], NoJob)
    else:
        assert answers[0] is Signal.LOST
        assert not lab.finish(claim).recorded


@pytest.mark.parametrize("_time", range(4))
def test_a_report_and_a_claim_agree_on_who_has_the_job(queue: Queue, _time: int) -> None:
    """A result that arrives as its lease is settled is either recorded, or late while the job goes to another."""
    lab = Lab.new(queue, lease=LEASE)
    (job_id,) = lab.add_many(1)
    claim = lab.claim()
    _outlive(claim)
    recorded, claimed = at_once(lambda i: lab.claimed_or_none() is not None if i else lab.finish(claim).recorded, 2)
    outcomes = [attempt.outcome for attempt in lab.attempts(job_id)]
    assert not (recorded and claimed)
    assert outcomes[0] is (Outcome.DONE if recorded else Outcome.LEASE_LOST)
    assert (lab.job(job_id).status is JobStatus.DONE) == recorded
