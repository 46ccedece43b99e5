"""What one signal after another means."""

import os
import signal

import pytest

from sweepstake.worker.stopping import Stop, meaning, next_step, signals_go_to


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
    got: list[signal.Signals] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        kept = signal.getsignal(signal.SIGTERM)
        with signals_go_to(got.append):
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                os.kill(os.getpid(), number)
        assert signal.getsignal(signal.SIGTERM) is kept
    finally:
        signal.signal(signal.SIGHUP, before)
    assert got == [signal.SIGTERM, signal.SIGINT]
