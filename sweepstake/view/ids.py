"""Ids as short as they can be told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from sweepstake.view.table import OWN, Column, Table

__all__ = ["IDS", "LEAST", "shortened", "with_short_ids"]

#: The columns that hold ids: of jobs and tokens, of the job of a worker, and of reports in the spool.
IDS: Final = frozenset(Column(OWN, name) for name in ("id", "made with", "job", "entry"))
#: No id is shortened to less.
LEAST: Final = 6
_MADE: Final = re.compile(r"[0-9a-v]{26}")
#: An id that nobody reads: one of ours, a UUID, or a digest. Any other is a name.
_UNREADABLE: Final = re.compile(r"[0-9a-v]{26}|[0-9a-fA-F-]{16,}")


def shortened(ids: Iterable[str]) -> dict[str, str]:
    """Return for each id its beginning or its end, as short as is unique among them, but not under six characters.

    Names that somebody chose, as those of a spec's jobs, stay whole. All others are shortened at the same side to the
    same length: ids that Sweepstake made at the end, because those made together share their beginning. What is shown
    is neither a beginning nor an end of another, so that it can be typed.
    """
    distinct = list(dict.fromkeys(ids))
    unreadable = list(filter(_UNREADABLE.fullmatch, distinct))
    sides = (True, False) if all(map(_MADE.fullmatch, unreadable)) else (False, True)
    whole = {each: each for each in distinct}
    longest = max(map(len, unreadable), default=0)
    for length in range(LEAST, longest):
        ambiguous = Counter(part for each in distinct for part in {each[:length], each[-length:]})
        for end in sides:
            short = {each: each[-length:] if end else each[:length] for each in unreadable}
            if all(ambiguous[part] == 1 for part in short.values()):
                return whole | short
    return whole


def with_short_ids(table: Table) -> Table:
    """Return the table with its ids shortened, each column for itself."""
    short = {
        column: shortened(row[place] for row in table.rows if row[place] is not None)
        for place, column in enumerate(table.columns)
        if column in IDS
    }
    return table.mapped(lambda column, value: short[column][value] if column in short else value)
