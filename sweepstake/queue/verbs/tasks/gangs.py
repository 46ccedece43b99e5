"""Gangs: jobs that begin together or not at all.

A gang collects its jobs one after another: each that is claimed is RUNNING, and its worker waits until all are.
Only one gang of an experiment collects at a time, so that no two of them hold half of the workers each; and one that is
not complete in time gives back what it holds, unless it would never begin so. So is it when one of a gang that has
begun is to run again: the others do not run without it for longer than its task says that jobs wait for each other, if
it says so.
"""

from __future__ import annotations

import json
import zlib
from typing import Final

from attrs import frozen

from sweepstake.domain.keys import name_of
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.gangs import GANG_SECONDS, GIVEN_UP, Gang, Member
from sweepstake.queue.calls import GetGang, StopJobs
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.attempts.settling import settle_at_times
from sweepstake.queue.verbs.dependencies import follow
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.jobs import read_job
from sweepstake.queue.verbs.tasks.holding import holding_seconds
from sweepstake.queue.verbs.tasks.stopping import propagate
from sweepstake.queue.verbs.tasks.workers import hostname_of
from sweepstake.stores import rows
from sweepstake.stores.engine import Row, Transaction

__all__ = ["give_up_late", "join"]

#: Seconds after which a gang that gave back what it held collects again, at least and at most, so that others come
#: first. Gangs of two experiments that stood in each other's way must not meet again, so the times differ.
_REST: Final = (5.0, 35.0)


@frozen(kw_only=True)
class _Late:
    """A gang that has waited too long for some of its jobs.

    Attributes:
        seconds: for which it may wait.
        task: which says so; None if none does.
        begun: whether it had begun.
    """

    gang: str
    seconds: float
    task: str | None
    begun: bool

    @property
    def reason(self) -> str:
        if self.begun:
            return f"the gang ran without all of its jobs for longer than {self.seconds:g} s"
        return f"the gang was not complete within {self.seconds:g} s"


@performs(GetGang)
def get(store: Store, call: GetGang) -> Gang:
    """Tell which jobs begin with one, and whether they may; what has waited too long is given up first."""
    name = store.at(call.name, call.id)
    settle_at_times(store, name)  # whose worker has died is missed by the others, who may be the only ones that ask
    with store.read() as transaction:
        number = experiment_id(transaction, name)
        job = read_job(transaction, name, number, call.id)
        late = job.gang is not None and _late(transaction, number)
    if job.gang is None:
        return Gang(together=True)
    if late:
        with store.write() as transaction:
            transaction.row("lock_experiment", name=name)
            give_up_late(transaction, name, number)
    with store.read() as transaction:
        members = transaction.rows("members", experiment_id=number, gang=job.gang)
        found = tuple(
            Member(
                id=each[1],
                rank=each[2] or 0,
                attempt=each[6],
                status=JobStatus(each[3]),
                worker=each[4],
                hostname=hostname_of(transaction, number, each[4]),
            )
            for each in members
        )
    return Gang(together=any(each[0] == job.seq and each[5] for each in members), members=found)


def join(transaction: Transaction, number: int, job: rows.JobRow) -> None:
    """Let a gang begin if the job that was just claimed was the last that it lacked."""
    transaction.run("wait_for_gang", seq=job.seq)
    members = transaction.rows("members", experiment_id=number, gang=job.gang)
    if not any(each[3] == JobStatus.QUEUED for each in members):
        transaction.run("begin_together", experiment_id=number, gang=job.gang)


def _late(transaction: Transaction, number: int) -> list[_Late]:
    """Return the gangs that have waited too long."""
    found = []
    for gang, held, missed, version, task, together in transaction.rows("collectors", experiment_id=number):
        said = transaction.row("task", experiment_id=number, version=version, name=task)
        timeout = None if said is None else said[2]
        if together and timeout is None:
            continue  # it runs, and nobody has said that it must not without the one that is missed
        waited = transaction.now() - max(held, missed or held)
        seconds = GANG_SECONDS if timeout is None else timeout
        if timeout is None and waited > seconds:
            seconds = holding_seconds(transaction, number, gang)
        if waited > seconds:
            said_by = None if timeout is None else task
            found.append(_Late(gang=gang, seconds=seconds, task=said_by, begun=bool(together)))
    return found


def give_up_late(transaction: Transaction, name: str, number: int) -> None:
    """Crash the gangs whose task said for how long they may wait, and give back what other late ones hold.

    The experiment is locked.
    """
    for late in _late(transaction, number):
        transaction.rows("lock_gang", experiment_id=number, gang=late.gang)
        if late in _late(transaction, number):  # else one of them has ended meanwhile
            _give_up(transaction, name, number, late)


def _give_up(transaction: Transaction, name: str, number: int, late: _Late) -> None:
    members = transaction.rows("members", experiment_id=number, gang=late.gang)
    outcome = Outcome.RELEASED if late.task is None else Outcome.CRASHED
    row = transaction.row("budget", experiment_id=number)
    assert row is not None, "the experiment is there"
    max_attempts, delay = row if late.task is not None else (None, _rest(f"{late.gang} {transaction.now()}"))
    final = max_attempts is not None and any(member[7] + 1 >= max_attempts for member in members)
    for member in members:
        if member[3] == JobStatus.RUNNING:
            _end(transaction, member, outcome, late.reason, final=final)
    waiting = [member[0] for member in members if member[3] == JobStatus.QUEUED]
    if not final and delay:
        transaction.run("rest", experiment_id=number, gang=late.gang, delay=delay)
    if not final:
        return
    cause = name_of(f"{late.gang} {transaction.now()}")
    if waiting:
        kept = json.dumps(waiting)
        transaction.run("crash_waiting", seqs=kept, cause=cause)
        transaction.run("note_stopped", seqs=kept, verb=StopJobs.word, reason=late.reason)
    for member in members:
        if member[8] and member[3] in (JobStatus.RUNNING, JobStatus.QUEUED):
            follow(transaction, member[0], JobStatus(member[3]), JobStatus.CRASHED, f"{cause}-{member[2]}.gang")
    job = transaction.row("job", experiment_id=number, id=members[0][1])
    assert job is not None, "it is locked"
    propagate(transaction, name, rows.JobRow._make(job), JobStatus.CRASHED, Outcome.CRASHED, f"{cause}.gang")


def _rest(gang: str) -> float:
    least, most = _REST
    return least + (most - least) * zlib.crc32(gang.encode()) / 2**32


def _end(transaction: Transaction, member: Row, outcome: Outcome, reason: str, *, final: bool) -> None:
    """End the attempt of a job that waited in vain."""
    seq, number, failed = member[0], member[6], outcome is Outcome.CRASHED
    key = transaction.row("attempt_key", seq=seq, number=number)
    assert key is not None, "the job runs"
    etag = f"{key[0]}{GIVEN_UP}"
    transaction.run(
        "end_job",
        seq=seq,
        status=str(JobStatus.CRASHED if final else JobStatus.QUEUED),
        hyperparameters=None,
        results=None,
        etag=etag,
        failures=int(failed),
        losses=0,
        preemptions=0,
        delay=0.0,
    )
    transaction.run(
        "end_attempt", seq=seq, number=number, outcome=str(outcome), reason=reason, output="", finish_key=etag
    )
