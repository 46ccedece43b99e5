"""Workers that say what they have, in a store that several users share, and that many write at once."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest

from sweepstake.domain.access import Role
from sweepstake.domain.records import ABSENT, ExperimentDraft, SearchDefinition
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from sweepstake.domain.workers import WorkerReport
from sweepstake.queue.calls import Heartbeat
from sweepstake.queue.queue import Queue
from sweepstake.server.passwords import add_user
from sweepstake.stores.postgres.engine import connection_string
from sweepstake.stores.urls import PostgresUrl
from tests.faults.races.interleavings import open_two
from tests.faults.races.sides import Side, play
from tests.kit.lab import Lab, draft, spec
from tests.kit.stores import Kept, open_store

ADA, BOB, CYD = (f"{name}@example.org" for name in ("ada", "bob", "cyd"))
#: More statements than a heartbeat has.
_MOST = 20
_NEVER = -1


def see(queue: Queue, name: str, host: str = "", *, of: str | None = None) -> None:
    """Send the heartbeat of a worker that holds nothing."""
    labels = (WorkerLabel(name="hostname", value=host),) if host else ()
    offer = Offer(cpu=1, labels=labels)
    queue.send(Heartbeat(attempts=(), worker=WorkerReport(name=name, slots=offer, free=offer), email=of))


@pytest.fixture(params=["sqlite", "postgres"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Kept]:
    """A new store with three users."""
    kind = request.param
    url = f"sqlite:///{tmp_path}/store.db" if kind == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with closing(open_store(url)) as opened:
        for email in (ADA, BOB, CYD):
            add_user(opened, email)
        yield opened


def test_a_hosts_name_is_said_by_who_may_work_there(store: Kept) -> None:
    """Not by another user's worker that has the same name, nor by a user's who may only read."""
    name = "shared"
    wanted = ExperimentDraft(search=SearchDefinition("Manual"), owner=ADA)
    store.put_experiment(name, wanted, guard=ABSENT, key="a" * 26)
    lab = Lab(store, name)
    store.put_spec(name, spec({"name": "both", "replicas": 2}))
    lab.add(*(draft(str(rank), task="both", gang="g", rank=rank) for rank in range(2)))
    assert store.claim_jobs(name, "w", 1, offer=Offer(cpu=1)).claims

    def host() -> str | None:
        return store.get_gang(name, "0").members[0].hostname

    see(store, "w", "of-bob", of=BOB)
    store.share(name, BOB, Role.READ)
    assert host() is None
    see(store, "w", "of-ada", of=ADA)
    see(store, "w", "of-bob", of=BOB)
    assert host() == "of-ada"
    store.share(name, CYD, Role.WORK)
    see(store, "w", "of-cyd", of=CYD)
    assert host() == "of-cyd"


def test_workers_that_come_back_after_days_do_not_wait_for_each_other(postgres_url: str) -> None:
    """Each forgets those that were not seen for a day, as the others were just now."""
    with (
        open_two(postgres_url) as (first, second),
        closing(psycopg.connect(connection_string(PostgresUrl(postgres_url)), autocommit=True)) as connection,
    ):
        for halt in range(_MOST):
            see(first, "a")
            see(first, "b")
            connection.execute("update workers set seen_at = 0")
            one = Side(partial(see, first, "a"), halt, apart=False)
            play(one, Side(partial(see, second, "b"), _NEVER, apart=False), apart=False)
            assert sorted(each.name for each in first.list_workers()) == ["a", "b"]
            if len(one.between) <= halt:
                return
        raise AssertionError("it has more statements")
