"""Ends that come at the same time: of jobs of one gang, where that of one ends the others, and from outside."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sweepstake.domain.records import Claim, Finished, JobRecord
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.queue import Queue
from sweepstake.stores.postgres.engine import connection_string
from sweepstake.stores.urls import PostgresUrl
from tests.faults.races.interleavings import open_two
from tests.faults.races.sides import Side, play
from tests.kit.history import check_history
from tests.kit.lab import Lab, draft, eventually, new_key, spec

#: More statements than a call has.
_MOST = 100
_NEVER = -1
GANG = {"name": "both", "replicas": 2, "propagateFailure": True, "propagatePreemption": True}


def begun(queue: Queue, **settings: Any) -> tuple[Lab, Claim, Claim]:
    """Make an experiment in which the jobs 0 and 1 of a gang run, and a job waits for the first."""
    lab = Lab.new(queue, **settings)
    queue.put_spec(lab.name, spec(GANG))
    lab.add(*(draft(str(rank), task="both", gang="g", rank=rank) for rank in range(2)))
    lab.add(draft("after", depends_on=("0",)))
    first, second = queue.claim_jobs(lab.name, "w", 2, offer=Offer(cpu=2)).claims
    return lab, first, second


#: Makes two calls, of which the first halts before a statement, and a look at what came of them.
Make = Callable[[int], tuple[Side, Side, Callable[[], None]]]


def at_each_halt(make: Make) -> None:
    """Play two calls for each statement before which the first may halt, and look at what came of it."""
    for halt in range(_MOST):
        first, second, check = make(halt)
        play(first, second, apart=False)
        check()
        if len(first.between) <= halt:  # it came to its end before
            return
    raise AssertionError("it has more statements")


@pytest.fixture(params=["sqlite", "postgres"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Queue, Queue]]:
    """Give two that have a store open; what both did to it is judged at the end."""
    url = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_two(url) as (queue, other):
        yield queue, other
    check_history(url)


def test_a_job_that_ends_while_its_gang_begins_anew_has_ended(two: tuple[Queue, Queue]) -> None:
    """What was recorded of it stands, and what waits for it goes on; else it is told that it came too late."""
    queue, other = two

    def make(halt: int) -> tuple[Side, Side, Callable[[], None]]:
        lab, first, second = begun(other, max_attempts=9)
        fails = Side(partial(Lab(queue, lab.name).finish, second, Outcome.CRASHED), halt, apart=False)
        ends = Side(partial(lab.finish, first), _NEVER, apart=False)

        def check() -> None:
            assert isinstance(ends.answer, Finished)
            done = lab.job("0").status is JobStatus.DONE
            assert (ends.answer.recorded, lab.job("after").waiting) == (done, int(not done))

        return fails, ends, check

    at_each_halt(make)


@pytest.mark.parametrize("max_attempts", [1, 2])
def test_jobs_that_fail_together_do_not_wait_for_each_other(postgres_url: str, max_attempts: int) -> None:
    """Each ends the other, and the one that comes later waits before it holds anything."""
    with open_two(postgres_url) as (queue, other):

        def make(halt: int) -> tuple[Side, Side, Callable[[], None]]:
            lab, first, second = begun(other, max_attempts=max_attempts)
            fails = Side(partial(Lab(queue, lab.name).finish, second, Outcome.CRASHED), halt, apart=False)
            return fails, Side(partial(lab.finish, first, Outcome.CRASHED), _NEVER, apart=False), lambda: None

        at_each_halt(make)
    check_history(postgres_url)


def test_a_loss_and_a_failure_do_not_wait_for_each_other(postgres_url: str) -> None:
    """Whoever settles the lease of one, and the report of the other."""
    lease = 0.1
    database = psycopg.connect(connection_string(PostgresUrl(postgres_url)), autocommit=True)
    with open_two(postgres_url) as (queue, other), closing(database) as connection:
        waits = Lab.new(queue, lease=lease)
        waits.add_one()
        waits.claim()
        eventually(waits.claimed_or_none)  # a store ends no lease before one could be renewed there

        def make(halt: int) -> tuple[Side, Side, Callable[[], None]]:
            lab, _, second = begun(other, lease=lease, max_attempts=1, max_lost=0)
            turn = "update jobs set due = due + case id when '1' then 9e9 else -9 end where status = 'RUNNING'"
            connection.execute(turn)
            settles = Side(Lab(queue, lab.name).why_none, halt, apart=False)
            return settles, Side(partial(lab.finish, second, Outcome.CRASHED), _NEVER, apart=False), lambda: None

        at_each_halt(make)
    check_history(postgres_url)


def test_a_stop_beside_its_repeat_counts_each_job_once(two: tuple[Queue, Queue]) -> None:
    """A client that has waited too long asks again, while its first call is under way; both say what was stopped."""
    queue, other = two

    def make(halt: int) -> tuple[Side, Side, Callable[[], None]]:
        lab = Lab.new(other)
        lab.add_many(3)
        key = new_key()
        first = Side(partial(queue.stop, lab.name, key=key), halt, apart=False)
        again = Side(partial(other.stop, lab.name, key=key), _NEVER, apart=False)

        def check() -> None:
            assert (first.answer, again.answer, other.stop(lab.name, key=key)) == (3, 3, 3)

        return first, again, check

    at_each_halt(make)


def test_a_job_that_is_queued_again_beside_a_stop_stays_so(two: tuple[Queue, Queue]) -> None:
    """The stop looks twice, for jobs that came back from workers; this one somebody wanted again."""
    queue, other = two

    def make(halt: int) -> tuple[Side, Side, Callable[[], None]]:
        lab = Lab.new(other)
        job = lab.add_one()
        stops = Side(partial(queue.stop, lab.name), halt, apart=False)
        again = Side(partial(lab.retry, job), _NEVER, apart=False)

        def check() -> None:
            assert stops.answer == 1
            assert isinstance(again.answer, JobRecord)

        return stops, again, check

    at_each_halt(make)
