"""Rows and columns: names, fields and order."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.view.table import OWN, experiment_table, job_table
from tests.kit.records import experiment, job

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def test_a_job_has_its_own_fields_then_hyperparameters_then_results() -> None:
    """The visible columns stand in Schedy's order."""
    table = job_table([job("a", {"lr": 0.1}, {"accuracy": 0.9})]).of_categories(OWN, "hyperparameter", "result")
    assert table.labels() == ("id", "status", "lr", "accuracy")
    assert table.rows == (("a", "DONE", 0.1, 0.9),)


def test_ambiguous_names_carry_their_category() -> None:
    """A name of both a hyperparameter and a result is told apart, and only that one."""
    table = job_table([job("a", {"x": 1, "y": 2}, {"x": 3})]).of_categories("hyperparameter", "result")
    assert table.labels() == ("hyperparameter.x", "y", "result.x")


def test_a_name_that_looks_like_another_column_is_told_apart() -> None:
    """A hyperparameter called `result.x` is not taken for the result `x`."""
    table = job_table([job("a", {"result.x": 1}, {"x": 2})])
    assert table.only(["result.x"]).rows == ((2,),)
    assert table.only(["hyperparameter.result.x"]).rows == ((1,),)


def test_rows_that_lack_a_value_show_none() -> None:
    """Jobs of different hyperparameters share one table."""
    table = job_table([job("a", {"x": 1}), job("b", {"y": 2})]).only(["id", "x", "y"])
    assert table.rows == (("a", 1, None), ("b", None, 2))


def test_an_unknown_field_names_those_there_are() -> None:
    """A misspelt field is refused with the list to choose from."""
    with pytest.raises(InvalidInputError, match=r"no field 'accurcy'; the fields are id, status"):
        job_table([job()]).only(["accurcy"])


def test_an_ambiguous_field_says_how_to_choose() -> None:
    """A field of two meanings is refused with both of its full names."""
    with pytest.raises(InvalidInputError, match=r"hyperparameter\.x or result\.x"):
        job_table([job("a", {"x": 1}, {"x": 2})]).sorted_by(["x"])


def test_what_the_queue_knows_never_hides_a_hyperparameter() -> None:
    """A hyperparameter called `attempt` keeps its short name; the queue's own has the long one."""
    table = job_table([job("a", {"attempt": "mine"}, attempt=3)])
    assert table.only(["attempt", "queueing.attempt"]).rows == (("mine", 3),)


def test_fields_in_the_words_of_schedy_are_understood() -> None:
    """`schedy.id`, as the old command line has it, is the job's own id."""
    assert job_table([job("a", {"id": 7})]).only(["schedy.id"]).rows == (("a",),)


@pytest.mark.parametrize("decreasing", [False, True])
def test_jobs_without_the_field_come_last(decreasing: bool) -> None:
    """None and NaN are last in either direction."""
    jobs = [
        job("none"),
        job("nan", results={"a": float("nan")}),
        job("low", results={"a": 1}),
        job("high", results={"a": 2}),
    ]
    ids = [row[0] for row in job_table(jobs).sorted_by(["a"], decreasing=decreasing).rows]
    assert ids == (["high", "low", "none", "nan"] if decreasing else ["low", "high", "none", "nan"])


def test_the_second_field_decides_between_equals() -> None:
    """Several fields sort in the order they are given."""
    jobs = [job("c", {"x": 1, "y": 2}), job("a", {"x": 2, "y": 0}), job("b", {"x": 1, "y": 1})]
    assert [row[0] for row in job_table(jobs).sorted_by(["x", "y"]).rows] == ["b", "c", "a"]


@given(st.lists(VALUES, max_size=8), st.booleans())
def test_values_of_any_kinds_can_be_sorted(values: list[Any], decreasing: bool) -> None:
    """Sorting loses no row, whatever the values are."""
    jobs = [job(str(i), {"x": value}) for i, value in enumerate(values)]
    table = job_table([*jobs, job("last", {"x": 0})]).sorted_by(["x"], decreasing=decreasing)
    assert sorted(row[0] for row in table.rows) == sorted([*map(str, range(len(values))), "last"])


def test_an_experiment_shows_its_distributions() -> None:
    """A random search lists what each hyperparameter is drawn from, in Schedy's words."""
    record = experiment("m", "RandomSearch", json.dumps({"lr": {"uniform": {"low": 0, "high": 1}}}))
    assert experiment_table([record]).records() == [
        {"name": "m", "status": "RUNNING", "scheduler": "RandomSearch", "lr": 'uniform ({"low": 0, "high": 1})'}
    ]


def test_a_grid_shows_its_values() -> None:
    """A grid lists the values of each hyperparameter."""
    record = experiment("m", "Grid", '{"depth": [1, 2]}')
    assert experiment_table([record]).records()[0]["depth"] == "grid ([1, 2])"


def test_population_based_training_shows_all_its_parameters() -> None:
    """Objective, result, sizes, what replaces the worst, what is varied how, and where the first members come from."""
    params = {
        "objective": "max",
        "qualityResultName": "accuracy",
        "numParallel": 4,
        "maxGenerations": 5,
        "exploit": {"truncate": 0.2},
        "explore": {"lr": {"perturb": {"minFactor": 0.8, "maxFactor": 1.2}}},
        "init": {"lr": {"const": 0.1}},
    }
    assert experiment_table([experiment("p", "PBT", json.dumps(params))]).records() == [
        {
            "name": "p",
            "status": "RUNNING",
            "scheduler": "PBT",
            "direction": "max",
            "result": "accuracy",
            "population": 4,
            "max_generations": 5,
            "exploit": "truncate (0.2)",
            "explore.lr": 'perturb ({"minFactor": 0.8, "maxFactor": 1.2})',
            "lr": "const (0.1)",
        }
    ]


def test_the_most_telling_columns_come_first() -> None:
    """After what the job is, its objective, then what differs between jobs, then what is the same."""
    jobs = [
        job("a", {"data": "x", "lr": 1}, {"loss": 1, "acc": 0}),
        job("b", {"data": "x", "lr": 2}, {"loss": 2, "acc": 1}),
    ]
    table = job_table(jobs).of_categories(OWN, "hyperparameter", "result").most_telling_first("acc")
    assert table.labels() == ("id", "status", "acc", "lr", "loss", "data")


def test_the_last_attempt_has_a_duration() -> None:
    """In seconds; a job that runs or never ran has none."""
    jobs = [job("a", started_at=10.0, ended_at=12.5), job("b", started_at=10.0)]
    assert job_table(jobs).only(["duration"]).rows == ((2.5,), (None,))
