"""The fields that several records have: each with what it accepts, in words of its own and as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, Final

from attrs import Attribute, field, frozen
from attrs.validators import optional

from sweepstake.domain.lengths import holds
from sweepstake.domain.names import MAX_DEPENDENCIES, check_dependencies, check_name, check_notes, check_tags
from sweepstake.domain.schema import OMIT_DEFAULT, Schema, checked, count, narrowed, nullable, ref
from sweepstake.errors import InvalidInputError, shown

__all__ = [
    "HEADINGS",
    "INSTANT",
    "LABELS",
    "MAX_INSTANT",
    "NOTES",
    "QUEUEING",
    "TAGS",
    "TIMES",
    "UNCHANGED",
    "Queueing",
    "QueueingChanges",
    "Unchanged",
    "Word",
    "check_priority",
    "dependencies",
    "document_first",
    "gang",
    "instant",
    "is_within",
    "is_worker",
    "job_id",
    "label",
    "place",
    "prune_with",
    "queueing_of",
    "task",
]

_MAX_PRIORITY: Final = 2**31 - 1
_MAX_PLACE: Final = 2**31 - 1
#: The last second of the year 9999.
MAX_INSTANT: Final = 253_402_300_799
#: A moment, as Unix time in seconds.
INSTANT: Final[Schema] = {"type": "number", "minimum": 0, "maximum": MAX_INSTANT}
#: What people see of a job beside its document, in this order: in tables, and as names of fields.
HEADINGS: Final = (
    "priority",
    "tags",
    "notes",
    "attempt",
    "worker",
    "not_before",
    "created_at",
    "started_at",
    "ended_at",
)
#: Those of them that are Unix times.
TIMES: Final = ("not_before", "created_at", "started_at", "ended_at")
#: What a record of a job begins with.
_DOCUMENT: Final = ("id", "status", "hyperparameters", "results")


class Unchanged(Enum):
    """The value of a field that is not to be changed, where None has a meaning of its own."""

    UNCHANGED = "unchanged"


#: Leave it as it is.
UNCHANGED: Final = Unchanged.UNCHANGED


@frozen(kw_only=True)
class Word:
    """A field of a job's queueing: what it accepts, and how it is said on the command line.

    Attributes:
        name: of the field, of its column and of the parameter.
        check: returns the value as it is kept, or raises InvalidInputError.
        schema: what it accepts in JSON.
        default: what it is of a job of which nothing is said.
        flag: the option that says it.
        help: what the option's help says where a job or an experiment, `{what}`, is made.
        change: what it says where jobs change.
        is_moment: whether it is a Unix time, which people write as a date, or as a span from now.
    """

    name: str
    check: Callable[[Any], Any]
    schema: Schema
    default: Any
    flag: str
    help: str
    change: str
    is_moment: bool = False

    def field(self, *, changes: bool = False) -> Any:
        """Make the field of a record; with `changes`, of one that may leave the value as it is."""
        if not changes:
            return field(default=self.default, converter=self.check, metadata=narrowed(self.schema))

        def check(value: Any) -> Any:
            return value if isinstance(value, Unchanged) else self.check(value)

        return field(default=UNCHANGED, converter=check, metadata={**OMIT_DEFAULT, **narrowed(self.schema)})


def check_priority(priority: object, *, of_json: bool = True) -> int:
    """Return `priority` if a store can keep it: an int of 32 bits. JSON does not tell 3 from 3.0."""
    if of_json and isinstance(priority, float) and priority.is_integer():
        priority = int(priority)
    if (
        isinstance(priority, bool)
        or not isinstance(priority, int)
        or not -_MAX_PRIORITY - 1 <= priority <= _MAX_PRIORITY
    ):
        raise InvalidInputError.at("priority", f"must be a whole number from -2**31 to 2**31 - 1, is {shown(priority)}")
    return int(priority)


def _not_before(instant: object) -> float | None:
    if instant is None:
        return None
    if isinstance(instant, bool) or not isinstance(instant, (int, float)) or not 0 <= instant <= MAX_INSTANT:
        raise InvalidInputError.at(
            "not_before", f"must be a Unix time from 0 to {MAX_INSTANT:,} seconds, is {shown(instant)}"
        )
    return float(instant)


#: Higher is claimed first.
PRIORITY: Final = Word(
    name="priority",
    check=check_priority,
    schema=count(-_MAX_PRIORITY - 1, _MAX_PRIORITY),
    default=0,
    flag="--priority",
    help="Higher is claimed first.",
    change="Of jobs: higher is claimed first.",
)
#: The Unix time in seconds before which a job is not claimed; None: at once.
NOT_BEFORE: Final = Word(
    name="not_before",
    check=_not_before,
    schema=nullable(INSTANT),
    default=None,
    flag="--not-before",
    help="Do not claim it before: 1h from now, or a date and time.",
    change="Of jobs: do not claim it before: a span from now such as 1h, a date and time such as 2030-01-31T18:00 "
    "(local, unless it names a zone), a Unix time, or `now`.",
    is_moment=True,
)
#: Labels.
TAGS: Final = Word(
    name="tags",
    check=check_tags,
    schema=ref("Tags"),
    default=(),
    flag="--tag",
    help="A label of the {what}; may be given several times.",
    change="A label; those given here replace all that were there.",
)
#: Free text.
NOTES: Final = Word(
    name="notes",
    check=partial(check_notes, path="notes"),
    schema=ref("Notes"),
    default="",
    flag="--notes",
    help="Free text.",
    change="Free text.",
)
#: How a job stands in the queue, beside its document.
QUEUEING: Final = (PRIORITY, NOT_BEFORE, TAGS, NOTES)
#: What experiments have as well.
LABELS: Final = (TAGS, NOTES)


@frozen(kw_only=True)
class Queueing:
    """How urgent a job is, from when on it may run, and how it is found.

    Attributes:
        priority: higher is claimed first.
        not_before: Unix time in seconds before which the job is not claimed; None for at once.
        tags: labels.
        notes: free text.
    """

    priority: int = PRIORITY.field()
    not_before: float | None = NOT_BEFORE.field()
    tags: tuple[str, ...] = TAGS.field()
    notes: str = NOTES.field()


@frozen(kw_only=True)
class QueueingChanges:
    """What is to be changed of a job's queueing, which its etag does not cover.

    Attributes:
        priority: higher is claimed first.
        not_before: Unix time in seconds before which the job is not claimed; None for at once.
        tags: all labels it shall have.
        notes: free text.
    """

    priority: int | Unchanged = PRIORITY.field(changes=True)
    not_before: float | Unchanged | None = NOT_BEFORE.field(changes=True)
    tags: tuple[str, ...] | Unchanged = TAGS.field(changes=True)
    notes: str | Unchanged = NOTES.field(changes=True)


def queueing_of(job: object) -> dict[str, Any]:
    """Return the queueing of a record or a row of a job, by name."""
    return {word.name: getattr(job, word.name) for word in QUEUEING}


def document_first(_: type, found: list[Attribute[Any]]) -> list[Attribute[Any]]:
    """Order the fields of a record that has a `Queueing`'s: what a job is comes before how it is queued."""
    return sorted(found, key=lambda each: each.name not in _DOCUMENT)


def is_within(low: float, high: float) -> Any:
    """Return a validator for numbers from `low` to `high`."""

    def check(_: object, attribute: Any, value: float) -> None:
        if not low <= value <= high:
            raise InvalidInputError.at(attribute.name, f"must be {low:,} to {high:,}, is {value!r}")

    return check


def is_worker(_: object, attribute: Any, value: str | None) -> None:
    """Validate who runs a job, for people to read; nobody in particular is the empty text."""
    if value:
        check_name(value, attribute.name)


def _new_id(value: object) -> str:
    return "" if value is None else check_name(value, "id")


def _dependencies(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidInputError.at("depends_on", "must be a list")
    return check_dependencies(value, "depends_on") if value else ()


def job_id() -> Any:
    """Make the field of a new job's id; empty: it gets one of the server's."""
    return field(default=None, converter=_new_id, metadata=narrowed(nullable(ref("Name"))))


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


def _optional_name() -> Any:
    metadata = {**OMIT_DEFAULT, **narrowed(nullable(ref("Name")))}
    return field(default=None, validator=optional(checked(check_name)), metadata=metadata)


def task() -> Any:
    """Make the field of the task that is run for a job; None: the job says nothing of what is run for it."""
    return _optional_name()


def gang() -> Any:
    """Make the field of the word that those jobs have in common that begin together."""
    return _optional_name()


def place() -> Any:
    """Make the field of a job's place among its like, from 0."""
    schema = nullable(count(0, _MAX_PLACE))
    return field(
        default=None, validator=optional(is_within(0, _MAX_PLACE)), metadata={**OMIT_DEFAULT, **narrowed(schema)}
    )


def instant(*, default: float | None = 0.0) -> Any:
    """Make the field of a moment that was: Unix time in seconds."""
    schema = INSTANT if default is not None else nullable(INSTANT)
    return field(default=default, validator=optional(is_within(0, MAX_INSTANT)), metadata=narrowed(schema))


def label(*, default: str | None = "") -> Any:
    """Make the field of what people call something, such as a worker: a name, or nothing."""
    schema = ref("Label") if default is not None else nullable(ref("Label"))
    return field(default=default, validator=is_worker, metadata=narrowed(schema))
