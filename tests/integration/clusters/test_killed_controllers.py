"""What a real slurmctld does that was killed with -9, and a node that goes down: the queue knows better."""

import time
from pathlib import Path

import pytest

from sweepstake import Database, Job, ManualSearch
from sweepstake.batch.backends.allocations import AllocationState
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.backends.submissions import Site, Submission
from sweepstake.batch.settling import all_batches
from sweepstake.domain.batches.records import BatchRecord, BatchStatus
from sweepstake.domain.status import Outcome
from tests.kit.commands import RESULTS, begun, lasting, python
from tests.kit.lab import eventually
from tests.kit.shell import Shell
from tests.kit.slurm import NODES, Slurm

__all__: list[str] = []

#: Seconds within which slurmctld has written down what it knows.
WRITTEN = 6.0
OPTIONS = ("e", "--backend", "slurm", "--capacity", "nodes=1,cpus=1", "--estimate", "1s", "--duration", "1s")


@pytest.fixture
def exp(db: Database, tmp_path: Path, cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> ManualSearch:
    """An experiment without jobs."""
    del cluster
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    return db.add_experiment(ManualSearch("e"))


def test_a_number_that_was_given_out_again_is_anothers(cluster: Slurm, tmp_path: Path) -> None:
    """It is neither believed nor cancelled without its name."""
    backend = Scheduler(SlurmDialect())

    def submit(name: str) -> str:
        held = Site(extra=["--hold"])
        (jobid,) = backend.submit(Submission(name=name, commands=[["true"]], time_limit=60, folder=tmp_path, site=held))
        return jobid

    before = cluster.written_down()
    jobid = submit("sw-first")
    cluster.forget_since(before)
    assert backend.find(["sw-first"]) == {}
    while (other := submit("sw-other")) != jobid:
        assert int(other) < int(jobid)
    found = backend.poll({jobid: "sw-first"})[jobid]
    assert found.gone
    assert "gave its number out again, to 'sw-other'" in found.reason
    backend.cancel({jobid: "sw-first"})
    assert backend.poll({other: "sw-other"})[other].state is AllocationState.PENDING


def test_what_comes_back_as_pending_runs_nothing(
    cluster: Slurm, exp: ManualSearch, shell: Shell, tmp_path: Path
) -> None:
    """Its batch is over, so that its worker ends at once, and well."""
    job = exp.add_job({})
    shell.run("batch", "submit", *OPTIONS, "--sbatch-arg=--hold", "--", "sh", "-c", RESULTS)
    (batch,) = all_batches(exp)
    assert batch.jobid is not None
    eventually(lambda: batch.name.encode() in (cluster.folder / "state" / "job_state").read_bytes())
    before = cluster.written_down()
    cluster.run("scontrol", "release", batch.jobid)
    eventually(lambda: "COMPLETED" in squeue(cluster, "--states=all", f"--jobs={batch.jobid}"))
    cluster.forget_since(before)
    assert squeue(cluster, f"--jobs={batch.jobid}") == "PENDING"
    assert "No batch is under way." in shell.run("batch", "status", "e").stdout
    cluster.run("scontrol", "release", batch.jobid)
    eventually(lambda: "COMPLETED" in squeue(cluster, "--states=all", f"--jobs={batch.jobid}"))
    assert "there is nothing to do for" in (tmp_path / "state" / "batches" / f"{batch.jobid}.log").read_text()
    assert [(each.status, each.attempt) for each in exp.all_jobs()] == [(Job.DONE, 1)]
    assert exp.get_job(job.job_id).status == Job.DONE


@pytest.mark.full
def test_one_that_stays_running_does_not_count(cluster: Slurm, exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """For minutes Slurm says so of what ended just before: the queue knows better, and so do those who submit.

    `keep` goes on while slurmctld is killed once more.
    """
    go = tmp_path / "go"
    command = ("--", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.1; done; {RESULTS}")
    job = exp.add_job({})
    shell.run("batch", "submit", *OPTIONS, *command)
    eventually(lambda: exp.get_job(job.job_id).status == Job.RUNNING)
    begun_at, written = time.time(), cluster.folder / "state" / "job_state"
    eventually(lambda: written.stat().st_mtime > begun_at or time.time() > begun_at + WRITTEN)
    before = cluster.written_down()
    go.touch()
    (batch,) = all_batches(exp)
    eventually(lambda: "COMPLETED" in squeue(cluster, "--states=all", f"--name={batch.name}"))
    cluster.forget_since(before)
    assert squeue(cluster, f"--name={batch.name}") == "RUNNING"
    assert "No batch is under way." in shell.run("batch", "status", "e").stdout
    go.unlink()
    more = exp.add_job({})
    keeper = shell.start("batch", "keep", *OPTIONS[:-2], "--max-allocations", "1", *command)
    eventually(lambda: exp.get_job(more.job_id).status == Job.RUNNING)
    cluster.kill_controller()
    cluster.start_controller()
    go.touch()
    out, err = keeper.communicate(timeout=90)
    assert (keeper.returncode, err) == (0, ""), out
    assert {(each.status, each.attempt) for each in exp.all_jobs()} == {(Job.DONE, 1)}


def test_a_node_that_goes_down_gives_its_jobs_to_the_next_submission(
    cluster: Slurm, exp: ManualSearch, shell: Shell, tmp_path: Path
) -> None:
    """Slurm does not start the allocation again: it was asked not to."""
    job = exp.add_job({})
    shell.run("batch", "submit", *OPTIONS, *python(lasting(tmp_path)))
    begun(tmp_path, job)
    (batch,) = all_batches(exp)
    for name in NODES:
        cluster.run("scontrol", "update", f"nodename={name}", "state=down", "reason=test")
    try:
        eventually(lambda: exp.get_job(job.job_id).status == Job.QUEUED)
        assert "No batch is under way." in shell.run("batch", "status", "e").stdout
        assert "NODE_FAIL" in squeue(cluster, "--states=all", f"--jobs={batch.jobid}")
    finally:
        cluster.resume()
    assert [each.outcome for each in exp.get_job(job.job_id).attempts()] == [Outcome.PREEMPTED]
    shell.run("batch", "submit", *OPTIONS, "--", "sh", "-c", RESULTS)
    eventually(lambda: exp.get_job(job.job_id).status == Job.DONE)
    assert [(each.number, each.status) for each in eventually_over(exp)] == [
        (1, BatchStatus.ENDED),
        (2, BatchStatus.ENDED),
    ]


def eventually_over(exp: ManualSearch) -> list[BatchRecord]:
    """Return all submissions once they are over."""
    eventually(lambda: all(each.status is BatchStatus.ENDED for each in all_batches(exp)))
    return list(all_batches(exp))


def squeue(cluster: Slurm, *chosen: str) -> str:
    """Return the states of some allocations."""
    return cluster.run("squeue", "--noheader", "--format=%T", *chosen, check=False).strip()
