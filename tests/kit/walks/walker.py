"""One who does to an experiment all that can be done, and holds every answer against the model."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from sweepstake.domain.records import (
    ABSENT,
    PRESENT,
    UNGUARDED,
    Claim,
    ExperimentDraft,
    ExperimentRecord,
    Finished,
    Guard,
    JobRecord,
    NoJob,
)
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.errors import (
    ClientRequestError,
    InvalidInputError,
    KeyReusedError,
    LeaseLostError,
    LimitReachedError,
    NotFoundError,
    ResourceExistsError,
    UnsafeUpdateError,
)
from sweepstake.queue.queue import Queue
from tests.kit.lab import MANUAL, Lab, document, draft, new_key
from tests.kit.walks.agreement import agree
from tests.kit.walks.calling import REFUSED, Caller, Made, Refusals
from tests.kit.walks.meddling import Meddler
from tests.kit.walks.model import Attempt, Model, Wanted

__all__ = ["GUARDS", "Walker"]

#: What a write may be guarded by: nothing, the etag as it is, another one, that nothing is there, or that something is.
GUARDS = ("none", "match", "stale", "absent", "present")

_FAR = 5e6


class Walker(Caller):
    """A user and a worker in one, alone in an experiment of his own.

    Each method makes one call, whether it makes sense or not: the model says what it must do.

    Args:
        queue: where the calls are made.
        quiet: a way to the same queue on which nothing is broken, for looking at what the calls did.
        store: the URL of the store behind it; if time is to pass, it and its server have been up for a lease.
        lease: seconds of every claim; longer than a step takes on a busy machine.
        twice: what is on the way to the queue may deliver calls twice.

    Attributes:
        claims: all that were ever made.
        unrepeatable: keys of reports that were kept nowhere.
    """

    def __init__(self, queue: Queue, quiet: Queue, store: str, *, lease: float, twice: bool = False) -> None:
        super().__init__()
        self.lab = Lab.new(queue, lease=lease)
        self._lease = lease
        self._twice = twice
        self.quiet = Lab(quiet, self.lab.name)
        self.model = Model()
        self.claims: list[Claim] = []
        self.unrepeatable: set[str] = set()
        self._n = 0
        self._hurried = -1
        self._meddler = Meddler(store, self.lab.name)
        self._renewed = time.monotonic()

    def close(self) -> None:
        """Let go of the store."""
        self._meddler.close()

    # Jobs

    def add(self, wanted: Sequence[Wanted]) -> None:
        """Add jobs in bulk."""
        key, n = new_key(), self._number()
        drafts = [
            draft(
                one.job_id,
                of=document(one.status, results={"n": n}),
                priority=one.priority,
                not_before=time.time() + _FAR if one.delayed else None,
                depends_on=one.needs,
                prune_with=one.prune_with,
            )
            for one in wanted
        ]
        ids = [one.job_id for one in wanted]
        refusals: Refusals = {InvalidInputError} if self.model.tangled(wanted) else set()
        if len(set(ids)) < len(ids) or not self.model.jobs.keys().isdisjoint(ids):
            refusals.add(ResourceExistsError)
        if self.model.crowded(len(ids)) or self.model.full(sum(one.status is JobStatus.RUNNING for one in wanted)):
            refusals.add(LimitReachedError)
        if self._make(lambda: self.lab.queue.add_jobs(self.lab.name, drafts, key=key), refusals) is not REFUSED:
            self.model.add_all(wanted, n, key)

    def put(self, job_id: str, status: JobStatus, guarded: str = "none") -> None:
        """State a fact about a job, as somebody who does not hold it, guarded by one of GUARDS."""
        key, n = new_key(), self._number()
        known = self.model.jobs.get(job_id)
        guard, holds = self._guard(job_id, guarded)
        refusals: Refusals = set() if holds else {ResourceExistsError if guarded == "absent" else UnsafeUpdateError}
        begins = status is JobStatus.RUNNING and (known is None or known.status is not status)
        if (known is None and self.model.crowded(1)) or self.model.full(int(begins)):
            refusals.add(LimitReachedError)
        of = document(status, results={"n": n})
        answer = self._make(lambda: self.lab.put(job_id, of, guard=guard, key=key), refusals)
        if answer is not REFUSED:
            assert (answer.created, answer.superseded) == (known is None, False)
            self.model.put(job_id, status, n, key)

    def held(self) -> int | None:
        """Return the place of the newest claim that is held, for `finish`."""
        places = range(len(self.claims) - 1, -1, -1)
        return next((i for i in places if self._is_open(self.claims[i])), None)

    def put_as_holder(self, which: int, status: JobStatus) -> None:
        """Write a job's document in the name of any claim there ever was."""
        claim, key, n = self._claim_of(which), new_key(), self._number()
        attempt = self._attempt_of(claim)
        lost = attempt is None or attempt.outcome is not None
        of = document(status, results={"n": n})
        refusals: Refusals = {LeaseLostError} if lost else set()
        if self._make(lambda: self.lab.put(claim.job.id, of, key=key, attempt=claim.key), refusals) is not REFUSED:
            self.model.put_as_holder(claim.job.id, status, n)

    def prune(self, job_id: str) -> None:
        """Prune a job, if it may be pruned."""
        key, job = new_key(), self.model.jobs.get(job_id)
        refusals: Refusals = set()
        if job is None:
            refusals.add(NotFoundError)
        elif job.status in (JobStatus.DONE, JobStatus.CRASHED):
            refusals.add(UnsafeUpdateError)
        if self._make(lambda: self.lab.prune(job_id, key=key), refusals) is not REFUSED:
            self.model.become(job_id, JobStatus.PRUNED, Outcome.PRUNED)

    def retry(self, job_id: str) -> None:
        """Queue a job again, if it may be."""
        key, job = new_key(), self.model.jobs.get(job_id)
        refusals: Refusals = set()
        if job is None:
            refusals.add(NotFoundError)
        elif job.status is JobStatus.DONE or (job.current is not None and job.current.leased):
            refusals.add(UnsafeUpdateError)
        if self._make(lambda: self.lab.queue.retry(self.lab.name, job_id, key=key), refusals) is not REFUSED:
            self.model.retry(job_id)

    def requeue(self, job_id: str, priority: int, *, delayed: bool) -> None:
        """Change when a job is claimed; its document stays, etag and all."""
        key, job = new_key(), self.model.jobs.get(job_id)
        changes = QueueingChanges(priority=priority, not_before=time.time() + _FAR if delayed else None)
        etag = None if job is None else self.quiet.job(job_id).etag
        call = lambda: self.lab.queue.set_queueing(self.lab.name, job_id, changes, key=key)  # noqa: E731 -- as above
        answer = self._make(call, {NotFoundError} if job is None else set())
        if job is not None:
            assert (answer.etag, answer.priority) == (etag, priority)
            job.priority, job.delayed = priority, delayed
            job.pending = job.pending and job.status is JobStatus.RUNNING

    def delete(self, job_id: str, guarded: str = "none") -> None:
        """Delete a job, there or not."""
        key = new_key()
        guard, holds = self._guard(job_id, guarded)
        refusals: Refusals = set() if holds else {ResourceExistsError if guarded == "absent" else UnsafeUpdateError}
        if self._make(lambda: self.lab.delete(job_id, guard=guard, key=key), refusals) is not REFUSED:
            self.model.delete(job_id)

    def _guard(self, job_id: str, guarded: str) -> tuple[Guard, bool]:
        """Return a guard, and whether it holds."""
        there = job_id in self.model.jobs
        if guarded == "none":
            return UNGUARDED, True
        if guarded == "absent":
            return ABSENT, not there
        if guarded == "present":
            return PRESENT, there
        etag = self.quiet.job(job_id).etag if there and guarded == "match" else new_key()
        return Guard.match(etag), there and guarded == "match"

    # Attempts

    def claim(self) -> None:
        """Claim a job: the model says which it must be."""
        key = new_key()
        answer = self._call(lambda: self.lab.ask(key=key))
        # Delivered a second time, the claim may be the one that looks: after it has its job.
        early = self.model.pick() if self._twice else None
        self.see_settled()
        self._take(answer, key, early)
        if isinstance(answer, Claim):
            self.made.append(Made(lambda: self.lab.ask(key=key), lambda: self.lab.ask(key=key, repeat=True), answer))

    def finish(self, which: int, outcome: Outcome, *, then_claim: bool = False) -> None:
        """Report on any claim there ever was, and claim the next job in the same call if asked to."""
        claim, key, n = self._claim_of(which), new_key(), self._number()
        next_key = new_key() if then_claim else None
        attempt = self._attempt_of(claim)
        refusals: Refusals = set()
        if attempt is None:
            refusals.add(NotFoundError)
        elif attempt.finish_key is not None and attempt.late is None:
            refusals.add(KeyReusedError)

        def call(*, repeat: bool = False) -> Finished:
            return self.lab.finish(claim, outcome, {"n": n}, key=key, next_key=next_key, repeat=repeat)

        second = attempt is not None and attempt.late is not None
        finished = self._make(call, refusals, lambda: call(repeat=True))
        if second:
            self.made.pop()  # the first report's late results stand, and nothing tells that there was another
            self.unrepeatable.add(key)
        if finished is REFUSED:
            self.see_settled(must=False)
            return
        assert attempt is not None
        self._report(claim.job.id, attempt, outcome, finished, n, key)
        if next_key is not None:
            following: Claim | NoJob | None = finished.next
            if self._twice and following is None:  # the answer of the second delivery; clients then ask again, too
                following = self._call(lambda: self.lab.ask(key=next_key, repeat=True))
            early = self.model.pick()  # what ends and claims in one looks afterwards
            self.see_settled()
            self._take(following, next_key, early)

    def _report(self, job_id: str, attempt: Attempt, outcome: Outcome, finished: Finished, n: int, key: str) -> None:
        """Hold the answer to a report against the model, which follows it."""
        if attempt.outcome is None and self.model.jobs[job_id].pending and not finished.recorded:
            self.model.settle()  # it was looked at just before
        assert finished.recorded == (attempt.outcome is None)
        if attempt.outcome is None:
            self.model.finish(job_id, outcome, n, key)
        elif attempt.late is None:
            attempt.late, attempt.finish_key = n, key
        assert finished.ended is attempt.outcome

    def _take(self, answer: Claim | NoJob | None, key: str, early: str | None) -> None:
        """Hold what a claim brought against what the model would have taken, now or before the store had looked."""
        picked = self.model.pick()
        if isinstance(answer, Claim) and answer.job.id == early:
            picked = early
        assert (answer.job.id if isinstance(answer, Claim) else None) == picked, (answer, picked)
        if isinstance(answer, Claim):
            assert picked is not None
            assert answer.key == key
            self.claims.append(answer)
            self.model.claim(picked, key)

    def heartbeat(self) -> None:
        """Renew all claims there ever were in one call."""
        held = [(claim.job.id, claim.key) for claim in self.claims]
        beats = self._call(lambda: self.lab.queue.heartbeat([key for _, key in held]))
        assert [beat.signal for beat in beats] == list(self.model.beat(held))
        self._renewed = time.monotonic()

    def offer(self) -> None:
        """Ask for a job as the old client does, which leaves it in the queue."""
        key = new_key()
        answer = self._call(lambda: self.lab.queue.offer(self.lab.name, key=key))
        self.see_settled()
        if isinstance(answer, JobRecord):
            assert self.model.ready(answer.id)
        assert isinstance(answer, JobRecord) == (self.model.pick() is not None)

    # The experiment

    def define(self, status: ExperimentStatus, guarded: str = "none", **limits: Any) -> None:
        """Pause the experiment or let it run, with these limits."""
        key = new_key()
        wanted = ExperimentDraft(search=MANUAL, status=status, settings=Settings(lease=self._lease, **limits))
        etag = {"match": self.quiet.record().etag}.get(guarded, new_key())
        guard = {"none": UNGUARDED, "absent": ABSENT, "present": PRESENT}.get(guarded, Guard.match(etag))
        refusals: Refusals = set()
        if guarded in ("absent", "stale"):
            refusals.add(ResourceExistsError if guarded == "absent" else UnsafeUpdateError)

        def call() -> Any:
            return self.lab.queue.put_experiment(self.lab.name, wanted, guard=guard, key=key)

        if self._make(call, refusals) is not REFUSED:
            self.model.status = status
            for limit in ("max_running", "max_jobs", "max_preemptions"):
                setattr(self.model, limit, limits.get(limit))
            self.model.max_attempts = limits.get("max_attempts") or 1
            self.model.max_lost = 3 if (lost := limits.get("max_lost")) is None else lost

    def make_another(self) -> None:
        """Create another experiment, and delete it again."""
        name, keys = f"other {new_key()}", (new_key(), new_key())
        wanted = ExperimentDraft(search=MANUAL)

        def create() -> ExperimentRecord:
            return self.lab.queue.put_experiment(name, wanted, guard=ABSENT, key=keys[0])

        record = self._make(create, set())
        guard = Guard.match(record.etag)
        self._make(lambda: self.lab.queue.delete_experiment(name, guard=guard, key=keys[1]), set())

    def give_back(self) -> None:
        """End all that is held, so that nothing runs but what a put made run."""
        while (held := self.held()) is not None:
            self.finish(held, Outcome.RELEASED)
        assert not any(job.leased for job in self.quiet.jobs())

    # Time

    def let_time_pass(self, which: int) -> None:
        """Let the lease or the delay of one of the jobs be over without anybody having looked."""
        due = [job_id for job_id, job in self.model.jobs.items() if job.waits_for_time]
        if due:
            job_id = due[which % len(due)]
            self._meddler.hurry(job_id)
            self._hurried = len(self.made)
            self.model.jobs[job_id].pending = True
            self.model.jobs[job_id].delayed = False

    def see_settled(self, *, must: bool = True) -> None:
        """Let the model follow, if the store has just looked at what was pending, as it must if nothing was ready."""
        pending = self.model.pending()
        if not pending:
            return
        left = self._meddler.unsettled() & pending
        assert left in (set(), pending), "it settles what is overdue, or it does not look"
        if not left:
            self.model.settle()
        elif must:
            assert self.model.pick() is not None, "when nothing is ready, it looks"

    def keep_leases(self) -> None:
        """Renew what was not given up, if it is time."""
        if time.monotonic() - self._renewed > self._lease / 4:
            held = filter(self._is_open, self.claims)
            kept = [claim.key for claim in held if not self.model.jobs[claim.job.id].pending]
            self.quiet.queue.heartbeat(kept)
            self._renewed = time.monotonic()

    # Again

    def repeat(self) -> None:
        """Make the last write again, as if its answer had been lost: it answers the same and changes nothing."""
        last = self.made[-1]
        if self._hurried == len(self.made):
            return  # time has passed since, which the answer may show
        if isinstance(last.answer, Claim) and not self._is_open(last.answer):
            with pytest.raises(LeaseLostError):
                self._call(last.again)
        else:
            assert self._told(self._call(last.again)) == self._told(last.answer)
        self.see_settled(must=False)

    def replay(self, which: int, *, as_repeat: bool) -> bool:
        """Make any old write again, as a network does that delivers late, and tell whether it was refused.

        Else it answers; in either case it changes nothing.
        """
        made = self.made[which % len(self.made)]
        if isinstance(made.answer, Claim) and self.forgot(made.answer.key):
            return True
        try:
            self._call(made.again if as_repeat else made.call)
        except ClientRequestError:
            return True
        finally:
            self.see_settled(must=False)
        return False

    def forgot(self, key: str) -> bool:
        """Tell whether this is the key of a claim that was forgotten with its job."""
        return any(claim.key == key and self._attempt_of(claim) is None for claim in self.claims)

    # What is common to all

    def agree(self) -> None:
        """Compare what is in the store with the model."""
        agree(self.quiet, self.model)

    def _number(self) -> int:
        self._n += 1
        return self._n  # results tell writes apart

    def _claim_of(self, which: int) -> Claim:
        return self.claims[which % len(self.claims)]

    def _attempt_of(self, claim: Claim) -> Attempt | None:
        return self.model.attempt(claim.job.id, claim.key)

    def _is_open(self, claim: Claim) -> bool:
        attempt = self._attempt_of(claim)
        return attempt is not None and attempt.outcome is None

    def _told(self, answer: Any) -> Any:
        """Return the part of an answer that a repeat has, too: not the job as it is now, nor that there was none."""
        if not isinstance(answer, Finished):
            return answer
        following = answer.next if isinstance(answer.next, Claim) and self._is_open(answer.next) else None
        return answer.recorded, answer.ended, following
