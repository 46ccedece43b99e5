"""Rows about what a worker starts: tasks on its host, and containers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import sweepstake
from sweepstake import ManualSearch
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.status import JobStatus
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.values import EMPTY, JsonObject
from tests.benchmarks.comparing import Row, Sizes, finding
from tests.benchmarks.places import Places
from tests.benchmarks.report import Finding
from tests.kit.podman import IMAGE, podman_engine, podman_runs
from tests.kit.serving import run_sweepstake

__all__ = ["ROWS"]

_SLOTS: Final = 8
_SLEEP: Final = "0.05"
_EXPERIMENT: Final = "benchmark"


@contextlib.contextmanager
def _machine(**tables: Any) -> Iterator[dict[str, str]]:
    """Give the variables of a machine that has run nothing before; of each table of its configuration the items."""
    with tempfile.TemporaryDirectory(prefix="sweepstake-machine-") as folder:
        config = Path(folder, "config.toml")
        lines = [
            line
            for name, items in tables.items()
            for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in items.items()))
        ]
        config.write_text("\n".join(lines))
        yield {"HOME": folder, "SWEEPSTAKE_STATE": f"{folder}/state", "SWEEPSTAKE_CONFIG": str(config)}


def _work(url: str, command: Sequence[str], jobs: int, options: Sequence[str], machine: dict[str, str]) -> float:
    """Let a worker run a command as a task of so many jobs; return the seconds from the first to the last.

    Raises:
        RuntimeError: not all were done.
    """
    task = {"name": "main", "image": {"docker": IMAGE}, "command": list(command)}
    document = JsonObject.of({"version": "v2", "tasks": [task]})
    with contextlib.closing(sweepstake.connect(url)) as database:
        experiment = database.add_experiment(ManualSearch(_EXPERIMENT))
        queue = experiment.session.queue
        queue.put_spec(_EXPERIMENT, SpecDraft(text="", document=document))
        queue.add_jobs(
            _EXPERIMENT,
            [
                JobDraft(id=f"j{i}", status=JobStatus.QUEUED, hyperparameters=EMPTY, results=EMPTY, task="main")
                for i in range(jobs)
            ],
        )
        run_sweepstake("--url", url, "worker", _EXPERIMENT, "--quiet", "--idle", "0", *options, **machine)
        attempts = [attempt for job in experiment.all_jobs() for attempt in job.attempts() if job.status == "DONE"]
        if len(attempts) != jobs:
            raise RuntimeError(f"of {jobs} jobs {len(attempts)} were done at once")
        return max(each.ended_at or 0.0 for each in attempts) - min(each.started_at for each in attempts)


def _side_by_side(places: Places, sizes: Sizes) -> Finding:
    rounds: dict[str, list[float]] = {"floor": [], "ours": []}
    options = ("--no-container", "--slots", f"cpus={_SLOTS},gpus=0")
    for _ in range(sizes.rounds):
        started = time.monotonic()
        subprocess.run(
            ["xargs", "-P", str(_SLOTS), "-n", "1", "sleep"], input=f"{_SLEEP}\n" * sizes.tasks, text=True, check=True
        )
        rounds["floor"].append(sizes.tasks / (time.monotonic() - started))
        with _machine() as machine:
            seconds = _work(places.sqlite_url(), ("sleep", _SLEEP), sizes.tasks, options, machine)
        rounds["ours"].append(sizes.tasks / seconds)
    measure = f"a worker, {_SLOTS} slots: tasks of 50 ms on the host (floor: xargs -P {_SLOTS})"
    return finding("tasks-host-8", measure, "jobs/s", rounds, target=0.85, at_least=True)


def _contained(places: Places, sizes: Sizes) -> Finding:
    if not podman_runs():
        raise RuntimeError("podman runs no containers here")
    engine = podman_engine(places.folder)
    plain = [engine.program, *engine.global_args, "run", "--rm", *engine.run_args, IMAGE, "true"]
    settings = {"engine": "podman", "global_args": engine.global_args, "run_args": engine.run_args}
    rounds: dict[str, list[float]] = {"floor": [], "ours": []}
    for _ in range(sizes.rounds):
        started = time.monotonic()
        for _ in range(sizes.containers):
            subprocess.run(plain, check=True, stdin=subprocess.DEVNULL, env={**os.environ})
        rounds["floor"].append((time.monotonic() - started) * 1000 / sizes.containers)
        with _machine(container=settings) as machine:
            machine.pop("HOME")  # in which podman keeps its images
            options = ("--slots", "cpus=1,gpus=0")
            seconds = _work(places.sqlite_url(), ("true",), sizes.containers, options, machine)
        rounds["ours"].append(seconds * 1000 / sizes.containers)
    measure = "a worker, 1 slot: a task that does nothing in podman (floor: podman run)"
    return finding("tasks-podman", measure, "ms", rounds, target=1.15, at_least=False)


#: The rows, in the order of the table.
ROWS: Final = (Row("tasks-host-8", _side_by_side), Row("tasks-podman", _contained))
