"""Several threads or real processes that do the same thing from the same moment."""

import multiprocessing
import multiprocessing.context
import multiprocessing.synchronize
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["THREADS", "all_together", "at_once", "context"]

T = TypeVar("T")

#: How many threads race where a test does not say.
THREADS = 8

#: What all processes need; loading it once saves each of them most of a second.
_LOADED_ONCE = [
    "sweepstake",
    "sweepstake.stores.postgres.engine",
    "sweepstake.http",
    "tests.faults.catalogue",
    "tests.kit.dying",
]

#: In a process of the crew: where it meets the others.
_meeting: list[multiprocessing.synchronize.Barrier] = []


def at_once(do: Callable[[int], T], threads: int = THREADS) -> list[T]:
    """Call `do` with 0, 1 ... in as many threads, all from the same moment, and return the answers."""
    barrier = threading.Barrier(threads)

    def wait_and_do(number: int) -> T:
        barrier.wait(timeout=120)
        return do(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(wait_and_do, range(threads)))


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
