"""The floor on PostgreSQL: what a trustworthy claim must do, in plain prepared psycopg without any layer."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator

import psycopg
from attrs import field, frozen

from tests.benchmarks.floors.sqlite import Held
from tests.benchmarks.work import results, sweep

__all__ = ["PostgresFloor", "PostgresFloorSession"]

_SCHEMA = """
create table jobs (
    seq bigint generated always as identity primary key,
    experiment bigint not null,
    id text not null,
    status text not null,
    hyperparameters text not null,
    results text not null,
    etag text not null,
    priority int not null default 0,
    due double precision,
    waiting int not null default 0,
    attempt int not null default 0,
    worker text,
    ended_at double precision,
    unique (experiment, id)
);
create index ready on jobs (experiment, priority desc, seq) where status = 'QUEUED' and waiting = 0 and due is null;
create index running on jobs (experiment, due) where status = 'RUNNING';
create table attempts (
    job bigint not null,
    number int not null,
    key text not null unique,
    worker text not null,
    lease double precision not null,
    started_at double precision not null,
    ended_at double precision,
    outcome text,
    finish_key text,
    primary key (job, number)
);
create table counts (
    experiment bigint, slot int, jobs bigint not null, done bigint not null, primary key (experiment, slot)
) with (fillfactor = 20);
"""

_COPY = "copy jobs (experiment, id, status, hyperparameters, results, etag) from stdin"

_PICK = """
with clock as materialized (select extract(epoch from clock_timestamp())::float8 as now),
ready as (
    select seq from jobs where experiment = 1 and status = 'QUEUED' and waiting = 0 and due is null
    order by priority desc, seq limit 1
    for update skip locked
),
taken as (
    update jobs set status = 'RUNNING', etag = %(key)s, attempt = attempt + 1, due = now + 60, worker = %(worker)s
    from ready, clock where jobs.seq = ready.seq
    returning jobs.seq, attempt, hyperparameters, now
)
"""

_BARE_CLAIM = _PICK + "select seq, attempt, hyperparameters from taken"

_OPENED = """,
opened as (
    insert into attempts (job, number, key, worker, lease, started_at)
    select seq, attempt, %(key)s, %(worker)s, 60, now from taken
)
"""

_CLAIM = _PICK + _OPENED + "select seq, attempt, hyperparameters from taken"

_PROBING_CLAIM = (
    _PICK
    + _OPENED
    + """
select seq, attempt, hyperparameters,
    (select due from jobs where experiment = 1 and status = 'RUNNING' order by due limit 1) <= now as overdue
from taken
"""
)

_BARE_FINISH = """
update jobs set status = 'DONE', results = %(results)s, etag = %(key)s, due = null,
    ended_at = extract(epoch from clock_timestamp())
where seq = %(seq)s and status = 'RUNNING' and etag = %(claim)s
"""

_FINISH = """
with written as (
    update jobs set status = 'DONE', results = %(results)s, etag = %(key)s, due = null,
        ended_at = extract(epoch from clock_timestamp())
    where seq = %(seq)s and status = 'RUNNING' and etag = %(claim)s
    returning seq, attempt, ended_at
),
counted as (
    insert into counts as c (experiment, slot, jobs, done) select 1, pg_backend_pid(), 0, 1 from written
    on conflict (experiment, slot) do update set done = c.done + 1
)
update attempts set outcome = 'done', ended_at = written.ended_at, finish_key = %(key)s
from written where job = written.seq and number = written.attempt and outcome is null
"""

_COUNT_ADDED = """
insert into counts as c (experiment, slot, jobs, done) values (1, 0, %s, 0)
on conflict (experiment, slot) do update set jobs = c.jobs + excluded.jobs
"""

_READ = """
select id, status, hyperparameters, results, etag, seq, priority, attempt, worker, ended_at
from jobs where experiment = 1 order by seq
"""


@frozen
class PostgresFloor:
    """A floor's database.

    Attributes:
        ledger: keep attempts and how many jobs are done; without, claims and guarded updates only (the bare floor).
        probe: each claim also says whether any lease is overdue.
    """

    url: str
    ledger: bool = True
    probe: bool = False

    def fill(self, count: int) -> None:
        """Create the tables if need be and copy jobs into them, in one transaction."""
        with psycopg.connect(self.url) as connection:
            if connection.execute("select to_regclass('jobs')").fetchone() == (None,):
                connection.execute(_SCHEMA)
            with connection.cursor().copy(_COPY) as copy:
                for values in sweep(count):
                    key = os.urandom(16).hex()
                    copy.write_row((1, key, "QUEUED", json.dumps(values), "{}", key))
            connection.execute(_COUNT_ADDED, (count,))

    @contextlib.contextmanager
    def session(self) -> Iterator[PostgresFloorSession]:
        """Connect as a worker does."""
        claim = (_PROBING_CLAIM if self.probe else _CLAIM) if self.ledger else _BARE_CLAIM
        with psycopg.connect(self.url, autocommit=True, prepare_threshold=0) as connection:
            yield PostgresFloorSession(connection, claim, _FINISH if self.ledger else _BARE_FINISH)


@frozen
class PostgresFloorSession:
    """One worker of the floor."""

    connection: psycopg.Connection
    claim_sql: str
    finish_sql: str
    worker: str = field(factory=lambda: f"worker-{os.getpid()}")

    def claim(self) -> Held | None:
        """Take the ready job of highest priority, then oldest, and open its attempt, in one statement."""
        key = os.urandom(16).hex()
        row = self.connection.execute(self.claim_sql, {"key": key, "worker": self.worker}).fetchone()
        return Held(row[0], row[1], key, json.loads(row[2])) if row else None

    def finish(self, held: Held) -> None:
        """Record results, guarded by the claim's etag, and close the attempt, in one statement."""
        values = {
            "results": json.dumps(results(held.hyperparameters)),
            "key": os.urandom(16).hex(),
            "seq": held.seq,
            "claim": held.key,
        }
        if self.connection.execute(self.finish_sql, values).rowcount != 1:
            raise RuntimeError("the guard failed: another worker had this job")

    def read(self) -> int:
        """Read all jobs with their values, and return how many there are."""
        rows = self.connection.execute(_READ)
        return len([(*row[:2], json.loads(row[2]), json.loads(row[3]), *row[4:]) for row in rows])
