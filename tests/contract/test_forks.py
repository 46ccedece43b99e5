"""A process that forks while it holds a queue and a lease."""

import subprocess
import sys

from sweepstake.ports import Queue
from tests.lab import Lab

SCRIPT = """
import os, sys
import sweepstake
from sweepstake.errors import NoJobError

address, name = sys.argv[1:]
experiment = sweepstake.connect(address).get_experiment(name)
with experiment.next_job() as job:
    child = os.fork()
    if child == 0:
        try:
            with experiment.next_job() as own:
                own.results["by"] = "child"
        finally:
            job.__exit__(None, None, None)
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert experiment.get_job(job.job_id).status == "RUNNING"
    job.results["by"] = "parent"
try:
    experiment.next_job()
except NoJobError:
    print("drained")
"""


def test_a_forked_child_owns_nothing_and_breaks_nothing(address: str, queue: Queue) -> None:
    """It claims a job of its own; its parent's job and connections are none of its business, also when it ends."""
    lab = Lab.new(queue, lease=5.0)
    first, second = lab.add_many(2)
    script = subprocess.run(
        [sys.executable, "-c", SCRIPT, address, lab.name], capture_output=True, text=True, timeout=60, check=False
    )
    assert (script.stdout, script.stderr, script.returncode) == ("drained\n", "", 0)
    assert lab.job(first).results.decode() == {"by": "parent"}
    assert lab.job(second).results.decode() == {"by": "child"}
    assert [len(lab.attempts(job_id)) for job_id in (first, second)] == [1, 1]
    assert lab.job(first).worker != lab.job(second).worker
