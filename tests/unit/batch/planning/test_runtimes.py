"""Estimates that are learnt from like jobs."""

from __future__ import annotations

import math
import random
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.batch import Estimate, PlanError, learn_runtimes
from sweepstake.errors import MissingExtraError
from tests.kit.strategies import json_mappings

_Finished = list[tuple[dict[str, Any], float]]


def _sweep(jobs: int = 200) -> _Finished:
    """A sweep whose jobs last as long as their epochs, and three times as long with the large model."""
    rng = random.Random(1)
    finished = []
    for _ in range(jobs):
        epochs, model, lr = rng.choice([1, 10, 100]), rng.choice(["small", "large"]), rng.random()
        seconds = epochs * (3 if model == "large" else 1) * rng.uniform(0.9, 1.1)
        finished.append(({"epochs": epochs, "model": model, "lr": lr}, seconds))
    return finished


def test_the_fallback_is_used_as_it_is_where_nothing_has_finished() -> None:
    """And the estimate says so."""
    assert learn_runtimes([], fallback=10)({"lr": 0.1}) == Estimate(10.0, "fallback")


def test_without_a_fallback_and_finished_jobs_there_is_no_guess() -> None:
    """The error names the flag."""
    with pytest.raises(PlanError, match=r"no job has finished yet.*--estimate"):
        learn_runtimes([], fallback=None)


@pytest.mark.parametrize("quantile,seconds", [(0.5, 5.0), (0.9, 9.0), (1.0, 10.0), (0.01, 1.0)])
def test_a_quantile_of_all_where_nothing_tells_them_apart(quantile: float, seconds: float) -> None:
    """So many of the finished jobs ran no longer."""
    finished: _Finished = [({}, float(number)) for number in range(1, 11)]
    estimate = learn_runtimes(finished, quantile=quantile, fallback=1)({})
    assert estimate == Estimate(seconds, f"{quantile:g} quantile of 10 jobs")


@pytest.mark.parametrize("boost", [False, True])
@pytest.mark.parametrize("epochs", [1, 10, 100])
@pytest.mark.parametrize("model,factor", [("small", 1), ("large", 3)])
def test_a_new_job_is_estimated_by_those_that_are_like_it(boost: bool, epochs: int, model: str, factor: int) -> None:
    """The learning rate does not matter, and is new in every job."""
    runtimes = learn_runtimes(_sweep(), fallback=1, boost=boost)
    seconds = runtimes({"epochs": epochs, "model": model, "lr": 0.123}).seconds
    assert 0.9 * epochs * factor <= seconds <= 1.4 * epochs * factor + 1


def test_an_estimate_says_what_it_was_learnt_from() -> None:
    """How many jobs, and what they have in common."""
    runtimes = learn_runtimes(_sweep(), fallback=1)
    source = runtimes({"epochs": 100, "model": "large"}).source
    assert source.startswith("0.9 quantile of ")
    assert "epochs > 55" in source
    assert "model" in source
    assert "lr" not in source


def test_chance_makes_no_groups() -> None:
    """Where runtimes depend on no hyperparameter, the estimate is that of all."""
    rng = random.Random(2)
    finished = [({f"x{n}": rng.random() for n in range(8)}, rng.lognormvariate(3, 1)) for _ in range(60)]
    assert learn_runtimes(finished, fallback=1)(finished[0][0]).source == "0.9 quantile of 60 jobs"


def test_nine_of_ten_jobs_run_no_longer_than_their_estimate() -> None:
    """That is what the quantile promises, for jobs that were not seen too."""
    finished = _sweep(2000)
    runtimes = learn_runtimes(finished[:1000], fallback=1)
    kept = sum(seconds <= runtimes(hyperparameters).seconds for hyperparameters, seconds in finished[1000:])
    assert 0.86 <= kept / 1000 <= 0.94


def test_few_jobs_are_enough_where_they_differ_much() -> None:
    """Three of each kind say how long the kind takes."""
    finished: _Finished = [({"model": "small", "lr": n / 7}, 10.0 + n) for n in range(3)]
    finished += [({"model": "large", "lr": n / 9}, 100.0 + n) for n in range(3)]
    runtimes = learn_runtimes(finished, fallback=1)
    assert runtimes({"model": "small", "lr": 0.5}).seconds == 12.0
    assert runtimes({"model": "large", "lr": 0.5}).seconds == 102.0


@pytest.mark.parametrize("asked", [{"model": "huge"}, {"model": 7}, {"model": None}, {}, {"lr": 0.1}])
def test_of_a_new_kind_nothing_is_known(asked: dict[str, Any]) -> None:
    """It is not taken for one of those that it is not: the estimate is that of all."""
    finished: _Finished = [({"model": "small"}, 10.0)] * 20 + [({"model": "large"}, 100.0)] * 20
    assert learn_runtimes(finished, fallback=1)(asked) == Estimate(100.0, "0.9 quantile of 40 jobs")


@pytest.mark.parametrize("asked", [{"epochs": "many"}, {}])
def test_a_number_that_is_none_is_of_a_new_kind(asked: dict[str, Any]) -> None:
    """It is not taken for a large number."""
    finished: _Finished = [({"epochs": 1}, 1.0)] * 5 + [({"epochs": 100}, 100.0)] * 45
    assert learn_runtimes(finished, quantile=0.1, fallback=1)(asked) == Estimate(1.0, "0.1 quantile of 50 jobs")


@pytest.mark.parametrize(
    "less,more",
    [
        (1e308, 1.7e308),
        (-1.7e308, 1.7e308),
        (math.nextafter(1, 2), math.nextafter(math.nextafter(1, 2), 2)),
        (0.0, 5e-324),
    ],
)
def test_numbers_far_apart_and_close_together_are_told_apart(less: float, more: float) -> None:
    """A float between them does not always exist."""
    runtimes = learn_runtimes([({"x": less}, 1.0)] * 5 + [({"x": more}, 100.0)] * 5, fallback=1)
    assert [runtimes({"x": value}).seconds for value in (less, more)] == [1.0, 100.0]


def test_values_that_are_no_json_are_values() -> None:
    """Whole numbers that are no floats, keys of several types, a list in itself."""
    inside: list[Any] = []
    inside.append(inside)
    values: list[Any] = [10**400, {1: 2, "a": 3}, {(1, 2): 3}, inside, math.nan, -math.inf, b"x"]
    finished: _Finished = [({"x": value}, 1.0 + place) for place, value in enumerate(values) for _ in range(5)]
    runtimes = learn_runtimes(finished, fallback=1)
    assert all(1.0 <= runtimes({"x": value}).seconds <= len(values) for value in values)


@given(st.lists(st.tuples(json_mappings, st.floats(0, 1e6)), min_size=1, max_size=30), json_mappings)
def test_any_hyperparameters_have_an_estimate(finished: _Finished, asked: dict[str, Any]) -> None:
    """It is one that a finished job had, and the same whatever the order of the hyperparameters."""
    runtimes = learn_runtimes(finished, fallback=1)
    estimate = runtimes(asked)
    assert estimate.seconds in {seconds for _, seconds in finished}
    assert estimate == runtimes(dict(reversed(asked.items())))


@pytest.mark.parametrize(
    "finished,settings,said",
    [
        ([({}, -1.0)], {}, "finished: seconds must be"),
        ([({}, math.nan)], {}, "finished: seconds must be"),
        ([({}, 10**400)], {}, "finished: seconds must be"),
        ([], {"fallback": math.inf}, "fallback: must be"),
        ([], {"fallback": True}, "fallback: must be"),
        ([], {"quantile": 0}, "quantile: must be"),
        ([], {"quantile": 90}, "quantile: must be"),
    ],
)
def test_numbers_that_are_none(finished: _Finished, settings: dict[str, Any], said: str) -> None:
    """They are refused by name."""
    with pytest.raises(PlanError, match=said):
        learn_runtimes(finished, **{"fallback": 1, **settings})


def test_boosting_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error holds the command that installs it."""
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MissingExtraError, match="estimates"):
        learn_runtimes(_sweep(20), fallback=1, boost=True)
