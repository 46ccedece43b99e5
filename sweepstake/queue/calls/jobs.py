"""The verbs on jobs. All raise `NotFoundError` when there is no such experiment or job."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from sweepstake.domain.access import Role
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.duplicates import Added, OnDuplicate
from sweepstake.domain.lengths import MAX_BULK, at_most, holds
from sweepstake.domain.names import MAX_IDS, check_ids
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import (
    AttemptRecord,
    Attempts,
    Blocked,
    Dependencies,
    Dependency,
    Document,
    Guard,
    JobRecord,
    Page,
    PutAnswer,
    Stopped,
)
from sweepstake.domain.schema import items, narrowed
from sweepstake.domain.situation import Why
from sweepstake.domain.tasks.gangs import Gang
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.queue.answers import ADDED, ADDED_ONE, NOTHING, PUT, listed, one
from sweepstake.queue.call import Call, verb
from sweepstake.queue.calls import paths
from sweepstake.queue.calls.paths import EXPERIMENT, JOB, JOBS, links
from sweepstake.queue.fields import (
    asker,
    attempt_key,
    body,
    duplicates,
    filters,
    guard,
    limit,
    named,
    op_key,
    start,
    whole,
)
from sweepstake.wire.operation import Operation

__all__ = [
    "AddJob",
    "AddJobs",
    "DeleteJob",
    "ExplainJob",
    "GetGang",
    "GetJob",
    "ListAttempts",
    "ListBlocked",
    "ListDependencies",
    "ListJobs",
    "PruneJob",
    "PutJob",
    "RetryJob",
    "SetQueueing",
    "StopJobs",
]

#: How many values bodies hold at most. Marks in texts count as well. Notes may hold 65,536 commas, 64 tags as many as
#: fit; one job 8 MiB of digits and commas, for hyperparameters and for results.
_LABELS: Final = 100_000
_ONE_JOB: Final = 10_000_000
_ANY: Final = 40_000_000


def _are_ids(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    if value:
        check_ids(value, attribute.name)


@verb(
    Operation(
        name="list_jobs",
        method="GET",
        path=JOBS,
        role=Role.READ,
        summary="List the jobs of an experiment, oldest first",
        long=True,
        links=links(paths.FIRST_JOB, "get_job", "put_job", "list_attempts", "why", "prune", "retry", "set_queueing"),
    ),
    one(Page[JobRecord], "JobPage"),
)
@frozen(kw_only=True)
class ListJobs(Call[Page[JobRecord]]):
    """A page of jobs by age, or with `query.order` the first `limit` in that order and no next page.

    Each job that was committed before the listing began appears exactly once over its pages.
    """

    name: str = named("name")
    start: str | None = start()
    limit: int = limit()
    query: JobQuery = filters()


@verb(
    Operation(
        name="add_job",
        method="POST",
        path=JOBS,
        role=Role.WORK,
        summary="Add a job; 200 answers with the one that has its hyperparameters, if it was left out",
        values=_ONE_JOB,
        problems=(409, 412),
        links=links(paths.ADDED, "get_job", "put_job", "list_dependencies", "prune", "delete_job"),
    ),
    ADDED_ONE,
    request="NewJob",
)
@frozen(kw_only=True)
class AddJob(Call[PutAnswer]):
    """Create one job; as `AddJobs`, and answers the job, or the one that stands for it."""

    name: str = named("name")
    draft: JobDraft = whole()
    key: str = op_key()
    on_duplicate: OnDuplicate = duplicates()


@verb(
    Operation(
        name="add_jobs",
        method="POST",
        path=f"{EXPERIMENT}bulk/",
        role=Role.WORK,
        summary=f"Add up to {MAX_BULK:,} jobs, all or none; 200 tells which were left out",
        values=_ANY,
        long=True,
        problems=(409, 412),
    ),
    ADDED,
    request="NewJobs",
)
@frozen(kw_only=True)
class AddJobs(Call[Added]):
    """Jobs to be created, all or none.

    There may be up to MAX_BULK; job i may be guarded by the etag `key.i`. Drafts may have any status; one that is
    RUNNING begins an attempt without a lease. They may depend on jobs of the experiment and on each other, in any
    order; one that asks to be pruned with a dependency which is CRASHED or PRUNED already is PRUNED from the start.

    Attributes:
        on_duplicate: SKIP leaves out the drafts whose hyperparameters a job of the experiment has, or a draft
            before; whoever depends on one of them depends on that job instead. ERROR refuses the call then. Whoever
            races, SKIP and ERROR never create the same twice.

    Raises:
        InvalidInputError: a dependency is no job of the experiment (`jobs[3].depends_on[0]`), or drafts wait for
            each other in a circle.
        ResourceExistsError: an id is taken, or stands twice among the drafts; with ERROR, so do hyperparameters.
        LimitReachedError: `max_jobs` allows no more (or `max_running` a RUNNING one).
    """

    name: str = named("name")
    jobs: tuple[JobDraft, ...] = body(
        validator=at_most(MAX_BULK), metadata={**holds(MAX_BULK), **narrowed(items("NewJob", MAX_BULK))}
    )
    key: str = op_key()
    on_duplicate: OnDuplicate = duplicates()


@verb(
    Operation(
        name="put_job",
        makes="id",
        method="PUT",
        path=JOB,
        role=Role.WORK,
        summary="State a fact: replace a job's document, or create the job",
        values=_ONE_JOB,
        over_limit=412,  # so that Schedy's client, which claims by a PUT, asks for another job
        links=links(paths.THIS, "get_job", "list_attempts", "delete_job"),
    ),
    PUT,
    request="PutJob",
)
@frozen(kw_only=True)
class PutJob(Call[PutAnswer]):
    """State a fact: replace a job's document, or create the job. See `sweepstake.queue.verbs.puts` for attempts.

    Attributes:
        attempt: key of the open attempt, when its holder writes; any other write ends the attempt.

    Raises:
        ResourceExistsError, UnsafeUpdateError: the guard failed and this key did not write before.
        LeaseLostError: `attempt` is given and is not open any more.
        LimitReachedError: it would exceed `max_running` or `max_jobs`.
    """

    name: str = named("name")
    id: str = named("id")
    document: Document = whole()
    key: str = op_key()
    guard: Guard = guard(creates=True)
    attempt: str | None = attempt_key()


@verb(
    Operation(name="get_job", method="GET", path=JOB, role=Role.READ, summary="Read a job"),
    one(JobRecord, "Job", versioned=True),
)
@frozen(kw_only=True)
class GetJob(Call[JobRecord]):
    """One job."""

    name: str = named("name")
    id: str = named("id")


@verb(
    Operation(
        name="delete_job",
        method="DELETE",
        path=JOB,
        role=Role.ADMIN,
        summary="Delete a job with its attempts",
        links=links(paths.THIS, "get_job"),
    ),
    NOTHING,
)
@frozen(kw_only=True)
class DeleteJob(Call[None]):
    """Delete a job and its attempts. Unguarded, deleting what is not there does nothing."""

    name: str = named("name")
    id: str = named("id")
    key: str = op_key()
    guard: Guard = guard()


@verb(
    Operation(
        name="list_attempts",
        method="GET",
        path=f"{JOB}attempts/",
        role=Role.READ,
        summary="List the attempts of a job, oldest first",
    ),
    listed(Attempts, "attempts"),
)
@frozen(kw_only=True)
class ListAttempts(Call[tuple[AttemptRecord, ...]]):
    """The attempts of a job, oldest first."""

    name: str = named("name")
    id: str = named("id")


@verb(
    Operation(
        name="list_dependencies",
        method="GET",
        path=f"{JOB}dependencies/",
        role=Role.READ,
        summary="List the jobs that a job waits for, oldest first",
    ),
    listed(Dependencies, "dependencies"),
)
@frozen(kw_only=True)
class ListDependencies(Call[tuple[Dependency, ...]]):
    """The jobs that a job waits for, or waited for, oldest first; deleted ones are not among them."""

    name: str = named("name")
    id: str = named("id")


@verb(
    Operation(
        name="list_blocked",
        method="GET",
        path=f"{EXPERIMENT}blocked/",
        role=Role.READ,
        summary="List the queued jobs that wait for others, and for which, oldest first",
        long=True,
    ),
    one(Page[Blocked], "BlockedPage"),
)
@frozen(kw_only=True)
class ListBlocked(Call[Page[Blocked]]):
    """A page of the queued jobs that wait for others, by age: what a plan of many jobs needs of their dependencies."""

    name: str = named("name")
    start: str | None = start()
    limit: int = limit()


@verb(
    Operation(
        name="get_gang",
        method="GET",
        path=f"{JOB}gang/",
        role=Role.WORK,
        summary="Tell which jobs begin with one, and whether they may",
    ),
    one(Gang, "Gang"),
)
@frozen(kw_only=True)
class GetGang(Call[Gang]):
    """The jobs that begin together with one, and whether all were claimed, so that it may begin.

    Whoever has claimed a job of a gang asks until they were, and once in a while after that. What has waited longer
    than its task says is CRASHED, or tried again, and so is what has begun and misses one of its jobs for longer;
    without a word of its task, what waits is given back, and what has begun goes on.
    """

    name: str = named("name")
    id: str = named("id")


@verb(
    Operation(
        name="prune",
        method="POST",
        path=f"{JOB}prune/",
        role=Role.WORK,
        summary="Make a QUEUED or RUNNING job PRUNED",
        problems=(412,),
    ),
    one(JobRecord, "Job", versioned=True),
)
@frozen(kw_only=True)
class PruneJob(Call[JobRecord]):
    """Make a QUEUED or RUNNING job PRUNED; pruning a PRUNED job again changes nothing.

    Raises:
        UnsafeUpdateError: the job is DONE or CRASHED.
    """

    name: str = named("name")
    id: str = named("id")
    key: str = op_key()


@verb(
    Operation(
        name="stop",
        method="POST",
        path=f"{EXPERIMENT}stop/",
        role=Role.WORK,
        summary="Make jobs that are QUEUED or RUNNING PRUNED: all of the experiment, or some",
        values=_LABELS,
        long=True,
    ),
    one(Stopped, "Stopped"),
    request="StopRequest",
)
@frozen(kw_only=True)
class StopJobs(Call[Stopped]):
    """End jobs: those that are QUEUED or RUNNING are PRUNED, for the reason that they were stopped.

    What is added while it works is left alone. A retry queues a job again.

    Attributes:
        ids: if any, only these jobs, at most `domain.names.MAX_IDS`.
    """

    name: str = named("name")
    key: str = op_key()
    ids: tuple[str, ...] = body(default=(), validator=_are_ids, metadata=narrowed(items("Name", MAX_IDS)))


@verb(
    Operation(
        name="retry",
        method="POST",
        path=f"{JOB}retry/",
        role=Role.WORK,
        summary="Queue a job again that is CRASHED, PRUNED or RUNNING without a lease; its budgets begin anew",
        problems=(412,),
    ),
    one(JobRecord, "Job", versioned=True),
)
@frozen(kw_only=True)
class RetryJob(Call[JobRecord]):
    """Queue a CRASHED or PRUNED job again: its attempts and results stay, its budgets begin anew.

    A job that is RUNNING without a lease (begun by a plain PUT) is queued too, and its attempt ends as released. A
    QUEUED job stays as it is.

    Raises:
        UnsafeUpdateError: the job is DONE, or RUNNING with a lease.
    """

    name: str = named("name")
    id: str = named("id")
    key: str = op_key()


@verb(
    Operation(
        name="set_queueing",
        method="PATCH",
        path=f"{JOB}queueing/",
        role=Role.WORK,
        summary="Change the priority, delay, tags or notes of a job, and not its etag",
        values=_LABELS,
    ),
    one(JobRecord, "Job", versioned=True),
    request="QueueingChanges",
)
@frozen(kw_only=True)
class SetQueueing(Call[JobRecord]):
    """Change the queueing of a job in any status; its document and etag stay, and whoever runs it runs on."""

    name: str = named("name")
    id: str = named("id")
    changes: QueueingChanges = whole()
    key: str = op_key()


@verb(
    Operation(
        name="why",
        method="GET",
        path=f"{JOB}why/",
        role=Role.READ,
        summary="Say in one sentence why a job is not running",
    ),
    one(Why, "Why"),
)
@frozen(kw_only=True)
class ExplainJob(Call[Why]):
    """Why a job is not running, in one sentence, from what is known now.

    Attributes:
        viewer: email of the user who asks, and may type what it says.
    """

    name: str = named("name")
    id: str = named("id")
    viewer: str | None = asker()
