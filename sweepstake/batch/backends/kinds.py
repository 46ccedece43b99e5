"""The backends by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from sweepstake.batch.backends.adapting import adapted
from sweepstake.batch.backends.calls import run_command
from sweepstake.batch.backends.flux import FluxDialect
from sweepstake.batch.backends.local.machine import LocalMachine
from sweepstake.batch.backends.pbs import PbsDialect
from sweepstake.batch.backends.scheduler import Backend, Dialect, Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.backends.within.backend import Within
from sweepstake.batch.backends.within.held import Held
from sweepstake.config import read_config
from sweepstake.errors import ConfigurationError, MissingExtraError
from sweepstake.plaintext import printable

__all__ = ["GROUP", "backend_of", "scheduler_of", "within"]

#: The entry points of backends that other packages bring: each is called without arguments, and returns a `Backend` or
#: a `PlainBackend`.
GROUP: Final = "sweepstake.batch.backends"
_OWN: Final[Mapping[str, Callable[[], Dialect]]] = {"slurm": SlurmDialect, "pbs": PbsDialect, "flux": FluxDialect}
#: How the backend is called whose allocations are parts of one of a scheduler's.
_WITHIN: Final = "in-"
#: Slurm by way of hpc-connect.
_HPC_SLURM: Final = "hpc-slurm"


def within(held: Held, environment: Mapping[str, str]) -> Within:
    """Return the backend that starts workers in an allocation that this process is in.

    Args:
        held: the allocation.
        environment: variables beside those of this process that workers get.
    """
    return _within(held.scheduler, held, environment)


def _within(scheduler: str, held: Held | None, environment: Mapping[str, str]) -> Within:
    state = read_config(environment={**os.environ, **environment}).state
    run = partial(run_command, environment=environment)
    return Within(_OWN[scheduler](), state, held, environment, run)


def backend_of(name: str, environment: Mapping[str, str] = MappingProxyType({})) -> Backend:
    """Return the backend of a name.

    Args:
        name: of one that is known here, or that another package brings.
        environment: variables beside those of this process that are handed on to allocations.

    Raises:
        ConfigurationError: there is none.
        MissingExtraError: it needs a package that is not installed.
    """
    if name == LocalMachine.name:
        return LocalMachine(read_config(environment={**os.environ, **environment}).state, environment)
    if (scheduler := name.removeprefix(_WITHIN)) in _OWN and name.startswith(_WITHIN):
        return _within(scheduler, None, environment)
    if name == _HPC_SLURM:
        return _hpc_slurm(environment)
    if name in _OWN:
        variables = {**environment, "PATH": os.environ.get("PATH", os.defpath)}
        return Scheduler(_OWN[name](), partial(run_command, environment=environment), variables)
    others = {each.name: each for each in entry_points(group=GROUP)}
    if name not in others:
        known = ", ".join([LocalMachine.name, *_OWN, _HPC_SLURM, *others])
        raise ConfigurationError(f"There is no backend {printable(name)!r}; there are {known}.")
    return adapted(others[name].load()())


def scheduler_of(name: str) -> str:
    """Return the scheduler behind a backend: several may be ways to the same."""
    if name == _HPC_SLURM:
        return SlurmDialect.name
    return name.removeprefix(_WITHIN)


def _hpc_slurm(environment: Mapping[str, str]) -> Backend:
    try:
        from sweepstake.batch.backends.hpc import hpc_slurm
    except ImportError as error:
        raise MissingExtraError.of(f"The backend {_HPC_SLURM} needs hpc-connect", "hpc") from error
    return hpc_slurm(environment)
