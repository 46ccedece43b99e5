"""F6: workers that stand still for longer than their lease, and then go on as if nothing had been."""

from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any

import sweepstake
from sweepstake.domain.records import Claim
from sweepstake.domain.status import JobStatus, Outcome, Signal
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.faults.processes.hands import Hand
from tests.kit.lab import GRACE_SECONDS, Lab, eventually
from tests.kit.stack import open_queue

__all__ = ["FAULT"]

_LEASE = 3.0
_AT_ONCE = 10


def hold(talk: "Connection[Any, Any]", url: str, name: str) -> None:
    """Claim a job, say which, and end it when told to; say how that went."""
    with sweepstake.connect(url) as database:
        job = database.get_experiment(name).next_job()
        try:
            with job:
                talk.send(job.job_id)
                talk.recv()
                job.results["by"] = "the stopped worker"
        except sweepstake.LeaseLostError:
            talk.send("lost")
        else:
            talk.send("recorded")


def stop_workers(place: Place, size: int) -> Figures:
    """Stop `size` workers until others have their jobs; half of those are done when the first go on, half still run."""
    queue = open_queue(place.url)
    lab = Lab.new(queue, lease=_LEASE)
    for batch in range(0, size, _AT_ONCE):
        _stop_some(lab, place.url, min(_AT_ONCE, size - batch))
    counts = queue.count_jobs(lab.name)
    queue.close()
    assert counts.done == size, counts
    return {"stopped": size, "results kept as late": size, "newer attempts changed": 0}


def _stop_some(lab: Lab, url: str, count: int) -> None:
    lab.add_many(count)
    with ExitStack() as stack:
        hands = [stack.enter_context(Hand(hold, url, lab.name)) for _ in range(count)]
        held = [hand.hear() for hand in hands]
        for hand in hands:
            hand.stop()
        claims: list[Claim] = []
        while len(claims) < count:
            claims.append(eventually(lambda: _claimed_while_held(lab, claims), within=_LEASE + GRACE_SECONDS))
        taken = [claim.job.id for claim in claims]
        assert sorted(taken) == sorted(held), f"those who stand still had {held}, the others took {taken}"
        done, running = claims[: count // 2], claims[count // 2 :]
        _end(lab, done)
        etags = {claim.job.id: lab.job(claim.job.id).etag for claim in claims}
        for hand in hands:
            hand.go_on()
            hand.say("end")
        for hand in hands:
            answer = hand.hear()
            assert answer == "lost", answer
            hand.end()
        for claim in running:
            assert lab.job(claim.job.id).status is JobStatus.RUNNING, lab.job(claim.job.id)
            assert lab.beat(claim) is Signal.CONTINUE, "the newer attempt lost its lease"
        for claim in claims:
            assert lab.job(claim.job.id).etag == etags[claim.job.id], "the stale worker wrote the document"
        _end(lab, running)
        for claim in claims:
            _check(lab, claim)


def _claimed_while_held(lab: Lab, claims: Sequence[Claim]) -> Claim | None:
    """Claim one more job if there is one, and go on holding the others."""
    lab.queue.heartbeat([claim.key for claim in claims])
    return lab.claimed_or_none()


def _end(lab: Lab, claims: Sequence[Claim]) -> None:
    for claim in claims:
        assert lab.finish(claim, results={"by": "the newer one"}).recorded, f"refused: {claim}"


def _check(lab: Lab, claim: Claim) -> None:
    job = lab.job(claim.job.id)
    assert (job.status, job.results.decode()) == (JobStatus.DONE, {"by": "the newer one"}), job
    first, second = lab.attempts(job.id)
    assert first.outcome is Outcome.LEASE_LOST, first
    assert first.late_results is not None, "what the stopped worker computed is gone"
    assert first.late_results.decode() == {"by": "the stopped worker"}, first
    assert (second.outcome, second.late_results) == (Outcome.DONE, None), second


FAULT = Fault(
    number="F6",
    words="SIGSTOP of a worker until its lease is over and its job is another's, then SIGCONT",
    holds="the newer attempt is untouched, the older result is kept as late",
    run=stop_workers,
    unit="workers",
    small=4,
    full=100,
    full_kinds=(*DIRECT, *SERVED),
)
