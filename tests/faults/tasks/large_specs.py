"""F31: specs of thousands of tasks."""

from __future__ import annotations

import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import sweepstake
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.tasks.needs import Offer
from tests.benchmarks.bulk import new_peak, peak_megabytes
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.faults.processes.hands import Hand
from tests.kit.shell import Shell

__all__ = ["FAULT"]

_FEW: Final = 10
_CLAIMS: Final = 50
_RUN: Final = 2
#: Time of the processor and memory that submitting may take, much more than it does, and much less than it would if it
#: took longer for each task the more there are.
_MOST_MILLISECONDS: Final = 4.0
_MOST_MEGABYTES: Final = 150.0
_TASK: Final = (
    "- {{name: t{i}, image: {{docker: tiny}}, command: [sh, -c, 'echo $BEAKER_TASK_ID {i} > /out/x'], "
    "resources: {{cpuCount: 1}}, result: {{path: /out}}}}\n"
)


def submit_large(place: Place, size: int) -> Figures:
    """Submit a spec of `size` tasks, and one of a few; claim, list and run jobs of both."""
    for name, count in (("warm", _FEW), ("few", _FEW * 10), ("many", size)):
        text = "version: v2\ntasks:\n" + "".join(_TASK.format(i=i) for i in range(count))
        (place.folder / f"{name}.yaml").write_text(text)
    with Hand(submit, place.url, place.folder) as hand:
        seconds, grown = hand.hear(600)
        hand.end()
    milliseconds = 1000 * seconds / size
    assert milliseconds <= _MOST_MILLISECONDS, f"to submit a task took {milliseconds:.2f} ms"
    assert grown <= _MOST_MEGABYTES, f"to submit {size:,} tasks took {grown:.0f} MB"
    with Hand(use, place.url, size) as hand:
        few, many, listed = hand.hear(600)
        hand.end()
    assert many <= 3 * few + 0.05, (
        f"{_CLAIMS} claims took {many:.3f} s of processor with many tasks, {few:.3f} with few"
    )
    assert listed <= 30, f"to list {size:,} jobs took {listed:.0f} MB"
    _run(place)
    return {
        "tasks": size,
        "submitting one, of the processor (ms)": round(milliseconds, 2),
        "submitting, growth of memory (MB)": round(grown, 1),
        "claims, of the processor, beside those of few tasks": round(many / few, 2),
        "listing, growth of memory (MB)": round(listed, 1),
    }


def submit(talk: Connection[Any, Any], url: str, folder: Path) -> None:
    """Say what submitting the large spec takes: seconds of the processor, and megabytes."""
    with sweepstake.connect(url) as database:
        for name in ("warm", "few"):
            database.submit(folder / f"{name}.yaml", name=name)
        before, began = new_peak(), time.process_time()
        database.submit(folder / "many.yaml", name="many")
        talk.send((time.process_time() - began, peak_megabytes() - before))


def use(talk: Connection[Any, Any], url: str, size: int) -> None:
    """Say how long claims take in both experiments, and what memory it takes to list all jobs."""
    offer = Offer(cpu=1.0, gpu=0, memory=2**30)
    with sweepstake.connect(url) as database:
        spent = {}
        queue = database.get_experiment("warm").session.queue
        for name in ("warm", "few", "many"):
            began = time.process_time()
            for _ in range(min(_CLAIMS, 10 * _FEW)):
                queue.claim_jobs(name, "somebody", 1, offer=offer)
            spent[name] = time.process_time() - began
        queue.list_jobs("many", JobQuery(), limit=100)
        before = new_peak()
        assert sum(1 for _ in database.get_experiment("many").all_jobs()) == size
        talk.send((spent["few"], spent["many"], peak_megabytes() - before))


def _run(place: Place) -> None:
    """Let a worker run some of the jobs, each with its own task."""
    options = ("--no-container", "--slots", "cpus=1,gpus=0", "--max-jobs", str(_RUN), "--idle", "0", "--quiet")
    with closing(Shell(place.url, place.machine())) as shell, sweepstake.connect(place.url) as database:
        shell.run("worker", "many", *options)
        done = [job.job_id for job in database.get_experiment("many").all_jobs() if job.status == "DONE"]
        assert len(done) == _RUN, done
        for job in done:
            folder = place.folder / "fetched" / job
            shell.run("results", "many", job, "--download", str(folder))
            assert (folder / "x").read_text() == f"{job} {job.removeprefix('t')}\n", job


FAULT = Fault(
    number="F31",
    words="a spec of thousands of tasks, each of its own",
    holds="to submit it takes time and memory in proportion, claims take as long as with few, listing takes no more "
    "memory, each job runs its own task",
    run=submit_large,
    unit="tasks",
    small=1_000,
    full=10_000,
    small_kinds=("sqlite",),
    full_kinds=(*DIRECT, *SERVED),
)
