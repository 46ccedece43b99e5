"""One attempt with a real command, on a machine that lacks something."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweepstake.client import Places
from sweepstake.domain.records import Claim, JobRecord
from sweepstake.domain.status import JobStatus, Outcome, Signal
from sweepstake.values import EMPTY, JsonObject
from sweepstake.worker.attempt import Attempt, Plan
from sweepstake.worker.pulse import Pulse
from sweepstake.worker.terminal import Terminal

RESULTS = "echo '--- RESULTS ---'; echo 'x: 1'; echo '--- END RESULTS ---'"


class NoPulse(Pulse):
    """Renews nothing, and remembers the command's process group."""

    def __init__(self) -> None:
        self.group = 0

    def hold(self, attempt: str, lease: float, group: int | None) -> None:
        """Remember the group."""
        del attempt, lease
        self.group = group or 0

    def ended(self, attempt: str) -> Signal:
        """Nobody said anything."""
        del attempt
        return Signal.CONTINUE


@pytest.fixture
def begin(tmp_path: Path) -> Callable[[str, NoPulse], Attempt]:
    """Makes an attempt of a shell script."""
    job = JobRecord(
        experiment="e", id="j", status=JobStatus.RUNNING, hyperparameters=EMPTY, results=EMPTY, etag="k", seq=1
    )

    def make(script: str, pulse: NoPulse) -> Attempt:
        plan = Plan(
            command=("sh", "-c", script),
            allow_empty=False,
            grace=1.0,
            timeout=100.0,
            terminal=Terminal({}, several=False),
        )
        places = Places(state=tmp_path, checkpoints=tmp_path)
        return Attempt(Claim(job=job, key="k", lease=60.0), plan, pulse, places, threading.Event())

    return make


def test_what_a_command_makes_of_its_folder_costs_no_results(begin: Callable[[str, NoPulse], Attempt]) -> None:
    """The folder of the results file cannot be removed; the results are reported all the same."""
    script = f'cd /; folder=$(dirname "$SWEEPSTAKE_RESULTS_PATH"); rm -r "$folder"; ln -s /nowhere "$folder"; {RESULTS}'
    report = begin(f'{script}; echo "link: \\"$folder\\"" >&2', NoPulse()).run()
    assert (report.outcome, report.results) == (Outcome.DONE, JsonObject.of({"x": 1}))
    Path(report.output.rpartition('link: "')[2].split('"')[0]).unlink()


def test_a_command_without_a_timer_does_not_run(
    begin: Callable[[str, NoPulse], Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without room for another thread ends the command, before the job is given back to others."""

    def refuse(_: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", refuse)
    pulse = NoPulse()
    started = time.monotonic()
    with pytest.raises(OSError, match="can't start new thread") as raised:
        begin("exec sleep 100", pulse).run()
    assert raised.value.errno == errno.EAGAIN
    assert time.monotonic() - started < 50
    with pytest.raises(ProcessLookupError):
        os.killpg(pulse.group, 0)
