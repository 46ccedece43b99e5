"""How population based training exploits what goes well and explores around it."""

from __future__ import annotations

import sys
from fractions import Fraction
from random import Random
from typing import Any

from attrs import frozen

from sweepstake.errors import InvalidInputError
from sweepstake.search.distributions import Uniform, number

__all__ = ["Perturb", "Truncate"]


@frozen
class Truncate:
    """Replace a member in the worst `proportion` of the population by one of the best `proportion`.

    Attributes:
        proportion: greater than 0, at most 0.5; the number of members is rounded up, but is at most half of them.
    """

    proportion: float = number("proportion", default=0.2)

    def __attrs_post_init__(self) -> None:
        if not 0.0 < self.proportion <= 0.5:
            raise InvalidInputError.at("proportion", f"must be greater than 0 and at most 0.5, is {self.proportion!r}")


@frozen
class Perturb:
    """Multiply a hyperparameter by a random factor of [`min_factor`, `max_factor`), all equally likely.

    A float stays a float. An int stays an int: it is rounded to the nearest, but never to 0. What is no number,
    and an int too large for a float, is left alone.
    """

    min_factor: float = number("min_factor", default=0.8)
    max_factor: float = number("max_factor", default=1.2)

    def __attrs_post_init__(self) -> None:
        if self.min_factor < 0.0:
            raise InvalidInputError.at("min_factor", f"must not be negative, is {self.min_factor!r}")
        if self.min_factor >= self.max_factor:
            raise InvalidInputError.at(
                "min_factor", f"must be less than max_factor, which is {self.max_factor!r}, but is {self.min_factor!r}"
            )

    def perturb(self, value: Any, random: Random) -> Any:
        """Return the value changed by a factor drawn from `random`."""
        factor = Uniform(self.min_factor, self.max_factor).sample(random)
        if isinstance(value, float):
            largest = sys.float_info.max
            return max(-largest, min(value * factor, largest)) if abs(value) <= largest else value
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > sys.float_info.max or value == 0:
            return value
        size = max(1, round(abs(value) * Fraction(factor)))
        return size if value > 0 else -size
