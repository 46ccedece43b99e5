"""Why a job is not running: each reason has its sentence."""

from typing import Any

import attrs
import pytest

from sweepstake.domain.batches.records import AllocationState, BatchStatus
from sweepstake.domain.records import AttemptRecord, Dependency, JobRecord
from sweepstake.domain.settings import Settings
from sweepstake.domain.situation import MOST_AHEAD, BatchSituation, GangSituation, Situation, WhyReason
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.domain.tasks.needs import WorkerLabel
from sweepstake.queue.verbs.why import explain
from sweepstake.values import EMPTY

#: 2027-01-15 08:00:00 UTC.
NOW = 1_800_000_000.0
TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 3\nValueError: loss is NaN\n'


def job(status: JobStatus = JobStatus.QUEUED, **known: Any) -> JobRecord:
    """Make a job `j` of the experiment `mnist`."""
    made = JobRecord(
        experiment="mnist",
        id="j",
        status=status,
        hyperparameters=EMPTY,
        results=EMPTY,
        etag="e",
        seq=7,
        started_at=NOW - 90,
        ended_at=NOW - 30,
    )
    return attrs.evolve(made, **known)


def situation(of: JobRecord, settings: Settings | None = None, **known: Any) -> Situation:
    """Make the situation of a job at NOW, in an experiment that runs."""
    before = Situation(job=of, now=NOW, overdue=None, status=ExperimentStatus.RUNNING, settings=settings or Settings())
    return attrs.evolve(before, **known)


def ended(outcome: Outcome, reason: str = "") -> AttemptRecord:
    """Make the latest attempt of a job."""
    begun = AttemptRecord(number=2, key="k", worker="w", lease=60.0, started_at=NOW - 90)
    return attrs.evolve(begun, ended_at=NOW - 30, outcome=outcome, reason=reason)


RUNNING = job(JobStatus.RUNNING, worker="node:1", attempt=2)
CRASHED = job(JobStatus.CRASHED)
RETRY = "`sweepstake retry mnist j` queues it again"

#: What is known, the reason, and the whole sentence.
SENTENCES: dict[str, tuple[Situation, WhyReason, str]] = {
    "running": (
        situation(RUNNING, overdue=-20.0),
        WhyReason.RUNNING,
        "It is running: node:1 has held it since 2027-01-15 07:58:30 UTC, as attempt 2.",
    ),
    "overdue": (
        situation(RUNNING, overdue=12.3, losses=2),
        WhyReason.OVERDUE,
        "The lease of node:1 on it ran out 12 s ago; the next claim makes it QUEUED again.",
    ),
    "overdue once too often": (
        situation(RUNNING, overdue=0.0, losses=3),
        WhyReason.OVERDUE,
        (
            "The lease of node:1 on it ran out 0 s ago; the next claim makes it CRASHED, because it has lost as many "
            "before as max_lost (3) allows."
        ),
    ),
    "without a lease": (
        situation(job(JobStatus.RUNNING)),
        WhyReason.UNLEASED,
        (
            "It was put RUNNING at 2027-01-15 07:58:30 UTC without a lease, as Schedy's client does, so nobody can "
            "tell whether its worker is alive; if it is not, `sweepstake retry mnist j` queues the job again."
        ),
    ),
    "done": (situation(job(JobStatus.DONE)), WhyReason.DONE, "It is DONE since 2027-01-15 07:59:30 UTC."),
    "added as done": (
        situation(job(JobStatus.DONE, ended_at=None)),
        WhyReason.DONE,
        "It is DONE since an unknown time.",
    ),
    "pruned": (
        situation(job(JobStatus.PRUNED), last=ended(Outcome.PRUNED, "pruned from outside")),
        WhyReason.PRUNED,
        f"It was PRUNED at 2027-01-15 07:59:30 UTC (pruned from outside); {RETRY}.",
    ),
    "stopped before it ran": (
        situation(job(JobStatus.PRUNED, etag="w0-stop-3")),
        WhyReason.PRUNED,
        f"It was PRUNED at 2027-01-15 07:59:30 UTC (stopped); {RETRY}.",
    ),
    "of a task that nobody can run": (
        situation(job(task="train"), unmet="needs 2 GPUs; of 3 live workers none has more than 1"),
        WhyReason.UNMET,
        "It needs 2 GPUs; of 3 live workers none has more than 1.",
    ),
    "pruned before it ran": (
        situation(job(JobStatus.PRUNED)),
        WhyReason.PRUNED,
        f"It was PRUNED at 2027-01-15 07:59:30 UTC; {RETRY}.",
    ),
    "crashed": (
        situation(CRASHED, Settings(max_attempts=2), last=ended(Outcome.CRASHED, TRACEBACK), failures=2),
        WhyReason.CRASHED,
        (
            "It is CRASHED: it failed twice, and max_attempts is 2, the last time with: ValueError: loss is NaN; "
            f"{RETRY}, with new budgets."
        ),
    ),
    "crashed with an exit code": (
        situation(CRASHED, last=ended(Outcome.CRASHED, "exit code 3\nloading\nno such file"), failures=1),
        WhyReason.CRASHED,
        (
            f"It is CRASHED: it failed once, and max_attempts is 1, the last time with: exit code 3; {RETRY}, with new "
            "budgets."
        ),
    ),
    "crashed for good": (
        situation(
            CRASHED,
            Settings(max_attempts=5, no_retry_on=["ValueError"]),
            last=ended(Outcome.CRASHED, TRACEBACK),
            failures=1,
        ),
        WhyReason.CRASHED,
        (
            "It is CRASHED: it failed in a way that no_retry_on names, the last time with: ValueError: loss is NaN; "
            f"{RETRY}, with new budgets."
        ),
    ),
    "lost": (
        situation(CRASHED, last=ended(Outcome.LEASE_LOST), losses=4),
        WhyReason.CRASHED,
        f"It is CRASHED: its lease was lost 4 times, and max_lost is 3; {RETRY}, with new budgets.",
    ),
    "preempted": (
        situation(CRASHED, Settings(max_preemptions=1), last=ended(Outcome.PREEMPTED), preemptions=2),
        WhyReason.CRASHED,
        f"It is CRASHED: it was preempted twice, and max_preemptions is 1; {RETRY}, with new budgets.",
    ),
    "put crashed": (
        situation(CRASHED),
        WhyReason.CRASHED,
        f"It is CRASHED: somebody stated so; {RETRY}, with new budgets.",
    ),
    "paused": (
        situation(job(experiment="my sweep"), status=ExperimentStatus.DONE, ahead=3),
        WhyReason.PAUSED,
        (
            "Its experiment is DONE: it was paused, or its search is complete; `sweepstake resume 'my sweep'` lets it "
            "go on."
        ),
    ),
    "blocked": (
        situation(job(waiting=1), blockers=(Dependency(id="a", status=JobStatus.RUNNING),)),
        WhyReason.BLOCKED,
        "It waits for 1 job that is not DONE: a (RUNNING).",
    ),
    "blocked for ever": (
        situation(
            job(waiting=12),
            blockers=(Dependency(id="a", status=JobStatus.QUEUED), Dependency(id="b", status=JobStatus.CRASHED)),
        ),
        WhyReason.BLOCKED,
        (
            "It waits for 12 jobs that are not DONE: a (QUEUED), b (CRASHED) and 10 more; what is CRASHED or PRUNED "
            "stays so until somebody retries it."
        ),
    ),
    "delayed": (
        situation(job(not_before=NOW + 90.0)),
        WhyReason.DELAYED,
        "It is delayed, until 2027-01-15 08:01:30 UTC, for 90.0 s more.",
    ),
    "delayed by failures": (
        situation(job(not_before=NOW + 7200.0), failures=2),
        WhyReason.DELAYED,
        "It is delayed after it failed twice, until 2027-01-15 10:00:00 UTC, for 2 h more.",
    ),
    "at the limit": (
        situation(job(), Settings(max_running=2), running=2, workers=("node:1", "node:2")),
        WhyReason.AT_LIMIT,
        "2 jobs of its experiment are RUNNING (node:1, node:2), and max_running is 2.",
    ),
    "behind": (
        situation(job(), ahead=1, workers=("node:1",), running=1),
        WhyReason.BEHIND,
        "It is ready, and 1 job is claimed before it; 1 worker is busy with jobs of its experiment (node:1).",
    ),
    "far behind": (
        situation(job(), ahead=MOST_AHEAD),
        WhyReason.BEHIND,
        (
            "It is ready, and at least 1,000 jobs are claimed before it, but no worker is alive that runs jobs of its "
            "experiment: start one, such as `sweepstake run mnist -- COMMAND`."
        ),
    ),
    "ready": (
        situation(job(not_before=NOW - 1.0)),
        WhyReason.READY,
        (
            "It is ready, and the next to be claimed, but no worker is alive that runs jobs of its experiment: start "
            "one, such as `sweepstake run mnist -- COMMAND`."
        ),
    ),
    "next": (
        situation(job(), Settings(max_running=20), workers=tuple(f"w{i}" for i in range(12)), running=12),
        WhyReason.READY,
        (
            "It is ready, and the next to be claimed; 12 workers are busy with jobs of its experiment "
            "(w0, w1, w2, w3, w4, w5, w6, w7, w8, w9 and 2 more)."
        ),
    ),
}

#: A job of a task with replicas.
REPLICA = job(task="train", gang="g", rank=1)
#: A gang of four, of which one is claimed, and for two of which there is room.
GANG = GangSituation(name="g", jobs=4, held=1, needs="1 GPU", places=2)
ANOTHER = "start another, such as `sweepstake worker mnist`"
SENTENCES |= {
    "nobody lives": (
        situation(
            job(task="train"),
            unmet="needs cluster a b; no worker is alive that says what it has",
            live=0,
            labels=(WorkerLabel(name="cluster", value="a b"),),
        ),
        WhyReason.UNMET,
        (
            "It needs cluster a b; no worker is alive that says what it has: start one, such as "
            "`sweepstake worker --label 'cluster=a b' mnist`."
        ),
    ),
    "half a gang": (
        situation(attrs.evolve(RUNNING, task="train", gang="g", rank=0), overdue=-20.0, live=2, gang=GANG),
        WhyReason.RUNNING,
        (
            "1 of the 4 jobs of its gang g is claimed: node:1 has held this one since 2027-01-15 07:58:30 UTC, as "
            "attempt 2. The gang needs 1 GPU for each of 4 jobs at once; 2 live workers have that for 2 jobs: "
            f"{ANOTHER}."
        ),
    ),
    "the other half of it": (
        situation(REPLICA, live=1, gang=attrs.evolve(GANG, held=2, places=4)),
        WhyReason.READY,
        (
            "2 of the 4 jobs of its gang g are claimed, and this one is ready. The gang needs 1 GPU for each of 4 jobs "
            "at once, which 1 live worker has: it waits for what runs there to end."
        ),
    ),
    "a gang without room": (
        situation(REPLICA, live=1, gang=attrs.evolve(GANG, held=0, places=1)),
        WhyReason.UNMET,
        f"It is ready. The gang needs 1 GPU for each of 4 jobs at once; 1 live worker has that for 1 job: {ANOTHER}.",
    ),
    "a gang that rests": (
        situation(attrs.evolve(REPLICA, not_before=NOW + 9), live=1, gang=attrs.evolve(GANG, held=0)),
        WhyReason.DELAYED,
        (
            "It is delayed, until 2027-01-15 08:00:09 UTC, for 9.0 s more. The gang needs 1 GPU for each of 4 jobs at "
            f"once; 1 live worker has that for 2 jobs: {ANOTHER}."
        ),
    ),
    "a gang behind another": (
        situation(REPLICA, live=4, gang=attrs.evolve(GANG, held=0, places=4, before="f")),
        WhyReason.READY,
        "It is ready, and its gang g collects its jobs once the gang f has begun.",
    ),
    "a gang that has room": (
        situation(REPLICA, live=4, workers=("node:1",), gang=attrs.evolve(GANG, held=0, places=4)),
        WhyReason.READY,
        "It is ready, and the next to be claimed; 1 worker is busy with jobs of its experiment (node:1).",
    ),
}
#: The batch that a job is in, as its allocation waits.
BATCH = BatchSituation(
    id="4f00",
    backend="slurm",
    status=BatchStatus.SUBMITTED,
    jobid="12_3",
    allocation=AllocationState.PENDING,
    reason="Resources",
    since=NOW - 60,
    start=600.0,
)
BEGUN = attrs.evolve(BATCH, status=BatchStatus.BEGUN, allocation=AllocationState.RUNNING, reason="")
HAS = "the batch 4f00 will run it: its allocation 12_3 of slurm"
SINCE = "has run since 2027-01-15 07:59:00 UTC"
#: What is known of the batch, and what is told of it beside that the job is ready.
BATCHES: dict[str, tuple[BatchSituation, str]] = {
    "intended": (
        attrs.evolve(BATCH, status=BatchStatus.INTENDED, jobid=None, allocation=None, reason=""),
        (
            "the batch 4f00 will run it, which was to be submitted to slurm at 2027-01-15 07:59:00 UTC: nothing was "
            "heard of that yet"
        ),
    ),
    "submitted": (BATCH, f"{HAS} waits (PENDING: Resources) and starts it 10 min after it begins"),
    "of which nothing is said": (
        attrs.evolve(BATCH, allocation=None, reason="", start=None),
        f"{HAS} waits",
    ),
    "begun": (BEGUN, f"{HAS} {SINCE} and is expected to start it at 2027-01-15 08:09:00 UTC"),
    "begun without a plan": (attrs.evolve(BEGUN, start=None), f"{HAS} {SINCE}"),
    "late": (
        attrs.evolve(BEGUN, start=30.0),
        f"{HAS} {SINCE} and was expected to start it at 2027-01-15 07:59:30 UTC",
    ),
}


@pytest.mark.parametrize("case", BATCHES)
def test_a_job_of_a_batch_is_told_of_it(case: str) -> None:
    """Instead of how many are before it, and behind what else it waits for."""
    batch, told = BATCHES[case]
    ready = explain(situation(job(), ahead=3, batch=batch), "mnist")
    assert (ready.reason, ready.sentence) == (WhyReason.READY, f"It is ready, and {told}.")
    assert (ready.batch, ready.expected_at) == ("4f00", batch.expected_at)
    delayed = explain(situation(job(not_before=NOW + 9), batch=batch), "mnist")
    assert (delayed.reason, delayed.batch) == (WhyReason.DELAYED, "4f00")
    assert delayed.sentence.endswith(f"for 9.0 s more. Then {told}.")


def test_a_task_that_fits_no_worker_waits_for_its_batch() -> None:
    """Until the batch has begun: then its worker is one of those that it does not fit."""
    known = situation(job(task="train"), unmet="needs 8 GPUs, and no live worker has more than 2", live=1, batch=BATCH)
    assert explain(known, "mnist").reason is WhyReason.READY
    misfit = explain(attrs.evolve(known, batch=BEGUN), "mnist")
    assert misfit.reason is WhyReason.UNMET
    assert misfit.sentence.startswith("It needs 8 GPUs, and no live worker has more than 2. Then the batch 4f00")


@pytest.mark.parametrize("case", SENTENCES)
def test_every_reason_has_its_sentence(case: str) -> None:
    """The sentence says what holds, by how much, and what would change it."""
    known, reason, sentence = SENTENCES[case]
    why = explain(known, known.job.experiment)
    assert (why.reason, why.sentence) == (reason, sentence)
    assert str(why) == sentence


def test_every_reason_is_told() -> None:
    """There is no reason without a sentence in this file."""
    assert {reason for _, reason, _ in SENTENCES.values()} == set(WhyReason)


def test_what_would_have_to_end_first_is_told() -> None:
    """Of a paused experiment's blocked, delayed job at the limit, one obstacle after the other goes."""
    known = situation(
        job(waiting=1, not_before=NOW + 9),
        Settings(max_running=1),
        status=ExperimentStatus.DONE,
        blockers=(Dependency(id="a", status=JobStatus.QUEUED),),
        running=1,
        ahead=4,
    )
    told = []
    for change in (
        {},
        {"status": ExperimentStatus.RUNNING},
        {"job": job(not_before=NOW + 9)},
        {"job": job()},
        {"running": 0},
        {"ahead": 0},
    ):
        known = attrs.evolve(known, **change)
        told.append(explain(known, "mnist").reason)
    assert told == [
        WhyReason.PAUSED,
        WhyReason.BLOCKED,
        WhyReason.DELAYED,
        WhyReason.AT_LIMIT,
        WhyReason.BEHIND,
        WhyReason.READY,
    ]


def test_a_long_reason_is_cut() -> None:
    """One sentence stays one, whatever the exception says."""
    known = situation(CRASHED, last=ended(Outcome.CRASHED, "x" * 10_000), failures=1)
    assert len(explain(known, "mnist").sentence) < 500
