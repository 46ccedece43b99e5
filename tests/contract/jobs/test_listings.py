"""Listings of jobs: pages, filters, order, counts."""

import math
from typing import Any

import pytest

from sweepstake.domain.counts import Counts
from sweepstake.domain.lengths import MAX_PAGE
from sweepstake.domain.query.queries import Condition, JobQuery, Order
from sweepstake.domain.records import Guard, Unranked
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, document, draft


@pytest.fixture
def scores(lab: Lab) -> Lab:
    """Five jobs of different status, tags and results."""
    lab.add(
        draft("a", of=document(JobStatus.DONE, {"lr": 0.1}, {"score": 3}), tags=("x", "y")),
        draft("b", of=document(JobStatus.DONE, {"lr": 0.2}, {"score": 1.5}), tags=("x",)),
        draft("c", of=document(JobStatus.CRASHED, {"lr": 0.3}), priority=4),
        draft("d", of=document(JobStatus.QUEUED, {"lr": 0.4, "score": 9}), tags=("y",)),
        draft("e", of=document(JobStatus.DONE, {"lr": "huge"}, {"score": "n/a"})),
    )
    return lab


def _ids(lab: Lab, **query: object) -> str:
    return "".join(job.id for job in lab.jobs(**query))


def test_a_listed_job_is_the_whole_record(scores: Lab) -> None:
    """What a listing shows is what reading the job shows, with an etag that guards a put."""
    jobs = scores.jobs()
    assert jobs == [scores.job(job.id) for job in jobs]
    assert scores.put("a", document(), guard=Guard.match(jobs[0].etag)).record.status is JobStatus.QUEUED


def test_large_documents_come_in_several_pages(lab: Lab) -> None:
    """What is not read of one page comes with the next, by whatever jobs are chosen, and a store goes on well."""
    ids = [f"job-{i}" for i in range(5)]
    lab.add(*(draft(each, of=document(JobStatus.DONE, {}, {"curve": "x" * 5_000_000}), tags=("t",)) for each in ids))
    done = frozenset({JobStatus.DONE})
    for query in (JobQuery(), JobQuery(status=done), JobQuery(tag="t"), JobQuery(part="job-")):
        found, start, pages = [], None, 0
        while True:
            page = lab.queue.list_jobs(lab.name, query, start)
            found += [job.id for job in page.items]
            start, pages = page.next, pages + 1
            if start is None:
                break
        assert found == ids
        assert pages > 1
    found, start = [], None
    while True:
        part = lab.queue.export_page(lab.name, start)
        found += [job.id for job in part.jobs]
        start = part.next
        if start is None:
            break
    assert found == ids


def test_jobs_are_filtered_by_status(scores: Lab) -> None:
    """One status or several; none means all."""
    assert _ids(scores) == "abcde"
    assert _ids(scores, status=frozenset({JobStatus.DONE})) == "abe"
    assert _ids(scores, status=frozenset({JobStatus.QUEUED, JobStatus.CRASHED})) == "cd"
    assert _ids(scores, status=frozenset({JobStatus.RUNNING})) == ""


def test_jobs_are_filtered_by_a_part_of_their_ids(lab: Lab) -> None:
    """What an id begins or ends with, as plain text: patterns of databases mean nothing."""
    ids = ["100%_done", "100 done", "模型-größe-ß", "ß", "a'b"]
    lab.add(*(draft(each) for each in ids))
    for part, found in (
        ("100%_", ids[:1]),
        ("done", ids[:2]),
        ("%", []),
        ("ß", ids[2:4]),
        ("größe-ß", ids[2:3]),
        ("a'b", ids[4:]),
        ("00", []),
        ("longer than any of these ids is", []),
    ):
        assert [job.id for job in lab.jobs(part=part)] == found


def test_counts_say_when_something_last_happened(lab: Lab) -> None:
    """A job was made, begun or ended; the same however many jobs there are, and kept when jobs are deleted."""
    assert lab.queue.count_jobs(lab.name).active_at is None
    first = lab.add_one()
    made = lab.queue.count_jobs(lab.name).active_at
    assert made == lab.job(first).created_at
    claim = lab.claim()
    assert lab.queue.count_jobs(lab.name).active_at == lab.job(first).started_at
    lab.finish(claim)
    ended = lab.job(first).ended_at
    assert ended is not None
    assert lab.queue.count_jobs(lab.name).active_at == ended
    lab.delete(first)
    assert lab.queue.count_jobs(lab.name).active_at == ended


def test_jobs_are_filtered_by_tag(scores: Lab) -> None:
    """A tag is matched as a whole."""
    assert _ids(scores, tag="x") == "ab"
    assert _ids(scores, tag="y", status=frozenset({JobStatus.DONE})) == "a"
    assert _ids(scores, tag="z") == ""


@pytest.mark.parametrize("tag", ['"', "\\", "%", "_", "[", 'a","b', "é", "😀", "'; drop table jobs; --", " "])
def test_a_tag_of_odd_characters_is_found(lab: Lab, tag: str) -> None:
    """Nothing in a tag is taken for a pattern, and it does not match another."""
    lab.add(draft("with", tags=("first", tag)), draft("without", tags=("first", "ab", "xyz")))
    assert [job.id for job in lab.jobs(tag=tag)] == ["with"]
    assert lab.job("with").tags == ("first", tag)


@pytest.mark.parametrize(
    "where, ids",
    [
        ("results.score>=1.5", "ab"),
        ("score>2", "ad"),
        ("hyperparameters.lr=0.2", "b"),
        ("lr!=0.2", "acde"),
        ("lr=huge", "e"),
        ('lr="huge"', "e"),
        ("priority>0", "c"),
        ("status=CRASHED", "c"),
        ("id<c", "ab"),
        ("nothing=1", ""),
    ],
)
def test_jobs_are_filtered_by_conditions(scores: Lab, where: str, ids: str) -> None:
    """Values of different kinds never compare, and a missing field never matches."""
    assert _ids(scores, where=(Condition.parse(where),)) == ids


def test_conditions_are_written_as_in_python(lab: Lab) -> None:
    """Dotted names lead into objects, and values in Python's spelling are what they are, over every store."""
    lab.add(
        draft("a", of=document(JobStatus.DONE, {"sched": {"warmup": 2}, "o": "adam"}, {"ok": True, "loss": math.nan})),
        draft("b", of=document(JobStatus.DONE, {"sched": {"warmup": 0.3}, "o": "sgd"}, {"ok": None, "loss": 0.5})),
    )
    wheres = {
        "sched.warmup > 1": "a",
        "hyperparameters.sched.warmup > .2": "ab",
        "o == 'adam'": "a",
        "ok = True": "a",
        "ok == None": "b",
        "loss = nan": "a",
        "loss < inf": "b",
    }
    assert {where: _ids(lab, where=(Condition.parse(where),)) for where in wheres} == wheres


def test_an_ordered_listing_counts_who_has_no_rank(scores: Lab) -> None:
    """Those without a number are told by kind, however few jobs are asked for; other listings say nothing."""
    scores.add(draft("f", of=document(JobStatus.DONE, results={"score": math.nan})))
    query = JobQuery(status=frozenset({JobStatus.DONE, JobStatus.CRASHED}), order=Order.parse("-results.score"))
    page = scores.queue.list_jobs(scores.name, query, limit=1)
    assert [job.id for job in page.items] == ["a"]
    assert page.unranked == Unranked(nan=1, text=1, missing=1)
    assert scores.queue.list_jobs(scores.name, JobQuery(), limit=1).unranked is None


def test_every_condition_must_hold(scores: Lab) -> None:
    """Also together with status and tag."""
    where = (Condition.parse("score>1"), Condition.parse("lr<0.2"))
    assert _ids(scores, where=where, status=frozenset({JobStatus.DONE}), tag="x") == "a"


@pytest.mark.parametrize(
    "order, ids",
    [("results.score", "baecd"), ("-results.score", "abecd"), ("-id", "edcba"), ("-priority", "cabde")],
)
def test_jobs_are_listed_in_an_order(scores: Lab, order: str, ids: str) -> None:
    """Numbers before text before what lacks the field; ties by age."""
    query = JobQuery(order=Order.parse(order))
    page = scores.queue.list_jobs(scores.name, query)
    assert "".join(job.id for job in page.items) == ids
    assert page.next is None
    first = scores.queue.list_jobs(scores.name, query, limit=2)
    assert ("".join(job.id for job in first.items), first.next) == (ids[:2], None)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_pages_of_any_size_hold_every_job_once(lab: Lab, size: int) -> None:
    """No page is larger than asked for."""
    count = 12 if size == 1 else 150
    ids = lab.add_many(count)
    seen, start = [], None
    while True:
        page = lab.queue.list_jobs(lab.name, JobQuery(), start, size)
        assert len(page.items) <= size
        seen += [job.id for job in page.items]
        start = page.next
        if start is None:
            break
    assert seen == ids


def test_pages_hold_what_was_there_when_the_listing_began(lab: Lab) -> None:
    """Claims, deletes and new jobs between the pages neither hide a job nor show it twice."""
    ids = lab.add_many(30)
    seen = []
    for job in lab.walk(JobQuery(), limit=4):
        seen.append(job.id)
        if len(seen) > 200:
            break
        if job.id in ids and ids.index(job.id) % 4 == 3:
            lab.delete(job.id)
            lab.add(draft(priority=5))
            lab.finish(lab.claim())
    assert len(set(seen)) == len(seen)
    assert [job_id for job_id in seen if job_id in set(ids)] == ids


def test_filtered_pages_hold_every_match(lab: Lab) -> None:
    """A filter that keeps one in fifty still comes to the end."""
    lab.add(*(draft(of=document(hyperparameters={"i": i}), tags=("rare",) * (i % 50 == 0)) for i in range(500)))
    found = list(lab.walk(JobQuery(tag="rare", where=(Condition.parse("i>=50"),)), limit=3))
    assert [job.hyperparameters.decode()["i"] for job in found] == list(range(50, 500, 50))


def test_a_page_has_limits(lab: Lab) -> None:
    """Neither none nor more than MAX_PAGE may be asked for, and a page begins where another ended."""
    for limit in (0, -1, MAX_PAGE + 1):
        with pytest.raises(InvalidInputError):
            lab.queue.list_jobs(lab.name, JobQuery(), None, limit)
        with pytest.raises(InvalidInputError):
            lab.queue.list_experiments(None, limit)
    for start in ("x", "-1", "1; drop table jobs", "9" * 30, ""):
        with pytest.raises(InvalidInputError):
            lab.queue.list_jobs(lab.name, JobQuery(), start)
    assert lab.jobs() == []


def test_jobs_of_another_experiment_are_not_listed(queue: Queue) -> None:
    """However much their numbers interleave."""
    one, two = Lab.new(queue), Lab.new(queue)
    first = [*one.add_many(3), *(two.add_many(3) and one.add_many(3))]
    assert [job.id for job in one.jobs()] == first
    assert len(two.jobs()) == 3


def test_counts_tell_the_states_apart(lab: Lab) -> None:
    """Ready, delayed, running, done, crashed and pruned add up to all jobs."""
    now = lab.record().created_at
    lab.add(*(draft(of=document(status)) for status in JobStatus))
    lab.add(draft(not_before=now + 1000.0), draft(not_before=now - 1000.0), draft(), draft(priority=1))
    lab.claim()
    assert lab.queue.count_jobs(lab.name) == Counts(
        ready=3, blocked=0, delayed=1, running=2, done=1, crashed=1, pruned=1
    )


@pytest.mark.parametrize("query", [{}, {"status": frozenset({JobStatus.DONE})}, {"tag": "large"}])
def test_a_page_ends_early_where_documents_are_large(lab: Lab, query: dict[str, Any]) -> None:
    """It has no more of them than fit into memory, and the next pages have the others."""
    large = document(JobStatus.DONE, {"text": "x" * 3_000_000})
    lab.add(*[draft(str(number), of=large, tags=("large",)) for number in range(4)])
    first = lab.queue.list_jobs(lab.name, JobQuery(**query))
    assert [job.id for job in first.items] == ["0", "1", "2"]
    assert _ids(lab, **query) == "0123"
