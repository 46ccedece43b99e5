"""What a site asks for, as the configuration file says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import field, frozen

from sweepstake.batch.backends.limits import flux_seconds, pbs_seconds, slurm_seconds
from sweepstake.batch.backends.submissions import Site
from sweepstake.errors import ConfigurationError, InvalidInputError, shown

__all__ = ["SiteSettings", "limit_seconds", "site_settings"]

_TEXTS: Final = ("partition", "account", "qos", "constraint", "time", "capacity")
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


def site_settings(tables: Mapping[str, Any], backend: str, file: str) -> SiteSettings:
    """Return what ``[batch.BACKEND]`` says.

    Args:
        tables: of the configuration file.
        backend: its name.
        file: what the file is called in errors.

    Raises:
        ConfigurationError: something there is not what it must be; its path is named.
    """
    batch = _table(tables.get("batch", {}), f"{file}: batch")
    where = f"{file}: batch.{backend}"
    said = _table(batch.get(backend, {}), where)
    known = {*_TEXTS, *_LISTS, "environment"}
    for name in said:
        if name not in known:
            raise ConfigurationError(f"{where}.{name} is no setting; there are {', '.join(sorted(known))}.")
    texts = {name: _text(said[name], f"{where}.{name}") for name in _TEXTS if name in said}
    lists = {name: _list(said[name], f"{where}.{name}") for name in _LISTS if name in said}
    environment = _table(said.get("environment", {}), f"{where}.environment")
    for name, value in environment.items():
        _text(value, f"{where}.environment.{name}")
        if not _VARIABLE.fullmatch(name):
            raise ConfigurationError(f"{where}.environment: {shown(name)} is no name of a variable.")
    time, capacity = texts.pop("time", None), texts.pop("capacity", None)
    try:
        limit = None if time is None else limit_seconds(backend, time, f"{where}.time")
    except InvalidInputError as error:
        raise ConfigurationError(f"{error}.") from None
    site = Site(**texts, modules=lists.get("modules", ()), extra=lists.get("extra", ()), environment=dict(environment))
    return SiteSettings(site=site, time_limit=limit, capacity=capacity)


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


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{where} must be text, is {shown(value)}.")
    return value


def _list(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigurationError(f"{where} must be a list of text, is {shown(value)}.")
    return tuple(_text(each, f"{where}[{number}]") for number, each in enumerate(value))
