"""Store URLs."""

from pathlib import Path

import pytest

from sweepstake.errors import ConfigurationError
from sweepstake.stores.urls import PostgresUrl, SqliteUrl, parse_store_url
from tests.kit.stores import open_store


@pytest.mark.parametrize(
    "url,path",
    [
        ("sqlite:///jobs.db", "jobs.db"),
        ("sqlite:///a/b.db", "a/b.db"),
        ("sqlite:////var/jobs.db", "/var/jobs.db"),
        ("sqlite:///with%20space%3F.db", "with space?.db"),
    ],
)
def test_sqlite_urls_name_a_path(url: str, path: str) -> None:
    """Three slashes begin a relative path, four an absolute one, and escapes are undone."""
    assert parse_store_url(url) == SqliteUrl(Path(path))


def test_postgres_options_reach_libpq_but_for_ours() -> None:
    """`prepare=off` is ours and goes; everything else stays as it was written."""
    found = parse_store_url("postgresql://me:secret@host:5433/base?sslmode=require&prepare=off")
    assert found == PostgresUrl("postgresql://me:secret@host:5433/base?sslmode=require", prepare=False)
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "jobs.db",
        "mysql://host/base",
        "sqlite:jobs.db",
        "sqlite:///",
        "sqlite:///folder/",
        "sqlite://host/jobs.db",
        "sqlite:///jobs.db?mode=ro",
        "sqlite:///.",
        "sqlite:///..",
        "sqlite:///:memory:",
        "sqlite:///./:memory:",
        "postgresql://me:secret@\udcff/base",
        "postgresql://me:secret@[::/base",
        "postgresql://me:secret@host/base?prepare=perhaps",
        "postgresql://me:secret@host:port/base?sslmode=require&sslmode",
        "postgresql://me:p/secret@host/base",
        "postgresql://me:12/secret@host/base",
        "postgresql://me:p@secret@host/base",
        "postgresql://me:p#secret@host/base",
        "postgresql://me:p?secret=1@host/base",
        "postgresql://me:p%secret@host/base",
        "postgresql://me:x@host:secret/base",
        "sqlite://me:secret@host/base",
    ],
)
def test_other_urls_are_refused_without_telling_the_password(url: str) -> None:
    """What is no store's URL is a ConfigurationError that says what one looks like."""
    with pytest.raises(ConfigurationError) as caught:
        parse_store_url(url)
    assert "secret" not in str(caught.value)
    assert "://" in str(caught.value) or "prepare=off" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///base?host=/run/postgresql&options=-c%20geqo=off",
        "postgresql://",
        "postgres://me@host",
        "postgresql://me:a:b%40c!$&'()*+;=~ d@%2Frun%2Fpostgresql/base",
        "postgresql://me@one:5432,[::1]:5433,three/base?target_session_attrs=read-write",
        "postgresql://host/base?user=me@tenant",
    ],
)
def test_what_libpq_may_do_without_is_left_to_it(url: str) -> None:
    """A URL without a host, such as that of a Unix socket, reaches libpq as it was written."""
    assert parse_store_url(url) == PostgresUrl(url)


def test_libpq_settings_that_do_not_exist_are_a_configuration_error() -> None:
    """An option that libpq does not know is refused before anything is connected to, and nothing of the URL is told."""
    for url in ("postgresql://me:secret@host/base?speed=high", "postgresql://host/base?password=%zzsecret"):
        with pytest.raises(ConfigurationError, match="understands") as caught:
            open_store(url)
        assert "secret" not in str(caught.value)
