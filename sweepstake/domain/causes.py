"""What a failure is called, so that an experiment can say which failures no retry mends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sweepstake.domain.names import MAX_NAME, check_notes
from sweepstake.errors import InvalidInputError

__all__ = ["causes_of", "causes_of_exit", "check_causes"]

#: The most names of one failure; an exception group may hold any number of exceptions.
_MAX_NAMES: Final = 200


def check_causes(value: Iterable[object], path: str) -> tuple[str | int, ...]:
    """Return names of exceptions and exit codes as a tuple; raise InvalidInputError naming the one that is neither."""
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise InvalidInputError.at(path, "must be a list of exception names and exit codes")
    items: list[str | int] = []
    for i, each in enumerate(value):
        # JSON does not tell 3 from 3.0.
        item = int(each) if isinstance(each, float) and each.is_integer() else each
        if isinstance(item, bool) or not isinstance(item, (str, int)) or item == "":
            raise InvalidInputError.at(f"{path}[{i}]", "must be an exception's name or an exit code")
        items.append(check_notes(item, f"{path}[{i}]") if isinstance(item, str) else item)
    return tuple(items)


def causes_of(error: BaseException) -> tuple[str | int, ...]:
    """Return the names of an exception's class and of those above it, plain and qualified, the nearest first.

    Of an exception group they are followed by those of the exceptions in it. The code of a `SystemExit` is one of its
    causes.
    """
    found: dict[str | int, None] = {}
    for cause in _causes(error):
        found[cause] = None
        if len(found) >= _MAX_NAMES:
            break
    return tuple(found)


def causes_of_exit(code: int) -> tuple[str | int, ...]:
    """Return an exit code as it may be named; -n, for signal n, is also what a shell makes of it: 128 + n."""
    return (code, 128 - code) if code < 0 else (code,)


def _causes(error: BaseException) -> Iterator[str | int]:
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        yield int(error.code)
    for kind in type(error).__mro__[:-1]:
        for name in (kind.__qualname__.rpartition(".")[2], f"{kind.__module__}.{kind.__qualname__}"):
            if name.isprintable() and len(name) <= MAX_NAME:
                yield name
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
