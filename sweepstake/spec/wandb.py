"""Sweeps of W&B, read as specs of ours: one task, and a sweep beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from sweepstake.errors import InvalidInputError
from sweepstake.search import Choice, Constant, Distribution, LogUniform, Normal, Uniform
from sweepstake.search.codec import write_distribution
from sweepstake.spec.placeholders import escaped
from sweepstake.spec.tree import Faults, Found, MapNode, Node, from_plain, to_plain

__all__ = ["from_wandb", "is_wandb", "told_of_wandb"]

#: Fields about the page of a sweep at W&B, which say nothing about its jobs.
_OF_THEIR_PAGE: Final = frozenset({"name", "project", "entity", "controller"})
_KNOWN: Final = frozenset({"program", "command", "method", "parameters", "metric", "run_cap", "description"})
_METHODS: Final[Mapping[str, str]] = {"grid": "Grid", "random": "RandomSearch"}
_GOALS: Final[Mapping[str, str]] = {"minimize": "min", "maximize": "max"}
_PARAMETER: Final = frozenset({"value", "values", "probabilities", "distribution", "min", "max", "mu", "sigma", "q"})
#: The most values that a whole number or a rounded one may have: each of them stands in the spec.
_MOST_VALUES: Final = 10_000
#: What stands in a command of W&B's for the hyperparameters; each has a form of its own.
_ARGUMENTS: Final[Mapping[str, str]] = {
    "${args}": "--{0}={{{0}}}",
    "${args_no_hyphens}": "{0}={{{0}}}",
}
#: What fields of a sweep of ours are called by W&B.
_THEIR_NAMES: Final[Mapping[str | int, str]] = {"maxJobs": "run_cap", "max_jobs": "run_cap", "objective": "metric"}
_DEFAULT_COMMAND: Final = ("${interpreter}", "${program}", "${args}")


def is_wandb(root: MapNode) -> bool:
    """Tell whether a file is a sweep of W&B: it says how to search, and has no tasks."""
    keys = {key.text for key, _ in root.pairs}
    return {"method", "parameters"} <= keys and "tasks" not in keys


def from_wandb(root: MapNode) -> Node:
    """Return a sweep of W&B as the tree of a spec.

    Raises:
        Faults: what is wrong, and what has no equal here.
    """
    data: dict[str, Any] = to_plain(root)
    found = [*_unknown(data)]
    parameters = _parameters(data.get("parameters"), data.get("method"), found)
    sweep: dict[str, Any] = {"search": _METHODS.get(str(data.get("method"))), "parameters": parameters}
    sweep |= _goal(data.get("metric"), found)
    if "run_cap" in data:
        sweep["maxJobs"] = data["run_cap"]
    command = _command(data, list(parameters), found)
    if found:
        raise Faults([_at(each, root) for each in found])
    task = {"name": "main", "image": {}, "command": command}
    spec = {"version": "v2", "description": data.get("description"), "tasks": [task], "sweep": sweep}
    return from_plain(spec)


def told_of_wandb(found: Found, root: MapNode) -> Found:
    """Return a fault of the spec that a sweep became as one of the sweep."""
    steps = [_THEIR_NAMES.get(step, step) for step in found.steps if step != "sweep"]
    return _at(Found(found.problem, None, steps), root)


def _at(found: Found, root: Node) -> Found:
    """Give a fault the place in the file that its steps lead to."""
    node: Node = root
    for step in reversed(found.steps):
        if isinstance(node, MapNode) and isinstance(step, str):
            node = (node.member(step) or (step, node))[1]
    return Found(found.problem, node, found.steps)


def _unknown(data: Mapping[str, Any]) -> Iterator[Found]:
    for name in data:
        if name not in _KNOWN | _OF_THEIR_PAGE:
            yield Found("is a field of W&B's that has no equal here", None, [name])
    method = data.get("method")
    if method not in _METHODS:
        yield Found(f"is {method!r}, which has no equal here; grid and random have", None, ["method"])


def _goal(metric: Any, found: list[Found]) -> dict[str, Any]:
    if metric is None:
        return {}
    if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str):
        found.append(Found("must name a metric, as in {name: loss, goal: minimize}", None, ["metric"]))
        return {}
    unknown = [name for name in metric if name not in ("name", "goal")]
    found += [Found("is a field of W&B's that has no equal here", None, [name, "metric"]) for name in unknown]
    goal = metric.get("goal", "minimize")
    if goal not in _GOALS:
        found.append(Found("must be minimize or maximize", None, ["goal", "metric"]))
    return {"objective": metric["name"], "direction": _GOALS.get(goal)}


# The command


def _command(data: Mapping[str, Any], names: list[str], found: list[Found]) -> list[Any]:
    """Return the command of each job: W&B's own, unless the file says another."""
    words: list[Any] = []
    written = data.get("command", list(_DEFAULT_COMMAND))
    if not isinstance(written, list):
        found.append(Found("must be a list of words", None, ["command"]))
        return []
    for word in written:
        if word in _ARGUMENTS:
            words += [_ARGUMENTS[word].format(name) for name in names]
        elif word == "${interpreter}":
            words.append("python")
        elif word == "${env}":
            words.append("/usr/bin/env")
        elif word == "${program}":
            words.append(_program(data, found))
        elif isinstance(word, str) and word.startswith("${"):
            found.append(Found(f"has {word}, which has no equal here", None, ["command"]))
        else:
            words.append(escaped(word) if isinstance(word, str) else word)
    return words


def _program(data: Mapping[str, Any], found: list[Found]) -> str:
    program = data.get("program")
    if isinstance(program, str) and program:
        return escaped(program)
    found.append(Found("is missing 'program': the script that is run", None, []))
    return ""


# What hyperparameters are drawn from


def _parameters(parameters: Any, method: Any, found: list[Found]) -> dict[str, Any]:
    if not isinstance(parameters, Mapping) or not parameters:
        found.append(Found("must be a mapping of hyperparameters to their values", None, ["parameters"]))
        return {}
    read: dict[str, Any] = {}
    for name, parameter in parameters.items():
        try:
            distribution = _distribution(parameter)
            read[name] = write_distribution(_listed(distribution) if method == "grid" else distribution)
        except InvalidInputError as error:
            found += [Found(problem, None, [name, "parameters"]) for _, problem in error.problems]
        except ValueError as error:
            found.append(Found(str(error), None, [name, "parameters"]))
    return read


def _listed(distribution: Distribution) -> Distribution:
    """Return what a grid can have every value of; each comes once, however likely it is."""
    if isinstance(distribution, Choice):
        return Choice(distribution.values)
    if isinstance(distribution, Constant):
        return distribution
    raise ValueError("must have `values`, because a grid has every one of them")


def _distribution(parameter: Any) -> Distribution:
    """Return what a parameter of W&B's is drawn from, or raise ValueError."""
    if not isinstance(parameter, Mapping):
        raise ValueError("must be a mapping, as in {values: [1, 2]} or {min: 0, max: 1}")
    unknown = [name for name in parameter if name not in _PARAMETER]
    if unknown:
        raise ValueError(f"has {', '.join(map(repr, unknown))}, which has no equal here")
    word = parameter.get("distribution", _implied(parameter))
    make = _DISTRIBUTIONS.get(word)
    if make is None:
        raise ValueError(f"has the distribution {word!r}, which has no equal here")
    try:
        return make(parameter)
    except KeyError as missing:
        raise ValueError(f"is missing {missing} for its distribution {word}") from None
    except TypeError:
        raise ValueError("must have numbers for its bounds") from None


def _implied(parameter: Mapping[str, Any]) -> str:
    """Return the distribution that W&B takes where none is named."""
    if "value" in parameter:
        return "constant"
    if "values" in parameter:
        return "categorical_w_probabilities" if "probabilities" in parameter else "categorical"
    if "mu" in parameter or "sigma" in parameter:
        return "q_normal" if "q" in parameter else "normal"
    if "q" in parameter:
        return "q_uniform"
    whole = all(type(parameter.get(bound)) is int for bound in ("min", "max"))
    return "int_uniform" if whole else "uniform"


def _weighted(parameter: Mapping[str, Any]) -> Choice:
    return Choice(parameter["values"], weights=parameter["probabilities"])


def _whole(parameter: Mapping[str, Any]) -> Choice:
    low, high = parameter["min"], parameter["max"]
    _check_bounds(low, high, 1)
    return Choice(range(math.ceil(low), math.floor(high) + 1))


def _check_bounds(low: float, high: float, step: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high)) or high < low:
        raise ValueError("must have a min that is not above its max")
    if step <= 0:
        raise ValueError("must have a q that is greater than 0")
    if (high - low) / step > _MOST_VALUES:
        raise ValueError(f"has more than {_MOST_VALUES:,} values, each of which would stand in the spec")


def _rounded(parameter: Mapping[str, Any], measure: Callable[[float], float]) -> Choice:
    """Return the multiples of q, each as likely as what is rounded to it."""
    low, high, q = parameter["min"], parameter["max"], parameter.get("q", 1)
    _check_bounds(low, high, q)
    first, last = round(low / q), round(high / q)
    values = [_multiple(k, q) for k in range(first, last + 1)]
    edges = [low, *((k + 0.5) * q for k in range(first, last)), high]
    weights = [float(f"{measure(after) - measure(before):.12g}") for before, after in pairwise(edges)]
    return Choice(values, weights=weights) if any(weights) else Choice(values)


def _multiple(k: int, q: float) -> float:
    """Return k times q, without the digits that binary fractions would show."""
    return k * q if isinstance(q, int) else float(f"{k * q:.12g}")


def _logarithm(value: float) -> float:
    if value <= 0:
        raise ValueError("must have a min greater than 0; its logarithm is needed")
    return math.log(value)


_DISTRIBUTIONS: Final[Mapping[Any, Callable[[Mapping[str, Any]], Distribution]]] = {
    "constant": lambda given: Constant(given["value"]),
    "categorical": lambda given: Choice(given["values"]),
    "categorical_w_probabilities": _weighted,
    "int_uniform": _whole,
    "uniform": lambda given: Uniform(given["min"], given["max"]),
    "q_uniform": lambda given: _rounded(given, float),
    "log_uniform": lambda given: LogUniform(math.exp(given["min"]), math.exp(given["max"])),
    "log_uniform_values": lambda given: LogUniform(given["min"], given["max"]),
    "q_log_uniform_values": lambda given: _rounded(given, _logarithm),
    "normal": lambda given: Normal(given.get("mu", 0.0), given.get("sigma", 1.0)),
}
