import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.search import Grid, GridPolicy, ManualPolicy, NoProposal, Proposal
from sweepstake.values import JsonObject
from tests.kit.strategies import json_values, texts

_axes = st.dictionaries(texts, st.lists(json_values, min_size=1, max_size=4), max_size=4)


@given(_axes)
def test_the_points_are_the_product(axes: dict[str, list[Any]]) -> None:
    """Every combination appears exactly once, the last name varying fastest."""
    grid = Grid(axes)
    expected = [JsonObject.of(dict(zip(axes, point, strict=True))) for point in itertools.product(*axes.values())]
    assert [JsonObject.of(grid.point(index)) for index in range(grid.size)] == expected


@given(_axes, st.integers())
def test_proposals_are_the_points(axes: dict[str, list[Any]], seed: int) -> None:
    """Whatever the seed, proposal i is point i, and after the last the space is used up."""
    policy = GridPolicy(Grid(axes))
    size = policy.grid.size
    assert policy.propose(size - 1, seed, ()) == Proposal(JsonObject.of(policy.grid.point(size - 1)))
    assert policy.propose(size, seed, ()) is NoProposal.EXHAUSTED
    assert policy.propose(size + 10**9, seed, ()) is NoProposal.EXHAUSTED
    assert policy.history == 0


def test_a_huge_space_costs_nothing() -> None:
    """A trillion points are there without being made."""
    grid = Grid({name: range(10**4) for name in "abc"})
    assert grid.size == 10**12
    assert grid.point(123_456_789_012) == {"a": 1234, "b": 5678, "c": 9012}
    assert grid.point(10**12 - 1) == {"a": 9999, "b": 9999, "c": 9999}


@pytest.mark.parametrize("index", [-1, 6, 10**20])
def test_there_are_no_points_beyond(index: int) -> None:
    """An index outside the grid is an IndexError that says how many points there are."""
    with pytest.raises(IndexError, match="6 points"):
        Grid({"a": [1, 2], "b": [1, 2, 3]}).point(index)


def test_takes_what_numpy_makes() -> None:
    """Arrays and ranges are lists of values."""
    assert Grid({"lr": np.array([0.5, 1.0]), "n": range(2)}).axes == {"lr": [0.5, 1.0], "n": [0, 1]}


def test_values_cannot_be_changed_from_outside() -> None:
    """Neither the lists handed in nor what comes out belong to the grid."""
    values = [[1], [2]]
    grid = Grid({"a": values})
    values[0].append(5)
    grid.axes["a"].append([3])
    grid.point(0)["a"].append(6)
    assert grid.axes == {"a": [[1], [2]]}
    assert repr(grid) == "Grid({'a': [[1], [2]]})"


@pytest.mark.parametrize(
    "make,path",
    [
        (lambda: Grid([1]), ""),
        (lambda: Grid({"a": []}), "a"),
        (lambda: Grid({"a": "xyz"}), "a"),
        (lambda: Grid({"a": [1, {2}]}), "a[1]"),
        (lambda: Grid({1: [2]}), ""),
    ],
)
def test_what_is_no_grid_is_refused(make: Callable[[], object], path: str) -> None:
    """Names must be text, and each has at least one JSON value."""
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert caught.value.problems[0][0] == path


@given(st.integers(0), st.integers())
def test_a_manual_search_proposes_nothing(index: int, seed: int) -> None:
    """Without a search jobs are those that somebody adds."""
    assert ManualPolicy().propose(index, seed, ()) is NoProposal.NONE
    assert ManualPolicy().history == 0
