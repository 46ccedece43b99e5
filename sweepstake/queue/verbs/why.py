"""Why a job is not running: what is known of it and of what is before it, in a sentence."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Final

from attrs import evolve

from sweepstake.domain.batches.records import BatchStatus
from sweepstake.domain.batches.vain import MOST_IN_VAIN
from sweepstake.domain.situation import (
    MOST_AHEAD,
    BatchSituation,
    GangSituation,
    Situation,
    VainSituation,
    Why,
    WhyReason,
)
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.plaintext import counted, listed
from sweepstake.queue.calls import ExplainJob
from sweepstake.queue.spelling import spellings
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import get_experiment
from sweepstake.queue.verbs.situation import situation
from sweepstake.queue.verbs.tasks.stopping import STOPPED

__all__ = ["explain"]


@performs(ExplainJob)
def why(store: Store, call: ExplainJob) -> Why:
    """Say why a job is not running, in commands that mean its experiment when the viewer types them."""
    name = store.at(call.name, call.id)
    with store.read() as transaction:
        found = situation(transaction, name, call.id)
        experiment = get_experiment(transaction, name)
    [spelled] = spellings(store, [experiment], call.viewer)
    return explain(found, spelled)


#: Why a job is not claimed that could be at once if the right worker asked.
_READY: Final = (WhyReason.READY, WhyReason.BEHIND)
#: How many workers, and how many characters of a reason, stand in the sentence.
_SHOWN_WORKERS: Final = 10
_SHOWN_REASON: Final = 300


def explain(situation: Situation, called: str) -> Why:
    """Say what keeps a job from running: of several things the one that would have to end first.

    Args:
        situation: what is known of it.
        called: what the reader writes to mean its experiment.
    """
    situation = evolve(situation, job=evolve(situation.job, experiment=called))
    return _EXPLAIN[situation.job.status](situation)


def _running(situation: Situation) -> Why:
    job = situation.job
    if situation.overdue is None:
        return Why(
            reason=WhyReason.UNLEASED,
            sentence=f"It was put RUNNING at {_time(job.started_at)} without a lease, as Schedy's client does, so "
            "nobody can tell whether its worker is alive; if it is not, "
            f"{_command('retry', situation)} queues the job again.",
        )
    lease = situation.last.lease if situation.last is not None else None
    heartbeat = None if lease is None else max(situation.overdue + lease, 0.0)
    if situation.overdue >= 0:
        return Why(
            reason=WhyReason.OVERDUE,
            heartbeat=heartbeat,
            sentence=f"The lease of {_worker(job.worker)} on it ran out {situation.overdue:.0f} s ago; "
            f"the next claim makes it {_after_loss(situation)}.",
        )
    since = f"since {_time(job.started_at)}, as attempt {job.attempt}"
    if situation.gang is not None:
        return Why(
            reason=WhyReason.RUNNING,
            sentence=f"{_collected(situation.gang)}: {_worker(job.worker)} has held this one {since}. "
            f"{_room(situation, situation.gang)}",
            heartbeat=heartbeat,
        )
    return Why(
        reason=WhyReason.RUNNING,
        sentence=f"It is running: {_worker(job.worker)} has held it {since}.",
        heartbeat=heartbeat,
    )


def _after_loss(situation: Situation) -> str:
    most = situation.settings.max_lost
    if situation.losses < most:
        return "QUEUED again"
    return f"CRASHED, because it has lost as many before as max_lost ({most}) allows"


def _done(situation: Situation) -> Why:
    return Why(reason=WhyReason.DONE, sentence=f"It is DONE since {_time(situation.job.ended_at)}.")


def _pruned(situation: Situation) -> Why:
    last = situation.last
    reason = (
        f" ({_headline(last.reason)})" if last is not None and last.outcome is Outcome.PRUNED and last.reason else ""
    )
    if not reason and "-stop-" in situation.job.etag:
        reason = f" ({STOPPED})"
    when = _time(situation.job.ended_at)
    return Why(
        reason=WhyReason.PRUNED,
        sentence=f"It was PRUNED at {when}{reason}; {_command('retry', situation)} queues it again.",
    )


def _crashed(situation: Situation) -> Why:
    story = _crash(situation)
    again = f"{_command('retry', situation)} queues it again, with new budgets"
    return Why(reason=WhyReason.CRASHED, sentence=f"It is CRASHED: {story}; {again}.")


def _crash(situation: Situation) -> str:
    last, settings = situation.last, situation.settings
    outcome = None if last is None else last.outcome
    if last is None or outcome not in (Outcome.CRASHED, Outcome.LEASE_LOST, Outcome.PREEMPTED):
        return "somebody stated so"
    if outcome is Outcome.LEASE_LOST:
        return f"its lease was lost {_times(situation.losses)}, and max_lost is {settings.max_lost}"
    if outcome is Outcome.PREEMPTED:
        return f"it was preempted {_times(situation.preemptions)}, and max_preemptions is {settings.max_preemptions}"
    ended = f", the last time with: {_headline(last.reason)}" if last.reason else ""
    if situation.failures < settings.max_attempts and settings.no_retry_on:
        return f"it failed in a way that no_retry_on names{ended}"
    return f"it failed {_times(situation.failures)}, and max_attempts is {settings.max_attempts}{ended}"


def _queued(situation: Situation) -> Why:
    why, batch = _not_claimed(situation), situation.batch
    if batch is None:
        return why if situation.vain is None else evolve(why, sentence=f"{why.sentence} {_vain(situation.vain)}")
    by = _by(batch, situation.now)
    if why.reason in _READY or (why.reason is WhyReason.UNMET and batch.status is not BatchStatus.BEGUN):
        why = evolve(why, reason=WhyReason.READY, sentence=f"It is ready, and {by}.")
    else:
        why = evolve(why, sentence=f"{why.sentence} Then {by}.")
    return evolve(why, batch=batch.id, expected_at=batch.expected_at)


def _by(batch: BatchSituation, now: float) -> str:
    """Say which batch runs a job, and when."""
    if batch.status is BatchStatus.INTENDED:
        return (
            f"the batch {batch.id} will run it, which was to be submitted to {batch.backend} at {_time(batch.since)}: "
            "nothing was heard of that yet"
        )
    allocation = f"its allocation {batch.jobid} of {batch.backend}"
    if batch.status is BatchStatus.BEGUN:
        at = batch.expected_at
        was = "is" if at is None or at >= now else "was"
        when = "" if at is None else f" and {was} expected to start it at {_time(at)}"
        return f"the batch {batch.id} will run it: {allocation} has run since {_time(batch.since)}{when}"
    words = ": ".join(filter(None, (batch.allocation, _headline(batch.reason))))
    when = "" if batch.start is None else f" and starts it {_duration(batch.start)} after it begins"
    return f"the batch {batch.id} will run it: {allocation} waits{f' ({words})' if words else ''}{when}"


def _vain(vain: VainSituation) -> str:
    """Say why a job is in no batch any more."""
    longer = vain.needs is not None and vain.needs > vain.given
    needs = _duration(vain.needs) if vain.needs is not None and longer else "more"
    return (
        f"Batches leave it out: it needs {needs}, allocations give {_duration(vain.given)}, and the last "
        f"{MOST_IN_VAIN} attempts ended with their allocations without a new checkpoint. Ask for longer ones (--time), "
        "or let it save checkpoints."
    )


def _not_claimed(situation: Situation) -> Why:
    """Say why a queued job is not claimed, whoever would."""
    job = situation.job
    if situation.status is ExperimentStatus.DONE:
        resume = f"`sweepstake resume {_words(job.experiment)}`"
        return Why(
            reason=WhyReason.PAUSED,
            sentence=f"Its experiment is DONE: it was paused, or its search is complete; {resume} lets it go on.",
        )
    if job.waiting:
        return _blocked(situation)
    if job.not_before is not None and job.not_before > situation.now:
        wait = job.not_before - situation.now
        after = f" after it failed {_times(situation.failures)}" if situation.failures else ""
        return Why(
            reason=WhyReason.DELAYED,
            sentence=f"It is delayed{after}, until {_time(job.not_before)}, for {_duration(wait)} more."
            + (f" {_room(situation, situation.gang)}" if situation.gang is not None else ""),
        )
    most = situation.settings.max_running
    if most is not None and situation.running >= most:
        return Why(
            reason=WhyReason.AT_LIMIT,
            sentence=f"{counted(situation.running, 'job')} of its experiment {_are(situation.running)} RUNNING"
            f"{_held_by(situation.workers)}, and max_running is {most}.",
            workers=situation.workers,
        )
    return _ready(situation)


def _blocked(situation: Situation) -> Why:
    blockers = [f"{each.id} ({each.status})" for each in situation.blockers]
    names = f": {listed(blockers, situation.job.waiting)}" if blockers else ""
    ended = any(each.status in (JobStatus.CRASHED, JobStatus.PRUNED) for each in situation.blockers)
    stuck = "; what is CRASHED or PRUNED stays so until somebody retries it" if ended else ""
    waits = counted(situation.job.waiting, "job")
    return Why(
        reason=WhyReason.BLOCKED,
        sentence=f"It waits for {waits} that {_are(situation.job.waiting)} not DONE{names}{stuck}.",
        blockers=situation.blockers,
    )


def _ready(situation: Situation) -> Why:
    if situation.unmet is not None:
        start = f": start one, such as {_start(situation)}" if situation.live == 0 else ""
        return Why(reason=WhyReason.UNMET, sentence=f"It {situation.unmet}{start}.", ahead=situation.ahead)
    if situation.gang is not None and (sentence := _waits_with_gang(situation, situation.gang)):
        return Why(
            reason=WhyReason.UNMET if situation.gang.places < situation.gang.jobs else WhyReason.READY,
            sentence=sentence,
            ahead=situation.ahead,
            workers=situation.workers,
        )
    busy = len(situation.workers)
    if situation.ahead:
        reason = WhyReason.BEHIND
        most = "at least " if situation.ahead >= MOST_AHEAD else ""
        place = f"It is ready, and {most}{counted(situation.ahead, 'job')} {_are(situation.ahead)} claimed before it"
    else:
        reason = WhyReason.READY
        place = "It is ready, and the next to be claimed"
    if busy:
        rest = f"; {counted(busy, 'worker')} {_are(busy)} busy with jobs of its experiment{_held_by(situation.workers)}"
    else:
        rest = f", but no worker is alive that runs jobs of its experiment: start one, such as {_start(situation)}"
    return Why(reason=reason, sentence=f"{place}{rest}.", ahead=situation.ahead, workers=situation.workers)


def _start(situation: Situation) -> str:
    """Return the command that starts a worker for a job."""
    words = _words(situation.job.experiment)
    if situation.job.task is None:
        return f"`sweepstake run {words}{'' if words.startswith('-') else ' --'} COMMAND`"
    labels = "".join(f" --label {shlex.quote(f'{each.name}={each.value}')}" for each in situation.labels)
    return f"`sweepstake worker{labels} {words}`"


def _waits_with_gang(situation: Situation, gang: GangSituation) -> str | None:
    """Say what keeps a ready job of a gang from running, if it is the gang."""
    if gang.before is not None:
        return f"It is ready, and its gang {gang.name} collects its jobs once the gang {gang.before} has begun."
    if gang.held:
        return f"{_collected(gang)}, and this one is ready. {_room(situation, gang)}"
    return f"It is ready. {_room(situation, gang)}" if gang.places < gang.jobs else None


def _collected(gang: GangSituation) -> str:
    return f"{gang.held} of the {gang.jobs} jobs of its gang {gang.name} {_are(gang.held)} claimed"


def _room(situation: Situation, gang: GangSituation) -> str:
    """Say which room a gang waits for."""
    wanted = f"needs {gang.needs} for each of {counted(gang.jobs, 'job')} at once"
    live = situation.live or 0
    has = f"{counted(live, 'live worker')} {'has' if live == 1 else 'have'}"
    if gang.places >= gang.jobs:
        return f"The gang {wanted}, which {has}: it waits for what runs there to end."
    most = f"that for {counted(gang.places, 'job')}" if gang.places else "none of that"
    return f"The gang {wanted}; {has} {most}: start another, such as {_start(situation)}."


_EXPLAIN: Final = {
    JobStatus.QUEUED: _queued,
    JobStatus.RUNNING: _running,
    JobStatus.DONE: _done,
    JobStatus.CRASHED: _crashed,
    JobStatus.PRUNED: _pruned,
}


def _command(verb: str, situation: Situation) -> str:
    return f"`sweepstake {verb} {_words(situation.job.experiment, situation.job.id)}`"


def _words(*names: str) -> str:
    """Return names as words of a command, none of which it takes for an option."""
    words = " ".join(map(shlex.quote, names))
    return f"-- {words}" if any(name.startswith("-") for name in names) else words


def _worker(name: str | None) -> str:
    return name or "a worker without a name"


def _held_by(workers: tuple[str, ...]) -> str:
    if not workers:
        return ""
    return f" ({listed([_worker(each) for each in workers[:_SHOWN_WORKERS]], len(workers))})"


def _headline(reason: str) -> str:
    """Return the line of a reason that says most: of a traceback the last."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    if not lines:
        return ""
    line = lines[-1] if "Traceback" in lines[0] else lines[0]
    return line if len(line) <= _SHOWN_REASON else f"{line[:_SHOWN_REASON]}..."


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds").replace("+00:00", " UTC")


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.1f} s"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")
