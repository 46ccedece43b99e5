"""Ending jobs from outside: because somebody asks for it, or because a task does that its own end ends the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sweepstake.domain.records import Stopped
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.queue.calls import PruneJob, StopJobs
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.dependencies import prune_waiting
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.guards import event_of, is_first
from sweepstake.stores import rows
from sweepstake.stores.engine import Row, Transaction

__all__ = ["STOPPED", "propagate"]

#: Why a job was pruned that was stopped.
STOPPED: Final = "stopped"
#: Queued jobs first, so that nobody claims them meanwhile; and once more those that came back from a worker.
_PASSES: Final = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.RUNNING)


@performs(StopJobs)
def stop(store: Store, call: StopJobs) -> Stopped:
    """Make jobs PRUNED, page by page, so that nobody waits long for a turn; a repeat goes on where the first ended."""
    name = store.at(call.name)
    with store.write() as transaction:
        key = store.known(transaction, call.key)
        number = experiment_id(transaction, name)
        if is_first(transaction, StopJobs, name, "", key):
            row = transaction.row("last_seq", experiment_id=number)
            assert row is not None, "a maximum always has a row"
            transaction.run("note_event", key=key, detail=json.dumps({"upto": row[0], "stopped": 0}))
    ids = json.dumps(call.ids) if call.ids else None
    for status in _PASSES:
        after: int | None = 0
        while after is not None:
            with store.write() as transaction:
                state = _state(transaction, name, key)
                if "done" in state:
                    return Stopped(state["stopped"])
                found = transaction.rows(
                    "stoppable",
                    experiment_id=number,
                    status=str(status),
                    after=after,
                    upto=state["upto"],
                    ids=ids,
                    cause=_cause(key),
                )
                after = _stop_page(transaction, found, key, ids)
                _note(transaction, key, state, stopped=state["stopped"] + len(found))
    with store.write() as transaction:
        state = _state(transaction, name, key)
        _note(transaction, key, state, done=True)
    return Stopped(state["stopped"])


def _state(transaction: Transaction, name: str, key: str) -> dict[str, int]:
    """Return how far the call has come, which may be made twice at the same time: the experiment is locked first."""
    transaction.row("lock_experiment", name=name)
    event = event_of(transaction, key)
    assert event is not None, "it was recorded"
    state: dict[str, int] = json.loads(event.detail)
    return state


def _note(transaction: Transaction, key: str, state: Mapping[str, int], **news: int) -> None:
    transaction.run("note_event", key=key, detail=json.dumps({**state, **news}))


def _stop_page(transaction: Transaction, found: Sequence[Row], key: str, ids: str | None) -> int | None:
    """Stop the jobs that were found; return the last of them, if there may be more."""
    if not found:
        return None
    _stop(transaction, [row[0] for row in found], key, STOPPED)
    if ids is not None:  # else those that wait are stopped themselves
        _prune_waiting(transaction, found, key)
    last: int = found[-1][0]
    return last


def _stop(transaction: Transaction, seqs: Sequence[int], cause: str, reason: str) -> None:
    """Prune jobs, which are locked."""
    kept = json.dumps(seqs)
    transaction.run("stop", seqs=kept, cause=_cause(cause))
    transaction.run("end_attempts", seqs=kept, outcome=str(Outcome.PRUNED), reason=reason)
    transaction.run("note_stopped", seqs=kept, verb=PruneJob.word, reason=reason)


def _cause(key: str) -> str:
    """Return a key as the etags begin that are made from it: what follows a dot in one is the number of an item."""
    return key.replace(".", "-")


def _prune_waiting(transaction: Transaction, stopped: Sequence[Row], key: str) -> None:
    """Prune what asked to be pruned with jobs that were stopped."""
    for seq, dependants in stopped:
        if dependants:
            prune_waiting(transaction, seq, f"{key}-stop-{seq}")


def propagate(
    transaction: Transaction, name: str, job: rows.JobRow, status: JobStatus, outcome: Outcome, key: str
) -> None:
    """Let the end of a task's job end the others that came from the same spec, if the task says so.

    Its failure stops all that are queued or run. Its preemption preempts those that run, as does the loss of its
    worker. What is tried again, of a gang that has begun, begins together again: so a failure that is not the last one
    preempts the others of its gang.

    Args:
        transaction: in which the job has ended. It locked the experiment before any job: of two jobs that end each
            other, one waits for the other then, and not each for each.
        name: the experiment's.
        job: as it was before.
        status: what it is now.
        outcome: of its attempt.
        key: of the write that ended it.
    """
    if job.task is None or status not in (JobStatus.CRASHED, JobStatus.QUEUED):
        return
    number = experiment_id(transaction, name)
    said = transaction.row("task", experiment_id=number, version=job.spec_version, name=job.task)
    fails_all, preempts_all, _ = said or (0, 0, None)
    same = {"experiment_id": number, "version": job.spec_version, "seq": job.seq}
    if status is JobStatus.CRASHED and fails_all:
        found = transaction.rows("fellows", **same)
        _stop(transaction, [row[0] for row in found], key, f"{STOPPED}, because {job.task} failed")
        _prune_waiting(transaction, found, key)
        return
    begins_anew = outcome is Outcome.CRASHED and fails_all
    if begins_anew and job.gang is not None:  # none of them may end between the look at it and its preemption
        transaction.rows("lock_gang", experiment_id=number, gang=job.gang)
    gang = () if job.gang is None else transaction.rows("members", experiment_id=number, gang=job.gang)
    if gang and not any(member[0] == job.seq and member[5] for member in gang):
        return  # it had not begun, so nobody has to begin anew with it
    if begins_anew:
        running = [member for member in gang if member[0] != job.seq and member[3] == JobStatus.RUNNING]
        _preempt(transaction, [row[0] for row in running], key, f"{job.task} failed, and is tried again")
    elif outcome in _PREEMPTS and preempts_all and (gang or outcome is not Outcome.RELEASED):
        running = transaction.rows("running_fellows", **same)
        _preempt(transaction, [row[0] for row in running], key, f"{job.task} {_PREEMPTS[outcome]}")


#: How an attempt may end that is no failure and that others may have to follow, and what they are told. That a single
#: job was given back has nothing to do with others.
_PREEMPTS: Final = {
    Outcome.PREEMPTED: "was preempted",
    Outcome.LEASE_LOST: "lost its worker",
    Outcome.RELEASED: "was given back",
}


def _preempt(transaction: Transaction, seqs: Sequence[int], key: str, reason: str) -> None:
    """Queue jobs again that run."""
    kept = json.dumps(seqs)
    transaction.run("preempt", seqs=kept, cause=_cause(key))
    transaction.run("end_attempts", seqs=kept, outcome=str(Outcome.PREEMPTED), reason=reason)
    transaction.run("note_stopped", seqs=kept, verb="preempt", reason=reason)
