"""PostgreSQL that allows few connections: being short of them costs time, no lease and no worker."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

import sweepstake
from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import JobStatus, NoJobReason, Signal
from sweepstake.errors import StoreUnavailableError
from tests.kit.lab import draft, eventually, new_key
from tests.kit.stores import open_store

#: Leases of the sweep, in seconds, and what a worker does of its jobs' length.
_LEASE = 15.0

_WORKER = """
import sys, time
import sweepstake

with sweepstake.connect(sys.argv[1]) as database:
    for job in database.get_experiment("sweep").claim_jobs():
        with job:
            time.sleep(float(sys.argv[2]))
            job.results["loss"] = 0.5
"""


@pytest.fixture
def limited(postgres_url: str) -> Iterator[Callable[[int], str]]:
    """Return the URL of a new database for a user that may have so many connections to it."""
    user = f"few_{os.urandom(4).hex()}"
    parts = urlsplit(postgres_url)
    name = sql.Identifier(user)

    def limit(most: int) -> str:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(sql.SQL("alter role {} connection limit {}").format(name, most))
        return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login").format(name))
        connection.execute(sql.SQL("grant all on schema public to {}").format(name))
    yield limit
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [user])
        connection.execute(sql.SQL("drop owned by {}").format(name))
        connection.execute(sql.SQL("drop role {}").format(name))


def prepare(url: str, jobs: int) -> None:
    """Make a sweep of so many jobs."""
    with closing(sweepstake.connect(url)) as database:
        sweep = database.add_experiment(sweepstake.ManualSearch("sweep", lease=_LEASE))
        sweep.add_jobs({"i": i} for i in range(jobs))


def outcomes(url: str) -> list[tuple[str, int]]:
    """Return each job's status, and how many attempts it took."""
    with closing(sweepstake.connect(url)) as database:
        return [(job.status, len(job.attempts())) for job in database.get_experiment("sweep").all_jobs()]


@contextmanager
def workers(url: str, number: int, length: float, folder: Path) -> Iterator[list["subprocess.Popen[str]"]]:
    """Start workers at once; those that are left at the end are killed."""
    environment = {**os.environ, "SWEEPSTAKE_STATE": str(folder / "state"), "SWEEPSTAKE_CONFIG": ""}
    command = [sys.executable, "-c", _WORKER, url, str(length)]
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(number)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    "number, allowed, jobs, length",
    [(1, 1, 3, 6.0), (8, 8, 16, 1.0), (12, 8, 24, 1.0), (3, 1, 6, 6.0)],
)
def test_workers_share_the_connections_that_are_allowed(
    limited: Callable[[int], str], tmp_path: Path, number: int, allowed: int, jobs: int, length: float
) -> None:
    """Each job is done at its first attempt, and every worker ends well."""
    url = limited(allowed)
    prepare(url, jobs)
    with workers(url, number, length, tmp_path) as started, ThreadPoolExecutor(number) as pool:
        told = list(pool.map(lambda process: process.communicate(timeout=150)[1], started))
        assert [process.returncode for process in started] == [0] * number, told
    assert outcomes(limited(allowed)) == [(JobStatus.DONE, 1)] * jobs


def test_a_heartbeat_waits_behind_no_long_call(limited: Callable[[int], str], postgres_url: str) -> None:
    """With one connection, a beat is made within seconds though another call of the process waits for a lock."""
    url = limited(1)
    prepare(url, 2)
    with closing(open_store(url)) as store, psycopg.connect(postgres_url) as other, ThreadPoolExecutor(1) as pool:
        key = new_key()
        assert store.claim("sweep", worker="w", key=key, repeat=False) != NoJob(NoJobReason.EMPTY)
        other.execute("select 1 from experiments where name = 'sweep' for update")
        slow = pool.submit(store.add_jobs, "sweep", [draft("late")], key=new_key())
        eventually(lambda: is_waiting(other))
        began = time.monotonic()
        assert [beat.signal for beat in store.heartbeat([key])] == [Signal.CONTINUE]
        assert time.monotonic() - began < _LEASE / 2
        with pytest.raises(StoreUnavailableError):
            slow.result()
        other.rollback()
        assert store.add_jobs("sweep", [draft("late")], key=new_key()) is not None


def test_calls_of_one_process_take_turns_on_one_connection(limited: Callable[[int], str]) -> None:
    """Many threads with one connection all get what they ask for."""
    url = limited(1)
    prepare(url, 40)
    with closing(open_store(url)) as store, ThreadPoolExecutor(8) as pool:
        keys = [new_key() for _ in range(40)]
        claims = list(pool.map(lambda key: store.claim("sweep", worker="w", key=key, repeat=False), keys))
        assert len({claim.job.id for claim in claims if isinstance(claim, Claim)}) == 40


def test_the_first_connection_is_waited_for(limited: Callable[[int], str], tmp_path: Path) -> None:
    """Workers that start while the database is full begin when it has connections again."""
    url = limited(-1)
    prepare(url, 4)
    limited(0)
    with workers(url, 4, 0.1, tmp_path) as started:
        for process in started:
            assert process.stderr is not None
            assert "too many" in process.stderr.readline()
        limited(-1)
        told = [process.communicate(timeout=90)[1] for process in started]
        assert [process.returncode for process in started] == [0] * 4, told
    assert outcomes(url) == [(JobStatus.DONE, 1)] * 4


@pytest.mark.parametrize("part", ["database", "user"])
def test_what_will_never_be_let_in_is_refused_at_once(postgres_url: str, part: str) -> None:
    """A database or a user that does not exist is not waited for."""
    parts = urlsplit(postgres_url)
    where = parts._replace(path="/nowhere") if part == "database" else parts._replace(query="user=nobody_of_this_name")
    began = time.monotonic()
    with pytest.raises(sweepstake.StoreRefusedError, match="Check the URL"):
        sweepstake.connect(urlunsplit(where))
    assert time.monotonic() - began < 30


def is_waiting(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
    """Tell whether somebody waits for a lock of this connection."""
    found = connection.execute(
        "select 1 from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))"
    ).fetchone()
    return found is not None
