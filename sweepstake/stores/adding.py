"""Creating jobs: many in one call, or one within another write."""

from __future__ import annotations

from collections.abc import Sequence

from sweepstake.domain.keys import item_key
from sweepstake.domain.records import JobDraft
from sweepstake.domain.status import JobStatus, Verb
from sweepstake.errors import LimitReachedError, ResourceExistsError
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction
from sweepstake.stores.experiments import experiment_id, no_experiment
from sweepstake.stores.guards import is_first
from sweepstake.stores.jobs import read_job
from sweepstake.stores.linking import link, plan_links

__all__ = ["add_jobs", "begin_unleased", "check_running_limit", "create_job", "find_taken"]


def add_jobs(transaction: Transaction, name: str, drafts: Sequence[JobDraft], *, key: str) -> None:
    """Create jobs, all or none; see `Queue.add_jobs`."""
    _refuse_repeats(drafts)
    if not is_first(transaction, Verb.ADD_JOBS, name, "", key, detail=str(len(drafts))):
        return
    number, max_running = _reserve(transaction, name, len(drafts))
    _insert(transaction, name, number, max_running, dict(enumerate(drafts)), key)


def _insert(
    transaction: Transaction, name: str, number: int, max_running: int | None, drafts: dict[int, JobDraft], key: str
) -> None:
    """Insert drafts, of which the i-th of the call gets the key of item i; what they wait for goes first."""
    running = [place for place, draft in drafts.items() if draft.document.status is JobStatus.RUNNING]
    if running:
        check_running_limit(transaction, name, number, max_running, len(running))
    now = transaction.now()
    if any(draft.depends_on for draft in drafts.values()):
        plan = plan_links(transaction, name, number, drafts)
        transaction.add_jobs([plan.row(place, item_key(key, place), now) for place in plan.order])
        link(transaction, plan, cause=key)
    else:
        transaction.add_jobs(
            [rows.draft_row(number, draft, item_key(key, place), now) for place, draft in drafts.items()]
        )
    for place in running:
        row = transaction.row("job", experiment_id=number, id=drafts[place].id)
        assert row is not None, "it was inserted above"
        begin_unleased(transaction, row[0], item_key(key, place))


def create_job(transaction: Transaction, name: str, draft: JobDraft, *, key: str) -> rows.JobRow:
    """Create one job within a write that is recorded already."""
    number, max_running = _reserve(transaction, name, 1)
    running = draft.document.status is JobStatus.RUNNING
    if running:
        check_running_limit(transaction, name, number, max_running, 1)
    transaction.add_jobs([rows.draft_row(number, draft, key, transaction.now())])
    job = read_job(transaction, name, number, draft.id)
    if not running:
        return job
    begin_unleased(transaction, job.seq, key)
    return read_job(transaction, name, number, draft.id)


def _reserve(transaction: Transaction, name: str, count: int) -> tuple[int, int | None]:
    """Make room for new jobs and return the experiment's number and its limit of running jobs.

    The experiment is locked from then on, so that its jobs are created one call after another.
    """
    row = transaction.row("reserve_jobs", name=name, count=count)
    if row is not None:
        return row[0], row[1]
    limits = transaction.row("limits", name=name)
    if limits is None:
        raise no_experiment(name)
    raise LimitReachedError(
        f"The experiment {name!r} may have {limits[3]:,} jobs, {limits[4]:,} were created: no room for {count:,} more. "
        "Raise its max_jobs to add them."
    )


def check_running_limit(transaction: Transaction, name: str, number: int, max_running: int | None, more: int) -> None:
    """Raise LimitReachedError if so many more jobs may not run; the experiment must be locked."""
    if max_running is None:
        return
    row = transaction.row("count_running", experiment_id=number)
    assert row is not None, "a count always has a row"
    if row[0] + more > max_running:
        raise LimitReachedError(
            f"{row[0]:,} jobs of the experiment {name!r} are running, and its max_running is {max_running:,}. "
            "Wait until one ends."
        )


def begin_unleased(transaction: Transaction, seq: int, key: str) -> None:
    """Begin an attempt of somebody who does not heartbeat: nobody takes the job from him."""
    row = transaction.row("run_job", seq=seq, etag=key)
    assert row is not None, "the job is locked"
    transaction.run("begin_attempt", seq=seq, number=row[0], key=key, worker="", lease=None)


def _refuse_repeats(drafts: Sequence[JobDraft]) -> None:
    seen: set[str] = set()
    for draft in drafts:
        if draft.id in seen:
            raise ResourceExistsError(f"The job id {draft.id!r} stands twice among the jobs to add.")
        seen.add(draft.id)


def find_taken(transaction: Transaction, name: str, ids: Sequence[str]) -> str | None:
    """Return the first of these ids that a job of the experiment has."""
    number = experiment_id(transaction, name)
    return next((id_ for id_ in ids if transaction.row("taken_id", experiment_id=number, id=id_)), None)
