"""A PostgreSQL database that is made anew, and a server that is given another store, while somebody works with it."""

from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

import sweepstake
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim
from sweepstake.domain.status import Outcome
from sweepstake.errors import StoreUnavailableError
from sweepstake.http.session import HttpSession
from tests.kit.lab import draft, new_key
from tests.kit.serving import add_user, start_server
from tests.kit.stores import open_store, remote_queue


def make(url: str) -> None:
    """Make a store with one job."""
    with closing(sweepstake.connect(url)) as database:
        database.add_experiment(sweepstake.ManualSearch("sweep")).add_job({"x": 1})


def drop_schema(url: str) -> None:
    """Drop all tables."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")


def drop_database(url: str) -> None:
    """Drop the database, whoever uses it, and make it anew."""
    parts = urlsplit(url)
    name = sql.Identifier(parts.path.removeprefix("/"))
    with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(name))
        connection.execute(sql.SQL("create database {}").format(name))


@pytest.mark.parametrize("begun_anew", [False, True])
@pytest.mark.parametrize("harm", [drop_schema, drop_database])
def test_a_database_made_anew_is_another_store(postgres_url: str, harm: object, *, begun_anew: bool) -> None:
    """A report of a job that it does not know is not refused for good, and what can be read there is not ours."""
    make(postgres_url)
    with closing(open_store(postgres_url)) as store:
        key = new_key()
        claim = store.claim("sweep", worker="w", key=key, repeat=False)
        assert isinstance(claim, Claim)
        assert callable(harm)
        harm(postgres_url)
        if begun_anew:
            make(postgres_url)
        finish, report = Finish(attempt=key, outcome=Outcome.DONE), new_key()
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                store.finish("sweep", claim.job.id, finish, key=report, claim=None, worker="", repeat=True)
        if harm is drop_database:
            with pytest.raises(StoreUnavailableError):
                store.add_jobs("sweep", [draft("late")], key=new_key())


def test_a_server_with_another_store_is_not_believed(tmp_path: Path) -> None:
    """Neither a report nor a new job is taken by a store that the server was given since."""
    first, second = (f"sqlite:///{tmp_path}/{name}.db" for name in ("first", "second"))
    tokens = [add_user(store) for store in (first, second)]
    make(first)
    make(second)
    server = start_server(first, tokens[0])
    port = urlsplit(server.url).port or 0
    with closing(remote_queue(server.url, tokens[0])) as queue:
        queue.count_jobs("sweep")
        identity, key = queue.identity, new_key()
        server.stop()
        server = start_server(second, tokens[1], port=port)
        try:
            with pytest.raises(StoreUnavailableError, match="another store"):
                queue.finish("sweep", "x", Finish(attempt=key, outcome=Outcome.DONE), key=key)
            with pytest.raises(StoreUnavailableError, match="another store"):
                queue.add_jobs("sweep", [draft("late")], key=new_key())
            stray = HttpSession(server.url, tokens[1])
            stray.store = identity
            with pytest.raises(StoreUnavailableError, match="another store"):
                stray.request("PUT", "/api/v1/experiments/sweep/jobs/late/", {}, "{}", answers={201: "Job"})
            with closing(remote_queue(server.url, tokens[1])) as fresh:
                assert fresh.count_jobs("sweep").ready == 1
                assert fresh.identity not in (None, identity)
        finally:
            server.stop()
