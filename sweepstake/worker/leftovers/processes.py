"""Processes that left the group of their command, as daemons do: found by a variable that they all inherit."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from sweepstake.worker.leftovers.living import Living

__all__ = ["RUN", "Sweeper", "end_processes", "end_processes_of_dead", "marked"]

#: The variable that says for which run a process was started, and for which that one was.
RUN: Final = "SWEEPSTAKE_RUN"
_SIGN: Final = f"{RUN}=".encode()
#: How often processes are looked for that began as others were killed.
_ROUNDS: Final = 20
#: Seconds between two looks, as each costs reading a file of every process.
_BETWEEN: Final = 1.0


def marked(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the value of `RUN` for a run: its name, behind those of the runs that this process is a part of."""
    return f"{environment.get(RUN, '')} {name}".strip()


def end_processes(is_over: Callable[[str], bool]) -> int:
    """Kill every process of this user that was started for a run that is over; return how many there were.

    They are found where the system shows the environment with which a process was started (Linux), and not if they
    were started without it.

    Args:
        is_over: tells whether a run is, by its name.
    """
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = {pid for pid in _processes() if any(map(is_over, _runs_of(pid)))}
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if found <= ended:
            break
        ended |= found
    return len(ended)


def end_processes_of_dead(living: Living) -> int:
    """Kill what runs for workers that are dead; return how many processes there were.

    Args:
        living: the sign of a worker that looks after theirs.
    """

    def is_dead(name: str) -> bool:
        with living.was_left(name) as dead:
            return dead

    return end_processes(is_dead)


class Sweeper:
    """Kills what is left of runs that are over, on a thread of its own, at most once in a while for all of them.

    Args:
        between: seconds between two looks.
    """

    def __init__(self, between: float = _BETWEEN) -> None:
        self._between = between
        self._lock = threading.Lock()
        self._over: set[str] = set()
        self._some = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="sweepstake-leftovers", daemon=True)
        self._thread.start()

    def add(self, name: str) -> None:
        """Look for what is left of a run."""
        with self._lock:
            self._over.add(name)
            self._some.set()

    def close(self) -> None:
        """Look for the last time, for all that was added, and return when that is done."""
        self._closing.set()
        self._some.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._closing.is_set():
            self._some.wait()
            self._sweep()
            self._closing.wait(self._between)
        self._sweep()

    def _sweep(self) -> None:
        with self._lock:
            over, self._over = self._over, set()
            self._some.clear()
        if over:
            end_processes(over.__contains__)


def _processes() -> Iterator[int]:
    with suppress(OSError), os.scandir("/proc") as entries:
        yield from (int(entry.name) for entry in entries if entry.name.isdecimal())


def _runs_of(pid: int) -> list[str]:
    """Return the names of the runs that a process was started for; of one that has ended there are none."""
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 -- read for every process
            environment = file.read()
    except OSError:  # another user's, or gone
        return []
    if _SIGN not in environment:
        return []
    runs = [part.removeprefix(_SIGN) for part in environment.split(b"\0") if part.startswith(_SIGN)]
    return b" ".join(runs).decode("utf-8", "replace").split()
