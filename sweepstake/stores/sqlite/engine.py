"""The engine for a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sweepstake.clock import Clock
from sweepstake.errors import StoreRefusedError, SweepstakeError
from sweepstake.stores.engine import Params, Row
from sweepstake.stores.sqlite.connections import SqliteConnections
from sweepstake.stores.sqlite.log import FAILED, sync_file
from sweepstake.stores.sqlite.transaction import SqliteTransaction

__all__ = ["SqliteEngine"]

#: The first version that has RETURNING.
_OLDEST: Final = (3, 35, 0)


class SqliteEngine:
    """One SQLite file.

    Writers stand in a queue of our own, because SQLite's is not fair: with it, a worker may starve for seconds.

    Args:
        path: the file.
        clock: by which leases are judged.
        sync: returns when what was written to a descriptor is on the disk.

    Attributes:
        identity: which store it is; see `Engine.identity`.
    """

    def __init__(self, path: Path, clock: Clock, sync: Callable[[int], None] = sync_file) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise StoreRefusedError(
                f"SQLite {sqlite3.sqlite_version} is too old: Sweepstake needs 3.35 or newer. Use a newer Python "
                "build, or a server: `sweepstake serve` on another machine, or a postgresql:// store."
            )
        self._connections = SqliteConnections(path, clock, sync)
        assert self._connections.identity is not None, "a store has its name when it has been opened"
        self.identity: Final = self._connections.identity

    @contextmanager
    def read(self) -> Iterator[SqliteTransaction]:
        """Begin to read; each statement may see a later state than the one before."""
        if (place := self._connections.place) is not None:
            place.look()  # if it is lost, the call goes on with what is there now
        transaction = self._connections.take()
        try:
            yield transaction
        except sqlite3.Error as error:
            raise self._connections.explain(error) from error
        finally:
            self._connections.give_back(transaction)

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[SqliteTransaction]:  # noqa: ARG002 -- turns are short
        """Begin a transaction when it is our turn.

        What it wrote is on the disk when the block has been left, in the file that the store's address leads to; the
        next writer has its turn before that. A refusal often rests on what another writer wrote and has not synced yet;
        whoever is refused may rely on it, so it is synced as well.
        """
        transaction = self._connections.take()
        log, refusal = transaction.log, None
        transaction.needs_no_sync = False
        try:
            log.lock.acquire()
            try:
                transaction.execute_quickly("begin immediate")
                if log.read_note() == FAILED:
                    log.rewrite()
                yield transaction
                transaction.execute_quickly("commit")
            except (SweepstakeError, sqlite3.IntegrityError) as error:
                refusal = error
            finally:
                try:
                    if transaction.connection.in_transaction:
                        transaction.execute("rollback")
                finally:
                    log.lock.release()
            if not transaction.needs_no_sync:
                log.sync()
            transaction.place.confirm()
            if refusal is not None:
                raise refusal
        except SweepstakeError:
            raise
        except (sqlite3.Error, OSError) as failure:
            raise self._connections.explain(failure) from failure
        finally:
            self._connections.give_back(transaction)

    def claim(self, *, name: str, worker: str, key: str, ids: str | None = None) -> Row | None:
        """Claim a ready job in a transaction of its own."""
        with self.write() as transaction:
            row = transaction.claim(name=name, worker=worker, key=key, ids=ids)
            transaction.needs_no_sync = row is None
            return row

    def finish(self, params: Params, *, claim: Mapping[str, Any] | None) -> tuple[Row, Row | None] | None:
        """Finish the plain case and claim the next job in the same transaction."""
        with self.write() as transaction:
            job = transaction.finish(params)
            transaction.needs_no_sync = job is None
            if job is None:
                return None
            return job, transaction.claim(**claim) if claim else None

    def finish_several(
        self, reports: Sequence[Params], *, claims: Sequence[Mapping[str, Any]]
    ) -> tuple[list[Row | None], list[Row]]:
        """Finish several attempts in the plain case and claim several jobs, in one transaction."""
        with self.write() as transaction:
            ended = [transaction.finish(params) for params in reports]
            taken: list[Row] = []
            for claim in claims if None not in ended else ():
                row = transaction.claim(**claim)
                if row is None:
                    break
                taken.append(row)
            transaction.needs_no_sync = not taken and not any(ended)
            return ended, taken

    def sync(self) -> None:
        """Have whatever can be read on the disk."""
        with self.read() as transaction:
            try:
                transaction.log.sync()
            except SweepstakeError:
                raise
            except OSError as failure:
                raise self._connections.explain(failure) from failure
        self.confirm()

    def wait_for_transactions(self) -> None:
        """Do nothing: writers take turns, so whatever was under way has ended when a write is committed."""

    def close(self) -> None:
        """Close what no call is using; the rest follows when the calls under way have ended."""
        self._connections.close()

    def confirm(self) -> None:
        """See that the store at the address is still the same; see `Engine.confirm`."""
        if (place := self._connections.place) is not None:
            place.confirm()
