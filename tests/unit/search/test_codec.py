from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.search import (
    Choice,
    Constant,
    Distribution,
    LogUniform,
    Normal,
    Perturb,
    Truncate,
    Uniform,
)
from sweepstake.search.codec import (
    read_distribution,
    read_distributions,
    read_exploit,
    read_explore,
    write_distribution,
    write_exploit,
    write_explore,
)
from tests.kit.strategies import distributions

_WIRE = [
    (LogUniform(1e-5, 0.1), {"loguniform": {"low": 1e-5, "high": 0.1}}),
    (Uniform(0, 2), {"uniform": {"low": 0.0, "high": 2.0}}),
    (Choice([1, "a", None]), {"choice": {"values": [1, "a", None]}}),
    (Choice([1, 2], [0.5, 1]), {"choice": {"values": [1, 2], "weights": (0.5, 1.0)}}),
    (Normal(0, 1), {"normal": {"mean": 0.0, "std": 1.0}}),
    (Constant({"a": [1]}), {"const": {"a": [1]}}),
    (Constant(None), {"const": None}),
]


@pytest.mark.parametrize("distribution,wire", _WIRE)
def test_the_wire_form_is_schedys(distribution: Distribution, wire: dict[str, Any]) -> None:
    """Each distribution has exactly the form that Schedy's client writes and reads."""
    assert write_distribution(distribution) == wire
    assert read_distribution(wire) == distribution


@given(distributions)
def test_reading_undoes_writing(distribution: Distribution) -> None:
    """Every distribution comes back from its wire form."""
    assert read_distribution(write_distribution(distribution)) == distribution


def test_what_is_no_distribution_has_no_wire_form() -> None:
    """A class of somebody's own that samples is refused in words when it would be stored."""
    with pytest.raises(InvalidInputError, match="an int has no wire form"):
        write_distribution(3)  # type: ignore[arg-type]  # the mistake is the point


@pytest.mark.parametrize(
    "data,problems",
    [
        (3, [("", "must be an object")]),
        ({}, [("", "must name one distribution")]),
        ({"uniform": {}, "normal": {}}, [("", "has 2 names")]),
        ({"triangular": {}}, [("triangular", "is no distribution; use one of choice, const, loguniform")]),
        ({"uniform": None}, [("uniform", "must be an object, not NoneType")]),
        ({"uniform": {"low": 0}}, [("uniform.high", "is missing")]),
        ({"uniform": {"low": 0, "high": 1, "step": 2}}, [("uniform.step", "is unknown here")]),
        ({"normal": {"men": 0, "std": 1}}, [("normal.mean", "is missing"), ("normal.men", "is unknown here")]),
        ({"choice": {"values": {"a": 1}}}, [("choice.values", "must be a list of values, not dict")]),
        ({"choice": {"values": [1], "weights": "x"}}, [("choice.weights", "must be a list of numbers, not str")]),
        ({"loguniform": {"low": -1, "high": 1}}, [("loguniform.low", "must be greater than 0")]),
    ],
)
def test_faults_are_named_by_path(data: object, problems: list[tuple[str, str]]) -> None:
    """What is no distribution is refused, and every fault has its path."""
    with pytest.raises(InvalidInputError) as caught:
        read_distribution(data)
    assert [path for path, _ in caught.value.problems] == [path for path, _ in problems]
    assert all(expected in problem for (_, problem), (_, expected) in zip(caught.value.problems, problems, strict=True))


def test_all_faults_come_at_once() -> None:
    """One error tells what is wrong with every hyperparameter."""
    with pytest.raises(InvalidInputError) as caught:
        read_distributions({"a": {"uniform": {"low": 1, "high": 0}}, "b": {"const": 1}, "c": 5})
    assert [path for path, _ in caught.value.problems] == ["a.uniform.low", "c"]


@given(st.floats(min_value=0.0, max_value=0.5, exclude_min=True))
def test_exploit_strategies_come_back(proportion: float) -> None:
    """A strategy comes back from its wire form, which is Schedy's."""
    assert write_exploit(Truncate(proportion)) == {"truncate": proportion}
    assert read_exploit(write_exploit(Truncate(proportion))) == Truncate(proportion)


def test_explore_strategies_come_back() -> None:
    """Strategies come back from their wire form, which is Schedy's."""
    wire = {"lr": write_explore(Perturb(0.5, 2))}
    assert wire == {"lr": {"perturb": {"minFactor": 0.5, "maxFactor": 2.0}}}
    assert read_explore(wire) == {"lr": Perturb(0.5, 2)}


@pytest.mark.parametrize(
    "data,path",
    [
        ({"lr": {"perturb": {"minFactor": 2, "maxFactor": 1}}}, "lr.perturb.minFactor"),
        ({"lr": {"perturb": {"minFactor": 2, "maxFactor": "1"}}}, "lr.perturb.maxFactor"),
        ({"lr": {"perturb": {"minFactor": 2}}}, "lr.perturb.maxFactor"),
        ({"lr": {"resample": {}}}, "lr.resample"),
        ({"lr": 3}, "lr"),
        ([], ""),
    ],
)
def test_faults_of_explore_have_the_wires_names(data: object, path: str) -> None:
    """Errors name the fields as the sender wrote them."""
    with pytest.raises(InvalidInputError) as caught:
        read_explore(data)
    assert [found for found, _ in caught.value.problems] == [path]


@pytest.mark.parametrize("data,path", [({"truncate": 0.7}, "truncate"), ({"truncate": None}, "truncate"), ({}, "")])
def test_faults_of_exploit_have_the_wires_names(data: object, path: str) -> None:
    """Errors name the strategy as the sender wrote it."""
    with pytest.raises(InvalidInputError) as caught:
        read_exploit(data)
    assert [found for found, _ in caught.value.problems] == [path]
