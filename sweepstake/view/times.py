"""Moments and spans of time for people to read."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

__all__ = ["ago", "iso", "lasting", "local", "spanning"]

_SPANS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def ago(moment: float, now: float) -> str:
    """Return how long ago a Unix time is, such as `2 min ago`, or how far ahead, such as `in 3 h`."""
    span = now - moment
    if abs(span) < 1:
        return "now"
    return f"{_rounded(span)} ago" if span > 0 else f"in {_rounded(-span)}"


def lasting(seconds: float) -> str:
    """Return a span of time in its largest unit, such as `0.25 s`, `48 s`, `2 min` or `3 d`."""
    return f"{seconds:.2g} s" if 0 < seconds < 1 else _rounded(seconds)


def spanning(seconds: float) -> str:
    """Return a span of time in its two largest units, such as `48 s`, `22 min` or `1 h 28 min`, rounded up."""
    whole = math.ceil(seconds if seconds < 60 else math.ceil(seconds / 60) * 60)
    for (size, unit), (below, small) in pairwise(_SPANS):
        if whole >= size:
            rest = int(whole % size // below)
            return f"{int(whole // size)} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def _rounded(seconds: float) -> str:
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{int(seconds / size)} {unit}"
    return "0 s"


def local(moment: float) -> str:
    """Return a Unix time as date, time and offset of this machine's zone, to the second."""
    return datetime.fromtimestamp(moment).astimezone().isoformat(" ", "seconds")


def iso(moment: float) -> str:
    """Return a Unix time as ISO 8601 in UTC, to the microsecond, for programs."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
