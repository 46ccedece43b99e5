"""What one signal after another means."""

import math
import os
import signal
import socket
import time

import pytest

from sweepstake.worker.stopping import Stop, heeded_signals, meaning, next_step


@pytest.mark.parametrize(
    "drains, steps",
    [
        (True, [Stop.DRAIN, Stop.END, Stop.KILL, Stop.KILL]),
        (False, [Stop.END, Stop.KILL, Stop.KILL]),
    ],
)
def test_each_signal_is_more_urgent(drains: bool, steps: list[Stop]) -> None:
    """Drain, end, kill; a worker that does not drain leaves out the first."""
    step = Stop.NO
    for expected in steps:
        step = next_step(step, drains=drains)
        assert step is expected


@pytest.mark.parametrize(
    "step, running, said",
    [
        (Stop.DRAIN, 0, "taking no more jobs"),
        (Stop.DRAIN, 1, "taking no more jobs; 1 running job may go on for 60 s (a second signal ends them)"),
        (Stop.END, 2, "ending 2 running jobs within 5 s and giving back what is not done (again: kill at once)"),
        (Stop.KILL, 2, "killing 2 running jobs"),
    ],
)
def test_a_step_says_what_it_does(step: Stop, running: int, said: str) -> None:
    """And what a further signal will do."""
    assert meaning(step, running, drain=60.0, grace=5.0) == said


def test_signals_are_handed_over_and_given_back() -> None:
    """Within the block they are data; after it whoever heeded them before does so again; `nohup` is respected."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        kept = signal.getsignal(signal.SIGTERM)
        with heeded_signals() as signals:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                os.kill(os.getpid(), number)
            signals.end()
            got = list(iter(lambda: signals.next(math.inf), None))
        assert signal.getsignal(signal.SIGTERM) is kept
    finally:
        signal.signal(signal.SIGHUP, before)
    assert got == [signal.SIGTERM, signal.SIGINT]


def test_who_was_woken_by_signals_is_woken_again() -> None:
    """The descriptor to which Python wrote them before, as for an event loop, is in its place behind the block."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno())
        try:
            with heeded_signals():
                pass
        finally:
            assert signal.set_wakeup_fd(before) == writer.fileno()


def test_waiting_for_a_signal_ends_when_it_is_told_to() -> None:
    """What has come by then is read before."""
    with heeded_signals() as signals:
        signal.raise_signal(signal.SIGTERM)
        assert signals.next(0.0) is signal.SIGTERM
        with pytest.raises(TimeoutError):
            signals.next(time.monotonic() + 0.01)
