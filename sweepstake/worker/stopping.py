"""How a worker is told to stop: step by step, one signal after the other."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import Final

__all__ = ["Stop", "next_step", "signals_go_to"]

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
