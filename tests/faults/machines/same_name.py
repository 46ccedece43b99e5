"""F9: a new worker that has the host, process id and name of a dead one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sweepstake.domain.records import Claim
from sweepstake.domain.status import Outcome, Signal
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.kit.lab import GRACE_SECONDS, Lab, eventually
from tests.kit.stack import open_queue

__all__ = ["FAULT"]

_LEASE = 1.5
#: In a process id namespace of its own, as in a container, a process is number 1 and so is its successor.
_ALONE = ["unshare", "--pid", "--fork", "--kill-child", "--"]
_WORKER = """
import os, sys
if sys.argv[3] == "pretend":
    os.getpid = lambda: 4711
import sweepstake

sys.stdin.readline()
with sweepstake.connect(sys.argv[1]) as database:
    job = database.get_experiment(sys.argv[2]).next_job()
    with job:
        print(job.job_id, job.worker, flush=True)
        sys.stdin.readline()
"""


def take_the_place(place: Place, size: int) -> Figures:
    """Kill a worker and start its namesake at once, `size` times; the dead one's job is somebody else's in time."""
    queue = open_queue(place.url)
    alone = _can_be_alone()
    waits = []
    for _ in range(size):
        lab = Lab.new(queue, lease=_LEASE)
        first = lab.add_one()
        with _worker(place.url, lab.name, alone) as dead, _worker(place.url, lab.name, alone) as namesake:
            job_id, name = _begin(dead)
            assert job_id == first, job_id
            second = lab.add_one(priority=1)
            dead.kill()
            died = time.monotonic()
            begun = _begin(namesake)
            assert begun == [second, name], f"{begun} is not {name} with another job"
            claim = eventually(lab.claimed_or_none, within=_LEASE + GRACE_SECONDS)
            waits.append(time.monotonic() - died - _LEASE)
            _check(lab, claim, first, name)
            _, error = namesake.communicate("end\n", timeout=120)
            assert namesake.returncode == 0, error
        assert lab.job(second).status == "DONE", lab.job(second)
        assert lab.finish(claim).recorded, "the newer attempt was lost"
    queue.close()
    return {"namesakes": size, "old leases revived": 0, "latest claim after the lease (s)": max(waits)}


def _check(lab: Lab, claim: Claim, first: str, name: str) -> None:
    assert (claim.job.id, claim.job.attempt) == (first, 2), claim
    lost = lab.attempts(first)[0]
    assert (lost.outcome, lost.worker) == (Outcome.LEASE_LOST, name), lost
    (beat,) = lab.queue.heartbeat([lost.key])
    assert beat.signal is Signal.LOST, "the old lease revived"
    assert lab.beat(claim) is Signal.CONTINUE, "the newer attempt is not held"


@contextmanager
def _worker(url: str, name: str, alone: bool) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-c", _WORKER, url, name, "be" if alone else "pretend"]
    with subprocess.Popen(
        [*(_ALONE if alone else []), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _begin(worker: "subprocess.Popen[str]") -> list[str]:
    """Let a worker that is ready connect and claim; return its job and its name."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("begin\n")
    worker.stdin.flush()
    words = worker.stdout.readline().split()
    assert words, "the worker ended before it had a job"
    return words


def _can_be_alone() -> bool:
    try:
        return subprocess.run([*_ALONE, "true"], capture_output=True, timeout=120, check=False).returncode == 0
    except FileNotFoundError:
        return False


FAULT = Fault(
    number="F9",
    words="a new worker with the host, process id and name of one that was killed",
    holds="the old lease is not revived: the job is claimed again in time",
    run=take_the_place,
    unit="times",
    small=1,
    full=20,
    full_kinds=(*DIRECT, *SERVED),
)
