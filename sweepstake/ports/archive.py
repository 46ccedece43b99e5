"""`Archive`: experiments on their way out of a store and into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sweepstake.domain.portable import ImportPart, PortableDependency, PortableEvent, PortableJob

__all__ = ["Archive"]


class Archive(Protocol):
    """Whole experiments, in pages. Reading, each page is one short statement; each part of an import a transaction.

    All raise `NotFoundError` when there is no such experiment.
    """

    def jobs(self, name: str, after: int, limit: int) -> tuple[Sequence[tuple[int, PortableJob]], bool]:
        """Return the first jobs with `seq > after`, each with its seq and its attempts.

        There are fewer than `limit` if their texts fill the memory; the second says whether there are not.
        """

    def dependencies(
        self, name: str, after: tuple[int, int], last: int, limit: int
    ) -> Sequence[tuple[tuple[int, int], PortableDependency]]:
        """Return what waits for what beyond `after`, by the seqs of both jobs, among those with `seq <= last`."""

    def events(self, name: str, after: int, limit: int) -> Sequence[tuple[int, PortableEvent]]:
        """Return the events since the experiment was last created, beyond `after`, each with its seq."""

    def take(self, name: str, part: ImportPart, owner: str | None) -> None:
        """As `HostedQueue.import_part`."""
