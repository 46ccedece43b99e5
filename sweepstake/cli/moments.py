"""Moments and spans as people write them: `1h`, a date and time, a Unix time, or `now`."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import datetime
from typing import Final

import click

from sweepstake.plaintext import printable

__all__ = ["moment", "span"]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")

#: Unix times before the first (the year 2001) are rather years, or dates without hyphens; those after the last (the
#: year 5138) are milliseconds, or such dates with a time.
_FIRST: Final = 1e9
_LAST: Final = 1e11


def moment(text: str, option: str) -> float | None:
    """Return the Unix time that is meant, None for `now`; what is unclear is refused in the name of the option."""
    if text == "now":
        return None
    if (seconds := span(text)) is not None:
        return time.time() + seconds
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
            f"{option} takes a span from now such as 90m, 12h or 30d, a date and time such as 2030-01-31T18:00, a Unix "
            f"time, or now; not {printable(text)}."
        ) from None


def span(text: str) -> float | None:
    """Return the seconds of a span such as `90m`, `12h` or `30d`; None if it is no span."""
    found = _SPAN.fullmatch(text)
    return float(int(found[1]) * _UNITS[found[2]]) if found else None
