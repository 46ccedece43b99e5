"""A process that forks while it holds a queue and a lease."""

from pathlib import Path

from sweepstake.domain.status import JobStatus
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab
from tests.kit.scripts import run_script
from tests.kit.stack import open_queue

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

BUSY_SCRIPT = """
import os, sys, threading
import sweepstake

address, name = sys.argv[1:]
experiment = sweepstake.connect(address).get_experiment(name)
stop = threading.Event()

def work():
    while not stop.is_set():
        experiment.add_job({"by": "parent"})
        with experiment.next_job() as job:
            pass

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
codes = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            experiment.add_job({"by": "child"})
            with experiment.next_job() as job:
                job.results["ran"] = True
            code = 0
        finally:
            os._exit(code)
    codes.append(os.waitpid(child, 0)[1])
stop.set()
for thread in threads:
    thread.join()
print(codes.count(0))
"""

HEIR_SCRIPT = """
import os, sys
import sweepstake

address, name = sys.argv[1:]
database = sweepstake.connect(address)
experiment = database.get_experiment(name)
experiment.add_job({"by": "parent"})
closed, tell_closed = os.pipe()
if os.fork() == 0:
    code = 1
    try:
        experiment.add_job({"by": "child"})
        os.read(closed, 1)
        for _ in range(5):
            experiment.add_job({"by": "heir"})
        code = 0
    finally:
        os._exit(code)
assert experiment.counts().ready in (1, 2)
database.close()
os.write(tell_closed, b"!")
print(os.wait()[1])
"""


def test_a_forked_child_owns_nothing_and_breaks_nothing(address: str, queue: Queue) -> None:
    """It claims a job of its own; its parent's job and connections are none of its business, also when it ends."""
    lab = Lab.new(queue, lease=5.0)
    first, second = lab.add_many(2)
    script = run_script(SCRIPT, address, lab.name)
    assert (script.stdout, script.stderr, script.returncode) == ("drained\n", "", 0)
    assert lab.job(first).results.decode() == {"by": "parent"}
    assert lab.job(second).results.decode() == {"by": "child"}
    assert [len(lab.attempts(job_id)) for job_id in (first, second)] == [1, 1]
    assert lab.job(first).worker != lab.job(second).worker


def test_forking_amid_busy_threads_breaks_nothing(address: str, queue: Queue) -> None:
    """Whatever lock or connection a thread of the parent holds at that moment, both the child and the parent work."""
    lab = Lab.new(queue)
    script = run_script(BUSY_SCRIPT, address, lab.name, seconds=180.0)  # 2 s, and 40 s among six of its kind
    assert (script.stdout, script.stderr, script.returncode) == ("20\n", "", 0)
    jobs = lab.jobs()
    assert sum(job.hyperparameters.decode()["by"] == "child" for job in jobs) == 20
    assert all((job.status, job.attempt) == (JobStatus.DONE, 1) for job in jobs)


def test_a_child_outlives_its_parents_connection(address: str, queue: Queue) -> None:
    """What a child writes after its parent has closed the store is kept: it relies on no lock of the parent's."""
    lab = Lab.new(queue)
    script = run_script(HEIR_SCRIPT, address, lab.name)
    assert (script.stdout, script.stderr, script.returncode) == ("0\n", "", 0)
    assert [job.hyperparameters.decode()["by"] for job in lab.jobs()] == ["parent", "child", *["heir"] * 5]


def test_a_child_of_a_new_file_outlives_its_parents_connection(tmp_path: Path) -> None:
    """Also when nobody else has the file open, so that SQLite tidies up as the parent closes it."""
    address = f"sqlite:///{tmp_path}/alone.db"
    queue = open_queue(address)
    lab = Lab.new(queue)
    queue.close()
    assert run_script(HEIR_SCRIPT, address, lab.name).returncode == 0
    again = Lab(open_queue(address), lab.name)
    assert len(again.jobs()) == 7
    again.queue.close()
