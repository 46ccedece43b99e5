"""Moments as people write them: a date and time, a Unix time, or now."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Final

import click

from sweepstake.view.text import printable

__all__ = ["moment"]

#: Unix times before the first (the year 2001) are rather years, or dates without hyphens; those after the last (the
#: year 5138) are milliseconds, or such dates with a time.
_FIRST: Final = 1e9
_LAST: Final = 1e11


def moment(text: str, option: str) -> float | None:
    """Return the Unix time that is meant, None for `now`; what is unclear is refused in the name of the option."""
    if text == "now":
        return None
    with suppress(ValueError):
        seconds = float(text)
        if _FIRST <= seconds <= _LAST:
            return seconds
        raise click.UsageError(
            f"{option} {printable(text)} is no Unix time of our days; say a date and time such as 2030-01-31T18:00."
        )
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(
            f"{option} takes a date and time such as 2030-01-31T18:00, a Unix time, or now; not {printable(text)}."
        ) from None
