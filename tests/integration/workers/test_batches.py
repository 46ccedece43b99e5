"""`sweepstake worker --batch`: real commands, in what takes the place of an allocation."""

import os
import re
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sweepstake import Database, Job, ManualSearch
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import AllocationState, BatchDraft, BatchRecord, BatchStatus
from sweepstake.domain.batches.vain import IN_VAIN, OUT_OF_TIME
from sweepstake.domain.status import Outcome
from sweepstake.worker.allocation.duty import IDLE
from tests.kit.commands import BLOCK, alive, begun, lasting, python, until_told
from tests.kit.lab import draft, eventually
from tests.kit.shell import Shell
from tests.kit.tasks import put_task

TELL = f"import os; print('ran', os.environ['SWEEPSTAKE_JOB_ID'])\n{BLOCK}"
#: What tells a worker that it is in an allocation of a cluster, which has none here.
VARIABLES = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}


@pytest.fixture
def exp(db: Database) -> ManualSearch:
    """An experiment without jobs."""
    return db.add_experiment(ManualSearch("e"))


def intend(exp: Experiment, *jobs: Job, **more: Any) -> None:
    """State that a batch `b` of these jobs is about to be submitted."""
    draft = BatchDraft(id="b", jobs=tuple(job.job_id for job in jobs), backend="local", **more)
    exp.session.queue.intend_batches(exp.reference, [draft])


def found(exp: Experiment) -> BatchRecord:
    """Return the batch as it stands."""
    return exp.session.queue.get_batch(exp.reference, "b")


def statuses(exp: Experiment, *jobs: Job) -> list[str]:
    """Return the states of jobs."""
    return [exp.get_job(job.job_id).status for job in jobs]


def test_it_runs_the_jobs_of_its_batch_in_their_order(exp: ManualSearch, shell: Shell) -> None:
    """And no other; at its end the batch is over, and another worker of it has nothing to do."""
    jobs = [exp.add_job({}) for _ in range(4)]
    intend(exp, jobs[3], jobs[0], jobs[2])
    ran = shell.run("worker", "e", "--batch", "b/1", *python(TELL))
    assert re.findall("ran (.*)", ran.stdout) == [jobs[i].job_id for i in (3, 0, 2)]
    assert statuses(exp, *jobs) == [Job.DONE, Job.QUEUED, Job.DONE, Job.DONE]
    batch = found(exp)
    assert (batch.status, batch.allocation) == (BatchStatus.ENDED, AllocationState.DONE)
    assert batch.reason == "left of its jobs: none"
    again = shell.run("worker", "e", "--batch", "b/1", *python(TELL))
    assert (again.stdout, "is over (DONE)" in again.stderr) == ("", True)
    assert "has no submission 1" in shell.run("worker", "e", "--batch", "c/1", *python(TELL)).stderr


def test_a_batch_that_another_allocation_has_begun_is_left_to_it(exp: ManualSearch, shell: Shell) -> None:
    """The scheduler's id tells allocations apart; one that is named so may begin it again."""
    job = exp.add_job({})
    intend(exp, job)
    exp.session.queue.begin_batch(exp.reference, "b", 1, "7_2")
    told = shell.run("worker", "e", "--batch", "b/1", *python(TELL)).stderr
    assert "was begun by the allocation 7_2" in told
    assert statuses(exp, job) == [Job.QUEUED]
    with closing(Shell(shell.url, VARIABLES)) as inside:
        inside.run("worker", "e", "--batch", "b/1", *python(TELL))
    assert statuses(exp, job) == [Job.DONE]


def test_with_fill_it_runs_others_when_its_own_are_through(exp: ManualSearch, shell: Shell) -> None:
    """The batch's come first."""
    jobs = [exp.add_job({}) for _ in range(3)]
    intend(exp, jobs[2])
    ran = shell.run("worker", "e", "--batch", "b/1", "--fill", *python(TELL))
    assert re.findall("ran (.*)", ran.stdout) == [jobs[i].job_id for i in (2, 0, 1)]


def test_it_does_not_wait_for_jobs_that_others_have_to_end(exp: ManualSearch, shell: Shell) -> None:
    """A job that waits for one of another batch, and one that somebody else runs, keep no allocation up."""
    first, held = exp.add_job({}), exp.add_job({})
    blocked = exp.add_job({}, depends_on=[first])
    intend(exp, held, blocked)
    exp.session.queue.claim(exp.reference, "another", ids=[held.job_id])
    began = time.monotonic()
    shell.run("worker", "e", "--batch", "b/1", *python(TELL))
    assert time.monotonic() - began < IDLE
    assert found(exp).reason == "left of its jobs: 1 blocked, 1 running"


def test_workers_of_one_allocation_share_a_batch(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """Each takes a job; the batch is over when the last of them has ended."""
    jobs = [exp.add_job({}) for _ in range(2)]
    intend(exp, *jobs, nodes=2)
    with closing(Shell(shell.url, VARIABLES)) as inside:
        workers = [inside.start("worker", "e", "--batch", "b/1", *python(until_told(tmp_path))) for _ in jobs]
        first, second = begun(tmp_path, *jobs)
        os.kill(first, signal.SIGUSR1)
        eventually(lambda: any(worker.poll() is not None for worker in workers))
        assert found(exp).status is BatchStatus.BEGUN
        os.kill(second, signal.SIGUSR1)
        for worker in workers:
            assert worker.wait(60) == 0
    assert found(exp).status is BatchStatus.ENDED


def test_a_signal_gives_everything_back_at_once(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """Within ten seconds, whatever the commands make of it."""
    jobs = [exp.add_job({}) for _ in range(2)]
    intend(exp, *jobs)
    stubborn = lasting(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    process = shell.start("worker", "e", "--batch", "b/1", *python(stubborn))
    (command,) = begun(tmp_path, jobs[0])
    process.send_signal(signal.SIGUSR1)  # there is no end that could be near
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait(60) == 143
    assert time.monotonic() - began < 10
    assert not alive(command)
    assert statuses(exp, *jobs) == [Job.QUEUED] * 2
    assert [each.outcome for each in exp.get_job(jobs[0].job_id).attempts()] == [Outcome.PREEMPTED]
    batch = found(exp)
    assert (batch.allocation, batch.reason) == (AllocationState.CANCELLED, "SIGTERM; left of its jobs: 2 ready")


def test_what_runs_is_given_back_before_the_end(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """Ten seconds before the batch's time is over; SIGUSR1 means then that nothing more begins."""
    jobs = [exp.add_job({}) for _ in range(3)]
    intend(exp, *jobs, timeout=20.0)
    process = shell.start("worker", "e", "--batch", "b/1", "--concurrency", "2", *python(until_told(tmp_path)))
    ends, _ = begun(tmp_path, *jobs[:2])
    process.send_signal(signal.SIGUSR1)
    assert process.stderr is not None
    assert any("SIGUSR1: taking no more jobs; 2 running jobs may go on for" in line for line in process.stderr)
    os.kill(ends, signal.SIGUSR1)
    assert process.wait(60) == 0
    assert statuses(exp, *jobs) == [Job.DONE, Job.QUEUED, Job.QUEUED]
    (attempt,) = exp.get_job(jobs[1].job_id).attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.PREEMPTED, IN_VAIN)
    assert exp.get_job(jobs[2].job_id).attempt == 0


def test_what_left_a_checkpoint_did_not_run_in_vain(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """One that was there before does not count: the job goes on from where it was."""
    jobs = [exp.add_job({}) for _ in range(2)]
    intend(exp, *jobs, timeout=18.0)
    save = (
        "last = pathlib.Path(os.environ['SWEEPSTAKE_CHECKPOINT_DIR'], 'last')\nlast.write_text('')\n"
        f"if os.environ['SWEEPSTAKE_JOB_ID'] == {jobs[1].job_id!r}: os.utime(last, (1, 1))"
    )
    shell.run("worker", "e", "--batch", "b/1", "--concurrency", "2", *python(lasting(tmp_path, save)))
    attempts = [exp.get_job(job.job_id).attempts() for job in jobs]
    assert [each.reason for several in attempts for each in several] == [OUT_OF_TIME, IN_VAIN]


def test_a_worker_whose_batch_is_over_ends(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """Its allocation has ended then, though something of it still runs, and the batch may be in another."""
    jobs = [exp.add_job({}) for _ in range(2)]
    intend(exp, *jobs)
    process = shell.start("worker", "e", "--batch", "b/1", *python(lasting(tmp_path)))
    (command,) = begun(tmp_path, jobs[0])
    queue = exp.session.queue
    queue.note_batch(exp.reference, "b", 1, status=BatchStatus.ENDED, allocation=AllocationState.NODE_FAIL)
    assert process.wait(30) == 143
    assert not alive(command)
    assert statuses(exp, *jobs) == [Job.QUEUED] * 2
    assert [each.outcome for each in exp.get_job(jobs[0].job_id).attempts()] == [Outcome.PREEMPTED]
    assert found(exp).allocation is AllocationState.NODE_FAIL


def test_a_job_that_does_not_fit_any_more_is_left(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """While nothing else is left the allocation ends at once."""
    jobs = [exp.add_job({}) for _ in range(3)]
    intend(exp, *jobs, timeout=30.0, estimates=(3.0, 19.0, 1.0))
    process = shell.start("worker", "e", "--batch", "b/1", *python(until_told(tmp_path)))
    (first,) = begun(tmp_path, jobs[0])
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 3)
    os.kill(first, signal.SIGUSR1)
    (last,) = begun(tmp_path, jobs[2])
    os.kill(last, signal.SIGUSR1)
    assert process.wait(20) == 0
    assert statuses(exp, *jobs) == [Job.DONE, Job.QUEUED, Job.DONE]


@pytest.mark.parametrize(
    "arguments", [["--batch", "b"], ["--batch", "b/x"], ["--fill"], ["--batch", "b/1", "--drain", "1"]]
)
def test_what_does_not_go_together_is_refused(exp: ManualSearch, shell: Shell, arguments: list[str]) -> None:
    """Before anything begins."""
    job = exp.add_job({})
    shell.run("worker", exp.name, *arguments, *python(TELL), code=2)
    assert exp.get_job(job.job_id).attempts() == ()


def test_tasks_of_specs_run_side_by_side(exp: ManualSearch, shell: Shell) -> None:
    """As many of the batch's as fit this machine, and with --fill others beside them."""
    queue = exp.session.queue
    put_task(queue, exp.name, "sleep 0.2", "a", "b", "c", "other", resources={"cpuCount": 2})
    queue.intend_batches(exp.reference, [BatchDraft(id="b", jobs=("c", "a", "b"), backend="local")])
    options = ("--no-container", "--slots", "cpus=4,gpus=0")
    ran = shell.run("worker", "e", "--batch", "b/1", *options)
    assert re.findall("(.): attempt 1 begins", ran.stderr)[:2] == ["c", "a"]
    assert "jobs run: 3 done" in ran.stderr
    queue.intend_batches(exp.reference, [BatchDraft(id="b", jobs=("c",), backend="local")])
    assert "jobs run: 1 done" in shell.run("worker", "e", "--batch", "b/2", "--fill", *options).stderr
    assert exp.get_job("other").status == Job.DONE


def test_the_replicas_of_a_task_meet_in_a_batch(exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """They are claimed together, and run at the same time."""
    queue = exp.session.queue
    script = 'touch $FOLDER/$BEAKER_JOB_ID; until [ "$(ls $FOLDER | wc -l)" = 2 ]; do sleep 0.05; done'
    folder = tmp_path / "met"
    folder.mkdir()
    put_task(queue, exp.name, script, replicas=2, envVars=[{"name": "FOLDER", "value": str(folder)}])
    queue.add_jobs(exp.name, [draft(f"g{rank}", task="main", gang="g", rank=rank) for rank in range(2)])
    queue.intend_batches(exp.reference, [BatchDraft(id="b", jobs=("g0", "g1"), backend="local")])
    ran = shell.run("worker", "e", "--batch", "b/1", "--no-container", "--slots", "cpus=2,gpus=0")
    assert "jobs run: 2 done" in ran.stderr
