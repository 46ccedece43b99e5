"""What is to be created or reported, as somebody asks for it."""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from sweepstake.domain import vocabulary as words
from sweepstake.domain.causes import check_causes
from sweepstake.domain.keys import check_attempt
from sweepstake.domain.lengths import MAX_CAUSES, check_length
from sweepstake.domain.records import Document
from sweepstake.domain.schema import CAUSES, checked_arriving, narrowed, ref
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import InvalidInputError
from sweepstake.values import EMPTY, JsonObject

__all__ = ["MAX_OUTPUT", "MAX_REASON", "REPORTS", "Finish", "JobDraft", "end_of_output", "shortened_reason"]

#: The most bytes, as UTF-8, of an attempt's output that are kept: its end.
MAX_OUTPUT: Final = 16 * 1024
#: The most characters of an attempt's reason, such as a traceback, that are kept: its beginning and its end.
MAX_REASON: Final = 33 * 1024
#: How an attempt's holder may say that it ended.
REPORTS: Final = (Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED, Outcome.RELEASED, Outcome.PREEMPTED)


@frozen(kw_only=True, field_transformer=words.document_first)
class JobDraft(words.Queueing):
    """A job to be created; without `id` the server makes one.

    Attributes:
        origin: how a search came to propose it (generation, parent ...).
        depends_on: ids of jobs of the same experiment that must be DONE before it can be claimed.
        prune_with: whether it is PRUNED, while QUEUED, when one of them becomes CRASHED or PRUNED.
        task: what is run for it: a task of the experiment's spec, whose needs it has.
        gang: what those jobs have in common that begin together.
        rank: which of its gang it is, from 0.
        seed: which repeat of its hyperparameters it is, from 0.
    """

    id: str = words.job_id()
    status: JobStatus = JobStatus.QUEUED
    hyperparameters: JsonObject = EMPTY
    results: JsonObject = EMPTY
    origin: JsonObject | None = None
    depends_on: tuple[str, ...] = words.dependencies()
    prune_with: bool = words.prune_with()
    task: str | None = words.task()
    gang: str | None = words.gang()
    rank: int | None = words.place()
    seed: int | None = words.place()

    @classmethod
    def of(cls, job_id: str, document: Document) -> JobDraft:
        """Make the draft of a job that has this document, and nothing else."""
        return cls(
            id=job_id, status=document.status, hyperparameters=document.hyperparameters, results=document.results
        )


def _is_report(_: object, attribute: Any, value: Outcome) -> None:
    if value not in REPORTS:
        raise InvalidInputError.at(attribute.name, f"must be one of {', '.join(REPORTS)}")


def _causes(value: Any) -> tuple[str | int, ...]:
    if value == ():
        return ()
    if isinstance(value, (list, tuple)):
        check_length(value, MAX_CAUSES, "causes")
    return check_causes(value, "causes")


def shortened_reason(text: str) -> str:
    """Return a reason without its middle, if it is longer than `MAX_REASON`."""
    if len(text) <= MAX_REASON:
        return text
    half = MAX_REASON // 2 - 32  # for the line between them
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"


def end_of_output(text: str) -> str:
    """Return the last `MAX_OUTPUT` bytes of an output."""
    if len(text) <= MAX_OUTPUT // 4:  # no character takes more than four bytes
        return text
    encoded = text.encode("utf-8", "backslashreplace")
    return text if len(encoded) <= MAX_OUTPUT else encoded[-MAX_OUTPUT:].decode("utf-8", "ignore")


@frozen(kw_only=True)
class Finish:
    """What the holder of an attempt reports at its end.

    Attributes:
        attempt: op key of the claim.
        outcome: DONE, CRASHED or PRUNED record results; RELEASED and PREEMPTED give the job back.
        results: the job's final values.
        hyperparameters: replaces the job's when given.
        reason: traceback or exit code; of more than MAX_REASON characters a store keeps the beginning and the end.
        output: the end of what the attempt printed; a store keeps the last MAX_OUTPUT bytes.
        causes: what the experiment's `no_retry_on` may name: the names of a crash's exception and of the classes
            above it, plain and qualified, and the exit code.
    """

    attempt: str = field(repr=False, metadata={**narrowed(ref("AttemptKey")), **checked_arriving(check_attempt)})
    outcome: Outcome = field(validator=_is_report, metadata=narrowed({"enum": list(REPORTS)}))
    results: JsonObject = EMPTY
    hyperparameters: JsonObject | None = None
    reason: str = ""
    output: str = ""
    causes: tuple[str | int, ...] = field(
        default=(), converter=_causes, metadata=narrowed({**CAUSES, "maxItems": MAX_CAUSES})
    )
