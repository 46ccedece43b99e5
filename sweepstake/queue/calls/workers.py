"""The verbs of those who run jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import field, frozen

from sweepstake.domain.access import Role
from sweepstake.domain.drafts import Finish
from sweepstake.domain.keys import check_attempt, check_key
from sweepstake.domain.lengths import MAX_BEATS, at_most, holds
from sweepstake.domain.names import MAX_IDS, check_ids, check_name
from sweepstake.domain.records import Beat, Beats, Claim, Finished, Health, JobRecord, NoJob
from sweepstake.domain.schema import OMIT_DEFAULT, items, narrowed, nullable, ref
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.tasks.waiting import RoomAnswer
from sweepstake.domain.workers import WorkerRecord, WorkerReport, Workers
from sweepstake.errors import StoreUnavailableError
from sweepstake.queue.answers import listed, one, one_or_reason
from sweepstake.queue.call import Call, verb
from sweepstake.queue.calls.paths import EXPERIMENT, JOB, TAKEN, links
from sweepstake.queue.fields import anew, asker, body, hidden, merged, named, op_key
from sweepstake.wire.operation import BASE, Operation

__all__ = ["ClaimJob", "FinishAttempt", "Heartbeat", "ListWorkers", "MakeRoom", "OfferJob", "Ping"]

#: How many values bodies hold at most. Marks in texts count as well: a worker's name may hold 255 commas.
_FEW: Final = 1000
#: As many ids as a claim may name; each may hold as many commas as a worker's name.
_IDS: Final = _FEW + 256 * MAX_IDS
_BEATS: Final = MAX_BEATS + 10
_ONE_JOB: Final = 10_000_000


def _are_attempts(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    for i, key in enumerate(value):
        check_attempt(key, f"{attribute.name}[{i}]")


_WORKER: Final = narrowed(ref("Label"))


@verb(
    Operation(
        name="claim",
        method="POST",
        path=f"{EXPERIMENT}claim/",
        role=Role.WORK,
        summary="Take the next job, or learn why there is none",
        values=_IDS,
        problems=(412,),
        links=links(TAKEN, "finish"),
    ),
    one_or_reason(Claim, "Claim"),
    request="ClaimRequest",
)
@frozen(kw_only=True)
class ClaimJob(Call[Claim | NoJob]):
    """Who claims, whether the call may have been made before with this key, and if not any job will do, which.

    It takes the ready job of highest priority, then oldest; else one that the search proposes. Jobs that name a task
    are for workers that offer something, and those take no others.

    Attributes:
        worker: who claims, for people to read.
        repeat: the call may have been made before with this key.
        ids: if any, only one of these jobs, at most `domain.names.MAX_IDS`; then the search proposes none.
        offer: what there is for the job: only one of a task that needs no more is taken, or proposed by the search.
            For clients of one's own that run one task at a time; `sweepstake worker` claims by `ClaimJobs`.

    Raises:
        LeaseLostError: a repeat, and the job claimed by the first call has been lost since: claim anew.
    """

    name: str = named("name")
    key: str = op_key()
    worker: str = body(default="", arriving=check_name, metadata=_WORKER)
    repeat: bool = body(default=False)
    ids: tuple[str, ...] = body(
        default=(), arriving=check_ids, metadata={**OMIT_DEFAULT, **narrowed(items("Name", MAX_IDS))}
    )
    offer: Offer | None = body(default=None, metadata=OMIT_DEFAULT)
    claims: bool = field(default=True, init=False)


@verb(
    Operation(
        name="finish",
        method="POST",
        path=f"{JOB}finish/",
        role=Role.WORK,
        summary="End an attempt, and if asked to claim the next job",
        values=_ONE_JOB,
        problems=(412,),
    ),
    one(Finished, "Finished"),
    request="FinishRequest",
)
@frozen(kw_only=True)
class FinishAttempt(Call[Finished]):
    """A report on an attempt; with `claim`, an op key, the next job is claimed in the same call.

    A report on an attempt that is over changes nothing but is kept as the attempt's late results, and a repeat
    answers as the first call did. A claim is made in either case, but not again by a repeat, which may come late and
    have nobody who waits for it: if what the first call claimed is over, or was nothing, `next` is None, and who
    still wants a job repeats the claim by itself.

    Attributes:
        away: told of each try that found the store away.

    Raises:
        NotFoundError: no such job or attempt: it was deleted.
        KeyReusedError: the attempt was finished under another key (its results stand).
    """

    name: str = named("name")
    id: str = named("id")
    key: str = op_key()
    report: Finish = merged()
    claim: str | None = body(default=None, repr=False, arriving=check_key, metadata=narrowed(nullable(ref("Key"))))
    worker: str = body(default="", arriving=check_name, metadata=_WORKER)
    repeat: bool = body(default=False)
    away: Callable[[StoreUnavailableError], None] | None = hidden()
    claims: bool = field(init=False)

    @claims.default
    def _claims_next(self) -> bool:
        return self.claim is not None


@verb(
    Operation(
        name="offer",
        method="GET",
        path=f"{EXPERIMENT}nextjob/",
        role=Role.WORK,
        summary="Look at a ready job, to claim it by a guarded PUT",
    ),
    one_or_reason(JobRecord, "Job", versioned=True),
)
@frozen(kw_only=True)
class OfferJob(Call[JobRecord | NoJob]):
    """The oldest ready job, still QUEUED, for a client that claims by a guarded PUT.

    One offered within the last second is passed over while others are ready. A search's proposal is stored QUEUED.

    Attributes:
        new: one that the search proposes now, although others may be ready; or why it proposes none. Its task is the
            one whose jobs are proposed, if the experiment has a spec with such a task.
    """

    name: str = named("name")
    key: str = op_key()
    new: bool = anew()


@verb(
    Operation(
        name="make_room",
        method="POST",
        path=f"{JOB}room/",
        role=Role.WORK,
        summary="Ask whether to let other jobs give way to one that waits",
        values=_FEW,
    ),
    one(RoomAnswer, "RoomAnswer"),
    request="RoomRequest",
)
@frozen(kw_only=True)
class MakeRoom(Call[RoomAnswer]):
    """Who would let other jobs give way, so that there is room for this one, which is ready and waits for it.

    It is granted to one worker at a time, for `domain.tasks.waiting.ROOM_SECONDS`; the same one is answered again as
    before, and has as long from then on.

    Attributes:
        worker: who asks.
    """

    name: str = named("name")
    id: str = named("id")
    worker: str = body(arriving=check_name, metadata=narrowed(ref("Name")))


@verb(
    Operation(
        name="heartbeat",
        method="POST",
        path=f"{BASE}heartbeat/",
        role=Role.WORK,
        summary="Renew the leases of attempts",
        values=_BEATS,
    ),
    listed(Beats, "beats"),
    request="HeartbeatRequest",
)
@frozen(kw_only=True)
class Heartbeat(Call[tuple[Beat, ...]]):
    """The attempts whose leases shall be renewed.

    They may be of any experiments. A lease that is overdue but not yet settled revives. It is tried once, because the
    next beat is the repeat.

    Attributes:
        worker: who sends it, with what it has for jobs.
        email: of its user.
    """

    attempts: tuple[str, ...] = body(
        repr=False,
        validator=[at_most(MAX_BEATS), _are_attempts],
        metadata={**holds(MAX_BEATS), **narrowed(items("AttemptKey", MAX_BEATS))},
    )
    worker: WorkerReport | None = body(default=None, metadata=OMIT_DEFAULT)
    email: str | None = asker()
    patience: None = hidden()


@verb(
    Operation(
        name="list_workers",
        method="GET",
        path=f"{BASE}workers/",
        role=Role.READ,
        summary="List the workers that are alive, with what they have for jobs",
    ),
    listed(Workers, "workers"),
)
@frozen(kw_only=True)
class ListWorkers(Call[tuple[WorkerRecord, ...]]):
    """The workers that said within the last minute what they have, by name.

    Attributes:
        viewer: email of the user who asks, whose workers are listed; None: all.
    """

    viewer: str | None = asker()


@verb(
    Operation(
        name="ready",
        method="GET",
        path="/readyz",
        summary="Tell that the server reaches its store",
        problems=(503,),
        role=None,
    ),
    one(Health, "Health"),
)
@frozen(kw_only=True)
class Ping(Call[Health]):
    """Whether the store answers. It is tried once."""

    patience: None = hidden()
