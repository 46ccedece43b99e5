"""One job on several processes: what an attempt starts as a part of itself works on the attempt's job."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import attrs
import pytest

import sweepstake
from sweepstake.client.attempt.ranks import ENVIRONMENT, HELD, HeldJobs, held_text, membership, unheld_rank
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.values import EMPTY

JOB = JobRecord(
    experiment="exp",
    id="one",
    status=JobStatus.RUNNING,
    hyperparameters=EMPTY,
    results=EMPTY,
    etag="e",
    seq=1,
    attempt=2,
)


@pytest.mark.parametrize(
    "own, given, rank",
    [
        ({}, {}, None),
        ({}, {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "8"}, 3),
        ({}, {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "8"}, 0),
        ({}, {"LOCAL_RANK": "1"}, 1),
        ({}, {"LOCAL_RANK": "0", "NODE_RANK": "1"}, 1),
        ({}, {"SLURM_PROCID": "2", "SLURM_STEP_ID": "1"}, 2),
        ({}, {"OMPI_COMM_WORLD_RANK": "1"}, 1),
        ({}, {"PMI_RANK": "4"}, 4),
        ({}, {"HOROVOD_RANK": "2", "HOROVOD_SIZE": "4"}, 2),
        ({}, {"PADDLE_TRAINER_ID": "1", "PADDLE_TRAINERS_NUM": "2"}, 1),
        ({}, {"RANK_ID": "3", "RANK_SIZE": "8"}, 3),
        ({}, {"FLUX_TASK_RANK": "1", "FLUX_JOB_ID": "f1"}, 1),
        ({}, {"JSM_NAMESPACE_RANK": "5"}, 5),
        ({}, {"PALS_RANKID": "6"}, 6),
        ({}, {"ALPS_APP_PE": "7"}, 7),
        ({}, {"RANK": "what"}, None),
        ({"SLURM_PROCID": "5", "SLURM_STEP_ID": "0"}, {"SLURM_PROCID": "5", "SLURM_STEP_ID": "0"}, None),
        ({"SLURM_PROCID": "5", "SLURM_STEP_ID": "0"}, {"SLURM_PROCID": "5", "SLURM_STEP_ID": "1"}, 5),
        ({"SLURM_PROCID": "0"}, {"SLURM_PROCID": "0", "LOCAL_RANK": "1"}, 1),
    ],
    ids=[
        "none",
        "torchrun",
        "first",
        "Lightning",
        "node",
        "srun",
        "mpirun",
        "hydra",
        "horovodrun",
        "Paddle",
        "MindSpore",
        "flux run",
        "jsrun",
        "PALS",
        "aprun",
        "no number",
        "inherited",
        "step",
        "both",
    ],
)
def test_the_usual_variables_tell_the_rank(own: dict[str, str], given: dict[str, str], rank: int | None) -> None:
    """What the holder had itself says nothing of those that it starts."""
    member = membership({**given, HELD: held_text(JOB, "host:1", own)}, "host:2")
    assert (None if member is None else member.rank) == rank


def test_who_holds_the_job_is_no_part_of_it() -> None:
    """Nor is a process above which nobody holds one, or for which the variable was made up."""
    environ = {"RANK": "1", HELD: held_text(JOB, "host:1", {})}
    assert membership(environ, "host:1") is None
    for text in ("", "1", "[]", "{}", "nonsense", '{"job": 1}'):
        assert membership({"RANK": "1", HELD: text}, "host:2") is None


def test_a_rank_of_torchrun_is_known_without_a_holder() -> None:
    """Of other launchers the processes may as well be workers of their own."""
    assert unheld_rank({"RANK": "2", "TORCHELASTIC_RUN_ID": "none"}) == 2
    assert unheld_rank({"RANK": "0", "TORCHELASTIC_RUN_ID": "none"}) == 0
    assert unheld_rank({"SLURM_PROCID": "2"}) == 0


_SHOW = "import os; print(sorted(each for each in os.environ.items() if each[0].startswith('SWEEPSTAKE_')))"


def test_the_environment_is_put_back_after_the_last_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested blocks say the innermost; blocks left in another order say one that still runs. Programs inherit it."""
    monkeypatch.setenv("SWEEPSTAKE_JOB_ID", "above")
    before = dict(os.environ)
    held, first, second = HeldJobs(ENVIRONMENT), object(), object()
    held.enter(first, JOB, "host:1", JOB.experiment)
    assert (os.environ["SWEEPSTAKE_JOB_ID"], os.environ["SWEEPSTAKE_ATTEMPT"]) == ("one", "2")
    assert "('SWEEPSTAKE_JOB_ID', 'one')" in subprocess.check_output([sys.executable, "-c", _SHOW], text=True)
    held.enter(second, JOB, "host:1", JOB.experiment)
    held.leave(first)
    assert os.environ["SWEEPSTAKE_JOB_ID"] == "one"
    held.leave(second)
    assert os.environ == before
    assert "('SWEEPSTAKE_JOB_ID', 'above')" in subprocess.check_output([sys.executable, "-c", _SHOW], text=True)
    assert "SWEEPSTAKE_ATTEMPT" not in subprocess.check_output([sys.executable, "-c", _SHOW], text=True)


def test_the_environment_of_an_interpreter_that_keeps_it_in_another_way_is_written_too() -> None:
    """By the way that every interpreter has."""
    held, block = HeldJobs(os.environb), object()
    held.enter(block, attrs.evolve(JOB, id="\u00e4"), "host:1", JOB.experiment)
    assert os.environ["SWEEPSTAKE_JOB_ID"] == "\u00e4"
    assert os.environb[b"SWEEPSTAKE_JOB_ID"] == b"\xc3\xa4"
    held.leave(block)
    assert not {b"SWEEPSTAKE_JOB_ID", HELD.encode()} & set(os.environb)


_SCRIPT = """
import os, subprocess, sys, threading
import sweepstake
exp = sweepstake.connect(sys.argv[1]).get_experiment("exp")

def launch(**variables):  # as a training library does: the same script again, for each further GPU
    return subprocess.run([sys.executable, *sys.argv], env={**os.environ, **variables}, capture_output=True, text=True)

further = os.environ.get("LOCAL_RANK") or os.environ.get("RANK")
"""


def run(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT + textwrap.dedent(body))
    return subprocess.run(
        [sys.executable, str(script), f"sqlite:///{tmp_path}/store.db"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_script_started_again_for_further_gpus_gets_the_same_job(
    exp: sweepstake.ManualSearch, tmp_path: Path
) -> None:
    """Both processes of a group train with one set of hyperparameters, and the first reports, job after job."""
    exp.add_jobs({"rate": rate} for rate in (0.1, 0.2))
    done = run(
        tmp_path,
        """
        for job in exp.claim_jobs():
            with job:
                if further:
                    print(job.hyperparameters["rate"], job.attempt, flush=True)
                    job.results["by"] = "further"
                    job.put()
                    continue
                other = launch(LOCAL_RANK="1", WORLD_SIZE="2")
                job.results["by"] = "first"
                job.results["other"] = other.stdout + other.stderr
        """,
    )
    assert done.returncode == 0, done.stderr
    jobs = list(exp.all_jobs())
    assert [(job.status, job.attempt, job.results["by"]) for job in jobs] == [("DONE", 1, "first")] * 2
    assert [job.results["other"] for job in jobs] == ["0.1 1\n", "0.2 1\n"]


@pytest.mark.parametrize("how", ["exp.next_job()", "exp", "exp.get_job('one')"])
def test_however_a_rank_asks_it_gets_the_job(exp: sweepstake.ManualSearch, tmp_path: Path, how: str) -> None:
    """By whatever call the script gets its job."""
    exp.add_job({"x": 1}, job_id="one")
    exp.add_job({"x": 2})
    done = run(
        tmp_path,
        f"""
        with {how} as job:
            if further:
                print(job.hyperparameters["x"], job.status)
            else:
                job.results["other"] = launch(RANK="1", WORLD_SIZE="2").stdout
        """,
    )
    assert done.returncode == 0, done.stderr
    assert (exp.get_job("one").results, exp.counts().ready) == ({"other": "1 RUNNING\n"}, 1)


def test_a_child_without_a_rank_claims_for_itself(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """As a sweep within a sweep does."""
    exp.add_jobs([{"x": 1}, {"x": 2}])
    done = run(
        tmp_path,
        """
        with exp.next_job() as job:
            if "CHILD" not in os.environ:
                launch(CHILD="1")
            job.results["x"] = job.hyperparameters["x"]
        """,
    )
    assert done.returncode == 0, done.stderr
    assert [(job.status, job.results) for job in exp.all_jobs()] == [("DONE", {"x": 1}), ("DONE", {"x": 2})]


def test_a_failure_of_a_further_rank_is_its_own(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """It ends its process; what becomes of the job is said by the first. A second job it does not get."""
    exp.add_jobs([{}, {}])
    done = run(
        tmp_path,
        """
        with exp.next_job() as job:
            if further:
                try:
                    exp.next_job()
                except sweepstake.NoJobError as error:
                    raise SystemExit(f"{error.reason}")
            other = launch(RANK="1")
            job.results["other"] = [other.returncode, other.stderr]
        """,
    )
    assert done.returncode == 0, done.stderr
    assert [job.results for job in exp.all_jobs(status="DONE")] == [{"other": [1, "finished\n"]}]
    assert exp.counts().ready == 1


def test_a_rank_that_comes_after_the_attempt_is_told(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """It does not work on what is over."""
    exp.add_jobs([{}])
    done = run(
        tmp_path,
        """
        if further:
            exp.next_job()
        with exp.next_job() as job:
            kept = dict(os.environ)
        os.environ.update(kept)
        print(launch(RANK="1").stderr)
        """,
    )
    assert "LeaseLostError" in done.stdout, done
    assert "that attempt is over" in done.stdout


def test_of_several_jobs_nobody_knows_which(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """Two threads hold one each: a rank is refused rather than given any of them, unless it is told which."""
    exp.add_jobs([{"i": 0}, {"i": 1}])
    done = run(
        tmp_path,
        """
        if further:
            print(exp.next_job().hyperparameters["i"])
            raise SystemExit
        both = threading.Barrier(2)
        def work():
            with exp.next_job() as job:
                mine = os.environ["SWEEPSTAKE_HELD"]
                both.wait()
                job.results["refused"] = "holds several jobs" in launch(RANK="1").stderr
                both.wait()
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """,
    )
    assert done.returncode == 0, done.stderr
    assert [job.results for job in exp.all_jobs()] == [{"refused": True}] * 2


def test_ranks_of_torchrun_above_which_nobody_holds_a_job(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """The first may claim, for itself and those to which it sends what it got; others are refused and told so."""
    exp.add_jobs([{}, {}])
    done = run(
        tmp_path,
        """
        if further == "1":
            exp.next_job()
        elif further == "0":
            with exp.next_job(): pass
        else:
            for rank in "10":
                print(launch(RANK=rank, TORCHELASTIC_RUN_ID="none", WORLD_SIZE="2").stderr)
        """,
    )
    assert "sweepstake run EXPERIMENT -- torchrun" in done.stdout, done
    assert (exp.counts().done, exp.counts().ready) == (1, 1)
