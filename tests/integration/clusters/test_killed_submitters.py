"""Whoever submits to a real Slurm, or cancels, is killed at each moment, for real; whoever comes next goes on."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from sweepstake import ManualSearch, connect
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.settling import settle
from sweepstake.cli.main import run_app
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import BatchRecord
from tests.kit.crew import context
from tests.kit.dying import KILLED, run_dying
from tests.kit.lab import WAIT_SECONDS, eventually
from tests.kit.slurm import Slurm

__all__: list[str] = []

#: An argument of the command, as long as several writes into a pipe.
LONG = "x" * 20_000 + "y"
#: Held, so that nothing runs: this is of submitting alone.
SUBMIT = (
    *("batch", "submit", "e", "--backend", "slurm", "--capacity", "nodes=1,cpus=2", "--estimate", "60s"),
    *("--duration", "60s", "--sbatch-arg=--hold", "--", "true", LONG),
)
CANCEL = ("batch", "cancel", "e", "--yes")


class Desk:
    """Where commands are given: a store of five jobs, one of which waits for the others, in three batches."""

    def __init__(self, folder: Path, cluster: Slurm) -> None:
        folder.mkdir()
        self.variables = {
            **cluster.environment,
            "SWEEPSTAKE_URL": f"sqlite:///{folder}/store.db",
            "SWEEPSTAKE_STATE": str(folder / "state"),
        }
        self.experiment: Experiment = connect(self.variables["SWEEPSTAKE_URL"]).add_experiment(ManualSearch("e"))
        first = [self.experiment.add_job({"x": x}) for x in range(4)]
        self.experiment.add_job({"x": 4}, depends_on=first)
        self._slurm = Scheduler(SlurmDialect())

    def dies(self, moment: int, *arguments: str) -> bool:
        """Run a command that is killed at a moment; tell whether there was such a moment."""
        process = context().Process(target=run_dying, args=(moment, self.variables, *arguments))
        process.start()
        process.join(WAIT_SECONDS)
        eventually(lambda: not list(asking(self.variables["SLURM_CONF"])))
        assert process.exitcode in (0, KILLED)
        return process.exitcode == KILLED

    def live(self, later: float = 0.0) -> list[BatchRecord]:
        """Return the batches that are not over, as whoever comes so many seconds later finds them."""
        return [each for each, _ in settle(self.experiment, lambda _: self._slurm, lambda: time.time() + later)]

    def up(self) -> list[str]:
        """Return the allocations that are up, whoever knows of them."""
        batches = self.experiment.session.queue.list_batches(self.experiment.reference).items
        found = self._slurm.find({each.name for each in batches} | {"none"})
        assert found is not None
        return sorted(each.jobid for each in found.values() if not each.is_over)


def asking(configuration: str) -> Iterator[int]:
    """Give the processes of sbatch and scancel that have outlived who started them."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            mine = f"SLURM_CONF={configuration}".encode() in (path / "environ").read_bytes().split(b"\0")
            if mine and (path / "comm").read_text().strip() in ("sbatch", "scancel") and int(path.name) != os.getpid():
                yield int(path.name)


@pytest.fixture
def desk(tmp_path: Path, cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Desk]:
    """Return what makes a new place for each moment."""

    def new(moment: int) -> Desk:
        made = Desk(tmp_path / str(moment), cluster)
        for name, value in made.variables.items():
            monkeypatch.setenv(name, value)
        return made

    return new


def test_a_submitter_is_killed_at_each_moment(desk: Callable[[int], Desk], cluster: Slurm) -> None:
    """Whoever comes next submits what is not under way: each job is in one batch, and each batch has one allocation.

    No allocation has half of a script.
    """
    for moment in count(1):
        here = desk(moment)
        killed = here.dies(moment, *SUBMIT)
        at_once = here.live()
        here.live(later=31)
        for jobid in here.up():
            assert f"{LONG}\n" in cluster.run(
                "scontrol", "write", "batch_script", jobid.partition("_")[0], "-"
            ).replace(" ;;", "")
        assert run_app([*SUBMIT]) == 0
        found = here.live()
        jobs = sorted(job for each in found for job in each.jobs)
        assert jobs == sorted(job.job_id for job in here.experiment.all_jobs()), f"killed at moment {moment}"
        assert sorted(each.jobid or "" for each in found) == here.up(), f"killed at moment {moment}"
        known = {(each.id, each.number) for each in at_once if each.jobid is not None}
        assert known <= {(each.id, each.number) for each in found}, "what was there is not submitted anew"
        assert run_app([*CANCEL]) == 0
        assert here.up() == []
        if not killed:
            break
    assert moment > 12, "there are more moments than that"


def test_a_cancel_is_killed_at_each_moment(desk: Callable[[int], Desk]) -> None:
    """Whoever comes next ends the rest, and all jobs are free."""
    for moment in count(1):
        here = desk(moment)
        assert run_app([*SUBMIT]) == 0
        killed = here.dies(moment, *CANCEL)
        assert run_app([*CANCEL]) == 0
        assert (here.live(), here.up()) == ([], []), f"killed at moment {moment}"
        if not killed:
            break
    assert moment > 8, "there are more moments than that"
