"""Experiments: putting, reading, deleting and counting them."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import attrs

from sweepstake.domain.addresses import (
    by_owner,
    called,
    check_reference,
    known_address,
    no_experiment,
    owner_and_name,
)
from sweepstake.domain.counts import Counts, Outlook
from sweepstake.domain.keys import check_key
from sweepstake.domain.names import check_name, existing_name
from sweepstake.domain.portable import HIDDEN
from sweepstake.domain.records import ExperimentDraft, ExperimentRecord, Guard, GuardKind, Page
from sweepstake.domain.settings import Settings
from sweepstake.errors import LiveLeasesError, NotFoundError, StoreUnavailableError
from sweepstake.plaintext import counted
from sweepstake.queue.addresses import free_address, own_address
from sweepstake.queue.calls import CountJobs, DeleteExperiment, GetExperiment, ListExperiments, PutExperiment
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.dropping import drop_jobs
from sweepstake.queue.verbs.guards import check_guard, check_limit, event_of, is_first, read_start
from sweepstake.search import policy_for
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Transaction

__all__ = [
    "ENDED_BY_CLAIM",
    "OF_EXPERIMENT",
    "end_experiment",
    "experiment_id",
    "get_experiment",
    "limits_of",
    "outlook",
]


#: What the ledger remembers of a write that a claim made, because it found the search complete.
ENDED_BY_CLAIM: Final = "complete"
#: When an experiment's counts stand in more rows than this, they are folded into one.
_MANY_SLOTS: Final = 200
#: The statements that delete all that is kept of an experiment, but for events.
OF_EXPERIMENT: Final = (
    "delete_attempts",
    "delete_dependencies",
    "delete_fingerprints",
    "delete_jobs",
    "delete_counts",
    "delete_batch_jobs",
    "delete_batches",
    "delete_specs",
    "drop_snapshots",
    "delete_tasks",
    "delete_needs",
    "unshare_all",
    "delete_experiment",
)


@performs(PutExperiment)
def put(store: Store, call: PutExperiment) -> ExperimentRecord:
    """Create or replace a definition, after making sure that its search can propose."""
    address, draft = _to_put(store, call.name, call.draft, call.guard)
    draft = attrs.evolve(draft, search=policy_for(draft.search).definition())
    try:
        record, limits = _put(store, call, draft, address)
    except DuplicateError:  # somebody else made one in the same moment, which is there to be found now
        try:
            record, limits = _put(store, call, draft, address)
        except DuplicateError as error:
            name = called(call.name)
            raise StoreUnavailableError(f"experiments called {name!r} are made all the time; try again") from error
    if limits:
        store.engine.wait_for_transactions()
    return record


def _to_put(store: Store, name: str, draft: ExperimentDraft, guard: Guard) -> tuple[str | None, ExperimentDraft]:
    """Return the address of the experiment to replace, or None for the draft's owner's own; and the draft."""
    owned = owner_and_name(check_reference(name, "name"))
    if owned is not None:
        return None, attrs.evolve(draft, owner=owned[0])
    if guard.kind is not GuardKind.ABSENT or known_address(name) is not None:
        with suppress(NotFoundError):
            return store.at(name), draft
    check_name(name, "name")
    return None, draft


def _put(
    store: Store, call: PutExperiment, draft: ExperimentDraft, address: str | None
) -> tuple[ExperimentRecord, bool]:
    """Create or replace a definition.

    Returns:
        The experiment, and whether a claim under way may not know yet that only so many jobs may run.

    Raises:
        DuplicateError: somebody else created one at the same moment.
    """
    name = called(call.name)
    with store.write() as transaction:
        key = store.known(transaction, call.key)
        row = None if address is None else transaction.row("lock_experiment", name=address)
        if row is None:
            # In this order: whoever takes a free address meanwhile may be this very call, which came twice.
            free = address or free_address(transaction, name, draft.owner, key)
            address = own_address(transaction, name, draft.owner) or free
            row = transaction.row("lock_experiment", name=address)
        assert address is not None, "it was found or chosen"
        first = is_first(transaction, PutExperiment, address, "", key)
        stored = None if row is None else rows.experiment(row)
        # The seed is drawn from the key of the call, so that a repeat of it draws the same.
        record = _define(address, name, draft, stored, seed=int(check_key(call.key)[18:26], 32), key=key)
        limited = record.settings.max_running is not None
        if not first:
            return (record if stored is None else attrs.evolve(stored, etag=key)), limited
        check_guard(call.guard, None if stored is None else stored.etag, f"experiment {name!r}")
        if stored is not None:
            transaction.run("update_experiment", **rows.experiment_params(record))
        elif not transaction.run("insert_experiment", **rows.experiment_params(record)):
            raise DuplicateError(name)
        newly_limited = limited and stored is not None and stored.settings.max_running is None
        return get_experiment(transaction, address), newly_limited


def _define(
    address: str, name: str, draft: ExperimentDraft, stored: ExperimentRecord | None, *, seed: int, key: str
) -> ExperimentRecord:
    """Return the experiment as the draft wants it; a seed that nobody names stays, or is `seed`."""
    settings = draft.settings
    if settings is None:
        settings = Settings() if stored is None else stored.settings
    if settings.seed is None:
        kept = None if stored is None else stored.settings.seed
        settings = attrs.evolve(settings, seed=seed if kept is None else kept)
    if stored is not None:
        return attrs.evolve(stored, status=draft.status, search=draft.search, settings=settings, etag=key)
    return ExperimentRecord(
        address=address,
        name=name,
        status=draft.status,
        search=draft.search,
        settings=settings,
        etag=key,
        owner=draft.owner,
    )


@performs(GetExperiment)
def get(store: Store, call: GetExperiment) -> ExperimentRecord:
    """Return one experiment."""
    name = store.at(call.name)
    with store.read() as transaction:
        return get_experiment(transaction, name)


@performs(ListExperiments)
def page(store: Store, call: ListExperiments) -> Page[ExperimentRecord]:
    """Return a page of the experiments, oldest first."""
    check_limit(call.limit)
    after = read_start(call.start, "a page of experiments")
    with store.read() as transaction:
        found, whole = transaction.first_rows(
            "experiments_page", after=after, limit=call.limit + 1, viewer=call.viewer, hidden=HIDDEN
        )
    items = found[: call.limit]
    more = None if whole and len(found) <= call.limit else str(items[-1][0])
    return Page(tuple(rows.experiment(row) for row in items), more)


@performs(DeleteExperiment)
def delete(store: Store, call: DeleteExperiment) -> None:
    """Delete an experiment with its jobs and attempts."""
    existing_name(call.name, "name", check_reference)
    name = called(call.name)
    try:
        address = store.at(call.name)
    except NotFoundError:  # what is no address is not there either, and the guard says what follows
        address = by_owner(None, name)
    with store.write() as transaction:
        key = store.known(transaction, call.key)
        if _is_repeat(transaction, address, key) or not is_first(transaction, DeleteExperiment, address, "", key):
            return
        row = transaction.row("lock_experiment", name=address)
        check_guard(call.guard, None if row is None else rows.experiment(row).etag, f"experiment {called(address)!r}")
        if row is None:
            return
        live = transaction.row("live_leases", experiment_id=row[0])
        if live is not None and live[0] and not call.force:
            raise LiveLeasesError(
                f"Workers hold {counted(live[0], 'job')} of the experiment {called(address)!r}. Stop them, or delete "
                "it with force."
            )
        for statement in OF_EXPERIMENT:
            transaction.run(statement, experiment_id=row[0])
    drop_jobs(store, address)


def _is_repeat(transaction: Transaction, address: str, key: str) -> bool:
    """Tell whether this call has deleted an experiment of that name: then the name may mean another by now."""
    event = event_of(transaction, key)
    return event is not None and event.verb == DeleteExperiment.word and called(event.experiment) == called(address)


@performs(CountJobs)
def count(store: Store, call: CountJobs) -> Counts:
    """Return how many jobs are in which state, which is kept and not counted."""
    name = store.at(call.name)
    with store.read() as transaction:
        number = experiment_id(transaction, name)
        row = transaction.row("count_jobs", experiment_id=number)
    assert row is not None, "a sum always has a row"
    moments = [moment for moment in (row[7], row[8], row[9]) if moment is not None]
    jobs, blocked, delayed, done, crashed, pruned, slots, running, due = map(int, (*row[:7], *row[10:]))
    if slots > _MANY_SLOTS:
        with store.write() as transaction:  # adds up the rows of all connections, but for those that count just now
            transaction.run("fold_counts", experiment_id=number)
    return Counts(
        ready=jobs - blocked - delayed - running - done - crashed - pruned + due,
        blocked=blocked,
        delayed=delayed - due,
        running=running,
        done=done,
        crashed=crashed,
        pruned=pruned,
        active_at=max(moments, default=None),
    )


def get_experiment(transaction: Transaction, name: str) -> ExperimentRecord:
    """Return one experiment."""
    row = transaction.row("experiment", name=name)
    if row is None:
        raise no_experiment(name)
    return rows.experiment(row)


def end_experiment(transaction: Transaction, name: str, *, etag: str, key: str) -> None:
    """Make an experiment DONE, if its definition is the one with this etag."""
    if is_first(transaction, PutExperiment, name, "", key, detail=ENDED_BY_CLAIM):
        row = transaction.row("lock_experiment", name=name)
        if row is not None and rows.experiment(row).etag == etag:
            transaction.run("end_experiment", name=name, key=key)


def limits_of(transaction: Transaction, name: str) -> rows.Limits:
    """Return the limits of an experiment, or raise NotFoundError."""
    row = transaction.row("limits", name=name)
    if row is None:
        raise no_experiment(name)
    return rows.Limits._make(row)


def experiment_id(transaction: Transaction, name: str) -> int:
    """Return the number under which an experiment's jobs are kept."""
    return limits_of(transaction, name).number


def outlook(transaction: Transaction, name: str) -> Outlook:
    """Tell what there is to claim, at the cost of a few rows."""
    limits = limits_of(transaction, name)
    row = transaction.row("outlook", experiment_id=limits.number, most=limits.max_running or 0)
    assert row is not None, "a question about a table always has an answer"
    ready, blocked, delayed, running = row
    full = limits.max_running is not None and running >= limits.max_running
    return Outlook(ready=bool(ready), blocked=bool(blocked), delayed=bool(delayed), full=full)
