"""What the queueing of a job may say: how urgent it is, and from when on it may run."""

from __future__ import annotations

from typing import Final

from sweepstake.errors import InvalidInputError, shown

__all__ = ["MAX_INSTANT", "MAX_PRIORITY", "check_instant", "check_priority"]

MAX_PRIORITY: Final = 2**31 - 1
#: The last second of the year 9999.
MAX_INSTANT: Final = 253_402_300_799


def check_priority(priority: object) -> int:
    """Return `priority` if a store can keep it: an int of 32 bits."""
    if isinstance(priority, bool) or not isinstance(priority, int) or not -MAX_PRIORITY - 1 <= priority <= MAX_PRIORITY:
        raise InvalidInputError.at("priority", f"must be a whole number from -2**31 to 2**31 - 1, is {shown(priority)}")
    return int(priority)


def check_instant(instant: object, path: str) -> float | None:
    """Return a Unix time of the years 1970 to 9999 as a float; None stays None."""
    if instant is None:
        return None
    if isinstance(instant, bool) or not isinstance(instant, (int, float)) or not 0 <= instant <= MAX_INSTANT:
        raise InvalidInputError.at(path, f"must be a Unix time from 0 to {MAX_INSTANT:,} seconds, is {shown(instant)}")
    return float(instant)
