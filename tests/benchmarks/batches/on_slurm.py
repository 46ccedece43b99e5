"""Run one sweep on a local Slurm in several ways, and hold how long each takes against what no way can be faster than.

python -m tests.benchmarks.batches.on_slurm
python -m tests.benchmarks.batches.on_slurm --jobs 300 --page docs/explanation/batches.md
python -m tests.benchmarks.batches.on_slurm --way submit     # one way alone, such as to profile it

The jobs sleep, so that few processors suffice for the sixteen that the cluster has on paper.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import frozen

import sweepstake
from tests.benchmarks.report import machine
from tests.kit.checkout import ROOT
from tests.kit.slurm import CPUS, NODES, Slurm, end_when_told, slurm

#: Median seconds of a job, and how far they are spread.
_MEDIAN: Final = 2.0
_SPREAD: Final = 0.8
_AIM: Final = 1.3
_MARKS: Final = re.compile(r"(<!-- on slurm -->\n).*(<!-- end of on slurm -->)", re.DOTALL)
_SWEEPSTAKE: Final = [sys.executable, "-c", "from sweepstake.cli import main; main()"]
_RESULTS: Final = "sleep $2; echo '--- RESULTS ---'; echo 'x: 1'; echo '--- END RESULTS ---'"


@frozen(kw_only=True)
class Sweep:
    """What is run, and where.

    Attributes:
        cluster: the Slurm.
        pauses: seconds of each job.
        folder: for what a run leaves.
    """

    cluster: Slurm
    pauses: Sequence[float]
    folder: Path

    @property
    def bound(self) -> float:
        """The seconds that it takes at least."""
        return max(*self.pauses, sum(self.pauses) / (len(NODES) * CPUS))

    def run(self, *arguments: str, **variables: str) -> None:
        """Run a command to its end, where the cluster is found."""
        environment = {**os.environ, **self.cluster.environment, **variables}
        subprocess.run(arguments, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def submitted(sweep: Sweep) -> float:
    """`batch submit`: an allocation for each node, which also takes what the other has not begun."""
    return _ours(sweep, "submit", "--fill", "--count", str(len(NODES)))


def kept(sweep: Sweep) -> float:
    """`batch keep`: as many allocations as there are nodes."""
    return _ours(sweep, "keep", "--fill", "--max-allocations", str(len(NODES)))


def array(sweep: Sweep) -> float:
    """One `sbatch` array: an allocation for each job."""
    (sweep.folder / "pauses").write_text("".join(f"{pause}\n" for pause in sweep.pauses))
    script = f'sleep $(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {sweep.folder}/pauses); {_note(sweep)}'
    return _of_slurm(sweep, [["--array", f"0-{len(sweep.pauses) - 1}", "--wrap", script]])


def alone(sweep: Sweep) -> float:
    """One `sbatch` for each job."""
    return _of_slurm(sweep, [["--wrap", f"sleep {pause}; {_note(sweep)}"] for pause in sweep.pauses])


_WAYS: Final[dict[str, tuple[str, Callable[[Sweep], float]]]] = {
    "submit": ("`batch submit --count 2 --fill`", submitted),
    "keep": ("`batch keep --max-allocations 2 --fill`", kept),
    "array": ("one `sbatch` array", array),
    "alone": ("one `sbatch` for each job", alone),
}


def _ours(sweep: Sweep, verb: str, *arguments: str) -> float:
    url = f"sqlite:///{sweep.folder}/store.db"
    with sweepstake.connect(url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("sweep"))
        experiment.add_jobs({"pause": pause} for pause in sweep.pauses)
        started = time.time()
        settings = ("--backend", "slurm", "--estimate", "3s", *arguments, "--", "sh", "-c", _RESULTS, "sh", "%h")
        variables = {"SWEEPSTAKE_URL": url, "SWEEPSTAKE_STATE": str(sweep.folder / "state")}
        sweep.run(*_SWEEPSTAKE, "batch", verb, "sweep", *settings, **variables)
        experiment.wait(timeout=20 * sweep.bound)
        jobs = list(experiment.all_jobs())
        assert all((job.status, job.attempt) == ("DONE", 1) for job in jobs)
        return max(job.record.ended_at or 0.0 for job in jobs) - started


def _note(sweep: Sweep) -> str:
    return f"date +%s.%N >> {sweep.folder}/ended"


def _of_slurm(sweep: Sweep, submissions: Sequence[Sequence[str]]) -> float:
    started, ended = time.time(), sweep.folder / "ended"
    for each in submissions:
        sweep.run("sbatch", "--ntasks=1", f"--output={sweep.folder}/%j.log", *each)
    ends: list[str] = []
    while len(ends) < len(sweep.pauses):
        assert time.time() - started < 20 * sweep.bound
        time.sleep(0.2)
        ends = ended.read_text().split() if ended.exists() else []
    return max(map(float, ends)) - started


def main() -> int:
    """Print what each way took; the exit code is 1 if ours misses its aim, or is not the fastest."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.batches.on_slurm", description="A sweep on a local Slurm, in several ways."
    )
    parser.add_argument("--jobs", type=int, default=300, help="how many jobs, of two seconds or so")
    parser.add_argument("--seed", type=int, default=14, help="of the seconds that they take")
    parser.add_argument("--way", choices=_WAYS, action="append", help="only this; may be given several times")
    parser.add_argument("--page", type=Path, help="write the table into this page of the docs")
    chosen = parser.parse_args()
    end_when_told()
    chance = random.Random(chosen.seed)
    pauses = [round(chance.lognormvariate(0.0, _SPREAD) * _MEDIAN, 2) for _ in range(chosen.jobs)]
    took = dict[str, float]()
    with slurm() as cluster:
        for name in chosen.way or _WAYS:
            with tempfile.TemporaryDirectory(prefix="sweepstake-on-slurm-") as folder:
                sweep = Sweep(cluster=cluster, pauses=pauses, folder=Path(folder))
                took[name] = _WAYS[name][1](sweep)
                cluster.wait_idle()
            print(f"{name}: {took[name]:.1f} s, {took[name] / sweep.bound:.2f} x the bound of {sweep.bound:.1f} s")
    if chosen.page:
        page = chosen.page.read_text()
        text = _table(sweep, took)
        chosen.page.write_text(_MARKS.sub(lambda marks: f"{marks[1]}\n{text}\n\n{marks[2]}", page))
    ours = [took[name] for name in ("submit", "keep") if name in took]
    others = [took[name] for name in ("array", "alone") if name in took]
    missed = [seconds for seconds in ours if seconds > _AIM * sweep.bound or seconds > min(others, default=seconds)]
    return 1 if missed else 0


def _table(sweep: Sweep, took: dict[str, float]) -> str:
    conditions = machine()
    where = f"{conditions['processors']}, {conditions['system']}, Python {conditions['python']}"
    taken = (
        f"Taken on {datetime.now(UTC).date().isoformat()}: {where}. {len(sweep.pauses)} jobs of "
        f"{min(sweep.pauses):.1f} to {max(sweep.pauses):.1f} s, {sum(sweep.pauses):.0f} s in all; "
        f"at least {sweep.bound:.1f} s."
    )
    lines = [
        taken,
        "",
        "| how | seconds | over the bound |",
        "|---|---:|---:|",
    ]
    for name, seconds in took.items():
        lines.append(f"| {_WAYS[name][0]} | {seconds:.1f} | {seconds / sweep.bound:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
