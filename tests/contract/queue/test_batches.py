"""Batches in the store: who submits what to a cluster, and which allocation runs it, whoever asks and however often."""

import re
from typing import Any

import attrs
import pytest

from sweepstake.domain.batches.records import AllocationState, BatchDraft, BatchRecord, BatchStatus
from sweepstake.domain.batches.vain import IN_VAIN, OUT_OF_TIME
from sweepstake.domain.records import UNGUARDED
from sweepstake.domain.situation import WhyReason
from sweepstake.domain.status import ExperimentStatus, Outcome
from sweepstake.errors import (
    BatchLostError,
    ClientRequestError,
    InvalidInputError,
    KeyReusedError,
    LiveBatchError,
    NotFoundError,
)
from sweepstake.queue.queue import Queue
from tests.kit.crew import THREADS, at_once
from tests.kit.lab import Lab, new_key

ENDED = BatchStatus.ENDED


def batch(batch_id: str, *jobs: str, **more: Any) -> BatchDraft:
    """Make the draft of a batch for Slurm."""
    return BatchDraft(
        **{"id": batch_id, "jobs": jobs or ("j",), "backend": "slurm", "name": f"name of {batch_id}", **more}
    )


def intend(lab: Lab, *drafts: BatchDraft, key: str | None = None) -> tuple[int, ...]:
    """State that batches are about to be submitted."""
    return lab.queue.intend_batches(lab.name, drafts, key=key)


def listed(lab: Lab, *, live: bool = False, limit: int = 1000) -> list[tuple[str, int]]:
    """Return the id and number of each submission, page after page."""
    found: list[BatchRecord] = []
    start = None
    while True:
        page = lab.queue.list_batches(lab.name, start, limit, live=live)
        found.extend(page.items)
        start = page.next
        if start is None:
            return [(each.id, each.number) for each in found]


def test_a_batch_goes_from_an_intent_to_its_end(lab: Lab) -> None:
    """Each step is kept with its moment; what was intended stays with it, and its jobs are counted as they stand."""
    first, second, third = lab.add_many(3)
    wanted = batch(
        "b",
        second,
        first,
        third,
        dependencies=("a",),
        nodes=2,
        estimated_runtime=60.0,
        timeout=90.5,
        layout="flat",
        session="s",
        estimates=(20.0, 40.0, 0.5),
        starts=(0.0, 20.0, 30.0),
    )
    assert intend(lab, wanted) == (1,)
    intended = lab.queue.get_batch(lab.name, "b")
    assert {each.name: getattr(intended, each.name) for each in attrs.fields(BatchDraft)} == attrs.asdict(
        wanted, recurse=False
    )
    assert (intended.number, intended.status, intended.jobid) == (1, BatchStatus.INTENDED, None)
    assert intended.counts.ready == 3
    submitted = lab.queue.note_batch(
        lab.name,
        "b",
        1,
        status=BatchStatus.SUBMITTED,
        jobid="12_3",
        allocation=AllocationState.PENDING,
        reason="Priority",
    )
    assert (submitted.status, submitted.jobid, submitted.reason) == (BatchStatus.SUBMITTED, "12_3", "Priority")
    begun = lab.queue.begin_batch(lab.name, "b", 1, "12_3", "node:1")
    assert (begun.status, begun.allocation, begun.worker) == (BatchStatus.BEGUN, AllocationState.RUNNING, "node:1")
    assert (begun.reason, begun.ended_at) == ("", None)
    lab.finish(lab.claim(ids=[second]))
    lab.claim(ids=[first])
    lab.delete(third)
    ended = lab.queue.note_batch(lab.name, "b", 1, status=ENDED, allocation=AllocationState.TIMEOUT)
    assert (ended.status, ended.allocation) == (ENDED, AllocationState.TIMEOUT)
    assert (ended.counts.done, ended.counts.running, ended.counts.total) == (1, 1, 2)
    moments = [ended.intended_at, ended.submitted_at, ended.begun_at, ended.ended_at]
    assert moments == sorted(moment for moment in moments if moment is not None)
    assert lab.queue.get_batch(lab.name, "b", 1) == ended


def test_jobs_of_a_batch_are_counted_by_state(lab: Lab) -> None:
    """Blocked and delayed ones are told from those that are ready."""
    ready, failed = lab.add_many(2)
    blocked = lab.add_one(depends_on=(ready,))
    delayed = lab.add_one(not_before=4e9)
    pruned = lab.add_one()
    lab.prune(pruned)
    lab.finish(lab.claim(ids=[failed]), Outcome.CRASHED)
    intend(lab, batch("b", ready, failed, blocked, delayed, pruned))
    counts = lab.queue.get_batch(lab.name, "b").counts
    assert counts.states == {
        "ready": 1,
        "blocked": 1,
        "delayed": 1,
        "running": 0,
        "done": 0,
        "crashed": 1,
        "pruned": 1,
    }


def test_a_job_is_in_one_batch_under_way(lab: Lab) -> None:
    """Who would put it into a second is told of the first, and none of the call's batches is kept."""
    intend(lab, batch("b", "x", "y"))
    lab.queue.note_batch(lab.name, "b", 1, jobid="77")
    with pytest.raises(LiveBatchError, match=r"job 'y' is in the batch 'b' already.*SUBMITTED as 77"):
        intend(lab, batch("c", "z"), batch("d", "w", "y"))
    assert listed(lab) == [("b", 1)]
    assert intend(lab, batch("c", "z"), batch("d", "w")) == (1, 1)


def test_a_batch_is_submitted_again_once_it_is_over(lab: Lab) -> None:
    """Under the next number; until then it is under way, and its jobs are free for another batch afterwards."""
    intend(lab, batch("b", "x", "y"))
    with pytest.raises(LiveBatchError, match=r"batch 'b' is under way already, as submission 1"):
        intend(lab, batch("b", "z"))
    lab.queue.note_batch(lab.name, "b", 1, status=ENDED, reason="invalid partition specified")
    assert intend(lab, batch("b", "x")) == (2,)
    assert intend(lab, batch("c", "y")) == (1,)
    assert listed(lab) == [("b", 1), ("b", 2), ("c", 1)]
    assert listed(lab, live=True) == [("b", 2), ("c", 1)]
    refused = lab.queue.get_batch(lab.name, "b", 1)
    assert (refused.jobid, refused.allocation, refused.reason) == (None, None, "invalid partition specified")
    assert lab.queue.get_batch(lab.name, "b").number == 2


def test_an_intent_whose_answer_was_lost_is_made_once(lab: Lab) -> None:
    """The repeat is answered with the same numbers, also when the batches have been over and submitted again since."""
    key = new_key()
    assert intend(lab, batch("b", "x"), batch("c", "y"), key=key) == (1, 1)
    assert intend(lab, batch("b", "x"), batch("c", "y"), key=key) == (1, 1)
    lab.queue.note_batch(lab.name, "b", 1, status=ENDED)
    assert intend(lab, batch("b", "x")) == (2,)
    assert intend(lab, batch("b", "x"), batch("c", "y"), key=key) == (1, 1)
    assert len(listed(lab)) == 3
    with pytest.raises(KeyReusedError):
        lab.queue.note_batch(lab.name, "b", 2, jobid="5", key=key)


def test_a_note_that_comes_late_changes_nothing(lab: Lab) -> None:
    """Neither its repeat nor one that is overtaken: the status goes on or stays, and an end is the end."""
    intend(lab, batch("b"))
    key = new_key()
    lab.queue.note_batch(lab.name, "b", 1, jobid="5", allocation=AllocationState.PENDING, key=key)
    lab.queue.begin_batch(lab.name, "b", 1, "5")
    late = lab.queue.note_batch(lab.name, "b", 1, jobid="5", allocation=AllocationState.PENDING, key=key)
    assert (late.status, late.allocation) == (BatchStatus.BEGUN, AllocationState.RUNNING)
    told = lab.queue.note_batch(lab.name, "b", 1, status=BatchStatus.SUBMITTED, jobid="6")
    assert (told.status, told.jobid) == (BatchStatus.BEGUN, "5")
    ended = lab.queue.note_batch(lab.name, "b", 1, status=ENDED, allocation=AllocationState.CANCELLED)
    after = lab.queue.note_batch(lab.name, "b", 1, status=ENDED, allocation=AllocationState.DONE, reason="late")
    assert after == ended


def test_only_an_allocation_says_that_it_has_begun(lab: Lab) -> None:
    """Somebody else may say that a batch was submitted, or is over."""
    intend(lab, batch("b"))
    for status in (BatchStatus.BEGUN, BatchStatus.INTENDED):
        with pytest.raises(InvalidInputError, match="status: must be one of SUBMITTED, ENDED"):
            lab.queue.note_batch(lab.name, "b", 1, status=status)


def test_what_was_submitted_has_a_name(lab: Lab) -> None:
    """Of the scheduler's, by which its allocation is found."""
    intend(lab, batch("b"))
    with pytest.raises(InvalidInputError, match="jobid: must be given with SUBMITTED"):
        lab.queue.note_batch(lab.name, "b", 1, status=BatchStatus.SUBMITTED)
    lab.queue.note_batch(lab.name, "b", 1, status=BatchStatus.SUBMITTED, jobid="5")
    assert lab.queue.note_batch(lab.name, "b", 1, status=BatchStatus.SUBMITTED, reason="r").jobid == "5"


def test_the_first_allocation_has_the_batch(lab: Lab) -> None:
    """It may ask again, as its other nodes do; a second one is told which has it, and to end."""
    intend(lab, batch("b"))
    begun = lab.queue.begin_batch(lab.name, "b", 1, "5", "node:1")
    assert (begun.jobid, begun.submitted_at) == ("5", begun.begun_at)
    assert lab.queue.begin_batch(lab.name, "b", 1, "5", "node:2") == begun
    with pytest.raises(BatchLostError, match=r"begun by the allocation 5.*allocation 6: end it"):
        lab.queue.begin_batch(lab.name, "b", 1, "6", "node:3")
    assert lab.queue.get_batch(lab.name, "b") == begun


def test_the_allocation_that_begins_is_the_one_that_counts(lab: Lab) -> None:
    """Also when the submitter had noted another, of which its scheduler has forgotten that it took it."""
    intend(lab, batch("b"))
    lab.queue.note_batch(lab.name, "b", 1, jobid="5")
    assert lab.queue.begin_batch(lab.name, "b", 1, "6").jobid == "6"
    with pytest.raises(BatchLostError):
        lab.queue.begin_batch(lab.name, "b", 1, "5")


def test_a_batch_that_is_over_is_not_begun(lab: Lab) -> None:
    """Its allocation came too late, and is told how the batch ended and that it was submitted again."""
    intend(lab, batch("b"))
    lab.queue.note_batch(lab.name, "b", 1, status=ENDED, allocation=AllocationState.CANCELLED)
    with pytest.raises(BatchLostError, match=r"is over \(CANCELLED\)"):
        lab.queue.begin_batch(lab.name, "b", 1, "5")
    intend(lab, batch("b"))
    with pytest.raises(BatchLostError, match="was submitted again as number 2"):
        lab.queue.begin_batch(lab.name, "b", 1, "5")
    assert lab.queue.begin_batch(lab.name, "b", 2, "6").number == 2


def test_what_is_not_there_is_not_found(lab: Lab) -> None:
    """Neither a batch nor a submission nor an experiment."""
    intend(lab, batch("b"))
    for name, batch_id, number in ((lab.name, "c", 1), (lab.name, "b", 2), (f"no {lab.name}", "b", 1)):
        with pytest.raises(NotFoundError):
            lab.queue.get_batch(name, batch_id, number)
        with pytest.raises(NotFoundError):
            lab.queue.note_batch(name, batch_id, number, jobid="5")
        with pytest.raises(NotFoundError):
            lab.queue.begin_batch(name, batch_id, number, "5")
    with pytest.raises(NotFoundError):
        lab.queue.intend_batches(f"no {lab.name}", [batch("b")])


def test_a_page_ends_where_the_next_begins(lab: Lab) -> None:
    """Oldest first, each once."""
    intend(lab, *(batch(f"b{i}", f"x{i}") for i in range(5)))
    lab.queue.note_batch(lab.name, "b2", 1, status=ENDED)
    assert listed(lab, limit=2) == [(f"b{i}", 1) for i in range(5)]
    assert listed(lab, limit=2, live=True) == [(f"b{i}", 1) for i in (0, 1, 3, 4)]


def test_batches_of_experiments_are_apart(queue: Queue) -> None:
    """The same ids mean other batches and other jobs there."""
    one, other = Lab.new(queue), Lab.new(queue)
    for lab in (one, other):
        assert intend(lab, batch("b", "x")) == (1,)
    one.queue.note_batch(one.name, "b", 1, status=ENDED)
    assert other.queue.get_batch(other.name, "b").status is BatchStatus.INTENDED


def test_batches_go_with_their_experiment(queue: Queue) -> None:
    """One of the same name that is made later has none."""
    lab = Lab.new(queue)
    intend(lab, batch("b"))
    queue.delete_experiment(lab.name, UNGUARDED)
    again = Lab.new(queue, name=lab.name)
    assert listed(again) == []
    assert intend(again, batch("b")) == (1,)


def test_any_words_of_a_scheduler_are_kept(lab: Lab) -> None:
    """Also such as no database takes as they are."""
    intend(lab, batch("b"))
    words = "sbatch: error: ü\n\x00 'quoted'"
    assert lab.queue.note_batch(lab.name, "b", 1, reason=words).reason == words.replace("\x00", "\\x00")


def test_a_batch_may_have_many_jobs(lab: Lab) -> None:
    """As the plan of a large sweep has."""
    jobs = [f"job {i}" for i in range(3000)]
    intend(lab, batch("large", *jobs, estimates=(1.5,) * 3000), *(batch(f"b{i}", f"other {i}") for i in range(200)))
    assert lab.queue.get_batch(lab.name, "large").jobs == tuple(jobs)
    assert len(listed(lab)) == 201


@pytest.mark.parametrize(
    "wanted, path",
    [
        ([batch("b", "x"), batch("b", "y")], r"batches\[1\].id"),
        ([batch("b", "x"), batch("c", "y", "x")], r"batches\[1\].jobs\[1\]"),
        ([batch("b", "x", starts=(1.0, 2.0))], r"batches\[0\].starts"),
    ],
)
def test_batches_of_one_call_are_apart(lab: Lab, wanted: list[BatchDraft], path: str) -> None:
    """None of them is named twice, nor is a job in two; the error says where."""
    with pytest.raises(InvalidInputError, match=path):
        intend(lab, *wanted)


def refusal(ask: Any) -> type[ClientRequestError] | None:
    """Return the error with which a call was refused, or None."""
    try:
        ask()
    except ClientRequestError as error:
        return type(error)
    return None


def test_of_submitters_that_race_one_has_the_job(lab: Lab) -> None:
    """Each has a batch of its own with that job among others; whoever is refused has left nothing."""

    def submit(number: int) -> type[ClientRequestError] | None:
        return refusal(
            lambda: intend(lab, batch(f"b{number}", f"x{number}", "same"), batch(f"c{number}", f"y{number}"))
        )

    outcomes = at_once(submit)
    assert sorted(outcomes, key=str) == [LiveBatchError] * (THREADS - 1) + [None]
    winner = outcomes.index(None)
    assert listed(lab) == [(f"b{winner}", 1), (f"c{winner}", 1)]


def test_of_submitters_of_one_plan_one_submits_it(lab: Lab) -> None:
    """The same batches, from a laptop and from a colleague's."""
    outcomes = at_once(lambda _: refusal(lambda: intend(lab, batch("b", "x"), batch("c", "y"))))
    assert sorted(outcomes, key=str) == [LiveBatchError] * (THREADS - 1) + [None]
    assert listed(lab) == [("b", 1), ("c", 1)]


def test_of_allocations_that_race_one_begins(lab: Lab) -> None:
    """However many there are of one submission."""
    intend(lab, batch("b"))
    outcomes = at_once(lambda number: refusal(lambda: lab.queue.begin_batch(lab.name, "b", 1, f"job {number}")))
    assert sorted(outcomes, key=str) == [BatchLostError] * (THREADS - 1) + [None]
    assert lab.queue.get_batch(lab.name, "b").jobid == f"job {outcomes.index(None)}"


def test_a_beginning_and_an_end_that_race_agree(lab: Lab) -> None:
    """Whoever is first: an allocation that was refused finds the batch over, and one that has begun it does not."""
    for number in range(1, 6):
        intend(lab, batch("b"))

        def step(who: int, number: int = number) -> type[ClientRequestError] | None:
            if who:
                return refusal(lambda: lab.queue.note_batch(lab.name, "b", number, status=ENDED))
            return refusal(lambda: lab.queue.begin_batch(lab.name, "b", number, "5"))

        begun, noted = at_once(step, 2)
        found = lab.queue.get_batch(lab.name, "b")
        assert noted is None
        assert (found.status, found.begun_at is None) == (ENDED, begun is BatchLostError)


def test_why_tells_the_batch_of_a_job(lab: Lab) -> None:
    """At each step; that no other worker is alive is no matter then. Once the batch is over it is as before."""
    ready = lab.add_one()
    blocked = lab.add_one(depends_on=(ready,))
    intend(lab, batch("b", ready, blocked, starts=(600.0, 1200.0)))
    intended = lab.why(ready)
    assert (intended.reason, intended.batch, intended.expected_at) == (WhyReason.READY, "b", None)
    assert "nothing was heard of that yet" in intended.sentence
    lab.queue.note_batch(lab.name, "b", 1, jobid="5", allocation=AllocationState.PENDING, reason="Resources")
    assert (
        "allocation 5 of slurm waits (PENDING: Resources) and starts it 10 min after it begins"
        in lab.why(ready).sentence
    )
    begun = lab.queue.begin_batch(lab.name, "b", 1, "5")
    assert begun.begun_at is not None
    assert lab.why(ready).expected_at == begun.begun_at + 600
    waits = lab.why(blocked)
    assert (waits.reason, waits.batch) == (WhyReason.BLOCKED, "b")
    assert "Then the batch b will run it: its allocation 5 of slurm has run since" in waits.sentence
    lab.queue.note_batch(lab.name, "b", 1, status=ENDED)
    assert lab.why(ready).batch is None
    assert "no worker is alive" in lab.why(ready).sentence


def test_why_tells_for_what_allocations_are_too_short(lab: Lab) -> None:
    """After three attempts, one after the other, that left nothing to go on from: until then the job may be lucky."""
    lab.add_one()
    [job_id] = [job.id for job in lab.jobs()]
    intend(lab, batch("b", job_id, estimates=(38.0,)))
    lab.queue.note_batch(lab.name, "b", 1, status=ENDED)
    for reason in (IN_VAIN, OUT_OF_TIME, IN_VAIN, IN_VAIN):
        lab.finish(lab.claim(), Outcome.PREEMPTED, reason=reason)
    assert "allocations give" not in lab.why(job_id).sentence
    lab.finish(lab.claim(), Outcome.PREEMPTED, reason=IN_VAIN)
    assert re.search(r"it needs 38\.0 s, allocations give \d\.\d s, and the last 3 attempts", lab.why(job_id).sentence)
    intend(lab, batch("b", job_id))
    assert "allocations give" not in lab.why(job_id).sentence


def test_a_job_of_a_batch_is_anybodys(lab: Lab) -> None:
    """A batch reserves nothing; and why a paused experiment stands still is said first."""
    lab.add_one()
    [job_id] = [job.id for job in lab.jobs()]
    intend(lab, batch("b", job_id))
    lab.set_status(ExperimentStatus.DONE)
    assert lab.why(job_id).reason is WhyReason.PAUSED
    lab.set_status(ExperimentStatus.RUNNING)
    assert lab.claim().job.id == job_id
