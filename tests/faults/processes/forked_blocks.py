"""F15: processes that fork inside the block, and commands that hold Python's interpreter beyond the lease."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing

import sweepstake
from sweepstake import Experiment, ManualSearch, NoJobError
from sweepstake.domain.status import Outcome
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.kit.lab import GRACE_SECONDS, eventually
from tests.kit.shell import Shell

__all__ = ["FAULT"]

_LEASE = 2.0
#: How long each job runs.
_LONG = 3 * _LEASE
#: Holds the interpreter lock all the time: ctypes' PyDLL does not let go of it.
_HOLD = (
    f"import ctypes; ctypes.PyDLL(None).usleep(int({_LONG} * 1e6))\n"
    "print('--- RESULTS ---\\nby: 1\\n--- END RESULTS ---')"
)
#: One job with loaders like a DataLoader's and a child that leaves the block; then one whose parent is killed.
_SCRIPT = """
import multiprocessing, os, signal, sys, time
import sweepstake

url, name, orphaned, seconds = sys.argv[1:]
context = multiprocessing.get_context("fork")

def load(tasks, batches):
    while (task := tasks.get()) is not None:
        batches.put(task)

database = sweepstake.connect(url)
experiment = database.get_experiment(name)
with experiment.next_job() as job:
    tasks, batches = context.Queue(), context.Queue()
    loaders = [context.Process(target=load, args=(tasks, batches)) for _ in range(2)]
    for loader in loaders:
        loader.start()
    if (child := os.fork()) == 0:
        job.results["by"] = "child"
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        tasks.put(0)
        batches.get()
        time.sleep(0.05)
    job.results["by"] = "parent"
for _ in loaders:
    tasks.put(None)
for loader in loaders:
    loader.join()  # a thread hands them the end, and would be killed with this process
database.get_experiment(orphaned).next_job().__enter__()
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def fork(place: Place, size: int) -> Figures:
    """Run forking blocks and commands that hold the interpreter, while another worker would claim what comes free."""
    waits = []
    state = {"SWEEPSTAKE_STATE": str(place.folder / "state")}
    with sweepstake.connect(place.url) as database, closing(Shell(place.url, state)) as shell:
        for number in range(size):
            forking, orphaned, run, worker = (
                database.add_experiment(ManualSearch(f"{kind} {number}", lease=_LEASE))
                for kind in ("fork", "orphan", "run", "worker")
            )
            for experiment in (forking, orphaned, run, worker):
                experiment.add_job({})
            hold = ("--", sys.executable, "-c", _HOLD)
            commands = [
                shell.start("run", run.name, *hold),
                shell.start("worker", worker.name, "--idle", "0", *hold),
            ]
            block = _fork(place, forking, orphaned)
            held = [forking, run, worker]
            eventually(lambda: all(experiment.counts().running for experiment in held))  # noqa: B023 -- called at once
            waits.append(_watch(block, orphaned, held))
            for command in commands:
                _, told = command.communicate(timeout=60)
                assert command.returncode == 0, told
            for experiment, by in ((forking, "parent"), (run, 1), (worker, 1)):
                _was_run_once(experiment, by)
    return {"rounds": size, "jobs lost by living workers": 0, "longest wait for a dead parent's (s)": max(waits)}


def _watch(block: "subprocess.Popen[str]", orphaned: Experiment, held: Sequence[Experiment]) -> float:
    """Claim all the time; return the seconds after which the job of the killed parent was had, whose child lives on."""
    died: float | None = None
    try:
        while died is None or _claim(orphaned) is None:
            for experiment in held:
                assert _claim(experiment) is None, f"{experiment.name}: claimed while it ran"
            if died is None and block.poll() is not None:
                died = time.monotonic()
            assert died is None or time.monotonic() - died < 60, "the job of a killed parent never came back"
            time.sleep(0.1)
    finally:
        block.kill()
        _, told = block.communicate(timeout=60)
    assert block.returncode == -9, told
    waited = time.monotonic() - died
    assert waited < _LEASE + GRACE_SECONDS, f"claimed again after {waited:.1f} s"
    return waited


def _claim(experiment: Experiment) -> int | None:
    """Claim a job and return which attempt it is; the job is given back."""
    try:
        job = experiment.next_job()
    except NoJobError:
        return None
    job.release()
    return job.attempt


def _was_run_once(experiment: Experiment, by: object) -> None:
    job = next(experiment.all_jobs())
    assert job.results == {"by": by}, f"{experiment.name}: {job.results}"
    assert [attempt.outcome for attempt in job.attempts()] == [Outcome.DONE], f"{experiment.name}: {job.attempts()}"


def _fork(place: Place, experiment: Experiment, orphaned: Experiment) -> "subprocess.Popen[str]":
    what = (place.url, experiment.name, orphaned.name, str(_LONG))
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _SCRIPT, *what],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


FAULT = Fault(
    number="F15",
    words="a process forks inside its block, as a DataLoader does; commands hold the interpreter for three leases",
    holds="leases are kept; a forked child never owns the job, and keeps none of a killed parent's",
    run=fork,
    unit="rounds",
    small=1,
    full=20,
    small_kinds=("postgres",),
    full_kinds=(*DIRECT, *SERVED),
)
