"""Time limits as schedulers read and write them: each has forms of its own, and a unit that it rounds to."""

from __future__ import annotations

import math
import re
from typing import Final

from sweepstake.errors import InvalidInputError

__all__ = ["flux_seconds", "pbs_limit", "pbs_seconds", "slurm_limit", "slurm_seconds", "whole_minutes"]

#: days-hours[:minutes[:seconds]], hours:minutes:seconds, minutes[:seconds]
_SLURM: Final = re.compile(
    r"(?:(?P<days>\d+)-(?P<hours>\d+)(?::(?P<minutes>\d+)(?::(?P<seconds>\d+))?)?"
    r"|(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)|(?P<only_minutes>\d+)(?::(?P<only_seconds>\d+))?)",
    re.ASCII,
)
_PBS: Final = re.compile(r"(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+)(?:\.\d+)?", re.ASCII)
_FLUX: Final = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>ms|s|m|h|d|)", re.ASCII)
_FLUX_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 60.0}


def slurm_seconds(text: str, where: str = "--time") -> float:
    """Return how long a limit is that is written as Slurm has it: ``90`` is minutes, ``1-00:00:00`` a day.

    Raises:
        InvalidInputError: it is none; `where` is named.
    """
    found = _SLURM.fullmatch(text.strip())
    if found is None:
        raise _no_limit(text, where, "90 (minutes), 1:30:00, 1-12 or 1-00:00:00")
    part = {name: int(value) for name, value in found.groupdict().items() if value is not None}
    days, hours = part.get("days", 0), part.get("hours", part.get("h", 0))
    minutes = part.get("minutes", part.get("m", part.get("only_minutes", 0)))
    seconds = part.get("seconds", part.get("s", part.get("only_seconds", 0)))
    return _positive(((days * 24 + hours) * 60 + minutes) * 60.0 + seconds, text, where)


def pbs_seconds(text: str, where: str = "--time") -> float:
    """Return how long a limit is that is written as PBS has it: ``90`` is seconds, ``1:30:00`` is 90 minutes.

    Raises:
        InvalidInputError: it is none; `where` is named.
    """
    found = _PBS.fullmatch(text.strip())
    if found is None:
        raise _no_limit(text, where, "5400 (seconds) or 1:30:00")
    part = {name: int(value) for name, value in found.groupdict().items() if value is not None}
    total = (part.get("hours", 0) * 60 + part.get("minutes", 0)) * 60.0 + part["seconds"]
    return _positive(total, text, where)


def flux_seconds(text: str, where: str = "--time") -> float:
    """Return how long a limit is that is written as Flux has it: ``90`` is minutes, ``1.5h`` is 90 of them as well.

    Raises:
        InvalidInputError: it is none; `where` is named.
    """
    found = _FLUX.fullmatch(text.strip())
    if found is None:
        raise _no_limit(text, where, "90 (minutes), 90m or 1.5h")
    return _positive(float(found["number"]) * _FLUX_UNITS[found["unit"]], text, where)


def whole_minutes(seconds: float) -> int:
    """Return a limit in whole minutes, rounded up, at least one: what Slurm keeps limits in."""
    return max(1, math.ceil(seconds / 60.0))


def slurm_limit(seconds: float) -> str:
    """Return a limit as Slurm is told it."""
    return str(whole_minutes(seconds))


def pbs_limit(seconds: float) -> str:
    """Return a limit as PBS is told it, in whole seconds, rounded up."""
    whole = max(1, math.ceil(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _positive(seconds: float, text: str, where: str) -> float:
    if seconds <= 0:
        raise InvalidInputError.at(where, f"{text!r} is no time at all")
    return seconds


def _no_limit(text: str, where: str, such: str) -> InvalidInputError:
    return InvalidInputError.at(where, f"{text!r} is no time limit; write it as the scheduler has it, such as {such}")
