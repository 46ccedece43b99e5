"""`sweepstake batch run`, inside an allocation of a real Slurm that somebody has already."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweepstake import Database, Job, ManualSearch
from sweepstake.domain.batches.records import BatchRecord, BatchStatus
from sweepstake.domain.status import Outcome
from tests.kit.commands import RESULTS, begun, python, until_told
from tests.kit.lab import eventually
from tests.kit.shell import Shell
from tests.kit.slurm import Slurm

__all__: list[str] = []


@pytest.fixture
def exp(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ManualSearch:
    """An experiment without jobs."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    return db.add_experiment(ManualSearch("e"))


@pytest.fixture
def allocation(cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Be in an allocation of two nodes, and give its id."""
    cluster.run("salloc", "--no-shell", "--nodes=2", "--cpus-per-task=2", "--time=5")
    (jobid,) = cluster.run("squeue", "-h", "-o", "%i").split()
    monkeypatch.setenv("SLURM_JOB_ID", jobid)
    yield jobid
    cluster.run("scancel", jobid)


def running(*options: str, script: str = RESULTS) -> tuple[str, ...]:
    """Return the arguments that run what waits, with a command of a shell."""
    return ("batch", "run", "e", "--estimate", "2s", *options, "--", "sh", "-c", script)


def batches(exp: ManualSearch) -> list[BatchRecord]:
    """Return all submissions."""
    return list(exp.session.queue.list_batches(exp.reference).items)


def steps(cluster: Slurm) -> list[str]:
    """Return what runs in allocations."""
    return cluster.run("squeue", "--steps", "-h", "-o", "%i").split()


def test_all_nodes_of_the_allocation_are_used(
    cluster: Slurm, allocation: str, exp: ManualSearch, shell: Shell, tmp_path: Path
) -> None:
    """Side by side, each job once, those first that others wait for; the allocation is left as it was."""
    first = [exp.add_job({}) for _ in range(8)]
    last = exp.add_job({}, depends_on=first)
    script = f"echo $SLURMD_NODENAME >> {tmp_path}/nodes; sleep 0.3; {RESULTS}"
    ran = shell.run(*running("--duration", "1m", script=script))
    assert "has 2 nodes of 2 cpus and 0 gpus for 5 min more" in ran.stdout
    assert {(job.status, job.attempt) for job in exp.all_jobs()} == {(Job.DONE, 1)}
    used = (tmp_path / "nodes").read_text().split()
    assert sorted(set(used[:8])) == ["n1", "n2"]
    assert min(used[:8].count(node) for node in ("n1", "n2")) >= 3
    ends = [exp.get_job(each.job_id).record.ended_at or 0.0 for each in first]
    assert (exp.get_job(last.job_id).record.started_at or 0.0) >= max(ends)
    found = batches(exp)
    assert {(each.status, each.allocation, each.backend) for each in found} == {(BatchStatus.ENDED, "DONE", "in-slurm")}
    assert all(re.fullmatch(rf"{allocation}\.\w+", each.jobid or "") for each in found)
    assert (steps(cluster), cluster.run("squeue", "-h", "-o", "%T").strip()) == ([], "RUNNING")


def until_said(process: "subprocess.Popen[str]", words: str) -> None:
    """Wait until a process has said something."""
    assert process.stdout is not None
    said = b""
    while words.encode() not in said:
        more = os.read(process.stdout.fileno(), 1000)
        assert more, process.communicate()
        said += more


def test_ctrl_c_asks_and_leaves_nothing_behind(
    cluster: Slurm, allocation: str, exp: ManualSearch, shell: Shell, tmp_path: Path
) -> None:
    """First it goes on, then its jobs are given back within seconds, and the allocation is still there."""
    jobs = [exp.add_job({}) for _ in range(2)]
    terminal, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        options = ("--estimate", "2s", "--count", "max")
        process = shell.start("batch", "run", "e", *options, *python(until_told(tmp_path)), stdin=stdin)
    begun(tmp_path, *jobs)
    os.killpg(process.pid, signal.SIGINT)
    until_said(process, "End what runs here")
    os.write(terminal, b"n\n")
    until_said(process, "Going on.")
    os.killpg(process.pid, signal.SIGINT)
    until_said(process, "End what runs here")
    os.write(terminal, b"y\n")
    out, err = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 130, (out, err)
    assert "2 batches ended" in err
    attempts = [exp.get_job(job.job_id).attempts() for job in jobs]
    assert [each.outcome for several in attempts for each in several] == [Outcome.PREEMPTED] * 2
    assert {each.status for each in batches(exp)} == {BatchStatus.ENDED}
    eventually(lambda: steps(cluster) == [])
    assert cluster.run("squeue", "-h", "-o", "%i %T").split() == [allocation, "RUNNING"]


def test_one_that_was_killed_goes_on_with_what_runs(
    allocation: str, exp: ManualSearch, shell: Shell, tmp_path: Path
) -> None:
    """What it has started on the nodes goes on without it, and nothing is started beside that."""
    del allocation
    for _ in range(3):
        exp.add_job({})
    command = running("--count", "max", script=f"while [ ! -e {tmp_path}/go ]; do sleep 0.1; done; {RESULTS}")
    before = shell.start(*command)
    eventually(lambda: exp.counts().running == 2)
    before.kill()
    before.communicate()
    after = shell.start(*command)
    assert after.stdout is not None
    told = [after.stdout.readline() for _ in range(3)]
    assert all("RUNNING" in each for each in told[1:]), told
    (tmp_path / "go").touch()
    out, err = after.communicate(timeout=120)
    assert (after.returncode, err) == (0, ""), out
    assert {(job.status, job.attempt) for job in exp.all_jobs()} == {(Job.DONE, 1)}
    assert [each.number for each in batches(exp)] == [1, 1, 1]


def test_it_ends_with_its_allocation(
    cluster: Slurm, allocation: str, exp: ManualSearch, shell: Shell, tmp_path: Path
) -> None:
    """What ran there is given back, and nothing is started any more."""
    job = exp.add_job({})
    process = shell.start("batch", "run", "e", "--estimate", "2s", *python(until_told(tmp_path)))
    begun(tmp_path, job)
    cluster.run("scancel", allocation)
    out, err = process.communicate(timeout=60)
    assert f"The allocation {allocation} is over." in err, (out, err)
    assert [each.outcome for each in exp.get_job(job.job_id).attempts()] == [Outcome.PREEMPTED]


def test_what_does_not_fit_in_what_is_left_is_not_begun(allocation: str, exp: ManualSearch, shell: Shell) -> None:
    """It ends at once, and says so."""
    del allocation
    exp.add_job({})
    ran = shell.run("batch", "run", "e", "--estimate", "1h", "--", "true")
    assert "1 job left out, as they need 1 h, of which 5 min are left" in ran.stderr
    assert batches(exp) == []


def test_outside_of_any_allocation_it_says_where_it_runs(exp: ManualSearch, shell: Shell) -> None:
    """And what to do instead."""
    exp.add_job({})
    ran = shell.run("batch", "run", "e", "--estimate", "1s", "--", "true", code=1)
    assert "inside an allocation that you have: of Slurm (salloc), Flux (flux alloc) or PBS (qsub -I)" in ran.stderr
