"""Several real processes that do the same thing from the same moment."""

import multiprocessing
import multiprocessing.context
import multiprocessing.synchronize
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

__all__ = ["all_together", "context"]

#: What all processes need; loading it once saves each of them most of a second.
_LOADED_ONCE = ["sweepstake", "sweepstake.stores.postgres.engine", "sweepstake.http", "tests.faults.catalogue"]

#: In a process of the crew: where it meets the others.
_meeting: list[multiprocessing.synchronize.Barrier] = []


def all_together(processes: int, do: Callable[..., Any], *arguments: Any, timeout: float = 300.0) -> list[Any]:
    """Call `do(0, ...)`, `do(1, ...)` ... each in a process of its own, from one moment on; return the answers.

    Args:
        processes: how many.
        do: a function of a test module; it is found by name in the new processes.
        arguments: follow the number of the process.
        timeout: seconds for all of it.
    """
    crew = context()
    barrier = crew.Barrier(processes)
    with ProcessPoolExecutor(processes, crew, initializer=_meet_at, initargs=(barrier,)) as pool:
        futures = [pool.submit(_wait_and_do, do, number, arguments) for number in range(processes)]
        return [future.result(timeout) for future in futures]


def context() -> multiprocessing.context.ForkServerContext:
    """Return what starts processes that have nothing of this one, quickly."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(_LOADED_ONCE)
    return made


def _meet_at(barrier: multiprocessing.synchronize.Barrier) -> None:
    _meeting.append(barrier)


def _wait_and_do(do: Callable[..., Any], number: int, arguments: tuple[Any, ...]) -> Any:
    _meeting[0].wait(timeout=60)
    return do(number, *arguments)
