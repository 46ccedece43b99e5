"""What a worker decides: which jobs it begins, how they end, and when it has had enough.

Whose turn it is, how many crashes are too many, and what a signal or an exit code means is decided without a process:
see `test_round_robin`, `test_breaker`, `test_stopping` and `test_judgement`. What a worker makes of that it decides by
the ends of real commands, so here they are real; the worker is in this process, on a file, and renews no lease.
"""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

import sweepstake
from sweepstake import ManualSearch
from sweepstake.client import Experiment
from sweepstake.domain.records import Claim
from sweepstake.domain.status import Outcome
from sweepstake.queue.call import Patience, usual_patience
from sweepstake.worker.attempt import Plan
from sweepstake.worker.duty import Assignment, CommandDuty, Duty, Opening
from sweepstake.worker.pacing.agenda import Options, Summary
from sweepstake.worker.running import Worker
from sweepstake.worker.slots.book import GuardedBook, Share
from sweepstake.worker.slots.locks import GpuLocks
from sweepstake.worker.slots.room import Slots
from sweepstake.worker.stopping import Stop
from sweepstake.worker.terminal import Terminal
from tests.kit.commands import RESULTS
from tests.kit.heartbeats import NoHeartbeats
from tests.kit.lab import eventually

#: Ends when it is told to.
LASTING = "exec sleep 100"
FAILING = "exit 3"
BEGUN = "touch $FOLDER/begun"
UNTIL_HEARD = "until [ -e $FOLDER/heard ]; do sleep 0.02; done"
TERM, INT = signal.SIGTERM, signal.SIGINT


@attrs.define
class Shop:
    """An experiment, and what a worker on it says.

    Attributes:
        exp: the experiment.
        folder: for files by which commands and tests wait for each other.
        told: the lines for people.
    """

    exp: ManualSearch
    folder: Path
    told: list[str] = attrs.field(factory=list)

    def run(
        self, script: str, *others: ManualSearch, timeout: float | None = None, concurrency: int = 1, **options: Any
    ) -> Summary:
        """Let a worker run a shell script for each job."""
        duty = CommandDuty(("sh", "-c", script), {"FOLDER": str(self.folder)}, concurrency)
        return self.work(duty, *others, timeout=timeout, **options)

    def work(self, duty: Duty, *others: ManualSearch, timeout: float | None = None, **options: Any) -> Summary:
        """Let a worker do its duty."""
        plan = Plan(
            allow_empty=False,
            grace=60.0,
            terminal=Terminal({}, several=False),
            timeout=timeout,
        )
        return Worker(
            self.exp.session, [self.exp, *others], duty, plan, Options(**options), NoHeartbeats(), self.told.append
        ).run()

    def send(self, numbers: list[signal.Signals]) -> None:
        """Send signals to this process once the first command has begun, each after the one before was heeded."""
        eventually(lambda: (self.folder / "begun").exists() or None)
        main = threading.main_thread().ident
        assert main is not None
        for number in numbers:
            signal.pthread_kill(main, number)
            eventually(lambda: any(line.startswith(number.name) for line in self.told))  # noqa: B023 -- at once
        (self.folder / "heard").touch()

    def statuses(self) -> list[str]:
        """Return the states of the jobs by age."""
        return [job.status for job in self.exp.all_jobs()]


@pytest.fixture
def shop(db: sweepstake.Database, tmp_path: Path) -> Shop:
    """An experiment with three jobs, each of which is tried once."""
    exp = db.add_experiment(ManualSearch("exp", max_attempts=1))
    exp.add_jobs([{}, {}, {}])
    return Shop(exp, tmp_path)


@pytest.mark.parametrize(
    "script, outcome, status",
    [
        (RESULTS, Outcome.DONE, "DONE"),
        ("true", Outcome.CRASHED, "CRASHED"),
        (FAILING, Outcome.CRASHED, "CRASHED"),
        ("kill -KILL $$", Outcome.CRASHED, "CRASHED"),
        ("exit 75", Outcome.RELEASED, "QUEUED"),
    ],
)
def test_the_exit_code_decides_of_the_job(shop: Shop, script: str, outcome: Outcome, status: str) -> None:
    """One job is begun where no more are wanted, and its end is counted and recorded."""
    summary = shop.run(script, max_jobs=1)
    assert summary == Summary(outcomes=summary.outcomes)
    assert dict(summary.outcomes) == {outcome: 1}
    assert shop.statuses() == [status, "QUEUED", "QUEUED"]


def test_it_works_until_there_is_no_job(shop: Shop) -> None:
    """Each is begun and ended in a line of its own."""
    assert dict(shop.run(RESULTS).outcomes) == {Outcome.DONE: 3}
    assert [line.split(": ")[1].split()[0] for line in shop.told] == ["attempt", "done"] * 3


def test_a_crash_may_be_the_last(shop: Shop) -> None:
    """Of three jobs that crash the first is enough for who asked for that; else all are tried."""
    assert dict(shop.run(FAILING, stop_on_crash=True).outcomes) == {Outcome.CRASHED: 1}
    assert dict(shop.run(FAILING).outcomes) == {Outcome.CRASHED: 2}


def test_a_machine_that_fails_job_after_job_takes_no_more(shop: Shop) -> None:
    """The reason names how many and the last of them."""
    summary = shop.run(FAILING, crashes=2)
    assert summary.tripped == "2 jobs in a row crashed within 10 s each, the last with: exit code 3"
    assert shop.statuses() == ["CRASHED", "CRASHED", "QUEUED"]


def test_a_timeout_ends_a_job_and_is_no_fault_of_the_machine(shop: Shop) -> None:
    """It is a crash that does not count for the breaker."""
    summary = shop.run(LASTING, timeout=0.1, crashes=1, max_jobs=1)
    assert (dict(summary.outcomes), summary.tripped) == ({Outcome.CRASHED: 1}, "")
    assert next(iter(shop.exp.all_jobs())).attempts()[0].reason == "ran longer than its timeout of 0.1 s"


def test_as_many_jobs_as_wanted_run_side_by_side(shop: Shop) -> None:
    """Three jobs that wait for each other all end."""
    meet = 'touch $FOLDER/met.$SWEEPSTAKE_JOB_ID; until [ "$(ls $FOLDER | grep -c met)" = 3 ]; do sleep 0.02; done'
    assert dict(shop.run(f"{meet}; {RESULTS}", concurrency=3).outcomes) == {Outcome.DONE: 3}


@pytest.mark.parametrize(
    "numbers, drain, script, told, outcome, status",
    [
        ([TERM], 60.0, f"{BEGUN}; {UNTIL_HEARD}; {RESULTS}", Stop.DRAIN, Outcome.DONE, "DONE"),
        ([TERM], 60.0, f"{BEGUN}; {UNTIL_HEARD}; {FAILING}", Stop.DRAIN, Outcome.CRASHED, "CRASHED"),
        ([TERM], 0.1, f"{BEGUN}; {LASTING}", Stop.END, Outcome.PREEMPTED, "QUEUED"),
        ([TERM], 0.0, f"{BEGUN}; {LASTING}", Stop.END, Outcome.PREEMPTED, "QUEUED"),
        ([TERM], 0.0, f'trap "{RESULTS}; exit 0" TERM; {BEGUN}; sleep 100 & wait', Stop.END, Outcome.DONE, "DONE"),
        ([TERM, INT], 60.0, f"{BEGUN}; {LASTING}", Stop.END, Outcome.PREEMPTED, "QUEUED"),
        ([TERM, INT], 0.0, f"trap '' TERM; {BEGUN}; {LASTING}", Stop.KILL, Outcome.PREEMPTED, "QUEUED"),
    ],
)
def test_signals_decide_of_the_job_that_runs(
    shop: Shop,
    numbers: list[signal.Signals],
    drain: float,
    script: str,
    told: Stop,
    outcome: Outcome,
    status: str,
) -> None:
    """It may go on, is asked to end, or is killed; its end is what it made of that, and no other job begins."""
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(shop.send, numbers)
        summary = shop.run(script, drain=drain)
        sent.result()
    assert (summary.step, summary.stopped_by, dict(summary.outcomes)) == (told, numbers[-1], {outcome: 1})
    assert shop.statuses() == [status, "QUEUED", "QUEUED"]


def test_a_signal_that_another_thread_takes_is_heard(shop: Shop) -> None:
    """The system gives a signal to any thread; the one that waits for signals learns of it at once."""

    def take() -> None:
        eventually((shop.folder / "begun").exists)
        signal.raise_signal(TERM)

    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(take)
        summary = shop.run(f"{BEGUN}; exec sleep 20", max_jobs=1)
        taken.result()
    assert (summary.stopped_by, dict(summary.outcomes)) == (TERM, {Outcome.PREEMPTED: 1})


def test_what_cannot_run_here_is_given_back(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without the program fails no job, and its worker says why it ends."""
    monkeypatch.setenv("PATH", str(tmp_path))
    summary = shop.run(RESULTS)
    assert isinstance(summary.failure, sweepstake.ConfigurationError)
    assert "'sh' cannot be started" in str(summary.failure)
    assert dict(summary.outcomes) == {Outcome.RELEASED: 1}
    assert shop.statuses() == ["QUEUED"] * 3


class _Odd(CommandDuty):
    """Meets what nobody thought of: when a job's room is given back, or when room is looked for after the first job."""

    def __init__(self, *, gives_back: bool) -> None:
        super().__init__(("sh", "-c", RESULTS), {}, 1)
        self._gives_back = gives_back
        self._opened = 0

    @contextmanager
    def open(self, experiment: Experiment, patience: Patience = usual_patience) -> Iterator[Opening | None]:
        self._opened += 1
        if self._opened > 1 and not self._gives_back:
            raise ZeroDivisionError
        with super().open(experiment, patience) as opening:
            yield opening

    def begin(self, claim: Claim, called: str, share: Share) -> Assignment:
        def end() -> None:
            assigned.end()
            if self._gives_back:
                raise ZeroDivisionError

        assigned = super().begin(claim, called, share)
        return attrs.evolve(assigned, end=end)


@pytest.mark.parametrize("gives_back", [True, False])
def test_what_nobody_thought_of_ends_a_worker(shop: Shop, gives_back: bool) -> None:
    """It does not wait for ever for a job that is over, whose end is reported all the same."""
    summary = shop.work(_Odd(gives_back=gives_back))
    assert (type(summary.failure), dict(summary.outcomes)) == (ZeroDivisionError, {Outcome.DONE: 1})
    assert shop.statuses() == ["DONE", "QUEUED", "QUEUED"]


def test_an_experiment_that_is_gone_is_left_out(shop: Shop, db: sweepstake.Database) -> None:
    """The others go on; where there is no other, that is an error."""
    gone = db.add_experiment(ManualSearch("gone"))
    db.get_experiment("gone").delete()
    assert dict(shop.run(RESULTS, gone).outcomes) == {Outcome.DONE: 3}
    assert [line for line in shop.told if "going on without it" in line]
    assert isinstance(Shop(gone, shop.folder).run(RESULTS).failure, sweepstake.NotFoundError)


def test_an_experiment_that_is_gone_keeps_no_gpu(shop: Shop, db: sweepstake.Database) -> None:
    """What was locked to ask it for a job is there for the jobs of the others."""
    gone = db.add_experiment(ManualSearch("gone"))
    db.get_experiment("gone").delete()
    book = GuardedBook(Slots(cpus=1.0, gpus=("0",)), GpuLocks(shop.folder))
    duty = CommandDuty(("sh", "-c", RESULTS), {}, 1, gpus_per_job=1, book=book)
    assert dict(shop.work(duty, gone).outcomes) == {Outcome.DONE: 3}
    assert book.free.gpus == 1


def test_a_paused_experiment_is_not_waited_for(shop: Shop) -> None:
    """There is nothing to begin, and a line says why."""
    shop.exp.pause()
    assert not shop.run(RESULTS).outcomes
    assert ["paused" in line for line in shop.told] == [True]
