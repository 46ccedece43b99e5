"""Allocations seen from inside, by what each scheduler says of them; and what it is told to start there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sweepstake.batch.backends.calls import Answer, Run
from sweepstake.batch.backends.inside import time_left
from sweepstake.batch.backends.within.held import Held, held_here
from sweepstake.batch.backends.within.starting import environment_of, find_step, script_of, start_calls, stop_call
from sweepstake.errors import ConfigurationError

#: As Slurm 22.05 answers.
SLURM = (
    "JobId=7 JobName=interactive UserId=root(0) JobState=RUNNING RunTime=00:00:30 TimeLimit=01:00:00 TimeMin=N/A "
    "ReqNodeList=(null) ExcNodeList=(null) NodeList=n[1-3] BatchHost=n1 NumNodes=3 NumCPUs=14 CPUs/Task=4 "
    "JOB_GRES=gpu:4   Nodes=n[1-2] CPU_IDs=0-3,8-9 Mem=400 GRES=gpu:a100:2(IDX:0-1)   "
    "Nodes=n3 CPU_IDs=0-1 Mem=800 GRES=gpu:1(IDX:0) MinCPUsNode=4 TresPerNode=gres:gpu:1 \n"
)
#: As OpenPBS 23 answers.
PBS = """Job Id: 3.server
    Job_Name = STDIN
    job_state = R
    resources_used.walltime = 00:10:00
    exec_host = n1/0*8+n2/0*4
    exec_vnode = (n1:ncpus=8:mem=16777216kb:ngpus=2)+(n2:ncpus=2:mem=8388608
\tkb:ngpus=1+n2:ncpus=2)
    Resource_List.walltime = 02:00:00
"""


def answering(said: Mapping[str, str]) -> Run:
    """Return what runs commands, each of which answers by its first words."""

    def run(arguments: Sequence[str], text: str) -> Answer:
        assert text == ""
        words = " ".join(arguments)
        output = next((each for begin, each in said.items() if words.startswith(begin)), None)
        return Answer(code=1 if output is None else 0, output=output or "", errors="" if output else "no such thing")

    return run


def test_slurm_says_what_the_allocation_has() -> None:
    """Of nodes that differ, what all have."""
    run = answering({"scontrol show job -d -o 7": SLURM, "scontrol show hostnames n[1-3]": "n1\nn2\nn3\n"})
    held = held_here({"SLURM_JOB_ID": "7"}, run)
    assert held == Held(
        scheduler="slurm", jobid="7", nodes=("n1", "n2", "n3"), cpus=2, gpus=1, memory=400 * 2**20, left=3570.0
    )
    endless = answering({"scontrol show job": SLURM.replace("01:00:00", "UNLIMITED"), "scontrol show hostnames": "n1"})
    assert held_here({"SLURM_JOB_ID": "7"}, endless).left is None


def test_pbs_says_what_the_allocation_has(tmp_path: Path) -> None:
    """A node may stand several times in its list of tasks: what is started is told the first place."""
    (tmp_path / "nodes").write_text("n1\nn1\nn2\n")
    held = held_here(
        {"PBS_JOBID": "3.server", "PBS_NODEFILE": str(tmp_path / "nodes")}, answering({"qstat -x -f": PBS})
    )
    assert held == Held(
        scheduler="pbs", jobid="3.server", nodes=("0", "2"), cpus=4, gpus=1, memory=8 * 2**30, left=6600.0
    )


def test_flux_says_what_the_allocation_has() -> None:
    """Its own instance of Flux, and the one around it how much time is left."""
    said = {"flux getattr jobid": "ƒ2oP\n", "flux resource list": "2|16|4\n0|0|0\n", "flux --parent jobs": "120.5\n"}
    held = held_here({"FLUX_URI": "local:///x"}, answering(said))
    assert held == Held(scheduler="flux", jobid="f2oP", nodes=("0", "1"), cpus=8, gpus=2, left=120.5)


@pytest.mark.parametrize("environment", [{}, {"SLURM_JOB_ID": ""}, {"FLUX_URI": "local:///system"}, {"PBS_JOBID": "3"}])
def test_outside_it_says_where_it_runs(environment: dict[str, str]) -> None:
    """The Flux of a whole system is no allocation."""
    with pytest.raises(ConfigurationError, match="inside an allocation that you have"):
        held_here(environment, answering({}))


def test_who_does_not_answer_is_named() -> None:
    """With its own words."""
    with pytest.raises(ConfigurationError, match="slurm does not say what this allocation has: no such thing"):
        held_here({"SLURM_JOB_ID": "7"}, answering({}))


def calls(scheduler: str, *nodes: str) -> list[list[str]]:
    """Return what is called to start a worker on nodes."""
    held = Held(scheduler=scheduler, jobid="7", nodes=("n1", "n2"), cpus=4)
    return [list(call) for call in start_calls(held, nodes, ["worker", "e"], "b-1", Path("/s/b.sh"))]


def test_what_is_started_has_its_nodes_to_itself() -> None:
    """One call for all nodes, or one for each where the scheduler starts no more at once."""
    (started,) = calls("slurm", "n1", "n2")
    where = "--nodes=2 --ntasks=2 --ntasks-per-node=1 --nodelist=n1,n2 --cpus-per-task=4 --mem=0"
    assert " ".join(started) == f"srun --job-name=b-1 {where} --overlap --kill-on-bad-exit=0 --input=none worker e"
    assert calls("flux", "0") == [
        ["flux", "run", "--job-name=b-1", "--nodes=1", "--ntasks=1", "--exclusive", "worker", "e"]
    ]
    assert calls("pbs", "0", "2") == [["pbsdsh", "-n", node, "--", "/bin/sh", "/s/b.sh"] for node in ("0", "2")]


def test_what_the_whole_was_asked_for_does_not_mislead_its_parts() -> None:
    """Srun reads variables as options; where none are handed on, a script sets them, and no command line shows them."""
    held = Held(scheduler="slurm", jobid="7", nodes=("n1",), cpus=4)
    assert environment_of(held, {"SLURM_NTASKS": "8", "SLURM_MEM_PER_CPU": "9", "A": "b"}) == {"A": "b"}
    script = script_of(["worker", "a b"], "/there", {"TOKEN": "it's", "BASH_FUNC_x%%": "() {}"})
    assert script == "#!/bin/sh\ncd /there || exit\nexport TOKEN='it'\"'\"'s'\nexec worker 'a b'\n"


@pytest.mark.parametrize(
    "scheduler, asked, told",
    [
        ("slurm", "squeue --steps --noheader --jobs=7 --format=%i|%j", "scancel --signal=TERM 7.3"),
        ("flux", "flux jobs --no-header --format={id.f58}|{name}", "flux cancel 7.3"),
    ],
)
def test_what_runs_is_asked_to_end_by_its_name(scheduler: str, asked: str, told: str) -> None:
    """Srun that is told to end kills at once, and so does scancel without a signal."""
    assert " ".join(find_step(scheduler, "7") or ()) == asked
    assert " ".join(stop_call(scheduler, "7.3")) == told
    assert find_step("pbs", "7") is None


def test_what_is_started_is_told_when_the_allocation_ends() -> None:
    """And believes it only if it is its own allocation that is meant."""
    variables = {"SWEEPSTAKE_ALLOCATION": "7.a", "SWEEPSTAKE_ALLOCATION_ENDS": "7.a@4102444800.0"}
    left = time_left(variables, answering({}))
    assert left is not None
    assert left > 1e9
    assert time_left({**variables, "SWEEPSTAKE_ALLOCATION": "0f3a"}, answering({})) is None
