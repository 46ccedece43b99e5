import math
import sys
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.search import Choice, Constant, Distribution, LogUniform, Normal, Uniform
from sweepstake.values import JsonItem
from tests.kit.strategies import choices, distributions, json_values, log_uniforms, normals, uniforms

_LARGEST = sys.float_info.max


class _Always(Random):
    """Randomness that always gives one number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def random(self) -> float:
        """Return the number."""
        return self._number


_extremes = st.sampled_from([0.0, 0.5, 1.0 - 2.0**-53])


class TestSpace:
    @given(uniforms | log_uniforms, st.randoms(use_true_random=False))
    def test_stays_inside_its_interval(self, interval: Uniform | LogUniform, random: Random) -> None:
        """Draws are floats of [low, high)."""
        value = interval.sample(random)
        assert isinstance(value, float)
        assert interval.low <= value < interval.high

    @given(uniforms | log_uniforms, _extremes)
    def test_rounding_does_not_lead_out(self, interval: Uniform | LogUniform, share: float) -> None:
        """Even the extremes of the generator, in the narrowest and widest intervals, stay inside."""
        assert interval.low <= interval.sample(_Always(share)) < interval.high

    @pytest.mark.parametrize("make", [Uniform, LogUniform])
    def test_low_is_possible(self, make: Callable[[float, float], Uniform]) -> None:
        """The lower end belongs to the interval."""
        assert make(0.25, 4.0).sample(_Always(0.0)) == 0.25

    @given(normals, st.randoms(use_true_random=False))
    def test_normal_is_finite(self, normal: Normal, random: Random) -> None:
        """Draws of a normal distribution are finite floats, however large its arguments."""
        assert math.isfinite(normal.sample(random))

    @given(choices, st.randoms(use_true_random=False))
    def test_choice_is_one_of_its_values(self, choice: Choice, random: Random) -> None:
        """What is drawn is one of the values, to the bit, and never one of weight 0."""
        possible = [
            JsonItem.of(value)
            for value, weight in zip(choice.values, choice.weights or [1.0] * len(choice.values), strict=True)
            if weight > 0.0
        ]
        assert JsonItem.of(choice.sample(random)) in possible

    @given(json_values, st.randoms(use_true_random=False))
    def test_constant_is_its_value(self, value: Any, random: Random) -> None:
        """A constant is always the same, to the bit."""
        assert JsonItem.of(Constant(value).sample(random)) == JsonItem.of(value)


class TestShape:
    @given(distributions, st.integers())
    def test_same_randomness_same_value(self, distribution: Distribution, seed: int) -> None:
        """A draw depends on the generator alone."""
        drawn = [JsonItem.of(distribution.sample(Random(seed))) for _ in range(2)]
        assert drawn[0] == drawn[1]

    def test_uniform_is_flat(self) -> None:
        """Each tenth of the interval gets about a tenth of the draws."""
        random = Random(1)
        counts = Counter(int(Uniform(0, 10).sample(random)) for _ in range(10_000))
        assert all(850 < counts[digit] < 1150 for digit in range(10))

    def test_log_uniform_is_flat_over_magnitudes(self) -> None:
        """Each order of magnitude gets about as many draws as the others."""
        random = Random(1)
        counts = Counter(math.floor(math.log10(LogUniform(1e-5, 1).sample(random))) for _ in range(10_000))
        assert all(1800 < counts[magnitude] < 2200 for magnitude in range(-5, 0))

    def test_normal_has_its_mean_and_deviation(self) -> None:
        """Mean and standard deviation of many draws are those asked for."""
        random = Random(1)
        drawn = [Normal(3, 2).sample(random) for _ in range(10_000)]
        mean = sum(drawn) / len(drawn)
        assert mean == pytest.approx(3, abs=0.1)
        assert math.sqrt(sum((value - mean) ** 2 for value in drawn) / len(drawn)) == pytest.approx(2, abs=0.1)

    def test_normal_without_deviation_is_its_mean(self) -> None:
        """A standard deviation of 0 is allowed."""
        assert Normal(1.5, 0).sample(Random(1)) == 1.5

    def test_choice_follows_its_weights(self) -> None:
        """A value of three times the weight is drawn three times as often."""
        random = Random(1)
        counts = Counter(Choice(["a", "b", "c"], [3, 1, 0]).sample(random) for _ in range(10_000))
        assert set(counts) == {"a", "b"}
        assert 7200 < counts["a"] < 7800


class TestRefused:
    @pytest.mark.parametrize(
        "make,path,problem",
        [
            (lambda: Uniform(1, 1), "low", "must be less than high"),
            (lambda: Uniform(2, 1), "low", "must be less than high"),
            (lambda: Uniform(0, math.inf), "high", "finite"),
            (lambda: Uniform(math.nan, 1), "low", "finite"),
            (lambda: Uniform("0", 1), "low", "must be a number, not str"),  # type: ignore[arg-type]  # the mistake is the point
            (lambda: Uniform(True, 2), "low", "must be a number, not bool"),
            (lambda: Uniform(0, 10**400), "high", "64-bit"),
            (lambda: Uniform(None, 1), "low", "must be a number, not NoneType"),  # type: ignore[arg-type]  # the mistake is the point
            (lambda: LogUniform(0, 1), "low", "greater than 0"),
            (lambda: LogUniform(-1, 1), "low", "greater than 0"),
            (lambda: LogUniform(1, 0.1), "low", "must be less than high"),
            (lambda: Normal(0, -1), "std", "must not be negative"),
            (lambda: Normal(math.inf, 1), "mean", "finite"),
            (lambda: Choice([]), "values", "is empty"),
            (lambda: Choice("abc"), "values", "must be a list"),
            (lambda: Choice(3), "values", "must be a list"),
            (lambda: Choice([1, {2}]), "values[1]", "is a set"),
            (lambda: Choice([1, 2], [1]), "weights", "as many as the values: 2, not 1"),
            (lambda: Choice([1, 2], [1, -1]), "weights[1]", "must not be negative"),
            (lambda: Choice([1, 2], [0, 0]), "weights", "greater than 0"),
            (lambda: Choice([1, 2], [_LARGEST, _LARGEST]), "weights", "finite"),
            (lambda: Choice([1, 2], [1, math.nan]), "weights[1]", "finite"),
            (lambda: Choice([1, 2], ["a", 1]), "weights[0]", "must be a number"),
            (lambda: Choice([1, 2], 5), "weights", "must be a list"),
            (lambda: Constant(object()), "value", "JSON cannot hold"),
        ],
    )
    def test_what_cannot_be_sampled_is_never_made(self, make: Callable[[], object], path: str, problem: str) -> None:
        """A distribution that exists can be sampled; the error names the argument."""
        with pytest.raises(InvalidInputError) as caught:
            make()
        assert caught.value.problems[0][0] == path
        assert problem in caught.value.problems[0][1]


class TestImmutable:
    def test_numbers_become_floats(self) -> None:
        """Ints and numpy's numbers are taken, as Schedy takes them."""
        assert Uniform(0, np.float32(2)) == Uniform(0.0, 2.0)  # type: ignore[arg-type]  # numpy says so of float32
        assert isinstance(Uniform(0, 2).low, float)

    def test_values_cannot_be_changed_from_outside(self) -> None:
        """Neither the list handed in nor what comes out is the distribution's own."""
        values = [[1], [2]]
        choice = Choice(values)
        values[0].append(5)
        choice.values[1].append(6)
        choice.sample(Random(1)).append(7)
        assert choice.values == [[1], [2]]

    def test_equal_only_if_kinds_agree(self) -> None:
        """Distributions are values: equal and hashed by what they hold, where 1, 1.0 and true differ."""
        assert Choice([1, "a"]) == Choice(("a" if i else 1 for i in range(2)), None)
        assert len({Constant(1), Constant(1.0), Constant(True), Constant(1)}) == 3

    def test_shows_its_values(self) -> None:
        """The repr is what one would type."""
        assert repr(Choice(range(2))) == "Choice(values=[0, 1], weights=None)"
        assert repr(Constant({"a": None})) == "Constant(value={'a': None})"
