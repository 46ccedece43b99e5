"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Final

from sweepstake.batch.backends.flux import FluxDialect
from sweepstake.batch.backends.pbs import PbsDialect
from sweepstake.batch.backends.scheduler import Backend, Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.errors import ConfigurationError
from sweepstake.plaintext import printable

__all__ = ["GROUP", "backend_of"]

#: The entry points of backends that other packages bring: each is called without arguments, and returns a `Backend`.
GROUP: Final = "sweepstake.backends"
_OWN: Final[Mapping[str, Callable[[], Backend]]] = {
    "slurm": lambda: Scheduler(SlurmDialect()),
    "pbs": lambda: Scheduler(PbsDialect()),
    "flux": lambda: Scheduler(FluxDialect()),
}


def backend_of(name: str) -> Backend:
    """Return the backend of a name.

    Raises:
        ConfigurationError: there is none.
    """
    if name in _OWN:
        return _OWN[name]()
    others = {each.name: each for each in entry_points(group=GROUP)}
    if name not in others:
        known = ", ".join([*_OWN, *others])
        raise ConfigurationError(f"There is no backend {printable(name)!r}; there are {known}.")
    made: Backend = others[name].load()()
    return made
