"""The wire form of what searches are made of: Schedy's, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from sweepstake.domain.schema import Schema, closed, nullable
from sweepstake.errors import InvalidInputError
from sweepstake.plaintext import with_article
from sweepstake.search.distributions import Choice, Constant, Distribution, LogUniform, Normal, Uniform
from sweepstake.search.strategies import Perturb, Truncate

__all__ = [
    "PARTS",
    "VALUES",
    "check_fields",
    "check_object",
    "one_of",
    "read_at",
    "read_distribution",
    "read_distributions",
    "read_each",
    "read_exploit",
    "read_explore",
    "renamed",
    "write_distribution",
    "write_exploit",
    "write_explore",
]

T = TypeVar("T")

_FIELDS: Final[Mapping[str, tuple[type[Any], tuple[str, ...], tuple[str, ...]]]] = {
    "loguniform": (LogUniform, ("low", "high"), ()),
    "uniform": (Uniform, ("low", "high"), ()),
    "choice": (Choice, ("values",), ("weights",)),
    "normal": (Normal, ("mean", "std"), ()),
}
_CONSTANT: Final = "const"

_LARGEST: Final = 1.7976931348623157e308
_NUMBER: Final[Schema] = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
_POSITIVE: Final[Schema] = {"type": "number", "exclusiveMinimum": 0, "maximum": _LARGEST}
_NOT_NEGATIVE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": _LARGEST}
_BELOW: Final = "`low` must be less than `high`"
#: What a list of values to choose from accepts.
VALUES: Final[Schema] = {"type": "array", "items": {}, "minItems": 1}
#: The named schemas of what searches are made of.
PARTS: Final[Mapping[str, Schema]] = {
    "Distribution": {
        "oneOf": [
            closed({"loguniform": closed({"low": _POSITIVE, "high": _POSITIVE}, description=_BELOW)}),
            closed({"uniform": closed({"low": _NUMBER, "high": _NUMBER}, description=_BELOW)}),
            closed(
                {
                    "choice": closed(
                        {"values": VALUES, "weights": nullable({"type": "array", "items": _NOT_NEGATIVE})},
                        optional=["weights"],
                        description="There are as many weights as values, and their sum is greater than 0 and finite",
                    )
                }
            ),
            closed({"normal": closed({"mean": _NUMBER, "std": _NOT_NEGATIVE})}),
            closed({_CONSTANT: {}}),
        ]
    },
    "Perturb": closed(
        {"perturb": closed({"minFactor": _NOT_NEGATIVE, "maxFactor": _NOT_NEGATIVE})},
        description="`minFactor` must be less than `maxFactor`",
    ),
}


def read_distribution(data: object) -> Distribution:
    """Make the distribution of its wire form, such as ``{"uniform": {"low": 0, "high": 1}}``.

    Raises:
        InvalidInputError: it is no distribution, or one that cannot be sampled; paths begin with its word.
    """
    word, args = one_of(data, "distribution", (*_FIELDS, _CONSTANT))
    try:
        if word == _CONSTANT:
            return Constant(args)
        make, required, optional = _FIELDS[word]
        made: Distribution = make(**check_fields(args, required, optional))
        return made
    except InvalidInputError as error:
        raise error.under(word) from None


def read_distributions(data: object) -> dict[str, Distribution]:
    """Make the distributions of ``{name: distribution}``."""
    return read_each(data, read_distribution)


def write_distribution(distribution: Distribution) -> dict[str, Any]:
    """Return the wire form of a distribution."""
    if isinstance(distribution, Constant):
        return {_CONSTANT: distribution.value}
    for word, (kind, required, optional) in _FIELDS.items():
        if isinstance(distribution, kind):
            arguments = {name: getattr(distribution, name) for name in (*required, *optional)}
            return {word: {name: value for name, value in arguments.items() if value is not None}}
    raise InvalidInputError.at(
        "", f"{with_article(type(distribution).__name__)} has no wire form; use a distribution of this package"
    )


def read_exploit(data: object) -> Truncate:
    """Make the strategy of its wire form, such as ``{"truncate": 0.2}``."""
    word, proportion = one_of(data, "exploit strategy", ("truncate",))
    try:
        return Truncate(proportion)
    except InvalidInputError as error:
        raise renamed(error, {"proportion": word}) from None


def write_exploit(strategy: Truncate) -> dict[str, Any]:
    """Return the wire form of a strategy."""
    return {"truncate": strategy.proportion}


def read_explore(data: object) -> dict[str, Perturb]:
    """Make the strategies of ``{name: {"perturb": {"minFactor": 0.8, "maxFactor": 1.2}}}``."""
    return read_each(data, _read_perturb)


def _read_perturb(data: object) -> Perturb:
    word, args = one_of(data, "explore strategy", ("perturb",))
    try:
        factors = check_fields(args, ("minFactor", "maxFactor"))
        return Perturb(factors["minFactor"], factors["maxFactor"])
    except InvalidInputError as error:
        raise renamed(error, {"min_factor": "minFactor", "max_factor": "maxFactor"}).under(word) from None


def write_explore(strategy: Perturb) -> dict[str, Any]:
    """Return the wire form of a strategy."""
    return {"perturb": {"minFactor": strategy.min_factor, "maxFactor": strategy.max_factor}}


def read_at(path: str, read: Callable[[object], T], data: object) -> T:
    """Read a member whose faults are to be named below `path`."""
    try:
        return read(data)
    except InvalidInputError as error:
        raise error.under(path) from None


def renamed(error: InvalidInputError, names: Mapping[str, str]) -> InvalidInputError:
    """Return the same error where paths begin with the wire's names for our own."""
    return InvalidInputError((_renamed(path, names), problem) for path, problem in error.problems)


def _renamed(path: str, names: Mapping[str, str]) -> str:
    for ours, wire in names.items():
        if path == ours or path.startswith((f"{ours}.", f"{ours}[")):
            return wire + path.removeprefix(ours)
    return path


def read_each(data: object, read: Callable[[object], T]) -> dict[str, T]:
    """Read every member of an object of named things, collecting what is wrong with all of them."""
    problems: list[tuple[str, str]] = []
    found = {}
    for name, item in check_object(data).items():
        try:
            found[name] = read(item)
        except InvalidInputError as error:
            problems.extend(error.under(name).problems)
    if problems:
        raise InvalidInputError(problems)
    return found


def one_of(data: object, what: str, words: Collection[str]) -> tuple[str, Any]:
    """Take ``{word: arguments}`` apart, if it has exactly one of these words."""
    members = check_object(data)
    choice = ", ".join(sorted(words))
    if len(members) != 1:
        raise InvalidInputError.at("", f"must name one {what} ({choice}), has {len(members)} names")
    [(word, args)] = members.items()
    if word not in words:
        raise InvalidInputError.at(word, f"is no {what}; use one of {choice}")
    return word, args


def check_fields(data: object, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """Return an object's members, if it has all of the required fields and no unknown ones."""
    members = check_object(data)
    problems = [(name, "is missing") for name in required if name not in members]
    known = ", ".join((*required, *optional))
    problems += [
        (name, f"is unknown here; the fields are {known}") for name in members if name not in (*required, *optional)
    ]
    if problems:
        raise InvalidInputError(problems)
    return dict(members)


def check_object(data: object) -> Mapping[str, Any]:
    """Return `data` if it is an object."""
    if not isinstance(data, Mapping):
        raise InvalidInputError.at("", f"must be an object, not {type(data).__name__}")
    return data
