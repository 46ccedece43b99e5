"""An experiment on its way from one store to another: everything but etags, which belong to a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import NOTHING, evolve, field, frozen
from attrs.validators import optional

from sweepstake.domain import vocabulary as words
from sweepstake.domain.budgets import spent
from sweepstake.domain.drafts import end_of_output, shortened_reason
from sweepstake.domain.keys import check_etag, check_key
from sweepstake.domain.lengths import at_most, holds
from sweepstake.domain.names import check_name
from sweepstake.domain.records import SearchDefinition
from sweepstake.domain.schema import OMIT_DEFAULT, Schema, checked, count, items, narrowed, nullable, ref, seconds
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.domain.vocabulary import INSTANT, MAX_INSTANT, is_within
from sweepstake.errors import InvalidInputError
from sweepstake.values import EMPTY, JsonObject

__all__ = [
    "HIDDEN",
    "MAX_PART",
    "SECTIONS",
    "ExportPage",
    "ImportPart",
    "PortableAttempt",
    "PortableDependency",
    "PortableEvent",
    "PortableExperiment",
    "PortableJob",
    "PortableSpec",
    "Totals",
    "in_order",
]

#: The most jobs, dependencies and events of a page, or of a part of an import.
MAX_PART: Final = 1000
#: How the name of an experiment begins whose import is under way; no name that is asked for can.
HIDDEN: Final = "\x01"
_MAX_COUNT: Final = 2**31 - 1
_MAX_EVER: Final = 2**53
_MAX_WORD: Final = 64
_MAX_DETAIL: Final = 4096


_is_name, _is_key, _is_op_key = checked(check_name), checked(check_etag), checked(check_key)
_ETAG: Final[Schema] = {"type": "string", "pattern": "^[!#-~]{1,255}$"}


def _whole(low: int, high: int = _MAX_EVER, default: Any = NOTHING, **metadata: Any) -> Any:
    """Make the field of a whole number."""
    return field(default=default, validator=is_within(low, high), metadata={**narrowed(count(low, high)), **metadata})


def _name() -> Any:
    return field(validator=_is_name, metadata=narrowed(ref("Name")))


def _many(item: str, **metadata: Any) -> Any:
    schema = narrowed(items(item, MAX_PART))
    return field(default=(), validator=at_most(MAX_PART), metadata={**holds(MAX_PART), **schema, **metadata})


@frozen(kw_only=True)
class PortableExperiment:
    """An experiment's definition and counts; see `ExperimentRecord`."""

    status: ExperimentStatus
    search: SearchDefinition
    settings: Settings
    proposals: int = _whole(0, default=0)
    created: int = _whole(0, default=0)
    created_at: float = words.instant()


@frozen(kw_only=True)
class PortableSpec(SpecDraft):
    """One version of what an experiment runs; see `SpecRecord`. The needs of its tasks follow from it."""

    version: int = _whole(1, _MAX_COUNT)
    created_at: float = words.instant()


@frozen(kw_only=True)
class PortableAttempt:
    """One running of a job; see `AttemptRecord`.

    Attributes:
        finish_key: op key of the report that ended it, or that came late.
    """

    number: int = _whole(1, _MAX_COUNT)
    key: str = field(validator=_is_key, metadata=narrowed(_ETAG))
    worker: str = words.label()
    lease: float | None = field(
        default=None, validator=optional(is_within(0, 10**9)), metadata=narrowed(nullable(seconds(0)))
    )
    started_at: float = field(validator=is_within(0, MAX_INSTANT), metadata=narrowed(INSTANT))
    ended_at: float | None = words.instant(default=None)
    outcome: Outcome | None = None
    reason: str = field(default="", converter=shortened_reason)
    output: str = field(default="", converter=end_of_output)
    finish_key: str | None = field(default=None, validator=optional(_is_key), metadata=narrowed(nullable(_ETAG)))
    late_results: JsonObject | None = None

    @property
    def recorded(self) -> str | None:
        """Return the key of the report that became the job's document, if one did."""
        return None if self.late_results is not None else self.finish_key


def _check_report(attempt: PortableAttempt, path: str) -> None:
    """Refuse a report that contradicts how the attempt ended."""
    late = attempt.late_results is not None
    if late and attempt.finish_key is None:
        raise InvalidInputError.at(f"{path}.late_results", "may only stand there with a finish_key")
    if attempt.outcome is None and (late or attempt.finish_key is not None):
        raise InvalidInputError.at(f"{path}.finish_key", "may only stand there with an outcome")
    taken = attempt.outcome in (Outcome.LEASE_LOST, Outcome.SUPERSEDED)
    if taken and attempt.finish_key is not None and not late:
        raise InvalidInputError.at(f"{path}.finish_key", f"needs late_results, as the attempt was {attempt.outcome}")


@frozen(kw_only=True, field_transformer=words.document_first)
class PortableJob(words.Queueing):
    """A job with its queueing, its budgets spent, and its attempts; see `JobRecord`."""

    id: str = _name()
    status: JobStatus
    hyperparameters: JsonObject = EMPTY
    results: JsonObject = EMPTY
    origin: JsonObject | None = None
    worker: str | None = words.label(default=None)
    failures: int = _whole(0, _MAX_COUNT, default=0)
    losses: int = _whole(0, _MAX_COUNT, default=0)
    preemptions: int = _whole(0, _MAX_COUNT, default=0)
    created_at: float = words.instant()
    started_at: float | None = words.instant(default=None)
    ended_at: float | None = words.instant(default=None)
    task: str | None = words.task()
    spec_version: int | None = words.place()
    gang: str | None = words.gang()
    rank: int | None = words.place()
    seed: int | None = words.place()
    attempts: tuple[PortableAttempt, ...] = ()

    def __attrs_post_init__(self) -> None:
        if (self.task is None) != (self.spec_version is None):
            raise InvalidInputError.at("spec_version", "must stand there exactly if task does")
        for i, attempt in enumerate(self.attempts):
            path = f"attempts[{i}]"
            if attempt.number != i + 1:
                raise InvalidInputError.at(f"{path}.number", f"must be {i + 1}, is {attempt.number}")
            if (attempt.outcome is None) != (attempt.ended_at is None):
                raise InvalidInputError.at(f"{path}.outcome", "must stand there exactly if ended_at does")
            is_open = attempt.outcome is None
            _check_report(attempt, path)
            if is_open != (i + 1 == len(self.attempts) and self.status is JobStatus.RUNNING):
                raise InvalidInputError.at(f"{path}.outcome", "may only be missing from a RUNNING job's last attempt")
        if self.status is JobStatus.RUNNING and not self.attempts:
            raise InvalidInputError.at("attempts", "must not be empty, because the job is RUNNING")
        counted = (self.failures, self.losses, self.preemptions)
        if all(spent(self.attempts[start:]) != counted for start in range(len(self.attempts) + 1)):
            raise InvalidInputError.at("failures", "must be, with losses and preemptions, what the last attempts spent")


def in_order(job: PortableJob) -> PortableJob:
    """Return the job with attempts that follow one another, whatever a clock or a forger made of their times."""
    attempts, earliest = [], 0.0
    for attempt in job.attempts:
        started = max(attempt.started_at, earliest)
        ended = None if attempt.ended_at is None else max(attempt.ended_at, started)
        attempts.append(evolve(attempt, started_at=started, ended_at=ended))
        earliest = started if ended is None else ended
    return evolve(job, attempts=tuple(attempts))


@frozen(kw_only=True)
class PortableDependency:
    """A job that waits for another, by their ids; see `Dependency`."""

    job: str = _name()
    on: str = _name()
    prune_with: bool = False


@frozen(kw_only=True)
class PortableEvent:
    """A row of the ledger of rarer writes."""

    at: float = field(validator=is_within(0, MAX_INSTANT), metadata=narrowed(INSTANT))
    verb: str = field(
        validator=[_is_name, at_most(_MAX_WORD)], metadata=narrowed({"allOf": [ref("Name"), {"maxLength": _MAX_WORD}]})
    )
    job: str = words.label()
    key: str = field(validator=_is_key, metadata=narrowed(_ETAG))
    detail: str = field(
        default="", validator=at_most(_MAX_DETAIL), metadata=narrowed({"type": "string", "maxLength": _MAX_DETAIL})
    )


@frozen(kw_only=True)
class ExportPage:
    """Part of an experiment: specs come first, then jobs, then what waits for what, then events.

    Attributes:
        next: with which the next part begins; None at the end.
    """

    specs: tuple[PortableSpec, ...] = field(default=(), metadata=OMIT_DEFAULT)
    jobs: tuple[PortableJob, ...] = ()
    dependencies: tuple[PortableDependency, ...] = ()
    events: tuple[PortableEvent, ...] = ()
    next: str | None = None


@frozen(kw_only=True)
class Totals:
    """How much an import must have brought."""

    jobs: int = _whole(0)
    attempts: int = _whole(0)
    dependencies: int = _whole(0)
    events: int = _whole(0)
    specs: int = _whole(0, default=0, **OMIT_DEFAULT)


@frozen(kw_only=True)
class ImportPart:
    """One step of an import. Nobody sees the experiment before the last.

    Attributes:
        id: an op key, the same for all parts.
        number: counted from 0; a part that came before changes nothing.
        experiment: stands in the first part, and only there.
        totals: stands in the last part, which is never part 0: what must have arrived by then.
        abandon: forget all that came, instead of anything else.
    """

    id: str = field(validator=_is_op_key, metadata=narrowed(ref("Key")))
    number: int = _whole(0, _MAX_COUNT)
    experiment: PortableExperiment | None = None
    specs: tuple[PortableSpec, ...] = _many("PortableSpec", **OMIT_DEFAULT)
    jobs: tuple[PortableJob, ...] = _many("PortableJob")
    dependencies: tuple[PortableDependency, ...] = _many("PortableDependency")
    events: tuple[PortableEvent, ...] = _many("PortableEvent")
    totals: Totals | None = None
    abandon: bool = False

    def __attrs_post_init__(self) -> None:
        if (self.number == 0) != (self.experiment is not None) and not self.abandon:
            raise InvalidInputError.at("experiment", "must stand in part 0, and in no other")
        if self.number == 0 and self.totals is not None:
            raise InvalidInputError.at("totals", "must stand in the last part, which comes after part 0")


#: What an experiment consists of, in the order in which it moves: what fields of pages and of parts hold.
SECTIONS: Final[Mapping[str, type[Any]]] = {
    "specs": PortableSpec,
    "jobs": PortableJob,
    "dependencies": PortableDependency,
    "events": PortableEvent,
}
