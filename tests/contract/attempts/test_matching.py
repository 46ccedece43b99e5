"""Claims for an offer: only jobs of tasks that need no more."""

import pytest

from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason, Outcome
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from tests.kit.lab import Lab, draft, new_key, spec

TASKS = (
    {"name": "small"},
    {"name": "cpus", "resources": {"cpuCount": 2.5}},
    {"name": "gpus", "resources": {"gpuCount": 2}},
    {"name": "memory", "resources": {"memory": "2GiB"}},
    {"name": "there", "constraints": {"cluster": ["ai2/jupiter", "ai2/saturn"], "disk": ["fast"]}},
)
EVERYTHING = Offer(
    cpu=4,
    gpu=4,
    memory=8 * 1024**3,
    labels=(WorkerLabel(name="cluster", value="ai2/saturn"), WorkerLabel(name="disk", value="fast")),
)


@pytest.fixture
def tasks(lab: Lab) -> Lab:
    """An experiment with a spec, and one job of each task, the demanding ones first."""
    lab.queue.put_spec(lab.name, spec(*TASKS))
    lab.add(*(draft(str(task["name"]), task=task["name"]) for task in reversed(TASKS)))
    return lab


def claims(lab: Lab, offer: Offer | None) -> list[str]:
    """Claim as long as there is something, and return the ids."""
    found = []
    while isinstance(claim := lab.queue.claim(lab.name, "w", offer=offer), Claim):
        found.append(claim.job.id)
    return found


@pytest.mark.parametrize(
    "offer, taken",
    [
        (EVERYTHING, ["there", "memory", "gpus", "cpus", "small"]),
        (Offer(), []),
        (Offer(cpu=1), ["small"]),
        (Offer(cpu=2.5), ["cpus", "small"]),
        (Offer(cpu=2, gpu=2), ["gpus", "small"]),
        (Offer(cpu=1, memory=2 * 1024**3), ["memory", "small"]),
        (Offer(cpu=1, labels=(WorkerLabel(name="cluster", value="ai2/saturn"),)), ["small"]),
        (None, []),
    ],
)
def test_a_claim_takes_what_its_offer_meets(tasks: Lab, offer: Offer | None, taken: list[str]) -> None:
    """By priority and age among those; without an offer no job of a task is taken."""
    assert claims(tasks, offer) == taken


def test_an_offer_takes_only_jobs_of_tasks(tasks: Lab) -> None:
    """And who offers nothing takes the others."""
    tasks.add(draft("plain", priority=9))
    assert "plain" not in claims(tasks, EVERYTHING)
    assert claims(tasks, None) == ["plain"]


def test_priority_goes_before_age_and_needs(tasks: Lab) -> None:
    """Of what fits, the most urgent, then the oldest."""
    tasks.add(draft("late", task="cpus", priority=1), draft("later", task="small", priority=1))
    assert claims(tasks, EVERYTHING)[:3] == ["late", "later", "there"]


def test_a_claim_for_an_offer_is_as_any_other(tasks: Lab) -> None:
    """It tells the task, is repeated with its key, and ends as any other."""
    key = new_key()
    claim = tasks.queue.claim(tasks.name, "w", key=key, offer=Offer(cpu=2, gpu=2))
    assert isinstance(claim, Claim)
    assert (claim.job.task, claim.job.spec_version, claim.key) == ("gpus", 1, key)
    assert tasks.queue.claim(tasks.name, "w", key=key, repeat=True, offer=Offer(cpu=2, gpu=2)) == claim
    finished = tasks.finish(claim, Outcome.DONE, {"x": 1})
    assert (finished.recorded, finished.job.task, finished.job.spec_version) == (True, "gpus", 1)


def test_a_job_that_is_given_back_is_offered_again(tasks: Lab) -> None:
    """With the same needs."""
    claim = tasks.queue.claim(tasks.name, "w", offer=Offer(cpu=2, gpu=2))
    assert isinstance(claim, Claim)
    tasks.finish(claim, Outcome.RELEASED)
    again = tasks.queue.claim(tasks.name, "w", offer=Offer(cpu=2, gpu=2))
    assert isinstance(again, Claim)
    assert again.job.id == claim.job.id


def test_why_there_is_nothing_for_an_offer(lab: Lab) -> None:
    """Nothing there, nothing that fits, nothing now, or the experiment is paused."""

    def reason(offer: Offer) -> NoJobReason:
        answer = lab.queue.claim(lab.name, "w", offer=offer)
        assert isinstance(answer, NoJob)
        return answer.reason

    assert reason(EVERYTHING) is NoJobReason.EMPTY
    lab.add(draft("plain"))
    assert reason(EVERYTHING) is NoJobReason.EMPTY
    lab.queue.put_spec(lab.name, spec(*TASKS))
    lab.add(draft("a", task="gpus"), draft("b", task="small", depends_on=("a",)))
    assert reason(Offer(gpu=1)) is NoJobReason.UNMET
    lab.claim(ids=["a"])
    assert reason(EVERYTHING) is NoJobReason.BLOCKED
    lab.set_status(ExperimentStatus.DONE)
    assert reason(EVERYTHING) is NoJobReason.FINISHED


def test_limits_hold_for_offers(lab: Lab) -> None:
    """No more jobs run at once than the experiment allows."""
    limited = Lab.new(lab.queue, max_running=1)
    limited.queue.put_spec(limited.name, spec({"name": "a"}))
    limited.add(draft(task="a"), draft(task="a"))
    assert len(claims(limited, EVERYTHING)) == 1
    answer = limited.queue.claim(limited.name, "w", offer=EVERYTHING)
    assert answer == NoJob(NoJobReason.AT_LIMIT)


def test_ready_jobs_of_tasks_are_listed_and_counted(tasks: Lab) -> None:
    """By their status, in order of age, among others."""
    tasks.add(draft("plain"))
    found = [job.id for job in tasks.jobs(status=frozenset({JobStatus.QUEUED}))]
    assert found == ["there", "memory", "gpus", "cpus", "small", "plain"]
    assert tasks.queue.count_jobs(tasks.name).ready == 6
