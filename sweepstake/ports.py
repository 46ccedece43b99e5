"""The seams of the house: what a client may ask (`Queue`), what is kept (`Store`, `Accounts`), and time (`Clock`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from sweepstake.domain.queries import JobQuery
from sweepstake.domain.records import (
    AttemptRecord,
    Beat,
    Claim,
    Document,
    ExperimentRecord,
    Finish,
    Finished,
    Guard,
    JobDraft,
    JobRecord,
    NoJob,
    Page,
    SearchDefinition,
)
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus

__all__ = [
    "MAX_BULK",
    "MAX_PAGE",
    "Account",
    "Accounts",
    "Clock",
    "Counts",
    "ExperimentDraft",
    "Outlook",
    "PutAnswer",
    "Queue",
    "Store",
]

#: The most items of one page of a listing.
MAX_PAGE = 1000
#: The most jobs of one bulk add; a client sends more in several calls.
MAX_BULK = 5000


class Clock(Protocol):
    """Where time comes from, so that tests can hand in their own."""

    def wall(self) -> float:
        """Return Unix time in seconds."""

    def monotonic(self) -> float:
        """Return seconds of a clock that never steps; it stands still while the machine sleeps."""


@frozen(kw_only=True)
class ExperimentDraft:
    """The definition of an experiment as somebody wants it stored.

    Attributes:
        settings: None keeps those of an experiment that exists (the shape of a Schedy PUT), and means the defaults
            for a new one.
    """

    search: SearchDefinition
    status: ExperimentStatus = ExperimentStatus.RUNNING
    settings: Settings | None = None


@frozen(kw_only=True)
class PutAnswer:
    """A document was written, or its create repeated.

    Attributes:
        created: the document is new.
        superseded: the write was made once, by an earlier call with the same key, and somebody else has written
            since; `record` carries the etag of *this* write, so that its next guard fails.
    """

    record: JobRecord
    created: bool
    superseded: bool = False


@frozen(kw_only=True)
class Counts:
    """How many jobs of an experiment are in which state.

    Attributes:
        ready: queued, nothing waited for, due.
        blocked: queued behind unfinished dependencies.
        delayed: queued for later.
    """

    ready: int
    blocked: int
    delayed: int
    running: int
    done: int
    crashed: int
    pruned: int


@frozen(kw_only=True)
class Outlook:
    """What there is to claim in an experiment.

    Attributes:
        ready: a job is queued, waits for nothing and is due.
        blocked: a job is queued behind unfinished dependencies.
        delayed: a job is queued for later.
        full: as many jobs run as `max_running` allows.
    """

    ready: bool
    blocked: bool
    delayed: bool
    full: bool


class Queue(Protocol):
    """What a client may ask, here or through a server.

    Every write takes the op key of the call. Repeating a call with its key has the effect of making it once and
    answers what the first call answered. All methods may raise `StoreUnavailableError`; those that name an experiment
    raise `NotFoundError` when there is none. Safe to call from several threads; a forked child gets connections
    of its own.
    """

    def put_experiment(self, name: str, draft: ExperimentDraft, *, guard: Guard, key: str) -> ExperimentRecord:
        """Create or replace an experiment's definition; its jobs, counts and proposals stay.

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

    def add_jobs(self, name: str, drafts: Sequence[JobDraft], *, key: str) -> None:
        """Create up to MAX_BULK jobs, all or none; job i gets the etag `key.i`.

        Drafts may have any status; one that is RUNNING begins an attempt without a lease.

        Raises:
            ResourceExistsError: an id is taken, or stands twice among the drafts.
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

    def delete_job(self, name: str, job_id: str, *, guard: Guard, key: str) -> None:
        """Delete a job and its attempts. Unguarded, deleting what is not there does nothing."""

    def claim(self, name: str, *, worker: str, key: str, repeat: bool = False) -> Claim | NoJob:
        """Take the ready job of highest priority, then oldest; else one that the search proposes.

        Args:
            worker: who claims, for people to read.
            repeat: the call may have been made before with this key.

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
        repeat answers as the first call did. A claim is made in either case.

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

    def offer(self, name: str, *, key: str) -> JobRecord | NoJob:
        """Return the oldest ready job, still QUEUED, for a client that claims by a guarded PUT (`GET nextjob/`).

        One offered within the last second is passed over while others are ready. A search's proposal is stored QUEUED.
        """

    def ping(self) -> None:
        """Return if the store answers."""

    def close(self) -> None:
        """Let go of connections and files; calls under way end first."""


class Store(Protocol):
    """What the service needs kept. Each method is one transaction, and a claim or a finish one round trip.

    A store judges leases by its own clock. It raises what `Queue` says, never an error of its database's library.
    """

    def put_experiment(
        self, name: str, draft: ExperimentDraft, *, seed: int, guard: Guard, key: str
    ) -> ExperimentRecord:
        """As `Queue.put_experiment`; `seed` is used when a new experiment's settings name none."""

    def get_experiment(self, name: str) -> ExperimentRecord:
        """As `Queue.get_experiment`."""

    def list_experiments(self, start: str | None, limit: int) -> Page[ExperimentRecord]:
        """As `Queue.list_experiments`."""

    def delete_experiment(self, name: str, *, guard: Guard, key: str, force: bool) -> None:
        """As `Queue.delete_experiment`."""

    def end_experiment(self, name: str, *, etag: str, key: str) -> None:
        """Make an experiment DONE because its search is complete, if it still has this etag."""

    def count_jobs(self, name: str) -> Counts:
        """As `Queue.count_jobs`."""

    def outlook(self, name: str) -> Outlook:
        """Tell what there is to claim; it costs a few rows however many jobs there are."""

    def add_jobs(self, name: str, drafts: Sequence[JobDraft], *, key: str) -> None:
        """As `Queue.add_jobs`."""

    def put_job(
        self, name: str, job_id: str, document: Document, *, guard: Guard, key: str, attempt: str | None
    ) -> PutAnswer:
        """As `Queue.put_job`."""

    def get_job(self, name: str, job_id: str) -> JobRecord:
        """As `Queue.get_job`."""

    def scan_jobs(self, name: str, query: JobQuery, after: int, limit: int) -> Sequence[JobRecord]:
        """Return the first `limit` jobs with `seq > after`, by `seq`, of the query's status and tag.

        `query.where` and `query.order` are the service's to apply.
        """

    def recent_jobs(self, name: str, limit: int) -> Sequence[JobRecord]:
        """Return the newest `limit` jobs, oldest of them first."""

    def list_attempts(self, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
        """As `Queue.list_attempts`."""

    def delete_job(self, name: str, job_id: str, *, guard: Guard, key: str) -> None:
        """As `Queue.delete_job`."""

    def claim(self, name: str, *, worker: str, key: str, repeat: bool, uptime: float) -> Claim | None:
        """Claim a ready job; None when there is none.

        Settles overdue leases and due delays (at most 100) when it looks for them: at the store's first claim of the
        experiment, at most once a second after that, and whenever nothing is ready; then tries once more.

        Args:
            uptime: seconds since the asker began to serve; no lease longer than that is settled. Infinite for a
                client that holds the store itself.
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
        """As `Queue.finish`; `next` is None when a claim was asked for and nothing is ready."""

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """As `Queue.heartbeat`."""

    def prune(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """As `Queue.prune`."""

    def offer(self, name: str, *, uptime: float) -> JobRecord | None:
        """Return the first ready job that was not offered within the last second, else the first ready one."""

    def ping(self) -> None:
        """As `Queue.ping`."""

    def close(self) -> None:
        """As `Queue.close`."""


@frozen(kw_only=True)
class Account:
    """A user of the server."""

    email: str
    password_hash: str | None


class Accounts(Protocol):
    """Who may use the server: kept beside the jobs, in the same store."""

    def add_account(self, account: Account) -> None:
        """Create a user. Raises ResourceExistsError when the email is taken."""

    def set_password(self, email: str, password_hash: str) -> None:
        """Replace a user's password hash. Raises NotFoundError."""

    def find_account(self, email: str) -> Account | None:
        """Return a user."""

    def list_accounts(self) -> Sequence[Account]:
        """Return all users by email."""

    def add_token(self, email: str, digest: str) -> None:
        """Keep the SHA-256 digest (hex) of an API token of the user's."""

    def replace_tokens(self, email: str, digest: str) -> None:
        """Keep this token as the user's only one."""

    def token_owner(self, digest: str) -> str | None:
        """Return the email of the user whose token has this digest."""

    def signing_key(self, candidate: str) -> str:
        """Return the secret that signs JWTs: the stored one, else `candidate`, which is stored first. Safe to race."""
