"""F19: a node on which every job fails."""

import sys
from collections.abc import Sequence
from contextlib import closing

import sweepstake
from sweepstake import Experiment, ManualSearch
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.kit.shell import Shell

__all__ = ["FAULT"]

#: What may be lost to a node before it stops by itself.
_BURNT = 3
_UNFIT = 69
#: Jobs side by side: at the small size the second only.
_CONCURRENCY = (1, 4, 16)
_EXPERIMENTS = ("first", "second", "third")
#: Some fail at once, some later, so that they overlap in many ways.
_FAIL = "import os, time; time.sleep(ord(os.environ['SWEEPSTAKE_JOB_ID'][-1]) * 0.002); raise SystemExit('no device')"


def fail(place: Place, size: int) -> Figures:
    """Let a bad node work on three experiments, then a good one on what is left of them."""
    burnt = []
    for concurrency in _CONCURRENCY if size > 100 else (4,):
        with sweepstake.connect(place.url) as database:
            experiments = [database.add_experiment(ManualSearch(f"{name} {concurrency}")) for name in _EXPERIMENTS]
            for experiment in experiments:
                experiment.add_jobs({"i": i} for i in range(size // len(experiments)))
            told = _work(place, experiments, concurrency, _UNFIT, sys.executable, "-c", _FAIL)
            assert "3 jobs in a row crashed within 10 s each, the last with: exit code 1: no device" in told, told
            crashed = sum(experiment.counts().crashed for experiment in experiments)
            assert crashed <= _BURNT, f"{crashed} jobs were burnt with {concurrency} side by side"
            _work(place, experiments, concurrency, 0, "true")
            done = sum(experiment.counts().done for experiment in experiments)
            assert done + crashed == size // len(experiments) * len(experiments), f"{done} done and {crashed} crashed"
        burnt.append(crashed)
    return {"nodes": len(burnt), "jobs each": size, "most burnt by one": max(burnt)}


def _work(place: Place, experiments: Sequence[Experiment], concurrency: int, code: int, *command: str) -> str:
    names = [experiment.name for experiment in experiments]
    how = ("--concurrency", str(concurrency), "--idle", "0", "--allow-empty-results", "--quiet")
    with closing(Shell(place.url, {"SWEEPSTAKE_STATE": str(place.folder / "state")})) as shell:
        return shell.run("worker", *names, *how, "--", *command, code=code).stderr


FAULT = Fault(
    number="F19",
    words="a node fails every job that it takes, 1 to 16 side by side, from three experiments",
    holds="it burns 3 jobs at most and stops; the others are run elsewhere",
    run=fail,
    unit="jobs",
    small=12,
    full=300,
    small_kinds=("sqlite",),
    full_kinds=(*DIRECT, *SERVED),
)
