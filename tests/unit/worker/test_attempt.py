"""One attempt with a real command, on a machine that lacks something."""

import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest

from sweepstake.client import Places
from sweepstake.domain.records import Claim, JobRecord
from sweepstake.domain.status import JobStatus, Outcome, Signal
from sweepstake.values import EMPTY, JsonObject
from sweepstake.worker.attempt import Attempt, Plan
from sweepstake.worker.duty import Assignment
from sweepstake.worker.terminal import Terminal
from sweepstake.worker.work import CommandWork, Launch, Preliminaries, Work
from tests.kit.commands import RESULTS
from tests.kit.heartbeats import NoHeartbeats
from tests.kit.lab import eventually, new_key


@pytest.fixture
def begin(tmp_path: Path) -> Callable[[str, NoHeartbeats], Attempt]:
    """Makes an attempt of a shell script."""
    job = JobRecord(
        experiment="e", id="j", status=JobStatus.RUNNING, hyperparameters=EMPTY, results=EMPTY, etag="k", seq=1
    )

    def make(script: str, heartbeats: NoHeartbeats) -> Attempt:
        plan = Plan(
            allow_empty=False,
            grace=1.0,
            timeout=100.0,
            terminal=Terminal({}, several=False),
        )
        places = Places(state=tmp_path, checkpoints=tmp_path)
        work = CommandWork(command=("sh", "-c", script), job=job, called=job.experiment, environment=dict(os.environ))
        assigned = Assignment(work=work, timeout=None, end=lambda: None)
        return Attempt(Claim(job=job, key=new_key(), lease=60.0), assigned, plan, heartbeats, places, threading.Event())

    return make


@pytest.fixture
def no_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without room for the thread of a timer."""

    def refuse(_: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", refuse)


class _Ends(NoHeartbeats):
    """Remembers of which attempts it was told that their command has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.over: list[str] = []

    def ended(self, attempt: str) -> Signal:
        self.over.append(attempt)
        return super().ended(attempt)


def test_what_a_command_makes_of_its_folder_costs_no_results(begin: Callable[[str, NoHeartbeats], Attempt]) -> None:
    """The folder of the results file cannot be removed; the results are reported all the same."""
    script = f'cd /; folder=$(dirname "$SWEEPSTAKE_RESULTS_PATH"); rm -r "$folder"; ln -s /nowhere "$folder"; {RESULTS}'
    report = begin(f'{script}; echo "link: \\"$folder\\"" >&2', NoHeartbeats()).run()
    assert (report.outcome, report.results) == (Outcome.DONE, JsonObject.of({"x": 1}))
    Path(report.output.rpartition('link: "')[2].split('"')[0]).unlink()


@pytest.mark.usefixtures("no_timers")
def test_a_command_without_a_timer_does_not_run(begin: Callable[[str, NoHeartbeats], Attempt]) -> None:
    """A machine without room for another thread ends the command, before the job is given back to others."""
    heartbeats = NoHeartbeats()
    started = time.monotonic()
    with pytest.raises(OSError, match="can't start new thread") as raised:
        begin("exec sleep 100", heartbeats).run()
    assert raised.value.errno == errno.EAGAIN
    assert time.monotonic() - started < 50
    with pytest.raises(ProcessLookupError):
        os.killpg(heartbeats.group, 0)


@attrs.frozen
class _Outliving:
    """A command that something outlives, such as a container, which another ends."""

    work: Work
    ending: Sequence[str]

    def launch(self, scratch: Path, checkpoints: Path, before: Preliminaries) -> Launch:
        return attrs.evolve(self.work.launch(scratch, checkpoints, before), ending=self.ending)


@pytest.mark.usefixtures("no_timers")
def test_a_command_without_a_timer_leaves_nothing(
    begin: Callable[[str, NoHeartbeats], Attempt], tmp_path: Path
) -> None:
    """What outlives it is ended as well; the process that renews its lease leaves its number alone from then on."""
    heartbeats = _Ends()
    attempt = begin("exec sleep 100", heartbeats)
    attempt.assigned = attrs.evolve(
        attempt.assigned, work=_Outliving(attempt.assigned.work, ("touch", str(tmp_path / "ended")))
    )
    with pytest.raises(OSError, match="can't start new thread"):
        attempt.run()
    assert (tmp_path / "ended").exists()
    assert heartbeats.over == [attempt.claim.key]


def test_a_command_that_is_to_be_killed_before_it_has_started_gets_no_time(
    begin: Callable[[str, NoHeartbeats], Attempt], tmp_path: Path
) -> None:
    """It is not asked to end: it could do something about that already."""

    class Begun(NoHeartbeats):
        def hold(
            self, attempt: str, lease: float, group: int | None, ending: Sequence[str] = (), run: str = ""
        ) -> None:
            super().hold(attempt, lease, group, ending, run)
            if group is not None:
                eventually((tmp_path / "begun").exists)

    attempt = begin(f"cd {tmp_path}; trap 'touch asked; exit' TERM; touch begun; sleep 100 & wait", Begun())
    attempt.kill()
    assert attempt.run().outcome is Outcome.PREEMPTED
    assert not (tmp_path / "asked").exists()


def _kept(reason: str) -> Path:
    found = re.search(r"kept in (\S+?)(;|$)", reason)
    assert found is not None, reason
    return Path(found[1])


def test_what_is_too_large_of_a_results_file_is_kept(begin: Callable[[str, NoHeartbeats], Attempt]) -> None:
    """The rest of the file is recorded, and the reason names where the large value is."""
    write = f"""printf '{{"accuracy": 0.9, "preds": "' > $SWEEPSTAKE_RESULTS_PATH
        head -c {9 * 1024 * 1024} /dev/zero | tr '\\0' x >> $SWEEPSTAKE_RESULTS_PATH
        echo '"}}' >> $SWEEPSTAKE_RESULTS_PATH"""
    finish = begin(write, NoHeartbeats()).run()
    assert (finish.outcome, finish.results) == (Outcome.CRASHED, JsonObject.of({"accuracy": 0.9}))
    assert "too large" in finish.reason
    assert json.loads(_kept(finish.reason).read_text()) == "x" * 9 * 1024 * 1024


def test_a_results_file_that_cannot_be_read_is_kept_as_it_is(begin: Callable[[str, NoHeartbeats], Attempt]) -> None:
    """What the block says is recorded all the same."""
    finish = begin(f"{RESULTS}; echo '{{\"a\": 1,' > $SWEEPSTAKE_RESULTS_PATH", NoHeartbeats()).run()
    assert (finish.outcome, finish.results) == (Outcome.CRASHED, JsonObject.of({"x": 1}))
    assert _kept(finish.reason).read_text() == '{"a": 1,\n'


def test_a_block_that_cannot_be_read_is_kept_as_it_is(begin: Callable[[str, NoHeartbeats], Attempt]) -> None:
    """Also one that has no end; what the file says is recorded all the same."""
    finish = begin(
        "echo '--- RESULTS ---'; echo nonsense; echo '{\"y\": 2}' > $SWEEPSTAKE_RESULTS_PATH", NoHeartbeats()
    ).run()
    assert (finish.outcome, finish.results) == (Outcome.CRASHED, JsonObject.of({"y": 2}))
    assert _kept(finish.reason).read_text() == "nonsense\n"


def test_a_command_too_long_for_the_system_is_told_where_else_its_values_are(
    begin: Callable[[str, NoHeartbeats], Attempt],
) -> None:
    """The job is at fault, and no other attempt would have more luck."""
    finish = begin(f"true {'x' * 4_000_000}", NoHeartbeats()).run()
    assert finish.outcome is Outcome.CRASHED
    assert finish.reason == (
        "command: 'sh' cannot be started: Argument list too long; let it read its hyperparameters from the file that "
        "SWEEPSTAKE_HYPERPARAMETERS_PATH names, and other long texts from files of their own"
    )
