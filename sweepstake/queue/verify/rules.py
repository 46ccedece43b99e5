"""The promises as rules over the facts of one job or experiment: pure, so that every store is judged alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

from attrs import frozen

from sweepstake.domain.budgets import spent
from sweepstake.domain.keys import proposed_by
from sweepstake.domain.portable import HIDDEN
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.gangs import longest_hold
from sweepstake.domain.tasks.needs import Needs
from sweepstake.plaintext import counted
from sweepstake.queue.calls import AddJobs, PutJob, TakePart
from sweepstake.queue.verbs.puts import ENDS_OF_HOLDERS
from sweepstake.queue.verify.facts import (
    Check,
    Kept,
    KeptSpecs,
    LedgerAttempt,
    LedgerBatch,
    LedgerEvent,
    LedgerExperiment,
    LedgerGang,
    LedgerJob,
    Violation,
)
from sweepstake.values import JsonObject

__all__ = [
    "OF_ATTEMPTS",
    "Knowledge",
    "base_key",
    "check_batch",
    "check_experiment",
    "check_gang",
    "check_job",
    "check_snapshot",
    "check_specs",
    "origin_keys",
    "unexplained",
]

#: The number of the attempt, or None, and what is wrong.
Fault: TypeAlias = tuple[int | None, str]

#: The checks that count attempts; of the others, LIMITS and COUNTS count experiments, SPECS experiments and snapshots
#: of code, GANGS gangs, BATCHES batches, KEYS keys, and the rest jobs.
OF_ATTEMPTS: Final = frozenset((Check.OVERLAP, Check.OUTCOMES))
_OUTCOMES: Final = frozenset(map(str, Outcome))
#: The statuses to which a recorded report may lead.
_LEADS_TO: Final = {
    str(Outcome.DONE): (JobStatus.DONE,),
    str(Outcome.CRASHED): (JobStatus.CRASHED, JobStatus.QUEUED),
    str(Outcome.PRUNED): (JobStatus.PRUNED,),
    str(Outcome.RELEASED): (JobStatus.QUEUED,),
    str(Outcome.PREEMPTED): (JobStatus.QUEUED, JobStatus.CRASHED),
}
#: Verbs that may state that a job is DONE.
_STATES: Final = frozenset(kind.word for kind in (PutJob, AddJobs, TakePart))
#: The end of the etag that settling an overdue lease writes, behind the key of the attempt.
_LOST: Final = ".lost"


@frozen(kw_only=True)
class Knowledge:
    """What is known beside the job itself.

    Attributes:
        writes: the ledger's events by op key, as far as the jobs' etags name them.
        definitions: etags of experiments that were defined once and never changed.
        clock_error: seconds by which the clocks of the writers may have disagreed.
    """

    writes: Mapping[str, LedgerEvent]
    definitions: Mapping[str, str]
    clock_error: float


def check_job(job: LedgerJob, known: Knowledge, checked: Counter[Check]) -> Iterator[Violation]:
    """Yield what is wrong with a job and its attempts, and count what was looked at."""
    for check, rule in _RULES:
        checked[check] += len(job.attempts) if check in OF_ATTEMPTS else 1
        for number, what in rule(job, known):
            yield Violation(check=check, experiment=job.experiment or "", job=job.id, attempt=number, what=what)


def check_experiment(
    experiment: LedgerExperiment, definitions: Mapping[str, str], checked: Counter[Check]
) -> Iterator[Violation]:
    """Yield which limits of an experiment are exceeded, unless they changed meanwhile, and which counts are wrong."""
    checked[Check.LIMITS] += 1
    checked[Check.COUNTS] += 1
    faults = []
    if experiment.created < experiment.jobs and not experiment.name.startswith(HIDDEN):
        faults.append(f"counts {counted(experiment.created, 'job')} ever created, and has {experiment.jobs:,}")
    if definitions.get(experiment.name) == experiment.etag:
        if experiment.max_jobs is not None and experiment.created > experiment.max_jobs:
            faults.append(
                f"has created {counted(experiment.created, 'job')}, and its max_jobs is {experiment.max_jobs:,}"
            )
        if experiment.max_running is not None and experiment.running > experiment.max_running:
            faults.append(
                f"runs {counted(experiment.running, 'job')}, and its max_running is {experiment.max_running:,}"
            )
    for what in faults:
        yield Violation(check=Check.LIMITS, experiment=experiment.name, job="", attempt=None, what=what)
    for word, kept, found in zip(Kept._fields, experiment.kept, experiment.counted, strict=True):
        if kept != found:
            what = f"keeps the number of {word} as {kept:,}, and has {found:,}"
            yield Violation(check=Check.COUNTS, experiment=experiment.name, job="", attempt=None, what=what)


def check_specs(experiment: LedgerExperiment, specs: KeptSpecs, checked: Counter[Check]) -> Iterator[Violation]:
    """Yield what is missing of what an experiment runs."""
    checked[Check.SPECS] += 1
    faults = []
    if specs.versions != specs.last:
        faults.append(f"keeps {counted(specs.versions, 'version')} of its spec, of which the last is {specs.last}")
    if specs.without_version:
        faults.append(f"keeps {counted(specs.without_version, 'task')} of versions of its spec that are not there")
    if specs.without_needs:
        faults.append(f"keeps {counted(specs.without_needs, 'task')} whose needs are not there")
    if specs.without_snapshot:
        versions = counted(specs.without_snapshot, "version")
        faults.append(f"keeps {versions} of its spec whose snapshot of code is not there")
    for what in faults:
        yield Violation(check=Check.SPECS, experiment=experiment.name, job="", attempt=None, what=what)


def check_snapshot(digest: str, document: str, checked: Counter[Check]) -> Iterator[Violation]:
    """Yield what is wrong with a snapshot of code: it is kept once for equal ones, by what it says."""
    checked[Check.SPECS] += 1
    try:
        found = JsonObject(document).digest()
    except ValueError:
        found = ""
    if found != digest:
        what = f"the snapshot of code {digest} is not the one that was kept so"
        yield Violation(check=Check.SPECS, experiment="", job="", attempt=None, what=what)


def check_gang(
    experiment: LedgerExperiment, gang: LedgerGang, clock_error: float, checked: Counter[Check]
) -> Iterator[Violation]:
    """Yield what is wrong with jobs that begin together: they are of one task, and do not wait beyond their time."""
    checked[Check.GANGS] += 1
    faults = []
    if gang.tasks != 1 or gang.versions != 1:
        faults.append(f"is of {counted(gang.tasks, 'task')}, of {counted(gang.versions, 'version')} of the spec")
    if gang.ranks != gang.jobs:
        faults.append(f"has {counted(gang.jobs, 'job')} of {counted(gang.ranks, 'rank')}")
    replicas = 1 if gang.needs is None else Needs.of(gang.needs).replicas
    if gang.jobs > replicas:
        faults.append(f"has {counted(gang.jobs, 'job')}, and its task {counted(replicas, 'replica')}")
    if gang.waiting and gang.queued and gang.since is not None and gang.left is not None:
        allowed = longest_hold(gang.attempt or 1) if gang.timeout is None else gang.timeout
        # Whoever holds a job of it asks within the time of a lease, and then it is given up; the dead do not ask.
        late = gang.asked_at - gang.since - allowed - gang.lease - clock_error
        if late > 0 and gang.left > 0:
            faults.append(f"has waited {gang.asked_at - gang.since:.0f} s for all to be claimed, and may {allowed:g} s")
    for what in faults:
        yield Violation(
            check=Check.GANGS, experiment=experiment.name, job="", attempt=None, what=f"the gang {gang.name!r} {what}"
        )


def check_batch(experiment: LedgerExperiment, batch: LedgerBatch, checked: Counter[Check]) -> Iterator[Violation]:
    """Yield what is wrong with a batch: it is under way once at most, as its newest submission."""
    checked[Check.BATCHES] += 1
    faults = []
    if batch.submissions != batch.last:
        faults.append(f"has {counted(batch.submissions, 'submission')}, of which the last is {batch.last}")
    if batch.live > 1:
        faults.append(f"is under way in {batch.live} submissions")
    elif batch.live_number not in (None, batch.last):
        faults.append(f"is under way as submission {batch.live_number}, and has been submitted again as {batch.last}")
    if batch.unended:
        faults.append(f"has {counted(batch.unended, 'submission')} that ended without a time, or has one and goes on")
    if batch.unheld:
        faults.append("has begun, and nobody knows when or in which allocation")
    for what in faults:
        yield Violation(
            check=Check.BATCHES, experiment=experiment.name, job="", attempt=None, what=f"the batch {batch.id!r} {what}"
        )


def base_key(etag: str) -> str:
    """Return the op key of the call that wrote an etag: items of a call on many have numbers behind it."""
    return etag.partition(".")[0]


def origin_keys(job: LedgerJob) -> Iterator[str]:
    """Yield the op key under which the ledger of events must know a job's last write, unless its attempts do."""
    if not _explained(job):
        yield base_key(job.etag)


def unexplained(job: LedgerJob) -> bool:
    """Tell whether a job's budgets are others than its attempts have spent, so that only a retry explains them."""
    return (job.failures, job.losses, job.preemptions) != spent(job.attempts)


def _numbers(job: LedgerJob, _: Knowledge) -> Iterator[Fault]:
    count = len(job.attempts)
    for i, attempt in enumerate(job.attempts, 1):
        if attempt.number != i:
            yield attempt.number, f"stands where attempt {i} should"
            break
    if job.attempt != count:
        yield None, f"counts {counted(job.attempt, 'attempt')}, and has {count}"


def _holders(job: LedgerJob, _: Knowledge) -> Iterator[Fault]:
    found = job.open_attempts
    if len(found) > 1:
        yield found[-1].number, f"is open, with {counted(len(found) - 1, 'other')}"
    if job.status == JobStatus.RUNNING and not found:
        yield None, "is RUNNING without an open attempt"
    if job.status != JobStatus.RUNNING and found:
        yield found[-1].number, f"is open, though the job is {job.status}"
    if found and found[-1].number != job.attempts[-1].number:
        yield found[-1].number, f"is open, though attempt {job.attempts[-1].number} has begun"
    for attempt in job.attempts:
        told = attempt.finish_key is not None or attempt.stated
        if attempt.lease is not None and attempt.outcome in ENDS_OF_HOLDERS and not told:
            yield attempt.number, f"ended as {attempt.outcome}, and its holder did not say so"


def _overlap(job: LedgerJob, known: Knowledge) -> Iterator[Fault]:
    for attempt in job.attempts:
        if attempt.ended_at is not None and attempt.ended_at < attempt.started_at - known.clock_error:
            yield attempt.number, f"ended {attempt.started_at - attempt.ended_at:.3f} s before it began"
    for before, after in pairwise(job.attempts):
        if before.ended_at is not None and after.started_at < before.ended_at - known.clock_error:
            seconds = before.ended_at - after.started_at
            yield after.number, f"began {seconds:.3f} s before attempt {before.number} ended"


def _outcomes(job: LedgerJob, _: Knowledge) -> Iterator[Fault]:
    for attempt in job.attempts:
        if (attempt.ended_at is None) != (attempt.outcome is None):
            yield attempt.number, "has an end without an outcome, or an outcome without an end"
        if attempt.outcome is not None and attempt.outcome not in _OUTCOMES:
            yield attempt.number, f"ended as {attempt.outcome!r}, which is no outcome"
        if attempt.outcome is None and (attempt.finish_key is not None or attempt.late):
            yield attempt.number, "is open, though a report on it was recorded"
        if attempt.late and attempt.finish_key is None:
            yield attempt.number, "has late results that nobody reported"
        if attempt.outcome in (Outcome.LEASE_LOST, Outcome.SUPERSEDED) and attempt.recorded is not None:
            yield attempt.number, f"ended as {attempt.outcome}, though its holder's report was recorded"


def _status(job: LedgerJob, known: Knowledge) -> Iterator[Fault]:
    """Compare the status with the attempt that wrote the document last, if one did."""
    if not job.attempts:
        return
    last = job.attempts[-1]
    if job.etag == last.recorded and last.outcome is not None:
        if job.status not in _LEADS_TO.get(last.outcome, tuple(JobStatus)):
            yield last.number, f"ended as {last.outcome}, and the job is {job.status}"
        elif job.definition is not None and known.definitions.get(job.experiment or "") == job.definition:
            yield from _overspent(job, last)
    elif job.etag == last.key + _LOST:
        if last.outcome != Outcome.LEASE_LOST or job.status not in (JobStatus.QUEUED, JobStatus.CRASHED):
            yield last.number, f"lost its lease, and is {last.outcome}, and the job is {job.status}"
    elif job.etag == last.key and job.status != JobStatus.RUNNING:
        yield last.number, f"wrote the document last when it began, and the job is {job.status}"
    for attempt in job.attempts[:-1]:
        if job.etag in (attempt.key, attempt.recorded, attempt.key + _LOST):
            yield attempt.number, f"wrote the document last, though attempt {last.number} has begun"


def _overspent(job: LedgerJob, last: LedgerAttempt) -> Iterator[Fault]:
    """Compare what the last report made of the job with budgets that never changed."""
    queued = job.status == JobStatus.QUEUED
    if last.outcome == Outcome.CRASHED and queued and job.failures >= (job.max_attempts or 1):
        yield last.number, f"was failure {job.failures}, and the job is queued, with max_attempts {job.max_attempts}"
    most = job.max_preemptions
    if last.outcome == Outcome.PREEMPTED and queued and most is not None and job.preemptions > most:
        yield last.number, f"was preemption {job.preemptions}, and the job is queued, with max_preemptions {most}"


def _budgets(job: LedgerJob, known: Knowledge) -> Iterator[Fault]:
    counted = (job.failures, job.losses, job.preemptions)
    elsewhere = sum(":" in attempt.key for attempt in job.attempts)  # where it came from it may have been retried, too
    starts = (*(job.retried or (0,)), *range(elsewhere + 1 if elsewhere else 0))
    if all(spent(job.attempts[start:]) != counted for start in starts):
        yield None, f"counts {_budget(counted)}, and its attempts have {_budget(spent(job.attempts))}"
    settled = job.definition is not None and known.definitions.get(job.experiment or "") == job.definition
    lost_last = bool(job.attempts) and job.etag == job.attempts[-1].key + _LOST
    if settled and lost_last and job.max_lost is not None:
        status = JobStatus.QUEUED if job.losses <= job.max_lost else JobStatus.CRASHED
        if job.status != status:
            yield job.attempts[-1].number, f"was lost lease {job.losses} of {job.max_lost}, and the job is {job.status}"


def _budget(counts: tuple[int, int, int]) -> str:
    return "{} failures, {} lost leases, {} preemptions".format(*counts)


def _dependencies(job: LedgerJob, _: Knowledge) -> Iterator[Fault]:
    if job.waiting != job.unfinished:
        yield None, f"waits for {counted(job.waiting, 'job')}, and {job.unfinished} of its dependencies are not DONE"
    if job.dependants != job.depending:
        yield None, f"counts {job.dependants} dependants, and has {job.depending}"


def _readiness(job: LedgerJob, known: Knowledge) -> Iterator[Fault]:
    if job.status == JobStatus.QUEUED:
        if job.due is not None and job.not_before is None:
            yield None, "is delayed, though nobody asked for that"
        if job.due is None and job.not_before is not None and job.not_before > job.asked_at + known.clock_error:
            yield None, f"can be claimed {job.not_before - job.asked_at:.0f} s before its time"
    elif job.status == JobStatus.RUNNING:
        leased = [attempt.lease is not None for attempt in job.open_attempts]
        if leased and leased[-1] != (job.due is not None):
            yield None, "has a lease that can run out" if job.due is not None else "has a lease that never runs out"
    elif job.due is not None:
        yield None, f"is {job.status}, and yet something is due"


def _explained(job: LedgerJob) -> bool:
    """Tell whether an attempt of the job's wrote its document last."""
    etag = job.etag
    return any(etag in (attempt.recorded, attempt.key, attempt.key + _LOST) for attempt in reversed(job.attempts))


def _writes(job: LedgerJob, known: Knowledge) -> Iterator[Fault]:
    if _explained(job) or proposed_by(job.id, job.etag):
        return
    event = known.writes.get(base_key(job.etag))
    if event is None:
        yield None, f"has the etag {job.etag!r}, which is that of no write"
    elif event.experiment != job.experiment or event.job not in ("", job.id):
        yield None, f"has the etag of another write: {event.verb} of {event.job!r} in {event.experiment!r}"


def _results(job: LedgerJob, known: Knowledge) -> Iterator[Fault]:
    if job.status != JobStatus.DONE:
        return
    event = known.writes.get(base_key(job.etag))
    stated = event is not None and event.verb in _STATES
    if not stated and not any(a.recorded == job.etag and a.outcome == Outcome.DONE for a in job.attempts):
        yield None, "is DONE, and neither a report nor a PUT said so"


def _tasks(job: LedgerJob, _: Knowledge) -> Iterator[Fault]:
    if job.task is None:
        if job.spec_version is not None:
            yield None, f"has no task, and comes from version {job.spec_version} of the spec"
        if job.needs:
            yield None, f"has no task, and needs number {job.needs}"
    elif job.spec_version is None:
        yield None, f"has the task {job.task!r} of no spec"
    elif job.needed is None:
        yield None, f"has the task {job.task!r}, which version {job.spec_version} of the spec has not"
    elif job.needs != job.needed:
        yield None, f"is kept under the needs number {job.needs}, and its task has number {job.needed}"


_RULES: Final[tuple[tuple[Check, Callable[[LedgerJob, Knowledge], Iterator[Fault]]], ...]] = (
    (Check.NUMBERS, _numbers),
    (Check.HOLDERS, _holders),
    (Check.OVERLAP, _overlap),
    (Check.OUTCOMES, _outcomes),
    (Check.STATUS, _status),
    (Check.BUDGETS, _budgets),
    (Check.DEPENDENCIES, _dependencies),
    (Check.READINESS, _readiness),
    (Check.WRITES, _writes),
    (Check.RESULTS, _results),
    (Check.TASKS, _tasks),
)
