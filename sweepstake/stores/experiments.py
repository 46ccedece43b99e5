"""What is kept of experiments."""

from __future__ import annotations

from typing import Final

import attrs

from sweepstake.domain.portable import HIDDEN
from sweepstake.domain.records import ExperimentRecord, Guard, Page
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import Verb
from sweepstake.errors import InvalidInputError, LiveLeasesError, NotFoundError
from sweepstake.ports import Counts, ExperimentDraft, Outlook
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction
from sweepstake.stores.guards import check_guard, is_first

__all__ = [
    "ENDED_BY_CLAIM",
    "count_jobs",
    "delete_experiment",
    "end_experiment",
    "experiment_id",
    "get_experiment",
    "list_experiments",
    "no_experiment",
    "outlook",
    "put_experiment",
]


#: What the ledger remembers of a write that a claim made, because it found the search complete.
ENDED_BY_CLAIM: Final = "complete"


def put_experiment(
    transaction: Transaction, name: str, draft: ExperimentDraft, *, seed: int, guard: Guard, key: str
) -> tuple[ExperimentRecord, bool]:
    """Create or replace a definition; see `Queue.put_experiment`.

    Returns:
        The experiment, and whether a claim under way may not know yet that only so many jobs may run.
    """
    first = is_first(transaction, Verb.PUT_EXPERIMENT, name, "", key)
    row = transaction.row("lock_experiment", name=name)
    stored = None if row is None else rows.experiment(row)
    record = _define(name, draft, stored, seed, key)
    if not first:
        return (record if stored is None else attrs.evolve(stored, etag=key)), record.settings.max_running is not None
    check_guard(guard, None if stored is None else stored.etag, f"experiment {name!r}")
    if stored is None and not transaction.run("insert_experiment", **rows.experiment_params(record)):
        # Somebody else created it a moment ago, and has committed: now there is one to lock.
        return _replace_new(transaction, name, draft, seed=seed, guard=guard, key=key), True
    if stored is not None:
        transaction.run("update_experiment", **rows.experiment_params(record))
    limits = stored is not None and stored.settings.max_running is None and record.settings.max_running is not None
    return get_experiment(transaction, name), limits


def _replace_new(
    transaction: Transaction, name: str, draft: ExperimentDraft, *, seed: int, guard: Guard, key: str
) -> ExperimentRecord:
    row = transaction.row("lock_experiment", name=name)
    if row is None:
        raise no_experiment(name)
    stored = rows.experiment(row)
    check_guard(guard, stored.etag, f"experiment {name!r}")
    record = _define(name, draft, stored, seed, key)
    transaction.run("update_experiment", **rows.experiment_params(record))
    return record


def _define(
    name: str, draft: ExperimentDraft, stored: ExperimentRecord | None, seed: int, key: str
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
        name=name, status=draft.status, search=draft.search, settings=settings, etag=key, owner=draft.owner
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
    found = transaction.rows("experiments_page", after=int(start or 0), limit=limit + 1, viewer=viewer, hidden=HIDDEN)
    more = str(found[limit - 1][0]) if len(found) > limit else None
    return Page(tuple(rows.experiment(row) for row in found[:limit]), more)


def delete_experiment(transaction: Transaction, name: str, *, guard: Guard, key: str, force: bool) -> None:
    """Delete an experiment with its jobs and attempts; see `Queue.delete_experiment`."""
    if not is_first(transaction, Verb.DELETE_EXPERIMENT, name, "", key):
        return
    row = transaction.row("lock_experiment", name=name)
    check_guard(guard, None if row is None else rows.experiment(row).etag, f"experiment {name!r}")
    if row is None:
        return
    live = transaction.row("live_leases", experiment_id=row[0])
    if live is not None and live[0] and not force:
        raise LiveLeasesError(
            f"Workers hold {live[0]} jobs of the experiment {name!r}. Stop them, or delete it with force."
        )
    for what in ("delete_attempts", "delete_dependencies", "delete_fingerprints", "delete_jobs", "unshare_all"):
        transaction.run(what, experiment_id=row[0])
    transaction.run("delete_experiment", experiment_id=row[0])


def end_experiment(transaction: Transaction, name: str, *, etag: str, key: str) -> None:
    """Make an experiment DONE, if its definition is the one with this etag."""
    if is_first(transaction, Verb.PUT_EXPERIMENT, name, "", key, detail=ENDED_BY_CLAIM):
        transaction.run("end_experiment", name=name, etag=etag, key=key)


def count_jobs(transaction: Transaction, name: str) -> Counts:
    """Count the jobs by state."""
    row = transaction.row("count_jobs", experiment_id=experiment_id(transaction, name))
    assert row is not None, "a sum always has a row"
    ready, blocked, delayed, running, done, crashed, pruned = map(int, row)
    return Counts(
        ready=ready, blocked=blocked, delayed=delayed, running=running, done=done, crashed=crashed, pruned=pruned
    )


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


def no_experiment(name: str) -> NotFoundError:
    """Return the error for an experiment that is not there."""
    return NotFoundError(f"There is no experiment {name!r}.")
