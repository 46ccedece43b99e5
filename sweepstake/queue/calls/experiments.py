"""The verbs on experiments. An experiment is named by a reference; see `sweepstake.domain.addresses`.

All that name one raise `NotFoundError` when there is none.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from sweepstake.domain import portable
from sweepstake.domain.access import Role
from sweepstake.domain.counts import Counts
from sweepstake.domain.portable import ImportPart
from sweepstake.domain.records import ExperimentDraft, ExperimentRecord, Guard, Page
from sweepstake.queue.answers import NOTHING, one, written
from sweepstake.queue.call import Call, verb
from sweepstake.queue.calls.paths import EXPERIMENT, EXPERIMENTS, FIRST, NAME, links
from sweepstake.queue.fields import asker, force, guard, limit, named, op_key, start, whole
from sweepstake.wire.operation import Operation

__all__ = [
    "CountJobs",
    "DeleteExperiment",
    "ExportPage",
    "GetExperiment",
    "ListExperiments",
    "PutExperiment",
    "TakePart",
]

#: The most values of a definition.
_DEFINITION: Final = 200_000
#: The most values of a body that holds many jobs.
_ANY: Final = 40_000_000


@verb(
    Operation(
        name="list_experiments",
        method="GET",
        path=EXPERIMENTS,
        role=Role.READ,
        summary="List the experiments, oldest first",
        links=links(FIRST, "get_experiment", "put_experiment", "add_job", "list_jobs", "claim"),
    ),
    one(Page[ExperimentRecord], "ExperimentPage"),
)
@frozen(kw_only=True)
class ListExperiments(Call[Page[ExperimentRecord]]):
    """A page of the experiments, oldest first; `start` is the `next` of the page before.

    Attributes:
        viewer: email of the user who asks, so that only those are listed that the user may see; None: all.
    """

    start: str | None = start()
    limit: int = limit()
    viewer: str | None = asker()


@verb(
    Operation(
        name="put_experiment",
        makes="name",
        method="PUT",
        path=EXPERIMENT,
        role=Role.ADMIN,
        fenced=False,
        summary="Create an experiment, or replace its definition",
        values=_DEFINITION,
        links=links(NAME, "get_experiment", "add_job", "claim", "delete_experiment"),
    ),
    written(ExperimentRecord, "Experiment"),
    request="PutExperiment",
)
@frozen(kw_only=True)
class PutExperiment(Call[ExperimentRecord]):
    """Create or replace an experiment's definition; its jobs, counts and proposals stay.

    Limits (`max_running`, `max_jobs`) hold for every claim that begins after the answer, through whichever server;
    jobs that run or exist by then stay.

    Raises:
        InvalidInputError: the search is unknown or cannot be sampled.
        ResourceExistsError: guarded by ABSENT, and it exists.
        UnsafeUpdateError: guarded by an etag or PRESENT that does not hold.
        KeyReusedError: the key was used for something else.
    """

    name: str = named("name")
    draft: ExperimentDraft = whole()
    key: str = op_key()
    guard: Guard = guard(creates=True)


@verb(
    Operation(
        name="get_experiment",
        method="GET",
        path=EXPERIMENT,
        role=Role.READ,
        summary="Read an experiment",
    ),
    one(ExperimentRecord, "Experiment", versioned=True),
)
@frozen(kw_only=True)
class GetExperiment(Call[ExperimentRecord]):
    """One experiment."""

    name: str = named("name")


@verb(
    Operation(
        name="delete_experiment",
        method="DELETE",
        path=EXPERIMENT,
        role=Role.ADMIN,
        fenced=False,
        summary="Delete an experiment with its jobs",
        problems=(409,),
        links=links(NAME, "get_experiment"),
    ),
    NOTHING,
)
@frozen(kw_only=True)
class DeleteExperiment(Call[None]):
    """Delete an experiment with its jobs and attempts. Unguarded, deleting what is not there does nothing.

    Raises:
        UnsafeUpdateError: guarded, and it is not there or has another etag.
        LiveLeasesError: leases of its jobs are live, and `force` is false.
    """

    name: str = named("name")
    key: str = op_key()
    guard: Guard = guard()
    force: bool = force()


@verb(
    Operation(
        name="count_jobs",
        method="GET",
        path=f"{EXPERIMENT}counts/",
        role=Role.READ,
        summary="Count the jobs of an experiment by state",
    ),
    one(Counts, "Counts"),
)
@frozen(kw_only=True)
class CountJobs(Call[Counts]):
    """How many jobs are in which state."""

    name: str = named("name")


@verb(
    Operation(
        name="export",
        method="GET",
        path=f"{EXPERIMENT}export/",
        summary="Read part of all that is kept of an experiment: jobs with attempts, dependencies, events",
        role=Role.READ,
        long=True,
    ),
    one(portable.ExportPage, "ExportPage"),
)
@frozen(kw_only=True)
class ExportPage(Call[portable.ExportPage]):
    """Part of all that is kept of an experiment; `start` is the `next` of the part before.

    Each page is as the store stood at one moment, and the next page at a later one.
    """

    name: str = named("name")
    start: str | None = start()


@verb(
    Operation(
        name="import_part",
        makes="name",
        method="POST",
        path=f"{EXPERIMENT}import/",
        summary="Take part of an experiment from elsewhere; the last part makes all of it visible",
        values=_ANY,
        role=Role.ADMIN,
        fenced=False,
        changes_access=True,
        long=True,
        problems=(409, 412),
    ),
    NOTHING,
    request="ImportPart",
    word="import",
)
@frozen(kw_only=True)
class TakePart(Call[None]):
    """Take one part of an experiment from elsewhere; the last makes all of it visible under `name` at once.

    Repeating a part changes nothing. A job that was RUNNING becomes QUEUED, its attempt ends as released: its
    worker holds it in another store. What comes gets keys of its own, and late reports still find it.

    Attributes:
        owner: email of the user whose it shall be; None: everybody's.

    Raises:
        ResourceExistsError: there is an experiment of that name.
        NotFoundError: there is no such import under way: it was never begun, was abandoned, or has ended.
        InvalidInputError: a part is missing or contradicts another, or the totals are others than what arrived.
    """

    name: str = named("name")
    part: ImportPart = whole()
    owner: str | None = asker()
