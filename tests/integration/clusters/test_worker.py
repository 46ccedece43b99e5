"""A worker in allocations of a real Slurm."""

import os
import signal
import sys
from pathlib import Path

import pytest

from sweepstake import Database, Job, ManualSearch
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.backends.submissions import Site, Submission
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import AllocationState, BatchDraft, BatchRecord, BatchStatus
from sweepstake.domain.status import Outcome
from tests.kit.checkout import ROOT
from tests.kit.commands import begun, lasting, python, until_told
from tests.kit.lab import draft, eventually
from tests.kit.slurm import Slurm
from tests.kit.tasks import put_task

NAME = "sw-batch"
#: The sweepstake of this environment, with the commands that it runs.
WORKER = [sys.executable, "-c", "from sweepstake.cli import main; main()", "worker", "e", "--batch"]


@pytest.fixture
def backend(cluster: Slurm) -> Scheduler:
    """Give the backend."""
    del cluster
    return Scheduler(SlurmDialect())


@pytest.fixture
def exp(db: Database) -> ManualSearch:
    """An experiment without jobs."""
    return db.add_experiment(ManualSearch("e"))


def submit(
    backend: Scheduler, url: str, folder: Path, *arguments: str, nodes: int = 1, extra: tuple[str, ...] = ()
) -> str:
    """Ask for an allocation of a minute in which a worker runs the batch, and return its id."""
    site = Site(environment={"SWEEPSTAKE_URL": url, "PYTHONPATH": str(ROOT)}, extra=extra)
    asked = Submission(
        name=NAME, commands=[[*WORKER, *arguments]], time_limit=60, folder=folder, site=site, nodes=nodes
    )
    (jobid,) = backend.submit(asked)
    return jobid


def intend(exp: Experiment, *jobs: Job, nodes: int = 1) -> None:
    """State that a batch of these jobs is about to be submitted."""
    draft = BatchDraft(id="b", jobs=tuple(job.job_id for job in jobs), backend="slurm", timeout=60.0, nodes=nodes)
    exp.session.queue.intend_batches(exp.reference, [draft])


def batch(exp: Experiment) -> BatchRecord:
    """Return the batch as it stands."""
    return exp.session.queue.get_batch(exp.reference, "b")


def wait_for(backend: Scheduler, jobid: str, state: AllocationState) -> None:
    """Wait until an allocation has come to a state."""
    eventually(lambda: backend.poll({jobid: NAME})[jobid].state is state or None)


def test_a_batch_runs_in_one_allocation(backend: Scheduler, exp: ManualSearch, url: str, tmp_path: Path) -> None:
    """A second one of the same batch ends at once, and well, while the first runs and when it is over."""
    jobs = [exp.add_job({}) for _ in range(3)]
    intend(exp, *jobs)
    arguments = ["b/1", "--concurrency", "2", *python(until_told(tmp_path))]
    first = submit(backend, url, tmp_path, *arguments)
    pids = begun(tmp_path, *jobs[:2])
    assert (batch(exp).jobid, batch(exp).status) == (first, BatchStatus.BEGUN)
    wait_for(backend, submit(backend, url, tmp_path, *arguments), AllocationState.DONE)
    assert [exp.get_job(job.job_id).status for job in jobs] == [Job.RUNNING, Job.RUNNING, Job.QUEUED]
    for pid in pids:
        os.kill(pid, signal.SIGUSR1)
    (last,) = begun(tmp_path, jobs[2])
    os.kill(last, signal.SIGUSR1)
    wait_for(backend, first, AllocationState.DONE)
    assert [exp.get_job(job.job_id).attempt for job in jobs] == [1, 1, 1]
    assert (batch(exp).status, batch(exp).counts.done) == (BatchStatus.ENDED, 3)
    wait_for(backend, submit(backend, url, tmp_path, *arguments), AllocationState.DONE)


def test_what_is_cancelled_is_given_back(
    backend: Scheduler, cluster: Slurm, exp: ManualSearch, url: str, tmp_path: Path
) -> None:
    """Slurm signals the worker and the command at once; the job is queued again, as preempted, within seconds."""
    job = exp.add_job({})
    intend(exp, job)
    jobid = submit(backend, url, tmp_path, "b/1", *python(until_told(tmp_path)))
    begun(tmp_path, job)
    cluster.run("scancel", jobid)
    eventually(lambda: exp.get_job(job.job_id).status == Job.QUEUED, within=10)
    assert [each.outcome for each in exp.get_job(job.job_id).attempts()] == [Outcome.PREEMPTED]
    eventually(lambda: batch(exp).status is BatchStatus.ENDED, within=10)
    assert "left of its jobs: 1 ready" in batch(exp).reason
    wait_for(backend, jobid, AllocationState.CANCELLED)


def test_the_next_allocation_goes_on_from_the_checkpoint(
    backend: Scheduler, cluster: Slurm, exp: ManualSearch, url: str, tmp_path: Path
) -> None:
    """On another node: the folder is the job's own, wherever it runs."""
    job = exp.add_job({})
    script = """last = pathlib.Path(os.environ['SWEEPSTAKE_CHECKPOINT_DIR'], 'last')
if last.exists():
    print('--- RESULTS ---'); print('node:', last.read_text(), os.environ['SLURMD_NODENAME'])
    print('--- END RESULTS ---')
    raise SystemExit
last.write_text(os.environ['SLURMD_NODENAME'])
"""
    command = python(lasting(tmp_path, script))
    intend(exp, job)
    first = submit(backend, url, tmp_path, "b/1", *command, extra=("--nodelist=n1",))
    begun(tmp_path, job)
    cluster.run("scancel", first)
    eventually(lambda: batch(exp).status is BatchStatus.ENDED, within=10)
    intend(exp, job)
    wait_for(backend, submit(backend, url, tmp_path, "b/2", *command, extra=("--nodelist=n2",)), AllocationState.DONE)
    assert exp.get_job(job.job_id).results == {"node": "n1 n2"}


def test_the_nodes_of_an_allocation_share_a_batch(
    backend: Scheduler, cluster: Slurm, exp: ManualSearch, url: str, tmp_path: Path
) -> None:
    """A worker runs on each, and what is cancelled is given back by each."""
    jobs = [exp.add_job({}) for _ in range(2)]
    intend(exp, *jobs, nodes=2)
    jobid = submit(backend, url, tmp_path, "b/1", *python(until_told(tmp_path)), nodes=2)
    begun(tmp_path, *jobs)
    cluster.run("scancel", jobid)
    eventually(lambda: [exp.get_job(job.job_id).status for job in jobs] == [Job.QUEUED] * 2, within=10)
    attempts = [exp.get_job(job.job_id).attempts() for job in jobs]
    assert [each.outcome for several in attempts for each in several] == [Outcome.PREEMPTED] * 2
    wait_for(backend, jobid, AllocationState.CANCELLED)


def test_a_gang_has_a_node_for_each_of_its_jobs(
    backend: Scheduler, cluster: Slurm, exp: ManualSearch, url: str, tmp_path: Path
) -> None:
    """They meet, each on a node that has room for one; when they are cancelled each is given back in its grace."""
    script = (
        'trap "sleep 2; echo $SLURMD_NODENAME >> $FOLDER/saved; exit 1" TERM; echo $SLURMD_NODENAME >> $FOLDER/begun; '
        "while :; do sleep 0.1; done"
    )
    variables = [{"name": "FOLDER", "value": str(tmp_path)}]
    put_task(exp.session.queue, exp.name, script, replicas=2, resources={"cpuCount": 8}, envVars=variables)
    exp.session.queue.add_jobs(exp.name, [draft(f"g{rank}", task="main", gang="g", rank=rank) for rank in range(2)])
    intended = BatchDraft(id="b", jobs=("g0", "g1"), backend="slurm", timeout=60.0, nodes=2)
    exp.session.queue.intend_batches(exp.reference, [intended])
    slots = ("--no-container", "--slots", "cpus=8,gpus=0")
    jobid = submit(backend, url, tmp_path, "b/1", *slots, nodes=2)
    eventually(lambda: nodes_in(tmp_path / "begun") == ["n1", "n2"])
    cluster.run("scancel", jobid)
    eventually(lambda: exp.counts().running == 0, within=10)
    assert nodes_in(tmp_path / "saved") == ["n1", "n2"]
    ends = [each.outcome for job in ("g0", "g1") for each in exp.get_job(job).attempts()]
    assert ends == [Outcome.PREEMPTED] * 2
    wait_for(backend, jobid, AllocationState.CANCELLED)


def nodes_in(file: Path) -> list[str]:
    """Return the nodes that are named in a file."""
    return sorted(file.read_text().split()) if file.exists() else []
