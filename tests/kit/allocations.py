"""Waiting for what a scheduler says of allocations."""

from collections.abc import Callable, Mapping

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.scheduler import Backend
from tests.kit.lab import eventually

__all__ = ["over", "running", "until"]


def until(
    backend: Backend, named: Mapping[str, str], holds: Callable[[Mapping[str, Allocation]], bool]
) -> Mapping[str, Allocation]:
    """Poll until something holds of what is said, and return that."""

    def found() -> Mapping[str, Allocation] | None:
        said = backend.poll(named)
        return said if holds(said) else None

    return eventually(found)


def over(found: Mapping[str, Allocation]) -> bool:
    """Tell whether all have ended."""
    return all(each.is_over for each in found.values())


def running(found: Mapping[str, Allocation]) -> bool:
    """Tell whether all run."""
    return all(each.state is AllocationState.RUNNING for each in found.values())
