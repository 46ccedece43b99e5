"""The fields that several records have: each with what it accepts, in words of its own and as JSON Schema."""

from __future__ import annotations

from typing import Any

from attrs import field

from sweepstake.domain.lengths import holds
from sweepstake.domain.names import MAX_DEPENDENCIES, check_dependencies, check_name, check_notes, check_tags
from sweepstake.domain.queueing import INSTANT, MAX_INSTANT, PRIORITY, check_instant, check_priority
from sweepstake.domain.schema import narrowed, nullable, ref
from sweepstake.errors import InvalidInputError

__all__ = [
    "dependencies",
    "instant",
    "is_within",
    "is_worker",
    "job_id",
    "label",
    "not_before",
    "notes",
    "priority",
    "prune_with",
    "tags",
]


def is_within(low: float, high: float) -> Any:
    """Return a validator for numbers from `low` to `high`."""

    def check(_: object, attribute: Any, value: float) -> None:
        if not low <= value <= high:
            raise InvalidInputError.at(attribute.name, f"must be {low:,} to {high:,}, is {value!r}")

    return check


def is_worker(_: object, attribute: Any, value: str) -> None:
    """Validate who runs a job, for people to read; nobody in particular is the empty text."""
    if value:
        check_name(value, attribute.name)


def _priority(value: object) -> int:
    # JSON does not tell 3 from 3.0.
    return check_priority(int(value) if isinstance(value, float) and value.is_integer() else value)


def _new_id(value: object) -> str:
    return "" if value is None else check_name(value, "id")


def _dependencies(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidInputError.at("depends_on", "must be a list")
    return check_dependencies(value, "depends_on") if value else ()


def job_id() -> Any:
    """Make the field of a new job's id; empty: it gets one of the server's."""
    return field(default=None, converter=_new_id, metadata=narrowed(nullable(ref("Name"))))


def priority() -> Any:
    """Make the field of a priority: higher is claimed first; -2**31 to 2**31 - 1."""
    return field(default=0, converter=_priority, metadata=narrowed(PRIORITY))


def not_before() -> Any:
    """Make the field of the Unix time in seconds before which a job is not claimed; None: at once."""
    return field(default=None, converter=check_instant, metadata=narrowed(nullable(INSTANT)))


def tags() -> Any:
    """Make the field of labels."""
    return field(default=(), converter=check_tags, metadata=narrowed(ref("Tags")))


def notes() -> Any:
    """Make the field of free text."""
    return field(default="", converter=check_notes, metadata=narrowed(ref("Notes")))


def dependencies() -> Any:
    """Make the field of the ids of those jobs that must be DONE before."""
    schema = {
        "type": "array",
        "description": "Ids of jobs of the experiment, or of this call, that must be DONE before",
        "items": ref("Name"),
        "maxItems": MAX_DEPENDENCIES,
    }
    return field(default=(), converter=_dependencies, metadata={**holds(MAX_DEPENDENCIES), **narrowed(schema)})


def prune_with() -> Any:
    """Make the field of whether a job goes with those it waits for."""
    schema = {
        "type": "boolean",
        "description": "PRUNED, while QUEUED, when a job that it depends on becomes CRASHED or PRUNED",
    }
    return field(default=False, metadata=narrowed(schema))


def instant(*, default: float | None = 0.0) -> Any:
    """Make the field of a moment that was: Unix time in seconds."""
    schema = INSTANT if default is not None else nullable(INSTANT)
    return field(default=default, validator=_is_instant, metadata=narrowed(schema))


def _is_instant(instance: object, attribute: Any, value: float | None) -> None:
    if value is not None:
        is_within(0, MAX_INSTANT)(instance, attribute, value)


def label(*, default: str | None = "") -> Any:
    """Make the field of what people call something, such as a worker: a name, or nothing."""
    schema = ref("Label") if default is not None else nullable(ref("Label"))
    return field(default=default, validator=_is_worker, metadata=narrowed(schema))


def _is_worker(instance: object, attribute: Any, value: str | None) -> None:
    if value is not None:
        is_worker(instance, attribute, value)
