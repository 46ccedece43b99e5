"""What is kept of experiments."""

from __future__ import annotations

from typing import Final

import attrs

from sweepstake.domain.addresses import called, free_addresses, no_experiment
from sweepstake.domain.portable import HIDDEN
from sweepstake.domain.records import ExperimentRecord, Guard, Page
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import Verb
from sweepstake.errors import InvalidInputError, LiveLeasesError
from sweepstake.plaintext import counted
from sweepstake.ports import Counts, ExperimentDraft, Outlook
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Transaction
from sweepstake.stores.guards import check_guard, is_first

__all__ = [
    "ENDED_BY_CLAIM",
    "count_jobs",
    "delete_experiment",
    "end_experiment",
    "experiment_id",
    "fold_counts",
    "free_address",
    "get_experiment",
    "list_experiments",
    "outlook",
    "own_address",
    "put_experiment",
]


#: What the ledger remembers of a write that a claim made, because it found the search complete.
ENDED_BY_CLAIM: Final = "complete"
#: From how many rows an experiment's counts may be summed.
_MANY_SLOTS: Final = 200


def put_experiment(
    transaction: Transaction,
    name: str,
    draft: ExperimentDraft,
    *,
    address: str | None,
    seed: int,
    guard: Guard,
    key: str,
) -> tuple[ExperimentRecord, bool]:
    """Create or replace a definition; see `Store.put_experiment`.

    Returns:
        The experiment, and whether a claim under way may not know yet that only so many jobs may run.

    Raises:
        DuplicateError: somebody else created one at the same moment; now there is one to find.
    """
    row = None if address is None else transaction.row("lock_experiment", name=address)
    if row is None:
        address = (
            own_address(transaction, name, draft.owner) or address or free_address(transaction, name, draft.owner, key)
        )
        row = transaction.row("lock_experiment", name=address)
    assert address is not None, "it was found or chosen"
    first = is_first(transaction, Verb.PUT_EXPERIMENT, address, "", key)
    stored = None if row is None else rows.experiment(row)
    record = _define(address, name, draft, stored, seed, key)
    if not first:
        return (record if stored is None else attrs.evolve(stored, etag=key)), record.settings.max_running is not None
    check_guard(guard, None if stored is None else stored.etag, f"experiment {name!r}")
    if stored is None and not transaction.run("insert_experiment", **rows.experiment_params(record)):
        raise DuplicateError(name)
    if stored is not None:
        transaction.run("update_experiment", **rows.experiment_params(record))
    limits = stored is not None and stored.settings.max_running is None and record.settings.max_running is not None
    return get_experiment(transaction, address), limits


def own_address(transaction: Transaction, name: str, owner: str | None) -> str | None:
    """Return the address of the owner's experiment of that name; None if there is none."""
    row = transaction.row("own_experiment", called=name, owner=owner or "")
    return None if row is None else str(row[0])


def free_address(transaction: Transaction, name: str, owner: str | None, key: str) -> str:
    """Return the address for a new experiment; `key` is that of the call that makes it."""
    *usual, last = free_addresses(owner, name, key)
    return next((address for address in usual if transaction.row("whose", name=address) is None), last)


def _define(
    address: str, name: str, draft: ExperimentDraft, stored: ExperimentRecord | None, seed: int, key: str
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


def get_experiment(transaction: Transaction, name: str) -> ExperimentRecord:
    """Return one experiment."""
    row = transaction.row("experiment", name=name)
    if row is None:
        raise no_experiment(name)
    return rows.experiment(row)


def list_experiments(
    transaction: Transaction, start: str | None, limit: int, viewer: str | None
) -> Page[ExperimentRecord]:
    """Return a page of the experiments, oldest first; see `HostedQueue.list_experiments`."""
    if start is not None and not (start.isascii() and start.isdigit() and len(start) < 19):
        raise InvalidInputError.at("start", "is not the `next` of a page of experiments")
    found, whole = transaction.first_rows(
        "experiments_page", after=int(start or 0), limit=limit + 1, viewer=viewer, hidden=HIDDEN
    )
    page = found[:limit]
    more = None if whole and len(found) <= limit else str(page[-1][0])
    return Page(tuple(rows.experiment(row) for row in page), more)


def delete_experiment(transaction: Transaction, name: str, *, guard: Guard, key: str, force: bool) -> None:
    """Delete an experiment with its jobs and attempts; see `Queue.delete_experiment`."""
    if _is_repeat(transaction, name, key) or not is_first(transaction, Verb.DELETE_EXPERIMENT, name, "", key):
        return
    row = transaction.row("lock_experiment", name=name)
    check_guard(guard, None if row is None else rows.experiment(row).etag, f"experiment {called(name)!r}")
    if row is None:
        return
    live = transaction.row("live_leases", experiment_id=row[0])
    if live is not None and live[0] and not force:
        raise LiveLeasesError(
            f"Workers hold {counted(live[0], 'job')} of the experiment {called(name)!r}. Stop them, or delete it with "
            "force."
        )
    for what in (
        "delete_attempts",
        "delete_dependencies",
        "delete_fingerprints",
        "delete_jobs",
        "delete_counts",
        "unshare_all",
    ):
        transaction.run(what, experiment_id=row[0])
    transaction.run("delete_experiment", experiment_id=row[0])


def _is_repeat(transaction: Transaction, address: str, key: str) -> bool:
    """Tell whether this call has deleted an experiment of that name: then the name may mean another by now."""
    event = transaction.row("event", key=key)
    return event is not None and event[0] == Verb.DELETE_EXPERIMENT and called(event[1]) == called(address)


def end_experiment(transaction: Transaction, name: str, *, etag: str, key: str) -> None:
    """Make an experiment DONE, if its definition is the one with this etag."""
    if is_first(transaction, Verb.PUT_EXPERIMENT, name, "", key, detail=ENDED_BY_CLAIM):
        row = transaction.row("lock_experiment", name=name)
        if row is not None and rows.experiment(row).etag == etag:
            transaction.run("end_experiment", name=name, key=key)


def count_jobs(transaction: Transaction, name: str) -> tuple[Counts, bool]:
    """Return how many jobs are in which state, which is kept and not counted; and whether `fold_counts` is due."""
    row = transaction.row("count_jobs", experiment_id=experiment_id(transaction, name))
    assert row is not None, "a sum always has a row"
    moments = [moment for moment in (row[7], row[8], row[9]) if moment is not None]
    jobs, blocked, delayed, done, crashed, pruned, slots, running, due = map(int, (*row[:7], *row[10:]))
    counts = Counts(
        ready=jobs - blocked - delayed - running - done - crashed - pruned + due,
        blocked=blocked,
        delayed=delayed - due,
        running=running,
        done=done,
        crashed=crashed,
        pruned=pruned,
        active_at=max(moments, default=None),
    )
    return counts, slots > _MANY_SLOTS


def fold_counts(transaction: Transaction, name: str) -> None:
    """Add up what the connections counted, those that changed something a moment ago aside."""
    transaction.run("fold_counts", experiment_id=experiment_id(transaction, name))


def outlook(transaction: Transaction, name: str) -> Outlook:
    """Tell what there is to claim, at the cost of a few rows; see `Store.outlook`."""
    limits = transaction.row("limits", name=name)
    if limits is None:
        raise no_experiment(name)
    number, max_running = limits[0], limits[5]
    row = transaction.row("outlook", experiment_id=number, most=max_running or 0)
    assert row is not None, "a question about a table always has an answer"
    ready, blocked, delayed, running = row
    full = max_running is not None and running >= max_running
    return Outlook(ready=bool(ready), blocked=bool(blocked), delayed=bool(delayed), full=full)


def experiment_id(transaction: Transaction, name: str) -> int:
    """Return the number under which an experiment's jobs are kept."""
    row = transaction.row("limits", name=name)
    if row is None:
        raise no_experiment(name)
    number: int = row[0]
    return number
