"""Addresses of stores: one for each store, without anything secret."""

from pathlib import Path

import pytest

from sweepstake.spool import address_of


@pytest.mark.parametrize(
    "url, address",
    [
        ("http://Host:8000", "http://host:8000"),
        ("https://host/below/api/v1/", "https://host/below"),
        ("http://user:secret@host/", "http://host"),
        ("postgresql://ada:secret@db:5433/sweeps", "postgresql://ada@db:5433/sweeps"),
        ("postgresql://ada@a:1,b:2/sweeps", "postgresql://ada@a:1,b:2/sweeps"),
        (
            "postgresql:///sweeps?password=secret&host=/run/pg&sslmode=require",
            "postgresql:///sweeps?host=%2Frun%2Fpg",
        ),
        ("postgresql://[broken", "postgresql"),
    ],
)
def test_an_address_tells_stores_apart_and_no_secret(url: str, address: str) -> None:
    """User, host and database stay; passwords and other options do not."""
    assert address_of(url) == address


def test_a_file_has_one_address_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path, one with a link in it, and the whole path are one store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    address = address_of(f"sqlite:///{tmp_path}/a%20b.db")
    assert address == f"sqlite:///{tmp_path}/a%20b.db"
    assert address_of("sqlite:///a%20b.db") == address
    assert address_of("sqlite:///link/a%20b.db") == address
    assert address_of(address) == address
