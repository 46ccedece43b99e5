"""The judge of histories finds what is wrong, and nothing in a store that is right."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake.domain.status import JobStatus, Outcome
from tests.history import check_history, findings
from tests.lab import Lab, document
from tests.stack import open_queue


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a job of each kind, whose history is as promised."""
    path = tmp_path / "store.db"
    with closing(open_queue(f"sqlite:///{path}")) as queue:
        lab = Lab.new(queue, name="sweep", max_running=3)
        lab.add_many(5)
        for outcome in (Outcome.DONE, Outcome.RELEASED, Outcome.CRASHED):
            lab.finish(lab.claim(), outcome)
        claim = lab.claim()
        lab.put(claim.job.id, document(JobStatus.DONE))
        lab.finish(claim, Outcome.CRASHED, {"late": 1})
        lab.claim()
    return path


def test_a_history_as_promised_passes(path: Path) -> None:
    """Whatever was done by the queue's verbs breaks no rule."""
    check_history(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "damage",
    [
        "update attempts set number = 7 where job_seq = 1",
        "update attempts set ended_at = null where job_seq = 1",
        "update attempts set finish_key = (select finish_key from attempts where job_seq = 1) where job_seq = 3",
        "update jobs set status = 'QUEUED' where seq = 1",
        "update jobs set status = 'RUNNING' where seq = 5",
        "update jobs set etag = 'made-up' where seq = 1",
        "update jobs set failures = 1 where seq = 1",
        "update jobs set waiting = 1 where seq = 5",
        "update jobs set dependants = 1 where seq = 5",
        "update jobs set due = null where status = 'RUNNING'",
        "update jobs set status = 'DONE' where status = 'RUNNING'",
        "update experiments set max_running = 0",
        "update experiments set created = 1",
        "delete from jobs where seq = 1",
        "delete from experiments",
    ],
)
def test_damage_is_found(path: Path, damage: str) -> None:
    """Each rule that a statement breaks is named."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    assert list(findings(f"sqlite:///{path}"))
