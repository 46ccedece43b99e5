"""`Ledger`: what is kept, as one who checks it reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import frozen

from sweepstake.domain.ledger import LedgerEvent, LedgerExperiment, LedgerJob, Stray

__all__ = ["Extent", "Ledger"]


@frozen(kw_only=True)
class Extent:
    """How much there is to read.

    Attributes:
        experiments: how many there are.
        last_job, last_event: the highest `seq`, up to which pages go.
    """

    experiments: int
    last_job: int
    last_event: int


class Ledger(Protocol):
    """A store's whole history, read in pages by `seq`.

    Each page is one snapshot of its own, so that a long reading holds nobody up; between pages others may write.
    """

    def extent(self) -> Extent:
        """Return how much there is to read now."""

    def jobs(self, after: int, limit: int) -> Sequence[LedgerJob]:
        """Return the first jobs of all experiments with `seq > after`, each with its attempts and dependencies."""

    def strays(self, after: int, last: int) -> Sequence[Stray]:
        """Return up to 1,000 rows that name a job with `after < seq <= last` which is not there."""

    def events(self, after: int, limit: int) -> Sequence[LedgerEvent]:
        """Return the first events with `seq > after`."""

    def experiments(self, after: int, limit: int) -> Sequence[LedgerExperiment]:
        """Return the first experiments whose number is beyond `after`."""

    def writes(self, keys: Sequence[str]) -> Mapping[str, LedgerEvent]:
        """Return those events that have one of these op keys, by key."""

    def names(self) -> frozenset[str]:
        """Return under what names experiments are kept now, those that are being imported as well."""

    def forget(self, seqs: Sequence[int], before: float) -> None:
        """Delete these events, as far as they are older than a Unix time."""

    def retries(self, experiment: str, job: str) -> tuple[int, ...]:
        """Return after how many attempts a job was given new budgets, each time."""
