"""`Store`: what the service needs kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sweepstake.domain.access import Standing
from sweepstake.domain.duplicates import Added, OnDuplicate
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.queueing import QueueingChanges
from sweepstake.domain.records import (
    AttemptRecord,
    Beat,
    Claim,
    Dependency,
    Document,
    ExperimentRecord,
    Finish,
    Finished,
    Guard,
    JobDraft,
    JobRecord,
    Page,
)
from sweepstake.domain.situation import Situation
from sweepstake.ports.archive import Archive
from sweepstake.ports.shapes import Counts, ExperimentDraft, Outlook, PutAnswer

__all__ = ["Store"]


class Store(Protocol):
    """What the service needs kept. Each method is one transaction, and a claim or a finish one round trip.

    An experiment is named by its address (see `sweepstake.domain.addresses`), wherever `name` does not say more. A
    store judges leases by its own clock. It raises what `Queue` says, never an error of its database's library.
    """

    @property
    def identity(self) -> str:
        """Which store it is: no other has this name, but for copies of it."""

    @property
    def archive(self) -> Archive:
        """Whole experiments on their way out and in."""

    def put_experiment(
        self,
        name: str,
        draft: ExperimentDraft,
        *,
        address: str | None = None,
        seed: int,
        guard: Guard,
        key: str,
    ) -> ExperimentRecord:
        """As `Queue.put_experiment`; `seed` is used when a new experiment's settings name none.

        Args:
            name: what it is called.
            draft: how it shall be.
            address: of the experiment to replace; None: the one that the draft's owner has by the name, or a new one.
            seed: see above.
            guard: what must hold of the definition that is stored.
            key: op key of the call.
        """

    def standings(self, names: Sequence[str], viewer: str | None) -> Sequence[Standing]:
        """Return the experiments with one of these names that the user `viewer` may see; None: all of them."""

    def get_experiment(self, name: str) -> ExperimentRecord:
        """As `Queue.get_experiment`."""

    def shared_names(self) -> frozenset[str]:
        """Return the names that several experiments have, or had."""

    def list_experiments(self, start: str | None, limit: int, viewer: str | None) -> Page[ExperimentRecord]:
        """As `HostedQueue.list_experiments`."""

    def delete_experiment(self, name: str, *, guard: Guard, key: str, force: bool) -> None:
        """As `Queue.delete_experiment`."""

    def end_experiment(self, name: str, *, etag: str, key: str) -> None:
        """Make an experiment DONE because its search is complete, if it still has this etag."""

    def count_jobs(self, name: str) -> Counts:
        """As `Queue.count_jobs`."""

    def outlook(self, name: str) -> Outlook:
        """Tell what there is to claim; it costs a few rows however many jobs there are."""

    def add_jobs(
        self, name: str, drafts: Sequence[JobDraft], *, key: str, on_duplicate: OnDuplicate = OnDuplicate.ALLOW
    ) -> Added:
        """As `Queue.add_jobs`."""

    def put_job(
        self, name: str, job_id: str, document: Document, *, guard: Guard, key: str, attempt: str | None
    ) -> PutAnswer:
        """As `Queue.put_job`."""

    def get_job(self, name: str, job_id: str) -> JobRecord:
        """As `Queue.get_job`."""

    def scan_jobs(self, name: str, query: JobQuery, after: int, limit: int) -> tuple[Sequence[JobRecord], bool]:
        """Return the first `limit` jobs with `seq > after`, by `seq`, that the query may keep.

        There are fewer if their texts fill the memory; the second says whether there are not.

        They are of its part of an id, or else of its status and tag; all else is the service's to apply.
        """

    def recent_jobs(self, name: str, limit: int) -> Sequence[JobRecord]:
        """Return the newest `limit` jobs, oldest of them first."""

    def list_attempts(self, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
        """As `Queue.list_attempts`."""

    def list_dependencies(self, name: str, job_id: str) -> tuple[Dependency, ...]:
        """As `Queue.list_dependencies`."""

    def delete_job(self, name: str, job_id: str, *, guard: Guard, key: str) -> None:
        """As `Queue.delete_job`."""

    def claim(
        self, name: str, *, worker: str, key: str, repeat: bool, uptime: float, ids: Sequence[str] = ()
    ) -> Claim | None:
        """Claim a ready job; None when there is none.

        Settles overdue leases and due delays (at most 100) when it looks for them: at the store's first claim of the
        experiment, at most once a second after that, and whenever nothing is ready; then tries once more.

        Args:
            uptime: seconds since the asker began to serve; no lease longer than that is settled. Infinite for a
                client that holds the store itself.
            ids: if any, only one of these jobs.
        """

    def claim_proposal(self, name: str, draft: JobDraft, *, proposals: int, worker: str, key: str) -> Claim | None:
        """Create the draft RUNNING with a lease, if exactly `proposals` were made before; else change nothing.

        Raises:
            LimitReachedError: `max_jobs` or `max_running` allows no more.
        """

    def queue_proposal(self, name: str, draft: JobDraft, *, proposals: int, key: str) -> JobRecord | None:
        """Create the draft QUEUED, if exactly `proposals` were made before; else None, and nothing changed."""

    def finish(
        self,
        name: str,
        job_id: str,
        finish: Finish,
        *,
        key: str,
        claim: str | None,
        worker: str,
        repeat: bool,
        uptime: float,
    ) -> Finished:
        """As `Queue.finish`, but `next` is None when a claim was asked for and nothing is ready.

        It is NoJob when the report was made before, and what was claimed with it is over, or was nothing.
        """

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """As `Queue.heartbeat`."""

    def prune(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """As `Queue.prune`."""

    def retry(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """As `Queue.retry`."""

    def set_queueing(self, name: str, job_id: str, changes: QueueingChanges, *, key: str) -> JobRecord:
        """As `Queue.set_queueing`."""

    def situation(self, name: str, job_id: str) -> Situation:
        """Tell where a job stands in its queue, from some rows, however many jobs there are."""

    def offer(self, name: str, *, uptime: float) -> JobRecord | None:
        """Return the first ready job that was not offered within the last second, else the first ready one."""

    def ping(self) -> None:
        """As `Queue.ping`."""

    def close(self) -> None:
        """As `Queue.close`."""
