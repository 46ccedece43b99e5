"""What the queueing of a job may say: how urgent it is, from when on it may run, and how it is found."""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import field, frozen

from sweepstake.domain.names import check_notes, check_tags
from sweepstake.domain.schema import OMIT_DEFAULT, Schema, count, narrowed, nullable, ref
from sweepstake.errors import InvalidInputError, shown

__all__ = [
    "INSTANT",
    "MAX_INSTANT",
    "MAX_PRIORITY",
    "PRIORITY",
    "UNCHANGED",
    "QueueingChanges",
    "Unchanged",
    "check_instant",
    "check_priority",
]

MAX_PRIORITY: Final = 2**31 - 1
#: The last second of the year 9999.
MAX_INSTANT: Final = 253_402_300_799
#: A moment, as Unix time in seconds.
INSTANT: Final[Schema] = {"type": "number", "minimum": 0, "maximum": MAX_INSTANT}
#: A priority.
PRIORITY: Final[Schema] = count(-MAX_PRIORITY - 1, MAX_PRIORITY)


def check_priority(priority: object) -> int:
    """Return `priority` if a store can keep it: an int of 32 bits."""
    if isinstance(priority, bool) or not isinstance(priority, int) or not -MAX_PRIORITY - 1 <= priority <= MAX_PRIORITY:
        raise InvalidInputError.at("priority", f"must be a whole number from -2**31 to 2**31 - 1, is {shown(priority)}")
    return int(priority)


def check_instant(instant: object, path: str = "not_before") -> float | None:
    """Return a Unix time of the years 1970 to 9999 as a float; None stays None."""
    if instant is None:
        return None
    if isinstance(instant, bool) or not isinstance(instant, (int, float)) or not 0 <= instant <= MAX_INSTANT:
        raise InvalidInputError.at(path, f"must be a Unix time from 0 to {MAX_INSTANT:,} seconds, is {shown(instant)}")
    return float(instant)


class Unchanged(Enum):
    """The value of a field that is not to be changed, where None has a meaning of its own."""

    UNCHANGED = "unchanged"


#: Leave it as it is.
UNCHANGED: Final = Unchanged.UNCHANGED


def _priority(value: object) -> int | Unchanged:
    if isinstance(value, Unchanged):
        return value
    # JSON does not tell 3 from 3.0.
    return check_priority(int(value) if isinstance(value, float) and value.is_integer() else value)


def _instant(value: object) -> float | Unchanged | None:
    return value if isinstance(value, Unchanged) else check_instant(value)


def _tags(value: object) -> tuple[str, ...] | Unchanged:
    return value if isinstance(value, Unchanged) else check_tags(value)  # type: ignore[arg-type]  # it checks that too


def _notes(value: object) -> str | Unchanged:
    return value if isinstance(value, Unchanged) else check_notes(value)


@frozen(kw_only=True)
class QueueingChanges:
    """What is to be changed of a job's queueing, which its etag does not cover.

    Attributes:
        priority: higher is claimed first.
        not_before: Unix time in seconds before which the job is not claimed; None for at once.
        tags: all labels it shall have.
        notes: free text.
    """

    priority: int | Unchanged = field(
        default=UNCHANGED, converter=_priority, metadata={**OMIT_DEFAULT, **narrowed(PRIORITY)}
    )
    not_before: float | Unchanged | None = field(
        default=UNCHANGED, converter=_instant, metadata={**OMIT_DEFAULT, **narrowed(nullable(INSTANT))}
    )
    tags: tuple[str, ...] | Unchanged = field(
        default=UNCHANGED, converter=_tags, metadata={**OMIT_DEFAULT, **narrowed(ref("Tags"))}
    )
    notes: str | Unchanged = field(
        default=UNCHANGED, converter=_notes, metadata={**OMIT_DEFAULT, **narrowed(ref("Notes"))}
    )
