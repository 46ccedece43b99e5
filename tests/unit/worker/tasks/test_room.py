"""How many jobs a worker runs side by side, and for whom it keeps room: large jobs and gangs."""

import socket
import time

import pytest

from sweepstake.domain.status import Outcome
from sweepstake.worker.slots.room import Slots
from tests.kit.bench import ONE, Bench


def test_as_many_run_side_by_side_as_there_are_slots(bench: Bench) -> None:
    """Four jobs that wait for each other end on four processors."""
    bench.put(
        {"script": 'touch $FOLDER/+$BEAKER_JOB_ID; until [ "$(ls $FOLDER | grep -c +)" = 4 ]; do sleep 0.02; done'}
    )
    bench.add(*"abcd")
    assert dict(bench.work(Slots(cpus=4.0)).outcomes) == {Outcome.DONE: 4}


def test_all_that_there_is_room_for_is_claimed_in_one_call(bench: Bench) -> None:
    """Four jobs on four processors, which wait for each other, so that none ends before all have begun."""
    bench.put(
        {"script": 'touch $FOLDER/+$BEAKER_JOB_ID; until [ "$(ls $FOLDER | grep -c +)" = 4 ]; do sleep 0.02; done'}
    )
    bench.add(*"abcd")
    assert dict(bench.work(Slots(cpus=4.0)).outcomes) == {Outcome.DONE: 4}
    before = bench.calls[: bench.calls.index("FinishAttempts")]
    assert [call for call in before if call.startswith("Claim")] == ["ClaimJobs"]


def test_an_end_and_the_next_claim_are_one_call(bench: Bench) -> None:
    """Three jobs one after another: nothing is asked between them."""
    bench.put({})
    bench.add(*"abc")
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 3}
    asked = [call for call in bench.calls if call.startswith(("Claim", "Finish"))]
    assert asked == ["ClaimJobs", *["FinishAttempts"] * 3]


def test_no_more_run_than_there_are_slots(bench: Bench) -> None:
    """Each takes half a processor of one, and never are there three; each has a GPU to itself."""
    bench.put(
        {
            "script": "mkdir $FOLDER/gpu$CUDA_VISIBLE_DEVICES; sleep 0.05; rmdir $FOLDER/gpu$CUDA_VISIBLE_DEVICES",
            "resources": {"cpuCount": 0.25, "gpuCount": 1},
        }
    )
    bench.add(*"abcdefgh")
    assert dict(bench.work(Slots(cpus=1.0, gpus=("0", "1"))).outcomes) == {Outcome.DONE: 8}


#: Of small jobs there are so many that, each taking a tenth of a second, they outlast any patience but a long one.
MANY = 40


def overlapping(slots: int, seconds: int) -> str:
    """Return the script of a small job, of which so many run side by side: never are two of their slots free at once.

    It lasts until all that run beside it have begun after it, or the last of all has, or so many seconds are over.
    """
    return f"""echo $BEAKER_JOB_ID >> $FOLDER/order; i=0
        had=$(grep -nx $BEAKER_JOB_ID $FOLDER/order | cut -d: -f1); last=$((had + {slots - 1}))
        if [ $last -gt {MANY} ]; then last={MANY}; fi
        sleep 0.1
        until [ "$(wc -l < $FOLDER/order)" -ge $last ] || [ $i = {seconds}0 ]; do sleep 0.1; i=$((i+1)); done"""


@pytest.mark.parametrize("patience, seconds, overtaken", [(0.2, 3, False), (600.0, 100, True)])
def test_a_large_job_is_not_overtaken_for_ever(bench: Bench, patience: float, seconds: int, overtaken: bool) -> None:
    """Two processors, of which never both are free by themselves: room must be kept for it."""
    large = {"script": "echo large >> $FOLDER/order", "resources": {"cpuCount": 2}}
    bench.put({"script": overlapping(2, seconds)}, large)
    bench.add("s0", "s1")
    bench.add("large", task="t1")
    bench.add(*(f"s{i}" for i in range(2, MANY)))
    assert dict(bench.work(Slots(cpus=2.0), patience=patience).outcomes) == {Outcome.DONE: MANY + 1}
    assert (bench.wrote("order").index("large") == MANY) == overtaken


@pytest.mark.parametrize("patience, seconds, overtaken", [(0.2, 1, False), (600.0, 100, True)])
def test_a_gang_is_not_overtaken_for_ever(bench: Bench, patience: float, seconds: int, overtaken: bool) -> None:
    """Two jobs of two processors each, of four: room is kept for one after the other, until both are there."""
    bench.put({"replicas": 2, "resources": {"cpuCount": 2}}, {"script": overlapping(4, seconds)})
    bench.add("s0", "s1", "s2", "s3", task="t1")
    bench.add_gang("g", 2)
    bench.add(*(f"s{i}" for i in range(4, MANY)), task="t1")
    assert dict(bench.work(Slots(cpus=4.0), patience=patience).outcomes) == {Outcome.DONE: MANY + 2}
    # When they had room is what counts: one of them may sleep for a second more before it looks for the other.
    began = {job.job_id: job.record.started_at or 0.0 for job in bench.exp.all_jobs()}
    together = max(began.pop("g0"), began.pop("g1"))
    assert (sum(each < together for each in began.values()) == MANY) == overtaken


def test_replicas_begin_together(bench: Bench) -> None:
    """Each is told its rank, their number, and the host of the first; more than may crash before the worker stops."""
    script = """echo $BEAKER_REPLICA_RANK $BEAKER_REPLICA_COUNT $BEAKER_LEADER_REPLICA_HOSTNAME >> $FOLDER/told
        echo $SWEEPSTAKE_REPLICA_RANK $SWEEPSTAKE_REPLICA_COUNT $SWEEPSTAKE_LEADER_HOSTNAME >> $FOLDER/ours
        until [ "$(wc -l < $FOLDER/told)" = 5 ]; do sleep 0.02; done"""
    bench.put({"script": script, "replicas": 5})
    bench.add_gang("g", 5)
    began = time.monotonic()
    assert dict(bench.work(Slots(cpus=5.0), crashes=3).outcomes) == {Outcome.DONE: 5}
    assert sorted(bench.wrote("told")) == [f"{rank} 5 {socket.gethostname()}" for rank in range(5)]
    assert sorted(bench.wrote("ours")) == sorted(bench.wrote("told"))
    assert time.monotonic() - began < 60


def test_the_host_of_the_leader_is_what_its_labels_say(bench: Bench) -> None:
    """By it, and not by a name that others cannot reach, the leader is found."""
    bench.put({"script": "echo $BEAKER_NODE_HOSTNAME $BEAKER_LEADER_REPLICA_HOSTNAME >> $FOLDER/told", "replicas": 2})
    bench.add_gang("g", 2)
    bench.work(Slots(cpus=2.0), {"hostname": "node-1.net"})
    assert bench.wrote("told") == ["node-1.net node-1.net"] * 2


def test_half_a_gang_does_not_begin(bench: Bench) -> None:
    """On a machine with room for one of two; when its time is over, all of it is crashed, and its room is free."""
    bench.put({"script": "touch $FOLDER/begun", "replicas": 2, "synchronizedStartTimeout": "1s"}, {})
    bench.add_gang("g", 2)
    bench.add("single", task="t1", priority=-1)
    assert Outcome.DONE in bench.work(ONE, idle=0.5).outcomes
    assert {job.job_id: job.status for job in bench.exp.all_jobs()} == {
        "g0": "CRASHED",
        "g1": "CRASHED",
        "single": "DONE",
    }
    assert not (bench.folder / "begun").exists()
    (attempt,) = bench.exp.get_job("g0").attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.CRASHED, "the gang was not complete within 1 s")


def test_a_gang_begins_with_the_claim_of_an_end(bench: Bench) -> None:
    """Of three replicas two have no room until others have ended; all begin, and count as one that crashes."""
    bench.put(
        {
            "replicas": 3,
            "synchronizedStartTimeout": "1m",
            "script": 'touch $FOLDER/+$BEAKER_JOB_ID; until [ "$(ls $FOLDER | grep -c +)" = 3 ]; do sleep 0.02; done; '
            "exit 3",
        },
        {"script": "true"},
    )
    bench.add("a", "b", task="t1", priority=1)
    bench.add_gang("g", 3)
    summary = bench.work(Slots(cpus=3.0), crashes=2)
    assert (dict(summary.outcomes), summary.tripped) == ({Outcome.DONE: 2, Outcome.CRASHED: 3}, "")
