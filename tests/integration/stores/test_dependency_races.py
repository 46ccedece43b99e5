"""The end of a job against the creation of one that waits for it, on PostgreSQL, in orders that row locks force."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import UNGUARDED, Claim, Document, ExperimentDraft, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import InvalidInputError
from tests.kit.history import check_history
from tests.kit.lab import draft, eventually, new_key
from tests.kit.stores import Kept, open_store

QUEUED, RUNNING, CRASHED, PRUNED, DONE = JobStatus
MANUAL = ExperimentDraft(search=SearchDefinition("Manual"), settings=Settings(max_attempts=1))
#: What is waiting for a lock that others hold.
_WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture
def store(postgres_url: str) -> Iterator[Kept]:
    """A new store with an experiment `sweep`, in which the job `a` is claimed by the key that `running` returns."""
    with closing(open_store(postgres_url)) as opened:
        opened.put_experiment("sweep", MANUAL, guard=UNGUARDED, key=new_key())
        opened.add_jobs("sweep", [draft("a")], key=new_key())
        yield opened


@pytest.fixture
def running(store: Kept) -> Claim:
    """The claim of the job `a`."""
    claim = store.claim("sweep", worker="w", key=new_key(), repeat=False)
    assert isinstance(claim, Claim)
    return claim


class Threads:
    """Calls that are under way, each in a thread of its own."""

    def __init__(self, watcher: psycopg.Connection[tuple[int]]) -> None:
        self._watcher = watcher
        self._threads: list[threading.Thread] = []
        self.errors: list[Exception] = []

    def start(self, call: Callable[[], object]) -> None:
        """Begin a call, and return once it waits for a lock."""

        def run() -> None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 -- whatever it is, the test shall see it
                self.errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)
        eventually(lambda: self.waiting() == len(self._threads) or None)

    def waiting(self) -> int:
        """Return how many calls wait for a lock."""
        row = self._watcher.execute(_WAITING).fetchone()
        assert row is not None
        return row[0]

    def join(self) -> None:
        """Wait for all calls to end."""
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()


@contextmanager
def holding(url: str, job_id: str) -> Iterator[Threads]:
    """Hold the row of a job while the block starts calls, and let them go in the order in which they came."""
    with (
        psycopg.connect(url, autocommit=True) as watcher,
        psycopg.connect(url) as holder,
    ):
        holder.execute("select 1 from jobs where id = %s for no key update", [job_id])
        threads = Threads(watcher)
        try:
            yield threads
        finally:
            holder.rollback()
            threads.join()


def creating(store: Kept) -> Callable[[], object]:
    """Return a call that adds two jobs which wait for `a`, of which `with` is to be pruned with it."""
    drafts = [draft("b", depends_on=("a",)), draft("with", depends_on=("a",), prune_with=True)]
    return lambda: store.add_jobs("sweep", drafts, key=new_key())


def ending(store: Kept, how: str, claim: Claim) -> Callable[[], object]:
    """Return a call that ends the job `a`."""

    def finish(outcome: Outcome, following: str | None = None) -> object:
        told = Finish(attempt=claim.key, outcome=outcome)
        key = new_key()
        return store.finish("sweep", "a", told, key=key, claim=following, worker="w", repeat=False)

    def put(status: JobStatus) -> object:
        return store.put_job("sweep", "a", Document(status=status), guard=UNGUARDED, key=new_key(), attempt=None)

    calls: dict[str, Callable[[], object]] = {
        "done": lambda: finish(Outcome.DONE),
        "done and claim": lambda: finish(Outcome.DONE, new_key()),
        "crashed": lambda: finish(Outcome.CRASHED),
        "pruned": lambda: finish(Outcome.PRUNED),
        "put done": lambda: put(DONE),
        "put crashed": lambda: put(CRASHED),
        "pruned from outside": lambda: store.prune("sweep", "a", key=new_key()),
        "deleted": lambda: store.delete_job("sweep", "a", guard=UNGUARDED, key=new_key()),
    }
    return calls[how]


@pytest.mark.parametrize("creation_first", [True, False], ids=["creation first", "end first"])
@pytest.mark.parametrize(
    "how", ["done", "done and claim", "crashed", "pruned", "put done", "put crashed", "pruned from outside", "deleted"]
)
def test_the_end_of_a_job_and_the_creation_of_its_dependants_see_each_other(
    store: Kept, running: Claim, postgres_url: str, how: str, creation_first: bool
) -> None:
    """Whoever comes first: nobody waits for what is DONE or gone, and who asked is pruned with what failed."""
    calls = [creating(store), ending(store, how, running)]
    with holding(postgres_url, "a") as threads:
        for call in calls if creation_first else reversed(calls):
            threads.start(call)
    if how == "deleted" and not creation_first:
        [error] = threads.errors
        assert isinstance(error, InvalidInputError)
        assert "jobs[0].depends_on[0]" in str(error)
        return
    assert threads.errors == []
    freed = how in ("done", "done and claim", "put done", "deleted")
    waits = {job.id: (job.status, job.waiting) for job in store.jobs("sweep") if job.id != "a"}
    if how == "done and claim" and waits["b"][0] is RUNNING:
        waits["b"] = (QUEUED, waits["b"][1])
    assert waits == {"b": (QUEUED, int(not freed)), "with": (QUEUED, 0) if freed else (PRUNED, 1)}
    check_history(postgres_url)
    assert how == "deleted" or {other.id for other in store.list_dependencies("sweep", "b")} == {"a"}


def test_jobs_that_share_dependants_may_end_at_once(store: Kept, postgres_url: str) -> None:
    """The locks are taken in one order, so that neither end has to be undone because of the other."""
    several = tuple(f"s{i}" for i in range(4))
    store.add_jobs("sweep", [draft(id_) for id_ in several], key=new_key())
    store.add_jobs("sweep", [draft(f"b{i}", depends_on=("a", *several)) for i in range(30)], key=new_key())
    ends = [Document(status=DONE)] * 5
    with holding(postgres_url, "b0") as threads:
        for id_, end in zip(("a", *several), ends, strict=True):
            threads.start(
                lambda id_=id_, end=end: store.put_job(  # type: ignore[misc]
                    "sweep", id_, end, guard=UNGUARDED, key=new_key(), attempt=None
                )
            )
    assert threads.errors == []
    check_history(postgres_url)
    assert store.count_jobs("sweep").ready == 30


def test_a_job_may_end_while_its_dependant_is_deleted(store: Kept, running: Claim, postgres_url: str) -> None:
    """The one that deletes locks what the job waited for first, as everybody locks the older job first."""
    store.add_jobs("sweep", [draft("b", depends_on=("a",))], key=new_key())
    with holding(postgres_url, "b") as threads:
        threads.start(lambda: store.delete_job("sweep", "b", guard=UNGUARDED, key=new_key()))
        threads.start(ending(store, "done", running))
    assert threads.errors == []
    check_history(postgres_url)
    assert [job.id for job in store.jobs("sweep")] == ["a"]
    assert store.get_job("sweep", "a").status is DONE
