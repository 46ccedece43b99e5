"""How many jobs are in which state is kept, exact, and told at one cost; so is a page of those of a status or tag."""

import random

import pytest

from sweepstake.domain.counts import Counts
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import UNGUARDED
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, document, draft, new_key

FAR = 4e9


def counts(**of: int) -> Counts:
    """Make counts that are 0 where nothing else is said."""
    return Counts(**dict.fromkeys(("ready", "blocked", "delayed", "running", "done", "crashed", "pruned"), 0) | of)


def test_counts_follow_a_job_all_its_way(queue: Queue) -> None:
    """Added, claimed, crashed and delayed, claimed anew, done, put, pruned, retried, deleted."""
    lab = Lab.new(queue, max_attempts=2, retry_delay=3600)
    assert queue.count_jobs(lab.name) == counts()
    job_id = lab.add_one()
    assert queue.count_jobs(lab.name) == counts(ready=1)
    lab.finish(lab.claim(), Outcome.CRASHED)
    assert queue.count_jobs(lab.name) == counts(delayed=1)
    queue.set_queueing(lab.name, job_id, QueueingChanges(not_before=None), key=new_key())
    claim = lab.claim()
    assert queue.count_jobs(lab.name) == counts(running=1)
    lab.finish(claim, Outcome.DONE)
    assert queue.count_jobs(lab.name) == counts(done=1)
    lab.put(job_id, document())
    lab.prune(job_id)
    assert queue.count_jobs(lab.name) == counts(pruned=1)
    queue.retry(lab.name, job_id, key=new_key())
    assert queue.count_jobs(lab.name) == counts(ready=1)
    lab.delete(job_id, guard=UNGUARDED)
    assert queue.count_jobs(lab.name) == counts()


def test_counts_follow_what_is_pruned_with_others(queue: Queue) -> None:
    """A cascade moves all of a chain at once, and what waits without that wish stays blocked."""
    lab = Lab.new(queue)
    lab.add(
        draft("first"),
        *(draft(f"with {i}", depends_on=("first",), prune_with=True) for i in range(20)),
        draft("after", depends_on=("first",)),
    )
    assert queue.count_jobs(lab.name) == counts(ready=1, blocked=21)
    lab.finish(lab.claim(), Outcome.CRASHED)
    assert queue.count_jobs(lab.name) == counts(crashed=1, pruned=20, blocked=1)


def test_an_experiment_made_anew_begins_with_no_counts(queue: Queue) -> None:
    """What another of its name had is gone with it."""
    lab = Lab.new(queue)
    lab.add_many(30)
    queue.delete_experiment(lab.name, guard=UNGUARDED, key=new_key(), force=True)
    again = Lab.new(queue, name=lab.name)
    assert queue.count_jobs(again.name) == counts()
    assert again.add_many(2)
    assert queue.count_jobs(again.name) == counts(ready=2)


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_listings_of_a_status_and_tag_hold_each_job_once(queue: Queue, limit: int) -> None:
    """Whatever the priorities, delays and page are: what is listed is what a look at all jobs finds, by age."""
    lab = Lab.new(queue)
    chance = random.Random(limit)
    lab.add(draft("base"), *(_any_draft(chance) for _ in range(120)))
    for _ in range(30):
        lab.finish(lab.claim(), chance.choice([Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED]))
    running = [lab.claim() for _ in range(5)]
    queue.set_queueing(lab.name, running[0].job.id, QueueingChanges(tags=("late", "odd")), key=new_key())
    every = lab.jobs()
    wanted: list[frozenset[JobStatus]] = [frozenset(), *(frozenset({status}) for status in JobStatus)]
    wanted += [frozenset({JobStatus.QUEUED, JobStatus.DONE}), frozenset(JobStatus)]
    for statuses in wanted:
        for tag in (None, "odd", "late", "nobody's"):
            query = JobQuery(status=statuses, tag=tag)
            assert _all_pages(lab, query, limit) == [job.id for job in every if query.keeps(job)]


def _any_draft(chance: random.Random) -> JobDraft:
    return draft(
        priority=chance.choice([0, 0, 0, -5, 7, 2**31 - 1, -(2**31)]),
        not_before=chance.choice([None, None, FAR, 1.0]),
        tags=tuple(chance.sample(["odd", "even", "o"], chance.randint(0, 2))),
        depends_on=chance.choice([(), (), ("base",)]),
    )


def _all_pages(lab: Lab, query: JobQuery, limit: int) -> list[str]:
    found, start = [], None
    while True:
        page = lab.queue.list_jobs(lab.name, query, start, limit)
        assert len(page.items) <= limit
        found += [job.id for job in page.items]
        start = page.next
        if start is None:
            return found
