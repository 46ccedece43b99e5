"""Submitting specs to every kind of store."""

from sweepstake.client.specs.submitting import Submission, submit
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import ExperimentStatus, NoJobReason
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.queue import Queue
from sweepstake.spec import ExperimentSpec
from tests.kit.lab import new_key


def pipeline() -> Submission:
    """Make a spec of a sweep, of gangs of two, and of a task after it."""
    image = {"docker": "tiny"}
    train = {
        "name": "train",
        "image": image,
        "replicas": 2,
        "resources": {"gpuCount": 1},
        "context": {"priority": "high"},
        "sweep": {"search": "Grid", "parameters": {"lr": [1, 2]}, "nSeeds": 2},
    }
    merge = {"name": "merge", "image": image, "datasets": [{"mountPath": "/in", "source": {"result": "train"}}]}
    return Submission.of(ExperimentSpec.from_json({"tasks": [train, merge], "retry": {"allowedTaskRetries": 2}}))


def test_a_submission_is_an_experiment_with_its_jobs(queue: Queue) -> None:
    """Each job has all that its place in the spec says, and the queue knows what it needs."""
    name = new_key()
    record = submit(queue, pipeline(), name, update=False)
    assert (record.name, record.status, record.settings.tags) == (name, ExperimentStatus.RUNNING, ())
    assert record.settings.max_attempts == 3
    assert queue.get_spec(record.reference).document == pipeline().document
    jobs = {job.id: job for job in queue.list_jobs(record.reference, JobQuery()).items}
    assert len(jobs) == 9
    last = jobs["train.2.s1.r1"]
    assert (last.task, last.gang, last.rank, last.seed, last.priority, last.spec_version) == (
        "train",
        "train.2.s1",
        1,
        1,
        10,
        1,
    )
    assert last.hyperparameters.decode() == {"lr": 2}
    assert jobs["merge"].waiting == 8
    lacking = queue.claim(record.reference, "worker", offer=Offer(cpu=8.0))
    assert isinstance(lacking, NoJob)
    assert lacking.reason is NoJobReason.UNMET
    assert not isinstance(queue.claim(record.reference, "worker"), Claim)


def test_another_version_adds_its_jobs(queue: Queue) -> None:
    """Beside those that are there."""
    name = new_key()
    submit(queue, pipeline(), name, update=False)
    record = submit(queue, pipeline(), name, update=True)
    assert queue.get_spec(record.reference).version == 2
    assert queue.count_jobs(record.reference).total == 18
    assert record.settings.tags == ()
