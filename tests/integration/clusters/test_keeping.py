"""`sweepstake batch keep`, with allocations that are processes of this machine, and on a real Slurm."""

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sweepstake import Database, Job, ManualSearch
from sweepstake.batch.backends.local.machine import LocalMachine
from sweepstake.batch.backends.submissions import Submission
from sweepstake.batch.keeping import Keeper
from sweepstake.batch.packing import Packing
from sweepstake.batch.wishes import Wishes
from sweepstake.domain.batches.records import AllocationState, BatchStatus
from sweepstake.domain.drafts import Finish
from sweepstake.domain.status import Outcome
from tests.kit.commands import RESULTS
from tests.kit.lab import eventually
from tests.kit.shell import Command, Shell
from tests.kit.slurm import Slurm

__all__: list[str] = []

#: Each job is a batch of its own, unless --duration says otherwise.
OPTIONS = ("--capacity", "nodes=1,cpus=1", "--estimate", "1s", "--duration")


@pytest.fixture
def exp(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ManualSearch:
    """An experiment without jobs."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    return db.add_experiment(ManualSearch("e"))


@pytest.fixture(autouse=True)
def none_left_behind(shell: Shell, exp: ManualSearch) -> Iterator[None]:
    """End what a test that failed has left."""
    del exp
    yield
    shell.run("batch", "cancel", "e", "--yes")


def kept(most: int, duration: str, script: str, backend: str = "local") -> tuple[str, ...]:
    """Return the arguments that keep allocations up for jobs that are a shell's script."""
    limits = ("--backend", backend, "--max-allocations", str(most))
    return ("batch", "keep", "e", *limits, *OPTIONS, duration, "--", "sh", "-c", script)


def waiting(go: Path) -> str:
    """Return a script that ends when a file is there."""
    return f"while [ ! -e {go} ]; do sleep 0.1; done; {RESULTS}"


def allocations(tmp_path: Path) -> list[Path]:
    """Return the folders of all allocations of this machine that ever were."""
    return list((tmp_path / "state" / "allocations").glob("*"))


def running(tmp_path: Path, number: int) -> bool:
    """Tell whether so many allocations run."""
    found = allocations(tmp_path)
    return sum((each / "command.json").exists() and not (each / "ended.json").exists() for each in found) == number


def most_at_once(tmp_path: Path) -> int:
    """Return how many allocations were up at a time at most, from when they were asked for to when they had ended."""
    moments = list[tuple[float, int]]()
    for each in allocations(tmp_path):
        moments.append((json.loads((each / "asked.json").read_text())["asked_at"], 1))
        moments.append(((each / "ended.json").stat().st_mtime, -1))
    up, most = 0, 0
    for _, change in sorted(moments):
        up += change
        most = max(most, up)
    return most


def test_no_more_are_up_than_its_number_and_it_ends_with_the_sweep(
    exp: ManualSearch, shell: Shell, tmp_path: Path
) -> None:
    """Each job runs once, those first that others wait for; a line tells each change."""
    first = [exp.add_job({}) for _ in range(4)]
    last = exp.add_job({}, depends_on=first)
    ran = shell.run(*kept(2, "2s", RESULTS))
    assert {(job.status, job.attempt) for job in exp.all_jobs()} == {(Job.DONE, 1)}
    ends = [exp.get_job(each.job_id).record.ended_at or 0.0 for each in first]
    assert (exp.get_job(last.job_id).record.started_at or 0.0) >= max(ends)
    assert most_at_once(tmp_path) == 2
    made = len(allocations(tmp_path))
    assert ran.stdout.count("PENDING: ") == ran.stdout.count("ended, DONE: ") == made
    assert shell.run(*kept(2, "2s", RESULTS)).stdout == ""


def test_one_that_was_killed_goes_on_with_what_is_up(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """As if nothing had been: no allocation is left behind, and none is one too many."""
    for _ in range(3):
        exp.add_job({})
    command = kept(2, "1s", waiting(tmp_path / "go"))
    before = shell.start(*command)
    eventually(lambda: running(tmp_path, 2))
    before.kill()
    before.communicate()
    after = shell.start(*command)
    assert after.stdout is not None
    told = [after.stdout.readline(), after.stdout.readline()]
    assert all("batch " in each for each in told)
    (tmp_path / "go").touch()
    out, err = after.communicate(timeout=120)
    assert (after.returncode, err) == (0, ""), out
    assert {(job.status, job.attempt) for job in exp.all_jobs()} == {(Job.DONE, 1)}
    assert (len(allocations(tmp_path)), most_at_once(tmp_path)) == (3, 2)


def interrupted(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Press Ctrl-C, and return what is said then."""
    os.killpg(process.pid, signal.SIGINT)
    told: tuple[str, str] = process.communicate(timeout=60)
    assert process.returncode == 130, told
    return told


def test_ctrl_c_asks_whether_the_allocations_end_as_well(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """Where nobody can answer they are left, as that is said; their jobs are given back when they end."""
    job = exp.add_job({})
    command = kept(1, "1s", waiting(tmp_path / "go"))
    first = shell.start(*command)
    eventually(lambda: running(tmp_path, 1) and exp.get_job(job.job_id).status == Job.RUNNING)
    _, err = interrupted(first)
    assert "Not ended: 1 allocation. `sweepstake batch cancel e` does that" in err
    assert running(tmp_path, 1)
    terminal, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        second = shell.start(*command, stdin=stdin)
    assert second.stdout is not None
    assert "batch " in second.stdout.readline()
    os.write(terminal, b"y\n")
    out, _ = interrupted(second)
    os.close(terminal)
    assert "End 1 allocation as well? [y/N]: " in out
    assert "1 allocation ended." in out
    assert running(tmp_path, 0)
    assert exp.get_job(job.job_id).status == Job.QUEUED
    assert len(allocations(tmp_path)) == 1


def test_jobs_that_no_allocation_begins_are_given_up(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """After the second, with those that wait for them; that is told, and where to look."""
    lost = exp.add_job({})
    exp.add_job({}, depends_on=[lost])
    limits = ("--backend", "local", "--max-allocations", "1")
    ran = shell.run("batch", "keep", "e", *limits, *OPTIONS, "1s", "--", "./no-such-program", code=1)
    assert "1 job left out, as they did not begin in 2 allocations" in ran.stderr
    assert "1 job left out, as they wait for jobs that are given up" in ran.stderr
    assert len(allocations(tmp_path)) == 2
    assert {job.status for job in exp.all_jobs()} == {Job.QUEUED}


class Short(LocalMachine):
    """Gives each allocation so little time that its jobs are given back before anybody looks."""

    def __init__(self, state: Path, exp: ManualSearch) -> None:
        super().__init__(state)
        self.exp = exp

    def submit(self, submission: Submission) -> Sequence[str]:
        """Be an allocation from its begin to its end."""
        queue, reference = self.exp.session.queue, self.exp.reference
        [batch] = queue.list_batches(reference, live=True).items
        queue.begin_batch(reference, batch.id, batch.number, "7")
        for claim in queue.claim_jobs(reference, "w", 1, ids=batch.jobs).claims:
            end = Finish(attempt=claim.key, outcome=Outcome.PREEMPTED)
            queue.finish(reference, claim.job.id, end, key=queue.new_id())
        over, done = BatchStatus.ENDED, AllocationState.DONE
        queue.note_batch(reference, batch.id, batch.number, status=over, allocation=done)
        return ["7"]


def test_jobs_that_are_given_back_are_submitted_again(exp: ManualSearch, tmp_path: Path) -> None:
    """However often all jobs of an allocation have been: they began."""
    job = exp.add_job({})
    wishes = Wishes(backend="local", capacity="cpus=1", estimate=1.0, command=["true"])
    packing, backend = Packing(exp, wishes), Short(tmp_path / "state", exp)
    keeper = Keeper(exp, backend=backend, backends=lambda _: backend, pack=packing.work, most=9, tell=print)
    for _ in range(4):
        assert not keeper.look()
    assert (keeper.given_up, len(exp.get_job(job.job_id).attempts())) == ({}, 4)


def test_on_slurm_no_more_are_up_than_its_number(cluster: Slurm, exp: ManualSearch, sw: Command) -> None:
    """PENDING and RUNNING together, at every moment."""
    for _ in range(6):
        exp.add_job({})
    over, seen = threading.Event(), set[int]()

    def look() -> None:
        while not over.wait(0.1):
            seen.add(len(cluster.run("squeue", "-h", "-r", "-t", "PENDING,RUNNING").splitlines()))

    looks = threading.Thread(target=look)
    looks.start()
    try:
        ran = sw(*kept(2, "2s", RESULTS, "slurm"))
    finally:
        over.set()
        looks.join()
    assert {(job.status, job.attempt) for job in exp.all_jobs()} == {(Job.DONE, 1)}
    assert max(seen) == 2
    assert ran.out.count("ended, DONE: ") == ran.out.count("PENDING: ") >= 3
