"""What a store has kept, as one who checks it reads it: bare facts, which may contradict each other."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from attrs import frozen

__all__ = [
    "Check",
    "Extent",
    "Kept",
    "KeptSpecs",
    "LedgerAttempt",
    "LedgerBatch",
    "LedgerEvent",
    "LedgerExperiment",
    "LedgerGang",
    "LedgerJob",
    "Stray",
    "Violation",
]


class Check(StrEnum):
    """What is checked; each has its rule in `sweepstake.queue.verify.rules`."""

    NUMBERS = "attempts-numbered"
    HOLDERS = "one-holder"
    OVERLAP = "attempts-apart"
    OUTCOMES = "outcomes"
    STATUS = "status"
    KEYS = "keys"
    BUDGETS = "budgets"
    LIMITS = "limits"
    COUNTS = "counts"
    DEPENDENCIES = "dependencies"
    READINESS = "readiness"
    WRITES = "writes"
    RESULTS = "results"
    TASKS = "tasks"
    SPECS = "specs"
    GANGS = "gangs"
    BATCHES = "batches"
    STRAYS = "strays"


@frozen(kw_only=True)
class Violation:
    """Something that the promises exclude.

    Attributes:
        attempt: number of the attempt, if it is a matter of one.
        what: a clause about the job, the attempt or the experiment.
    """

    check: Check
    experiment: str
    job: str
    attempt: int | None
    what: str


class LedgerAttempt(NamedTuple):
    """An attempt as it stands.

    Attributes:
        lease: seconds, or None when it was begun by a plain PUT.
        finish_key: op key of the report, whether it became the job's document or came late.
        late: the report came after the end.
        stated: its holder ended it by a PUT, without a report.
    """

    number: int
    key: str
    lease: float | None
    started_at: float
    ended_at: float | None
    outcome: str | None
    finish_key: str | None
    late: bool
    stated: bool = False

    @property
    def recorded(self) -> str | None:
        """Return the op key of the report that became the job's document, if one did."""
        return None if self.late else self.finish_key


class LedgerJob(NamedTuple):
    """A job as it stands.

    Attributes:
        experiment: name of the experiment, or None if there is none.
        definition: etag of the experiment.
        asked_at: Unix time by the store's clock when this was read.
        unfinished: how many of its dependencies are not DONE.
        depending: how many jobs depend on it.
        needs: number of its needs; 0 if it has no task.
        needed: number of what its task needs, as its version of the spec says; None if there is no such task.
        retried: after how many attempts it was given new budgets, each time.
    """

    seq: int
    experiment: str | None
    id: str
    status: str
    etag: str
    due: float | None
    not_before: float | None
    waiting: int
    dependants: int
    attempt: int
    failures: int
    losses: int
    preemptions: int
    definition: str | None
    max_attempts: int | None
    max_lost: int | None
    max_preemptions: int | None
    asked_at: float
    unfinished: int
    depending: int
    task: str | None
    spec_version: int | None
    needs: int
    needed: int | None
    attempts: tuple[LedgerAttempt, ...] = ()
    retried: tuple[int, ...] = ()

    @property
    def open_attempts(self) -> list[LedgerAttempt]:
        """Return the attempts that have no end."""
        return [attempt for attempt in self.attempts if attempt.ended_at is None]


class Extent(NamedTuple):
    """How much there is to read.

    Attributes:
        experiments: how many there are.
        last_job, last_event: the highest `seq`, up to which pages go.
    """

    experiments: int
    last_job: int
    last_event: int


class LedgerEvent(NamedTuple):
    """A row of the ledger of rarer writes; `at` is Unix time."""

    seq: int
    at: float
    verb: str
    experiment: str
    job: str
    key: str
    detail: str


class Kept(NamedTuple):
    """What is kept of an experiment's jobs, so that nobody has to count them; see `Counts` for the words."""

    jobs: int
    blocked: int
    delayed: int
    done: int
    crashed: int
    pruned: int


class LedgerExperiment(NamedTuple):
    """An experiment's limits and what they limit, read together.

    Attributes:
        created: how many jobs were ever created in it.
        running: how many are RUNNING now.
        counted: how many jobs there are, counted one by one.
        kept: the same as the store keeps it.
    """

    id: int
    name: str
    etag: str
    max_jobs: int | None
    max_running: int | None
    created: int
    running: int
    counted: Kept
    kept: Kept

    @property
    def jobs(self) -> int:
        """How many jobs it has now."""
        return self.counted.jobs


class KeptSpecs(NamedTuple):
    """What is kept of what an experiment runs.

    Attributes:
        versions: how many of its spec there are.
        last: the number of the last of them; 0 if there is none.
        without_version: how many tasks are those of versions that are not there.
        without_needs: how many tasks need something that is not there.
        without_snapshot: how many versions came with a snapshot of code that is not there.
    """

    versions: int
    last: int
    without_version: int
    without_needs: int
    without_snapshot: int


class LedgerGang(NamedTuple):
    """Jobs that begin together.

    Attributes:
        ranks, tasks, versions: how many different ones its jobs have.
        waiting: how many are held, and may not begin yet.
        queued: how many nobody holds.
        since: Unix time at which the first of those that wait was claimed.
        left: seconds until the last lease of them ends.
        attempt: which attempt at one of them it is, of the one that was tried least.
        lease: seconds of the experiment's leases.
        timeout: seconds for which it may wait, if its task says so.
        needs: of its task, as text.
        asked_at: Unix time by the store's clock when this was read.
    """

    name: str
    jobs: int
    ranks: int
    tasks: int
    versions: int
    waiting: int
    queued: int
    since: float | None
    left: float | None
    attempt: int | None
    lease: float
    timeout: float | None
    needs: str | None
    asked_at: float


class LedgerBatch(NamedTuple):
    """A batch, with all of its submissions.

    Attributes:
        submissions: how many there are.
        last: the number of the newest.
        live: how many are not over.
        live_number: the number of the newest of those.
        unended: how many are over and have no end, or have one and are not over.
        unheld: how many have begun, and nobody knows when or in which allocation.
    """

    id: str
    submissions: int
    last: int
    live: int
    live_number: int | None
    unended: int
    unheld: int


class Stray(NamedTuple):
    """A row that belongs to a job, a batch or an experiment which is not there.

    Attributes:
        owner: what it belongs to.
        owner_number: the number of that.
    """

    kind: str
    owner_number: int
    number: int
    owner: str = "job"
