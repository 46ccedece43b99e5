"""The seam between what a store does, written once, and the databases that it does it with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias

__all__ = ["MOST_TEXT", "DuplicateError", "Engine", "Params", "Row", "Transaction", "first_of"]

Row: TypeAlias = tuple[Any, ...]
Params: TypeAlias = Mapping[str, Any]

#: So many characters are read at once of what users wrote: a single document may have 8 MiB.
MOST_TEXT: Final = 8 * 1024 * 1024


class DuplicateError(Exception):
    """A statement would have stored a second row of a unique key; the transaction is void."""


class Transaction(Protocol):
    """Named statements that take effect together.

    Every statement may use `:now`, Unix time, and `:tick`, the clock by which leases are judged.
    """

    def now(self) -> float:
        """Return Unix time by the store's clock."""

    def row(self, statement: str, /, **params: Any) -> Row | None:
        """Run a statement and return the first row of its answer."""

    def rows(self, statement: str, /, **params: Any) -> list[Row]:
        """Run a statement and return all rows of its answer."""

    def first_rows(self, statement: str, /, **params: Any) -> tuple[list[Row], bool]:
        """Run a statement and return the first rows of its answer, until they hold `MOST_TEXT`, and whether it is all.

        No more of it is ever in memory.
        """

    def run(self, statement: str, /, **params: Any) -> int:
        """Run a statement and return how many rows it changed."""

    def run_many(self, statement: str, /, params: Sequence[Params]) -> None:
        """Run a statement with each of these parameters."""

    def add_jobs(self, jobs: Sequence[Row]) -> None:
        """Insert many jobs; each row is what `rows.draft_row` returns."""

    def claim(
        self,
        *,
        name: str,
        worker: str,
        key: str,
        ids: str | None = None,
        fitting: str | None = None,
        member: str | None = None,
        least: int | None = None,
    ) -> Row | None:
        """Claim a ready job without a task, exact in its limits.

        Returns:
            The job's columns, the lease and the timeout.

        Args:
            ids: a JSON list of ids: only one of these jobs.
            fitting: a JSON list of numbers of needs: only a job of a task that needs no more; its number of needs
                stands behind the timeout.
            member: with `fitting`, the number of a job that goes before those of its priority.
            least: with `fitting`, the lowest priority that may be claimed.
        """


class Engine(Protocol):
    """A database, and the two calls that must be as fast on it as they can be.

    All raise `StoreUnavailableError`, `StoreRefusedError` or `DuplicateError`, never an error of the library's.
    """

    def read(self) -> AbstractContextManager[Transaction]:
        """Begin to read; each statement may see a later state than the one before."""

    def write(self, *, urgent: bool = False) -> AbstractContextManager[Transaction]:
        """Begin a transaction, which is kept when the block is left and undone when it raises.

        Args:
            urgent: a lease hangs on it, so that it must not wait for other calls of this process.
        """

    def claim(self, *, name: str, worker: str, key: str, ids: str | None = None) -> Row | None:
        """Claim a ready job in a transaction of its own and one round trip; answer as `Transaction.claim`."""

    def finish(self, params: Params, *, claim: Mapping[str, str] | None) -> tuple[Row, Row | None] | None:
        """Finish the plain case and claim the next job in the same transaction, in one round trip.

        The plain case is an attempt that is open, of a job for which no other waits.

        Returns:
            The finished job's columns and what `Transaction.claim` answers; None, with nothing changed, if it is
            another case.
        """

    def finish_several(
        self, reports: Sequence[Params], *, claims: Sequence[Mapping[str, str]]
    ) -> tuple[list[Row | None], list[Row]]:
        """Finish several attempts in the plain case, each as `finish`, and if all are then claim several ready jobs.

        Returns:
            Of each report the finished job's columns, or None if it is another case; and of each claim what
            `Transaction.claim` answers, as long as there were jobs.
        """

    @property
    def identity(self) -> str:
        """Which store it is: no other has this name, but for copies of it."""

    def confirm(self) -> None:
        """See that the store at the address is still the one that this process began with.

        Raises:
            StoreUnavailableError: it is gone, or another.
        """

    def sync(self) -> None:
        """Return when whatever can be read is on the disk: for answers that acknowledge what another call wrote."""

    def wait_for_transactions(self) -> None:
        """Wait until the transactions of others that are under way have ended: later ones see what was committed."""

    def close(self) -> None:
        """Let go of connections and files; calls under way end first."""


def first_of(rows: Iterable[Row]) -> tuple[list[Row], bool]:
    """Return the first rows, until they hold `MOST_TEXT`, and whether they are all; the others are not read."""
    found: list[Row] = []
    text = 0
    for row in rows:
        if text >= MOST_TEXT:
            return found, False
        found.append(row)
        for value in row:  # neither a generator nor a list, which take twice as long
            if value.__class__ is str:
                text += len(value)
    return found, True
