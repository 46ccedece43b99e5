"""The tests' own PostgreSQL."""

import psycopg
import pytest

from tests.kit import postgres


def test_a_database_is_empty(postgres_url: str) -> None:
    """Each test gets a database in which no other test has left a table."""
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
        connection.execute("create table left_behind ()")
    assert tables == (0,)


def test_the_next_database_is_empty_too(postgres_url: str) -> None:
    """What the test before created is gone."""
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("select to_regclass('left_behind')").fetchone() == (None,)


def test_a_named_server_is_neither_started_nor_stopped(
    monkeypatch: pytest.MonkeyPatch, postgres_server: postgres.PostgresServer
) -> None:
    """A server that the environment names serves databases and outlives the block."""
    monkeypatch.setenv(postgres.ENVIRONMENT, postgres_server.url)
    with postgres.postgres_server() as named:
        named.drop_database(named.new_database())
    psycopg.connect(postgres_server.url).close()
