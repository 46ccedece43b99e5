"""The verbs on batches: what was submitted to a cluster, and what became of it."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from sweepstake.domain.access import Role
from sweepstake.domain.batches.progress import BatchNote
from sweepstake.domain.batches.records import (
    MAX_BATCHES,
    MAX_NUMBER,
    BatchDraft,
    BatchRecord,
    Intended,
)
from sweepstake.domain.lengths import at_most, holds
from sweepstake.domain.names import check_name
from sweepstake.domain.records import Page
from sweepstake.domain.schema import count, narrowed, ref
from sweepstake.domain.vocabulary import is_within
from sweepstake.queue.answers import one
from sweepstake.queue.call import Call, verb
from sweepstake.queue.calls.paths import EXPERIMENT, FIRST_JOB, NAME, THIS, links
from sweepstake.queue.fields import body, limit, live, merged, named, op_key, start, whole_number
from sweepstake.wire.operation import Operation

__all__ = ["BeginBatch", "GetBatch", "IntendBatches", "ListBatches", "NoteBatch"]

_BATCHES: Final = f"{EXPERIMENT}batches/"
_BATCH: Final = f"{_BATCHES}{{id}}/"
#: How many values bodies hold at most: of each job three, if its id has no commas.
_VALUES: Final = 1_000_000
#: The scheduler's words may hold some marks.
_FEW: Final = 100_000
_INTENDED: Final = {**NAME, "id": "$request.body#/batches/0/id"}


def _number() -> Any:
    """Make the field of which submission of a batch is meant."""
    return body(validator=is_within(1, MAX_NUMBER), metadata=narrowed(count(1, MAX_NUMBER)))


@verb(
    Operation(
        name="intend_batches",
        method="POST",
        path=_BATCHES,
        role=Role.WORK,
        summary="State which batches are about to be submitted, all or none; 409 if a job is under way in another",
        values=_VALUES,
        long=True,
        links=links(_INTENDED, "get_batch"),
    ),
    one(Intended, "Intended", status=201),
    request="IntendRequest",
)
@frozen(kw_only=True)
class IntendBatches(Call[Intended]):
    """State which batches are about to be submitted, all or none, before a scheduler is asked for anything.

    Each is answered with the number of this submission of it: a batch that is over may be submitted again. It takes
    nothing from anybody: its jobs are claimed as before, and one that is deleted or ends is no matter.

    Attributes:
        batches: no batch twice, and no job in two of them.

    Raises:
        InvalidInputError: they cannot be submitted together; see `domain.batches.records.check_batches`.
        LiveBatchError: one of these batches, or one of their jobs in another, is under way already: its newest
            submission has not ended.
    """

    name: str = named("name")
    batches: tuple[BatchDraft, ...] = body(validator=at_most(MAX_BATCHES), metadata=holds(MAX_BATCHES))
    key: str = op_key()


@verb(
    Operation(
        name="note_batch",
        method="POST",
        path=f"{_BATCH}note/",
        role=Role.WORK,
        summary="Keep what a scheduler said of a batch",
        values=_FEW,
        long=True,
        of="batch",
        links=links(THIS, "get_batch"),
    ),
    one(BatchRecord, "Batch"),
    request="NoteRequest",
)
@frozen(kw_only=True)
class NoteBatch(Call[BatchRecord]):
    """Keep what is known of a submission by now; see `domain.batches.progress.noted`.

    Raises:
        NotFoundError: there is no such submission.
        InvalidInputError: it was submitted, and nobody says as what.
    """

    name: str = named("name")
    id: str = named("id")
    number: int = _number()
    note: BatchNote = merged()
    key: str = op_key()


@verb(
    Operation(
        name="begin_batch",
        method="POST",
        path=f"{_BATCH}begin/",
        role=Role.WORK,
        summary="Begin a batch in an allocation, which must be the first that does",
        values=_FEW,
        long=True,
        problems=(412,),
        of="batch",
        links=links(THIS, "get_batch"),
    ),
    one(BatchRecord, "Batch"),
    request="BeginRequest",
)
@frozen(kw_only=True)
class BeginBatch(Call[BatchRecord]):
    """Begin a batch in an allocation: the first allocation that asks has it, and is answered the same again.

    Attributes:
        jobid: what the scheduler calls the allocation.
        worker: who begins it, for people to read.

    Raises:
        BatchLostError: it is over, or another allocation has begun it; there is nothing to do for this one.
        NotFoundError: there is no such submission; there is nothing to do either.
    """

    name: str = named("name")
    id: str = named("id")
    number: int = _number()
    jobid: str = body(arriving=check_name, metadata=narrowed(ref("Name")))
    worker: str = body(default="", arriving=check_name, metadata=narrowed(ref("Label")))


@verb(
    Operation(
        name="get_batch",
        method="GET",
        path=_BATCH,
        role=Role.READ,
        summary="Read a batch",
        long=True,
        of="batch",
    ),
    one(BatchRecord, "Batch"),
)
@frozen(kw_only=True)
class GetBatch(Call[BatchRecord]):
    """One submission of a batch; without a number the newest.

    Raises:
        NotFoundError: there is no such submission.
    """

    name: str = named("name")
    id: str = named("id")
    number: int | None = whole_number(
        "number", "Which submission of the batch; without it, the newest", MAX_NUMBER, default=None
    )


@verb(
    Operation(
        name="list_batches",
        method="GET",
        path=_BATCHES,
        role=Role.READ,
        summary="List the batches that were submitted, oldest first",
        long=True,
        links=links(FIRST_JOB, "get_batch"),
    ),
    one(Page[BatchRecord], "BatchPage"),
)
@frozen(kw_only=True)
class ListBatches(Call[Page[BatchRecord]]):
    """A page of the submissions of batches, in the order in which they were intended.

    Attributes:
        live: only those that are not over.
    """

    name: str = named("name")
    start: str | None = start()
    limit: int = limit()
    live: bool = live()
