"""Jobs that end early so that a more urgent one has room."""

from typing import Any

import pytest

from sweepstake.domain.status import Outcome
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.worker.slots.room import Slots
from sweepstake.worker.tasks import duty
from tests.kit.bench import ONE, Bench
from tests.kit.lab import draft, eventually

LASTING = "trap 'touch $FOLDER/saved; exit 1' TERM; touch $FOLDER/$BEAKER_JOB_ID; while :; do sleep 0.05; done"


def test_a_preemptible_job_gives_way(bench: Bench) -> None:
    """To one that is more urgent and lacks room: it may save what it has, and is queued again."""
    bench.put(
        {"script": f"if [ -e $FOLDER/saved ]; then exit 0; fi; {LASTING}", "context": {"preemptible": True}},
        {"script": "echo 1 > $FOLDER/urgent"},
    )
    bench.add("low")
    bench.then("low", lambda: bench.add("urgent", task="t1", priority=1))
    summary = bench.work(ONE)
    assert dict(summary.outcomes) == {Outcome.PREEMPTED: 1, Outcome.DONE: 2}
    first, second = bench.exp.get_job("low").attempts()
    assert (first.outcome, first.reason) == (Outcome.PREEMPTED, "it gave way to a more urgent job that lacked room")
    urgent = bench.exp.get_job("urgent").record
    assert urgent.started_at is not None
    assert urgent.started_at < second.started_at
    assert "job low: gives way to job urgent, which is more urgent" in bench.told


def test_nobody_gives_way_to_whom_another_worker_makes_room(bench: Bench) -> None:
    """One job that waits costs the work of one worker's jobs, not of two."""
    script = "touch $FOLDER/low; until [ -e $FOLDER/go ]; do sleep 0.02; done"
    bench.put({"script": script, "context": {"preemptible": True}}, {})
    bench.add("low")
    queue, name = bench.exp.session.queue, bench.exp.name

    def meet() -> None:
        queue.add_jobs(name, [draft("urgent", task="t1", priority=1, not_before=4e9)])
        assert queue.make_room(name, "urgent", "another")
        queue.set_queueing(name, "urgent", QueueingChanges(not_before=None))
        eventually(lambda: "MakeRoom" in bench.calls)
        (bench.folder / "go").touch()

    bench.then("low", meet)
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 2}


def test_an_end_tells_who_waits_for_more_than_is_free(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An urgent job that this end lets begin, and that lacks room: the claim in the same call hears of it."""
    monkeypatch.setattr(duty, "_BETWEEN_LOOKS", 3600.0)  # no look comes between, however long the end takes
    bench.told = bench.calls  # in one list, in their order
    bench.put(
        {"script": f"if [ -e $FOLDER/saved ]; then exit 0; fi; {LASTING}", "context": {"preemptible": True}},
        {"script": "until [ -e $FOLDER/go ]; do sleep 0.02; done"},
        {"resources": {"cpuCount": 2}},
    )
    bench.add("low")
    bench.add("short", task="t1")
    urgent = draft("urgent", task="t2", priority=1, depends_on=("short",))
    bench.exp.session.queue.add_jobs(bench.exp.name, [urgent])

    def go() -> None:
        eventually(lambda: bench.calls.count("ClaimJobs") > 1)  # the worker is full, and has looked whether one waits
        (bench.folder / "go").touch()

    bench.then("low", go)
    assert dict(bench.work(Slots(cpus=2.0)).outcomes) == {Outcome.PREEMPTED: 1, Outcome.DONE: 3}
    told = bench.calls.index("job low: gives way to job urgent, which is more urgent")
    asked = [call for call in bench.calls[:told] if call.startswith(("Claim", "Finish"))]
    assert (asked[-1], asked.count("FinishAttempts")) == ("FinishAttempts", 1)


def test_as_many_give_way_as_it_takes(bench: Bench) -> None:
    """The least urgent and youngest; the others go on, and so do those that give way to nobody."""
    script = "touch $FOLDER/$BEAKER_JOB_ID; until [ -e $FOLDER/urgent ]; do sleep 0.05; done"
    bench.put(
        {"script": script, "context": {"priority": "preemptible"}},
        {"script": script},
        {"script": "touch $FOLDER/urgent", "resources": {"cpuCount": 2}},
    )
    bench.add("a", priority=-20)
    bench.add("b", "c", priority=-30)
    bench.add("fixed", task="t1", priority=-40)

    def add() -> None:
        eventually(lambda: all((bench.folder / name).exists() for name in "abc"))
        bench.add("urgent", task="t2")

    bench.then("fixed", add)
    assert dict(bench.work(Slots(cpus=4.0)).outcomes) == {Outcome.PREEMPTED: 2, Outcome.DONE: 5}
    assert {job.job_id: len(list(job.attempts())) for job in bench.exp.all_jobs()} == {
        "a": 1,
        "b": 2,
        "c": 2,
        "fixed": 1,
        "urgent": 1,
    }


@pytest.mark.parametrize(
    "urgent, context",
    [
        ({"resources": {"cpuCount": 2}}, {"preemptible": True}),
        ({}, {"preemptible": False}),
        ({}, {"preemptible": True, "minRuntime": "1h"}),
    ],
    ids=["in vain", "not preemptible", "too young"],
)
def test_nobody_gives_way_in_vain(bench: Bench, urgent: dict[str, Any], context: dict[str, Any]) -> None:
    """Nor whose task does not allow it, or not yet: the urgent job waits, or is left to others."""
    script = "touch $FOLDER/$BEAKER_JOB_ID; until [ -e $FOLDER/enough ]; do sleep 0.05; done"
    bench.put({"script": script, "context": context}, {**urgent})
    bench.add("low")

    def add() -> None:
        bench.add("urgent", task="t1", priority=1)
        eventually(lambda: bench.calls.count("ClaimJobs") > 3 or not context["preemptible"])
        (bench.folder / "enough").touch()

    bench.then("low", add)
    bench.work(ONE, idle=0.5)
    assert [attempt.outcome for attempt in bench.exp.get_job("low").attempts()] == [Outcome.DONE]
