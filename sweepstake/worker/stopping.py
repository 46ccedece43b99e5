"""How a worker is told to stop: step by step, one signal after the other."""

from __future__ import annotations

import math
import select
import signal
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from types import FrameType
from typing import Final

from sweepstake.plaintext import counted

__all__ = ["SOON", "Signals", "Stop", "heeded_signals", "meaning", "next_step"]

_STOP: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: By which a scheduler says that an allocation will end soon.
SOON: Final = signal.SIGUSR1
#: What is written when nothing is left to stop: no signal has this number.
_END: Final = 0
#: Seconds that the system waits at a stretch; it can count 24 days.
_LONGEST: Final = 3600.0


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


class Signals:
    """The signals to stop, in the order in which they come, and then the end of what they could stop.

    Python's own handlers wait until the main thread does something. One that waits for a lock goes on sleeping if the
    system hands the signal to another thread. So this is a socket: the handler below Python's writes the number of each
    signal to it, in whichever thread it runs. Made by `heeded_signals`.
    """

    def __init__(self, heeded: Collection[signal.Signals], reader: socket.socket, writer: socket.socket) -> None:
        self._heeded = heeded
        self._reader = reader
        self._writer = writer
        self._arrivals = select.poll()
        self._arrivals.register(reader, select.POLLIN)

    def next(self, until: float) -> signal.Signals | None:
        """Wait for the next signal; return None when `end` was called.

        Args:
            until: the moment of the monotonic clock to wait for; infinity for no limit.

        Raises:
            TimeoutError: it has come.
        """
        while True:
            left = max(until - time.monotonic(), 0.0)
            if self._arrivals.poll(1000 * min(left, _LONGEST)):
                number = self._reader.recv(1)[0]
                if number == _END:
                    return None
                if number in self._heeded:
                    return signal.Signals(number)
            elif left <= _LONGEST:
                raise TimeoutError

    def end(self) -> None:
        """Say that nothing is left to stop; called from another thread."""
        with suppress(OSError):  # nobody waits any more
            self._writer.send(bytes([_END]))


@contextmanager
def heeded_signals(also: Sequence[signal.Signals] = ()) -> Iterator[Signals]:
    """Let SIGINT, SIGTERM and SIGHUP be read instead of acting on them, unless they are ignored (`nohup`).

    Only in the main thread. After the block the handlers are those from before it.

    Args:
        also: others that are read as well.
    """
    heeded = [number for number in (*_STOP, *also) if signal.getsignal(number) is not signal.SIG_IGN]
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.settimeout(_LONGEST)  # makes the descriptor one that never blocks a handler; `send` waits for room
        others = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, _only_written) for number in heeded}
        try:
            yield Signals(heeded, reader, writer)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(others)


def _only_written(number: int, frame: FrameType | None) -> None:
    """Do nothing: the number stands in the socket already, but only of a signal that has a handler."""
    del number, frame
