"""A database that crashes under its clients: its own recovery, and their retries, lose nothing."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import sweepstake
from sweepstake.domain.status import JobStatus
from tests import postgres
from tests.lab import eventually


@pytest.fixture
def crashing() -> Iterator[postgres.PostgresServer]:
    """A PostgreSQL server of the test's own."""
    try:
        server = postgres.start()
    except postgres.NoPostgresError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    if server.pid is None:
        pytest.skip("the named PostgreSQL is somebody's: it shall not crash")
    yield server
    postgres.stop(server)


def _crash(server: postgres.PostgresServer, url: str) -> None:
    """Kill one of the server's processes, upon which it ends all others and recovers from its log."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        row = connection.execute(
            "select pid from pg_stat_activity where datname = %s limit 1", [url.rpartition("/")[2]]
        ).fetchone()
    assert row is not None
    os.kill(row[0], signal.SIGKILL)


def test_clients_outlast_a_database_that_crashes(crashing: postgres.PostgresServer) -> None:
    """Three workers drain a queue while the database crashes twice: each job is run once, each result is kept."""
    url = crashing.new_database()
    with sweepstake.connect(url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("crashes"))
        ids = experiment.add_jobs({"i": i} for i in range(300))
        done: list[str] = []

        def work() -> None:
            for job in experiment.claim_jobs():
                with job:
                    job.results["i"] = job.hyperparameters["i"]
                    done.append(job.job_id)

        def more_than(count: int) -> bool | None:
            return len(done) > count or None

        with ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(work) for _ in range(3)]
            for count in (60, 160):
                eventually(lambda count=count: more_than(count))  # type: ignore[misc]  # read before it changes
                _crash(crashing, url)
            for future in futures:
                future.result(timeout=90)
        after = list(experiment.all_jobs())
    assert sorted(done) == sorted(ids)
    assert all((job.status, job.attempt) == (JobStatus.DONE, 1) for job in after)
    assert [job.results["i"] for job in after] == list(range(300))


def test_connections_that_an_operator_ends_are_opened_again(postgres_url: str) -> None:
    """`pg_terminate_backend` of every connection, again and again, costs a moment each time and no job."""
    with sweepstake.connect(postgres_url) as database, psycopg.connect(postgres_url, autocommit=True) as operator:
        experiment = database.add_experiment(sweepstake.ManualSearch("ended"))
        experiment.add_jobs({"i": i} for i in range(8))
        for job in experiment.claim_jobs():
            with job:
                operator.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
        attempts = [job.attempt for job in experiment.all_jobs(status="DONE")]
    assert attempts == [1] * 8
