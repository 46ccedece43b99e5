"""The judge of histories finds what is wrong, and nothing in a store that is right."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.queue.verify import verify
from tests.kit.history import check_history, findings
from tests.kit.lab import Lab, document, draft, new_key
from tests.kit.stack import open_queue
from tests.kit.stores import open_store


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


def test_a_job_made_anew_by_the_id_of_one_that_was_retried_has_its_own_budgets(tmp_path: Path) -> None:
    """The new budgets of a deleted job are not held against the one that has its id now, by either judge."""
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(open_queue(url)) as queue:
        lab = Lab.new(queue, max_attempts=3)
        lab.add(draft("again"))
        for _ in range(3):
            lab.finish(lab.claim(), Outcome.CRASHED)
        queue.retry(lab.name, "again", key=new_key())
        lab.delete("again")
        lab.add(draft("again"))
        for _ in range(2):
            lab.finish(lab.claim(), Outcome.CRASHED)
    check_history(url)
    with closing(open_store(url)) as store:
        assert not verify(store.ledger).found
