"""What a spec says of the ends of its tasks, with real workers: timeouts, retries, and who ends with whom."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sweepstake import Database
from sweepstake.client import Experiment
from sweepstake.domain.status import Outcome
from sweepstake.spec import ExperimentSpec
from tests.kit.commands import alive
from tests.kit.lab import eventually
from tests.kit.shell import Shell

WORKER = ("worker", "steps", "--no-container", "--grace", "0.5", "--crashes", "0", "--slots")
#: Says its process id, and waits.
WAITS = "echo $$ > $FOLDER/$SWEEPSTAKE_TASK; while :; do sleep 0.05; done"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which tasks write."""
    made = tmp_path / "shared"
    made.mkdir()
    return made


def submit(db: Database, folder: Path, *tasks: dict[str, Any], **spec: Any) -> Experiment:
    """Submit a spec of shell scripts."""
    variables = [{"name": "FOLDER", "value": str(folder)}]
    made = []
    for task in tasks:
        command = ["sh", "-euc", task.pop("script")]
        made.append({"image": {"docker": "x"}, "command": command, "envVars": variables, **task})

    return db.submit(ExperimentSpec.from_json({"version": "v2", "tasks": made, **spec}), name="steps")


def pid_in(file: Path) -> int | None:
    """Return the process id that a task wrote into a file, once it has."""
    text = file.read_text() if file.exists() else ""
    return int(text) if text.endswith("\n") else None


def statuses(exp: Experiment) -> dict[str, str]:
    """Return what each job is."""
    return {job.job_id: str(job.status) for job in exp.all_jobs()}


def test_a_timeout_ends_a_task_and_retries_are_attempts(db: Database, folder: Path, shell: Shell) -> None:
    """One retry makes two attempts, of which each has the time."""
    exp = submit(db, folder, {"name": "slow", "script": WAITS, "timeout": "500ms"}, retry={"allowedTaskRetries": 1})
    ran = shell.run(*WORKER, "cpus=1", "--idle", "0")
    assert "jobs run: 2 crashed" in ran.stderr
    assert statuses(exp) == {"slow": "CRASHED"}
    attempts = list(exp.get_job("slow").attempts())
    assert [(each.outcome, each.reason) for each in attempts] == [
        (Outcome.CRASHED, "ran longer than its timeout of 0.5 s")
    ] * 2
    assert not alive(int((folder / "slow").read_text()))


def test_without_a_word_of_retries_nothing_is_tried_again(db: Database, folder: Path, shell: Shell) -> None:
    """As Beaker has it."""
    exp = submit(db, folder, {"name": "bad", "script": "exit 3"})
    shell.run(*WORKER, "cpus=1", "--idle", "0")
    assert [each.outcome for each in exp.get_job("bad").attempts()] == [Outcome.CRASHED]
    assert statuses(exp) == {"bad": "CRASHED"}


def test_a_failure_stops_the_other_tasks(db: Database, folder: Path, shell: Shell) -> None:
    """Those that run elsewhere are ended, and those that are queued never begin."""
    fails = "until [ -e $FOLDER/other ]; do sleep 0.05; done; exit 1"
    exp = submit(
        db,
        folder,
        {"name": "first", "script": fails, "propagateFailure": True, "context": {"priority": "high"}},
        {"name": "other", "script": WAITS},
        {"name": "later", "script": WAITS, "context": {"priority": "low"}},
    )
    workers = [shell.start(*WORKER, "cpus=1", "--idle", "0") for _ in range(2)]
    for worker in workers:
        worker.communicate(timeout=90)
    assert statuses(exp) == {"first": "CRASHED", "other": "PRUNED", "later": "PRUNED"}
    assert not alive(int((folder / "other").read_text()))
    assert not (folder / "later").exists()


def test_a_preemption_preempts_the_other_tasks(db: Database, folder: Path, shell: Shell) -> None:
    """Their commands are ended, and all are run again."""
    exp = submit(
        db,
        folder,
        {"name": "first", "script": WAITS, "propagatePreemption": True, "context": {"priority": "high"}},
        {"name": "other", "script": WAITS},
    )
    first = shell.start(*WORKER, "cpus=1", "--drain", "0")
    eventually((folder / "first").exists)
    other = shell.start(*WORKER, "cpus=1")
    before = eventually(lambda: pid_in(folder / "other"))
    os.kill(first.pid, signal.SIGTERM)
    eventually(lambda: [each.outcome for each in exp.get_job("other").attempts()][:1] == [Outcome.PREEMPTED])
    eventually(lambda: not alive(before))
    assert [each.outcome for each in exp.get_job("first").attempts()][:1] == [Outcome.PREEMPTED]
    eventually(lambda: exp.get_job("first").attempts()[-1].number == 2)
    os.kill(other.pid, signal.SIGTERM)
