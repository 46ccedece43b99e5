"""A small model of one experiment: what a user may rely on, without databases, networks and processes."""

from collections.abc import Iterable, Iterator, Sequence

import attrs

from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome, Signal

__all__ = ["Attempt", "Model", "Modelled", "Wanted"]

QUEUED, RUNNING, CRASHED, PRUNED, DONE = JobStatus

#: What a put by somebody who does not hold the attempt makes of it.
ENDED_BY_PUT = {DONE: Outcome.DONE, CRASHED: Outcome.CRASHED, PRUNED: Outcome.PRUNED}
REPORTED = {Outcome.DONE: DONE, Outcome.CRASHED: CRASHED, Outcome.PRUNED: PRUNED}


@attrs.define
class Attempt:
    """One running of a job."""

    key: str
    leased: bool
    outcome: Outcome | None = None
    finish_key: str | None = None
    late: int | None = None


@attrs.frozen
class Wanted:
    """A job to be added."""

    job_id: str
    status: JobStatus = QUEUED
    priority: int = 0
    delayed: bool = False
    needs: tuple[str, ...] = ()
    prune_with: bool = False


@attrs.define
class Modelled:
    """One job.

    Attributes:
        n: what its results say; every write says something else.
        born: its place in the order of creation.
        delayed: its `not_before` is to come.
        pending: its time has come (its lease is over, or its delay), and nobody has looked yet.
        needs: the jobs that it waits for.
        prune_with: it is pruned with any of them.
    """

    status: JobStatus
    n: int
    priority: int
    born: int
    delayed: bool = False
    pending: bool = False
    failures: int = 0
    losses: int = 0
    preemptions: int = 0
    attempts: list[Attempt] = attrs.field(factory=list)
    needs: set[str] = attrs.field(factory=set)
    prune_with: bool = False

    @property
    def current(self) -> Attempt | None:
        """The open attempt."""
        return self.attempts[-1] if self.status is RUNNING else None

    @property
    def waits_for_time(self) -> bool:
        """Whether its lease, or its delay, will be over one day, and is not yet."""
        leased = self.current is not None and self.current.leased
        return not self.pending and (leased or (self.status is QUEUED and self.delayed))

    def become(self, status: JobStatus, outcome: Outcome, opened: str | None = None) -> None:
        """Change status; an open attempt ends with the outcome, and RUNNING begins one without a lease."""
        if self.current is not None:
            self.current.outcome = outcome
        self.status = status
        self.pending = False
        if opened is not None:
            self.attempts.append(Attempt(opened, leased=False))


@attrs.define
class Model:
    """One experiment.

    Attributes:
        created: how many jobs were ever created.
        lost: how many leases were settled.
    """

    jobs: dict[str, Modelled] = attrs.field(factory=dict)
    status: ExperimentStatus = ExperimentStatus.RUNNING
    max_running: int | None = None
    max_jobs: int | None = None
    max_attempts: int = 1
    max_lost: int = 3
    max_preemptions: int | None = None
    created: int = 0
    lost: int = 0
    _born: int = 0

    def full(self, more: int) -> bool:
        """Tell whether so many more jobs may not run."""
        running = sum(job.status is RUNNING for job in self.jobs.values())
        return more > 0 and self.max_running is not None and running + more > self.max_running

    def crowded(self, more: int) -> bool:
        """Tell whether so many more jobs may not be created."""
        return self.max_jobs is not None and self.created + more > self.max_jobs

    def tangled(self, wanted: Sequence[Wanted]) -> bool:
        """Tell whether one of these waits for what is not there, or for itself by whatever way."""
        new = {one.job_id: one for one in wanted}
        there, rest = self.jobs.keys() - new.keys(), list(new.values())
        while free := [one for one in rest if there.issuperset(one.needs)]:
            there |= {one.job_id for one in free}
            rest = [one for one in rest if one not in free]
        return bool(rest)

    def add_all(self, wanted: Sequence[Wanted], n: int, key: str) -> None:
        """Create jobs in one call, each after those of them that it waits for."""
        places = {one.job_id: i for i, one in enumerate(wanted)}

        def create(place: int) -> None:
            one = wanted[place]
            if one.job_id not in self.jobs:
                for need in one.needs:
                    if need in places:
                        create(places[need])
                self.add(one, n, f"{key}.{place}")

        for place in range(len(wanted)):
            create(place)

    def add(self, wanted: Wanted, n: int, key: str) -> None:
        """Create a job; one that is RUNNING begins an attempt under this key."""
        self._born += 1
        self.created += 1
        failed = any(self.jobs[need].status in (CRASHED, PRUNED) for need in wanted.needs)
        status = PRUNED if wanted.prune_with and failed and wanted.status is QUEUED else wanted.status
        job = Modelled(status, n, wanted.priority, self._born, delayed=wanted.delayed)
        job.needs, job.prune_with = set(wanted.needs), wanted.prune_with
        if status is RUNNING:
            job.attempts.append(Attempt(key, leased=False))
        self.jobs[wanted.job_id] = job

    def unfinished(self, job_id: str) -> int:
        """Return for how many jobs one waits."""
        return sum(self.jobs[need].status is not DONE for need in self.jobs[job_id].needs)

    def ready(self, job_id: str) -> bool:
        """Tell whether a job may be claimed now."""
        job = self.jobs[job_id]
        return job.status is QUEUED and not job.delayed and not job.pending and not self.unfinished(job_id)

    def become(self, job_id: str, status: JobStatus, outcome: Outcome, opened: str | None = None) -> None:
        """Change a job's status; those that are pruned with it follow."""
        before = self.jobs[job_id].status
        self.jobs[job_id].become(status, outcome, opened)
        if status is before or status not in (CRASHED, PRUNED):
            return
        for other_id, other in self.jobs.items():
            if job_id in other.needs and other.prune_with and other.status is QUEUED:
                self.become(other_id, PRUNED, Outcome.PRUNED)

    def delete(self, job_id: str) -> None:
        """Forget a job, there or not; nobody waits for it any more."""
        self.jobs.pop(job_id, None)
        for job in self.jobs.values():
            job.needs.discard(job_id)

    def put(self, job_id: str, status: JobStatus, n: int, key: str) -> None:
        """Write a job's document, as somebody who does not hold it."""
        if job_id not in self.jobs:
            self.add(Wanted(job_id, status), n, key)
            return
        opened = key if status is RUNNING else None
        current = self.jobs[job_id].current
        taken = current is not None and current.leased and status is not PRUNED
        outcome = Outcome.SUPERSEDED if taken else ENDED_BY_PUT.get(status, Outcome.SUPERSEDED)
        self.become(job_id, status, outcome, opened)
        self.jobs[job_id].n = n

    def put_as_holder(self, job_id: str, status: JobStatus, n: int) -> None:
        """Write a job's document, as the holder of its open attempt."""
        if status is not RUNNING:
            self.become(job_id, status, ENDED_BY_PUT.get(status, Outcome.RELEASED))
        self.jobs[job_id].n = n

    def pick(self) -> str | None:
        """Return the job that a claim takes now."""
        if self.status is not ExperimentStatus.RUNNING or self.full(1):
            return None
        ready = [(-job.priority, job.born, job_id) for job_id, job in self.jobs.items() if self.ready(job_id)]
        return min(ready)[2] if ready else None

    def claim(self, job_id: str, key: str) -> None:
        """Let a job run under a lease."""
        self.jobs[job_id].status = RUNNING
        self.jobs[job_id].attempts.append(Attempt(key, leased=True))

    def finish(self, job_id: str, outcome: Outcome, n: int, key: str) -> None:
        """End the open attempt with a report, as the budgets want it."""
        job = self.jobs[job_id]
        assert job.current is not None
        job.current.finish_key = key
        status = REPORTED.get(outcome, QUEUED)
        if outcome is Outcome.CRASHED:
            job.failures += 1
            status = CRASHED if job.failures >= self.max_attempts else QUEUED
        if outcome is Outcome.PREEMPTED:
            spent = self.max_preemptions is not None and job.preemptions >= self.max_preemptions
            status = CRASHED if spent else QUEUED
            job.preemptions += 1
        self.become(job_id, status, outcome)
        job.n = n

    def retry(self, job_id: str) -> None:
        """Queue a job again, with its budgets anew."""
        job = self.jobs[job_id]
        if job.status is not QUEUED:
            self.become(job_id, QUEUED, Outcome.RELEASED)
            job.failures = job.losses = job.preemptions = 0

    def pending(self) -> set[str]:
        """Return the jobs whose time has come without anybody having looked."""
        return {job_id for job_id, job in self.jobs.items() if job.pending}

    def settle(self) -> None:
        """Look for whose time has come."""
        for job_id, job in self.jobs.items():
            if job.pending and job.status is RUNNING:
                self.become(job_id, QUEUED if job.losses < self.max_lost else CRASHED, Outcome.LEASE_LOST)
                job.losses += 1
                self.lost += 1
            job.pending = False

    def attempt(self, job_id: str, key: str) -> Attempt | None:
        """Return an attempt; None if its job was deleted."""
        job = self.jobs.get(job_id)
        return next((attempt for attempt in job.attempts if attempt.key == key), None) if job else None

    def beat(self, held: Iterable[tuple[str, str]]) -> Iterator[Signal]:
        """Renew the leases of these attempts (job, key), and say what their holders must hear."""
        for job_id, key in held:
            attempt = self.attempt(job_id, key)
            if attempt is None:
                yield Signal.LOST
            elif attempt.outcome is None:
                self.jobs[job_id].pending = False
                yield Signal.CONTINUE
            else:
                yield Signal.PRUNE if attempt.outcome is Outcome.PRUNED else Signal.LOST

    def order(self) -> Sequence[str]:
        """Return the jobs in the order of a listing."""
        return sorted(self.jobs, key=lambda job_id: self.jobs[job_id].born)
