"""What one signal after another means."""

import os
import signal

import pytest

from sweepstake.worker.stopping import Stop, next_step, signals_go_to


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
