"""How a worker is told to stop: step by step, one signal after the other."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import Final

from sweepstake.plaintext import counted

__all__ = ["Stop", "meaning", "next_step", "signals_go_to"]

_STOP: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(IntEnum):
    """How urgently a worker is to end."""

    #: It goes on.
    NO = 0
    #: It takes no more jobs; those that run go on to their end.
    DRAIN = 1
    #: Its commands are asked to end (SIGTERM), killed after the grace time, and their jobs given back.
    END = 2
    #: Its commands are killed at once.
    KILL = 3


def next_step(now: Stop, *, drains: bool) -> Stop:
    """Return what a further signal means.

    Args:
        now: what the signals so far meant.
        drains: whether the first one lets running jobs go on.
    """
    if now is Stop.NO and not drains:
        return Stop.END
    return Stop(min(now + 1, Stop.KILL))


def meaning(step: Stop, running: int, *, drain: float, grace: float) -> str:
    """Say what a step does to that many running jobs.

    Args:
        step: more than NO.
        running: how many.
        drain: seconds for which they may go on.
        grace: seconds that their commands have to end.
    """
    jobs = counted(running, "running job")
    if not running:
        return "taking no more jobs"
    if step is Stop.DRAIN:
        limit = "" if drain == math.inf else f" for {drain:g} s"
        return f"taking no more jobs; {jobs} may go on{limit} (a second signal ends them)"
    if step is Stop.END:
        return f"ending {jobs} within {grace:g} s and giving back what is not done (again: kill at once)"
    return f"killing {jobs}"


@contextmanager
def signals_go_to(put: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Hand SIGINT, SIGTERM and SIGHUP to `put` instead of acting on them, unless they are ignored (`nohup`).

    Args:
        put: must be safe in a handler, which may run in the middle of anything, as `SimpleQueue.put` is.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        put(signal.Signals(number))

    heeded = [number for number in _STOP if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
