"""One store over any engine: where its transactions begin and end, and what is tried a second time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import attrs

from sweepstake.domain.addresses import called
from sweepstake.domain.duplicates import Added, OnDuplicate
from sweepstake.domain.keys import name_of
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
from sweepstake.domain.situation import Situation
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import LeaseLostError, NotFoundError, ResourceExistsError, StoreUnavailableError
from sweepstake.ports import Clock, Counts, ExperimentDraft, Outlook, PutAnswer
from sweepstake.stores import adding, claims, experiments, finishing, jobs, putting, requeueing, rows, situation
from sweepstake.stores.archive import SqlArchive
from sweepstake.stores.duplicates import catch_up, is_far_behind
from sweepstake.stores.engine import DuplicateError, Engine, Row, Transaction
from sweepstake.stores.guards import key_reused
from sweepstake.stores.ledger import SqlLedger
from sweepstake.stores.members import SqlAccounts
from sweepstake.turns import sliced

__all__ = ["SqlStore"]

#: Seconds between two looks for overdue leases while there are ready jobs.
_PROBE_SECONDS: Final = 1.0
#: How many experiments' looks are remembered.
_MAX_PROBED: Final = 10_000
#: How many names of claims' keys are remembered.
_MAX_NAMES: Final = 10_000


class SqlStore(SqlAccounts):
    """`Store` and `Accounts` in a SQL database.

    Attributes:
        ledger: the history of all that is in it.
        archive: whole experiments on their way out and in.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        super().__init__(engine)
        self._clock = clock
        self._probed: dict[str, float] = {}
        #: Whether the store has events of before there were names; None: nobody has looked yet.
        self._kept_keys: bool | None = None
        #: The names of the keys of claims that were made here, and not finished yet: each takes time to make.
        self._names: dict[str, str] = {}
        self.ledger = SqlLedger(engine)
        self.archive = SqlArchive(engine)

    @property
    def identity(self) -> str:
        """As `Store.identity`."""
        return self._engine.identity

    # Experiments

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
        """As `Store.put_experiment`."""

        def put() -> tuple[ExperimentRecord, bool]:
            with self._engine.write() as transaction:
                return experiments.put_experiment(
                    transaction, name, draft, address=address, seed=seed, guard=guard, key=self._known(transaction, key)
                )

        try:
            record, limits = put()
        except DuplicateError:  # somebody else made one in the same moment
            try:
                record, limits = put()
            except DuplicateError as error:
                raise StoreUnavailableError(f"experiments called {name!r} are made all the time; try again") from error
        if limits:
            self._engine.outwait()
        return record

    def get_experiment(self, name: str) -> ExperimentRecord:
        """As `Store.get_experiment`."""
        with self._engine.read() as transaction:
            return experiments.get_experiment(transaction, name)

    def shared_names(self) -> frozenset[str]:
        """As `Store.shared_names`."""
        with self._engine.read() as transaction:
            return frozenset(row[0] for row in transaction.rows("shared_names"))

    def list_experiments(self, start: str | None, limit: int, viewer: str | None) -> Page[ExperimentRecord]:
        """As `Store.list_experiments`."""
        with self._engine.read() as transaction:
            return experiments.list_experiments(transaction, start, limit, viewer)

    def delete_experiment(self, name: str, *, guard: Guard, key: str, force: bool) -> None:
        """As `Store.delete_experiment`."""
        with self._engine.write() as transaction:
            experiments.delete_experiment(
                transaction, name, guard=guard, key=self._known(transaction, key), force=force
            )

    def end_experiment(self, name: str, *, etag: str, key: str) -> None:
        """As `Store.end_experiment`."""
        with self._engine.write() as transaction:
            experiments.end_experiment(transaction, name, etag=etag, key=self._known(transaction, key))

    def count_jobs(self, name: str) -> Counts:
        """As `Store.count_jobs`."""
        with self._engine.read() as transaction:
            counts, many = experiments.count_jobs(transaction, name)
        if many:
            with self._engine.write() as transaction:
                experiments.fold_counts(transaction, name)
        return counts

    def outlook(self, name: str) -> Outlook:
        """As `Store.outlook`."""
        with self._engine.read() as transaction:
            return experiments.outlook(transaction, name)

    # Jobs

    def add_jobs(
        self, name: str, drafts: Sequence[JobDraft], *, key: str, on_duplicate: OnDuplicate = OnDuplicate.ALLOW
    ) -> Added:
        """As `Store.add_jobs`."""
        digests = []
        if on_duplicate is not OnDuplicate.ALLOW:
            digests = [draft.document.hyperparameters.digest() for draft in sliced(drafts)]
            self._compare_old_jobs(name)
        try:
            with self._engine.write() as transaction:
                return adding.add_jobs(
                    transaction, name, drafts, digests, key=self._known(transaction, key), on_duplicate=on_duplicate
                )
        except DuplicateError as error:
            with self._engine.read() as transaction:
                taken = adding.find_taken(transaction, name, [draft.id for draft in drafts])
            if taken is None:
                raise key_reused() from error
            raise ResourceExistsError(f"The experiment {called(name)!r} has a job {taken!r} already.") from error

    def _compare_old_jobs(self, name: str) -> None:
        """Catch up in short transactions, when an experiment with many jobs is asked for duplicates."""
        with self._engine.read() as transaction:
            number = experiments.experiment_id(transaction, name)
            behind = is_far_behind(transaction, number)
        while behind:
            with self._engine.write() as transaction:
                transaction.row("lock_experiment", name=name)
                behind = catch_up(transaction, number)

    def put_job(
        self, name: str, job_id: str, document: Document, *, guard: Guard, key: str, attempt: str | None
    ) -> PutAnswer:
        """As `Store.put_job`."""

        def put(transaction: Transaction) -> PutAnswer:
            return putting.put_job(
                transaction, name, job_id, document, guard=guard, key=self._known(transaction, key), attempt=attempt
            )

        with suppress(DuplicateError), self._engine.write() as transaction:
            return put(transaction)
        try:
            # Somebody else created the job at the same moment, or the key is that of a claim.
            with self._engine.write() as transaction:
                return put(transaction)
        except DuplicateError as error:
            raise key_reused() from error

    def get_job(self, name: str, job_id: str) -> JobRecord:
        """As `Store.get_job`."""
        with self._engine.read() as transaction:
            return jobs.get_job(transaction, name, job_id)

    def scan_jobs(self, name: str, query: JobQuery, after: int, limit: int) -> tuple[Sequence[JobRecord], bool]:
        """As `Store.scan_jobs`."""
        with self._engine.read() as transaction:
            return jobs.scan_jobs(transaction, name, query, after, limit)

    def recent_jobs(self, name: str, limit: int) -> Sequence[JobRecord]:
        """As `Store.recent_jobs`."""
        with self._engine.read() as transaction:
            return jobs.recent_jobs(transaction, name, limit)

    def list_attempts(self, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
        """As `Store.list_attempts`."""
        with self._engine.read() as transaction:
            return jobs.list_attempts(transaction, name, job_id)

    def list_dependencies(self, name: str, job_id: str) -> tuple[Dependency, ...]:
        """As `Store.list_dependencies`."""
        with self._engine.read() as transaction:
            return jobs.list_dependencies(transaction, name, job_id)

    def delete_job(self, name: str, job_id: str, *, guard: Guard, key: str) -> None:
        """As `Store.delete_job`."""
        with self._engine.write() as transaction:
            jobs.delete_job(transaction, name, job_id, guard=guard, key=self._known(transaction, key))

    def prune(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """As `Store.prune`."""
        with self._engine.write() as transaction:
            return jobs.prune_job(transaction, name, job_id, key=self._known(transaction, key))

    def retry(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """As `Store.retry`."""
        with self._engine.write() as transaction:
            return requeueing.retry_job(transaction, name, job_id, key=self._known(transaction, key))

    def set_queueing(self, name: str, job_id: str, changes: QueueingChanges, *, key: str) -> JobRecord:
        """As `Store.set_queueing`."""
        with self._engine.write() as transaction:
            return requeueing.set_queueing(transaction, name, job_id, changes, key=self._known(transaction, key))

    def situation(self, name: str, job_id: str) -> Situation:
        """As `Store.situation`."""
        with self._engine.read() as transaction:
            return situation.situation(transaction, name, job_id)

    # Claims

    def claim(
        self, name: str, *, worker: str, key: str, repeat: bool, uptime: float, ids: Sequence[str] = ()
    ) -> Claim | None:
        """As `Store.claim`."""
        if repeat and (found := self._find_claim(name, key)) is not None:
            return found
        self._settle_at_times(name, uptime)
        worker = rows.storable(worker)
        only = json.dumps(ids) if ids else None
        named = self._name_claim(key)
        try:
            row = self._engine.claim(name=name, worker=worker, key=named, ids=only)
            if row is None and self._settle(name, uptime):
                row = self._engine.claim(name=name, worker=worker, key=named, ids=only)
        except DuplicateError as error:
            # The first call with this key was still under way when we looked.
            if (found := self._find_claim(name, key)) is None:
                raise key_reused() from error
            return found
        if row is None:
            # The same call, delivered twice, may have taken the last one.
            return self._find_claim(name, key, missing_before=repeat)
        return rows.claimed(name, key, row)

    def claim_proposal(self, name: str, draft: JobDraft, *, proposals: int, worker: str, key: str) -> Claim | None:
        """As `Store.claim_proposal`."""
        worker = rows.storable(worker)
        try:
            with self._engine.write() as transaction:
                return claims.claim_proposal(transaction, name, draft, proposals=proposals, worker=worker, key=key)
        except DuplicateError as error:
            return self._explain_duplicate(name, draft, key, error)

    def _explain_duplicate(self, name: str, draft: JobDraft, key: str, error: DuplicateError) -> Claim:
        """Return the claim that was made with this key, or raise what the duplicate means."""
        if (found := self._find_claim(name, key)) is not None:
            return found
        raise ResourceExistsError(f"The experiment {called(name)!r} has a job {draft.id!r} already.") from error

    def queue_proposal(self, name: str, draft: JobDraft, *, proposals: int, key: str) -> JobRecord | None:
        """As `Store.queue_proposal`."""
        try:
            with self._engine.write() as transaction:
                return claims.add_proposal(transaction, name, draft, proposals=proposals, key=key)
        except DuplicateError as error:
            raise ResourceExistsError(f"The experiment {called(name)!r} has a job {draft.id!r} already.") from error

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
        """As `Store.finish`."""
        try:
            if claim is None:
                return self._finish(name, job_id, finish, key=key)
            return self._finish_and_go_on(
                name, job_id, finish, key=key, claim=claim, worker=worker, repeat=repeat, uptime=uptime
            )
        except NotFoundError:  # a report that another store does not know may be worth days
            self._engine.confirm()
            raise

    def _finish_and_go_on(
        self,
        name: str,
        job_id: str,
        finish: Finish,
        *,
        key: str,
        claim: str,
        worker: str,
        repeat: bool,
        uptime: float,
    ) -> Finished:
        worker = rows.storable(worker)
        finished = None
        if not repeat:
            finished = self._finish_and_claim_plainly(name, job_id, finish, key=key, claim=claim, worker=worker)
        if finished is None:
            finished = self._finish_and_claim(name, job_id, finish, key=key, claim=claim, worker=worker)
        # Overdue leases are settled afterwards: one of them may be that of the attempt that ends here.
        if finished.next is not None:
            self._settle_at_times(name, uptime)
        elif self._settle(name, uptime):
            following = self.claim(name, worker=worker, key=claim, repeat=False, uptime=uptime)
            return attrs.evolve(finished, next=following)
        return finished

    def _finish(self, name: str, job_id: str, finish: Finish, *, key: str) -> Finished:
        if finishing.is_plain(finish):
            params = finishing.plain_params(name, job_id, finish, key, self._name_attempt(finish.attempt))
            plain = self._engine.finish(params, claim=None)
            if plain is not None:
                return Finished(job=rows.job(name, plain[0]), recorded=True, ended=finish.outcome)
        with self._engine.write() as transaction:
            return finishing.finish_job(transaction, name, job_id, finish, key=key)[0]

    def _finish_and_claim_plainly(
        self, name: str, job_id: str, finish: Finish, *, key: str, claim: str, worker: str
    ) -> Finished | None:
        """Do the plain case in one statement; None, and nothing done, if it is another."""
        if not finishing.is_plain(finish):
            return None
        wanted = {"name": name, "worker": worker, "key": self._name_claim(claim)}
        params = finishing.plain_params(name, job_id, finish, key, self._name_attempt(finish.attempt))
        with suppress(DuplicateError):  # a call with this claim's key was made before
            plain = self._engine.finish(params, claim=wanted)
            if plain is not None:
                row, following = plain
                finished = Finished(job=rows.job(name, row), recorded=True, ended=finish.outcome)
                return _with_next(finished, name, claim, following)
        return None

    def _finish_and_claim(
        self, name: str, job_id: str, finish: Finish, *, key: str, claim: str, worker: str
    ) -> Finished:
        """Do any case. A report that was made before brings the claim made with it, and never another."""
        try:
            with self._engine.write() as transaction:
                # Everybody locks the experiment before its jobs, and the claim may have to.
                transaction.row("lock_experiment", name=name)
                finished, before = finishing.finish_job(transaction, name, job_id, finish, key=key)
                # Of a second late report nothing is kept but the claim that was made with it.
                if not before and (finished.recorded or transaction.row("claimed", key=name_of(claim)) is None):
                    return _with_next(
                        finished, name, claim, transaction.claim(name=name, worker=worker, key=name_of(claim))
                    )
        except DuplicateError:  # the claim was made before, but not with this report
            finished = self._finish(name, job_id, finish, key=key)
        return attrs.evolve(finished, next=self._claim_made_before(name, claim))

    def _claim_made_before(self, name: str, key: str) -> Claim | NoJob:
        """Return the claim that was made with this key, unless it is over or found nothing."""
        with suppress(LeaseLostError):
            if (found := self._find_claim(name, key)) is not None:
                return found
        return NoJob(NoJobReason.EMPTY)

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """As `Store.heartbeat`."""
        if not attempts:
            return ()
        with self._engine.write(urgent=True) as transaction:
            return claims.heartbeat(transaction, attempts)

    def offer(self, name: str, *, uptime: float) -> JobRecord | None:
        """As `Store.offer`."""
        self._settle_at_times(name, uptime)
        with self._engine.write() as transaction:
            job = claims.offer(transaction, name)
        if job is None and self._settle(name, uptime):
            with self._engine.write() as transaction:
                job = claims.offer(transaction, name)
        return job

    def _find_claim(self, name: str, key: str, *, missing_before: bool = False) -> Claim | None:
        with self._engine.read() as transaction:
            found = None if missing_before else claims.find_claim(transaction, name, key)
            if found is None:
                claims.refuse_used_key(transaction, key)
                return None
        self._engine.sync()
        return found

    def _settle_at_times(self, name: str, uptime: float) -> None:
        """Settle what is overdue, unless this store looked for it a moment ago."""
        now = self._clock.monotonic()
        last = self._probed.get(name)
        if last is not None and now - last < _PROBE_SECONDS:
            return
        if len(self._probed) >= _MAX_PROBED:
            self._probed.clear()
        self._probed[name] = now
        self._settle(name, uptime)

    def _settle(self, name: str, uptime: float) -> int:
        """Settle what is overdue and return how much that was."""
        with self._engine.read() as transaction:
            if not claims.is_overdue(transaction, name):
                return 0
        with self._engine.write() as transaction:
            return claims.settle(transaction, name, uptime)

    def _name_claim(self, key: str) -> str:
        """Return the name of a claim's key, and remember it until the attempt ends that the claim may begin."""
        if len(self._names) >= _MAX_NAMES:
            self._names.clear()
        self._names[key] = name = name_of(key)
        return name

    def _name_attempt(self, key: str) -> str:
        """Return the name of the key of an attempt that ends."""
        return self._names.pop(key, None) or name_of(key)

    def _known(self, transaction: Transaction, key: str) -> str:
        """Return under what the store keeps a key: its name, unless it kept the key itself before it had names."""
        if self._kept_keys is None:
            self._kept_keys = transaction.row("meta", name="keys") is not None
        if self._kept_keys and transaction.row("kept_key", key=key) is not None:
            return key
        return name_of(key)

    # The store itself

    def ping(self) -> None:
        """As `Store.ping`."""
        with self._engine.read() as transaction:
            transaction.row("ping")

    def close(self) -> None:
        """As `Store.close`."""
        self._engine.close()


def _with_next(finished: Finished, name: str, key: str, row: Row | None) -> Finished:
    return finished if row is None else attrs.evolve(finished, next=rows.claimed(name, key, row))
