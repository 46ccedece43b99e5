"""Workers that say what they have, and what that means for jobs that wait."""

from sweepstake.domain.situation import WhyReason
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from sweepstake.domain.workers import WorkerRecord, WorkerReport
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, draft, new_key, spec

HERE = WorkerLabel(name="cluster", value="here")


def see(queue: Queue, name: str, *, leaves: bool = False, labels: tuple[WorkerLabel, ...] = (), **slots: int) -> None:
    """Send the heartbeat of a worker that holds nothing."""
    offer = Offer(labels=labels, **slots)
    assert queue.heartbeat_of(WorkerReport(name=name, slots=offer, free=offer, leaves=leaves)) == ()


def found(queue: Queue, *names: str) -> list[WorkerRecord]:
    """Return those of these workers that are alive."""
    return [worker for worker in queue.list_workers() if worker.name in names]


def test_a_worker_is_there_from_its_first_heartbeat_to_its_end(queue: Queue) -> None:
    """With what it said last, as often as it said it."""
    name, other = f"a {new_key()}", f"b {new_key()}"
    report = WorkerReport(name=name, slots=Offer(cpu=2.5, gpu=2, memory=9, labels=(HERE,)), free=Offer(gpu=1))
    for _ in range(2):
        queue.heartbeat_of(report)
    see(queue, other, cpu=1)
    first, second = found(queue, name, other)
    assert (first.name, first.slots, first.free, first.owner) == (name, report.slots, report.free, None)
    assert first.seen_at <= second.seen_at
    see(queue, name, leaves=True)
    assert [worker.name for worker in found(queue, name, other)] == [other]
    see(queue, other, leaves=True)


def test_a_worker_is_told_of_its_attempts(lab: Lab) -> None:
    """In the same heartbeat."""
    lab.add_many(1)
    claim = lab.claim()
    name = new_key()
    beats = lab.queue.heartbeat_of(WorkerReport(name=name, slots=Offer(), free=Offer()), [claim.key])
    assert [beat.signal for beat in beats] == ["continue"]
    assert len(found(lab.queue, name)) == 1
    see(lab.queue, name, leaves=True)


def test_why_names_the_need_that_nobody_meets(lab: Lab) -> None:
    """Of all live workers; when one comes that meets it, the job is next."""
    lab.queue.put_spec(
        lab.name, spec({"name": "a", "resources": {"gpuCount": 64}}, {"name": "b", "constraints": {"cluster": ["x y"]}})
    )
    lab.add(draft("a", task="a"), draft("b", task="b"))
    names = [new_key() for _ in range(2)]
    for name in names:
        see(lab.queue, name, cpu=1, gpu=1)
    why = lab.why("a")
    assert why.reason is WhyReason.UNMET
    number = len(lab.queue.list_workers())
    assert why.sentence == f"It needs 64 GPUs; of {number} live workers none has more than 1."
    assert lab.why("b").sentence == f"It needs cluster x y; of {number} live workers none has that label."
    see(lab.queue, names[0], cpu=1, gpu=64)
    why = lab.why("a")
    assert why.reason is WhyReason.READY
    assert "sweepstake worker" in why.sentence
    for name in names:
        see(lab.queue, name, leaves=True)
