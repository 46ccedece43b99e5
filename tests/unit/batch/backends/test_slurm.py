"""What Slurm is told, and what its answers mean: recorded from 22.05."""

from pathlib import Path

import pytest

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import Answer
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.backends.submissions import Site, Submission
from sweepstake.batch.planning import Capacity
from sweepstake.errors import ConfigurationError, InvalidInputError, SubmissionError, SubmissionLostError
from tests.kit.recorded import Recorded

__all__: list[str] = []

AWAY = Answer(code=1, output="", errors="slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n")
UNKNOWN = Answer(code=1, output="", errors="slurm_load_jobs error: Invalid job id specified\n")


def said(*lines: str) -> Answer:
    """Return what squeue answers."""
    return Answer(code=0, output="".join(f"{line}\n" for line in lines), errors="")


def polled(answer: Answer, **named: str) -> dict[str, Allocation]:
    """Return what is made of an answer; ids are told as ``j123_4``."""
    scheduler = Scheduler(SlurmDialect(), Recorded(answer))
    return dict(scheduler.poll({each.removeprefix("j"): name for each, name in named.items()}))


SINGLE = """\
#!/bin/bash
#SBATCH --job-name=sw-1
#SBATCH --comment=sw-1
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=2
#SBATCH --mem=1025M
#SBATCH --time=31
#SBATCH --signal=B:USR1@60
#SBATCH --dependency=afterany:7:8_1
#SBATCH --output='/home/me/my runs/%j.log'
#SBATCH --partition=main
#SBATCH --account=acc
#SBATCH --no-requeue
#SBATCH --open-mode=append
#SBATCH --exclusive

module load python/3.11 cuda
export GREETING='two words'
exec sweepstake worker 'my sweep' --batch 1
"""

ARRAY = """\
#!/bin/bash
#SBATCH --job-name=sw-2
#SBATCH --comment=sw-2
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --time=30
#SBATCH --array=0-1
#SBATCH --output=/runs/%A_%a.log
#SBATCH --no-requeue
#SBATCH --open-mode=append

case "$SLURM_ARRAY_TASK_ID" in
0) exec srun --nodes=2 --ntasks-per-node=1 --kill-on-bad-exit=0 work a ;;
1) exec srun --nodes=2 --ntasks-per-node=1 --kill-on-bad-exit=0 work b ;;
esac
"""


def test_a_script_asks_for_what_a_batch_needs() -> None:
    """Then it becomes the worker."""
    site = Site(
        partition="main",
        account="acc",
        modules=["python/3.11", "cuda"],
        environment={"GREETING": "two words"},
        extra=["--exclusive"],
    )
    submission = Submission(
        name="sw-1",
        commands=[["sweepstake", "worker", "my sweep", "--batch", "1"]],
        cpus=8,
        gpus=2,
        memory=1024**3 + 1,
        time_limit=1801,
        after=["7", "8_1"],
        folder=Path("/home/me/my runs"),
        site=site,
    )
    assert SlurmDialect().script(submission) == SINGLE


def test_batches_that_are_alike_are_an_array() -> None:
    """Each looks up its own command; on several nodes there is a worker on each."""
    submission = Submission(name="sw-2", commands=[["work", "a"], ["work", "b"]], nodes=2, folder=Path("/runs"))
    assert SlurmDialect().script(submission) == ARRAY


def test_what_would_be_a_line_of_its_own_is_refused() -> None:
    """Else it could be a directive, or a command."""
    with pytest.raises(InvalidInputError, match="partition"):
        SlurmDialect().script(Submission(name="x", commands=[["true"]], site=Site(partition="a\nrm -r x")))


@pytest.mark.parametrize("output, jobid", [("123\n", "123"), ("123;north\n", "123")])
def test_a_submission_has_an_id(output: str, jobid: str) -> None:
    """Each allocation of an array has one."""
    run = Recorded(*[Answer(code=0, output=output, errors="")] * 2)
    scheduler = Scheduler(SlurmDialect(), run)
    assert scheduler.submit(Submission(name="x", commands=[["a"]])) == [jobid]
    assert scheduler.submit(Submission(name="x", commands=[["a"], ["b"]])) == [f"{jobid}_0", f"{jobid}_1"]
    assert run.asked == [["sbatch", "--parsable"]] * 2


def test_a_refusal_has_the_schedulers_own_words() -> None:
    """They name what is wrong better than we could."""
    errors = "sbatch: error: invalid partition specified: none\nsbatch: error: Batch job submission failed: Inv\n"
    scheduler = Scheduler(SlurmDialect(), Recorded(Answer(code=1, output="", errors=errors)))
    with pytest.raises(SubmissionError, match=r"slurm refused it: .*invalid partition specified: none"):
        scheduler.submit(Submission(name="x", commands=[["a"]]))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(code=None, output="", errors="sbatch did not answer within 60 s"),
        Answer(code=-9, output="", errors=""),
        Answer(code=0, output="", errors=""),
        Answer(code=1, output="", errors="Batch job submission failed: Socket timed out on send/recv operation\n"),
        Answer(code=1, output="", errors="... Unable to contact slurm controller (receive failure)\n"),
    ],
)
def test_a_lost_answer_is_no_refusal(answer: Answer) -> None:
    """The allocation may be there."""
    with pytest.raises(SubmissionLostError, match=r"slurm did not answer: .*not known yet"):
        Scheduler(SlurmDialect(), Recorded(answer)).submit(Submission(name="x", commands=[["a"]]))


@pytest.mark.parametrize(
    "word, state",
    [
        ("PENDING", AllocationState.PENDING),
        ("CONFIGURING", AllocationState.RUNNING),
        ("COMPLETING", AllocationState.RUNNING),
        ("COMPLETED", AllocationState.DONE),
        ("OUT_OF_MEMORY", AllocationState.FAILED),
        ("TIMEOUT", AllocationState.TIMEOUT),
        ("CANCELLED by 1000", AllocationState.CANCELLED),
        ("PREEMPTED", AllocationState.PREEMPTED),
        ("NODE_FAIL", AllocationState.NODE_FAIL),
        ("A_WORD_OF_LATER", AllocationState.UNKNOWN),
    ],
)
def test_states_have_the_words_of_all_schedulers(word: str, state: AllocationState) -> None:
    """One that is about to end holds its nodes as yet."""
    assert polled(said(f"1|{word}|0:59|sw|None"), j1="sw")["1"].state is state


def test_an_allocation_that_runs_says_how_long_it_may() -> None:
    """One that waits does not, whatever its limit is; nor one without a limit."""
    answer = said("1|RUNNING|23:59:55|sw|None", "2|PENDING|1-00:00:00|sw|None", "3|RUNNING|UNLIMITED|sw|None")
    found = polled(answer, j1="sw", j2="sw", j3="sw")
    assert [found[each].left for each in "123"] == [86395.0, None, None]


def test_a_controller_that_is_away_says_nothing() -> None:
    """So nothing is known, and nothing is over."""
    found = polled(AWAY, j1="sw")["1"]
    assert (found.state, found.gone, found.is_over) == (AllocationState.UNKNOWN, False, False)
    assert "Unable to contact slurm controller" in found.reason


@pytest.mark.parametrize("answer", [UNKNOWN, said("1|RUNNING|0:59|others|None"), said()])
def test_what_the_controller_knows_no_more_is_gone(answer: Answer) -> None:
    """Also where its number is another's by now: a controller that was killed gives numbers out again."""
    found = polled(answer, j1="sw")["1"]
    assert (found.state, found.gone, found.is_over) == (AllocationState.UNKNOWN, True, True)


@pytest.mark.parametrize("whole", ["2", "2_4294967294"])
def test_tasks_that_never_began_stand_under_their_array(whole: str) -> None:
    """Once they were cancelled together, or as long as they wait together."""
    found = polled(said(f"{whole}|CANCELLED|1-00:00:00|sw|None", "2_0|RUNNING|1:00|sw|None"), j2_0="sw", j2_1="sw")
    assert [found[each].state for each in ("2_0", "2_1")] == [AllocationState.RUNNING, AllocationState.CANCELLED]


@pytest.mark.parametrize(
    "reason, hopeless",
    [
        ("None", False),
        ("Priority", False),
        ("Resources", False),
        ("QOSMaxCpuPerUserLimit", False),
        ("ReqNodeNotAvail, UnavailableNodes:n1|n2", False),
        ("DependencyNeverSatisfied", True),
        ("PartitionTimeLimit", True),
        ("QOSMaxCpuPerJobLimit", True),
        ("JobHeldUser", True),
        ("launch failed requeued held", True),
    ],
)
def test_some_reasons_to_wait_are_hopeless(reason: str, hopeless: bool) -> None:
    """Nothing will change until somebody changes it."""
    found = polled(said(f"1|PENDING|0:59|sw|{reason}"), j1="sw")["1"]
    assert (found.hopeless, found.reason) == (hopeless, "" if reason == "None" else reason)


def test_only_what_still_has_its_name_is_cancelled() -> None:
    """What has ended is left alone, and so is another's of the same number."""
    queue = said("1|RUNNING|0:59|sw-a|None", "2|COMPLETED|0:59|sw-b|None", "3|RUNNING|0:59|others|None")
    run = Recorded(queue, said())
    Scheduler(SlurmDialect(), run).cancel({"1": "sw-a", "2": "sw-b", "3": "sw-c"})
    assert run.asked[1:] == [["scancel", "--name=sw-a", "1"]]


def test_a_cancel_that_nobody_heard_is_told() -> None:
    """Else an allocation would be left behind."""
    with pytest.raises(SubmissionError, match=r"slurm did not cancel 1: .*Unable to contact"):
        Scheduler(SlurmDialect(), Recorded(AWAY, AWAY, AWAY)).cancel({"1": "sw"})


def cluster(*lines: str, partition: str | None = None) -> tuple[Capacity, float | None]:
    """Return what is made of what sinfo says."""
    found = Scheduler(SlurmDialect(), Recorded(said(*lines))).cluster(partition)
    return found.capacity, found.longest


def test_the_usual_partition_is_what_there_is() -> None:
    """Unless another is named; what is drained as a whole is not there."""
    lines = ["main*|2|8|4000|gpu:2|1-00:00:00|up", "long|9|64|256000|(null)|infinite|up", "old|1|1|1|(null)|1|down"]
    memory = 4000 * 1024**2
    assert cluster(*lines) == (Capacity(cpus=8, gpus=2, nodes=2, resources={"memory": memory}), 86400.0)
    assert cluster(*lines, partition="long")[1] is None
    with pytest.raises(ConfigurationError, match=r"slurm names no nodes in 'old'. Say it with --capacity"):
        cluster(*lines, partition="old")


@pytest.mark.parametrize(
    "gres, gpus",
    [("(null)", 0), ("gpu:2", 2), ("gpu:a100:4(S:0-1)", 4), ("gpu:a100:4(S:0),gpu:v100:2,nvme:1", 6), ("shard:8", 0)],
)
def test_gpus_are_counted_whatever_their_kind(gres: str, gpus: int) -> None:
    """What else a site counts are no GPUs."""
    assert cluster(f"main*|1|8|4000|{gres}|1:00|up")[0].gpus == gpus


def test_of_several_kinds_of_nodes_that_of_the_most_counts() -> None:
    """So that an allocation of it is to be had."""
    found = cluster("main*|3|8|4000|(null)|1:00|up", "main*|2|8|4000|(null)|1:00|up", "main*|4|64|9000|gpu:8|1:00|up")
    assert (found[0].nodes, found[0].cpus, found[0].gpus) == (5, 8, 0)
