"""Several jobs in a call: each claim and each report is as one that comes alone."""

from typing import Any

import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim, Claims, Finished, SearchDefinition
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason, Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.errors import LeaseLostError
from sweepstake.queue.calls.several import AttemptReport
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.crew import at_once
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


def named(lab: Lab, at_once: int, *ids: str, key: str | None = None, **more: Any) -> Claims:
    """Claim several jobs that are named."""
    return lab.queue.claim_jobs(lab.name, "w", at_once, ids=ids, key=key, **more)


def test_named_jobs_are_claimed_in_the_order_of_their_names(lab: Lab) -> None:
    """Whatever their age and priority are; those that are not ready are passed over, and others are left alone."""
    first, second, third, other = lab.add_many(4)
    urgent = lab.add_one(priority=5)
    blocked = lab.add_one(depends_on=(first,))
    found = named(lab, 3, third, blocked, "no such job", first, urgent, second)
    assert [claim.job.id for claim in found.claims] == [third, first, urgent]
    assert [claim.job.id for claim in named(lab, 3, third, blocked, first, urgent, second).claims] == [second]
    assert named(lab, 1, third, blocked, first) == Claims(reason=NoJobReason.NOT_READY)
    assert lab.job(other).status is JobStatus.QUEUED


def test_a_repeat_claims_the_same_named_jobs(lab: Lab) -> None:
    """As any claim does."""
    ids = lab.add_many(4)
    key = new_key()
    found = named(lab, 2, *reversed(ids), key=key).claims
    assert named(lab, 2, *reversed(ids), key=key, repeat=True).claims == found
    assert named(lab, 2, *reversed(ids), key=key).claims == found
    assert lab.queue.count_jobs(lab.name).running == 2


def test_named_claims_are_guarded_as_all_are(queue: Queue) -> None:
    """By the limit, by a pause, and a search proposes none for them."""
    lab = Lab.new(queue, search=SearchDefinition("Grid", '{"x":[1,2,3]}'), max_running=2)
    ids = lab.add_many(4)
    assert len(named(lab, 3, *ids).claims) == 2
    assert named(lab, 1, *ids).reason is NoJobReason.NOT_READY
    assert named(lab, 1, "no such job").reason is NoJobReason.NOT_READY
    paused = Lab.new(queue)
    ids = paused.add_many(1)
    paused.set_status(ExperimentStatus.DONE)
    assert named(paused, 1, *ids).reason is NoJobReason.NOT_READY
    assert queue.count_jobs(lab.name).total == 4


def test_of_named_tasks_those_that_fit_are_claimed(lab: Lab) -> None:
    """In their order, as far as the offer goes for all of them together; what does not fit is told from what waits."""
    lab.queue.put_spec(
        lab.name,
        spec({"name": "small", "resources": {"cpuCount": 1}}, {"name": "large", "resources": {"cpuCount": 4}}),
    )
    lab.add(draft("large", task="large"), *(draft(f"small {i}", task="small") for i in range(3)), draft("plain"))
    ids = ("plain", "small 2", "large", "small 0")
    found = named(lab, 4, *ids, offer=Offer(cpu=4))
    assert [claim.job.id for claim in found.claims] == ["small 2", "small 0"]
    assert named(lab, 4, *ids, offer=Offer(cpu=2)) == Claims(reason=NoJobReason.UNMET)
    assert [claim.job.id for claim in named(lab, 4, *ids, offer=Offer(cpu=4)).claims] == ["large"]
    assert named(lab, 4, *ids, offer=Offer(cpu=4)) == Claims(reason=NoJobReason.NOT_READY)
    assert [claim.job.id for claim in named(lab, 4, *ids).claims] == ["plain"]


def test_a_named_gang_is_claimed_in_one_call(lab: Lab) -> None:
    """All of its replicas, if there is room for them; while another gang collects, its jobs are not begun."""
    task = {"resources": {"cpuCount": 1}, "replicas": 2}
    lab.queue.put_spec(lab.name, spec({"name": "a", **task}, {"name": "b", **task}))
    for name in ("a", "b"):
        lab.add(*(draft(f"{name}{rank}", task=name, gang=name, rank=rank) for rank in range(2)))
    ids = ("b1", "b0", "a1", "a0")
    assert [claim.job.id for claim in named(lab, 1, "a1", offer=Offer(cpu=8)).claims] == ["a1"]
    assert named(lab, 4, "b1", "b0", offer=Offer(cpu=8)).reason is NoJobReason.NOT_READY
    found = named(lab, 4, *ids, offer=Offer(cpu=8))
    assert {claim.job.id for claim in found.claims} == {"a0", "b0", "b1"}
    assert lab.queue.get_gang(lab.name, "b0").together


def test_reports_claim_named_jobs(lab: Lab) -> None:
    """What is ended and what is begun go in one call; a repeat finds both."""
    ids = lab.add_many(4)
    held = named(lab, 2, *ids).claims
    key = new_key()
    reports = [report(claim, i=1) for claim in held]
    told = lab.queue.finish_attempts(lab.name, reports, claim=key, at_once=2, ids=[ids[3]], worker="w")
    assert told.next is not None
    assert [claim.job.id for claim in told.next.claims] == [ids[3]]
    again = lab.queue.finish_attempts(lab.name, reports, claim=key, at_once=2, ids=[ids[3]], worker="w", repeat=True)
    assert again.next is not None
    assert again.next.claims == told.next.claims
    assert lab.queue.count_jobs(lab.name).ready == 1


def test_named_jobs_are_given_to_one_each(lab: Lab) -> None:
    """Two allocations of one batch, and all the others, ask for the same jobs at once."""
    ids = lab.add_many(20)
    found = at_once(lambda _: [claim.job.id for claim in named(lab, 5, *ids).claims])
    assert sorted(job for each in found for job in each) == sorted(ids)
