"""Bodies of requests and answers, as far as they are not records themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import field, frozen
from attrs.validators import optional

from sweepstake.codec import OMIT_DEFAULT
from sweepstake.domain.causes import check_causes
from sweepstake.domain.dependencies import MAX_DEPENDENCIES, check_dependencies
from sweepstake.domain.keys import check_attempt, check_key
from sweepstake.domain.lengths import at_most, check_length, holds
from sweepstake.domain.names import check_ids, check_name, check_notes, check_tags
from sweepstake.domain.queueing import MAX_INSTANT, MAX_PRIORITY
from sweepstake.domain.records import (
    AttemptRecord,
    Beat,
    Dependency,
    Document,
    Finish,
    JobDraft,
    SearchDefinition,
)
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.errors import InvalidInputError
from sweepstake.ports import MAX_BULK, ExperimentDraft
from sweepstake.values import EMPTY, JsonObject

__all__ = [
    "MAX_BEATS",
    "MAX_CAUSES",
    "MAX_SECRET",
    "REPORTS",
    "Attempts",
    "Beats",
    "ClaimRequest",
    "ClientConfig",
    "Credentials",
    "Dependencies",
    "FinishRequest",
    "Health",
    "HeartbeatRequest",
    "NewJob",
    "NewJobs",
    "PutExperiment",
    "PutJob",
    "Token",
]

#: The most attempts of one heartbeat.
MAX_BEATS: Final = 1000
#: The longest email, password or token, in characters.
MAX_SECRET: Final = 4096
#: The most causes of one failure.
MAX_CAUSES: Final = 1000
#: How an attempt's holder may say that it ended.
REPORTS: Final = (Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED, Outcome.RELEASED, Outcome.PREEMPTED)

Check = Callable[[Any, Any, Any], None]


def _within(low: float, high: float) -> Check:
    def check(_: object, attribute: Any, value: float) -> None:
        if not low <= value <= high:
            raise InvalidInputError.at(attribute.name, f"must be {low:,} to {high:,}, is {value!r}")

    return check


def _is_name(_: object, attribute: Any, value: str) -> None:
    check_name(value, attribute.name)


def _is_worker(_: object, attribute: Any, value: str) -> None:
    if value:
        check_name(value, attribute.name)


def _is_key(_: object, attribute: Any, value: str) -> None:
    check_key(value, attribute.name)


def _is_attempt(_: object, attribute: Any, value: str) -> None:
    check_attempt(value, attribute.name)


def _are_attempts(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    for i, key in enumerate(value):
        check_attempt(key, f"{attribute.name}[{i}]")


def _are_ids(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    check_ids(value, attribute.name)


def _causes(value: Iterable[object]) -> tuple[str | int, ...]:
    if isinstance(value, list):
        check_length(value, MAX_CAUSES, "causes")
    return check_causes(value, "causes")


def _are_dependencies(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    if value:
        check_dependencies(value, attribute.name)


def _is_report(_: object, attribute: Any, value: Outcome) -> None:
    if value not in REPORTS:
        raise InvalidInputError.at(attribute.name, f"must be one of {', '.join(REPORTS)}")


@frozen(kw_only=True)
class PutExperiment:
    """A definition; without `settings`, which Schedy's clients do not know, they stay as they are."""

    scheduler: SearchDefinition
    status: ExperimentStatus = ExperimentStatus.RUNNING
    settings: Settings | None = None

    @classmethod
    def of(cls, draft: ExperimentDraft) -> PutExperiment:
        """Make the body that asks for `draft`."""
        return cls(scheduler=draft.search, status=draft.status, settings=draft.settings)

    def draft(self) -> ExperimentDraft:
        """Return what is asked for."""
        return ExperimentDraft(search=self.scheduler, status=self.status, settings=self.settings)


@frozen(kw_only=True)
class NewJob:
    """A job to be created; without `id` the server makes one."""

    id: str | None = field(default=None, validator=optional(_is_name))
    status: JobStatus = JobStatus.QUEUED
    hyperparameters: JsonObject = EMPTY
    results: JsonObject = EMPTY
    priority: int = field(default=0, validator=_within(-MAX_PRIORITY - 1, MAX_PRIORITY))
    not_before: float | None = field(default=None, validator=optional(_within(0, MAX_INSTANT)))
    tags: tuple[str, ...] = field(default=(), converter=check_tags)
    notes: str = field(default="", converter=check_notes)
    origin: JsonObject | None = None
    depends_on: tuple[str, ...] = field(default=(), validator=_are_dependencies, metadata=holds(MAX_DEPENDENCIES))
    prune_with: bool = False

    @classmethod
    def of(cls, draft: JobDraft) -> NewJob:
        """Make the body that asks for `draft`."""
        return cls(
            id=draft.id,
            status=draft.document.status,
            hyperparameters=draft.document.hyperparameters,
            results=draft.document.results,
            priority=draft.priority,
            not_before=draft.not_before,
            tags=draft.tags,
            notes=draft.notes,
            origin=draft.origin,
            depends_on=draft.depends_on,
            prune_with=draft.prune_with,
        )

    def draft(self, new_id: Callable[[], str]) -> JobDraft:
        """Return what is asked for, with an id of `new_id` if none was chosen."""
        document = Document(status=self.status, hyperparameters=self.hyperparameters, results=self.results)
        return JobDraft(
            id=new_id() if self.id is None else self.id,
            document=document,
            priority=self.priority,
            not_before=self.not_before,
            tags=self.tags,
            notes=self.notes,
            origin=self.origin,
            depends_on=self.depends_on,
            prune_with=self.prune_with,
        )


@frozen
class NewJobs:
    """Jobs to be created, all or none."""

    jobs: tuple[NewJob, ...] = field(validator=at_most(MAX_BULK), metadata=holds(MAX_BULK))


@frozen(kw_only=True)
class PutJob:
    """A job's document; what is absent is empty afterwards."""

    status: JobStatus
    hyperparameters: JsonObject = EMPTY
    results: JsonObject = EMPTY

    @classmethod
    def of(cls, document: Document) -> PutJob:
        """Make the body that asks for `document`."""
        return cls(status=document.status, hyperparameters=document.hyperparameters, results=document.results)

    def document(self) -> Document:
        """Return what is asked for."""
        return Document(status=self.status, hyperparameters=self.hyperparameters, results=self.results)


@frozen(kw_only=True)
class ClaimRequest:
    """Who claims, whether the call may have been made before with this key, and if not any job will do, which."""

    worker: str = field(default="", validator=_is_worker)
    repeat: bool = False
    ids: tuple[str, ...] = field(default=(), validator=_are_ids, metadata=OMIT_DEFAULT)


@frozen(kw_only=True)
class FinishRequest:
    """A report on an attempt; with `claim`, an op key, the next job is claimed in the same call."""

    attempt: str = field(validator=_is_attempt)
    outcome: Outcome = field(validator=_is_report)
    results: JsonObject = EMPTY
    hyperparameters: JsonObject | None = None
    reason: str = ""
    output: str = ""
    causes: tuple[str | int, ...] = field(default=(), converter=_causes, validator=at_most(MAX_CAUSES))
    claim: str | None = field(default=None, validator=optional(_is_key))
    worker: str = field(default="", validator=_is_worker)
    repeat: bool = False

    @classmethod
    def of(cls, finish: Finish, *, claim: str | None, worker: str, repeat: bool) -> FinishRequest:
        """Make the body that reports `finish`."""
        return cls(
            attempt=finish.attempt,
            outcome=finish.outcome,
            results=finish.results,
            hyperparameters=finish.hyperparameters,
            reason=finish.reason,
            output=finish.output,
            causes=finish.causes,
            claim=claim,
            worker=worker,
            repeat=repeat,
        )

    def finish(self) -> Finish:
        """Return what is reported."""
        return Finish(
            attempt=self.attempt,
            outcome=self.outcome,
            results=self.results,
            hyperparameters=self.hyperparameters,
            reason=self.reason,
            output=self.output,
            causes=self.causes,
        )


@frozen
class HeartbeatRequest:
    """The attempts whose leases shall be renewed."""

    attempts: tuple[str, ...] = field(validator=[at_most(MAX_BEATS), _are_attempts], metadata=holds(MAX_BEATS))


@frozen
class Beats:
    """The answer to a heartbeat."""

    beats: tuple[Beat, ...]


@frozen
class Attempts:
    """The attempts of a job, oldest first."""

    attempts: tuple[AttemptRecord, ...]


@frozen
class Dependencies:
    """The jobs that a job waits for, oldest first."""

    dependencies: tuple[Dependency, ...]


@frozen
class Credentials:
    """An email, and the API token or password that belongs to it."""

    email: str = field(validator=at_most(MAX_SECRET))
    token: str = field(validator=at_most(MAX_SECRET), repr=False)


@frozen
class Token:
    """A signed token, and the Unix time until which it should be used."""

    token: str = field(repr=False)
    expiresAt: float  # noqa: N815 -- Schedy's word


@frozen
class ClientConfig:
    """What a client needs to talk to this server: Schedy's configuration file."""

    root: str
    email: str
    token: str = field(repr=False)


@frozen
class Health:
    """How the server is."""

    status: str
