"""Jobs that wait for others: the columns that count them, before there is a verb that makes them."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake.domain.records import UNGUARDED, Document, Finish, SearchDefinition
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.ports import ExperimentDraft
from sweepstake.stores import SqlStore, open_store
from tests.lab import draft, new_key
from tests.unit.stores.conftest import HandClock


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[SqlStore]:
    """A store in which the job `second` waits for the job `first`."""
    path = tmp_path / "store.db"
    with closing(open_store(f"sqlite:///{path}", clock)) as opened:
        manual = ExperimentDraft(search=SearchDefinition("Manual"))
        opened.put_experiment("sweep", manual, seed=1, guard=UNGUARDED, key=new_key())
        opened.add_jobs("sweep", [draft("first"), draft("second")], key=new_key())
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("insert into dependencies (job_seq, on_seq) values (2, 1)")
            connection.execute("update jobs set dependants = 1 where seq = 1")
            connection.execute("update jobs set waiting = 1 where seq = 2")
        yield opened


def finish_first(store: SqlStore, outcome: Outcome) -> None:
    """Claim the job that can be claimed, which is the first, and end it."""
    claim = store.claim("sweep", worker="w", key=new_key(), repeat=False, uptime=math.inf)
    assert claim is not None
    assert claim.job.id == "first"
    finish = Finish(attempt=claim.key, outcome=outcome)
    finished = store.finish(
        "sweep", "first", finish, key=new_key(), claim=None, worker="w", repeat=False, uptime=math.inf
    )
    assert finished.recorded


def put_first(store: SqlStore, status: JobStatus) -> None:
    """State a fact about the first job."""
    store.put_job("sweep", "first", Document(status=status), guard=UNGUARDED, key=new_key(), attempt=None)


def waiting(store: SqlStore) -> int:
    """Return for how many jobs the second one waits."""
    return store.get_job("sweep", "second").waiting


def test_a_done_job_lets_those_that_wait_for_it_go(store: SqlStore) -> None:
    """A blocked job becomes ready in the transaction that makes its last dependency DONE."""
    assert store.count_jobs("sweep").blocked == 1
    finish_first(store, Outcome.DONE)
    assert store.count_jobs("sweep").ready == 1


@pytest.mark.parametrize("outcome", [Outcome.CRASHED, Outcome.PRUNED])
def test_a_job_that_failed_lets_nobody_go(store: SqlStore, outcome: Outcome) -> None:
    """Only DONE is what the others wait for."""
    finish_first(store, outcome)
    assert waiting(store) == 1


def test_a_put_lets_go_and_blocks_again(store: SqlStore) -> None:
    """Stating that a job is DONE frees those that wait, and taking it back blocks them again; each counts once."""
    for status, left in [
        (JobStatus.DONE, 0),
        (JobStatus.DONE, 0),
        (JobStatus.QUEUED, 1),
        (JobStatus.CRASHED, 1),
        (JobStatus.DONE, 0),
    ]:
        put_first(store, status)
        assert waiting(store) == left


def test_nobody_waits_for_a_job_that_was_deleted(store: SqlStore) -> None:
    """Deleting a dependency frees those that wait for it."""
    store.delete_job("sweep", "first", guard=UNGUARDED, key=new_key())
    assert waiting(store) == 0
