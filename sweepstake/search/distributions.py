"""Distributions from which hyperparameters are drawn."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Protocol

from attrs import field, frozen

from sweepstake.errors import InvalidInputError, shown
from sweepstake.values import JsonItem

__all__ = [
    "Choice",
    "Constant",
    "Distribution",
    "LogUniform",
    "Normal",
    "Uniform",
    "by_name",
    "finite_number",
    "json_items",
    "number",
]


class Distribution(Protocol):
    """Where one hyperparameter's values come from; immutable, and able to be sampled once it exists."""

    def sample(self, random: Random) -> Any:
        """Draw a value: plain JSON data that belongs to the caller."""


def finite_number(value: object, name: str) -> float:
    """Return `value` as a float, or raise InvalidInputError at the path `name`."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise InvalidInputError.at(name, f"must be a number, not {type(value).__name__}")
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        raise InvalidInputError.at(name, "must be a number that fits a 64-bit float") from None
    if not math.isfinite(number):
        raise InvalidInputError.at(name, f"must be a finite number, is {number}")
    return number


def json_items(values: object, name: str) -> tuple[JsonItem, ...]:
    """Return a non-empty list of JSON values in immutable form, or raise InvalidInputError below the path `name`."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InvalidInputError.at(name, f"must be a list of values, not {type(values).__name__}")
    items = tuple(
        value if isinstance(value, JsonItem) else JsonItem.of(value, f"{name}[{i}]") for i, value in enumerate(values)
    )
    if not items:
        raise InvalidInputError.at(name, "is empty; give at least one value")
    return items


def by_name(value: object, what: str, path: str) -> Mapping[str, Any]:
    """Return a dict whose keys are names of hyperparameters, or raise InvalidInputError at the path.

    Args:
        value: what should be one.
        what: what should be in it, for the error.
        path: where it was given.
    """
    if not isinstance(value, Mapping):
        raise InvalidInputError.at(path, f"must be a dict of {what}, not {type(value).__name__}")
    for name in value:
        if not isinstance(name, str):
            raise InvalidInputError.at(path, f"has the key {shown(name)}; the names of hyperparameters are text")
    return value


def number(name: str, **more: Any) -> Any:
    """Make the field of a finite number."""
    return field(converter=lambda value: finite_number(value, name), **more)


def _check_interval(low: float, high: float) -> None:
    if low >= high:
        raise InvalidInputError.at("low", f"must be less than high, which is {high!r}, but is {low!r}")


def _within(value: float, low: float, high: float) -> float:
    """Undo rounding that led out of [low, high)."""
    return min(max(value, low), math.nextafter(high, low))


@frozen
class Uniform:
    """Every number of [low, high) is equally likely."""

    low: float = number("low")
    high: float = number("high")

    def __attrs_post_init__(self) -> None:
        _check_interval(self.low, self.high)

    def sample(self, random: Random) -> float:
        """Draw a float: `low` is possible, `high` is not."""
        share = random.random()
        return _within(self.low * (1.0 - share) + self.high * share, self.low, self.high)


@frozen
class LogUniform:
    """Every order of magnitude of [low, high) is equally likely: the logarithm is uniform."""

    low: float = number("low")
    high: float = number("high")

    def __attrs_post_init__(self) -> None:
        if self.low <= 0.0:
            raise InvalidInputError.at("low", f"must be greater than 0, is {self.low!r}; its logarithm is needed")
        _check_interval(self.low, self.high)

    def sample(self, random: Random) -> float:
        """Draw a float: `low` is possible, `high` is not."""
        share = random.random()
        exponent = math.log(self.low) * (1.0 - share) + math.log(self.high) * share
        return _within(_exp(exponent), self.low, self.high)


def _exp(exponent: float) -> float:
    try:
        return math.exp(exponent)
    except OverflowError:  # rounding, just above the logarithm of the largest float
        return sys.float_info.max


@frozen
class Normal:
    """Numbers around `mean` with the standard deviation `std`, which may be 0."""

    mean: float = number("mean")
    std: float = number("std")

    def __attrs_post_init__(self) -> None:
        if self.std < 0.0:
            raise InvalidInputError.at("std", f"must not be negative, is {self.std!r}")

    def sample(self, random: Random) -> float:
        """Draw a finite float."""
        largest = sys.float_info.max
        return min(max(self.mean + self.std * random.normalvariate(0.0, 1.0), -largest), largest)


def _weights(weights: object) -> tuple[float, ...] | None:
    if weights is None:
        return None
    if isinstance(weights, (str, bytes, Mapping)) or not isinstance(weights, Iterable):
        raise InvalidInputError.at("weights", f"must be a list of numbers, not {type(weights).__name__}")
    return tuple(finite_number(weight, f"weights[{i}]") for i, weight in enumerate(weights))


def _options(values: object) -> tuple[JsonItem, ...]:
    return json_items(values, "values")


@frozen(repr=False)
class Choice:
    """One of a list of JSON values of any kind; equally likely, or by weight.

    Attributes:
        weights: one for each value, not negative; None for equal ones.
    """

    _options: tuple[JsonItem, ...] = field(alias="values", converter=_options)
    weights: tuple[float, ...] | None = field(default=None, converter=_weights)

    def __attrs_post_init__(self) -> None:
        if self.weights is None:
            return
        if len(self.weights) != len(self._options):
            raise InvalidInputError.at(
                "weights", f"must be as many as the values: {len(self._options)}, not {len(self.weights)}"
            )
        for i, weight in enumerate(self.weights):
            if weight < 0.0:
                raise InvalidInputError.at(f"weights[{i}]", f"must not be negative, is {weight!r}")
        if not 0.0 < sum(self.weights) < math.inf:
            raise InvalidInputError.at("weights", "must have a sum that is greater than 0 and finite")

    def __repr__(self) -> str:
        return f"Choice(values={self.values!r}, weights={self.weights!r})"

    @property
    def values(self) -> list[Any]:
        """The values, as new plain data."""
        return [option.decode() for option in self._options]

    def sample(self, random: Random) -> Any:
        """Draw one of the values; one of weight 0 never."""
        if self.weights is None:
            return random.choice(self._options).decode()
        weighted = [pair for pair in zip(self._options, self.weights, strict=True) if pair[1] > 0.0]
        [(option, _)] = random.choices(weighted, [weight for _, weight in weighted])
        return option.decode()


def _item(value: object) -> JsonItem:
    return value if isinstance(value, JsonItem) else JsonItem.of(value, "value")


@frozen(repr=False)
class Constant:
    """Always the same JSON value."""

    _item: JsonItem = field(alias="value", converter=_item)

    def __repr__(self) -> str:
        return f"Constant(value={self.value!r})"

    @property
    def value(self) -> Any:
        """The value, as new plain data."""
        return self._item.decode()

    def sample(self, random: Random) -> Any:  # noqa: ARG002 -- a distribution like the others
        """Return the value."""
        return self.value
