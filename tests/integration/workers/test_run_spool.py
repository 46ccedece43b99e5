"""Workers whose store is away when a command ends: what it computed is kept on disk, and delivered."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import sweepstake
from sweepstake import Database, Job, ManualSearch
from sweepstake.domain.status import Outcome
from tests.kit.commands import begun, lasting, python, until_told
from tests.kit.lab import eventually
from tests.kit.shell import Shell
from tests.kit.stack import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server over a new file, without users."""
    with ServerProcess(f"sqlite:///{tmp_path}/served.db", tmp_path) as running:
        yield running


@pytest.fixture
def far(server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Commands that use the server, and the state folder that this process uses as well."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    shell = Shell(server.url)
    yield shell
    shell.close()


def test_the_report_of_a_worker_that_dies_while_the_store_is_away_survives(
    server: ServerProcess, far: Shell, tmp_path: Path
) -> None:
    """The worker has put it on disk before it was killed; the next call that reaches the server delivers it."""
    with sweepstake.connect(server.url) as db:
        job = db.add_experiment(ManualSearch("e")).add_job({})
    worker = far.start("run", "e", *python(until_told(tmp_path)))
    (command,) = begun(tmp_path, job)
    server.kill()
    os.kill(command, signal.SIGUSR1)
    spool = tmp_path / "state" / "spool"
    eventually(lambda: any(spool.rglob("*.json")))
    worker.kill()
    worker.wait(120)
    server.start()
    with sweepstake.connect(server.url) as db:
        exp = db.get_experiment("e")
        stored = exp.get_job(job.job_id)
    assert (stored.status, stored.results) == (Job.DONE, {"x": 1})
    assert not any(spool.rglob("*.json"))


def test_a_worker_delivers_by_itself_when_the_store_is_back(server: ServerProcess, far: Shell, tmp_path: Path) -> None:
    """A server that is restarted while a command ends costs nothing, and leaves nothing in the spool."""
    with sweepstake.connect(server.url) as db:
        job = db.add_experiment(ManualSearch("e")).add_job({})
    worker = far.start("run", "e", *python(until_told(tmp_path)))
    (command,) = begun(tmp_path, job)
    server.kill()
    os.kill(command, signal.SIGUSR1)
    spool = tmp_path / "state" / "spool"
    eventually(lambda: any(spool.rglob("*.json")))
    server.start()
    out, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, (out, err)
    assert "jobs run: 1 done" in err
    assert not any(spool.rglob("*.json"))


def test_a_command_told_to_end_saves_what_it_has(db: Database, shell: Shell, tmp_path: Path) -> None:
    """It has time to report after SIGTERM; its results stay with the job, which goes back to the queue."""
    job = db.add_experiment(ManualSearch("e")).add_job({})
    script = lasting(
        tmp_path,
        "import json, sys\n"
        "def save(*_):\n"
        "    open(os.environ['SWEEPSTAKE_RESULTS_PATH'], 'w').write(json.dumps({'epoch': 7}))\n"
        "    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, save)",
    )
    worker = shell.start("run", "e", *python(script))
    begun(tmp_path, job)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    stored = db.get_experiment("e").get_job(job.job_id)
    assert (stored.status, stored.results) == (Job.QUEUED, {"epoch": 7})
    assert [attempt.outcome for attempt in stored.attempts()] == [Outcome.PREEMPTED]
