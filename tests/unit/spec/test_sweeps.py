"""Our extension `sweep`: what it holds, the search that it becomes, and what is wrong with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweepstake.domain.settings import Direction
from sweepstake.errors import SpecError
from sweepstake.search import Choice, Constant, LogUniform, Normal, Uniform
from sweepstake.spec import ExperimentSpec, SweepSpec

FILES = Path(__file__).parent / "files"
LR = {"lr": LogUniform(1e-5, 0.1)}


def swept(name: str) -> SweepSpec:
    """Return the sweep of one of the files."""
    spec = ExperimentSpec.from_file(FILES / f"{name}.yaml")
    sweep = spec.sweep or next(task.sweep for task in spec.tasks if task.sweep is not None)
    assert sweep is not None
    return sweep


def definition(sweep: SweepSpec) -> tuple[str, Any]:
    """Return a search as it is stored, with its parameters as data."""
    return sweep.definition.kind, json.loads(sweep.definition.params)


def test_a_random_search_has_distributions() -> None:
    """Values are YAML 1.2, in which 1e-5 is a number; a list is a choice."""
    sweep = swept("sweep-random")
    assert definition(sweep) == (
        "RandomSearch",
        {
            "lr": {"loguniform": {"low": 1e-5, "high": 0.1}},
            "layers": {"choice": {"values": [2, 4, 8]}},
            "opt": {"choice": {"values": ["adam", "sgd"], "weights": [3.0, 1.0]}},
        },
    )
    assert (sweep.objective, sweep.direction, sweep.max_jobs) == ("loss", Direction.MINIMIZE, 200)
    assert sweep.names == ("lr", "layers", "opt")


def test_a_grid_has_values() -> None:
    """All of them."""
    sweep = swept("sweep-grid")
    assert definition(sweep) == ("Grid", {"lr": [0.1, 0.01, 0.001], "model.depth": [1, 2, 3, 4]})
    assert sweep.n_seeds == 3
    proposals = [sweep.policy().propose(i, 0, ()) for i in range(12)]
    assert len({str(each) for each in proposals}) == 12


def test_population_based_training_takes_what_the_sweep_says() -> None:
    """Its first members are drawn from the parameters, and compared by the objective."""
    kind, params = definition(swept("sweep-pbt"))
    assert kind == "PBT"
    assert params["init"] == {"lr": {"loguniform": {"low": 0.0001, "high": 0.01}}}
    assert (params["objective"], params["qualityResultName"], params["numParallel"]) == ("min", "loss", 8)


def test_a_manual_search_draws_nothing() -> None:
    """Whoever adds jobs chooses their hyperparameters, and so any placeholder may be one of them."""
    sweep = swept("sweep-manual")
    assert definition(sweep) == ("Manual", None)
    assert sweep.names is None


def test_a_value_alone_is_a_constant() -> None:
    """A text stays one, also if YAML 1.1 had it be true."""
    assert dict(swept("sweep-constant").parameters) == {
        "lr": Uniform(0, 1),
        "momentum": Constant(0.9),
        "answer": Constant("yes"),
        "name": Constant({"a": [1, None]}),
    }


@pytest.mark.parametrize(
    "name, kind",
    [
        ("random", "RandomSearch"), ("RandomSearch", "RandomSearch"), ("GRID", "Grid"), ("GridSearch", "Grid"),
        ("ManualSearch", "Manual"),
    ],
)  # fmt: skip
def test_a_search_may_be_called_as_its_class_is(name: str, kind: str) -> None:
    """In any case, with or without `search`."""
    assert SweepSpec(name, {} if kind == "Manual" else {"a": [1]}).search.kind == kind


@pytest.mark.parametrize("name", ["RandomSearch", "Grid"])
def test_what_is_drawn_from_may_stand_with_the_search(name: str) -> None:
    """As the search itself is written elsewhere."""
    sweep = SweepSpec.from_json({"search": {name: {"lr": [0.1, 0.2]}}})
    assert sweep == SweepSpec(name, {"lr": [0.1, 0.2]})
    assert sweep.to_json() == {"search": name, "parameters": {"lr": [0.1, 0.2]}}


def test_population_based_training_is_told_in_pythons_words_too() -> None:
    """Those of its class."""
    explore = {"lr": {"perturb": {"min_factor": 0.5, "max_factor": 2.0}}}
    options = {"result_name": "loss", "population_size": 4, "max_generations": 3, "exploit": {"truncate": 0.5}}
    sweep = SweepSpec({"PBT": {**options, "explore": explore, "objective": "min"}}, {"lr": [1, 2]})
    kind, params = definition(sweep)
    assert (kind, params["qualityResultName"], params["numParallel"], params["maxGenerations"]) == ("PBT", "loss", 4, 3)
    assert params["explore"] == {"lr": {"perturb": {"minFactor": 0.5, "maxFactor": 2.0}}}
    assert SweepSpec.from_json(sweep.to_json()) == sweep


def test_a_sweep_is_made_in_python() -> None:
    """Of distributions, lists and values."""
    sweep = SweepSpec("random", {**LR, "n": [1, 2], "w": Choice([1, 2], [1, 3]), "x": Normal(0, 1), "c": 5})
    assert sweep.to_json() == {
        "search": "RandomSearch",
        "parameters": {
            "lr": {"loguniform": {"low": 1e-5, "high": 0.1}},
            "n": [1, 2],
            "w": {"choice": {"values": [1, 2], "weights": [1.0, 3.0]}},
            "x": {"normal": {"mean": 0.0, "std": 1.0}},
            "c": {"const": 5},
        },
    }
    assert SweepSpec.from_json(sweep.to_json()) == sweep


def test_counts_are_yaml_1_2_too(tmp_path: Path) -> None:
    """As all that is below a sweep: a zero in front means nothing, and an exponent needs no sign."""
    file = tmp_path / "s.yaml"
    file.write_text("sweep: {parameters: {lr: [1]}, maxJobs: 012, maxRunning: 1e2}")
    sweep = ExperimentSpec.from_file(file).sweep
    assert sweep is not None
    assert (sweep.max_jobs, sweep.max_running) == (12, 100)


def test_camel_case_is_written_and_both_are_read() -> None:
    """As for the fields that Beaker has."""
    sweep = SweepSpec("random", LR, "loss", "max", 10, 2, 3)  # type: ignore[arg-type]
    assert {"maxJobs": 10, "maxRunning": 2, "nSeeds": 3, "direction": "max"}.items() <= sweep.to_json().items()
    snake = {"parameters": {"lr": [1]}, "max_jobs": 10, "max_running": 2, "n_seeds": 3}
    camel = {"parameters": {"lr": [1]}, "maxJobs": 10, "maxRunning": 2, "nSeeds": 3}
    assert SweepSpec.from_json(snake) == SweepSpec.from_json(camel)


TASK = "tasks: [{name: t, image: {docker: a}, command: [x, '--lr={lr}', '{{x}}']}]\n"
ALIKE = "scripts could not tell them apart"
NAMED = "must be the name of a search, or {name: its parameters}"
WORDS = "choice, const, loguniform, normal, uniform"
UNIFORM = "{uniform: {low: 0, high: 1}}"


@pytest.mark.parametrize(
    "sweep, told",
    [
        ("{}", ["2:8: sweep: is missing 'parameters': what each hyperparameter is drawn from"]),
        ("[]", ["2:8: sweep: must be a mapping of names to values, not a list"]),
        (
            "{search: Bayes, parameters: {lr: [1]}}",
            ["2:17: sweep.search: must be one of Manual, RandomSearch, Grid, PBT, is 'Bayes'"],
        ),
        (
            "{search: {Grid: {lr: [1]}}, parameters: {lr: [1]}}",
            ["2:24: sweep.search.Grid: says again what stands in `parameters`"],
        ),
        ("{search: Manual, parameters: {lr: [1]}}", [
            "2:37: sweep.parameters: must be left out: Manual draws nothing"]),
        (
            "{search: {Random: ~, Grid: ~}, parameters: {lr: [1]}}",
            [
                f"2:17: sweep.search: {NAMED}, not {{'Grid': None, 'Random': None}}"
            ],
        ),
        ("{search: Grid, parameters: {lr: %s}}" % UNIFORM, [  # noqa: UP031 -- braces
            "2:40: sweep.parameters.lr: must be a list of values, because a grid has every one of them"]),
        ("{search: {Grid: {lr: []}}}", ["2:29: sweep.search.Grid.lr.values: is empty; give at least one value"]),
        ("{parameters: 5}", [
            "2:21: sweep.parameters: must be a mapping of hyperparameters to what they are drawn from, not '5'"]),
        ("{parameters: {lr: []}}", ["2:26: sweep.parameters.lr.values: is empty; give at least one value"]),
        ("{parameters: {lr: {uniform: {low: 1, high: 0}}}}", [
            "2:42: sweep.parameters.lr.uniform.low: must be less than high, which is 0.0, but is 1.0"]),
        ("{parameters: {lr: {unifrom: {}}}}", [
            f"2:36: sweep.parameters.lr.unifrom: is no distribution; use one of {WORDS}"]),
        ("{parameters: {lr: {uniform: {low: yes, high: 1}}}}", [
            "2:42: sweep.parameters.lr.uniform.low: must be a number, not str"]),
        ("{parameters: {lr: [1], lr: [2]}}", ["2:31: sweep.parameters.lr: is given twice"]),
        ("{parameters: {lr: [1], LR: [2]}}", [
            f"2:35: sweep.parameters.LR: would be the variable SWEEPSTAKE_HP_LR, as 'lr' is; {ALIKE}"]),
        ("{parameters: {lr: [1], '{x': [2]}}", ["2:37: sweep.parameters.{x: must be called by a text without braces"]),
        ("{parameters: {lr: [1]}, max_jobs: 0}", ["2:42: sweep.max_jobs: must be at least 1, is 0"]),
        ("{parameters: {lr: [1]}, nSeeds: -1}", ["2:40: sweep.nSeeds: must not be negative, is -1"]),
        ("{parameters: {lr: [1]}, nSeeds: 1.5}", ["2:40: sweep.nSeeds: must be a whole number, not '1.5'"]),
        ("{parameters: {lr: [1]}, nSeeds: [1]}", ["2:40: sweep.nSeeds: must be a whole number, not a list"]),
        ("{parameters: {lr: [1]}, direction: up}", ["2:43: sweep.direction: must be min or max, is 'up'"]),
        ("{parameters: {lr: [1]}, objective: ''}", None),
        ("{parameters: {lr: [1]}, maxJob: 3}", ["2:32: sweep.maxJob: is unknown here; did you mean 'maxJobs'?"]),
        ("{search: {PBT: 5}, parameters: {lr: [1]}}", ["2:23: sweep.search.PBT: must be a mapping of its parameters"]),
        ("{search: {PBT: {exploit: {truncate: 0.9}}}, parameters: {lr: [1]}, objective: loss}", [
            "2:44: sweep.search.PBT.exploit.truncate: must be greater than 0 and at most 0.5, is 0.9"]),
        ("{parameters: {rl: [1]}}", [
            "1:52: tasks[0].command[1]: has the placeholder {lr}; the sweep has rl; double braces that are text"]),
    ],
)  # fmt: skip
def test_a_fault_of_a_sweep_is_told(sweep: str, told: list[str] | None, tmp_path: Path) -> None:
    """At the place in the file that search and distributions name by paths of their own."""
    file = tmp_path / "s.yaml"
    file.write_text(f"{TASK}sweep: {sweep}\n")
    with pytest.raises(SpecError) as refused:
        ExperimentSpec.from_file(file)
    found = [str(fault).removeprefix(f"{file}:") for fault in refused.value.faults]
    if told is None:
        assert [line.partition(" ")[2].partition(":")[0] for line in found] == ["sweep.objective"]
    else:
        assert [line for line in found if "placeholder" not in line or "placeholder" in str(told)] == told


def test_a_spec_has_one_sweep(tmp_path: Path) -> None:
    """Because an experiment has one search."""
    file = tmp_path / "s.yaml"
    sweep = "sweep: {parameters: {lr: [1]}}"
    file.write_text(
        f"{sweep}\ntasks:\n" + "".join(f"- {{name: {name}, image: {{docker: a}}, {sweep}}}\n" for name in "ab")
    )
    with pytest.raises(SpecError) as refused:
        ExperimentSpec.from_file(file)
    assert [(fault.path, fault.problem) for fault in refused.value.faults] == [
        (f"tasks[{i}].sweep", "is a second sweep; a spec has one, at its top or in one of its tasks") for i in (0, 1)
    ]


def test_placeholders_are_those_of_tasks_under_a_sweep() -> None:
    """Elsewhere braces are text."""
    task = {"name": "t", "image": {"docker": "a"}, "command": ["{what}"], "envVars": [{"name": "A", "value": "{x}"}]}
    ExperimentSpec.from_json({"tasks": [task]}).validate()
    with pytest.raises(SpecError) as refused:
        ExperimentSpec.from_json({"tasks": [task], "sweep": {"parameters": {"lr": [1]}}}).validate()
    assert [fault.path for fault in refused.value.faults] == ["tasks[0].command[0]", "tasks[0].env_vars[0].value"]


def test_a_distribution_of_somebodys_own_is_refused() -> None:
    """It could not be written."""

    class Mine:
        def sample(self, random: Any) -> float:
            """Draw always the same."""
            return 4.0

    with pytest.raises(SpecError, match=r"parameters\.x: a Mine has no wire form"):
        SweepSpec("random", {"x": Mine()})


def test_a_policy_is_no_search_of_a_sweep() -> None:
    """Its distributions would be said twice."""
    policy = SweepSpec("random", LR).policy()
    with pytest.raises(SpecError, match="distributions go into `parameters`"):
        SweepSpec(policy, LR)


@pytest.mark.parametrize("parameters", ["lr", 5, [("lr", [1])]])
def test_only_a_dict_is_parameters(parameters: Any) -> None:
    """In Python as in files."""
    with pytest.raises(SpecError, match="parameters: must be a dict of hyperparameters, not "):
        SweepSpec("random", parameters)
