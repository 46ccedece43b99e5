"""The states of jobs and experiments, and the queue's own transitions between them, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeVar

from attrs import frozen

from sweepstake.errors import InvalidInputError, shown

__all__ = [
    "TRANSITIONS",
    "ExperimentStatus",
    "JobStatus",
    "NoJobReason",
    "Outcome",
    "Signal",
    "Transition",
    "member_of",
]

E = TypeVar("E", bound=StrEnum)


def member_of(kind: type[E], value: object, path: str) -> E:
    """Return the member of `kind` that `value` is or spells, or raise InvalidInputError at `path`."""
    if type(value) is kind:
        return value
    if isinstance(value, str):
        for member in kind:
            if member == value:
                return member
    raise InvalidInputError.at(path, f"must be one of {', '.join(kind)}, is {shown(value)}")


class JobStatus(StrEnum):
    """Status of a job: exactly Schedy's five."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CRASHED = "CRASHED"
    PRUNED = "PRUNED"
    DONE = "DONE"


class ExperimentStatus(StrEnum):
    """Status of an experiment. DONE means completed or paused: nothing is claimed from it."""

    RUNNING = "RUNNING"
    DONE = "DONE"


class Outcome(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    CRASHED = "crashed"
    PRUNED = "pruned"
    RELEASED = "released"
    PREEMPTED = "preempted"
    LEASE_LOST = "lease_lost"
    #: Somebody else wrote the running job's document with a plain PUT, or deleted it.
    SUPERSEDED = "superseded"


class Signal(StrEnum):
    """What a heartbeat's answer tells the holder of a lease."""

    CONTINUE = "continue"
    PRUNE = "prune"
    LOST = "lost"


class NoJobReason(StrEnum):
    """Why there is nothing to claim."""

    EMPTY = "empty"
    FINISHED = "finished"
    BLOCKED = "blocked"
    DELAYED = "delayed"
    AT_LIMIT = "at_limit"
    WAITING = "waiting"
    EXHAUSTED = "exhausted"
    #: Jobs of tasks are ready, and what is offered is too little for each of them.
    UNMET = "unmet"
    #: None of the jobs asked for by their ids can be claimed now.
    NOT_READY = "not_ready"


@frozen
class Transition:
    """One arrow of the state diagram."""

    verb: str
    before: JobStatus
    after: JobStatus
    outcome: Outcome | None = None


#: Every transition that the queue's own verbs make. A PUT states a fact and may go from any status to any.
TRANSITIONS: Final = (
    Transition("claim", JobStatus.QUEUED, JobStatus.RUNNING),
    Transition("finish", JobStatus.RUNNING, JobStatus.DONE, Outcome.DONE),
    Transition("finish", JobStatus.RUNNING, JobStatus.CRASHED, Outcome.CRASHED),
    Transition("finish", JobStatus.RUNNING, JobStatus.PRUNED, Outcome.PRUNED),
    Transition("release", JobStatus.RUNNING, JobStatus.QUEUED, Outcome.RELEASED),
    Transition("preempt", JobStatus.RUNNING, JobStatus.QUEUED, Outcome.PREEMPTED),
    Transition("settle", JobStatus.RUNNING, JobStatus.QUEUED, Outcome.LEASE_LOST),
    Transition("settle", JobStatus.RUNNING, JobStatus.CRASHED, Outcome.LEASE_LOST),
    Transition("prune", JobStatus.QUEUED, JobStatus.PRUNED),
    Transition("prune", JobStatus.RUNNING, JobStatus.PRUNED, Outcome.PRUNED),
    Transition("retry", JobStatus.CRASHED, JobStatus.QUEUED),
    Transition("retry", JobStatus.PRUNED, JobStatus.QUEUED),
    Transition("retry", JobStatus.RUNNING, JobStatus.QUEUED, Outcome.RELEASED),
)
