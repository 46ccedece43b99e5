"""Gangs: the replicas of a task begin together or not at all."""

from typing import Any

import pytest
from attrs import evolve

from sweepstake.domain.records import Claim, ExperimentDraft, Guard, NoJob
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome, Signal
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from sweepstake.domain.workers import WorkerReport
from sweepstake.errors import InvalidInputError
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, draft, eventually, new_key, spec

REPLICAS = {"name": "train", "replicas": 2, "resources": {"gpuCount": 1}}
TIMED = {**REPLICAS, "name": "timed", "synchronizedStartTimeout": "50ms"}
ONE = Offer(cpu=1, gpu=1)


def add_gang(lab: Lab, gang: str, task: str = "train", count: int = 2, priority: int = 0) -> None:
    """Add the jobs of a gang, `GANG 0` the first."""
    lab.add(*(draft(f"{gang} {rank}", task=task, gang=gang, rank=rank, priority=priority) for rank in range(count)))


def claim(lab: Lab, offer: Offer = ONE, worker: str = "w") -> Claim | None:
    """Claim a job for an offer."""
    found = lab.queue.claim(lab.name, worker, offer=offer)
    return found if isinstance(found, Claim) else None


def claimed(lab: Lab, offer: Offer = ONE) -> str | None:
    """Claim a job for an offer, and return its id."""
    found = claim(lab, offer)
    return None if found is None else found.job.id


@pytest.fixture
def gangs(lab: Lab) -> Lab:
    """An experiment whose task has two replicas."""
    lab.queue.put_spec(lab.name, spec(REPLICAS, {"name": "plain"}, TIMED))
    return lab


def test_a_gang_begins_when_all_are_claimed(gangs: Lab) -> None:
    """Until then each waits; its jobs are known with their workers and hosts."""
    add_gang(gangs, "g")
    name = new_key()
    here = Offer(cpu=1, gpu=1, labels=(WorkerLabel(name="hostname", value="node-1"),))
    gangs.queue.heartbeat_of(WorkerReport(name=name, slots=here, free=here))
    first = claim(gangs, worker=name)
    assert first is not None
    assert (first.job.gang, first.job.rank) == ("g", 0)
    gang = gangs.queue.get_gang(gangs.name, "g 0")
    assert [(each.id, each.rank, each.status) for each in gang.members] == [("g 0", 0, "RUNNING"), ("g 1", 1, "QUEUED")]
    assert not gang.together
    assert claimed(gangs) == "g 1"
    for job in ("g 0", "g 1"):
        gang = gangs.queue.get_gang(gangs.name, job)
        assert gang.together
        assert [(each.worker, each.hostname) for each in gang.members] == [(name, "node-1"), ("w", None)]
    gangs.queue.heartbeat_of(WorkerReport(name=name, slots=here, free=here, leaves=True))


def test_one_worker_takes_a_gang_at_once(gangs: Lab) -> None:
    """If it has room for all."""
    add_gang(gangs, "g")
    found = gangs.queue.claim_jobs(gangs.name, "w", 4, offer=Offer(cpu=2, gpu=2)).claims
    assert [each.job.id for each in found] == ["g 0", "g 1"]
    assert gangs.queue.get_gang(gangs.name, "g 0").together


def test_only_one_gang_collects(gangs: Lab) -> None:
    """The others wait until it is complete, whatever their priority; what is no gang does not."""
    add_gang(gangs, "a")
    assert claimed(gangs) == "a 0"
    add_gang(gangs, "b", priority=1)
    gangs.add(draft("single", task="plain"))
    assert claimed(gangs, Offer(cpu=1)) == "single"
    assert [claimed(gangs) for _ in range(4)] == ["a 1", "b 0", "b 1", None]


def test_a_gang_that_comes_after_another_is_worth_waiting_for(lab: Lab) -> None:
    """Whoever has room for it, and not for the one that collects, is not told that it lacks what jobs need."""
    lab.queue.put_spec(lab.name, spec(REPLICAS, {"name": "plain", "replicas": 2}))
    add_gang(lab, "a")
    add_gang(lab, "b", "plain")
    assert claimed(lab) == "a 0"
    small = Offer(cpu=1)
    assert lab.queue.claim(lab.name, "w", offer=small) == NoJob(NoJobReason.BLOCKED)
    assert lab.queue.claim_jobs(lab.name, "w", 2, offer=small, slots=small).reason is NoJobReason.BLOCKED
    assert claimed(lab) == "a 1"
    assert claimed(lab, small) == "b 0"
    assert lab.queue.claim(lab.name, "w", offer=Offer()) == NoJob(NoJobReason.UNMET)


def test_why_says_which_gang_waits_for_which_room(gangs: Lab) -> None:
    """Of each job of it, claimed or not, and of a gang that comes after it; of one that has begun nothing more."""
    add_gang(gangs, "a")
    add_gang(gangs, "b")
    large = Offer(cpu=1, gpu=1, labels=(WorkerLabel(name="room", value=new_key()),))
    workers = [WorkerReport(name=new_key(), slots=large, free=large) for _ in range(2)]
    for report in workers:
        gangs.queue.heartbeat_of(report)
    assert gangs.why("a 0").sentence.startswith("It is ready, and the next to be claimed")
    assert claimed(gangs) == "a 0"
    wanted = "The gang needs 1 GPU, 1 CPU for each of 2 jobs at once, which "
    half = "1 of the 2 jobs of its gang a is claimed"
    for job in ("a 0", "a 1"):
        assert gangs.why(job).sentence.startswith(half)
        assert wanted in gangs.why(job).sentence
    assert gangs.why("b 0").sentence == "It is ready, and its gang b collects its jobs once the gang a has begun."
    assert claimed(gangs) == "a 1"
    assert gangs.why("a 0").sentence.startswith("It is running: ")
    for report in workers:
        gangs.queue.heartbeat_of(evolve(report, leaves=True))


def test_a_job_without_a_gang_may_begin(gangs: Lab) -> None:
    """At once."""
    gangs.add(draft("single", task="plain"))
    gang = gangs.queue.get_gang(gangs.name, "single")
    assert (gang.together, gang.members) == (True, ())


def test_a_gang_that_is_not_complete_in_time_is_crashed(gangs: Lab) -> None:
    """All of it, with the reason, also what nobody had claimed; the next gang can begin."""
    add_gang(gangs, "g", "timed")
    add_gang(gangs, "h")
    gangs.add(draft("after", depends_on=("g 1",), prune_with=True))
    assert claimed(gangs) == "g 0"

    def over() -> bool:
        return gangs.queue.get_gang(gangs.name, "g 0").members[0].status is JobStatus.CRASHED

    eventually(over)
    assert [gangs.job(job).status for job in ("g 0", "g 1")] == [JobStatus.CRASHED] * 2
    assert gangs.job("after").status is JobStatus.PRUNED
    (attempt,) = gangs.attempts("g 0")
    assert (attempt.outcome, attempt.reason) == (Outcome.CRASHED, "the gang was not complete within 0.05 s")
    assert [claimed(gangs), claimed(gangs)] == ["h 0", "h 1"]


def test_a_gang_is_tried_again_if_the_experiment_allows_it(queue: Queue) -> None:
    """What was claimed is queued again, and counts as one failure."""
    lab = Lab.new(queue, max_attempts=2)
    queue.put_spec(lab.name, spec(TIMED))
    add_gang(lab, "g", "timed")
    assert claimed(lab) == "g 0"
    eventually(lambda: queue.get_gang(lab.name, "g 0").members[0].status is JobStatus.QUEUED)
    assert lab.job("g 1").status is JobStatus.QUEUED
    first, second = queue_of(lab)  # in one call, so that none of them has to wait
    assert [first.job.id, second.job.id] == ["g 0", "g 1"]
    assert queue.get_gang(lab.name, "g 1").together


def test_a_replica_that_is_tried_again_joins_the_others(queue: Queue) -> None:
    """If the task does not say that they end with it."""
    lab = Lab.new(queue, max_attempts=2)
    queue.put_spec(lab.name, spec(REPLICAS))
    add_gang(lab, "g")
    first, _ = queue.claim_jobs(lab.name, "w", 2, offer=Offer(cpu=2, gpu=2)).claims
    lab.finish(first, Outcome.CRASHED)
    assert queue.get_gang(lab.name, "g 0").members[0].status is not JobStatus.RUNNING
    assert claimed(lab) == "g 0"
    assert queue.get_gang(lab.name, "g 0").together


def test_only_replicas_are_in_gangs(gangs: Lab) -> None:
    """Each with a rank below their number, and all others without."""
    for wrong in ({"task": "plain", "gang": "g", "rank": 0}, {"gang": "g"}, {"task": "train"}):
        with pytest.raises(InvalidInputError, match="gang"):
            gangs.add(draft(**wrong))
    with pytest.raises(InvalidInputError, match="rank from 0 to 1"):
        gangs.add(draft(task="train", gang="g", rank=2))


def test_a_gang_is_added_whole(gangs: Lab) -> None:
    """Half of one would wait for jobs that nobody adds, and a second of its name would be taken for it."""
    first, second = draft(task="train", gang="g", rank=0), draft(task="train", gang="g", rank=1)
    half = r"jobs\[0\].gang: must be whole: 2 jobs of the task 'train' in this call, with the ranks 0 to 1"
    for wrong in (
        [first],
        [first, draft(task="train", gang="g", rank=0)],
        [first, draft(task="timed", gang="g", rank=1)],
    ):
        with pytest.raises(InvalidInputError, match=half):
            gangs.add(*wrong)
    again = r"jobs\[0\].gang: must be another: there is a gang 'g' already"
    with pytest.raises(InvalidInputError, match=again):
        gangs.add(first, second, draft(task="train", gang="g", rank=1))
    gangs.add(first, second)
    with pytest.raises(InvalidInputError, match=again):
        add_gang(gangs, "g")
    assert len(gangs.jobs()) == 2


FEELING = {**REPLICAS, "name": "feeling", "propagateFailure": True, "propagatePreemption": True}


def begun(queue: Queue, task: dict[str, object], **settings: Any) -> tuple[Lab, Claim, Claim]:
    """Return an experiment in which a gang has begun, and a single job runs."""
    lab = Lab.new(queue, **settings)
    queue.put_spec(lab.name, spec(task, {"name": "plain"}))
    add_gang(lab, "g", str(task["name"]))
    first, second = queue.claim_jobs(lab.name, "w", 2, offer=Offer(cpu=2, gpu=2)).claims
    assert queue.get_gang(lab.name, "g 0").together
    return lab, first, second


@pytest.mark.parametrize("outcome", [Outcome.PREEMPTED, Outcome.RELEASED])
def test_a_gang_begins_anew_when_one_of_it_is_to_run_again(queue: Queue, outcome: Outcome) -> None:
    """If its task propagates preemption: the others lose theirs, and all wait for each other again."""
    lab, first, second = begun(queue, FEELING)
    lab.finish(first, outcome)
    assert lab.beat(second) is Signal.LOST
    assert [attempt.outcome for attempt in lab.attempts("g 1")] == [Outcome.PREEMPTED]
    assert claimed(lab) == "g 0"
    assert not queue.get_gang(lab.name, "g 0").together
    assert claimed(lab) == "g 1"
    assert queue.get_gang(lab.name, "g 0").together


def test_a_gang_begins_anew_when_the_worker_of_one_dies(queue: Queue) -> None:
    """Whoever asks after the gang finds out, though nobody claims."""
    lab = Lab.new(queue)
    queue.put_spec(lab.name, spec(FEELING))
    add_gang(lab, "g", "feeling")
    lives = claim(lab)
    assert lives is not None
    record = lab.record()
    soon = ExperimentDraft(search=record.search, settings=evolve(record.settings, lease=0.1))
    queue.put_experiment(lab.name, soon, guard=Guard.match(record.etag), key=new_key())
    assert claimed(lab) == "g 1"
    eventually(lambda: bool(queue.get_gang(lab.name, "g 0").members) and lab.beat(lives) is Signal.LOST)
    (attempt,) = lab.attempts("g 0")
    assert (attempt.outcome, attempt.reason) == (Outcome.PREEMPTED, "feeling lost its worker")


def test_a_failure_that_is_tried_again_begins_its_gang_anew(queue: Queue) -> None:
    """If its task propagates failure; the last failure stops the others, too."""
    lab, first, second = begun(queue, FEELING, max_attempts=2)
    lab.finish(first, Outcome.CRASHED)
    assert lab.beat(second) is Signal.LOST
    first, second = queue_of(lab)
    lab.finish(second, Outcome.CRASHED)
    lab.finish(first, Outcome.DONE)
    first, second = queue_of(lab)
    lab.finish(second, Outcome.CRASHED)
    assert [str(lab.job(job).status) for job in ("g 0", "g 1")] == ["PRUNED", "CRASHED"]
    assert lab.beat(first) is Signal.PRUNE


def queue_of(lab: Lab) -> tuple[Claim, Claim]:
    """Claim the jobs of the gang again."""
    first, second = lab.queue.claim_jobs(lab.name, "w", 2, offer=Offer(cpu=2, gpu=2)).claims
    return first, second


def test_what_has_not_begun_takes_nobody_with_it(queue: Queue) -> None:
    """A job that is given back while its gang collects: the others go on waiting for it."""
    lab = Lab.new(queue)
    queue.put_spec(lab.name, spec({**FEELING, "replicas": 3}))
    add_gang(lab, "g", "feeling", 3)
    first, second = claim(lab), claim(lab)
    assert first is not None
    assert second is not None
    lab.finish(first, Outcome.PREEMPTED)
    assert lab.beat(second) is Signal.CONTINUE
    assert lab.job("g 1").status is JobStatus.RUNNING


def test_half_a_gang_does_not_run_longer_than_its_task_says(queue: Queue) -> None:
    """When one is to run again and nobody takes it, the others are CRASHED, and stop what they would stop."""
    stated = {**REPLICAS, "name": "timed", "synchronizedStartTimeout": "300ms", "propagateFailure": True}
    lab, first, second = begun(queue, stated)
    lab.add(draft("single", task="plain"))
    lab.finish(first, Outcome.PREEMPTED)
    assert lab.beat(second) is Signal.CONTINUE
    eventually(lambda: queue.get_gang(lab.name, "g 1").members[1].status is JobStatus.CRASHED)
    assert [str(lab.job(job).status) for job in ("g 0", "g 1", "single")] == ["CRASHED", "CRASHED", "PRUNED"]
    late = lab.finish(second, Outcome.DONE)
    assert (late.recorded, late.ended) == (False, Outcome.CRASHED)
    (attempt,) = lab.attempts("g 1")
    assert attempt.reason == "the gang ran without all of its jobs for longer than 0.3 s"
    assert lab.beat(second) is Signal.LOST


def test_half_a_gang_runs_on_if_its_task_does_not_say_for_how_long(queue: Queue) -> None:
    """It may not need the others to begin with it."""
    lab, first, second = begun(queue, REPLICAS)
    lab.finish(first, Outcome.PREEMPTED)
    assert queue.get_gang(lab.name, "g 1").members[0].status is JobStatus.QUEUED
    assert lab.beat(second) is Signal.CONTINUE


def test_a_gang_knows_the_attempts(gangs: Lab) -> None:
    """So that a worker can tell whether its own is still the one."""
    add_gang(gangs, "g")
    first = claim(gangs)
    assert first is not None
    assert [each.attempt for each in gangs.queue.get_gang(gangs.name, "g 0").members] == [1, 0]
