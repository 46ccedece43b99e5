"""Random walks over one experiment agree with a small model, on every store."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sweepstake.domain.records import UNGUARDED, Claim, Guard
from sweepstake.domain.status import JobStatus, Outcome, Signal
from sweepstake.errors import (
    ClientRequestError,
    KeyReusedError,
    LeaseLostError,
    NotFoundError,
    ResourceExistsError,
    UnsafeUpdateError,
)
from sweepstake.ports import Queue
from tests.lab import Lab, document, draft, new_key

QUEUED, RUNNING, CRASHED, PRUNED, DONE = JobStatus
IDS = st.sampled_from("abcd")
STATUSES = st.sampled_from(list(JobStatus))
REPORTED = st.sampled_from([Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED, Outcome.RELEASED, Outcome.PREEMPTED])
#: What a put by somebody who does not hold the attempt makes of it.
ENDED_BY_PUT = {DONE: Outcome.DONE, CRASHED: Outcome.CRASHED, PRUNED: Outcome.PRUNED}
STATUS_AFTER = {
    Outcome.DONE: DONE,
    Outcome.CRASHED: CRASHED,
    Outcome.PRUNED: PRUNED,
    Outcome.RELEASED: QUEUED,
    Outcome.PREEMPTED: QUEUED,
}


@attrs.define
class Attempt:
    """What the model knows of one running of a job."""

    key: str
    leased: bool
    outcome: Outcome | None = None
    finished: bool = False
    late: int | None = None


@attrs.define
class Modelled:
    """What the model knows of a job."""

    status: JobStatus
    results: int
    priority: int
    born: int
    attempts: list[Attempt] = attrs.field(factory=list)

    def current(self) -> Attempt | None:
        """Return the open attempt."""
        return self.attempts[-1] if self.status is RUNNING else None

    def become(self, status: JobStatus, outcome: Outcome, opened: str | None = None) -> None:
        """Change status; an open attempt ends with the outcome, and RUNNING begins one."""
        if (current := self.current()) is not None:
            current.outcome = outcome
        self.status = status
        if opened is not None:
            self.attempts.append(Attempt(opened, leased=False))


class Walk(RuleBasedStateMachine):
    """A user and a worker who do all that can be done to four jobs, in any order."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        self.model: dict[str, Modelled] = {}
        self.claims: list[Claim] = []
        self.count = 0
        self.last: tuple[Callable[[], Any], Any] | None = None

    @initialize()
    def start(self) -> None:
        """Begin with an empty experiment."""
        self.lab = Lab.new(self.queue)

    def number(self) -> int:
        """Count on: results tell writes apart."""
        self.count += 1
        return self.count

    def make(self, call: Callable[[], Any], again: Callable[[], Any] | None = None) -> Any:
        """Make a call that will succeed, and keep it for being repeated."""
        answer = call()
        self.last = (again or call, answer)
        return answer

    def refused(self, call: Callable[[], Any], error: type[ClientRequestError]) -> None:
        """Make a call that must be refused for this very reason."""
        with pytest.raises(ClientRequestError) as refusal:
            call()
        assert refusal.type is error, repr(refusal.value)

    @rule(job_id=IDS, status=STATUSES, priority=st.integers(-1, 1))
    def add(self, job_id: str, status: JobStatus, priority: int) -> None:
        """Add one job in bulk."""
        key, n = new_key(), self.number()
        of = draft(job_id, of=document(status, results={"n": n}), priority=priority)
        if job_id in self.model:
            self.refused(lambda: self.lab.queue.add_jobs(self.lab.name, [of], key=key), ResourceExistsError)
            return
        self.make(lambda: self.lab.queue.add_jobs(self.lab.name, [of], key=key))
        self.model[job_id] = Modelled(status, n, priority, n)
        if status is RUNNING:
            self.model[job_id].attempts.append(Attempt(f"{key}.0", leased=False))

    @rule(job_id=IDS, status=STATUSES, guarded=st.booleans())
    def put(self, job_id: str, status: JobStatus, *, guarded: bool) -> None:
        """State a fact about a job, as somebody who does not hold it."""
        key, n = new_key(), self.number()
        known = self.model.get(job_id)
        guard = Guard.match(self.lab.job(job_id).etag if known else new_key()) if guarded else UNGUARDED
        of = document(status, results={"n": n})
        if known is None and guarded:
            self.refused(lambda: self.lab.put(job_id, of, guard=guard, key=key), UnsafeUpdateError)
            return
        answer = self.make(lambda: self.lab.put(job_id, of, guard=guard, key=key))
        assert answer.created == (known is None)
        job = self.model.setdefault(job_id, Modelled(QUEUED, n, 0, n))
        job.become(status, ENDED_BY_PUT.get(status, Outcome.SUPERSEDED), opened=key if status is RUNNING else None)
        job.results = n

    @rule(job_id=IDS)
    def put_by_an_old_etag(self, job_id: str) -> None:
        """Write over what one has not seen."""
        call = lambda: self.lab.put(job_id, document(), guard=Guard.match(new_key()))  # noqa: E731 -- one of many
        self.refused(call, UnsafeUpdateError)

    @rule()
    def claim(self) -> None:
        """Claim: the model says which job it must be."""
        ready = [(-job.priority, job.born, job_id) for job_id, job in self.model.items() if job.status is QUEUED]
        if not ready:
            assert self.lab.claimed_or_none() is None
            return
        key = new_key()
        claim = self.make(lambda: self.lab.claim(key=key), lambda: self.lab.claim(key=key, repeat=True))
        *_, job_id = min(ready)
        assert claim.job.id == job_id
        self.claims.append(claim)
        self.model[job_id].status = RUNNING
        self.model[job_id].attempts.append(Attempt(key, leased=True))

    def attempt_of(self, claim: Claim) -> Attempt | None:
        """Return what the model knows of a claim's attempt; None if its job was deleted."""
        job = self.model.get(claim.job.id)
        return next((attempt for attempt in job.attempts if attempt.key == claim.key), None) if job else None

    @precondition(lambda self: self.claims)
    @rule(outcome=REPORTED, data=st.data())
    def finish(self, outcome: Outcome, data: st.DataObject) -> None:
        """Report on any claim there ever was."""
        claim, key, n = data.draw(st.sampled_from(self.claims)), new_key(), self.number()
        attempt = self.attempt_of(claim)
        call = lambda: self.lab.finish(claim, outcome, {"n": n}, key=key)  # noqa: E731 -- made in three places
        if attempt is None:
            self.refused(call, NotFoundError)
            return
        if attempt.finished:
            self.refused(call, KeyReusedError)
            return
        finished = self.make(call)
        assert finished.recorded == (attempt.outcome is None)
        job = self.model[claim.job.id]
        if attempt.outcome is not None:
            attempt.late = attempt.late or n
        else:
            job.become(STATUS_AFTER[outcome], outcome)
            attempt.finished = True
            job.results = n
        assert finished.ended is attempt.outcome

    @precondition(lambda self: self.claims)
    @rule(status=STATUSES, data=st.data())
    def put_as_holder(self, status: JobStatus, data: st.DataObject) -> None:
        """Write a job's document in the name of any claim there ever was."""
        claim, key, n = data.draw(st.sampled_from(self.claims)), new_key(), self.number()
        attempt = self.attempt_of(claim)
        of = document(status, results={"n": n})
        call = lambda: self.lab.put(claim.job.id, of, key=key, attempt=claim.key)  # noqa: E731 -- made in two places
        if attempt is None or attempt.outcome is not None:
            self.refused(call, LeaseLostError)
            return
        self.make(call)
        job = self.model[claim.job.id]
        if status is not RUNNING:
            job.become(status, ENDED_BY_PUT.get(status, Outcome.RELEASED))
        job.results = n

    @rule(job_id=IDS)
    def prune(self, job_id: str) -> None:
        """Prune a job, if it may be pruned."""
        key, job = new_key(), self.model.get(job_id)
        if job is None:
            self.refused(lambda: self.lab.prune(job_id, key=key), NotFoundError)
        elif job.status in (DONE, CRASHED):
            self.refused(lambda: self.lab.prune(job_id, key=key), UnsafeUpdateError)
        else:
            self.make(lambda: self.lab.prune(job_id, key=key))
            job.become(PRUNED, Outcome.PRUNED)

    @rule(job_id=IDS)
    def delete(self, job_id: str) -> None:
        """Delete a job, there or not."""
        key = new_key()
        self.make(lambda: self.lab.delete(job_id, key=key))
        self.model.pop(job_id, None)

    @precondition(lambda self: self.last is not None)
    @rule()
    def repeat(self) -> None:
        """Repeat the last call, whose answer may have been lost: it answers the same and changes nothing."""
        assert self.last is not None
        call, answer = self.last
        assert call() == answer

    @precondition(lambda self: self.claims)
    @rule()
    def heartbeat(self) -> None:
        """Ask for all claims there ever were in one call."""
        beats = self.lab.queue.heartbeat([claim.key for claim in self.claims])
        assert [beat.signal for beat in beats] == [self.signal_of(self.attempt_of(claim)) for claim in self.claims]

    def signal_of(self, attempt: Attempt | None) -> Signal:
        """Say what the holder of an attempt must hear."""
        if attempt is None:
            return Signal.LOST
        if attempt.outcome is None:
            return Signal.CONTINUE
        return Signal.PRUNE if attempt.outcome is Outcome.PRUNED else Signal.LOST

    @invariant()
    def agrees(self) -> None:
        """Jobs, order and attempts are those of the model."""
        if not hasattr(self, "lab"):
            return
        jobs = self.lab.jobs()
        assert [job.id for job in jobs] == sorted(self.model, key=lambda job_id: self.model[job_id].born)
        for job in jobs:
            known = self.model[job.id]
            current = known.current()
            assert (job.status, job.results.decode()["n"]) == (known.status, known.results)
            assert (job.attempt, job.leased) == (len(known.attempts), current is not None and current.leased)
            attempts = self.lab.attempts(job.id)
            assert [(attempt.key, attempt.outcome) for attempt in attempts] == [
                (attempt.key, attempt.outcome) for attempt in known.attempts
            ]
            assert [attempt.late_results and attempt.late_results.decode()["n"] for attempt in attempts] == [
                attempt.late for attempt in known.attempts
            ]


def test_any_walk_agrees_with_the_model(queue: Queue, address: str) -> None:
    """Whatever is done in whatever order, and repeated, the queue is where the model says."""

    class HereWalk(Walk):
        def __init__(self) -> None:
            super().__init__(queue)

    steps, walks = (30, 40) if address.startswith("sqlite") else (20, 8)
    run_state_machine_as_test(
        HereWalk,
        settings=settings(
            max_examples=walks,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
