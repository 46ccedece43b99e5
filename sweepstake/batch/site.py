"""What a site asks for, as the configuration file says it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from sweepstake.batch.backends.limits import flux_seconds, pbs_seconds, slurm_seconds
from sweepstake.batch.backends.submissions import Site
from sweepstake.errors import ConfigurationError, InvalidInputError, shown

__all__ = ["SiteSettings", "limit_seconds", "site_settings", "tasks_with_settings"]

_TEXTS: Final = ("partition", "account", "qos", "constraint", "time", "capacity", "container")
_LISTS: Final = ("modules", "extra")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LIMITS: Final[Mapping[str, Callable[[str, str], float]]] = {
    "slurm": slurm_seconds,
    "pbs": pbs_seconds,
    "flux": flux_seconds,
}


@frozen(kw_only=True)
class SiteSettings:
    """What the configuration says of a backend.

    Attributes:
        site: what the scheduler is told.
        time_limit: seconds of each allocation; None for what is planned.
        capacity: what an allocation has, as on the command line; None to ask the scheduler.
    """

    site: Site = field(factory=Site)
    time_limit: float | None = None
    capacity: str | None = None


def site_settings(
    tables: Mapping[str, Any], backend: str, file: str, experiment: str = "", task: str = ""
) -> SiteSettings:
    """Return what ``[batch.BACKEND]`` says; an experiment's own table comes before it, and a task's before that.

    These are ``[experiments.NAME.batch.BACKEND]`` and ``[experiments.NAME.tasks.TASK.batch.BACKEND]``.

    Args:
        tables: of the configuration file.
        backend: its name.
        file: what the file is called in errors.
        experiment: whose jobs are submitted.
        task: what they run.

    Raises:
        ConfigurationError: something there is not what it must be; its path is named.
    """
    said, where = dict[str, Any](environment={}), dict[str, str]()
    for path in _paths(backend, experiment, task):
        own, here = _at(tables, path, file), f"{file}: {'.'.join(path)}"
        _check(own, here)
        said |= {**own, "environment": {**said["environment"], **own.get("environment", {})}}
        where |= dict.fromkeys(own, here)
    time, capacity = said.pop("time", None), said.pop("capacity", None)
    try:
        limit = None if time is None else limit_seconds(backend, time, f"{where['time']}.time")
    except InvalidInputError as error:
        raise ConfigurationError(f"{error}.") from None
    said |= {name: tuple(said[name]) for name in _LISTS if name in said}
    return SiteSettings(site=Site(**said), time_limit=limit, capacity=capacity)


def _check(said: Mapping[str, Any], where: str) -> None:
    """Refuse a table that says what no setting is."""
    known = {*_TEXTS, *_LISTS, "environment"}
    for name, value in said.items():
        if name not in known:
            raise ConfigurationError(f"{where}.{name} is no setting; there are {', '.join(sorted(known))}.")
        if name in _TEXTS:
            _text(value, f"{where}.{name}")
        elif name in _LISTS:
            _check_list(value, f"{where}.{name}")
    for name, value in _table(said.get("environment", {}), f"{where}.environment").items():
        _text(value, f"{where}.environment.{name}")
        if not _VARIABLE.fullmatch(name):
            raise ConfigurationError(f"{where}.environment: {shown(name)} is no name of a variable.")
    try:
        shlex.split(said.get("container", ""))
    except ValueError as error:
        raise ConfigurationError(f"{where}.container: {error}.") from None


def tasks_with_settings(tables: Mapping[str, Any], backend: str, file: str, experiment: str) -> frozenset[str]:
    """Return the tasks of an experiment that have a table of their own for a backend."""
    tasks = _at(tables, ("experiments", experiment, "tasks"), file)
    return frozenset(name for name in tasks if _at(tables, _paths(backend, experiment, name)[-1], file))


def _paths(backend: str, experiment: str, task: str) -> Sequence[tuple[str, ...]]:
    """Return where settings are, those last that come before the others."""
    own = ("experiments", experiment)
    return [
        ("batch", backend),
        *([(*own, "batch", backend)] if experiment else []),
        *([(*own, "tasks", task, "batch", backend)] if experiment and task else []),
    ]


def _at(tables: Mapping[str, Any], path: Sequence[str], file: str) -> Mapping[str, Any]:
    """Return the table at a path; an empty one if there is none."""
    found: Mapping[str, Any] = tables
    for depth, name in enumerate(path, 1):
        found = _table(found.get(name, {}), f"{file}: {'.'.join(path[:depth])}")
    return found


def limit_seconds(backend: str, text: str, where: str) -> float:
    """Return how long a limit is that is written as a scheduler has it; others than ours read it as Slurm does.

    Raises:
        InvalidInputError: it is none; `where` is named.
    """
    return _LIMITS.get(backend, slurm_seconds)(text, where)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} must be a table, is {shown(value)}.")
    return value


def _text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"{where} must be text, is {shown(value)}.")


def _check_list(value: Any, where: str) -> None:
    if not isinstance(value, list):
        raise ConfigurationError(f"{where} must be a list of text, is {shown(value)}.")
    for number, each in enumerate(value):
        _text(each, f"{where}[{number}]")
