"""Jobs that wait for others: tying them when they are created, and what the end of one does to those that wait."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs
from attrs import frozen

from sweepstake.domain.addresses import called
from sweepstake.domain.dependencies import creation_order
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError
from sweepstake.stores import rows
from sweepstake.stores.engine import Row, Transaction

__all__ = ["FAILED", "LinkPlan", "follow", "link", "plan_links", "prune_waiting", "unlink"]

#: The ends of a job with which those are pruned that asked to be pruned with their dependencies.
FAILED: Final = frozenset({JobStatus.CRASHED, JobStatus.PRUNED})


def follow(transaction: Transaction, seq: int, before: JobStatus, after: JobStatus, cause: str) -> None:
    """Tell the jobs that wait for a job that its status has changed.

    The job is locked by a statement before, so that whoever begins to wait for it sees the change, or is seen here.
    Everybody locks jobs in the order of seq, and what waits is newer than what it waits for.

    Args:
        cause: the key of the write that changed the job; the etags and events of pruned jobs are made from it.
    """
    if (before is JobStatus.DONE) is not (after is JobStatus.DONE):
        transaction.rows("lock_dependants", seq=seq)
        transaction.run("unblock" if after is JobStatus.DONE else "block", seq=seq)
    if after in FAILED and before is not after:
        prune_waiting(transaction, seq, cause)


def prune_waiting(transaction: Transaction, first: int, cause: str) -> None:
    """Prune the queued jobs that asked for it: those that wait for the job, then those that wait for them."""
    transaction.rows("lock_downstream", seq=first)
    cause = cause.replace(".", "-")  # what follows a dot in an etag is the number of an item
    failed = [first]
    while failed:
        failed = [row[0] for row in transaction.rows("prunable", seqs=json.dumps(failed))]
        if failed:
            seqs = json.dumps(failed)
            transaction.run("prune_with", seqs=seqs, cause=cause)
            transaction.run("note_pruned", seqs=seqs, first=first)


def unlink(transaction: Transaction, seq: int, status: JobStatus, *, awaited: bool) -> None:
    """Forget what a job that is deleted waited for, and release those that waited for it."""
    if awaited and status is not JobStatus.DONE:
        transaction.rows("lock_dependants", seq=seq)
        transaction.run("unblock", seq=seq)
    transaction.run("release_dependencies", seq=seq)
    transaction.run("delete_job_dependencies", seq=seq)


@frozen(kw_only=True)
class LinkPlan:
    """How new jobs are to be inserted, judged by the jobs that they wait for as these were a moment ago.

    Attributes:
        name: the experiment's, and `number` its number.
        drafts: by their place in the call; those that are pruned from the start are PRUNED here.
        order: their places, in the order of creation: what waits has a higher seq than what it waits for.
        waiting: for how many jobs that are not DONE each waits, by place.
        awaited: how many of the others wait for each, by id.
        known: number and status of the jobs outside the call, by id.
        tasks: what is kept of each task that a draft names.
    """

    name: str
    number: int
    drafts: Mapping[int, JobDraft]
    order: Sequence[int]
    waiting: Mapping[int, int]
    awaited: Mapping[str, int]
    known: Mapping[str, tuple[int, JobStatus]]
    tasks: Mapping[str | None, rows.TaskRow]

    @property
    def own(self) -> set[str]:
        """The ids of the new jobs."""
        return {draft.id for draft in self.drafts.values()}

    def row(self, place: int, etag: str, now: float) -> Row:
        """Return the columns of one of the new jobs."""
        draft = self.drafts[place]
        dependants = self.awaited.get(draft.id, 0)
        return rows.draft_row(
            self.number,
            draft,
            etag,
            now,
            waiting=self.waiting.get(place, 0),
            dependants=dependants,
            task=self.tasks[draft.task],
        )


def plan_links(
    transaction: Transaction,
    name: str,
    number: int,
    drafts: Mapping[int, JobDraft],
    tasks: Mapping[str | None, rows.TaskRow],
) -> LinkPlan:
    """Plan the insertion of drafts of which some depend on others.

    Raises:
        InvalidInputError: a dependency is not there, or drafts wait for each other.
    """
    order = creation_order(drafts)
    own = {draft.id for draft in drafts.values()}
    outside = {id_ for draft in drafts.values() for id_ in draft.depends_on} - own
    found = transaction.rows("jobs_of", experiment_id=number, ids=json.dumps(sorted(outside)))
    known = {id_: (seq, JobStatus(status)) for seq, id_, status in found}
    _refuse_unknown(name, drafts, known, own)
    statuses = {id_: status for id_, (_, status) in known.items()}
    planned, waiting = dict(drafts), {}
    awaited: Counter[str] = Counter()
    for place in order:
        draft = planned[place] = _as_created(drafts[place], statuses)
        statuses[draft.id] = draft.status
        waiting[place] = sum(statuses[id_] is not JobStatus.DONE for id_ in draft.depends_on)
        awaited.update(draft.depends_on)
    return LinkPlan(
        name=name,
        number=number,
        drafts=planned,
        order=order,
        waiting=waiting,
        awaited=awaited,
        known=known,
        tasks=tasks,
    )


def _refuse_unknown(name: str, drafts: Mapping[int, JobDraft], known: Iterable[str], own: Iterable[str]) -> None:
    there = {*known, *own}
    problems = [
        (f"jobs[{place}].depends_on[{i}]", f"is no job of the experiment {called(name)!r}: {id_!r}")
        for place, draft in drafts.items()
        for i, id_ in enumerate(draft.depends_on)
        if id_ not in there
    ]
    if problems:
        raise InvalidInputError(problems)


def _as_created(draft: JobDraft, statuses: Mapping[str, JobStatus]) -> JobDraft:
    """Return the draft as it is created: PRUNED, if it asked for that and one it waits for has failed."""
    if not draft.prune_with or draft.status is not JobStatus.QUEUED:
        return draft
    if FAILED.isdisjoint(statuses[id_] for id_ in draft.depends_on):
        return draft
    return attrs.evolve(draft, status=JobStatus.PRUNED)


def link(transaction: Transaction, plan: LinkPlan, *, cause: str) -> None:
    """Tie the jobs of a plan, which were inserted, to what they wait for.

    Args:
        cause: the key of the call.

    Raises:
        InvalidInputError: a dependency was deleted since the plan was made.
    """
    names = {id_ for draft in plan.drafts.values() if draft.depends_on for id_ in (draft.id, *draft.depends_on)}
    own = transaction.rows("jobs_of", experiment_id=plan.number, ids=json.dumps(sorted(names - plan.known.keys())))
    seqs = {id_: seq for seq, id_, _ in own} | {id_: seq for id_, (seq, _) in plan.known.items()}
    edges = [
        (seqs[draft.id], seqs[id_], int(draft.prune_with)) for draft in plan.drafts.values() for id_ in draft.depends_on
    ]
    transaction.run("link", edges=json.dumps(edges))
    if plan.known:
        _tie_to_known(transaction, plan, edges, cause)


def _tie_to_known(transaction: Transaction, plan: LinkPlan, edges: Sequence[tuple[int, int, int]], cause: str) -> None:
    """Tell the jobs outside the call that others wait for them, and look again at those that changed meanwhile.

    They are locked here and not before, because a worker passes over a job that is locked. A job that ends at the same
    time is seen to have ended here, or sees that others wait for it: nobody is left waiting.
    """
    locked = transaction.rows("lock_jobs", seqs=json.dumps([seq for seq, _ in plan.known.values()]))
    now = {seq: JobStatus(status) for seq, status in locked}
    _refuse_unknown(plan.name, plan.drafts, [id_ for id_, (seq, _) in plan.known.items() if seq in now], plan.own)
    by_count: defaultdict[int, list[int]] = defaultdict(list)
    for id_, (seq, _) in plan.known.items():
        by_count[plan.awaited[id_]].append(seq)
    for count, seqs in by_count.items():
        transaction.run("add_dependants", seqs=json.dumps(seqs), more=count)
    changed = {seq: now[seq] for seq, status in plan.known.values() if now[seq] is not status}
    if changed:
        transaction.run("recount", seqs=json.dumps(sorted({job for job, on, _ in edges if on in changed})))
    for seq, status in changed.items():
        if status in FAILED:
            prune_waiting(transaction, seq, cause)
