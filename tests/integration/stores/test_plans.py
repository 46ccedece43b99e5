"""No claim, heartbeat, finish or settling reads more than it needs, however many jobs stand by."""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, Final

import attrs
import psycopg
import pytest
from psycopg import sql

from sweepstake.domain.records import UNGUARDED, ExperimentDraft, SearchDefinition
from sweepstake.stores.postgres.engine import connection_string
from sweepstake.stores.statements import load_statements, with_parameters
from sweepstake.stores.urls import PostgresUrl
from tests.kit.postgres import PostgresServer
from tests.kit.stores import open_store

MANY = 100_000
_CLOCK: Final = "date_part('epoch', clock_timestamp())"
#: The most rows, or steps of SQLite's machine, that a statement may touch.
FEW_ROWS = 10
FEW_STEPS = 1_000

#: What the many jobs are, as columns: status, priority, waiting, due, needs.
SHAPES: Mapping[str, tuple[str, int, int, float | None, int]] = {
    "queued": ("QUEUED", 0, 0, None, 0),
    "done": ("DONE", 0, 0, None, 0),
    "blocked at higher priority": ("QUEUED", 5, 1, None, 0),
    "delayed": ("QUEUED", 0, 0, 4e9, 0),
    "of a task at higher priority": ("QUEUED", 5, 0, None, 7),
}
KEY = "0" * 26
KEYS = json.dumps([KEY, "1" * 26])
FINISH = {
    "attempt": KEY,
    "name": "sweep",
    "id": "running",
    "status": "DONE",
    "results": "{}",
    "report": "f" * 26,
    "outcome": "done",
    "reason": "",
    "output": "",
}
END = {"hyperparameters": None, "results": None, "failures": 0, "losses": 1, "preemptions": 0, "delay": 0.0}
#: Every statement of claim, heartbeat, finish and settle that touches jobs or attempts, with parameters for it.
SHARED: Mapping[str, Mapping[str, Any]] = {
    "begin_attempt": {"seq": 77, "number": 9, "key": "b" * 26, "worker": "w", "lease": 60.0},
    "claimed": {"key": KEY},
    "count_running": {"experiment_id": 1},
    "outlook": {"experiment_id": 1, "most": 3},
    "probe": {"name": "sweep"},
    "overdue": {"name": "sweep", "uptime": 1e9},
    "end_delays": {"name": "sweep"},
    "end_job": {"seq": 77, "status": "QUEUED", "etag": "e" * 26, **END},
    "end_attempt": {"seq": 77, "number": 1, "outcome": "done", "reason": "", "output": "", "finish_key": None},
    "held": {"attempt": KEY},
    "keep_late": {"key": KEY, "results": "{}", "output": "", "finish_key": "f" * 26},
    "unblock": {"seq": 77},
    "prunable": {"seqs": "[77, 78]"},
    "prune_with": {"seqs": "[77, 78]", "cause": KEY},
    "beats": {"keys": KEYS},
    "renew": {"seqs": "[77, 78]"},
    # These are no part of it, but every client asks for one job, one page, or why nothing is claimed.
    "job": {"experiment_id": 1, "id": "running"},
    "jobs_of": {"experiment_id": 1, "ids": '["running", "ready"]'},
    "lock_jobs": {"seqs": "[77, 78]"},
    "recount": {"seqs": "[77, 78]"},
    "add_dependants": {"seqs": "[77, 78]", "more": 2},
    "dependencies": {"seq": 77},
    "uncompared": {"experiment_id": 1, "limit": 5},
    "count_uncompared": {"experiment_id": 1, "most": 5},
    "seen": {"experiment_id": 1, "digests": '["d77", "d78", "none"]'},
    "equal": {"experiment_id": 1, "digests": '["d77", "d78", "none"]'},
    "change_fingerprint": {"seq": 77, "digest": "other"},
    "lock_job": {"experiment_id": 1, "id": "running"},
    "jobs_page": {"experiment_id": 1, "after": 50_000, "limit": 5},
    "recent_jobs": {"experiment_id": 1, "limit": 5},
    "jobs_of_statuses": {"experiment_id": 1, "after": 2, "limit": 2, "statuses": '["QUEUED", "DONE"]'},
    "jobs_of_tag": {"experiment_id": 1, "after": 2, "limit": 5, "tag": "all", "statuses": "[]"},
    "count_jobs": {"experiment_id": 1},
    "offer": {"experiment_id": 1, "fresh": 1},
    "needs_of": {"name": "sweep"},
    "ready_kinds": {"experiment_id": 1},
    "collecting": {"experiment_id": 1},
    "collectors": {"experiment_id": 1},
    "first_ready": {"experiment_id": 1, "fitting": "[3, 9]", "member": "79"},
    "gathering": {},
    "members": {"experiment_id": 1, "gang": "g"},
    "situation": {"experiment_id": 1, "id": "running"},
    "attempt": {"seq": 77, "number": 1},
    "blockers": {"seq": 77, "most": 3},
    "live_workers": {"experiment_id": 1, "most": 3},
    "ahead": {"experiment_id": 1, "needs": 0, "priority": 0, "seq": 50_000, "most": 3},
    "batch_counts": {"seq": 1},
    "live_batch_of": {"experiment_id": 1, "job": "running"},
}
#: Jobs that are named, of which one is not there.
NAMED = '["running", "none", "ready"]'
#: What is claimed for an offer.
WANTED = {"fitting": "[3, 9]", "member": "79", "least": 0}
OWN: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "sqlite": {
        "tasks_of": {"experiment_id": 1, "version": 1, "names": '["a", "b"]'},
        "gangs_of": {"experiment_id": 1, "names": '["g", "h"]'},
        "ready_of": {"experiment_id": 1, "ids": NAMED},
        "live_batches_of": {"experiment_id": 1, "jobs": NAMED, "most": 3},
        "pick": {"name": "sweep", "key": "c" * 26},
        "pick_fitting": {"name": "sweep", "key": "c" * 26, **WANTED},
        "take": {"seq": 77, "number": 2, "lease": 60.0, "worker": "w", "key": "c" * 26},
        "held_plain": FINISH,
        "finish": {**FINISH, "seq": 77},
    },
    "postgres": {
        "tasks_of": {"experiment_id": 1, "version": 1, "names": '["a", "b"]'},
        "gangs_of": {"experiment_id": 1, "names": '["g", "h"]'},
        "ready_of": {"experiment_id": 1, "ids": NAMED},
        "live_batches_of": {"experiment_id": 1, "jobs": NAMED, "most": 3},
        "claim": {"name": "sweep", "worker": "w", "key": "c" * 26},
        "claim_limited": {"name": "sweep", "worker": "w", "key": "c" * 26},
        "claim_fitting": {"name": "sweep", "worker": "w", "key": "c" * 26, **WANTED},
        "finish": FINISH,
        "finish_and_claim": {**FINISH, "key": "c" * 26, "worker": "w"},
        "lock_attempt": {"attempt": KEY},
        "lock_free_attempts": {"keys": KEYS},
    },
}
#: They read all jobs that run now, and no other.
COUNT_RUNNING = ("count_running", "count_jobs")
#: Two jobs that are ready and two that run, one of them overdue; what is hot finds something to do.
FEW = """
insert into jobs (experiment_id, id, status, etag, due, created_at, attempt, needs, hyperparameters, results) values
    (1, 'ready', 'QUEUED', 'r1', null, 0, 0, 0, '{}', '{}'),
    (1, 'ready too', 'QUEUED', 'r2', null, 0, 0, 0, '{}', '{}'),
    (1, 'of a task', 'QUEUED', 'r5', null, 0, 0, 3, '{}', '{}'),
    (1, 'of a task too', 'QUEUED', 'r6', null, 0, 0, 3, '{}', '{}'),
    (1, 'running', 'RUNNING', 'r3', 4e9, 0, 1, 0, '{}', '{}'),
    (1, 'overdue', 'RUNNING', 'r4', 0, 0, 1, 0, '{}', '{}')
"""
#: What tasks need: those of the few jobs, and those of the many if they have one.
NEEDS = """insert into needs (id, experiment_id, text) values (3, 1, '{"gpu":1}'), (7, 1, '{"gpu":8}')"""
FEW_ATTEMPTS = """
insert into attempts (job_seq, number, key, worker, lease, started_at)
select
    seq, 1, case id when 'running' then '00000000000000000000000000' else '11111111111111111111111111' end, 'w', 60, 0
from jobs where status = 'RUNNING'
"""
#: Two jobs are in a batch that is under way.
BATCH = """
insert into batches (seq, experiment_id, id, number, status, draft, intended_at)
values (1, 1, 'b', 1, 'BEGUN', '{}', 0)
"""
BATCH_JOBS = "insert into batch_jobs (batch_seq, job, experiment_id) values (1, 'ready', 1), (1, 'running', 1)"
#: Every job that ended was once run.
MANY_ATTEMPTS = """
insert into attempts (job_seq, number, key, worker, lease, started_at, ended_at, outcome)
select seq, 1, 'k' || seq, 'w', 60, 0, 0, 'done' from jobs where status = 'DONE'
"""


#: PostgreSQL gathers no statistics by itself, with which it would plan anew, of any table.
UNTOLD = """
do $$
declare
    found regclass;
begin
    for found in select oid from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace loop
        execute format('alter table %s set (autovacuum_enabled = off)', found);
    end loop;
end
$$
"""
#: All of them were looked at for duplicates.
FINGERPRINTS = (
    "insert into fingerprints (job_seq, experiment_id, digest, repeat) select seq, 1, 'd' || seq, 0 from jobs"
)


@attrs.frozen
class SqlitePlanner:
    """Asks SQLite for the plan, and counts the steps that its machine takes."""

    connection: sqlite3.Connection
    statements: Mapping[str, str]

    def check(self, name: str, params: Mapping[str, Any]) -> None:
        """Fail if the statement scans jobs or attempts, or takes many steps."""
        statement = self.statements[name]
        known = {**params, "now": 1.8e9, "tick": 1e6}
        plan = [row[3] for row in self.connection.execute(f"explain query plan {statement}", known)]
        assert not [line for line in plan if re.match(r"SCAN (jobs|attempts|[ajr])\b", line)], plan
        steps = self._count_steps(statement, known)
        assert steps <= FEW_STEPS, (steps, plan)

    def _count_steps(self, statement: str, params: Mapping[str, Any]) -> int:
        hundreds: list[None] = []
        self.connection.set_progress_handler(lambda: hundreds.append(None), 100)
        self.connection.execute("begin")
        self.connection.execute(statement, params).fetchall()
        self.connection.execute("rollback")
        self.connection.set_progress_handler(None, 0)
        return 100 * len(hundreds)


@attrs.frozen
class PostgresPlanner:
    """Runs prepared statements as PostgreSQL would after some calls, and reads how many rows every step touched."""

    connection: "psycopg.Connection[Any]"
    statements: Mapping[str, str]

    def check(self, name: str, params: Mapping[str, Any]) -> None:
        """Fail if the statement scans jobs or attempts, or touches many rows, with either kind of plan."""
        for mode in ("force_generic_plan", "force_custom_plan"):
            self.connection.execute(f"set plan_cache_mode = {mode}".encode())
            self.prepare(name, params)
            self.check_prepared(name, params)
            self.connection.execute(f"deallocate {name}".encode())

    def prepare(self, name: str, params: Mapping[str, Any]) -> None:
        """Prepare the statement, and plan it by what the tables hold now."""
        places = {name: f"${i}" for i, name in enumerate(params, 1)}
        text = with_parameters(self.statements[name], lambda name: places.get(name, _CLOCK))
        self.connection.execute(f"prepare {name} as {text}".encode())
        self._explain(name, params)

    def check_prepared(self, name: str, params: Mapping[str, Any], most: int = FEW_ROWS) -> None:
        """Fail if the prepared statement scans jobs or attempts, or touches many rows."""
        plan = self._explain(name, params)
        for node in _nodes(plan):
            scanned = node["Node Type"] == "Seq Scan" and node["Relation Name"] in ("jobs", "attempts")
            assert not scanned, json.dumps(plan, indent=1)
            assert _rows(node) <= most, json.dumps(plan, indent=1)

    def triggers(self, name: str, params: Mapping[str, Any]) -> list[str]:
        """Return which triggers the prepared statement sets off."""
        return [trigger["Trigger Name"] for trigger in self._run(name, params)["Triggers"]]

    def _explain(self, name: str, params: Mapping[str, Any]) -> Any:
        return self._run(name, params)["Plan"]

    def _run(self, name: str, params: Mapping[str, Any]) -> Any:
        given = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, params.values()))) if params else sql.SQL("")
        execute = sql.SQL("explain (analyze, format json) execute {} {}").format(sql.SQL(name), given)
        with self.connection.transaction(force_rollback=True):
            answer = self.connection.execute(execute).fetchone()
        assert answer is not None
        return answer[0][0]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _rows(node: dict[str, Any]) -> int:
    removed = (node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck", "Join Filter"))
    return int(node["Actual Loops"] * sum(chain([node["Actual Rows"]], removed)))


@pytest.fixture(scope="module", params=SHAPES)
def sqlite_planner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlitePlanner]:
    """A SQLite store with many jobs of one kind."""
    with _filled_sqlite(tmp_path_factory, request.param) as connection:
        connection.execute("analyze")
        yield SqlitePlanner(connection, load_statements("sqlite"))


@pytest.fixture(scope="module")
def early_sqlite_planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlitePlanner]:
    """A SQLite store with many jobs, of which nobody has told it."""
    with _filled_sqlite(tmp_path_factory, "queued") as connection:
        yield SqlitePlanner(connection, load_statements("sqlite"))


@pytest.fixture(scope="module", params=SHAPES)
def postgres_planner(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[PostgresPlanner]:
    """A PostgreSQL store with many jobs of one kind."""
    with _new_postgres(postgres_server) as connection:
        _fill_postgres(connection, request.param)
        connection.execute("vacuum analyze")
        yield PostgresPlanner(connection, load_statements("postgres"))


@pytest.fixture(scope="module")
def early_planner(postgres_server: PostgresServer) -> Iterator[PostgresPlanner]:
    """A PostgreSQL store that was empty when the statements were planned, and has many jobs of each kind now."""
    with _new_postgres(postgres_server) as connection:
        connection.execute("set plan_cache_mode = force_generic_plan")
        connection.execute(UNTOLD)
        planner = PostgresPlanner(connection, load_statements("postgres"))
        for name, params in {**SHARED, **OWN["postgres"]}.items():
            planner.prepare(name, params)
        for shape in (*SHAPES, "running"):
            _fill_postgres(connection, shape, few=shape == "queued")
        yield planner


@contextmanager
def _filled_sqlite(folders: pytest.TempPathFactory, shape: str) -> Iterator[sqlite3.Connection]:
    path = folders.mktemp("plans") / "store.db"
    _new_store(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("begin")
        numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) "
        connection.execute(
            "insert into jobs (experiment_id, id, status, priority, waiting, due, needs, etag, created_at, attempt,"
            f" tags, hyperparameters, results) {numbers}"
            "select 1, 'job ' || i, ?, ?, ?, ? + i, ?, 'etag', 0, 0, '[\"all\"]', '{}', '{}' from n",
            (MANY, *SHAPES[shape]),
        )
        for statement in (NEEDS, FEW, MANY_ATTEMPTS, FEW_ATTEMPTS, FINGERPRINTS, BATCH, BATCH_JOBS):
            connection.execute(statement)
        connection.execute("commit")
        yield connection


@contextmanager
def _new_postgres(server: PostgresServer) -> Iterator["psycopg.Connection[Any]"]:
    url = server.new_database()
    _new_store(url)
    with closing(psycopg.connect(connection_string(PostgresUrl(url)), autocommit=True)) as connection:
        yield connection
    server.drop_database(url)


def _fill_postgres(connection: "psycopg.Connection[Any]", shape: str, *, few: bool = True) -> None:
    """Add the many jobs of a shape, and the few that every statement is about."""
    status, priority, waiting, due, needs = SHAPES.get(shape, ("RUNNING", 0, 0, 4e9, 0))
    connection.execute(
        "insert into jobs (experiment_id, id, status, priority, waiting, due, needs, etag, created_at, attempt,"
        " tags, hyperparameters, results)"
        " select 1, %s || i, %s, %s, %s, %s::float8 + i, %s, 'etag', 0, 0, '[\"all\"]', '{}', '{}'"
        " from generate_series(1, %s) i",
        (shape, status, priority, waiting, due, needs, MANY),
    )
    for statement in (NEEDS, FEW, MANY_ATTEMPTS, FEW_ATTEMPTS, FINGERPRINTS, BATCH, BATCH_JOBS) if few else ():
        connection.execute(statement.encode())


def _new_store(url: str) -> None:
    store = open_store(url)
    draft = ExperimentDraft(search=SearchDefinition("Manual"))
    store.put_experiment("sweep", draft, guard=UNGUARDED, key="2" * 26)
    store.close()


@pytest.mark.parametrize("name", [*SHARED, *OWN["sqlite"]])
def test_sqlite_reads_little(sqlite_planner: SqlitePlanner, name: str) -> None:
    """On SQLite, with statistics, the statement finds its rows by an index in few steps."""
    sqlite_planner.check(name, {**SHARED, **OWN["sqlite"]}[name])


@pytest.mark.parametrize("name", [*SHARED, *OWN["sqlite"]])
def test_sqlite_reads_little_without_statistics(early_sqlite_planner: SqlitePlanner, name: str) -> None:
    """On SQLite nobody gathers statistics, and the statement still finds its rows by the right index."""
    early_sqlite_planner.check(name, {**SHARED, **OWN["sqlite"]}[name])


@pytest.mark.parametrize("name", [*SHARED, *OWN["postgres"]])
def test_postgres_reads_little(postgres_planner: PostgresPlanner, name: str) -> None:
    """On PostgreSQL, with statistics, the statement finds its rows by an index, prepared or not."""
    postgres_planner.check(name, {**SHARED, **OWN["postgres"]}[name])


@pytest.mark.parametrize("name", [*SHARED, *OWN["postgres"]])
def test_postgres_reads_little_by_an_early_plan(early_planner: PostgresPlanner, name: str) -> None:
    """A plan that was made while the store was empty, and is kept, still finds its rows by the right index."""
    most = FEW_ROWS + MANY if name in COUNT_RUNNING else FEW_ROWS
    early_planner.check_prepared(name, {**SHARED, **OWN["postgres"]}[name], most)


@pytest.mark.parametrize("name", sorted(OWN["sqlite"].keys() - {"pick_fitting", "live_batches_of"}))
def test_sqlite_makes_no_table_in_passing(early_sqlite_planner: SqlitePlanner, name: str) -> None:
    """No claim and no finish, with the indexes and triggers behind it, fills a table of its own to look through."""
    statement, params = early_sqlite_planner.statements[name], {**OWN["sqlite"][name], "now": 1.8e9, "tick": 1e6}
    steps = [row[1] for row in early_sqlite_planner.connection.execute(f"explain {statement}", params)]
    assert steps
    assert not {"OpenEphemeral", "OpenAutoindex"} & set(steps)


@pytest.mark.parametrize("name", ["claim", "claim_limited", "claim_fitting", "finish", "finish_and_claim"])
def test_postgres_sets_off_no_trigger(early_planner: PostgresPlanner, name: str) -> None:
    """A claim and a plain finish keep the counts themselves: a function for each would take as long as they do."""
    assert early_planner.triggers(name, OWN["postgres"][name]) == []
    assert early_planner.triggers("end_delays", SHARED["end_delays"]) == []
    assert early_planner.triggers("end_job", SHARED["end_job"]) == ["jobs_count_changed"]
