import math
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.search import Perturb, Truncate
from tests.kit.strategies import finite_floats

_randoms = st.randoms(use_true_random=False)


@given(st.floats(-1e300, 1e300), _randoms)
def test_a_float_is_multiplied_by_a_factor(value: float, random: Random) -> None:
    """A float stays a float, and changes by a factor of the interval."""
    changed = Perturb(0.8, 1.2).perturb(value, random)
    assert isinstance(changed, float)
    assert min(value * 0.8, value * 1.2) <= changed <= max(value * 0.8, value * 1.2)


@given(finite_floats, _randoms)
def test_a_float_stays_finite(value: float, random: Random) -> None:
    """Factors never lead out of the finite floats."""
    assert math.isfinite(Perturb(0.5, 1e308).perturb(value, random))


@given(st.integers(-(10**300), 10**300), _randoms)
def test_an_int_stays_an_int_of_its_sign(value: int, random: Random) -> None:
    """An int is rounded to the nearest, and never to 0, at which it would stay for ever."""
    changed = Perturb(0.01, 3.0).perturb(value, random)
    assert type(changed) is int
    assert (changed > 0, changed < 0) == (value > 0, value < 0)
    assert abs(changed) <= 3 * abs(value)


def test_a_small_int_moves() -> None:
    """Over many draws a batch size of 32 takes every value of its interval."""
    random = Random(1)
    assert {Perturb().perturb(32, random) for _ in range(1000)} == set(range(26, 39))


@pytest.mark.parametrize("value", ["adam", None, True, False, [1, 2], {"a": 1}, 0, 10**400, -(10**400), math.inf])
def test_what_is_no_number_is_left_alone(value: Any) -> None:
    """Text, booleans, lists and what no factor can change stay as they are."""
    assert Perturb().perturb(value, Random(1)) is value


def test_nan_is_left_alone() -> None:
    """NaN stays NaN."""
    assert math.isnan(Perturb().perturb(math.nan, Random(1)))


def test_factors_are_flat() -> None:
    """Every factor of the interval is equally likely, not only its ends."""
    random = Random(1)
    factors = [Perturb(0.8, 1.2).perturb(1.0, random) for _ in range(4000)]
    assert all(0.8 <= factor < 1.2 for factor in factors)
    assert sum(factor < 0.9 for factor in factors) == pytest.approx(1000, abs=120)


@pytest.mark.parametrize(
    "make,path,problem",
    [
        (lambda: Truncate(0), "proportion", "greater than 0 and at most 0.5"),
        (lambda: Truncate(0.51), "proportion", "greater than 0 and at most 0.5"),
        (lambda: Truncate(math.nan), "proportion", "finite"),
        (lambda: Perturb(1.2, 0.8), "min_factor", "must be less than max_factor"),
        (lambda: Perturb(1, 1), "min_factor", "must be less than max_factor"),
        (lambda: Perturb(-1, 1), "min_factor", "must not be negative"),
        (lambda: Perturb(0.5, math.inf), "max_factor", "finite"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], object], path: str, problem: str) -> None:
    """A strategy that exists can be used; the error names the argument."""
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert caught.value.problems[0][0] == path
    assert problem in caught.value.problems[0][1]


def test_defaults_are_schedys() -> None:
    """A fifth of the population, and a factor of 0.8 to 1.2."""
    assert Truncate() == Truncate(0.2)
    assert Perturb() == Perturb(0.8, 1.2)
    assert Perturb(0.0, sys.float_info.max).min_factor == 0.0
