"""Jobs of a task that the experiment's search makes when somebody asks who offers enough for them."""

from typing import Any

import pytest

from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import ExperimentStatus, NoJobReason
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.queue import Queue
from sweepstake.spec import ExperimentSpec
from sweepstake.spec.expansion import search_of
from tests.kit.lab import Lab, draft, new_key, spec

SWEEP = {
    "search": {"PBT": {"exploit": {"truncate": 0.2}, "numParallel": 2}},
    "parameters": {"lr": {"uniform": {"low": 0, "high": 1}}},
    "objective": "loss",
}
TASK = {"name": "train", "resources": {"cpuCount": 2}, "sweep": SWEEP}
ENOUGH = Offer(cpu=2)


@pytest.fixture
def lab(queue: Queue) -> Lab:
    """An experiment whose search makes the jobs of its one task, at most three."""
    return searching(queue, max_jobs=3)


def searching(queue: Queue, **settings: Any) -> Lab:
    """Make an experiment with a spec whose search makes the jobs of a task."""
    stored = spec(TASK)
    made = Lab.new(queue, search=search_of(ExperimentSpec.from_json(stored.document.decode())), **settings)
    queue.put_spec(made.name, stored)
    return made


def ask(lab: Lab, offer: Offer | None = ENOUGH) -> Claim | NoJobReason:
    """Claim a job."""
    found = lab.queue.claim(lab.name, "w", offer=offer)
    return found.reason if isinstance(found, NoJob) else found


def test_a_search_makes_jobs_of_its_task(lab: Lab) -> None:
    """With hyperparameters, the task and the version of the spec; as many as there may be."""
    first = ask(lab)
    assert isinstance(first, Claim)
    assert (first.job.task, first.job.spec_version) == ("train", 1)
    assert 0 <= first.job.hyperparameters.decode()["lr"] <= 1
    assert isinstance(ask(lab), Claim)
    assert ask(lab) is NoJobReason.WAITING
    lab.finish(first, results={"loss": 1})
    third = ask(lab)
    assert isinstance(third, Claim)
    lab.finish(third, results={"loss": 1})
    assert ask(lab) is NoJobReason.EXHAUSTED
    assert lab.record().created == 3


def test_what_is_offered_must_suffice(lab: Lab) -> None:
    """Nothing is made for a worker that lacks what the task needs."""
    assert ask(lab, Offer(cpu=1)) is NoJobReason.UNMET
    assert lab.record().created == 0


def test_several_are_made_at_once(queue: Queue) -> None:
    """As many as fit; the same call finds them again."""
    lab, key = searching(queue), new_key()
    found = queue.claim_jobs(lab.name, "w", 9, offer=Offer(cpu=5), key=key).claims
    assert [claim.job.task for claim in found] == ["train", "train"]
    assert queue.claim_jobs(lab.name, "w", 9, offer=Offer(cpu=5), key=key, repeat=True).claims == found
    assert lab.record().created == 2


def test_a_repeat_finds_its_job(lab: Lab) -> None:
    """No second one is made for an answer that was lost."""
    key = new_key()
    first = lab.queue.claim(lab.name, "w", offer=ENOUGH, key=key)
    assert lab.queue.claim(lab.name, "w", offer=ENOUGH, key=key, repeat=True) == first
    assert lab.record().created == 1


def test_a_paused_experiment_makes_none(lab: Lab) -> None:
    """As with any other job."""
    lab.set_status(ExperimentStatus.DONE)
    assert ask(lab) is NoJobReason.FINISHED
    assert lab.record().created == 0


def test_the_next_version_says_whether_jobs_are_made(lab: Lab) -> None:
    """Of a task that the search is for no more, none are; those that wait come first all the same."""
    lab.queue.put_spec(lab.name, spec({"name": "train"}))
    assert ask(lab) is NoJobReason.EMPTY
    lab.add(draft("ready", task="train"))
    claim = ask(lab)
    assert isinstance(claim, Claim)
    assert claim.job.id == "ready"


def test_a_limit_holds_for_what_is_made(queue: Queue) -> None:
    """No more of its jobs run at once than the experiment allows."""
    lab = searching(queue, max_running=1)
    assert isinstance(ask(lab), Claim)
    assert ask(lab) is NoJobReason.AT_LIMIT
