"""Gangs: jobs that begin together or not at all.

A gang collects its jobs one after another: each that is claimed is RUNNING, and its worker waits until all are.
Only one gang of an experiment collects at a time, so that no two of them hold half of the workers each; and one that is
not complete in time gives back what it holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sweepstake.domain.keys import name_of
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.gangs import GANG_SECONDS, Gang, Member
from sweepstake.domain.tasks.needs import Needs, Offer, unmet
from sweepstake.queue.calls import GetGang, StopJobs
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.dependencies import follow
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.jobs import read_job
from sweepstake.queue.verbs.tasks.matching import read_needs_of
from sweepstake.queue.verbs.tasks.workers import hostname_of
from sweepstake.stores import rows
from sweepstake.stores.engine import Row, Transaction
from sweepstake.stores.rows import JOB_COLUMNS

__all__ = ["take_for_offer"]

#: Seconds after which a gang that gave back what it held collects again, so that others come first.
_REST: Final = 5.0


@performs(GetGang)
def get(store: Store, call: GetGang) -> Gang:
    """Tell which jobs begin with one, and whether they may; what has waited too long is given up first."""
    name = store.at(call.name, call.id)
    with store.read() as transaction:
        number = experiment_id(transaction, name)
        job = read_job(transaction, name, number, call.id)
        late = job.gang is not None and _late(transaction, number)
    if job.gang is None:
        return Gang(together=True)
    if late:
        with store.write() as transaction:
            _give_up_late(transaction, number)
    with store.read() as transaction:
        members = transaction.rows("members", experiment_id=number, gang=job.gang)
        found = tuple(
            Member(
                id=each[1],
                rank=each[2] or 0,
                status=JobStatus(each[3]),
                worker=each[4],
                hostname=hostname_of(transaction, each[4]),
            )
            for each in members
        )
    return Gang(together=any(each[0] == job.seq and each[5] for each in members), members=found)


def take_for_offer(store: Store, name: str, worker: str, keys: Sequence[str], offer: Offer) -> list[Row]:
    """Take ready jobs of tasks in one transaction, each of which fits what is left of the offer."""
    needs = read_needs_of(store, name)
    gangs = any(each.replicas > 1 for each in needs.values())
    taken: list[Row] = []
    with store.write() as transaction:
        number = 0
        if gangs:
            transaction.row("lock_experiment", name=name)
            number = experiment_id(transaction, name)
            _give_up_late(transaction, number)
        for key in keys:
            fitting, member = _candidates(transaction, number, needs, offer, gangs=gangs)
            row = transaction.claim(name=name, worker=worker, key=name_of(key), fitting=fitting, member=member)
            if row is None:
                break
            taken.append(row)
            offer = offer.less(needs[row[-1]])
            job = rows.JobRow._make(row[:JOB_COLUMNS])
            if job.gang is not None:
                _join(transaction, number, job)
    return taken


def _candidates(
    transaction: Transaction, number: int, needs: Mapping[int, Needs], offer: Offer, *, gangs: bool
) -> tuple[str, str | None]:
    """Return the numbers of the needs that an offer meets, and the next job of the gang that collects, if one does."""
    fitting = [each for each, wanted in needs.items() if unmet(wanted, offer) is None]
    collecting = transaction.row("collecting", experiment_id=number) if gangs else None
    if collecting is None:
        return json.dumps(fitting), None
    single = [each for each in fitting if needs[each].replicas == 1]
    return json.dumps(single), str(collecting[0]) if collecting[1] in fitting else None


def _join(transaction: Transaction, number: int, job: rows.JobRow) -> None:
    """Let a gang begin if the job that was just claimed was the last that it lacked."""
    transaction.run("wait_for_gang", seq=job.seq)
    members = transaction.rows("members", experiment_id=number, gang=job.gang)
    if not any(each[3] == JobStatus.QUEUED for each in members):
        transaction.run("begin_together", experiment_id=number, gang=job.gang)


def _late(transaction: Transaction, number: int) -> list[tuple[str, str | None, float]]:
    """Return the gangs that have waited too long, each with its task, if that said how long, and the time."""
    found = []
    for gang, since, version, task in transaction.rows("collectors", experiment_id=number):
        said = transaction.row("task", experiment_id=number, version=version, name=task)
        timeout = None if said is None else said[2]
        seconds = GANG_SECONDS if timeout is None else timeout
        if transaction.now() - since > seconds:
            found.append((gang, None if timeout is None else task, seconds))
    return found


def _give_up_late(transaction: Transaction, number: int) -> None:
    """Crash the gangs whose task said for how long they may wait, and give back what other late ones hold."""
    for gang, task, seconds in _late(transaction, number):
        members = transaction.rows("members", experiment_id=number, gang=gang)
        reason = f"the gang was not complete within {seconds:g} s"
        outcome = Outcome.RELEASED if task is None else Outcome.CRASHED
        row = transaction.row("budget", experiment_id=number)
        assert row is not None, "the experiment is there"
        max_attempts, delay = row if task is not None else (None, _REST)
        final = max_attempts is not None and any(member[7] + 1 >= max_attempts for member in members)
        for member in members:
            if member[3] == JobStatus.RUNNING:
                _end(transaction, member, outcome, reason, final=final)
        if not final and delay:
            everybody = [member[0] for member in members]
            transaction.run("delay_waiting", seqs=json.dumps(everybody), delay=delay)
        waiting = [member[0] for member in members if member[3] == JobStatus.QUEUED]
        if final and waiting:
            kept = json.dumps(waiting)
            transaction.run("crash_waiting", seqs=kept, cause=name_of(f"{gang} {waiting[0]} {transaction.now()}"))
            transaction.run("note_stopped", seqs=kept, verb=StopJobs.word, reason=reason)
        for member in members if final else ():
            if member[8]:
                follow(transaction, member[0], JobStatus(member[3]), JobStatus.CRASHED, f"{name_of(member[1])}.gang")


def _end(transaction: Transaction, member: Row, outcome: Outcome, reason: str, *, final: bool) -> None:
    """End the attempt of a job that waited in vain."""
    seq, number, failed = member[0], member[6], outcome is Outcome.CRASHED
    key = transaction.row("attempt_key", seq=seq, number=number)
    assert key is not None, "the job runs"
    etag = f"{key[0]}.gang"
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
