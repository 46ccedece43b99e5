"""Gangs on real workers: replicas begin together on one or two of them, also when workers are killed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweepstake import Database, ManualSearch
from sweepstake.domain.status import Outcome
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.values import JsonObject
from tests.kit.commands import alive
from tests.kit.lab import draft, eventually
from tests.kit.shell import Shell

LEASE = 2.0
WORKER = ("worker", "exp", "--no-container", "--grace", "0.5", "--crashes", "0", "--slots")
#: Says that it has begun, and ends well once two of its gang have since the last time that somebody asked.
TOGETHER = """echo $BEAKER_REPLICA_RANK $BEAKER_REPLICA_COUNT $BEAKER_LEADER_REPLICA_HOSTNAME $$ >> $FOLDER/begun
until [ -e $FOLDER/enough ]; do sleep 0.05; done"""


@pytest.fixture
def exp(db: Database) -> ManualSearch:
    """An experiment whose leases are short."""
    return db.add_experiment(ManualSearch("exp", lease=LEASE, max_attempts=1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which tasks write."""
    made = tmp_path / "shared"
    made.mkdir()
    return made


def add_gangs(exp: ManualSearch, folder: Path, *gangs: str, script: str = TOGETHER, **task: Any) -> None:
    """Give an experiment a spec of one task with two replicas, and gangs of jobs of it."""
    variables = [{"name": "FOLDER", "value": str(folder)}]
    made = {"name": "main", "image": {"docker": "x"}, "command": ["sh", "-euc", script], "envVars": variables, **task}
    document = JsonObject.of({"version": "v2", "tasks": [{"replicas": 2, **made}]})
    exp.session.queue.put_spec(exp.name, SpecDraft(text="", document=document))
    for gang in gangs:
        drafts = [draft(f"{gang}{rank}", task="main", gang=gang, rank=rank) for rank in range(2)]
        exp.session.queue.add_jobs(exp.name, drafts)


def told(folder: Path, lines: int) -> Callable[[], list[list[str]] | None]:
    """Return what answers with the words of each job that has begun, once so many have."""

    def ask() -> list[list[str]] | None:
        file = folder / "begun"
        found = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return found if len(found) >= lines else None

    return ask


def missed(exp: ManualSearch, job: str) -> Callable[[], bool]:
    """Return what asks after the gang of a job, and answers whether none of it is held any more."""

    def ask() -> bool:
        exp.session.queue.get_gang(exp.name, job)
        return exp.counts().running == 0

    return ask


def outcomes(exp: ManualSearch, job: str) -> list[Outcome | None]:
    """Return how the attempts of a job have ended."""
    return [attempt.outcome for attempt in exp.get_job(job).attempts()]


def test_two_workers_with_half_of_the_room_each_run_a_gang(exp: ManualSearch, folder: Path, shell: Shell) -> None:
    """The first waits for the second; each replica is told where the leader is, as its worker's labels say."""
    add_gangs(exp, folder, "g")
    first = shell.start(*WORKER, "cpus=1", "--label", "hostname=node-a", "--idle", "0")
    eventually(lambda: exp.counts().running == 1)
    assert not (folder / "begun").exists()
    second = shell.start(*WORKER, "cpus=1", "--label", "hostname=node-b", "--idle", "0")
    words = eventually(told(folder, 2))
    assert sorted(line[:3] for line in words) == [["0", "2", "node-a"], ["1", "2", "node-a"]]
    (folder / "enough").touch()
    for process in (first, second):
        _, error = process.communicate(timeout=60)
        assert "jobs run: 1 done" in error


def test_gangs_of_two_experiments_do_not_block_each_other(
    db: Database, exp: ManualSearch, folder: Path, shell: Shell
) -> None:
    """Each holds half of the room; when the time of one is over, the other has it all, and then the first."""
    other = db.add_experiment(ManualSearch("other", lease=LEASE, max_attempts=10))
    script = """echo >> $FOLDER/$SWEEPSTAKE_EXPERIMENT
    until [ $(wc -l < $FOLDER/$SWEEPSTAKE_EXPERIMENT) = 2 ]; do sleep 0.05; done"""
    add_gangs(exp, folder, "g", script=script, synchronizedStartTimeout="60s")
    add_gangs(other, folder, "h", script=script, synchronizedStartTimeout="2s")
    options = ("--no-container", "--crashes", "0", "--slots", "cpus=1")
    first = shell.start("worker", "exp", "other", *options)
    eventually(lambda: exp.counts().running == 1)
    second = shell.start("worker", "other", "exp", *options)
    eventually(lambda: other.counts().running == 1)
    eventually(lambda: (exp.counts().done, other.counts().done) == (2, 2))
    assert [len(outcomes(exp, job)) for job in ("g0", "g1")] == [1, 1]
    for process in (first, second):
        os.kill(process.pid, signal.SIGTERM)


@pytest.mark.parametrize("gathers", [True, False], ids=["while it gathers", "while it runs"])
def test_a_gang_survives_a_killed_worker(exp: ManualSearch, folder: Path, shell: Shell, gathers: bool) -> None:
    """What gathers goes on gathering; what runs begins anew, all of it, if its task propagates preemption."""
    add_gangs(exp, folder, "g", propagatePreemption=True, synchronizedStartTimeout="60s")
    killed = shell.start(*WORKER, "cpus=1")
    eventually(lambda: exp.counts().running == 1)
    if gathers:
        killed.kill()
        killed.wait()
        eventually(missed(exp, "g0"))
    other = shell.start(*WORKER, "cpus=1")
    if not gathers:
        eventually(told(folder, 2))
        killed.kill()
        killed.wait()
    third = shell.start(*WORKER, "cpus=1")
    words = eventually(told(folder, 2 if gathers else 4))
    assert sorted(line[0] for line in words[-2:]) == ["0", "1"]
    (folder / "enough").touch()
    eventually(lambda: exp.counts().done == 2)
    ended = [outcomes(exp, job) for job in ("g0", "g1")]
    rest = [Outcome.DONE] if gathers else [Outcome.PREEMPTED, Outcome.DONE]
    assert sorted(ended, key=str) == sorted([[Outcome.LEASE_LOST, Outcome.DONE], rest], key=str)
    for process in (other, third):
        os.kill(process.pid, signal.SIGTERM)


def test_half_a_gang_that_nobody_completes_ends(exp: ManualSearch, folder: Path, shell: Shell) -> None:
    """Though its only worker has no room to ask for more: it asks after its gang, and its command is ended."""
    add_gangs(exp, folder, "g", synchronizedStartTimeout="3s")
    first = shell.start(*WORKER, "cpus=1")
    second = shell.start(*WORKER, "cpus=1")
    words = eventually(told(folder, 2))
    second.kill()
    second.wait()
    eventually(lambda: exp.counts().crashed == 2)
    reasons = {attempt.reason for job in ("g0", "g1") for attempt in exp.get_job(job).attempts()}
    assert "the gang ran without all of its jobs for longer than 3 s" in reasons
    eventually(lambda: not any(alive(int(line[3])) for line in words))
    os.kill(first.pid, signal.SIGTERM)


def test_a_worker_that_drains_gives_back_what_waits_for_others(exp: ManualSearch, folder: Path, shell: Shell) -> None:
    """It does not wait for what may never come; the job is queued again, and no preemption is counted."""
    add_gangs(exp, folder, "g")
    process = shell.start(*WORKER, "cpus=1")
    eventually(lambda: exp.counts().running == 1)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert outcomes(exp, "g0") == [Outcome.RELEASED]
    assert exp.counts().running == 0
