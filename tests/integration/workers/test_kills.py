"""Processes killed in the middle of their work, by SIGKILL: nothing acknowledged is lost, nothing hangs."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sweepstake
from sweepstake.domain.status import JobStatus, Outcome
from tests.kit.lab import GRACE_SECONDS, Lab, document, eventually
from tests.kit.stack import ServerProcess, open_queue

WRITER = """
import sys
import sweepstake

experiment = sweepstake.connect(sys.argv[1]).get_experiment(sys.argv[2])
for i in range(100_000):
    job = experiment.add_job({"i": i})
    with experiment.next_job() as claimed:
        claimed.results["i"] = i
    print(job.job_id, claimed.job_id, flush=True)
"""

HOLDER = """
import sys, time
import sweepstake

with sweepstake.connect(sys.argv[1]).get_experiment(sys.argv[2]).next_job() as job:
    print(job.job_id, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def server(store: str, tmp_path: Path) -> Iterator[ServerProcess]:
    """A running server that may be killed."""
    with ServerProcess(store, tmp_path) as process:
        yield process


def _script(source: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", source, *arguments], stdout=subprocess.PIPE, text=True)


def test_a_killed_writer_loses_nothing_it_was_told(store: str) -> None:
    """Each job and result that the store acknowledged is there, in one attempt; the store opens as before."""
    queue = open_queue(store)
    lab = Lab.new(queue)
    acknowledged: list[list[str]] = []
    for lines in (7, 19, 31):
        with _script(WRITER, store, lab.name) as writer:
            assert writer.stdout is not None
            acknowledged += [line.split() for line in itertools.islice(writer.stdout, lines)]
            writer.kill()
    jobs = {job.id: job for job in lab.jobs()}
    assert len(acknowledged) == 57
    for added, finished in acknowledged:
        assert added in jobs
        assert (jobs[finished].status, jobs[finished].attempt) == (JobStatus.DONE, 1)
        assert jobs[finished].results.text != "{}"
    queue.close()


def test_a_killed_workers_job_is_claimed_again_in_time(address: str) -> None:
    """Within its lease and 5 seconds, counted from its last heartbeat, without any daemon."""
    queue = open_queue(address)
    lab = Lab.new(queue, lease=1.5)
    job_id = lab.add_one(of=document(hyperparameters={"x": 1}))
    with _script(HOLDER, address, lab.name) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == job_id
        held_until = time.monotonic() + 2.0
        while time.monotonic() < held_until:
            assert lab.claimed_or_none() is None
        holder.kill()
    claim = eventually(lab.claimed_or_none, within=1.5 + GRACE_SECONDS)
    assert (claim.job.id, claim.job.attempt) == (job_id, 2)
    assert lab.attempts(job_id)[0].outcome is Outcome.LEASE_LOST
    queue.close()


def test_clients_outlast_a_server_that_is_killed(server: ServerProcess) -> None:
    """Scripts that run while the server dies and comes back twice do their work as if nothing had been."""
    with sweepstake.connect(server.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("outlast", lease=60.0))
        ids = experiment.add_jobs({"i": i} for i in range(120))
        done: list[str] = []

        def work() -> None:
            for job in experiment.claim_jobs():
                with job:
                    job.results["i"] = job.hyperparameters["i"]
                    done.append(job.job_id)

        with ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(work) for _ in range(3)]
            for enough in (30, 70):
                eventually(lambda enough=enough: len(done) > enough or None)  # type: ignore[misc]
                server.kill()
                server.start()
            for future in futures:
                future.result(timeout=60)
        after = list(experiment.all_jobs())
    assert sorted(done) == sorted(ids)
    assert all((job.status, job.attempt) == (JobStatus.DONE, 1) for job in after)
    assert [job.results["i"] for job in after] == list(range(120))


def test_a_restarted_server_gives_workers_time_to_come_back(server: ServerProcess) -> None:
    """A lease that ran out while the server was away is not lost before one full lease after its start."""
    queue = open_queue(server.url)
    lab = Lab.new(queue, lease=2.0)
    lab.add_one()
    claim = lab.claim()
    server.kill()
    down_until = claim.lease + 0.5
    threading.Event().wait(down_until)
    server.start()
    assert lab.claimed_or_none() is None
    assert lab.beat(claim) == "continue"
    assert lab.finish(claim, results={"y": 1}).recorded
    queue.close()


def test_a_stopped_server_ends_cleanly(server: ServerProcess) -> None:
    """SIGTERM ends it in good order, and what it acknowledged is there when it starts again."""
    queue = open_queue(server.url)
    lab = Lab.new(queue)
    ids = lab.add_many(5)
    assert server.stop() in (0, -signal.SIGTERM)
    server.start()
    assert [job.id for job in lab.jobs()] == ids
    queue.close()
