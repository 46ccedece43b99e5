"""The verbs of those who run several jobs at once: one call for what would else be one for each job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import field, frozen

from sweepstake.domain.access import Role
from sweepstake.domain.drafts import Finish
from sweepstake.domain.keys import check_attempt, check_key
from sweepstake.domain.lengths import MAX_AT_ONCE, at_most, holds
from sweepstake.domain.names import MAX_IDS, check_ids, check_name
from sweepstake.domain.records import Claims, Finished
from sweepstake.domain.schema import OMIT_DEFAULT, checked, count, items, narrowed, nullable, ref
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.vocabulary import is_within
from sweepstake.errors import StoreUnavailableError
from sweepstake.queue.answers import one
from sweepstake.queue.call import Call, verb
from sweepstake.queue.calls.paths import EXPERIMENT
from sweepstake.queue.fields import body, hidden, named, op_key
from sweepstake.wire.operation import Operation
from sweepstake.wire.problems import Problem

__all__ = ["AttemptReport", "ClaimJobs", "FinishAttempts", "Reported", "Reports"]

#: How many values bodies hold at most. Marks in texts count as well, and an id may hold as many as it is long.
_FEW: Final = 100_000 + 256 * MAX_IDS
_MANY_JOBS: Final = 40_000_000


def _has_attempt(_: object, attribute: Any, value: Finish) -> None:
    check_attempt(value.attempt, f"{attribute.name}.attempt")


def _at_once(least: int) -> Any:
    """Make the field of how many jobs are wanted."""
    return body(default=1, validator=is_within(least, MAX_AT_ONCE), metadata=narrowed(count(least, MAX_AT_ONCE)))


def _ids() -> Any:
    """Make the field of the jobs of which alone any are wanted."""
    return body(default=(), arriving=check_ids, metadata={**OMIT_DEFAULT, **narrowed(items("Name", MAX_IDS))})


@frozen(kw_only=True)
class AttemptReport:
    """A report on one attempt of several.

    Attributes:
        id: the job.
        key: op key of the report, by which it is recorded once, whether it comes alone or with others.
        report: what is reported.
    """

    id: str = field(validator=checked(check_name), metadata=narrowed(ref("Name")))
    key: str = field(repr=False, validator=checked(check_key), metadata=narrowed(ref("Key")))
    report: Finish = field(validator=_has_attempt)


@frozen(kw_only=True)
class Reported:
    """What became of one report of several.

    Attributes:
        id: the job.
        finished: what a report on its own is answered with; None if there was a problem.
        problem: why nothing was recorded.
    """

    id: str
    finished: Finished | None = None
    problem: Problem | None = None


@frozen(kw_only=True)
class Reports:
    """What became of several reports, in their order.

    Attributes:
        next: what was claimed with them; None if that was not asked for, or if it was claimed before and is all over.
    """

    reports: tuple[Reported, ...]
    next: Claims | None = None


@verb(
    Operation(
        name="claim_jobs",
        method="POST",
        path=f"{EXPERIMENT}claims/",
        role=Role.WORK,
        summary="Take several jobs, or learn why there is none",
        values=_FEW,
        problems=(412,),
    ),
    one(Claims, "Claims"),
    request="ClaimsRequest",
)
@frozen(kw_only=True)
class ClaimJobs(Call[Claims]):
    """As so many claims one after another, each of what is left of the offer; it takes fewer if there are no more.

    The key of the claim that is number *i*, from 0, is `KEY.i`: each job has an attempt and a lease of its own.

    Whoever says all its slots learns which job waits there for more than is offered now. None of a lower priority is
    taken before that, so that it can be given room.

    Attributes:
        worker: who claims, for people to read.
        repeat: the call may have been made before with this key: then it answers with what that claimed.
        at_once: how many jobs are wanted at most; with 0 and `slots` none is taken, and the answer names the next.
        offer: what there is for all of them together; see `ClaimJob`.
        slots: what the worker has as a whole, whether it is free or not.
        ids: if any, only these jobs, at most `domain.names.MAX_IDS`, in this order, and nothing that a search proposes:
            one that is not ready, or does not fit what is left of the offer, is passed over. `slots` then mean nothing.

    Raises:
        LeaseLostError: a repeat, and all that was claimed by the first call has been lost since: claim anew.
    """

    name: str = named("name")
    key: str = op_key()
    worker: str = body(default="", arriving=check_name, metadata=narrowed(ref("Label")))
    repeat: bool = body(default=False)
    at_once: int = _at_once(0)
    offer: Offer | None = body(default=None, metadata=OMIT_DEFAULT)
    slots: Offer | None = body(default=None, metadata=OMIT_DEFAULT)
    ids: tuple[str, ...] = _ids()
    claims: bool = field(default=True, init=False)


@verb(
    Operation(
        name="finish_attempts",
        method="POST",
        path=f"{EXPERIMENT}finishes/",
        role=Role.WORK,
        summary="End several attempts, and if asked to claim the next jobs",
        values=_MANY_JOBS,
        problems=(412,),
    ),
    one(Reports, "Reports"),
    request="FinishesRequest",
)
@frozen(kw_only=True)
class FinishAttempts(Call[Reports]):
    """Several reports, each as exactly once as on its own; with `claim`, an op key, jobs are claimed in the same call.

    One report may fail and the others not: the answer says of each what became of it. What is claimed is as by
    `ClaimJobs` with that key.

    Attributes:
        reports: at most `domain.lengths.MAX_AT_ONCE`, of different attempts.
        claim: op key of the claims.
        worker: who claims.
        repeat: the call may have been made before.
        at_once: how many jobs are wanted at most.
        offer: what there is for the next jobs together.
        slots: as of `ClaimJobs`.
        ids: as of `ClaimJobs`.
        away: told of each try that found the store away.
        claims: whether there is a `claim`.
    """

    name: str = named("name")
    reports: tuple[AttemptReport, ...] = body(
        validator=at_most(MAX_AT_ONCE),
        metadata=holds(MAX_AT_ONCE),
    )
    claim: str | None = body(default=None, repr=False, arriving=check_key, metadata=narrowed(nullable(ref("Key"))))
    worker: str = body(default="", arriving=check_name, metadata=narrowed(ref("Label")))
    repeat: bool = body(default=False)
    at_once: int = _at_once(1)
    offer: Offer | None = body(default=None, metadata=OMIT_DEFAULT)
    slots: Offer | None = body(default=None, metadata=OMIT_DEFAULT)
    ids: tuple[str, ...] = _ids()
    away: Callable[[StoreUnavailableError], None] | None = hidden()
    claims: bool = field(default=False)
