"""What Flux is told, and what its answers mean: as flux-core documents and prints them."""

from pathlib import Path

import pytest

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import Answer
from sweepstake.batch.backends.flux import FluxDialect
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.submissions import Site, Submission
from tests.kit.recorded import Recorded

__all__: list[str] = []

SCRIPT = """\
#!/bin/bash
#flux: --job-name=sw
#flux: --nodes=2
#flux: --nslots=2
#flux: --cores-per-slot=8
#flux: --gpus-per-slot=1
#flux: --time-limit=61s
#flux: --signal=SIGUSR1@60s
#flux: --output='/runs/{{id.f58plain}}.log'
#flux: --queue=batch
#flux: --bank=acc
#flux: --dependency=afterany:f1
#flux: --dependency=afterany:f2
#flux: --setattr=x=1

export A=b
export SWEEPSTAKE_ALLOCATION="$(flux getattr jobid)"
exec flux run --nodes=2 --ntasks=2 --exclusive work 'a b'
"""


def polled(answer: Answer, *jobids: str) -> list[Allocation]:
    """Return what is made of an answer."""
    scheduler = Scheduler(FluxDialect(), Recorded(answer))
    return list(scheduler.poll(dict.fromkeys(jobids, "sw")).values())


def test_a_script_asks_for_what_a_batch_needs() -> None:
    """A slot is a node's share."""
    submission = Submission(
        name="sw",
        commands=[["work", "a b"]],
        nodes=2,
        cpus=8,
        gpus=1,
        time_limit=60.5,
        after=["f1", "f2"],
        folder=Path("/runs"),
        site=Site(partition="batch", account="acc", environment={"A": "b"}, extra=["--setattr=x=1"]),
    )
    assert FluxDialect().script(submission) == SCRIPT


@pytest.mark.parametrize("output", ["fABC\n", "ƒABC\n"])
def test_an_id_is_plain(output: str) -> None:
    """Whatever the terminal could show where it was submitted."""
    scheduler = Scheduler(FluxDialect(), Recorded(Answer(code=0, output=output, errors="")))
    assert scheduler.submit(Submission(name="sw", commands=[["a"]])) == ["fABC"]


@pytest.mark.parametrize(
    "line, state, left",
    [
        ("ƒ1|SCHED|0.0|sw|", AllocationState.PENDING, None),
        ("f1|DEPEND|0.0|sw|", AllocationState.PENDING, None),
        ("f1|RUN|59.5|sw|", AllocationState.RUNNING, 59.5),
        ("f1|CLEANUP|0.0|sw|", AllocationState.RUNNING, None),
        ("f1|COMPLETED|0.0|sw|", AllocationState.DONE, None),
        ("f1|FAILED|0.0|sw|", AllocationState.FAILED, None),
        ("f1|CANCELED|0.0|sw|by a|person", AllocationState.CANCELLED, None),
        ("f1|TIMEOUT|0.0|sw|", AllocationState.TIMEOUT, None),
    ],
)
def test_states_have_the_words_of_all_schedulers(line: str, state: AllocationState, left: float | None) -> None:
    """Before the end, and after it by how it ended."""
    found = polled(Answer(code=0, output=f"{line}\n", errors=""), "f1")[0]
    assert (found.state, found.left, found.reason) == (state, left, line.split("|", 4)[4])


def test_a_broker_that_is_away_says_nothing_and_an_unknown_id_is_gone() -> None:
    """Of several Flux tells those that it knows."""
    away = Answer(code=1, output="", errors="flux-jobs: ERROR: Unable to connect to Flux: broker socket not found\n")
    assert [(each.gone, each.is_over) for each in polled(away, "f1")] == [(False, False)]
    known = Answer(code=1, output="f2|RUN|1.0|sw|\n", errors="flux-jobs: ERROR: JobID f1 unknown\n")
    assert [each.gone for each in polled(known, "f1", "f2")] == [True, False]


def test_what_there_is_is_divided_among_nodes() -> None:
    """Flux says what they have together."""
    lines = "debug,batch|4|32|8\nother|1|64|0\n"
    for partition, expected in ((None, (8, 2, 4)), ("batch", (8, 2, 4)), ("other", (64, 0, 1))):
        scheduler = Scheduler(FluxDialect(), Recorded(Answer(code=0, output=lines, errors="")))
        found = scheduler.cluster(partition).capacity
        assert (found.cpus, found.gpus, found.nodes) == expected
