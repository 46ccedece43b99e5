"""Which finished jobs are like another: a tree that splits them where that tells short from long."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from sweepstake.plaintext import counted

__all__ = ["Like", "alike", "as_number"]

#: Fewer finished jobs than this are no group of their own.
_FEWEST: Final = 3
#: So many conditions describe a group at most.
_DEEPEST: Final = 8
#: A split must explain so much more than the rest varies that chance rarely does, whatever the number of splits tried.
_SURPRISE: Final = 6.0
#: And of few jobs more: so many times as much for one, half of that for two, and so on.
_FEW: Final = 8.0

_Finished = Sequence[tuple[Mapping[str, Any], float]]


@frozen
class _Split:
    """A question that is answered by one hyperparameter.

    Attributes:
        name: of the hyperparameter.
        value: numbers up to this one, or texts that are it, are on the yes side; anything else is on the other.
        texts: that the finished jobs have.
        numbers: whether they have any.
    """

    name: str
    value: float | str
    texts: frozenset[str]
    numbers: bool

    def tells(self, hyperparameters: Mapping[str, Any]) -> bool:
        """Return whether a finished job was like this one here: of a new kind nothing is known."""
        value = as_number(hyperparameters.get(self.name))
        return value in self.texts if isinstance(value, str) else self.numbers

    def holds(self, hyperparameters: Mapping[str, Any]) -> bool:
        value = as_number(hyperparameters.get(self.name))
        if isinstance(self.value, str) or isinstance(value, str):
            return value == self.value
        return value <= self.value

    def said(self, *, yes: bool) -> str:
        if isinstance(self.value, str):
            return f"{self.name} {'=' if yes else '!='} {self.value}"
        return f"{self.name} {'<=' if yes else '>'} {self.value:g}"


@frozen
class Like:
    """Finished jobs that are alike, as far as could be told.

    Attributes:
        seconds: how long each ran, shortest first.
        said: which they are, in words.
    """

    seconds: Sequence[float]
    said: str
    _split: _Split | None = None
    _sides: tuple[Like, Like] | None = None

    def of(self, hyperparameters: Mapping[str, Any]) -> Like:
        """Return those that are like a job of these hyperparameters."""
        like = self
        while like._split is not None and like._sides is not None and like._split.tells(hyperparameters):
            like = like._sides[like._split.holds(hyperparameters)]
        return like


def alike(finished: _Finished, *conditions: str) -> Like:
    """Sort finished jobs into groups that are alike.

    Args:
        finished: hyperparameters and seconds of each.
        conditions: what they have in common already.
    """
    seconds = sorted(float(each) for _, each in finished)
    said = counted(len(seconds), "job") + (f" with {', '.join(conditions)}" if conditions else "")
    split = _best(finished) if len(conditions) < _DEEPEST else None
    if split is None:
        return Like(seconds, said)
    sides = [[each for each in finished if split.holds(each[0]) is yes] for yes in (False, True)]
    no, yes = (alike(side, *conditions, split.said(yes=yes)) for yes, side in zip((False, True), sides, strict=True))
    return Like(seconds, said, split, (no, yes))


def _best(finished: _Finished) -> _Split | None:
    """Return the split that explains most; None if chance explains as much."""
    # Seconds are compared by ratio: a job twice as long is as far away among short ones as among long ones.
    logs = [math.log1p(seconds) for _, seconds in finished]
    mean = math.fsum(logs) / len(logs)
    total = math.fsum((each - mean) ** 2 for each in logs)
    found: list[tuple[float, str, str, _Split]] = []
    for name in sorted({name for hyperparameters, _ in finished for name in hyperparameters}):
        values = [as_number(hyperparameters.get(name)) for hyperparameters, _ in finished]
        for split, explained in _splits(name, values, logs, mean):
            found.append((-explained, name, str(split.value), split))
    if not found:
        return None
    explained = -min(found)[0]
    free = max(len(logs) - 2, 1)
    rest = max(total - explained, 1e-12) / free
    chance = (2 * math.log(len(found)) + _SURPRISE) * (1 + _FEW / free)
    return min(found)[3] if explained / rest > chance and explained > 1e-9 else None


def _splits(
    name: str, values: Sequence[float | str], logs: Sequence[float], mean: float
) -> Iterator[tuple[_Split, float]]:
    """Yield the splits by a hyperparameter that leave enough on both sides, and how much each explains."""
    count = len(values)
    above = [log - mean for log in logs]
    groups: dict[str, list[float]] = {}
    for value, more in zip(values, above, strict=True):
        if isinstance(value, str):
            groups.setdefault(value, []).append(more)
    texts = frozenset(groups)
    any_numbers = any(not isinstance(value, str) for value in values)
    for value, some in groups.items():
        if _FEWEST <= len(some) <= count - _FEWEST:
            yield _Split(name, value, texts, any_numbers), _explained(math.fsum(some), len(some), count)
    numbers = sorted((value, more) for value, more in zip(values, above, strict=True) if not isinstance(value, str))
    done = 0.0
    for place, (value, more) in enumerate(numbers[:-1], start=1):
        done += more
        following = numbers[place][0]
        if following > value and _FEWEST <= place <= count - _FEWEST:
            yield _Split(name, _between(value, following), texts, any_numbers), _explained(done, place, count)


def _between(less: float, more: float) -> float:
    """Return a number from `less` on that is below `more`; the one in the middle, if floats have it."""
    middle = less / 2 + more / 2
    return middle if less <= middle < more else less


def _explained(above: float, some: int, count: int) -> float:
    """Return the squares that are explained when `some` of `count` jobs are together `above` the mean of all."""
    return above**2 / some + above**2 / (count - some)


def as_number(value: Any) -> float | str:
    """Return a hyperparameter as a number that can be ordered, else as a text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, sort_keys=True, default=repr)
    except (TypeError, ValueError):  # keys that are no texts, or a list in itself
        return repr(value)
