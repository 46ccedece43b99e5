"""What only a PostgreSQL store can get into: cut connections, forks, races for a new schema, a pool of connections."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.keys import name_of
from sweepstake.domain.records import UNGUARDED, Claim, ExperimentDraft, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import Outcome
from sweepstake.errors import KeyReusedError, ResourceExistsError, ServerError, StoreRefusedError, StoreUnavailableError
from sweepstake.queue.verify import verify
from sweepstake.queue.verify.facts import Check
from sweepstake.stores.postgres.engine import connection_string
from sweepstake.stores.urls import PostgresUrl, parse_store_url
from sweepstake.values import EMPTY
from tests.kit.crew import all_together
from tests.kit.lab import draft, new_key
from tests.kit.oldschema import OldClient, make_before
from tests.kit.stores import Kept, open_store

MANUAL = ExperimentDraft(search=SearchDefinition("Manual"))


@pytest.fixture
def store(postgres_url: str) -> Iterator[Kept]:
    """A new store with an experiment `sweep`."""
    with closing(open_store(postgres_url)) as opened:
        opened.put_experiment("sweep", MANUAL, guard=UNGUARDED, key=new_key())
        yield opened


def claim(store: Kept) -> Claim | None:
    """Claim from the experiment."""
    found = store.claim("sweep", worker="w", key=new_key(), repeat=False)
    return found if isinstance(found, Claim) else None


def open_and_add(number: int, url: str) -> int:
    """Open a store that may not be there yet, and add a job."""
    with closing(open_store(url)) as store:
        store.put_experiment("sweep", MANUAL, guard=UNGUARDED, key=new_key())
        store.add_jobs("sweep", [draft(f"job {number}")], key=new_key())
        return store.count_jobs("sweep").ready


def test_processes_may_open_a_new_store_at_once(postgres_url: str) -> None:
    """Of several processes that find an empty database, each gets the same whole store."""
    assert max(all_together(3, open_and_add, postgres_url)) == 3


def test_an_older_version_beside_us_is_counted_too(postgres_url: str) -> None:
    """It claims and finishes by statements that know nothing of who counts, before and after the schema is ours."""
    make_before(postgres_url, "counted")
    with OldClient(postgres_url) as old:
        old.add("sweep", 12)
        early, late, last = old.claim("sweep"), old.claim("sweep"), old.claim("sweep")
        assert early is not None
        assert late is not None
        assert last is not None
        old.finish(early)
        with closing(open_store(postgres_url)) as store:
            assert store.count_jobs("sweep").done == 1
            old.finish(late)
            for outcome in (Outcome.DONE, Outcome.PRUNED):
                held = claim(store)
                assert held is not None
                report = Finish(attempt=held.key, outcome=outcome, results=EMPTY)
                store.finish("sweep", held.job.id, report, key=new_key(), claim=new_key(), worker="w", repeat=False)
            old.finish(last)
            counts = store.count_jobs("sweep")
            assert (counts.done, counts.pruned, counts.running, counts.ready) == (4, 1, 2, 5)
            assert [each for each in verify(store.ledger).violations if each.check is Check.COUNTS] == []


@pytest.mark.usefixtures("store")
def test_a_newer_schema_is_refused(postgres_url: str) -> None:
    """A store that a newer version has changed is not touched, and the error says what to upgrade."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("update meta set value = '99' where name = 'schema'")
    with pytest.raises(StoreRefusedError, match=r"schema 99.*newer Sweepstake"):
        open_store(postgres_url)


def test_the_databases_default_isolation_is_not_taken_over(postgres_url: str) -> None:
    """Workers claim side by side, each from what is committed, also where transactions see one snapshot by default."""
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        name = owner.info.dbname
        owner.execute(f"alter database \"{name}\" set default_transaction_isolation = 'serializable'".encode())
    place = parse_store_url(postgres_url)
    assert isinstance(place, PostgresUrl)
    with psycopg.connect(connection_string(place)) as connection:
        assert connection.execute("show transaction_isolation").fetchone() == ("read committed",)


def test_a_database_that_is_not_there_is_named(postgres_url: str) -> None:
    """The error of a wrong URL comes at once, and holds the server's own reason."""
    with pytest.raises(StoreRefusedError, match="does not exist"):
        open_store(f"{postgres_url}_not")


def test_cut_connections_cost_one_call(store: Kept, postgres_url: str) -> None:
    """When the server drops all connections, one call fails as unavailable and the next ones work."""
    _use_many(store)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    with pytest.raises(StoreUnavailableError):
        store.ping()
    for _ in range(20):
        store.ping()


def _use_many(store: Kept) -> None:
    """Make the pool open several connections."""
    meeting = threading.Barrier(4)

    def ping() -> None:
        meeting.wait(timeout=120)
        for _ in range(20):
            store.ping()

    threads = [threading.Thread(target=ping) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)


def test_a_forked_child_leaves_the_parents_connections_alone(store: Kept) -> None:
    """A child that ends, having used the store or not, does not end the parent's sessions."""
    for uses in (True, False):
        child = os.fork()
        if child == 0:  # pragma: no cover -- another process
            code = 1
            try:
                if uses:
                    store.add_jobs("sweep", [draft()], key=new_key())
                    store.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        store.add_jobs("sweep", [draft()], key=new_key())
    assert store.count_jobs("sweep").ready == 3


def test_without_prepared_statements_everything_works(postgres_url: str) -> None:
    """`?prepare=off`, for pgbouncer, claims and finishes as well; no statement is prepared."""
    with closing(open_store(f"{postgres_url}?prepare=off")) as store:
        store.put_experiment("sweep", MANUAL, guard=UNGUARDED, key=new_key())
        store.add_jobs("sweep", [draft() for _ in range(8)], key=new_key())
        claimed = [held.job.id for _ in range(8) if (held := claim(store)) is not None]
    assert len(set(claimed)) == 8


def test_a_database_of_another_encoding_holds_the_same_texts(postgres_url: str) -> None:
    """Names come back as they were given, at the first call on a connection and at those that are prepared."""
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("create database latin template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'")
    try:
        url = urlunsplit(urlsplit(postgres_url)._replace(path="/latin"))
        with closing(open_store(url)) as opened:
            opened.put_experiment("séries", MANUAL, guard=UNGUARDED, key=new_key())
            opened.add_jobs("séries", [draft(f"numéro {i}") for i in range(4)], key=new_key())
            for i in range(4):
                held = opened.claim("séries", worker="Zoë", key=new_key(), repeat=False)
                assert isinstance(held, Claim)
                assert (held.job.id, held.job.worker) == (f"numéro {i}", "Zoë")
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute("drop database if exists latin with (force)")


def test_a_nul_is_refused_by_every_call(store: Kept) -> None:
    """Also where the library would send the text up to it: no claim is made under another name."""
    store.put_experiment("other", MANUAL, guard=UNGUARDED, key=new_key())
    store.add_jobs("other", [draft() for _ in range(4)], key=new_key())
    engine = store.here.store.engine
    for _ in range(3):
        assert isinstance(store.claim("other", worker="w"), Claim)
        with pytest.raises(ServerError, match="NUL"):
            engine.claim(name="other\0", worker="w", key=name_of(new_key()))
    assert store.count_jobs("other").ready == 1


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_a_key_that_was_used_is_refused_at_any_call_of_a_connection(
    store: Kept, postgres_url: str, before: int
) -> None:
    """Whether the statement was asked before, is prepared just then, or was: the next calls work."""
    other = store.put_experiment("other", MANUAL, guard=UNGUARDED, key=new_key())
    store.add_jobs("sweep", [draft() for _ in range(8)], key=new_key())
    store.add_jobs(other.name, [draft() for _ in range(2)], key=new_key())
    used = new_key()
    with closing(open_store(postgres_url)) as beside:
        assert isinstance(beside.claim("other", worker="w", key=used), Claim)
    assert all(claim(store) for _ in range(before))
    with pytest.raises(KeyReusedError):
        store.claim("sweep", worker="w", key=used, repeat=False)
    assert all(claim(store) for _ in range(8 - before))
    assert claim(store) is None


def test_what_is_prepared_may_be_forgotten(store: Kept) -> None:
    """A write that is undone on a connection makes the library forget it; the next claim is made all the same."""
    store.add_jobs("sweep", [draft("job"), *(draft() for _ in range(6))], key=new_key())
    assert all(claim(store) for _ in range(3))
    with pytest.raises(ResourceExistsError):
        store.add_jobs("sweep", [draft("job")], key=new_key())
    assert all(claim(store) for _ in range(4))


def test_a_new_limit_holds_for_a_store_that_knew_none(store: Kept) -> None:
    """A limit of running jobs that is set while workers are at it holds from their next claim on."""
    store.add_jobs("sweep", [draft() for _ in range(6)], key=new_key())
    assert claim(store)
    limited = ExperimentDraft(search=SearchDefinition("Manual"), settings=Settings(max_running=2))
    store.put_experiment("sweep", limited, guard=UNGUARDED, key=new_key())
    assert claim(store)
    assert claim(store) is None
    store.put_experiment(
        "sweep",
        ExperimentDraft(search=SearchDefinition("Manual"), settings=Settings()),
        guard=UNGUARDED,
        key=new_key(),
    )
    assert claim(store)


def test_a_closed_store_says_so(store: Kept) -> None:
    """After closing, a call fails as unavailable; closing twice is fine."""
    store.ping()
    store.close()
    store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        store.ping()
