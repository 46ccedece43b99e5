"""What PBS is told, and what its answers mean: as OpenPBS documents and prints them."""

import os
import subprocess
from pathlib import Path

import pytest
from attrs import evolve

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import Answer
from sweepstake.batch.backends.pbs import PbsDialect
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.submissions import Site, Submission
from sweepstake.batch.planning import Capacity
from tests.kit.recorded import Recorded

__all__: list[str] = []

AWAY = Answer(code=255, output="", errors="Connection refused\nqstat: cannot connect to server pbs (errno=15010)\n")
UNKNOWN = Answer(code=153, output="", errors="qstat: Unknown Job Id 7.pbs\n")


def record(jobid: str, *fields: str) -> str:
    """Return what ``qstat -f`` prints of one."""
    return "\n".join([f"Job Id: {jobid}", *(f"    {each}" for each in fields), "", ""])


def polled(answer: Answer, *jobids: str) -> list[Allocation]:
    """Return what is made of an answer."""
    scheduler = Scheduler(PbsDialect(), Recorded(answer))
    return list(scheduler.poll(dict.fromkeys(jobids, "sw")).values())


def said(*records: str) -> Answer:
    """Return what qstat answers."""
    return Answer(code=0, output="".join(records), errors="")


ARRAY = """\
#!/bin/bash
#PBS -N sw
#PBS -l select=2:ncpus=8:ngpus=1:mem=2mb:arch=linux
#PBS -q workq
#PBS -A acc
#PBS -J 0-1
#PBS -o /runs/
#PBS -l place=scatter
#PBS -l walltime=00:01:01
#PBS -W depend=afterany:5.pbs
#PBS -r n
#PBS -j oe
#PBS -m n

. /runs/sw.env
cd "$PBS_O_WORKDIR" || exit
module load cuda
here=/runs/sw.env."$PBS_JOBID"
(umask 077; export -p > "$here") || exit
case "$PBS_ARRAY_INDEX" in
0) exec pbsdsh -- bash -c '. "$0"; exec work a' "$here" ;;
1) exec pbsdsh -- bash -c '. "$0"; exec work '"'"'b c'"'"'' "$here" ;;
esac
"""


def test_a_script_asks_for_what_batches_need() -> None:
    """The limit is in seconds; what is requeued by PBS would run twice."""
    site = Site(partition="workq", account="acc", constraint="arch=linux", modules=["cuda"], extra=["-m n"])
    submission = Submission(
        name="sw",
        commands=[["work", "a"], ["work", "b c"]],
        nodes=2,
        cpus=8,
        gpus=1,
        memory=1024**2 + 1,
        time_limit=60.5,
        after=["5.pbs"],
        folder=Path("/runs"),
        site=site,
    )
    assert PbsDialect().script(submission) == ARRAY


def test_the_worker_takes_the_place_of_a_script_on_one_node() -> None:
    """So it hears the signals that are meant for it."""
    assert PbsDialect().script(Submission(name="sw", commands=[["work", "a"]])).endswith("\nexec work a\n")


def test_variables_are_in_a_file_that_the_script_reads(tmp_path: Path) -> None:
    """Nobody else can read it; nothing of it stands in the script, on a command line or in what qstat shows."""
    ran = tmp_path / "ran"
    submission = Submission(name="sw", commands=[["sh", "-c", f'echo "$TOKEN" > {ran}']], folder=tmp_path)
    recorded = Recorded(Answer(code=0, output="7.pbs\n", errors=""))
    Scheduler(PbsDialect(), recorded, {"TOKEN": "it's 1"}).submit(submission)
    assert (tmp_path / "sw.env").stat().st_mode & 0o077 == 0
    assert "it's" not in recorded.scripts[0]
    subprocess.run(["bash"], input=recorded.scripts[0], env={"PBS_O_WORKDIR": "/"}, text=True, check=True, timeout=60)
    assert ran.read_text() == "it's 1\n"


def test_on_several_nodes_each_worker_reads_that_file(tmp_path: Path) -> None:
    """With what the script has added, here by a `pbsdsh` that runs what it is told once."""
    (tmp_path / "pbsdsh").write_text('#!/bin/sh\nshift\nunset TOKEN\nexec "$@"\n')
    (tmp_path / "pbsdsh").chmod(0o755)
    ran = tmp_path / "ran"
    command = ["sh", "-c", f'echo "$TOKEN $X" > {ran}']
    site = Site(environment={"X": "y z"})
    submission = Submission(name="sw", commands=[command], folder=tmp_path, nodes=2, site=site)
    recorded = Recorded(Answer(code=0, output="7.pbs\n", errors=""))
    variables = {"TOKEN": "it's 1", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    Scheduler(PbsDialect(), recorded, variables).submit(submission)
    environment = {"PBS_O_WORKDIR": "/", "PBS_JOBID": "7[0].pbs"}
    subprocess.run(["bash"], input=recorded.scripts[0], env=environment, text=True, check=True, timeout=60)
    assert ran.read_text() == "it's 1 y z\n"
    assert (tmp_path / "sw.env.7[0].pbs").stat().st_mode & 0o077 == 0


def test_members_of_an_array_stand_in_its_brackets(tmp_path: Path) -> None:
    """As PBS writes them."""
    scheduler = Scheduler(PbsDialect(), Recorded(Answer(code=0, output="7[].pbs\n", errors="")))
    assert scheduler.submit(Submission(name="sw", commands=[["a"], ["b"]], folder=tmp_path)) == ["7[0].pbs", "7[1].pbs"]


@pytest.mark.parametrize(
    "fields, state",
    [
        (["job_state = Q"], AllocationState.PENDING),
        (["job_state = H"], AllocationState.PENDING),
        (["job_state = R"], AllocationState.RUNNING),
        (["job_state = E"], AllocationState.RUNNING),
        (["job_state = F", "Exit_status = 0"], AllocationState.DONE),
        (["job_state = X", "Exit_status = 0"], AllocationState.DONE),
        (["job_state = F", "Exit_status = 1"], AllocationState.FAILED),
        (["job_state = F", "Exit_status = -29"], AllocationState.TIMEOUT),
        (["job_state = F", "Exit_status = 271"], AllocationState.CANCELLED),
        (
            [
                "job_state = F",
                "Exit_status = 271",
                "Resource_List.walltime = 00:01:00",
                "resources_used.walltime = 00:01:02",
            ],
            AllocationState.TIMEOUT,
        ),
        (["job_state = F"], AllocationState.CANCELLED),
        (["job_state = M"], AllocationState.UNKNOWN),
    ],
)
def test_states_have_the_words_of_all_schedulers(fields: list[str], state: AllocationState) -> None:
    """PBS says how one ended by the exit code alone."""
    assert polled(said(record("7.pbs", "Job_Name = sw", *fields)), "7.pbs")[0].state is state


def test_several_are_read_with_lines_that_go_on() -> None:
    """And with what is left of the limit of one that runs."""
    running = record(
        "7.pbs",
        "Job_Name = sw",
        "job_state = R",
        "resources_used.walltime = 00:00:10",
        "Resource_List.walltime = 00:01:00",
        "comment = Job run at Sun Nov 29 at 21:00 on (node",
        "Variable_List = A = b",
    ).replace("(node\n", "(node\n\t1:ncpus=8)\n")
    found = polled(said(running, record("8.pbs", "Job_Name = sw", "job_state = Q")), "7.pbs", "8.pbs")
    assert [(each.left, each.reason) for each in found] == [
        (50.0, "Job run at Sun Nov 29 at 21:00 on (node1:ncpus=8)"),
        (None, ""),
    ]


def test_a_server_that_is_away_says_nothing_and_an_unknown_id_is_gone() -> None:
    """Of several the server tells those that it knows."""
    assert [(each.gone, each.is_over) for each in polled(AWAY, "7.pbs")] == [(False, False)]
    known = Answer(code=153, output=record("8.pbs", "Job_Name = sw", "job_state = R"), errors=UNKNOWN.errors)
    assert [each.gone for each in polled(known, "7.pbs", "8.pbs")] == [True, False]


@pytest.mark.parametrize(
    "fields, hopeless",
    [
        (["comment = Not Running: Insufficient amount of resource: ncpus"], False),
        (["comment = Can Never Run: Insufficient amount of resource: ngpus (R: 9 A: 2 T: 2)"], True),
    ],
)
def test_what_can_never_run_is_hopeless(fields: list[str], hopeless: bool) -> None:
    """Until somebody changes something."""
    found = polled(said(record("7.pbs", "Job_Name = sw", "job_state = Q", *fields)), "7.pbs")
    assert found[0].hopeless == hopeless


NODES = """\
n1
     Mom = n1.site
     state = free
     resources_available.mem = 16384kb
     resources_available.ncpus = 8
     resources_available.ngpus = 2
     queue = workq

n2
     state = down,offline
     resources_available.ncpus = 64

n3
     state = job-busy
     resources_available.mem = 16mb
     resources_available.ncpus = 8
     resources_available.ngpus = 2
"""


def test_what_there_is_is_what_nodes_have_that_are_not_down() -> None:
    """A node of a queue of its own counts for that alone."""
    expected = Capacity(cpus=8, gpus=2, nodes=2, resources={"memory": 16 * 1024**2})
    for partition, nodes in ((None, 2), ("workq", 2), ("other", 1)):
        scheduler = Scheduler(PbsDialect(), Recorded(Answer(code=0, output=NODES, errors="")))
        assert scheduler.cluster(partition).capacity == evolve(expected, nodes=nodes)
