"""How many items lists may have: written beside each field, and checked before any item is read."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any, Final

from sweepstake.errors import InvalidInputError

__all__ = ["MAX_AT_ONCE", "MAX_BEATS", "MAX_BULK", "MAX_CAUSES", "MAX_PAGE", "MOST", "at_most", "check_length", "holds"]

#: The most items of one page of a listing.
MAX_PAGE: Final = 1000
#: The most jobs of one bulk add; a client sends more in several calls.
MAX_BULK: Final = 5000
#: The most attempts of one heartbeat.
MAX_BEATS: Final = 1000
#: The most jobs that one call claims, and the most attempts that one call reports.
MAX_AT_ONCE: Final = 100
#: The most causes of one failure.
MAX_CAUSES: Final = 1000


#: The word under which a field's metadata says how many items it may have.
MOST: Final = "most"


def holds(count: int) -> Mapping[str, int]:
    """Return the metadata of a field whose list has at most so many items."""
    return {MOST: count}


def at_most(count: int) -> Any:
    """Return a validator for lists of at most so many items, and texts of at most so many characters."""

    def check(_: object, attribute: Any, value: Sized) -> None:
        if len(value) > count:
            check_length(value, count, attribute.name)

    return check


def check_length(value: Sized, most: int, path: str) -> None:
    """Raise InvalidInputError unless the list or text is at most that long."""
    if len(value) > most:
        raise InvalidInputError.at(path, f"has a length of {len(value):,}, at most {most:,} is allowed")
