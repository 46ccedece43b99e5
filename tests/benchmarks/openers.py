"""The sides that rows compare, each at a new place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.benchmarks.comparing import Opener
from tests.benchmarks.floors.http import floor_server
from tests.benchmarks.floors.postgres import PostgresFloor
from tests.benchmarks.floors.sqlite import SqliteFloor
from tests.benchmarks.ours import Ours
from tests.benchmarks.places import Places
from tests.kit.serving import served

__all__ = ["http", "http_floor", "postgres", "postgres_floor", "sqlite", "sqlite_floor"]


def sqlite_floor(*, ledger: bool = True, locked: bool = False) -> Opener:
    """Return the floor on a new file."""
    return lambda places: contextlib.nullcontext(SqliteFloor(places.file(), ledger=ledger, locked=locked))


def sqlite(places: Places) -> contextlib.AbstractContextManager[Ours]:
    """Open ours on a new file."""
    return contextlib.nullcontext(Ours(places.sqlite_url()))


def postgres_floor(*, ledger: bool = True, probe: bool = False) -> Opener:
    """Return the floor in a new database."""

    @contextlib.contextmanager
    def opened(places: Places) -> Iterator[PostgresFloor]:
        with places.database() as url:
            yield PostgresFloor(url, ledger=ledger, probe=probe)

    return opened


@contextlib.contextmanager
def postgres(places: Places) -> Iterator[Ours]:
    """Open ours in a new database."""
    with places.database() as url:
        yield Ours(url)


def http_floor(*, ledger: bool = True) -> Opener:
    """Return the floor's server over a new file."""
    return lambda places: floor_server(places.file(), ledger=ledger)


def http(*, draining: bool = False, at_once: int = 1) -> Opener:
    """Return `sweepstake serve` over a new SQLite file."""

    @contextlib.contextmanager
    def opened(places: Places) -> Iterator[Ours]:
        with served(places.sqlite_url()) as server:
            yield Ours(server.url, server.token, draining=draining, at_once=at_once)

    return opened
