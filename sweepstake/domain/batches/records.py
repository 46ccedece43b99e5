"""Batches that are submitted, or shall be: which jobs run in one allocation of a cluster, and what became of that."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from attrs import field, frozen
from attrs.validators import optional

from sweepstake.domain.counts import Counts
from sweepstake.domain.lengths import MAX_BULK, at_most, holds
from sweepstake.domain.names import check_name
from sweepstake.domain.schema import checked, count, narrowed, nullable, ref, seconds
from sweepstake.domain.vocabulary import is_within, label
from sweepstake.errors import InvalidInputError

__all__ = [
    "MAX_BATCHES",
    "MAX_JOBS",
    "MAX_NUMBER",
    "AllocationState",
    "BatchDraft",
    "BatchRecord",
    "BatchStatus",
    "Intended",
    "check_batches",
]

#: The most batches that one call intends, and the most jobs of all of them together.
MAX_BATCHES: Final = MAX_BULK
MAX_JOBS: Final = 100_000
#: The largest number of a submission.
MAX_NUMBER: Final = 2**31 - 1
_MAX_SECONDS: Final = 10**9
_MAX_NODES: Final = 10**6
_SECONDS: Final = seconds(0)


class BatchStatus(StrEnum):
    """How far a submission of a batch has come; it only ever goes on."""

    #: Somebody is about to ask a scheduler for its allocation, or has, and could not say so yet.
    INTENDED = "INTENDED"
    #: The scheduler has taken it.
    SUBMITTED = "SUBMITTED"
    #: Its allocation runs, and is the only one that runs it.
    BEGUN = "BEGUN"
    #: It is over, and its jobs are free again: its allocation has ended, or was refused.
    ENDED = "ENDED"


class AllocationState(StrEnum):
    """What became of an allocation, as far as its scheduler says."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    PREEMPTED = "PREEMPTED"
    NODE_FAIL = "NODE_FAIL"
    UNKNOWN = "UNKNOWN"


def _are_names(_: object, attribute: Any, value: Sequence[str]) -> None:
    seen: set[str] = set()
    for i, name in enumerate(value):
        check_name(name, f"{attribute.name}[{i}]")
        if name in seen:
            raise InvalidInputError.at(f"{attribute.name}[{i}]", f"names {name!r} once more")
        seen.add(name)


def _names(most: int, *, least: int = 0, **options: Any) -> Any:
    schema = {"type": "array", "items": ref("Name"), "minItems": least, "maxItems": most, "uniqueItems": True}

    def check(_: object, attribute: Any, value: Sequence[str]) -> None:
        if len(value) < least:
            raise InvalidInputError.at(attribute.name, f"must name at least {least}")

    return field(validator=[at_most(most), check, _are_names], metadata={**holds(most), **narrowed(schema)}, **options)


def _span() -> Any:
    """Make the field of a span in seconds, if it is known."""
    schema = narrowed(nullable(_SECONDS))
    return field(default=None, validator=optional(is_within(0, _MAX_SECONDS)), metadata=schema)


def _are_seconds(_: object, attribute: Any, value: Sequence[float]) -> None:
    for i, number in enumerate(value):
        if not 0 <= number <= _MAX_SECONDS:
            raise InvalidInputError.at(f"{attribute.name}[{i}]", f"must be 0 to {_MAX_SECONDS:,}, is {number!r}")


def _seconds_of_jobs() -> Any:
    schema = {"type": "array", "items": _SECONDS, "maxItems": MAX_JOBS}
    return field(
        default=(), validator=[at_most(MAX_JOBS), _are_seconds], metadata={**holds(MAX_JOBS), **narrowed(schema)}
    )


@frozen(kw_only=True)
class BatchDraft:
    """A batch that shall be submitted.

    Attributes:
        id: by which a plan knows it; the same batch may be submitted again once it is over.
        jobs: ids of its jobs, in the order in which they are tried.
        dependencies: ids of the batches after which it shall begin.
        backend: the scheduler that is asked for its allocation.
        name: what that allocation is called there.
        nodes: how many nodes that has.
        estimated_runtime: seconds that all of it takes; None if nobody has estimated it.
        timeout: the limit of its allocation, in seconds; None if it has none.
        layout: of the plan.
        session: what tells plans of the same jobs apart.
        estimates: seconds that each of the jobs takes, in their order, or nothing.
        starts: seconds after the batch has begun at which each of the jobs is expected to start, or nothing.
    """

    id: str = field(validator=checked(check_name), metadata=narrowed(ref("Name")))
    jobs: tuple[str, ...] = _names(MAX_JOBS, least=1)
    dependencies: tuple[str, ...] = _names(MAX_BATCHES, default=())
    backend: str = field(validator=checked(check_name), metadata=narrowed(ref("Name")))
    name: str = label()
    nodes: int = field(default=1, validator=is_within(1, _MAX_NODES), metadata=narrowed(count(1, _MAX_NODES)))
    estimated_runtime: float | None = _span()
    timeout: float | None = _span()
    layout: str = label()
    session: str = label()
    estimates: tuple[float, ...] = _seconds_of_jobs()
    starts: tuple[float, ...] = _seconds_of_jobs()


@frozen(kw_only=True)
class BatchRecord(BatchDraft):
    """A submission of a batch; see `BatchDraft`.

    Attributes:
        number: which submission of the batch it is, from 1.
        jobid: what the scheduler calls its allocation; None until it has told.
        allocation: what became of that, as far as is known; None of one that has ended: it was refused, or never made.
        reason: why it waits or how it ended, in the scheduler's words.
        worker: who has begun it.
        intended_at: Unix time in seconds, as of the other moments, by the store's clock.
        submitted_at: when the scheduler's word of it was first known.
        begun_at: when its allocation began with it.
        ended_at: when it was found to be over.
        counts: how many of its jobs are in which state now; those that were deleted are in none.
    """

    number: int
    status: BatchStatus = BatchStatus.INTENDED
    jobid: str | None = None
    allocation: AllocationState | None = None
    reason: str = ""
    worker: str | None = None
    intended_at: float
    submitted_at: float | None = None
    begun_at: float | None = None
    ended_at: float | None = None
    counts: Counts

    @property
    def called(self) -> str:
        """Say which submission it is, in words."""
        return f"{self.id!r}, submission {self.number}"


@frozen
class Intended:
    """Batches are about to be submitted.

    Attributes:
        numbers: of the submission of each, in the order in which they were named.
    """

    numbers: tuple[int, ...]


def check_batches(drafts: Sequence[BatchDraft], path: str) -> None:
    """Raise InvalidInputError unless these batches can be submitted together.

    None is named twice, no job is in two of them, and what is known of jobs is known of each of a batch.
    """
    if sum(len(draft.jobs) for draft in drafts) > MAX_JOBS:
        raise InvalidInputError.at(path, f"have more than {MAX_JOBS:,} jobs together; submit them in several calls")
    ids: dict[str, int] = {}
    places: dict[str, int] = {}
    for i, draft in enumerate(drafts):
        if ids.setdefault(draft.id, i) != i:
            raise InvalidInputError.at(f"{path}[{i}].id", f"is that of {path}[{ids[draft.id]}] as well: {draft.id!r}")
        for name, known in (("estimates", draft.estimates), ("starts", draft.starts)):
            if known and len(known) != len(draft.jobs):
                wanted = f"must have a number for each of the {len(draft.jobs):,} jobs, or none; has {len(known):,}"
                raise InvalidInputError.at(f"{path}[{i}].{name}", wanted)
        for j, job in enumerate(draft.jobs):
            if places.setdefault(job, i) != i:
                raise InvalidInputError.at(f"{path}[{i}].jobs[{j}]", f"is in {path}[{places[job]}] as well: {job!r}")
