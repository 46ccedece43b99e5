"""What a claim says of jobs that wait for more room than it offers."""

import pytest

from sweepstake.domain.records import Claims
from sweepstake.domain.status import ExperimentStatus, NoJobReason
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.tasks.waiting import Waiting
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, draft, spec

TASKS = (
    {"name": "small", "resources": {"cpuCount": 1}},
    {"name": "large", "resources": {"cpuCount": 4, "gpuCount": 1, "memory": "1KiB"}},
    {"name": "huge", "resources": {"cpuCount": 16}},
    {"name": "both", "replicas": 2, "resources": {"cpuCount": 4}},
)
SLOTS = Offer(cpu=8, gpu=1, memory=2048)
ONE = Offer(cpu=1)


@pytest.fixture
def tasks(queue: Queue) -> Lab:
    """An experiment with tasks of several sizes."""
    lab = Lab.new(queue)
    queue.put_spec(lab.name, spec(*TASKS))
    return lab


def add(lab: Lab, *names: str, priority: int = 0) -> None:
    """Add a job of each task, which is called as its task and a number are."""
    lab.add(*(draft(name, task=name.rstrip("0123456789"), priority=priority) for name in names))


def ask(lab: Lab, offer: Offer = ONE, at_once: int = 1) -> tuple[list[str], str | None]:
    """Claim for an offer of a worker with the slots; return what was taken, and what waits."""
    found = lab.queue.claim_jobs(lab.name, "w", at_once, offer=offer, slots=SLOTS)
    assert bool(found.claims) is (found.reason is None)
    return [claim.job.id for claim in found.claims], None if found.waiting is None else found.waiting.id


def test_a_job_that_fits_the_worker_but_not_the_offer_is_named(tasks: Lab) -> None:
    """With what it needs, and how urgent it is; who does not say its slots is not told."""
    add(tasks, "huge", priority=9)
    add(tasks, "large", priority=7)
    found = tasks.queue.claim_jobs(tasks.name, "w", 1, offer=ONE, slots=SLOTS)
    waiting = Waiting(id="large", priority=7, cpu=4, gpu=1, memory=1024)
    assert found == Claims(reason=NoJobReason.UNMET, waiting=waiting)
    assert tasks.queue.claim_jobs(tasks.name, "w", 1, offer=ONE) == Claims(reason=NoJobReason.UNMET)


def test_priority_comes_before_fit(tasks: Lab) -> None:
    """Nothing is taken before a more urgent job that fits the worker; its equals are, until room is kept for it."""
    add(tasks, "small0", "small1")
    add(tasks, "large", priority=1)
    assert ask(tasks) == ([], "large")
    add(tasks, "small2", priority=1)
    assert ask(tasks) == (["small2"], "large")
    assert ask(tasks, SLOTS) == (["large"], None)
    assert ask(tasks) == (["small0"], None)


def test_only_a_job_that_is_overtaken_waits(tasks: Lab) -> None:
    """Not one that others come before."""
    add(tasks, "small0", "large", "small1")
    assert ask(tasks) == (["small0"], None)
    assert ask(tasks) == (["small1"], "large")
    assert ask(tasks) == ([], "large")


def test_what_is_left_of_an_offer_counts(tasks: Lab) -> None:
    """Of two that fit alone, but not together, the second waits."""
    add(tasks, "large0", "large1", "small")
    assert ask(tasks, SLOTS, 3) == (["large0", "small"], "large1")


def test_a_look_takes_nothing(tasks: Lab) -> None:
    """It names the next job of those that fit the worker, whether there is room for it or not."""
    add(tasks, "huge", "small", "large")
    assert ask(tasks, SLOTS, 0) == ([], "small")
    tasks.queue.stop(tasks.name, ["small"])
    assert ask(tasks, Offer(), 0) == ([], "large")
    tasks.queue.stop(tasks.name)
    assert ask(tasks, SLOTS, 0) == ([], None)


def test_a_job_that_may_not_run_waits_for_no_room(queue: Queue) -> None:
    """Because as many run as may, or the experiment is paused."""
    lab = Lab.new(queue, max_running=1)
    queue.put_spec(lab.name, spec(*TASKS))
    add(lab, "small", "large")
    assert ask(lab) == (["small"], None)
    assert ask(lab) == ([], None)
    other = Lab.new(queue)
    queue.put_spec(other.name, spec(*TASKS))
    add(other, "large")
    assert ask(other) == ([], "large")
    other.set_status(ExperimentStatus.DONE)
    assert ask(other) == ([], None)


def test_of_a_gang_that_collects_the_next_job_waits_first(tasks: Lab) -> None:
    """Before its equals, and no job of another gang does."""
    for gang in ("a", "b"):
        tasks.add(*(draft(f"{gang} {rank}", task="both", gang=gang, rank=rank) for rank in range(2)))
    add(tasks, "large", priority=-1)
    assert ask(tasks, Offer(cpu=4)) == (["a 0"], None)
    assert ask(tasks) == ([], "a 1")
    assert ask(tasks, Offer(cpu=4)) == (["a 1"], None)
    assert ask(tasks) == ([], "b 0")


def test_one_worker_makes_room_for_a_job(tasks: Lab) -> None:
    """It may ask again; the others may not, as long as it lives, nor anybody once the job is taken or gone."""
    add(tasks, "large0", "large1")
    queue, name = tasks.queue, tasks.name
    assert [queue.make_room(name, "large0", worker) for worker in ("a", "b", "a")] == [True, False, True]
    assert queue.make_room(name, "large1", "b")
    assert ask(tasks, SLOTS) == (["large0"], None)
    assert [queue.make_room(name, job, "a") for job in ("large0", "large1", "none")] == [False, False, False]
