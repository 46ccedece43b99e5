"""When a report can be neither delivered nor, perhaps, kept: nothing of the user's is hidden, and nothing is silent."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweepstake import AuthenticationError, Database, Experiment, Job, ManualSearch, SpoolError
from sweepstake.config import Config
from sweepstake.connection import connect_with
from sweepstake.domain.access import Role
from sweepstake.domain.status import Outcome
from sweepstake.http import HttpSender
from sweepstake.queue.calls import CreateToken, RevokeToken
from sweepstake.wire.credentials import NewToken
from tests.faults.stores.gate import Gate
from tests.kit.clocks import LeapingClock
from tests.kit.scripts import run_script
from tests.kit.serving import Served, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over a new file, with a user."""
    with served(f"sqlite:///{tmp_path_factory.mktemp('server')}/store.db") as running:
        yield running


@pytest.fixture
def gate(server: Served) -> Iterator[Gate]:
    """The way to the server."""
    with Gate(server.url) as way:
        yield way


@pytest.fixture
def open_database(gate: Gate, server: Served, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Connects through the gate, with a clock on which an hour is soon over."""
    opened = []

    def connect() -> Database:
        clock = LeapingClock()
        config = Config(url=gate.url, token=server.token, state=tmp_path / "state", checkpoints=tmp_path)
        opened.append(connect_with(config, clock, clock.sleep))
        return opened[-1]

    yield connect
    for database in opened:
        database.close()


@pytest.fixture
def exp(open_database: Callable[[], Database], request: pytest.FixtureRequest) -> Experiment:
    """An experiment with two jobs."""
    experiment = open_database().add_experiment(ManualSearch(request.node.name))
    experiment.add_jobs({"i": i} for i in range(2))
    return experiment


def test_results_that_can_be_kept_nowhere_are_an_error(exp: Experiment, gate: Gate, tmp_path: Path) -> None:
    """It says what is wrong with the store, what with the disk, and where the results are."""
    (tmp_path / "state").touch()
    said = r"neither reported \(.* did not answer.*Not a directory.*job\.results"
    with pytest.raises(SpoolError, match=said), exp.next_job() as job:
        gate.shut()
        job.results["x"] = 1
    assert job.results == {"x": 1}


def test_a_full_disk_hides_no_exception_of_the_users(exp: Experiment, gate: Gate, tmp_path: Path) -> None:
    """Theirs is raised; ours is a note on it."""
    (tmp_path / "state").touch()
    with pytest.raises(ZeroDivisionError) as caught, exp.next_job():
        gate.shut()
        raise ZeroDivisionError
    assert any("neither reported" in note for note in caught.value.__notes__)


def test_a_loop_tells_of_a_report_that_waits_and_delivers_it_with_its_next_call(
    exp: Experiment, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """No exception ends the loop: when the store is back, the next claim delivers first."""
    done: list[Job] = []
    for job in exp.claim_jobs():
        with job:
            job.results["i"] = job.hyperparameters["i"]
            if not done:
                gate.shut()
            done.append(job)
        gate.open()
    assert [exp.get_job(job.job_id).status for job in done] == [Job.DONE, Job.DONE]
    assert [[attempt.outcome for attempt in job.attempts()] for job in done] == [[Outcome.DONE]] * 2
    assert "is kept in" in caplog.text
    assert "stays in the spool" in caplog.text


def test_a_job_given_back_while_the_store_is_away_is_given_back_later(exp: Experiment, gate: Gate) -> None:
    """`release` does not fail for that; leaving the block afterwards changes nothing."""
    with exp.next_job() as job:
        gate.shut()
        job.results["epoch"] = 3
        job.release()
    gate.open()
    exp.counts()
    stored = exp.get_job(job.job_id)
    assert (stored.status, stored.results) == (Job.QUEUED, {"epoch": 3})


def test_a_report_with_a_revoked_token_waits_for_a_better_one(tmp_path: Path) -> None:
    """The block raises that the token is wrong; whoever connects with a good one delivers."""
    with served(f"sqlite:///{tmp_path}/store.db") as server:
        access = HttpSender(server.url, server.token)
        made = access.send(CreateToken(wanted=NewToken(role=Role.WORK)))
        with _connect(server, server.token, tmp_path) as owner:
            owner.add_experiment(ManualSearch("exp")).add_job({})
        with _connect(server, made.token, tmp_path) as worker:
            job = worker.get_experiment("exp").next_job()
            with pytest.raises(AuthenticationError) as caught, job:
                job.results["x"] = 1
                access.send(RevokeToken(id=made.id))
        access.close()
        assert ["spool show" in note for note in caught.value.__notes__] == [True]
        with _connect(server, server.token, tmp_path) as owner:
            exp = owner.get_experiment("exp")
            stored = exp.get_job(job.job_id)
        assert (stored.status, stored.results) == (Job.DONE, {"x": 1})


def _connect(server: Served, token: str, folder: Path) -> Database:
    clock = LeapingClock()
    config = Config(url=server.url, token=token, state=folder / "state", checkpoints=folder)
    return connect_with(config, clock, clock.sleep)


_TERMINATED = """
import os, signal, sys
from pathlib import Path
from sweepstake.config import Config
from sweepstake.connection import connect_with
from tests.kit.clocks import LeapingClock
from tests.faults.stores.gate import Gate

url, folder, name, token = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
clock = LeapingClock()

def sleep(seconds):
    with (folder / "naps").open("a") as naps:
        naps.write("z")
    if (folder / "naps").stat().st_size == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    clock.sleep(seconds)

with Gate(url) as gate:
    config = Config(url=gate.url, token=token, state=folder / "state", checkpoints=folder)
    with connect_with(config, clock, sleep).get_experiment(name).next_job() as job:
        job.results["x"] = 1
        gate.shut()
"""


def test_sigterm_cuts_the_patience_short_and_keeps_the_report(exp: Experiment, server: Served, tmp_path: Path) -> None:
    """A process that waits for its store and is told to end leaves within seconds; the report stays on disk."""
    done = run_script(_TERMINATED, server.url, str(tmp_path), exp.name, server.token)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert len((tmp_path / "naps").read_text()) == 3, "it went on trying"
    (entry,) = (tmp_path / "state").rglob("*.json")
    assert json.loads(entry.read_text())["report"]["results"] == {"x": 1}
