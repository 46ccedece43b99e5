"""Where a job stands: what is known of it and of what is before it, and the answer that this makes."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from attrs import field, frozen

from sweepstake.domain.batches.records import AllocationState, BatchStatus
from sweepstake.domain.records import AttemptRecord, Dependency, JobRecord
from sweepstake.domain.schema import OMIT_DEFAULT
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus
from sweepstake.domain.tasks.needs import WorkerLabel
from sweepstake.markup import text_html

__all__ = [
    "MOST_AHEAD",
    "MOST_BLOCKERS",
    "MOST_WORKERS",
    "BatchSituation",
    "GangSituation",
    "Situation",
    "VainSituation",
    "Why",
    "WhyReason",
]

#: How many jobs before one are counted.
MOST_AHEAD: Final = 1000
#: How many of the jobs that one waits for are named.
MOST_BLOCKERS: Final = 10
#: How many running jobs are looked at for their workers.
MOST_WORKERS: Final = 1000


class WhyReason(StrEnum):
    """What keeps a job from running; RUNNING: nothing does."""

    RUNNING = "running"
    OVERDUE = "overdue"
    UNLEASED = "unleased"
    DONE = "done"
    CRASHED = "crashed"
    PRUNED = "pruned"
    PAUSED = "paused"
    BLOCKED = "blocked"
    DELAYED = "delayed"
    AT_LIMIT = "at_limit"
    BEHIND = "behind"
    READY = "ready"
    #: No live worker has what its task needs.
    UNMET = "unmet"


@frozen(kw_only=True)
class GangSituation:
    """What is known of a gang that has not begun.

    Attributes:
        jobs: how many begin together.
        held: how many of them are claimed, and wait for the others.
        needs: what each of them needs, in words.
        places: for how many of them the live workers have room, if nothing else ran there.
        before: the gang of the experiment that collects its jobs now, if it is another.
    """

    name: str
    jobs: int
    held: int
    needs: str
    places: int
    before: str | None = None


@frozen(kw_only=True)
class BatchSituation:
    """What is known of the batch, not over yet, that a job is in.

    Attributes:
        backend: the scheduler that was asked for its allocation.
        jobid: what that calls the allocation.
        allocation: what became of that.
        reason: why, in the scheduler's words.
        since: Unix time at which the batch came to its status.
        start: seconds after its beginning at which the job is expected to start; None if nobody said.
    """

    id: str
    backend: str
    status: BatchStatus
    jobid: str | None
    allocation: AllocationState | None
    reason: str
    since: float
    start: float | None

    @property
    def expected_at(self) -> float | None:
        """Unix time at which the job is expected to start, if the batch has begun."""
        return None if self.start is None or self.status is not BatchStatus.BEGUN else self.since + self.start


@frozen(kw_only=True)
class VainSituation:
    """What is known of a job whose last allocations all ended before it did, with no new checkpoint.

    Attributes:
        given: seconds for which it ran at most.
        needs: seconds that it was expected to take, if somebody has estimated that.
    """

    given: float
    needs: float | None


@frozen(kw_only=True)
class Situation:
    """What is known of a job and of what stands before it.

    Attributes:
        now: Unix time by the store's clock.
        overdue: seconds since the lease of a running job ran out; negative while it has not, None without a lease.
        status: of the experiment.
        last: the job's latest attempt.
        failures, losses, preemptions: what it has spent of its budgets since it was made, or retried.
        blockers: of a queued job, the first MOST_BLOCKERS that it waits for.
        running: how many jobs of the experiment are RUNNING.
        workers: who runs jobs of the experiment with leases that are live, by name; see MOST_WORKERS.
        ahead: how many jobs are ready and claimed before it, up to MOST_AHEAD.
        unmet: of a job of a task, which of its needs no live worker meets.
        live: how many live workers may run tasks of the experiment; None of a job without a task.
        labels: what a worker must be told that it is, to run the job's task.
        gang: the job's, if it has not begun.
        batch: that a queued job is in, if it is in one that is not over.
        vain: of one that is in none, if its last allocations gave it too little time.
    """

    job: JobRecord
    now: float
    overdue: float | None
    status: ExperimentStatus
    settings: Settings
    last: AttemptRecord | None = None
    failures: int = 0
    losses: int = 0
    preemptions: int = 0
    blockers: tuple[Dependency, ...] = ()
    running: int = 0
    workers: tuple[str, ...] = ()
    ahead: int = 0
    unmet: str | None = None
    live: int | None = None
    labels: tuple[WorkerLabel, ...] = ()
    gang: GangSituation | None = None
    batch: BatchSituation | None = None
    vain: VainSituation | None = None


@frozen(kw_only=True)
class Why:
    """Why a job is not running; as text, the sentence.

    Attributes:
        sentence: for people.
        blockers: the jobs it waits for, at most MOST_BLOCKERS, when it is blocked.
        ahead: how many jobs are claimed before it, up to MOST_AHEAD, when it is ready.
        workers: who runs jobs of the experiment and sends heartbeats, when the job is ready or at the limit.
        heartbeat: seconds since the worker of a running job was last heard of, by the store's clock; None if it sends
            no heartbeats.
        batch: id of the batch that will run a queued job, if it is in one that is not over.
        expected_at: Unix time at which that batch is expected to start it, if it has begun and was planned.
    """

    reason: WhyReason
    sentence: str
    blockers: tuple[Dependency, ...] = ()
    ahead: int = 0
    workers: tuple[str, ...] = ()
    heartbeat: float | None = None
    batch: str | None = field(default=None, metadata=OMIT_DEFAULT)
    expected_at: float | None = field(default=None, metadata=OMIT_DEFAULT)

    def __str__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return text_html(self.sentence)
