"""A store from before jobs could wait for others, and a process that still knows only its schema."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sweepstake.domain.drafts import Finish
from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import Claim
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.queue.verify import verify
from sweepstake.queue.verify.facts import Check
from sweepstake.stores.statements import load_migrations
from sweepstake.values import EMPTY, JsonObject
from tests.kit.clocks import HandClock
from tests.kit.lab import document, draft, new_key
from tests.kit.stores import open_store

#: The schema before dependencies could be made, and duplicates be told.
BEFORE = 3
ADD = (
    "insert into jobs (experiment_id, id, status, etag, created_at, hyperparameters, results)"
    " values (1, ?, 'QUEUED', ?, 0, ?, '{}')"
)


def make_older(file: sqlite3.Connection, version: int) -> None:
    """Make an experiment in a store of an older schema."""
    file.execute("create table meta (name text primary key, value text not null)")
    for migration in load_migrations("sqlite")[:version]:
        for statement in migration.statements:
            file.execute(statement)
    file.execute("insert into meta values ('schema', ?)", [str(version)])
    file.execute(
        "insert into experiments (name, status, search_kind, search_params, settings, lease, max_attempts,"
        " max_lost, retry_delay, etag, created_at)"
        " values ('sweep', 'RUNNING', 'Manual', 'null', '{}', 60, 1, 3, 0, 'e', 0)"
    )


def test_jobs_of_an_older_schema_are_waited_for_and_recognized(tmp_path: Path, clock: HandClock) -> None:
    """Those that were there before, and those that an older process adds beside us."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        make_older(older, BEFORE)
        older.execute(ADD, ["old", new_key(), '{"x":1}'])
        with closing(open_store(f"sqlite:///{path}", clock)) as store:
            older.execute(ADD, ["beside", new_key(), '{"x":2}'])
            wanted = [draft(of=document(hyperparameters={"x": x})) for x in (1, 2)]
            wanted.append(draft("new", depends_on=("old", "beside"), prune_with=True))
            added = store.add_jobs("sweep", wanted, key=new_key(), on_duplicate=OnDuplicate.SKIP)
            assert [each.id for each in added.duplicates] == ["old", "beside"]
            store.prune("sweep", "beside", key=new_key())
            assert store.get_job("sweep", "new").status is JobStatus.PRUNED


def test_ends_of_an_older_schema_are_nobodys_fault(tmp_path: Path, clock: HandClock) -> None:
    """Who put the end of a leased job was not kept then; `verify` does not call it somebody else's now."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        make_older(older, 5)
        older.execute(ADD, ["old", "e.0", "{}"])
        older.execute("insert into events values (1, 0, 'add_jobs', 'sweep', '', 'e', '1')")
        older.execute("insert into events values (2, 0, 'put_job', 'sweep', 'old', 'p', '')")
        older.execute("update jobs set status = 'DONE', etag = 'p', attempt = 1")
        older.execute(
            "insert into attempts (job_seq, number, key, worker, lease, started_at, ended_at, outcome)"
            " values (1, 1, 'c', 'w', 60, 0, 1, 'done')"
        )
    with closing(open_store(f"sqlite:///{path}", clock)) as store:
        assert [each.reason for each in store.list_attempts("sweep", "old")] == ["stated by a put"]
        found = verify(store.ledger).violations
        assert [each for each in found if each.check is Check.HOLDERS] == []


def test_ended_jobs_of_an_older_schema_are_counted_and_listed(tmp_path: Path, clock: HandClock) -> None:
    """What an index and a trigger hold of the jobs is the same when both are made anew."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        make_older(older, 11)
        for job in ("done", "crashed", "queued"):
            older.execute(ADD, [job, new_key(), "{}"])
        older.execute("update jobs set status = upper(id) where id <> 'queued'")
    with closing(open_store(f"sqlite:///{path}", clock)) as store:
        claim = store.claim("sweep", worker="w", key=new_key(), repeat=False)
        assert isinstance(claim, Claim)
        counts = store.count_jobs("sweep")
        assert (counts.done, counts.crashed, counts.running) == (1, 1, 1)
        finish = Finish(attempt=claim.key, outcome=Outcome.PRUNED, results=EMPTY)
        store.finish("sweep", "queued", finish, key=new_key(), claim=None, worker="", repeat=False)
        counts = store.count_jobs("sweep")
        assert (counts.done, counts.crashed, counts.pruned, counts.running) == (1, 1, 1, 0)
        for status in (JobStatus.DONE, JobStatus.CRASHED, JobStatus.PRUNED):
            assert [job.status for job in store.jobs("sweep", JobQuery(status=frozenset({status})))] == [status]


def test_specs_of_an_older_schema_are_read_and_followed_by_others(tmp_path: Path, clock: HandClock) -> None:
    """Of those that were there before, nobody knows what the code was."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        make_older(older, 15)
        older.execute("insert into specs values (1, 1, 'text', '{}', 3.5)")
    with closing(open_store(f"sqlite:///{path}", clock)) as store:
        before = store.get_spec("sweep")
        assert (before.version, before.text, before.created_at, before.snapshot) == (1, "text", 3.5, None)
        code = JsonObject.of({"commit": "ab12"})
        assert store.put_spec("sweep", SpecDraft(text="", document=EMPTY, snapshot=code)) == 2
        assert store.get_spec("sweep").snapshot == code
