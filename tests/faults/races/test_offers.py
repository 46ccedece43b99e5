"""Claims for what a worker offers, while somebody else makes the only job ready, or holds it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest

from sweepstake.domain.records import Claim
from sweepstake.domain.status import NoJobReason, Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.queue import Queue
from sweepstake.stores.postgres.engine import connection_string
from sweepstake.stores.urls import PostgresUrl
from tests.faults.races.interleavings import open_two
from tests.faults.races.sides import Side, play
from tests.kit.lab import Lab, draft, eventually, spec
from tests.kit.stores import open_store

OFFER = Offer(cpu=1)
#: More statements than the call has.
_MOST = 40
_NEVER = -1


def _claim_one(queue: Queue, name: str) -> NoJobReason | None:
    answer = queue.claim(name, "late", offer=OFFER)
    return None if isinstance(answer, Claim) else answer.reason


def _claim_several(queue: Queue, name: str) -> NoJobReason | None:
    return queue.claim_jobs(name, "late", 4, offer=OFFER, slots=OFFER).reason


@pytest.mark.parametrize("ask", [_claim_one, _claim_several])
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_job_that_becomes_ready_meanwhile_is_taken(
    store: str, ask: Callable[[Queue, str], NoJobReason | None], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Or it was blocked when the claim looked; no worker is told that it lacks what the job needs, and goes."""
    url = f"sqlite:///{tmp_path}/store.db" if store == "sqlite" else request.getfixturevalue("postgres_url")
    told = set()
    with open_two(url) as (queue, other):
        for halt in range(_MOST):
            lab = Lab.new(other)
            other.put_spec(lab.name, spec({"name": "work"}))
            lab.add(draft("first", task="work"), draft("second", task="work", depends_on=("first",)))
            held = other.claim(lab.name, "w", offer=OFFER)
            assert isinstance(held, Claim)
            first = Side(partial(ask, queue, lab.name), halt, apart=False)
            play(first, Side(partial(lab.finish, held, Outcome.DONE), _NEVER, apart=False), apart=False)
            told.add(first.answer)
            if len(first.between) <= halt:  # it came to its end before
                break
    assert halt < _MOST - 1
    assert told == {None, NoJobReason.BLOCKED}


def test_a_job_that_somebody_holds_is_waited_for(postgres_url: str) -> None:
    """A row that is locked, as by who changes its priority, is passed over by a claim, which then waits for it."""
    with closing(open_store(postgres_url)) as store, ThreadPoolExecutor(1) as thread:
        lab = Lab.new(store)
        store.put_spec(lab.name, spec({"name": "work"}))
        lab.add(draft("job", task="work"))
        with closing(psycopg.connect(connection_string(PostgresUrl(postgres_url)))) as holder:
            holder.execute("select 1 from jobs where id = 'job' for update")
            asked = thread.submit(store.claim, lab.name, "w", offer=OFFER)
            with closing(psycopg.connect(connection_string(PostgresUrl(postgres_url)), autocommit=True)) as watcher:
                waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
                eventually(lambda: asked.done() or watcher.execute(waits).fetchone() is not None)
            holder.rollback()
        assert isinstance(asked.result(60), Claim)
