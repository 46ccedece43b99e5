"""`sweepstake batch cancel`, and Ctrl-C in what waits, on a real Slurm."""

import os
import pty
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sweepstake import Database, Job, ManualSearch
from sweepstake.domain.status import Outcome
from tests.kit.commands import begun, lasting, python
from tests.kit.lab import eventually
from tests.kit.shell import Shell
from tests.kit.slurm import Slurm

__all__: list[str] = []

LEASE = 1.5
SUBMIT = ("batch", "submit", "e", "--backend", "slurm", "--capacity", "nodes=1,cpus=2", "--estimate", "30s")
CANCEL = ("batch", "cancel", "e", "--yes")


@pytest.fixture
def exp(db: Database, tmp_path: Path, cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> ManualSearch:
    """An experiment of short leases."""
    del cluster
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    return db.add_experiment(ManualSearch("e", lease=LEASE))


def kill_workers(cluster: Slurm) -> None:
    """Kill the workers in all allocations with -9."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            mine = f"SLURM_CONF={cluster.folder}/slurm.conf".encode() in (path / "environ").read_bytes().split(b"\0")
            if mine and b"--batch" in (path / "cmdline").read_bytes().split(b"\0"):
                os.kill(int(path.name), signal.SIGKILL)


def test_no_job_runs_on_after_a_cancel(cluster: Slurm, exp: ManualSearch, shell: Shell, tmp_path: Path) -> None:
    """Not even that of a worker that was killed, for which nobody looks; if its allocation was over before, as well."""
    job = exp.add_job({})
    submit = (*SUBMIT, *python(lasting(tmp_path)))
    for known in (False, True):
        shell.run(*submit)
        begun(tmp_path, job)
        eventually(lambda: exp.get_job(job.job_id).status == Job.RUNNING)
        if known:
            kill_workers(cluster)
            eventually(lambda: "No batch is under way." in shell.run("batch", "status", "e").stdout)
        started = time.monotonic()
        told = shell.run(*CANCEL).stdout
        assert time.monotonic() - started < LEASE + 15
        assert ("No batch is under way." if known else "1 allocation ended.") in told
        assert exp.get_job(job.job_id).status == Job.QUEUED
        (tmp_path / job.job_id).unlink()
    assert [each.outcome for each in exp.get_job(job.job_id).attempts()] == [Outcome.PREEMPTED, Outcome.LEASE_LOST]


def test_ctrl_c_while_it_submits_leaves_none_behind_when_told_so(
    cluster: Slurm, exp: ManualSearch, shell: Shell
) -> None:
    """Slurm hangs, so nobody knows whether it took what it was asked for; afterwards none is up all the same."""
    exp.add_job({})
    terminal, theirs = pty.openpty()
    cluster.stop_controller()
    try:
        with os.fdopen(theirs) as stdin:
            process = shell.start(*SUBMIT, "--", "true", stdin=stdin)
        intended = eventually(lambda: exp.session.queue.list_batches(exp.reference, live=True).items or None)
        eventually(lambda: b"sbatch" in children(process.pid))
        os.write(terminal, b"y\n")
        os.killpg(process.pid, signal.SIGINT)
    finally:
        cluster.go_on()
    out, err = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 130, (out, err)
    assert "End 1 allocation as well? [y/N]: " in out
    assert not exp.session.queue.list_batches(exp.reference, live=True).items
    eventually(lambda: not cluster.run("squeue", "-h", f"--name={intended[0].name}").strip())
    assert exp.counts().ready == 1


def test_ctrl_c_while_it_waits_for_leases_ends_that(
    cluster: Slurm, exp: ManualSearch, shell: Shell, tmp_path: Path
) -> None:
    """No allocation is left then, and that is said."""
    exp.update(lease=60.0)
    job = exp.add_job({})
    shell.run(*SUBMIT, *python(lasting(tmp_path)))
    begun(tmp_path, job)
    kill_workers(cluster)
    process = shell.start(*CANCEL)
    assert process.stdout is not None
    assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "No allocation is left" in err


def children(pid: int) -> bytes:
    """Return the names of the processes that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    names = b""
    for each in found:
        with suppress(OSError):
            names += Path(f"/proc/{each}/comm").read_bytes()
    return names
