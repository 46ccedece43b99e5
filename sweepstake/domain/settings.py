"""The settings of an experiment: stored with it, the same whatever its search."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, NoReturn

from attrs import define, field
from attrs.validators import optional

from sweepstake.domain import vocabulary as words
from sweepstake.domain.causes import check_causes
from sweepstake.domain.names import MAX_NAME, check_notes, check_tags
from sweepstake.domain.schema import CAUSES, LINES, Schema, count, narrowed, nullable, ref, seconds
from sweepstake.errors import FrozenSettingsError, InvalidInputError

__all__ = ["DEFAULT_LEASE", "Direction", "Settings"]

#: Seconds a claim is valid without a heartbeat.
DEFAULT_LEASE: Final = 60.0
_MAX_COUNT: Final = 2**53
_OBJECTIVE: Final[Schema] = nullable({"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": LINES})


class Direction(StrEnum):
    """Which way the objective is better."""

    MINIMIZE = "min"
    MAXIMIZE = "max"


def _seconds(low: float, *, default: float | None) -> Any:
    """Make the field of a duration; without a default it may be None."""

    def check(_instance: object, attribute: Any, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidInputError.at(attribute.name, "must be a number of seconds")
        if not low <= value <= 10**9:
            raise InvalidInputError.at(attribute.name, f"must be {low:g} to 1,000,000,000 seconds")

    return _field(check, seconds(low), default)


def _count(low: int, *, default: int | None) -> Any:
    """Make the field of a whole number; without a default it may be None."""

    def check(_instance: object, attribute: Any, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInputError.at(attribute.name, "must be a whole number")
        if not low <= value <= _MAX_COUNT:
            raise InvalidInputError.at(attribute.name, f"must be {low} to {_MAX_COUNT:,}")

    return _field(check, count(low), default)


def _field(check: Callable[[object, Any, Any], None], schema: Schema, default: float | None) -> Any:
    if default is None:
        return field(default=None, validator=optional(check), metadata=narrowed(nullable(schema)))
    return field(default=default, validator=check, metadata=narrowed(schema))


def _is_direction(_instance: object, attribute: Any, value: object) -> None:
    if not isinstance(value, Direction):
        raise InvalidInputError.at(attribute.name, "must be 'min' or 'max'")


def _direction(value: object) -> object:
    return Direction(value) if isinstance(value, str) and value in ("min", "max") else value


def _is_text(_instance: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME:
        raise InvalidInputError.at(attribute.name, f"must be the name of a result, 1 to {MAX_NAME} characters")
    check_notes(value, attribute.name)


def _is_seed(_instance: object, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not -_MAX_COUNT <= value <= _MAX_COUNT:
        raise InvalidInputError.at(attribute.name, "must be a whole number of at most 53 bits")


def _no_retry_on(value: Iterable[object]) -> tuple[str | int, ...]:
    return check_causes(value, "no_retry_on")


def _refuse(_settings: object, attribute: Any, _value: object) -> NoReturn:
    raise FrozenSettingsError(
        f"settings are frozen; experiment.update({attribute.name}=...) changes this one in the store"
    )


@define(kw_only=True, unsafe_hash=True, on_setattr=_refuse)  # frozen, with a word on what to do
class Settings:
    """What an experiment asks of the queue.

    Attributes:
        lease: seconds a claim stays valid without a heartbeat.
        timeout: seconds one attempt may run, or None for as long as it takes.
        max_attempts: failures after which a job stays CRASHED.
        max_lost: after how many lost leases a job is queued again; with one more it becomes CRASHED.
        max_preemptions: after how many preemptions a job is queued again; with one more it becomes CRASHED. None for
            no end.
        retry_delay: seconds before a failed job is ready again, doubled with each failure.
        no_retry_on: exception names, plain or qualified, and exit codes that no retry can mend: a failure that is
            one of them, or whose exception derives from one, is not tried again whatever `max_attempts` says.
        max_running: how many jobs may be RUNNING at once; None for no limit.
        max_jobs: how many jobs may ever be created; None for no limit.
        objective: the name of the result that says how good a job is.
        direction: whether a small or a large objective is good.
        seed: where the search's randomness starts; None lets the store choose one when the experiment is made.
        tags: labels of the experiment.
        notes: free text.
    """

    lease: float = _seconds(0.1, default=DEFAULT_LEASE)
    timeout: float | None = _seconds(0.001, default=None)
    max_attempts: int = _count(1, default=1)
    max_lost: int = _count(0, default=3)
    max_preemptions: int | None = _count(0, default=None)
    retry_delay: float = _seconds(0, default=0.0)
    no_retry_on: tuple[str | int, ...] = field(default=(), converter=_no_retry_on, metadata=narrowed(CAUSES))
    max_running: int | None = _count(0, default=None)
    max_jobs: int | None = _count(0, default=None)
    objective: str | None = field(default=None, validator=optional(_is_text), metadata=narrowed(_OBJECTIVE))
    direction: Direction = field(default=Direction.MAXIMIZE, converter=_direction, validator=_is_direction)
    seed: int | None = field(
        default=None, validator=optional(_is_seed), metadata=narrowed(nullable(count(-_MAX_COUNT)))
    )
    tags: tuple[str, ...] = field(default=(), converter=check_tags, metadata=narrowed(ref("Tags")))
    notes: str = words.NOTES.field()
