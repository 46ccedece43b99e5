"""F10: PostgreSQL that stops at once, again and again, and whose connections an operator ends."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg

import sweepstake
from sweepstake.domain.status import Outcome
from tests.faults.fault import Fault, Figures, Place
from tests.kit import postgres
from tests.kit.history import check_history
from tests.kit.lab import eventually
from tests.kit.stack import ServerProcess

__all__ = ["FAULT"]

_WORKERS = 3
#: Seconds between two times at which all connections are ended.
_PAUSE = 2.0
#: Seconds within which work goes on.
_PATIENCE = 60.0
_END_ALL = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where datname is not null and pid <> pg_backend_pid() and backend_type = 'client backend'"
)


def break_database(place: Place, size: int) -> Figures:
    """Stop the database `size` times, and end all its connections as often, while three workers work."""
    server = postgres.start_own()
    try:
        url = server.new_database()
        if place.server is None:
            figures, server = _break(server, url, size)
        else:
            with ServerProcess(url, place.folder) as served:
                figures, server = _break(server, served.url, size)
        place.judged.clear()
        check_history(url)  # now, because it ends with us
    finally:
        postgres.stop(server)
    return figures


def _break(server: postgres.PostgresServer, url: str, size: int) -> tuple[Figures, postgres.PostgresServer]:
    done: list[str] = []
    enough = threading.Event()
    slowest = 0.0
    with sweepstake.connect(url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch("broken"))
        with ThreadPoolExecutor(_WORKERS) as pool:
            futures = [pool.submit(_work, experiment, done, enough) for _ in range(_WORKERS)]
            try:
                for _ in range(size):
                    server = postgres.crash(server)
                    slowest = max(slowest, _recover(done, futures))
                for i in range(size):
                    enough.wait(_PAUSE if i else 0.0)
                    _end_connections(server)
                    slowest = max(slowest, _recover(done, futures))
            finally:
                enough.set()
        for future in futures:
            future.result()
        jobs = {job.job_id: job for job in experiment.all_jobs()}
        for job_id in done:
            assert jobs[job_id].results == {"of": job_id}
        for job in jobs.values():
            assert [attempt.outcome for attempt in job.attempts()] == [Outcome.DONE]
    figures = {"stops": size, "times all connections ended": size, "jobs acknowledged": len(done), "lost": 0}
    return figures | {"longest pause (s)": round(slowest, 1)}, server


def _work(experiment: sweepstake.Experiment, done: list[str], enough: threading.Event) -> None:
    """Add jobs and run them, as if nothing could go wrong."""
    while not enough.is_set():
        experiment.add_job({})
        with experiment.next_job() as job:
            job.results["of"] = job.job_id
        done.append(job.job_id)


def _recover(done: list[str], futures: list[Future[None]]) -> float:
    """Wait until every worker may have gone on, and return how many seconds that took."""
    started, before = time.monotonic(), len(done)

    def goes_on() -> bool | None:
        assert not any(future.done() for future in futures), "a worker gave up"
        return len(done) >= before + 2 * _WORKERS or None

    eventually(goes_on, within=_PATIENCE)
    return time.monotonic() - started


def _end_connections(server: postgres.PostgresServer) -> None:
    with psycopg.connect(server.url, autocommit=True) as operator:
        operator.execute(_END_ALL)


FAULT = Fault(
    number="F10",
    words="PostgreSQL is stopped at once and started again, and all its connections are ended every 2 s",
    holds="nothing acknowledged is lost, and workers, direct or behind a server, go on by themselves",
    run=break_database,
    unit="stops, and as many ends of all connections",
    small=1,
    full=30,
    small_kinds=("postgres",),
    full_kinds=("postgres", "http-postgres"),
)
