"""For how long a gang is held whose task does not say it: time is turned in the store."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import psycopg
import pytest

from sweepstake.domain.records import Claim
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.gangs import GANG_SECONDS
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.workers import WorkerReport
from sweepstake.queue.verify import verify
from sweepstake.queue.verify.facts import Check
from sweepstake.stores.postgres.engine import connection_string
from sweepstake.stores.urls import PostgresUrl
from tests.kit.lab import Lab, draft, spec
from tests.kit.stores import Kept, open_store

ONE = Offer(cpu=1)
#: For so many seconds every gang is held.
LONG = GANG_SECONDS + 1


@attrs.frozen
class Site:
    """A store, and a way to let time pass for the gangs in it."""

    store: Kept
    url: str

    def later(self, seconds: float) -> None:
        """Let all that runs have run for longer, and all that rests be due."""
        turn = f"update jobs set started_at = started_at - {seconds} where status = 'RUNNING'"
        due = "update jobs set due = null where status = 'QUEUED'"
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)) as file:
                file.execute(turn)
                file.execute(due)
        else:
            with closing(psycopg.connect(connection_string(PostgresUrl(self.url)), autocommit=True)) as connection:
                connection.execute(turn.encode())
                connection.execute(due.encode())

    def see(self, *names: str, slots: Offer = ONE) -> None:
        """Let workers say what they have."""
        for name in names:
            self.store.heartbeat_of(WorkerReport(name=name, slots=slots, free=slots))

    def gang(self, worker: str, offer: Offer = ONE) -> Lab:
        """Make an experiment with a gang of two jobs that need what is offered, of which a worker holds the first."""
        lab = Lab.new(self.store)
        needs = {"cpuCount": offer.cpu, "gpuCount": offer.gpu}
        self.store.put_spec(lab.name, spec({"name": "both", "replicas": 2, "resources": needs}))
        lab.add(*(draft(str(rank), task="both", gang="g", rank=rank) for rank in range(2)))
        assert take(lab, worker, offer)
        return lab


@pytest.fixture(params=["sqlite", "postgres"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A new store."""
    kind = request.param
    url = f"sqlite:///{tmp_path}/store.db" if kind == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with closing(open_store(url)) as store:
        yield Site(store, url)


def take(lab: Lab, worker: str, offer: Offer = ONE) -> bool:
    """Let a worker claim a job; tell whether it got one."""
    return isinstance(lab.queue.claim(lab.name, worker, offer=offer), Claim)


def is_held(lab: Lab) -> bool:
    """Ask after the gang, and tell whether its first job is held."""
    return lab.queue.get_gang(lab.name, "0").members[0].status is JobStatus.RUNNING


def test_a_gang_that_has_its_room_is_held(site: Site) -> None:
    """As room is kept for a large job while smaller ones occupy the rest: else it would never begin."""
    site.see("a", "b")
    lab = site.gang("a")
    site.later(LONG)
    assert is_held(lab)
    assert take(lab, "b")
    assert lab.queue.get_gang(lab.name, "0").together


def test_one_worker_may_have_room_for_all_of_a_gang(site: Site) -> None:
    """Part of which smaller jobs have now."""
    site.see("a", slots=Offer(cpu=2))
    lab = site.gang("a")
    site.later(LONG)
    assert is_held(lab)


def test_a_gang_without_enough_room_is_given_back(site: Site) -> None:
    """It would hold for nothing what others can use: no worker is known, or only one, or the other is too small."""
    for workers in ([], ["a"]):
        site.see(*workers)
        lab = site.gang("a")
        site.later(LONG)
        assert not is_held(lab)
        assert [attempt.outcome for attempt in lab.attempts("0")] == [Outcome.RELEASED]
    site.see("b", slots=Offer(cpu=0.5))
    lab = site.gang("a")
    site.later(LONG)
    assert not is_held(lab)


def test_of_gangs_that_hold_a_part_each_the_first_goes_on(site: Site) -> None:
    """The other gives back what it holds, which the first can use, though they are of different experiments."""
    site.see("a", "b")
    first, second = site.gang("a"), site.gang("b")
    site.later(LONG)
    assert (is_held(second), is_held(first)) == (False, True)
    assert take(first, "b")
    assert first.queue.get_gang(first.name, "0").together


def test_a_gang_that_stands_in_nobodys_way_is_held(site: Site) -> None:
    """Another that comes before it cannot use what it holds."""
    large = Offer(cpu=1, gpu=1)
    site.see("a", "b", slots=large)
    site.see("c", "d")
    first, second = site.gang("a", large), site.gang("c")
    site.later(LONG)
    assert (is_held(second), is_held(first)) == (True, True)


def test_a_gang_is_held_for_longer_each_time(site: Site) -> None:
    """Nobody knows whether a worker that has room for it ever asks for its jobs, so others have their turns, too."""
    site.see("a", "b")
    lab = site.gang("a")
    for held, over in ((800, 200), (1700, 200), (3500, 200)):
        site.later(held)
        assert is_held(lab)
        assert [each for each in verify(site.store.ledger).violations if each.check is Check.GANGS] == []
        site.later(over)
        assert not is_held(lab)
        site.later(0)
        assert take(lab, "a")
