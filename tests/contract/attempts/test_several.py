"""Several jobs in a call: each claim and each report is as one that comes alone."""

import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim, Claims, Finished, SearchDefinition
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.errors import LeaseLostError
from sweepstake.queue.calls.several import AttemptReport
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, draft, new_key, spec


def claims(
    lab: Lab, at_once: int, key: str | None = None, *, repeat: bool = False, offer: Offer | None = None
) -> Claims:
    """Claim several jobs."""
    return lab.queue.claim_jobs(lab.name, "w", at_once, key=key, repeat=repeat, offer=offer)


def report(claim: Claim, outcome: Outcome = Outcome.DONE, key: str | None = None, **values: int) -> AttemptReport:
    """Make the report on a claim."""
    finish = Finish(attempt=claim.key, outcome=outcome, results=JsonObject.of(values))
    return AttemptReport(id=claim.job.id, key=key or new_key(), report=finish)


def test_several_jobs_are_claimed_in_order(lab: Lab) -> None:
    """Each has an attempt, a key and a lease of its own; the last call gets what is left."""
    ids = lab.add_many(5)
    key = new_key()
    found = claims(lab, 3, key).claims
    assert [claim.job.id for claim in found] == ids[:3]
    assert [claim.key for claim in found] == [f"{key}.{i}" for i in range(3)]
    assert {(claim.job.status, claim.job.attempt, claim.lease) for claim in found} == {(JobStatus.RUNNING, 1, 60.0)}
    assert [claim.job.id for claim in claims(lab, 3).claims] == ids[3:]
    assert claims(lab, 3) == Claims(reason=NoJobReason.EMPTY)
    assert [lab.beat(claim) for claim in found] == ["continue"] * 3


def test_a_repeat_claims_the_same(lab: Lab) -> None:
    """Also when jobs have been added since; without the mark, too; and what is lost of it is left out."""
    lab.add_many(2)
    key = new_key()
    found = claims(lab, 4, key).claims
    lab.add_many(3)
    assert claims(lab, 4, key, repeat=True).claims == found
    assert claims(lab, 4, key).claims == found
    lab.finish(found[0])
    assert claims(lab, 4, key, repeat=True).claims == found[1:]
    lab.finish(found[1])
    with pytest.raises(LeaseLostError):
        claims(lab, 4, key, repeat=True)
    assert lab.queue.count_jobs(lab.name).running == 0


def test_claims_stay_below_the_limit(queue: Queue) -> None:
    """No more jobs run at once than the experiment allows."""
    lab = Lab.new(queue, max_running=3)
    lab.add_many(9)
    assert [len(claims(lab, 2).claims) for _ in range(3)] == [2, 1, 0]
    assert claims(lab, 2).reason is NoJobReason.AT_LIMIT


def test_a_search_proposes_several(queue: Queue) -> None:
    """As many as there are; a repeat finds them."""
    lab = Lab.new(queue, search=SearchDefinition("Grid", '{"x":[1,2,3]}'))
    key = new_key()
    found = claims(lab, 2, key).claims
    assert [claim.job.hyperparameters.decode()["x"] for claim in found] == [1, 2]
    assert claims(lab, 2, key, repeat=True).claims == found
    assert len(claims(lab, 2).claims) == 1


def test_claims_share_their_offer(lab: Lab) -> None:
    """What one job takes the next cannot have."""
    lab.queue.put_spec(
        lab.name,
        spec(
            {"name": "gpu", "resources": {"gpuCount": 1, "cpuCount": 0}},
            {"name": "cpu", "resources": {"cpuCount": 0.5}},
        ),
    )
    lab.add(
        *(draft(f"gpu {i}", task="gpu", priority=1) for i in range(4)),
        *(draft(f"cpu {i}", task="cpu") for i in range(4)),
    )
    found = claims(lab, 9, offer=Offer(cpu=1, gpu=3)).claims
    assert [claim.job.id for claim in found] == ["gpu 0", "gpu 1", "gpu 2", "cpu 0", "cpu 1"]
    assert claims(lab, 9, offer=Offer()).reason is NoJobReason.UNMET


def test_several_ends_are_recorded(lab: Lab) -> None:
    """Of any outcomes; each answer is that of a report on its own."""
    lab.add_many(4)
    found = claims(lab, 4).claims
    outcomes = [Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED, Outcome.RELEASED]
    reports = [report(claim, outcome, x=i) for i, (claim, outcome) in enumerate(zip(found, outcomes, strict=True))]
    answers = lab.queue.finish_attempts(lab.name, reports)
    assert answers.next is None
    ended = [each.finished for each in answers.reports if each.finished is not None]
    assert [each.recorded for each in ended] == [True] * 4
    statuses = [JobStatus.DONE, JobStatus.CRASHED, JobStatus.PRUNED, JobStatus.QUEUED]
    assert [each.job.status for each in ended] == [lab.job(claim.job.id).status for claim in found] == statuses
    assert [lab.job(claim.job.id).results.decode() for claim in found[:3]] == [{"x": 0}, {"x": 1}, {"x": 2}]


def test_reports_are_recorded_once(lab: Lab) -> None:
    """However often they are sent, together or alone; the answers stay what they were."""
    lab.add_many(2)
    found = claims(lab, 2).claims
    reports = [report(claim, x=1) for claim in found]
    first = lab.queue.finish_attempts(lab.name, reports)
    assert lab.queue.finish_attempts(lab.name, reports, repeat=True) == first
    alone = lab.queue.finish(lab.name, found[0].job.id, reports[0].report, key=reports[0].key, repeat=True)
    assert alone == first.reports[0].finished
    assert [len(lab.attempts(claim.job.id)) for claim in found] == [1, 1]


def test_one_report_may_fail_and_the_others_not(lab: Lab) -> None:
    """The answer says which, and why."""
    lab.add_many(4)
    found = claims(lab, 4).claims
    lab.finish(found[0])
    lab.delete(found[1].job.id)
    lab.prune(found[2].job.id)
    answers = lab.queue.finish_attempts(lab.name, [report(claim, x=1) for claim in found]).reports
    assert [each.id for each in answers] == [claim.job.id for claim in found]
    assert [each.problem and each.problem.type.rpartition(":")[2] for each in answers] == [
        "key-reused",
        "not-found",
        None,
        None,
    ]
    late, last = answers[2].finished, answers[3].finished
    assert isinstance(late, Finished)
    assert isinstance(last, Finished)
    assert (late.recorded, late.ended, last.recorded) == (False, Outcome.PRUNED, True)


def test_ends_bring_the_next_jobs(lab: Lab) -> None:
    """In the same call, and in a repeat of it the same; at the end why there is none."""
    ids = lab.add_many(5)
    reports = [report(claim) for claim in claims(lab, 2).claims]
    key = new_key()
    answer = lab.queue.finish_attempts(lab.name, reports, claim=key, at_once=2, worker="w")
    assert answer.next is not None
    assert [claim.job.id for claim in answer.next.claims] == ids[2:4]
    for repeat in (True, False):
        assert lab.queue.finish_attempts(lab.name, reports, claim=key, at_once=2, worker="w", repeat=repeat) == answer
    reports = [report(claim) for claim in answer.next.claims]
    last = lab.queue.finish_attempts(lab.name, reports, claim=new_key(), at_once=2).next
    assert last is not None
    assert [claim.job.id for claim in last.claims] == ids[4:]
    end = lab.queue.finish_attempts(lab.name, [report(last.claims[0])], claim=new_key(), at_once=2).next
    assert end == Claims(reason=NoJobReason.EMPTY)
    assert lab.queue.count_jobs(lab.name).done == 5


def test_a_repeat_whose_claims_are_over_claims_nothing(lab: Lab) -> None:
    """The reports stand, and who still wants jobs claims them."""
    lab.add_many(3)
    reports = [report(claim) for claim in claims(lab, 1).claims]
    key = new_key()
    answer = lab.queue.finish_attempts(lab.name, reports, claim=key)
    assert answer.next is not None
    lab.finish(answer.next.claims[0])
    again = lab.queue.finish_attempts(lab.name, reports, claim=key, repeat=True)
    assert again.next is None
    assert again.reports == answer.reports


def test_an_end_frees_what_waits_for_it(lab: Lab) -> None:
    """A job of which others wait is no plain case, and the others are claimed with its end."""
    lab.add(draft("a"), draft("b", depends_on=("a",)))
    answer = lab.queue.finish_attempts(lab.name, [report(claims(lab, 2).claims[0])], claim=new_key(), at_once=2)
    assert answer.next is not None
    assert [claim.job.id for claim in answer.next.claims] == ["b"]
