"""`QueueService`: the queue over any store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from attrs import evolve

from sweepstake.domain.addresses import (
    by_owner,
    called,
    check_reference,
    choose,
    known_address,
    names_to_look_for,
    owner_and_name,
    qualified,
)
from sweepstake.domain.dependencies import check_dependencies
from sweepstake.domain.duplicates import Added, OnDuplicate
from sweepstake.domain.explaining import explain
from sweepstake.domain.keys import check_key, name_of, proposal_id
from sweepstake.domain.names import check_ids, check_name, existing_name
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
    GuardKind,
    JobDraft,
    JobRecord,
    NoJob,
    Page,
)
from sweepstake.domain.situation import Why
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import AmbiguousNameError, InvalidInputError, KeyReusedError, NotFoundError, ResourceExistsError
from sweepstake.ports import MAX_BULK, MAX_PAGE, Clock, Counts, ExperimentDraft, PutAnswer, Store
from sweepstake.search import policy_for
from sweepstake.service.archiving import check_part, page_of_export
from sweepstake.service.listing import check_limit, page_of_jobs
from sweepstake.service.proposals import Policies, propose
from sweepstake.turns import in_one_piece, sliced

__all__ = ["QueueService"]

#: How often in one call a job may become ready just after the store had looked for one.
_MOST_LOOKS: Final = 5


class QueueService:
    """`ports.HostedQueue` over a store: searches propose here, and listings are filtered here.

    Args:
        store: what keeps everything; closed with the service.
        clock: tells how long the service has been up.
        serving: the service answers for others, who could not renew their leases before it started: it settles
            no lease until one full lease after its own start.
    """

    def __init__(self, store: Store, clock: Clock, *, serving: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._policies = Policies()
        self._serving = serving
        self._started = clock.monotonic() if serving else -math.inf
        #: The address in the reference of the last call, as most calls of a client are about one experiment.
        self._last: tuple[str, str] | None = None

    @property
    def identity(self) -> str:
        """See `Queue.identity`."""
        return self._store.identity

    def put_experiment(self, name: str, draft: ExperimentDraft, *, guard: Guard, key: str) -> ExperimentRecord:
        """Create or replace a definition, after making sure that its search can propose."""
        address, meant = self._to_put(name, draft, guard)
        search = policy_for(draft.search).definition()
        return self._store.put_experiment(
            called(name), evolve(meant, search=search), address=address, seed=_seed(key), guard=guard, key=key
        )

    def _to_put(self, name: str, draft: ExperimentDraft, guard: Guard) -> tuple[str | None, ExperimentDraft]:
        """Return the address of the experiment to replace, or None for the draft's owner's own; and the draft."""
        owned = owner_and_name(check_reference(name, "name"))
        if owned is not None:
            return None, evolve(draft, owner=owned[0])
        if guard.kind is not GuardKind.ABSENT or known_address(name) is not None:
            with suppress(NotFoundError):
                return self._at(name), draft
        check_name(name, "name")
        return None, draft

    def get_experiment(self, name: str) -> ExperimentRecord:
        """Return one experiment."""
        return self._store.get_experiment(self._at(name))

    def list_experiments(
        self, start: str | None = None, limit: int = MAX_PAGE, *, viewer: str | None = None
    ) -> Page[ExperimentRecord]:
        """Return a page of the experiments, oldest first."""
        check_limit(limit)
        return self._store.list_experiments(start, limit, viewer)

    def spellings(self, experiments: Sequence[ExperimentRecord], viewer: str | None) -> list[str]:
        """Return what the viewer writes to mean each of these."""
        shared = self._store.shared_names()
        return [self._spelling(each, viewer) if _may_clash(each, shared) else each.name for each in experiments]

    def _spelling(self, experiment: ExperimentRecord, viewer: str | None) -> str:
        found = self._store.standings(names_to_look_for(experiment.name), viewer)
        with suppress(AmbiguousNameError, NotFoundError):
            if choose(experiment.name, found, viewer).address == experiment.address:
                return experiment.name
        return qualified(experiment.owner, experiment.name)

    def delete_experiment(self, name: str, *, guard: Guard, key: str, force: bool = False) -> None:
        """Delete an experiment with all that belongs to it."""
        existing_name(name, "name", check_reference)
        try:
            address = self._at(name)
        except NotFoundError:  # what is no address is not there either, and the guard says what follows
            address = by_owner(None, called(name))
        self._store.delete_experiment(address, guard=guard, key=key, force=force)

    def count_jobs(self, name: str) -> Counts:
        """Count the jobs by state."""
        return self._store.count_jobs(self._at(name))

    def add_jobs(
        self, name: str, drafts: Sequence[JobDraft], *, key: str, on_duplicate: OnDuplicate = OnDuplicate.ALLOW
    ) -> Added:
        """Create jobs, all or none."""
        if len(drafts) > MAX_BULK:
            raise InvalidInputError.at("jobs", f"holds {len(drafts):,} jobs, at most {MAX_BULK:,} are added at once")
        if not drafts:
            return Added()
        checked = [_checked(draft, f"jobs[{i}]") for i, draft in enumerate(sliced(drafts))]
        with in_one_piece():
            return self._store.add_jobs(self._at(name), checked, key=key, on_duplicate=on_duplicate)

    def put_job(
        self, name: str, job_id: str, document: Document, *, guard: Guard, key: str, attempt: str | None = None
    ) -> PutAnswer:
        """Replace a job's document, or create the job."""
        check_name(job_id, "id")
        with in_one_piece():
            return self._store.put_job(self._at(name), job_id, document, guard=guard, key=key, attempt=attempt)

    def get_job(self, name: str, job_id: str) -> JobRecord:
        """Return one job."""
        existing_name(job_id, "id")
        return self._store.get_job(self._at(name), job_id)

    def list_jobs(self, name: str, query: JobQuery, start: str | None = None, limit: int = MAX_PAGE) -> Page[JobRecord]:
        """Return a page of jobs by age, or the first in the query's order."""
        return page_of_jobs(self._store, self._at(name), query, start, limit, serving=self._serving)

    def list_attempts(self, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
        """Return the attempts of a job, oldest first."""
        existing_name(job_id, "id")
        return self._store.list_attempts(self._at(name), job_id)

    def list_dependencies(self, name: str, job_id: str) -> tuple[Dependency, ...]:
        """Return the jobs that a job waits for, oldest first."""
        existing_name(job_id, "id")
        return self._store.list_dependencies(self._at(name), job_id)

    def delete_job(self, name: str, job_id: str, *, guard: Guard, key: str) -> None:
        """Delete a job and its attempts."""
        existing_name(job_id, "id")
        self._store.delete_job(self._at(name), job_id, guard=guard, key=key)

    def claim(
        self, name: str, *, worker: str, key: str, repeat: bool = False, ids: Sequence[str] = ()
    ) -> Claim | NoJob:
        """Take a ready job, or one that the search proposes now."""
        name = self._at(name)
        if ids:
            return self._claim_of(name, worker, key, check_ids(ids), repeat=repeat)
        claim = self._store.claim(name, worker=worker, key=key, repeat=repeat, uptime=self._uptime())
        return self._claim_anew(name, worker, key) if claim is None else claim

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
        """End an attempt, and claim the next job if asked to."""
        existing_name(job_id, "id")
        name = self._at(name)
        if len({key, claim, finish.attempt}) < 3:
            raise KeyReusedError("A report, its attempt and the claim after it each need a key of their own.")
        finished = self._store.finish(
            name, job_id, finish, key=key, claim=claim, worker=worker, repeat=repeat, uptime=self._uptime()
        )
        if isinstance(finished.next, NoJob):
            return evolve(finished, next=None)
        if claim is not None and finished.next is None:
            return evolve(finished, next=self._claim_anew(name, worker, claim))
        return finished

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """Renew leases."""
        return self._store.heartbeat(attempts) if attempts else ()

    def prune(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """Make a job PRUNED."""
        existing_name(job_id, "id")
        return self._store.prune(self._at(name), job_id, key=key)

    def retry(self, name: str, job_id: str, *, key: str) -> JobRecord:
        """Queue a job again that failed or was pruned."""
        existing_name(job_id, "id")
        return self._store.retry(self._at(name), job_id, key=key)

    def set_queueing(self, name: str, job_id: str, changes: QueueingChanges, *, key: str) -> JobRecord:
        """Change what is beside a job's document."""
        existing_name(job_id, "id")
        return self._store.set_queueing(self._at(name), job_id, changes, key=key)

    def why(self, name: str, job_id: str, *, viewer: str | None = None) -> Why:
        """Say why a job is not running, in commands that mean its experiment when the viewer types them."""
        existing_name(job_id, "id")
        address = self._at(name)
        situation = self._store.situation(address, job_id)
        [spelled] = self.spellings([self._store.get_experiment(address)], viewer)
        return explain(situation, spelled)

    def offer(self, name: str, *, key: str) -> JobRecord | NoJob:
        """Return a ready job, still QUEUED, or store one that the search proposes."""
        name = self._at(name)

        def keep(draft: JobDraft, proposals: int) -> JobRecord | None:
            try:
                return self._store.queue_proposal(name, draft, proposals=proposals, key=key)
            except ResourceExistsError:  # a repeat: with the etag of its own write, a guarded put fails if taken since
                return evolve(self._store.get_job(name, proposal_id(key)), etag=name_of(key))

        for _ in range(_MOST_LOOKS):
            job = self._store.offer(name, uptime=self._uptime())
            found = propose(self._store, self._policies, name, key, keep) if job is None else job
            if found is not None:
                return found
        return NoJob(NoJobReason.EMPTY)

    def export_page(self, name: str, start: str | None = None) -> ExportPage:
        """Return part of all that is kept of an experiment."""
        return page_of_export(self._store.archive, self._at(name), start)

    def import_part(self, name: str, part: ImportPart, *, owner: str | None = None) -> None:
        """Take one part of an experiment from elsewhere."""
        checked = check_part(part)
        with in_one_piece():
            self._store.archive.take(check_name(called(name), "name"), checked, owner)

    def ping(self) -> None:
        """Return if the store answers."""
        self._store.ping()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _at(self, reference: str) -> str:
        """Return the address of the experiment that is meant; whoever holds the store itself sees all of them."""
        last = self._last
        if last is not None and last[0] == reference:
            return last[1]
        address = known_address(existing_name(reference, "name", check_reference))
        if address is not None:
            self._last = reference, address
            return address
        return choose(reference, self._store.standings(names_to_look_for(reference), None), None).address

    def _uptime(self) -> float:
        return self._clock.monotonic() - self._started

    def _claim_of(self, name: str, worker: str, key: str, ids: Sequence[str], *, repeat: bool) -> Claim | NoJob:
        claim = self._store.claim(name, worker=worker, key=key, repeat=repeat, uptime=self._uptime(), ids=ids)
        return NoJob(NoJobReason.NOT_READY) if claim is None else claim

    def _claim_anew(self, name: str, worker: str, key: str) -> Claim | NoJob:
        """Claim what the search proposes, or a job that became ready after the store had looked."""

        def keep(draft: JobDraft, proposals: int) -> Claim | None:
            try:
                return self._store.claim_proposal(name, draft, proposals=proposals, worker=worker, key=key)
            except ResourceExistsError:  # the same call is under way elsewhere and has stored it first
                return self._store.claim(name, worker=worker, key=key, repeat=True, uptime=self._uptime())

        for _ in range(_MOST_LOOKS):
            found = propose(self._store, self._policies, name, key, keep)
            if found is None:
                found = self._store.claim(name, worker=worker, key=key, repeat=False, uptime=self._uptime())
            if found is not None:
                return found
        return NoJob(NoJobReason.EMPTY)


def _checked(draft: JobDraft, path: str) -> JobDraft:
    """Return a draft whose names can name something; what it depends on stands there once."""
    check_name(draft.id, f"{path}.id")
    if not draft.depends_on:
        return draft
    return evolve(draft, depends_on=check_dependencies(draft.depends_on, f"{path}.depends_on"))


def _may_clash(experiment: ExperimentRecord, shared: frozenset[str]) -> bool:
    return experiment.name in shared or len(names_to_look_for(experiment.name)) > 1


def _seed(key: str) -> int:
    """Draw the seed of a new experiment from its key, so that a repeat of the call draws the same."""
    return int(check_key(key)[18:26], 32)
