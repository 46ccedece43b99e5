"""Batches from Python, as in a notebook: with allocations that are processes of this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

import sweepstake
from sweepstake import GridSearch, Job, ManualSearch, RandomSearch, batch
from sweepstake.batch.backends.kinds import backend_of
from sweepstake.errors import ConfigurationError
from tests.kit.commands import RESULTS
from tests.kit.lab import eventually

__all__: list[str] = []

HOLD = ["sh", "-c", "sleep 60"]
PLAN: dict[str, Any] = {"backend": "local", "capacity": "nodes=1,cpus=2", "estimate": 5.0}


@pytest.fixture
def exp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualSearch]:
    """An experiment of four jobs, in a store that only its URL names; no allocation of it is left behind."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWEEPSTAKE_URL", f"sqlite:///{tmp_path}/another.db")
    with sweepstake.connect(f"sqlite:///{tmp_path}/store.db") as db:
        found = db.add_experiment(ManualSearch("e"))
        for x in range(4):
            found.add_job({"x": x})
        yield found
        batch.cancel(found)


def test_what_is_submitted_runs_without_whoever_submitted_it(exp: ManualSearch, tmp_path: Path) -> None:
    """Its workers find the store by the connection of the experiment; its folder tells how it stood."""
    made = batch.submit(exp, **PLAN, duration=10, command=["sh", "-c", RESULTS])
    assert [(len(each), each.jobid is not None) for each in made] == [(4, True)]
    assert batch.Batch.loadconfig(tmp_path / "state/batches" / made[0].id)["jobid"] == made[0].jobid
    assert batch.submit(exp, **PLAN, duration=10, command=["sh", "-c", RESULTS]) == []
    batch.wait(exp, made, timeout=60)
    assert {(job.status, job.attempt) for job in exp.all_jobs()} == {(Job.DONE, 1)}
    made[0].refresh()
    assert (made[0].phase, made[0].status.outcome, set(made[0].states.values())) == ("DONE", "SUCCESS", {Job.DONE})
    total, running, queued = made[0].times()
    assert total is not None
    assert total >= (running or 0.0) > 0
    assert queued is not None
    assert batch.status(exp) == []


def test_what_is_cancelled_is_over_and_its_jobs_are_free(exp: ManualSearch) -> None:
    """All of an experiment, or some; who waits is told in time."""
    made = batch.submit(exp, **PLAN, count="max", command=HOLD)
    assert len(made) == 4
    assert {each.id for each in batch.status(exp)} == {each.id for each in made}
    with pytest.raises(TimeoutError, match=made[0].id):
        batch.wait(exp, made, timeout=0.1)
    assert [each.id for each in batch.cancel(exp, made[:1])] == [made[0].id]
    assert {each.id for each in batch.status(exp)} == {each.id for each in made[1:]}
    assert len(batch.cancel(exp)) == 3
    batch.wait(exp, timeout=10)
    eventually(lambda: {job.status for job in exp.all_jobs()} == {Job.QUEUED})


def test_allocations_are_kept_up(exp: ManualSearch) -> None:
    """Until nothing waits or runs any more."""
    told = list[str]()
    assert batch.keep(exp, max_allocations=1, tell=told.append, **PLAN, command=["sh", "-c", RESULTS]) == {}
    assert {job.status for job in exp.all_jobs()} == {Job.DONE}
    assert any("ended, DONE" in line for line in told)


def test_a_search_is_asked_for_jobs_first(exp: ManualSearch) -> None:
    """Until so many wait that are not under way; what a plan shows makes none."""
    grid = sweepstake.connect(exp.session.config.url).add_experiment(GridSearch("grid", {"x": [1, 2, 3]}))
    assert batch.pack(grid, **PLAN, count="max") == []
    assert batch.submit(grid, **PLAN, count="max", command=HOLD) == []
    assert [len(each) for each in batch.submit(grid, **PLAN, count="max", jobs=2, command=HOLD)] == [1, 1]
    assert [len(each) for each in batch.submit(grid, **PLAN, count="max", jobs=2, command=HOLD)] == [1]
    assert len(batch.cancel(grid)) == 3


def test_allocations_of_a_search_are_kept_up(exp: ManualSearch) -> None:
    """Until it has no more, so many jobs at a time."""
    search = RandomSearch("drawn", {"x": sweepstake.Uniform(0, 1)}, max_jobs=2)
    drawn = sweepstake.connect(exp.session.config.url).add_experiment(search)
    batch.keep(drawn, max_allocations=2, tell=list[str]().append, **PLAN, jobs=2, command=["sh", "-c", RESULTS])
    assert [job.status for job in drawn.all_jobs()] == [Job.DONE] * 2


@pytest.mark.parametrize(
    "wishes, names",
    [
        ({"backend": "local", "estimate": 1}, "command="),
        ({"backend": "none", "estimate": 1, "command": ["true"]}, "There is no backend 'none'"),
    ],
)
def test_what_is_lacking_is_told(exp: ManualSearch, wishes: dict[str, Any], names: str) -> None:
    """And nothing is submitted."""
    with pytest.raises(ConfigurationError, match=names):
        batch.submit(exp, **wishes)
    assert batch.status(exp) == []


def test_a_batch_is_run_to_its_end(exp: ManualSearch, tmp_path: Path) -> None:
    """By anything that is told; what it is told at last is how it stands, which another takes over."""
    [one] = batch.pack(exp, **PLAN, duration=60, command=["sh", "-c", RESULTS])
    told: SimpleQueue[Any] = SimpleQueue()
    one.run(backend_of("local", exp.session.config.environment()), told)
    events = [told.get() for _ in range(told.qsize())]
    assert [each.get("event") for each in events] == ["job_submitted", "job_started", None]
    assert events[0]["jobid"] == one.jobid
    other = batch.Batch(one.spec, tmp_path / "b")
    other.setstate(events[-1])
    assert (other.phase, other.status.outcome, other.jobid) == ("DONE", "SUCCESS", one.jobid)
    assert batch.Batch.loadconfig(one.workspace)["status"]["outcome"] == "SUCCESS"
    assert batch.status(exp) == []


PLUGIN = """
from sweepstake.batch import AllocationState, Allocation

class Here:
    name = "here"
    supports_dependencies = False
    def script(self, submission): return "nothing"
    def submit(self, submission): return "12"
    def poll(self, jobids): return {each: "DONE" for each in jobids}
    def cancel(self, jobids): pass
"""


def test_a_package_brings_a_backend_by_an_entry_point(exp: ManualSearch, tmp_path: Path) -> None:
    """One that is installed, and that has no more than a backend must."""
    site = tmp_path / "site"
    found = site / "here-1.0.dist-info"
    found.mkdir(parents=True)
    (site / "here.py").write_text(PLUGIN)
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: here\nVersion: 1.0\n")
    (found / "entry_points.txt").write_text("[sweepstake.batch.backends]\nhere = here:Here\n")
    script = (
        "import sys, sweepstake\n"
        "exp = sweepstake.connect(sys.argv[1]).get_experiment('e')\n"
        "wishes = {'backend': 'here', 'capacity': 'cpus=2', 'estimate': 5, 'count': 'max', 'command': ['x']}\n"
        "made = sweepstake.batch.submit(exp, **wishes)\n"
        "print([each.jobid for each in made], sweepstake.batch.status(exp))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, exp.session.config.url],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout == "['12', '12', '12', '12'] []\n", ran.stderr
