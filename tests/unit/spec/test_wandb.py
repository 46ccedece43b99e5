"""Sweeps of W&B: what they become here, and what has no equal."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from sweepstake.errors import SpecError
from sweepstake.search import Choice, Constant, Distribution, LogUniform, Normal, Uniform
from sweepstake.spec import ExperimentSpec


def read(text: str, folder: Path) -> ExperimentSpec:
    """Return the spec that a sweep of W&B becomes."""
    file = folder / "wandb.yaml"
    file.write_text(dedent(text))
    return ExperimentSpec.from_file(file)


def told(text: str, folder: Path) -> list[str]:
    """Return what is told of a sweep of W&B."""
    with pytest.raises(SpecError) as refused:
        read(text, folder)
    return [str(fault).removeprefix(f"{folder / 'wandb.yaml'}:").strip() for fault in refused.value.faults]


def test_a_sweep_becomes_a_spec(tmp_path: Path) -> None:
    """One task, whose command has an argument for each hyperparameter, and a search."""
    spec = read(
        """\
        program: train.py
        method: random
        name: first try      # of their page
        project: mine
        entity: me
        description: of a small net
        metric:
          name: val/loss
          goal: minimize
        run_cap: 50
        parameters:
          lr: {distribution: log_uniform_values, min: 1e-5, max: 1e-1}
          optimizer: {values: [adam, sgd]}
          epochs: {value: 20}
        """,
        tmp_path,
    )
    [task] = spec.tasks
    assert task.command == ["python", "train.py", "--lr={lr}", "--optimizer={optimizer}", "--epochs={epochs}"]
    assert spec.description == "of a small net"
    assert spec.sweep is not None
    assert (spec.sweep.search.kind, spec.sweep.max_jobs) == ("RandomSearch", 50)
    assert (spec.sweep.objective, spec.sweep.direction) == ("val/loss", "min")
    assert ExperimentSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    "command, words",
    [
        ("['${env}', python3, '${program}', '${args}']", ["/usr/bin/env", "python3", "a.py", "--x={x}", "--y.z={y.z}"]),
        ("['${interpreter}', -m, a, '${args_no_hyphens}']", ["python", "-m", "a", "x={x}", "y.z={y.z}"]),
        ("[bash, -c, 'echo {x} ${HOME}', 5]", ["bash", "-c", "echo {{x}} ${HOME}", 5]),
    ],
)
def test_a_command_says_where_hyperparameters_go(command: str, words: list[Any], tmp_path: Path) -> None:
    """In W&B's words; its braces are text."""
    parameters = "parameters: {x: {values: [1]}, y.z: {value: 2}}"
    spec = read(f"program: a.py\nmethod: grid\ncommand: {command}\n{parameters}\n", tmp_path)
    assert spec.tasks[0].command == words


@pytest.mark.parametrize(
    "parameter, distribution",
    [
        ("{value: yes}", Constant("yes")),
        ("{distribution: constant, value: 1}", Constant(1)),
        ("{values: [1, 2.5, a]}", Choice([1, 2.5, "a"])),
        ("{distribution: categorical, values: [a]}", Choice(["a"])),
        ("{values: [a, b], probabilities: [0.3, 0.7]}", Choice(["a", "b"], [0.3, 0.7])),
        ("{min: 1, max: 4}", Choice([1, 2, 3, 4])),
        ("{distribution: int_uniform, min: 1, max: 1}", Choice([1])),
        ("{min: 0.0, max: 1}", Uniform(0, 1)),
        ("{distribution: uniform, min: 1, max: 4}", Uniform(1, 4)),
        ("{distribution: log_uniform_values, min: 1e-3, max: 1}", LogUniform(1e-3, 1)),
        ("{distribution: log_uniform, min: 0, max: 0.6931471805599453}", LogUniform(1.0, 2.0)),
        ("{distribution: normal, mu: 2, sigma: 0.5}", Normal(2, 0.5)),
        ("{mu: 2, sigma: 0.5}", Normal(2, 0.5)),
        ("{distribution: q_uniform, min: 0, max: 1, q: 0.5}", Choice([0.0, 0.5, 1.0], [0.25, 0.5, 0.25])),
        ("{min: 0, max: 4, q: 2}", Choice([0, 2, 4], [1.0, 2.0, 1.0])),
        (
            "{distribution: q_log_uniform_values, min: 1, max: 4, q: 2}",
            Choice([0, 2, 4], [0.0, 1.09861228867, 0.287682072452]),
        ),
    ],
)  # fmt: skip
def test_distributions_have_equals(parameter: str, distribution: Distribution, tmp_path: Path) -> None:
    """Whole and rounded numbers are choices, each as likely as what is rounded to it."""
    spec = read(f"program: a.py\nmethod: random\nparameters: {{x: {parameter}}}\n", tmp_path)
    assert spec.sweep is not None
    assert dict(spec.sweep.parameters) == {"x": distribution}


def test_a_grid_has_each_value_once(tmp_path: Path) -> None:
    """However likely it is."""
    text = (
        "program: a.py\nmethod: grid\nparameters: {a: {values: [1, 2], probabilities: [1, 3]}, b: {min: 1, max: 2}}\n"
    )
    sweep = read(text, tmp_path).sweep
    assert sweep is not None
    assert sweep.policy().definition().params == '{"a":[1,2],"b":[1,2]}'


def in_parameters(parameter: str) -> str:
    """Return a sweep in order, but for one parameter."""
    return f"program: a.py\nmethod: random\nparameters: {{x: {parameter}}}\n"


@pytest.mark.parametrize(
    "text, faults",
    [
        (
            "program: a.py\nmethod: bayes\nparameters: {x: {value: 1}}\nearly_terminate: {type: hyperband}\n",
            [
                "2:9: method: is 'bayes', which has no equal here; grid and random have",
                "4:18: early_terminate: is a field of W&B's that has no equal here",
            ],
        ),
        ("method: grid\nparameters: {x: {value: 1}}\n", ["1:1: is missing 'program': the script that is run"]),
        ("program: a.py\nmethod: grid\nparameters: {}\n", [
            "3:13: parameters: must be a mapping of hyperparameters to their values"]),
        ("program: a.py\nmethod: grid\nparameters: [x]\n", [
            "3:13: parameters: must be a mapping of hyperparameters to their values"]),
        ("program: a.py\nmethod: grid\nparameters: {x: {value: 1}}\nmetric: loss\n", [
            "4:9: metric: must name a metric, as in {name: loss, goal: minimize}"]),
        ("program: a.py\nmethod: grid\nparameters: {x: {value: 1}}\nmetric: {name: l, goal: up, target: 0}\n", [
            "4:25: metric.goal: must be minimize or maximize",
            "4:37: metric.target: is a field of W&B's that has no equal here"]),
        ("program: a.py\nmethod: grid\nparameters: {x: {value: 1}}\nrun_cap: 0\n", [
            "4:10: run_cap: must be at least 1, is 0"]),
        ("program: a.py\nmethod: grid\ncommand: python a.py\nparameters: {x: {value: 1}}\n", [
            "3:10: command: must be a list of words"]),
        ("program: a.py\nmethod: grid\ncommand: ['${args_json}', '${envvar:X}']\nparameters: {x: {value: 1}}\n", [
            "3:10: command: has ${args_json}, which has no equal here",
            "3:10: command: has ${envvar:X}, which has no equal here"]),
        (in_parameters("{value: 1}, X: {value: 2}"), [
            "3:32: parameters.X: would be the variable SWEEPSTAKE_HP_X, as 'x' is; scripts could not tell them apart"]),
        (in_parameters("5"), ["3:17: parameters.x: must be a mapping, as in {values: [1, 2]} or {min: 0, max: 1}"]),
        (in_parameters("{parameters: {y: {value: 1}}}"), [
            "3:17: parameters.x: has 'parameters', which has no equal here"]),
        (in_parameters("{distribution: beta, a: 1}"), ["3:17: parameters.x: has 'a', which has no equal here"]),
        (in_parameters("{distribution: q_normal}"), [
            "3:17: parameters.x: has the distribution 'q_normal', which has no equal here"]),
        (in_parameters("{mu: 1, q: 1}"), [
            "3:17: parameters.x: has the distribution 'q_normal', which has no equal here"]),
        (in_parameters("{min: 0.5}"), ["3:17: parameters.x: is missing 'max' for its distribution uniform"]),
        (in_parameters("{min: a, max: b, q: 1}"), ["3:17: parameters.x: must have numbers for its bounds"]),
        (in_parameters("{min: 2.5, max: 1}"), ["3:17: parameters.x: must be less than high, which is 1.0, but is 2.5"]),
        (in_parameters("{min: 2, max: 1}"), ["3:17: parameters.x: must have a min that is not above its max"]),
        (in_parameters("{min: 0, max: 1, q: 0}"), ["3:17: parameters.x: must have a q that is greater than 0"]),
        (in_parameters("{min: 1, max: 100000}"), [
            "3:17: parameters.x: has more than 10,000 values, each of which would stand in the spec"]),
        (in_parameters("{distribution: q_log_uniform_values, min: 0, max: 4}"), [
            "3:17: parameters.x: must have a min greater than 0; its logarithm is needed"]),
        ("program: a.py\nmethod: grid\nparameters: {x: {min: 0.0, max: 1.0}}\n", [
            "3:17: parameters.x: must have `values`, because a grid has every one of them"]),
    ],
)  # fmt: skip
def test_what_has_no_equal_is_named(text: str, faults: list[str], tmp_path: Path) -> None:
    """All of it at once, with its place."""
    assert told(text, tmp_path) == faults
