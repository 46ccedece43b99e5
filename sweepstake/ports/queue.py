"""`Queue`: what a client may ask, here or through a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sweepstake.domain.duplicates import Added, OnDuplicate
from sweepstake.domain.portable import ExportPage, ImportPart
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
    NoJob,
    Page,
)
from sweepstake.domain.situation import Why
from sweepstake.ports.shapes import MAX_PAGE, Counts, ExperimentDraft, PutAnswer

__all__ = ["HostedQueue", "Queue"]


class Queue(Protocol):
    """What a client may ask, here or through a server.

    Every write takes the op key of the call. Repeating a call with its key has the effect of making it once and
    answers what the first call answered. All methods may raise `StoreUnavailableError`; those that name an experiment
    raise `NotFoundError` when there is none. Safe to call from several threads; a forked child gets connections
    of its own.
    """

    @property
    def identity(self) -> str | None:
        """Which store it is: no other has this name, but for copies of it.

        Through a server, None until it has answered, or if it is of a version that does not tell.
        """

    def put_experiment(self, name: str, draft: ExperimentDraft, *, guard: Guard, key: str) -> ExperimentRecord:
        """Create or replace an experiment's definition; its jobs, counts and proposals stay.

        Limits (`max_running`, `max_jobs`) hold for every claim that begins after the answer, through whichever server;
        jobs that run or exist by then stay.

        Raises:
            InvalidInputError: the search is unknown or cannot be sampled.
            ResourceExistsError: guarded by ABSENT, and it exists.
            UnsafeUpdateError: guarded by an etag or PRESENT that does not hold.
            KeyReusedError: the key was used for something else.
        """

    def get_experiment(self, name: str) -> ExperimentRecord:
        """Return one experiment."""

    def list_experiments(self, start: str | None = None, limit: int = MAX_PAGE) -> Page[ExperimentRecord]:
        """Return a page of the experiments, oldest first; `start` is the `next` of the page before."""

    def delete_experiment(self, name: str, *, guard: Guard, key: str, force: bool = False) -> None:
        """Delete an experiment with its jobs and attempts. Unguarded, deleting what is not there does nothing.

        Raises:
            UnsafeUpdateError: guarded, and it is not there or has another etag.
            LiveLeasesError: leases of its jobs are live, and `force` is false.
        """

    def count_jobs(self, name: str) -> Counts:
        """Count the jobs by state."""

    def add_jobs(
        self, name: str, drafts: Sequence[JobDraft], *, key: str, on_duplicate: OnDuplicate = OnDuplicate.ALLOW
    ) -> Added:
        """Create up to MAX_BULK jobs, all or none; job i may be guarded by the etag `key.i`.

        Drafts may have any status; one that is RUNNING begins an attempt without a lease. They may depend on jobs of
        the experiment and on each other, in any order; one that asks to be pruned with a dependency which is CRASHED
        or PRUNED already is PRUNED from the start.

        Args:
            on_duplicate: SKIP leaves out the drafts whose hyperparameters a job of the experiment has, or a draft
                before; whoever depends on one of them depends on that job instead. ERROR refuses the call then.
                Whoever races, SKIP and ERROR never create the same twice.

        Raises:
            InvalidInputError: a dependency is no job of the experiment (`jobs[3].depends_on[0]`), or drafts wait for
                each other in a circle.
            ResourceExistsError: an id is taken, or stands twice among the drafts; with ERROR, so do hyperparameters.
            LimitReachedError: `max_jobs` allows no more (or `max_running` a RUNNING one).
        """

    def put_job(
        self, name: str, job_id: str, document: Document, *, guard: Guard, key: str, attempt: str | None = None
    ) -> PutAnswer:
        """State a fact: replace a job's document, or create the job. See `sweepstake.domain.puts` for attempts.

        Args:
            attempt: key of the open attempt, when its holder writes; any other write ends the attempt.

        Raises:
            ResourceExistsError, UnsafeUpdateError: the guard failed and this key did not write before.
            LeaseLostError: `attempt` is given and is not open any more.
            LimitReachedError: it would exceed `max_running` or `max_jobs`.
        """

    def get_job(self, name: str, job_id: str) -> JobRecord:
        """Return one job."""

    def list_jobs(self, name: str, query: JobQuery, start: str | None = None, limit: int = MAX_PAGE) -> Page[JobRecord]:
        """Return a page of jobs by age, or with `query.order` the first `limit` in that order and no next page.

        Each job that was committed before the listing began appears exactly once over its pages.
        """

    def list_attempts(self, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
        """Return the attempts of a job, oldest first."""

    def list_dependencies(self, name: str, job_id: str) -> tuple[Dependency, ...]:
        """Return the jobs that a job waits for, or waited for, oldest first; deleted ones are not among them."""

    def delete_job(self, name: str, job_id: str, *, guard: Guard, key: str) -> None:
        """Delete a job and its attempts. Unguarded, deleting what is not there does nothing."""

    def claim(
        self, name: str, *, worker: str, key: str, repeat: bool = False, ids: Sequence[str] = ()
    ) -> Claim | NoJob:
        """Take the ready job of highest priority, then oldest; else one that the search proposes.

        Args:
            worker: who claims, for people to read.
            repeat: the call may have been made before with this key.
            ids: if any, take only one of these jobs, at most `domain.names.MAX_IDS`, and let the search propose none.

        Raises:
            LeaseLostError: a repeat, and the job claimed by the first call has been lost since: claim anew.
        """

    def finish(
        self,
        name: str,
        job_id: str,
        finish: Finish,
        *,
        key: str,
        claim: str | None = None,
        worker: str = "",
        repeat: bool = False,
    ) -> Finished:
        """End an attempt and record what it reports; with `claim` (an op key), claim the next job in the same call.

        A report on an attempt that is over changes nothing but is kept as the attempt's late results, and a
        repeat answers as the first call did. A claim is made in either case, but not again by a repeat, which may
        come late and have nobody who waits for it: if what the first call claimed is over, or was nothing, `next` is
        None, and who still wants a job repeats the claim by itself.

        Raises:
            NotFoundError: no such job or attempt: it was deleted.
            KeyReusedError: the attempt was finished under another key (its results stand).
        """

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """Renew the leases of these attempts, of any experiments, in one call.

        A lease that is overdue but not yet settled revives.
        """

    def prune(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """Make a QUEUED or RUNNING job PRUNED; pruning a PRUNED job again changes nothing.

        Raises:
            UnsafeUpdateError: the job is DONE or CRASHED.
        """

    def retry(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """Queue a CRASHED or PRUNED job again: its attempts and results stay, its budgets begin anew.

        A job that is RUNNING without a lease (begun by a plain PUT) is queued too, and its attempt ends as released.
        A QUEUED job stays as it is.

        Raises:
            UnsafeUpdateError: the job is DONE, or RUNNING with a lease.
        """

    def set_queueing(self, name: str, job_id: str, changes: QueueingChanges, *, key: str) -> JobRecord:
        """Change the queueing of a job in any status; its document and etag stay, and whoever runs it runs on."""

    def why(self, name: str, job_id: str) -> Why:
        """Say in one sentence why a job is not running, from what is known now."""

    def offer(self, name: str, *, key: str) -> JobRecord | NoJob:
        """Return the oldest ready job, still QUEUED, for a client that claims by a guarded PUT (`GET nextjob/`).

        One offered within the last second is passed over while others are ready. A search's proposal is stored QUEUED.
        """

    def export_page(self, name: str, start: str | None = None) -> ExportPage:
        """Return part of all that is kept of an experiment; `start` is the `next` of the part before.

        Each page is as the store stood at one moment, and the next page at a later one.
        """

    def import_part(self, name: str, part: ImportPart) -> None:
        """Take one part of an experiment from elsewhere; the last makes all of it visible under `name` at once.

        Repeating a part changes nothing. A job that was RUNNING becomes QUEUED, its attempt ends as released: its
        worker holds it in another store. What comes gets keys of its own, and late reports still find it.

        Raises:
            ResourceExistsError: there is an experiment of that name.
            NotFoundError: there is no such import under way: it was never begun, was abandoned, or has ended.
            InvalidInputError: a part is missing or contradicts another, or the totals are others than what arrived.
        """

    def ping(self) -> None:
        """Return if the store answers."""

    def close(self) -> None:
        """Let go of connections and files; calls under way end first."""


class HostedQueue(Queue, Protocol):
    """The queue as a server holds it, which answers for several users."""

    @property
    def identity(self) -> str:
        """As `Queue.identity`, of a store that is here."""

    def list_experiments(
        self, start: str | None = None, limit: int = MAX_PAGE, *, viewer: str | None = None
    ) -> Page[ExperimentRecord]:
        """As `Queue.list_experiments`; only those that the user with the email `viewer` may see, if one is named."""

    def spellings(self, experiments: Sequence[ExperimentRecord], viewer: str | None) -> list[str]:
        """Return for each of these what the user `viewer` writes to mean it: its name, or `owner/name`."""

    def why(self, name: str, job_id: str, *, viewer: str | None = None) -> Why:
        """As `Queue.why`, for the user with the email `viewer`, who may type what it says."""

    def import_part(self, name: str, part: ImportPart, *, owner: str | None = None) -> None:
        """As `Queue.import_part`; the experiment is the user's with the email `owner`, if one is named."""
