"""Jobs that wait for others, whatever becomes of those."""

import pytest

from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.keys import name_of
from sweepstake.domain.names import MAX_DEPENDENCIES
from sweepstake.domain.records import Blocked, Claim, Dependency, Page
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.errors import InvalidInputError, NotFoundError
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, document, draft, eventually, new_key

QUEUED, RUNNING, CRASHED, PRUNED, DONE = JobStatus


def after(job_id: str, *others: str, prune_with: bool = False, status: JobStatus = QUEUED) -> JobDraft:
    """Return the draft of a job that waits for others."""
    return draft(job_id, of=document(status), depends_on=others, prune_with=prune_with)


def statuses(lab: Lab) -> dict[str, JobStatus]:
    """Return the status of each job."""
    return {job.id: job.status for job in lab.jobs()}


def waiting(lab: Lab, job_id: str) -> int:
    """Return for how many jobs one waits."""
    return lab.job(job_id).waiting


def run_next(lab: Lab, outcome: Outcome = Outcome.DONE) -> str:
    """Claim the next job and end it; return its id."""
    claim = lab.claim()
    lab.finish(claim, outcome)
    return claim.job.id


def test_a_job_is_claimed_when_all_that_it_waits_for_are_done(lab: Lab) -> None:
    """In whatever order the call names them, and whether they were there before."""
    lab.add(draft("old"))
    lab.add(after("last", "middle", "old"), after("middle", "first"), draft("first"))
    assert lab.queue.count_jobs(lab.name).blocked == 2
    assert [run_next(lab) for _ in range(4)] == ["old", "first", "middle", "last"]
    assert lab.why_none() is NoJobReason.EMPTY


def test_the_end_of_a_job_lets_its_dependant_be_claimed_in_the_same_call(lab: Lab) -> None:
    """Whoever finishes the last dependency may have the next job at once."""
    lab.add(draft("a"), after("b", "a"))
    claim = lab.claim()
    assert lab.why_none() is NoJobReason.BLOCKED
    following = lab.finish(claim, next_key=new_key()).next
    assert isinstance(following, Claim)
    assert following.job.id == "b"


def test_a_job_that_waits_for_nothing_unfinished_is_ready_at_once(lab: Lab) -> None:
    """A dependency that is DONE already blocks nobody."""
    lab.add(draft("a", of=document(DONE)))
    lab.add(after("b", "a"), after("c", "a", "b"))
    assert (waiting(lab, "b"), waiting(lab, "c")) == (0, 1)
    assert run_next(lab) == "b"


def test_dependencies_are_listed_with_what_became_of_them(lab: Lab) -> None:
    """Oldest first, with their status and whether they take the job with them; named twice they count once."""
    lab.add(draft("a", of=document(DONE)), draft("b", of=document(CRASHED)))
    lab.add(after("c", "b", "a", "b"), after("d", "c", prune_with=True))
    assert lab.queue.list_dependencies(lab.name, "a") == ()
    assert lab.queue.list_dependencies(lab.name, "c") == (
        Dependency(id="a", status=DONE),
        Dependency(id="b", status=CRASHED),
    )
    assert lab.queue.list_dependencies(lab.name, "d") == (Dependency(id="c", status=QUEUED, prune_with=True),)
    with pytest.raises(NotFoundError):
        lab.queue.list_dependencies(lab.name, "e")


def test_all_that_wait_are_listed_with_what_they_wait_for(lab: Lab) -> None:
    """Only queued jobs, and only what is not DONE yet: what a plan of many jobs needs, a page at a time."""
    lab.add(draft("a", of=document(DONE)), draft("b", of=document(CRASHED)), draft("c"))
    lab.add(
        after("d", "a", "b", "c"),
        after("e", "a"),
        after("f", "d"),
        after("g", "c", status=PRUNED),
        after("h", "f", "c"),
    )
    expected = [Blocked(id="d", by=("b", "c")), Blocked(id="f", by=("d",)), Blocked(id="h", by=("c", "f"))]
    assert lab.queue.list_blocked(lab.name) == Page(tuple(expected))
    found, start = list[Blocked](), None
    for _ in expected:
        page = lab.queue.list_blocked(lab.name, start, limit=1)
        found, start = [*found, *page.items], page.next
    assert found == expected
    assert lab.queue.list_blocked(lab.name, start, limit=1) == Page(())
    with pytest.raises(InvalidInputError, match="start"):
        lab.queue.list_blocked(lab.name, "x")


def test_a_page_ends_early_when_its_jobs_wait_for_very_many(lab: Lab) -> None:
    """Of two jobs that wait for 1,000 each, and of which a page takes all that they wait for together."""
    names = [f"a{number}" for number in range(MAX_DEPENDENCIES)]
    lab.add(*(draft(name) for name in names))
    many = 25_000 // MAX_DEPENDENCIES
    lab.add(*(after(f"b{number}", *names) for number in range(many)))
    page = lab.queue.list_blocked(lab.name)
    assert len(page.items) == -(-20_000 // MAX_DEPENDENCIES) < many
    rest = lab.queue.list_blocked(lab.name, page.next)
    assert len(rest.items) == many - len(page.items)
    assert rest.next is None
    assert {len(each.by) for each in (*page.items, *rest.items)} == {MAX_DEPENDENCIES}


def test_repeating_a_call_ties_nothing_twice(lab: Lab) -> None:
    """The jobs wait for as many others as after the first call."""
    drafts, key = [after("b", "a"), draft("a")], new_key()
    for _ in range(2):
        lab.queue.add_jobs(lab.name, drafts, key=key)
    assert [run_next(lab), run_next(lab)] == ["a", "b"]
    lab.queue.add_jobs(lab.name, drafts, key=key)
    assert statuses(lab) == {"a": DONE, "b": DONE}


def test_what_waits_is_created_after_what_it_waits_for(lab: Lab) -> None:
    """Only the drafts that must wait change places; the etag is still that of the item's place in the call."""
    key = new_key()
    lab.queue.add_jobs(lab.name, [draft("a"), after("b", "d"), draft("c"), draft("d")], key=key)
    assert [job.id for job in lab.jobs()] == ["a", "d", "b", "c"]
    assert [job.etag for job in lab.jobs()] == [f"{name_of(key)}.{place}" for place in (0, 3, 1, 2)]


@pytest.mark.parametrize("failure", [Outcome.CRASHED, Outcome.PRUNED, "prune", "put", "lost"])
def test_a_failed_job_prunes_those_that_asked_for_it_and_blocks_the_others(
    queue: Queue, failure: Outcome | str
) -> None:
    """All the way down, however it failed; a job beyond one that did not ask stays blocked."""
    lab = Lab.new(queue, max_lost=0, lease=0.2)
    lab.add(
        draft("a", priority=1),
        after("b", "a", prune_with=True),
        after("c", "b", "a", prune_with=True),
        after("d", "c"),
        after("e", "d", prune_with=True),
        after("f", "a"),
    )
    claim = lab.claim()
    if isinstance(failure, Outcome):
        lab.finish(claim, failure)
    elif failure == "prune":
        lab.prune("a")
    elif failure == "put":
        lab.put("a", document(CRASHED))
    else:
        eventually(lambda: lab.claimed_or_none() or (statuses(lab)["a"] is CRASHED or None))
    ended = PRUNED if failure in (Outcome.PRUNED, "prune") else CRASHED
    assert statuses(lab) == {"a": ended, "b": PRUNED, "c": PRUNED, "d": QUEUED, "e": QUEUED, "f": QUEUED}
    assert lab.why_none() is NoJobReason.BLOCKED
    assert len({lab.job(job_id).etag for job_id in "abcdef"}) == 6


def test_a_job_pruned_with_another_is_fenced(lab: Lab) -> None:
    """Its etag changes, so that whoever has read it before cannot put it back by a guarded write."""
    lab.add(draft("a"), after("b", "a", prune_with=True))
    before = lab.job("b").etag
    run_next(lab, Outcome.CRASHED)
    assert lab.job("b").etag != before
    assert lab.job("b").ended_at is not None


@pytest.mark.parametrize("status", [CRASHED, PRUNED])
def test_a_job_that_failed_before_counts_as_well(lab: Lab, status: JobStatus) -> None:
    """Who asked to be pruned with it is PRUNED from the start, through the whole call; others are blocked."""
    lab.add(draft("a", of=document(status)))
    lab.add(after("d", "c", prune_with=True), after("b", "a"), after("c", "a", prune_with=True), after("e", "b"))
    assert statuses(lab) == {"a": status, "b": QUEUED, "c": PRUNED, "d": PRUNED, "e": QUEUED}
    assert lab.queue.count_jobs(lab.name).blocked == 2


def test_only_queued_jobs_are_pruned_with_others(lab: Lab) -> None:
    """A job that runs, or is over, goes its own way when what it waited for is said to have failed after all."""
    lab.add(draft("a", of=document(DONE)))
    lab.add(*(after(f"b {status}", "a", prune_with=True, status=status) for status in JobStatus))
    lab.put("a", document(CRASHED))
    expected = {f"b {status}": PRUNED if status is QUEUED else status for status in JobStatus}
    assert statuses(lab) == {"a": CRASHED, **expected}


def test_a_put_lets_go_and_blocks_again(lab: Lab) -> None:
    """Stating that a job is DONE frees those that wait, and taking it back blocks them again; each counts once."""
    lab.add(draft("a"), after("b", "a"))
    for status, left in [(DONE, 0), (DONE, 0), (QUEUED, 1), (CRASHED, 1), (DONE, 0), (RUNNING, 1), (DONE, 0)]:
        lab.put("a", document(status))
        assert waiting(lab, "b") == left


def test_a_retried_job_goes_on_holding_its_dependants(lab: Lab) -> None:
    """A job that crashed and is queued again lets them go when it is DONE at last."""
    lab.add(draft("a"), after("b", "a"))
    run_next(lab, Outcome.CRASHED)
    lab.queue.retry(lab.name, "a", key=new_key())
    assert waiting(lab, "b") == 1
    assert [run_next(lab), run_next(lab)] == ["a", "b"]


def test_nobody_waits_for_a_job_that_was_deleted(lab: Lab) -> None:
    """Deleting frees those that wait, once, and the deleted job is no longer listed."""
    lab.add(draft("a"), draft("done", of=document(DONE)), after("b", "a", "done"), after("c", "b"))
    lab.delete("a")
    lab.delete("done")
    assert (waiting(lab, "b"), lab.queue.list_dependencies(lab.name, "b")) == (0, ())
    lab.delete("b")
    assert waiting(lab, "c") == 0
    lab.add(draft("new"), after("d", "new"))
    lab.delete("d")
    assert sorted(run_next(lab) for _ in range(2)) == ["c", "new"]


@pytest.mark.parametrize(
    "drafts, path, words",
    [
        ([draft("x"), after("y", "x", "nobody")], "jobs[1].depends_on[1]", "no job of the experiment.*'nobody'"),
        ([after("x", "x")], "jobs[0].depends_on", "the job itself: 'x'"),
        (
            [draft("w"), after("x", "z"), after("y", "x"), after("z", "w", "y")],
            "jobs[2].depends_on",
            "3 jobs wait.*'x'",
        ),
    ],
    ids=["unknown", "itself", "circle"],
)
def test_a_call_that_cannot_be_tied_adds_nothing(lab: Lab, drafts: list[JobDraft], path: str, words: str) -> None:
    """The error names the place, and the circle if there is one."""
    with pytest.raises(InvalidInputError, match=words) as refused:
        lab.add(*drafts)
    assert [where for where, _ in refused.value.problems] == [path]
    assert lab.jobs() == []


@pytest.mark.parametrize(
    "others, path, words",
    [
        ([str(i) for i in range(MAX_DEPENDENCIES + 1)], "depends_on", "at most 1,000"),
        (["a\nb"], "depends_on[0]", "the character U\\+000A"),
    ],
    ids=["too many", "no name"],
)
def test_what_no_job_can_wait_for_is_refused_before_it_is_sent(others: list[str], path: str, words: str) -> None:
    """Too many, and what cannot be an id."""
    with pytest.raises(InvalidInputError, match=words) as refused:
        after("x", *others)
    assert [where for where, _ in refused.value.problems] == [path]


def test_a_job_of_another_experiment_is_none(queue: Queue) -> None:
    """Dependencies do not reach across experiments, even if the id is the same."""
    one, other = Lab.new(queue), Lab.new(queue)
    one.add(draft("a"))
    with pytest.raises(InvalidInputError, match="'a'"):
        other.add(after("b", "a"))


def test_a_long_chain_is_added_and_pruned_in_one_call(lab: Lab) -> None:
    """Two hundred jobs, each waiting for the one before, named backwards."""
    chain = [after(f"j{i}", f"j{i - 1}", prune_with=True) for i in range(199, 0, -1)]
    lab.add(*chain, draft("j0"))
    assert lab.queue.count_jobs(lab.name).blocked == 199
    assert run_next(lab, Outcome.CRASHED) == "j0"
    assert lab.queue.count_jobs(lab.name).pruned == 199


def test_a_fan_of_jobs_waits_for_one_and_one_for_the_fan(lab: Lab) -> None:
    """Preparation, a sweep, and a summary, in one call."""
    fan = [f"f{i}" for i in range(50)]
    lab.add(after("end", *fan), *(after(id_, "start") for id_ in fan), draft("start"))
    ended = [run_next(lab) for _ in range(52)]
    assert (ended[0], sorted(ended[1:-1]), ended[-1]) == ("start", sorted(fan), "end")
