"""Creating jobs: many in one call, or one within another write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from attrs import evolve

from sweepstake.domain.addresses import called, no_experiment
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.duplicates import Added, Duplicate, OnDuplicate, sift
from sweepstake.domain.keys import item_key
from sweepstake.domain.records import PutAnswer
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError, LimitReachedError, ResourceExistsError, shown
from sweepstake.plaintext import counted
from sweepstake.queue.calls import AddJob, AddJobs
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.dependencies import link, plan_links
from sweepstake.queue.verbs.duplicates import catch_up, find_equal, is_far_behind, remember_new
from sweepstake.queue.verbs.experiments import experiment_id, limits_of
from sweepstake.queue.verbs.guards import event_of, is_first, key_reused
from sweepstake.queue.verbs.jobs import get_job, read_job
from sweepstake.queue.verbs.tasks.specs import find_tasks
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Transaction
from sweepstake.turns import in_one_piece, sliced

__all__ = ["add_jobs", "begin_unleased", "check_running_limit", "create_job", "find_taken"]


@performs(AddJobs)
def add(store: Store, call: AddJobs) -> Added:
    """Create jobs, all or none."""
    if not call.jobs:
        return Added()
    name = store.at(call.name)
    with in_one_piece():
        digests = []
        if call.on_duplicate is not OnDuplicate.ALLOW:
            digests = [draft.hyperparameters.digest() for draft in sliced(call.jobs)]
            _compare_old_jobs(store, name)
        try:
            with store.write() as transaction:
                return add_jobs(transaction, name, call, digests, store.known(transaction, call.key))
        except DuplicateError as error:
            with store.read() as transaction:
                taken = find_taken(transaction, name, [draft.id for draft in call.jobs])
            if taken is None:
                raise key_reused() from error
            raise ResourceExistsError(f"The experiment {called(name)!r} has a job {taken!r} already.") from error


@performs(AddJob)
def add_one(store: Store, call: AddJob) -> PutAnswer:
    """Create one job."""
    name = store.at(call.name)
    draft = call.draft if call.draft.id else evolve(call.draft, id=call.key)
    with _naming_fields_of_one():
        added = add(store, AddJobs(name=call.name, jobs=(draft,), key=call.key, on_duplicate=call.on_duplicate))
    with store.read() as transaction:
        record = get_job(transaction, name, added.duplicates[0].id if added.duplicates else draft.id)
    return PutAnswer(record=record, created=not added.duplicates)


@contextmanager
def _naming_fields_of_one() -> Iterator[None]:
    """Name fields as they stand in the body of one job, and not in a list of jobs."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError((path.removeprefix("jobs[0]."), what) for path, what in error.problems) from None


def _compare_old_jobs(store: Store, name: str) -> None:
    """Catch up in short transactions, when an experiment with many jobs is asked for duplicates."""
    with store.read() as transaction:
        number = experiment_id(transaction, name)
        behind = is_far_behind(transaction, number)
    while behind:
        with store.write() as transaction:
            transaction.row("lock_experiment", name=name)
            behind = catch_up(transaction, number)


def add_jobs(transaction: Transaction, name: str, call: AddJobs, digests: Sequence[str], key: str) -> Added:
    """Create jobs, all or none. `key` is what the store keeps; `digests`, of the hyperparameters, show duplicates."""
    drafts, on_duplicate = call.jobs, call.on_duplicate
    if len({draft.id for draft in drafts}) < len(drafts):
        _refuse_repeats(drafts)
    if not is_first(transaction, AddJobs, name, "", key, detail=str(len(drafts))):
        return _first_answer(transaction, key)
    if on_duplicate is not OnDuplicate.ALLOW:
        return _add_new_ones(transaction, name, drafts, digests, key, on_duplicate)
    number, max_running = _reserve(transaction, name, len(drafts))
    _insert(transaction, name, number, max_running, dict(enumerate(drafts)), key)
    return Added()


def _add_new_ones(
    transaction: Transaction,
    name: str,
    drafts: Sequence[JobDraft],
    digests: Sequence[str],
    key: str,
    on_duplicate: OnDuplicate,
) -> Added:
    """Create the jobs whose hyperparameters the experiment does not have yet."""
    row = transaction.row("lock_experiment", name=name)
    if row is None:
        raise no_experiment(name)
    number: int = row[0]
    while catch_up(transaction, number):
        pass
    texts = {digest: draft.hyperparameters.text for digest, draft in zip(digests, drafts, strict=True)}
    fresh, added = sift(drafts, digests, find_equal(transaction, number, texts))
    if added.duplicates:
        if on_duplicate is OnDuplicate.ERROR:
            raise _duplicate(name, drafts, added)
        left_out = [(each.place, each.id) for each in added.duplicates]
        transaction.run("note_event", key=key, detail=json.dumps({"created": len(fresh), "duplicates": left_out}))
    if fresh:
        _insert(transaction, name, number, _reserve(transaction, name, len(fresh))[1], fresh, key)
        by_id = {draft.id: digests[place] for place, draft in fresh.items()}
        found = transaction.rows("jobs_of", experiment_id=number, ids=json.dumps([*by_id]))
        remember_new(transaction, number, sorted((seq, by_id[id_]) for seq, id_, _ in found))
    return added


def _first_answer(transaction: Transaction, key: str) -> Added:
    """Return what the first call with this key answered; the ledger has it."""
    event = event_of(transaction, key)
    if event is None or not event.detail.startswith("{"):
        return Added()
    return Added(tuple(Duplicate(place, id_) for place, id_ in json.loads(event.detail)["duplicates"]))


def _duplicate(name: str, drafts: Sequence[JobDraft], added: Added) -> ResourceExistsError:
    first = added.duplicates[0]
    what = shown(drafts[first.place].hyperparameters.text)
    own = any(draft.id == first.id for draft in drafts[: first.place])
    where = "stand twice among the jobs to add" if own else f"are those of the job {first.id!r} of {called(name)!r}"
    return ResourceExistsError(
        f"The hyperparameters {what} {where}. Repeats among the jobs to add: {len(added.duplicates):,} of "
        f"{len(drafts):,}, so none was added. On a duplicate, `skip` leaves it out, and `allow` adds it all the same."
    )


def _insert(
    transaction: Transaction, name: str, number: int, max_running: int | None, drafts: dict[int, JobDraft], key: str
) -> None:
    """Insert drafts, of which the i-th of the call gets the key of item i; what they wait for goes first."""
    running = [place for place, draft in drafts.items() if draft.status is JobStatus.RUNNING]
    if running:
        check_running_limit(transaction, name, number, max_running, len(running))
    now = transaction.now()
    named = any(draft.task is not None or draft.gang is not None for draft in drafts.values())
    tasks: Mapping[str | None, rows.TaskRow] = {None: rows.NO_TASK}
    if named:
        tasks = find_tasks(transaction, number, drafts)
    if any(draft.depends_on for draft in drafts.values()):
        plan = plan_links(transaction, name, number, drafts, tasks)
        transaction.add_jobs([plan.row(place, item_key(key, place), now) for place in plan.order])
        link(transaction, plan, cause=key)
    else:
        transaction.add_jobs(
            [
                rows.draft_row(number, draft, item_key(key, place), now, task=tasks[draft.task])
                for place, draft in drafts.items()
            ]
        )
    for place in running:
        row = transaction.row("job", experiment_id=number, id=drafts[place].id)
        assert row is not None, "it was inserted above"
        begin_unleased(transaction, row[0], item_key(key, place))


def create_job(transaction: Transaction, name: str, draft: JobDraft, *, key: str) -> rows.JobRow:
    """Create one job within a write that is recorded already."""
    number, max_running = _reserve(transaction, name, 1)
    running = draft.status is JobStatus.RUNNING
    if running:
        check_running_limit(transaction, name, number, max_running, 1)
    transaction.add_jobs([rows.draft_row(number, draft, key, transaction.now())])
    job = read_job(transaction, name, number, draft.id)
    if not running:
        return job
    return begin_unleased(transaction, job.seq, key)


def _reserve(transaction: Transaction, name: str, count: int) -> tuple[int, int | None]:
    """Make room for new jobs and return the experiment's number and its limit of running jobs.

    The experiment is locked from then on, so that its jobs are created one call after another.
    """
    row = transaction.row("reserve_jobs", name=name, count=count)
    if row is not None:
        return row[0], row[1]
    limits = limits_of(transaction, name)
    most = counted(limits.max_jobs or 0, "job")
    raise LimitReachedError(
        f"The experiment {called(name)!r} may have {most}, and has created {limits.created:,}: "
        f"no room for {count:,} more. Raise its max_jobs to add them."
    )


def check_running_limit(transaction: Transaction, name: str, number: int, max_running: int | None, more: int) -> None:
    """Raise LimitReachedError if so many more jobs may not run; the experiment must be locked."""
    if max_running is None:
        return
    row = transaction.row("count_running", experiment_id=number)
    assert row is not None, "a count always has a row"
    if row[0] + more > max_running:
        raise LimitReachedError(
            f"The experiment {called(name)!r} may run {counted(max_running, 'job')} at once, by its max_running, and "
            f"runs {row[0]:,}. Wait until one ends."
        )


def begin_unleased(transaction: Transaction, seq: int, key: str) -> rows.JobRow:
    """Begin an attempt of somebody who does not heartbeat, so nobody takes the job from him, and return the job."""
    row = transaction.row("run_job", seq=seq, etag=key)
    assert row is not None, "the job is locked"
    job = rows.JobRow(*row)
    transaction.run("begin_attempt", seq=seq, number=job.attempt, key=key, worker="", lease=None)
    return job


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
