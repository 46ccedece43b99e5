"""`sweepstake demo`: the main job on real input."""

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import sweepstake
from sweepstake import Job
from tests.kit.lab import eventually
from tests.kit.shell import Shell

pytest.importorskip("sklearn")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Commands on a new file."""
    with closing(Shell(f"sqlite:///{tmp_path / 'store.db'}")) as opened:
        yield opened


def test_the_demo_trains_at_least_24_classifiers(shell: Shell) -> None:
    """Four processes drain the sweep; the best jobs, good ones, stand at the end with the commands to look further."""
    ran = shell.run("demo", "--url", shell.url)
    with sweepstake.connect(shell.url) as db:
        (exp,) = db.get_experiments()
        jobs = list(exp.all_jobs())
        best = exp.best_job()
    assert len(jobs) >= 24
    assert {job.status for job in jobs} == {Job.DONE}
    assert {job.attempt for job in jobs} == {1}
    assert len({job.worker for job in jobs}) == 4
    assert best.results["accuracy"] > 0.95
    assert best.job_id in ran.stdout
    assert f"sweepstake list {exp.name} -t" in ran.stdout
    assert f"{len(jobs)}/{len(jobs)}" in ran.stderr
    listed = shell.run("list", exp.name, "-t", "-s", "accuracy", "-d").stdout.splitlines()
    assert best.results["accuracy"] == max(job.results["accuracy"] for job in jobs)
    assert f"{best.results['accuracy']:g}" in listed[3]


def is_at_work(db: sweepstake.Database) -> bool:
    """Tell whether jobs run whose workers have heard of it: an interrupt before that leaves a job to its lease."""
    running = [job for exp in db.get_experiments() for job in exp.all_jobs(status="RUNNING")]
    return bool(running) and all(time.time() - (job.record.started_at or math.inf) > 0.1 for job in running)


def test_interrupting_the_demo_gives_its_jobs_back(shell: Shell) -> None:
    """Ctrl-C ends the workers, and what they had begun can be run again."""
    process = shell.start("demo", "--url", shell.url, "--name", "d", "--workers", "2")
    with sweepstake.connect(shell.url) as db:
        eventually(lambda: is_at_work(db))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, (out, err)
        assert "Traceback" not in err
        counts = db.get_experiment("d").counts()
    assert counts.running == counts.crashed == 0
    assert counts.ready > 0
    assert f" has {counts}.\n" in err
    assert "sweepstake rm --force d\n" in err


def test_the_demo_has_a_store_of_its_own(shell: Shell, tmp_path: Path) -> None:
    """It touches the configured store only when it is told to."""
    own = Shell(shell.url, {"SWEEPSTAKE_STATE": str(tmp_path / "state")})
    own.run("demo", "--name", "d", "--workers", "2")
    assert shell.run("list").stdout == ""
    assert "d  " in shell.run("list", "--url", f"sqlite:///{tmp_path / 'state' / 'demo.db'}").stdout
