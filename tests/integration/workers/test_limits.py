"""Limits that are changed while workers race for jobs."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import attrs
import psycopg
import pytest

from sweepstake.domain.keys import name_of
from sweepstake.domain.records import UNGUARDED, Claim, ExperimentDraft, NoJob
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import LimitReachedError
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, new_key
from tests.kit.postgres import PostgresServer
from tests.kit.stack import KINDS, ServerProcess, open_queue, store_of

CLAIMERS = 4
ROUNDS = 3
JOBS = 30


@pytest.fixture(scope="module", params=KINDS)
def queues(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Queue, Queue]]:
    """Two ways to one store: two connections, or one connection to each of two servers."""

    def new_database() -> str:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.new_database()

    folder = tmp_path_factory.mktemp(request.param)
    url = store_of(request.param, folder, new_database)
    with ExitStack() as stack:
        urls = [url, url]
        if request.param.startswith("http"):
            urls = [stack.enter_context(ServerProcess(url, folder)).url for _ in range(2)]
        first, second = (stack.enter_context(closing(open_queue(each))) for each in urls)
        yield first, second


def limit(lab: Lab, *, max_running: int | None = None, max_jobs: int | None = None) -> None:
    """Change the limits of an experiment."""
    record = lab.record()
    settings = attrs.evolve(record.settings, max_running=max_running, max_jobs=max_jobs)
    lab.queue.put_experiment(
        lab.name, ExperimentDraft(search=record.search, settings=settings), guard=UNGUARDED, key=new_key()
    )


def claim_until_none(lab: Lab, enough: threading.Event) -> list[tuple[float, bool]]:
    """Claim without end until told that it is enough; return when each call began, and whether it brought a job."""
    calls = []
    while not enough.is_set():
        began = time.monotonic()
        calls.append((began, isinstance(lab.ask(), Claim)))
    return calls


def test_a_new_limit_binds_the_claims_that_begin_after_it(queues: tuple[Queue, Queue]) -> None:
    """Claimed on one way and limited on the other: what begins after the answer keeps the limit, race by race."""
    for most in range(ROUNDS):
        lab = Lab.new(queues[0])
        lab.add_many(JOBS)
        enough = threading.Event()
        ways = [attrs.evolve(lab, queue=queues[i % 2]) for i in range(CLAIMERS)]
        with ThreadPoolExecutor(CLAIMERS) as pool:
            claimers = [pool.submit(claim_until_none, way, enough) for way in ways]
            limit(lab, max_running=most)
            acknowledged = time.monotonic()
            refused = [attrs.evolve(lab, queue=queue).ask() for queue in queues for _ in range(10)]
            enough.set()
            calls = [call for claimer in claimers for call in claimer.result()]
        early = sum(got for began, got in calls if began <= acknowledged)
        late = sum(got for began, got in calls if began > acknowledged) + sum(isinstance(a, Claim) for a in refused)
        assert late == 0 or early + late <= most, (early, late, most)
        assert lab.queue.count_jobs(lab.name).running == early + late
        # On a slow machine all may have been claimed before the limit was set.
        assert refused[-1] == NoJob(NoJobReason.AT_LIMIT if early + late < JOBS else NoJobReason.EMPTY)


def test_a_limit_may_be_raised_and_lifted(queues: tuple[Queue, Queue]) -> None:
    """Claims through either way use the room at once, and all of it."""
    lab, other = (Lab(queue, "lifted") for queue in queues)
    Lab.new(queues[0], name="lifted", max_running=1)
    lab.add_many(9)
    for way in (lab, other):
        way.ask()
    assert other.why_none() is NoJobReason.AT_LIMIT
    limit(lab, max_running=3)
    assert sum(isinstance(way.ask(), Claim) for way in (other, lab, other)) == 2
    limit(other, max_running=None)
    assert sum(isinstance(way.ask(), Claim) for way in (other, lab) * 4) == 6


def test_a_new_limit_of_jobs_binds_at_once(queues: tuple[Queue, Queue]) -> None:
    """Nobody creates more than `max_jobs`, whichever way it was set."""
    lab, other = (Lab(queue, "counted") for queue in queues)
    Lab.new(queues[0], name="counted")
    lab.add_many(2)
    limit(lab, max_jobs=3)
    other.add_one()
    with pytest.raises(LimitReachedError):
        other.add_one()
    limit(other, max_jobs=4)
    lab.add_one()
    with pytest.raises(LimitReachedError):
        lab.add_one()


@pytest.fixture
def as_another_user(new_database: Callable[[], str]) -> Iterator[tuple[str, str]]:
    """A new database: its URL, and that of a user who has no more rights there than any other."""
    url = new_database()
    open_queue(url).close()
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("drop role if exists another")
        owner.execute("create role another login")
        owner.execute("grant select, insert, update, delete on all tables in schema public to another")
        owner.execute("grant usage on all sequences in schema public to another")
    yield url, f"{url}{'&' if '?' in url else '?'}user=another"
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("drop owned by another")
        owner.execute("drop role another")


def test_a_new_limit_waits_for_the_claims_under_way(as_another_user: tuple[str, str]) -> None:
    """A claim that began before the limit and is slow to commit counts for those that begin after the answer.

    It does so whichever database user it is made by, however little whoever limits may see of others.
    """
    url, limited_url = as_another_user
    with (
        closing(open_queue(url)) as queue,
        closing(open_queue(limited_url)) as limiter,
        ThreadPoolExecutor(2) as pool,
    ):
        lab = Lab.new(queue)
        lab.add_many(3)
        key = new_key()
        with psycopg.connect(url) as blocker:
            # An attempt of the same key that is not committed: the claim waits for it in its only statement.
            blocker.execute(
                "insert into attempts (job_seq, number, key, worker, started_at) values (0, 0, %s, '', 0)",
                [name_of(key)],
            )
            slow = pool.submit(lab.claim, key=key)
            wait_for_lock(url)
            limiting = pool.submit(limit, attrs.evolve(lab, queue=limiter), max_running=1)
            while lab.record().settings.max_running is None:
                assert not limiting.done()
            with pytest.raises(TimeoutError):
                limiting.result(timeout=0.3)
            blocker.rollback()
        limiting.result(timeout=120)
        assert lab.why_none() is NoJobReason.AT_LIMIT
        assert slow.result(timeout=120).job.attempt == 1


def test_a_new_limit_waits_for_nobody_who_reads(new_database: Callable[[], str]) -> None:
    """A dump, or a notebook with an open snapshot, does not delay it."""
    url = new_database()
    with closing(open_queue(url)) as queue, psycopg.connect(url) as reader, ThreadPoolExecutor(1) as pool:
        lab = Lab.new(queue)
        lab.add_many(2)
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select count(*) from jobs")
        pool.submit(limit, lab, max_running=1).result(timeout=4)
        lab.claim()
        assert lab.why_none() is NoJobReason.AT_LIMIT


def wait_for_lock(url: str) -> None:
    """Return once a transaction of the database waits for another."""
    with psycopg.connect(url, autocommit=True) as watcher:
        deadline = time.monotonic() + 20
        waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while (row := watcher.execute(waits).fetchone()) is None or not row[0]:
            assert time.monotonic() < deadline
