"""Our extension of Beaker's specs: `sweep`, which turns a task into the jobs of a search."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs
from attrs import frozen

from sweepstake.domain.records import SearchDefinition
from sweepstake.domain.settings import Direction, Settings
from sweepstake.errors import InvalidInputError, shown
from sweepstake.search import (
    SEARCHES,
    Choice,
    Constant,
    Distribution,
    RandomPolicy,
    SearchKind,
    SearchPolicy,
    Takes,
    policy_for,
)
from sweepstake.search.codec import read_distribution, write_distribution
from sweepstake.spec.fields import holds
from sweepstake.spec.kinds import COUNT, TEXT, Kind
from sweepstake.spec.placeholders import variable_of
from sweepstake.spec.records import Record, changed_by
from sweepstake.spec.tree import Faults, Found, MapNode, Node, Scalar, described, to_plain
from sweepstake.values import JsonItem

__all__ = ["SweepSpec"]

#: Every search by what it may be called: its word, its class and its command, in any case.
_CALLED: Final[Mapping[str, SearchKind]] = {
    name.lower(): each for each in SEARCHES for name in (each.policy.kind, each.called, each.command)
}
_KINDS: Final[Mapping[str, SearchKind]] = {each.policy.kind: each for each in SEARCHES}
#: What the Python class of population based training calls what is stored under another name.
_WORDS: Final[Mapping[str, str]] = {
    "result_name": "qualityResultName",
    "resultName": "qualityResultName",
    "population_size": "numParallel",
    "populationSize": "numParallel",
    "max_generations": "maxGenerations",
    "min_factor": "minFactor",
    "max_factor": "maxFactor",
}
_STEP: Final = re.compile(r"\[([0-9]+)\]|[^.\[\]]+")


def _read_search(node: Node) -> Any:
    return node.text if isinstance(node, Scalar) else to_plain(node)


def _take_search(value: Any) -> SearchDefinition:
    if isinstance(value, SearchDefinition):
        return value
    if callable(getattr(value, "definition", None)):
        raise ValueError("must be the name of a search, or {name: its parameters}; distributions go into `parameters`")
    if isinstance(value, Mapping) and len(value) == 1:
        [(name, options)] = value.items()
    elif isinstance(value, str):
        name, options = value, None
    else:
        raise ValueError(f"must be the name of a search, or {{name: its parameters}}, not {shown(value)}")
    search = _CALLED.get(str(name).lower())
    if search is None:
        raise ValueError(f"must be one of {', '.join(_KINDS)}, is {shown(name)}")
    if search.takes is Takes.MORE and isinstance(options, Mapping):
        options = _own_words(options)
    try:
        return _define(search.policy.kind, options or None)
    except InvalidInputError as error:
        raise Faults(_found(error, [])) from None


def _define(kind: str, params: object) -> SearchDefinition:
    return SearchDefinition(kind, JsonItem.of(params, f"scheduler.{kind}").text)


def _own_words(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what population based training is told in the words in which it is stored."""
    words = {_WORDS.get(name, name): value for name, value in options.items()}
    if isinstance(explore := words.get("explore"), Mapping):
        words["explore"] = {name: _renamed(strategy) for name, strategy in explore.items()}
    return words


def _renamed(strategy: Any) -> Any:
    """Return a strategy such as ``{perturb: {min_factor: 0.8, max_factor: 1.2}}`` in the words of the wire."""
    if not isinstance(strategy, Mapping):
        return strategy
    return {
        word: {_WORDS.get(name, name): value for name, value in factors.items()}
        if isinstance(factors, Mapping)
        else factors
        for word, factors in strategy.items()
    }


def _write_search(search: SearchDefinition) -> Any:
    options = json.loads(search.params)
    return search.kind if options is None else {search.kind: options}


def _read_parameters(node: Node) -> Any:
    if isinstance(node, MapNode):
        return to_plain(node)
    raise Faults.at(node, f"must be a mapping of hyperparameters to what they are drawn from, not {described(node)}")


def _take_parameters(value: Any) -> tuple[tuple[str, Distribution], ...]:
    if isinstance(value, tuple):
        value = dict(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a dict of hyperparameters, not {shown(value)}")
    found: list[Found] = []
    taken: list[tuple[str, Distribution]] = []
    for name, each in value.items():
        try:
            taken.append((_take_name(name), _distribution(each)))
        except InvalidInputError as error:
            found += _found(error, [str(name)])
        except ValueError as error:
            found.append(Found(str(error), None, [str(name)]))
    if found:
        raise Faults(found)
    return tuple(taken)


def _take_name(name: object) -> str:
    if not isinstance(name, str) or not name or "{" in name or "}" in name:
        raise ValueError("must be called by a text without braces")
    return name


def _distribution(value: Any) -> Distribution:
    """Return what a hyperparameter is drawn from: a list is a choice, and a text or number is always the same."""
    if callable(getattr(value, "sample", None)):
        drawn: Distribution = value
        write_distribution(drawn)  # one of somebody's own has no JSON
        return drawn
    if isinstance(value, list | tuple):
        return Choice(value)
    if isinstance(value, Mapping):
        return read_distribution(value)
    return Constant(value)


def _write_parameters(parameters: tuple[tuple[str, Distribution], ...]) -> Any:
    return {name: json.loads(json.dumps(_written(each))) for name, each in parameters}  # lists instead of tuples


def _written(distribution: Distribution) -> Any:
    if isinstance(distribution, Choice) and distribution.weights is None:
        return distribution.values
    return write_distribution(distribution)


def _found(error: InvalidInputError, below: list[str | int], rename: Callable[[str], str] = str) -> list[Found]:
    """Return what a search, or a setting, finds wrong as the faults of a place."""
    found = []
    for path, problem in error.problems:
        steps: list[str | int] = [int(each[1]) if each[1] else each[0] for each in _STEP.finditer(rename(path))]
        found.append(Found(problem, None, [*reversed(steps), *below]))
    return found


def _take_direction(value: Any) -> Direction:
    word = str(value).lower()
    if word in ("min", "minimize", "max", "maximize"):
        return Direction(word[:3])
    raise ValueError(f"must be min or max, is {shown(value)}")


def _read_positive(node: Node) -> int:
    """Read a count as YAML 1.2 has it, as all that is below a sweep."""
    value = node.core_value if isinstance(node, Scalar) else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Faults.at(node, f"must be a whole number, not {described(node)}")


def _take_positive(value: Any) -> int:
    count: int = COUNT.take(value)
    if count < 1:
        raise ValueError(f"must be at least 1, is {count}")
    return count


_ANY_OBJECT: Final = {"type": "object", "minProperties": 1, "maxProperties": 1}
_SEARCH: Final = Kind({"anyOf": [{"type": "string"}, _ANY_OBJECT]}, _read_search, _take_search, _write_search)
_PARAMETERS: Final = Kind({"type": "object"}, _read_parameters, _take_parameters, _write_parameters)
_DIRECTION: Final = Kind({"enum": ["min", "max", "minimize", "maximize"]}, TEXT.read, _take_direction, str)
_POSITIVE: Final = Kind({"type": "integer", "minimum": 1}, _read_positive, _take_positive)


@changed_by("attrs.evolve(sweep, {}=...)")
@frozen
class SweepSpec(Record):
    """How the jobs of a task differ: a search, what it draws from, and how many there are.

    Attributes:
        search: `RandomSearch`, `Grid`, `PBT` or `Manual`, alone or as ``{name: its parameters}``.
        parameters: what each hyperparameter is drawn from: a distribution such as ``{uniform: {low: 0, high: 1}}``, a
            list of values, or one value.
        objective: the result that says how good a job is.
        direction: which way it is better, `min` or `max`.
        max_jobs: how many jobs there are at most.
        max_running: how many of them run at once at most.
        n_seeds: how many jobs each configuration gets, which differ in their seed.
    """

    # Both take more than they keep: a definition, and pairs of a name and a distribution.
    search: Any = holds(_SEARCH, default=SearchDefinition(RandomPolicy.kind), always=True)
    parameters: Any = holds(_PARAMETERS, default=())
    objective: str | None = holds(TEXT, default=None)
    direction: Direction | None = holds(_DIRECTION, default=None)
    max_jobs: int | None = holds(_POSITIVE, default=None)
    max_running: int | None = holds(_POSITIVE, default=None)
    n_seeds: int | None = holds(_POSITIVE, default=None)

    @classmethod
    def settle(cls, values: dict[str, Any], bad: set[str]) -> Iterable[Found]:
        """Let the search, and the experiment that it will be, check what they are given."""
        search = values.setdefault("search", attrs.fields(cls).search.default)
        if not bad & {"search", "parameters"} and not values.get("parameters"):
            try:
                values["search"], values["parameters"] = search, _ = _taken_apart(search)
            except Faults as faults:
                bad.add("parameters")
                for each in faults.found:
                    yield Found(each.problem, None, [*each.steps, search.kind, "search"])
        parameters = values.get("parameters") or ()
        if not bad & {"search", "parameters"}:
            yield from _meeting([name for name, _ in parameters])
            yield from _wrong_search(search, parameters, values.get("objective"), values.get("direction"))
        if isinstance(objective := values.get("objective"), str):
            try:
                Settings(objective=objective)
            except InvalidInputError as error:
                yield from _found(error, [])

    @property
    def names(self) -> tuple[str, ...] | None:
        """The hyperparameters that jobs will have; None if whoever adds jobs chooses them."""
        return None if _KINDS[self.search.kind].takes is Takes.NOTHING else tuple(name for name, _ in self.parameters)

    @property
    def definition(self) -> SearchDefinition:
        """The search as an experiment stores it."""
        return _definition(self.search, self.parameters, self.objective, self.direction)

    def policy(self) -> SearchPolicy:
        """Return the search, ready to propose jobs."""
        return policy_for(self.definition)


def _taken_apart(search: SearchDefinition) -> tuple[SearchDefinition, tuple[tuple[str, Distribution], ...]]:
    """Return a search without what it draws from, if that was said as its parameters, and what it draws from."""
    options = json.loads(search.params)
    if _KINDS[search.kind].takes not in (Takes.DISTRIBUTIONS, Takes.VALUES) or not isinstance(options, Mapping):
        return search, ()
    return SearchDefinition(search.kind), _take_parameters(options)


def _meeting(names: list[str]) -> Iterable[Found]:
    """Tell names that would be one environment variable."""
    first: dict[str, str] = {}
    for name in names:
        variable = variable_of(name)
        if variable in first:
            problem = f"would be the variable {variable}, as {first[variable]!r} is; scripts could not tell them apart"
            yield Found(problem, None, [name, "parameters"])
        first.setdefault(variable, name)


def _definition(
    search: SearchDefinition,
    parameters: tuple[tuple[str, Distribution], ...],
    objective: str | None,
    direction: Direction | None,
) -> SearchDefinition:
    takes = _KINDS[search.kind].takes
    if takes is Takes.NOTHING:
        return search
    if takes is Takes.VALUES:
        return _define(search.kind, {name: _values(name, each) for name, each in parameters})
    drawn = {name: write_distribution(each) for name, each in parameters}
    if takes is Takes.DISTRIBUTIONS:
        return _define(search.kind, drawn)
    own = {"objective": str(direction or Direction.MINIMIZE), "qualityResultName": objective, "init": drawn or None}
    given = {name: value for name, value in own.items() if value is not None}
    return _define(search.kind, {**given, **(json.loads(search.params) or {})})


def _values(name: str, distribution: Distribution) -> list[Any]:
    if isinstance(distribution, Choice) and distribution.weights is None:
        return distribution.values
    if isinstance(distribution, Constant):
        return [distribution.value]
    raise InvalidInputError.at(name, "must be a list of values, because a grid has every one of them")


def _wrong_search(
    search: SearchDefinition,
    parameters: tuple[tuple[str, Distribution], ...],
    objective: str | None,
    direction: Direction | None,
) -> Iterable[Found]:
    """Yield what the search finds wrong, where it stands in the sweep."""
    options, takes = json.loads(search.params), _KINDS[search.kind].takes
    if takes is Takes.NOTHING:
        if parameters:
            yield Found(f"must be left out: {search.kind} draws nothing", None, ["parameters"])
        return
    if takes is not Takes.MORE:
        if options is not None:
            yield Found("says again what stands in `parameters`", None, [search.kind, "search"])
        if not parameters:
            yield Found("is missing 'parameters': what each hyperparameter is drawn from", None, [])
    elif options is not None and not isinstance(options, Mapping):
        yield Found("must be a mapping of its parameters", None, [search.kind, "search"])
        return
    try:
        policy_for(_definition(search, parameters, objective, direction))
    except InvalidInputError as error:
        yield from _found(error, [], lambda path: _in_sweep(path, search.kind))


def _in_sweep(path: str, kind: str) -> str:
    """Return the path of a search's own parameter as one of the sweep's."""
    own = path.removeprefix(f"scheduler.{kind}").removeprefix(".")
    if _KINDS[kind].takes is not Takes.MORE:
        return f"parameters.{own}"
    head, dot, rest = own.partition(".")
    return f"parameters{dot}{rest}" if head == "init" else f"search.{kind}.{own}"
