"""What a plain scalar of YAML means, and the texts in which specs write durations and sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, Self, TypeAlias

__all__ = [
    "MAX_DURATION",
    "NULLS",
    "Resolved",
    "WrittenFloat",
    "WrittenInt",
    "memory_bytes",
    "parse_duration",
    "resolve_yaml11",
    "resolve_yaml12",
    "written",
]

Resolved: TypeAlias = str | int | float | bool | date | None

#: The longest duration in nanoseconds: what 64 bits hold, 292 years.
MAX_DURATION: Final = 2**63 - 1
#: The most digits of an integer; Python itself takes no more.
_MAX_DIGITS: Final = 4000
#: The most characters of a duration or a size.
_LONGEST: Final = 200

#: What a plain scalar says nothing by.
NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_TRUE_11: Final = _TRUE | {"yes", "Yes", "YES", "on", "On", "ON"}
_FALSE_11: Final = _FALSE | {"no", "No", "NO", "off", "Off", "OFF"}
#: What a number or a date can begin with; most scalars are told by this alone.
_NUMERIC: Final = frozenset("0123456789+-.")

# As PyYAML has them, and so beaker-py: a float needs a point, and its exponent a sign.
_INT_11: Final = re.compile(
    r"[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+"
)
_FLOAT_11: Final = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_DATE_11: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?"
)
_INT_12: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT_12: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)

_NANOSECONDS: Final[Mapping[str, int]] = {
    word: nanoseconds
    for nanoseconds, words in (
        (1, "ns nanosecond nanoseconds"),
        (1_000, "us µs μs microsecond microseconds"),
        (1_000_000, "ms millisecond milliseconds"),
        (1_000_000_000, "s sec secs second seconds"),
        (60_000_000_000, "m min mins minute minutes"),
        (3_600_000_000_000, "h hr hrs hour hours"),
    )
    for word in words.split()
}
_DAYS: Final = frozenset({"d", "day", "days", "w", "week", "weeks"})
_NUMBER: Final = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_PART: Final = re.compile(rf"\s*({_NUMBER})\s*([^\W\d_]+)\s*")
_SECONDS: Final = re.compile(_NUMBER)
_SIZE: Final = re.compile(rf"({_NUMBER})\s*(b|k|m|g|t|kib|mib|gib|tib)")
_BYTES: Final[Mapping[str, int]] = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


class WrittenInt(int):
    """An integer that a file writes in another way than Python would, such as ``012`` for 10."""

    def __new__(cls, value: int, text: str | None = None) -> Self:
        """Make the integer; `text` is what was written."""
        made = super().__new__(cls, value)
        made.text = str(value) if text is None else text
        return made

    text: str


class WrittenFloat(float):
    """A float that a file writes in another way than Python would, such as ``1.50`` for 1.5."""

    def __new__(cls, value: float, text: str | None = None) -> Self:
        """Make the float; `text` is what was written."""
        made = super().__new__(cls, value)
        made.text = str(value) if text is None else text
        return made

    text: str


def written(item: str | float) -> str:
    """Return an item of a command as the process gets it: as it was written in the file, if it came from one."""
    return item.text if isinstance(item, WrittenInt | WrittenFloat) else str(item)


def resolve_yaml11(text: str) -> Resolved:
    """Return what a plain scalar is in YAML 1.1, as PyYAML reads it; numbers remember how they were written."""
    if text in NULLS:
        return None
    if text[0] not in _NUMERIC:
        return True if text in _TRUE_11 else False if text in _FALSE_11 else text
    if len(text) > _MAX_DIGITS:
        return text
    if _INT_11.fullmatch(text):
        return _int_11(text)
    if _FLOAT_11.fullmatch(text):
        value = _float_11(text)
        return value if str(value) == text else WrittenFloat(value, text)
    if _DATE_11.fullmatch(text):
        return date.min  # which day it is matters to nobody: a date is refused, or kept as it was written
    return text


def resolve_yaml12(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar is in YAML 1.2 (its core schema), in which ``1e-4`` is a number."""
    if text in NULLS:
        return None
    if text[0] not in _NUMERIC:
        return True if text in _TRUE else False if text in _FALSE else text
    if len(text) > _MAX_DIGITS:
        return text
    if _INT_12.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return _float(text) if _FLOAT_12.fullmatch(text) else text


def _int_11(text: str) -> int | str:
    sign, digits = _signed(text)
    try:
        value = sign * _whole_11(digits)
    except ValueError:  # such as 0x_, which has no digits
        return text
    return value if str(value) == text else WrittenInt(value, text)


def _whole_11(digits: str) -> int:
    if digits[:2] in ("0b", "0x"):
        return int(digits, 0)
    if ":" in digits:
        return int(_sexagesimal(digits))
    return int(digits, 8) if digits[0] == "0" and digits != "0" else int(digits)


def _float_11(text: str) -> float:
    sign, digits = _signed(text)
    return sign * (float(_sexagesimal(digits)) if ":" in digits else _float(digits))


def _float(text: str) -> float:
    word = text.lower()
    if word.endswith((".inf", ".nan")):
        return math.nan if word == ".nan" else -math.inf if word[0] == "-" else math.inf
    return float(text)


def _signed(text: str) -> tuple[int, str]:
    """Split a number into its sign and the rest, without what only makes it readable."""
    digits = text.replace("_", "")
    return (-1 if digits[0] == "-" else 1), digits.lstrip("+-")


def _sexagesimal(digits: str) -> Decimal:
    total = Decimal(0)
    for part in digits.split(":"):
        total = total * 60 + Decimal(part)
    return total


def parse_duration(text: str) -> int:
    """Return a duration such as ``10m``, ``48h0m0s`` or ``1.5 hours`` in nanoseconds; a bare number is in seconds.

    Raises:
        ValueError: it is none; the message says why.
    """
    lower = text.strip().lower()
    if lower.startswith("-"):
        raise ValueError(f"must not be negative, is {text!r:.80}")
    if len(lower) > _LONGEST:
        raise ValueError(f"must be a duration such as '10m' or '1.5 hours', is {text!r:.80}")
    if _SECONDS.fullmatch(lower):
        lower += "s"
    total, end = Decimal(0), 0
    while match := _PART.match(lower, end):
        number, unit = match.groups()
        if unit in _DAYS:
            raise ValueError(f"counts days or weeks in {text!r}; the longest unit is the hour")
        if unit not in _NANOSECONDS:
            raise ValueError(f"has the unknown unit {unit!r}; use ns, us, ms, s, m or h")
        total, end = total + Decimal(number) * _NANOSECONDS[unit], match.end()
    if end == 0 or end < len(lower):
        raise ValueError(f"must be a duration such as '10m' or '1.5 hours', is {text!r}")
    if total > MAX_DURATION:
        raise ValueError(f"must be at most 292 years, is {text!r}")
    return int(total)


def memory_bytes(text: str) -> int:
    """Return a size such as ``2.5GiB`` or ``512 m`` in bytes; each unit is 1024 of the one before.

    Raises:
        ValueError: it is none; the message says why.
    """
    match = _SIZE.fullmatch(text.strip().lower()) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(
            f"must be a number with a unit (b, k, m, g, t or KiB to TiB) such as '2.5GiB', is {text!r:.80}"
        )
    number, unit = match.groups()
    return int(Decimal(number) * _BYTES[unit[0]])
