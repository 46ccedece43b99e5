"""`sweepstake batch` against a real Slurm."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sweepstake
from sweepstake.cli.main import run_app
from sweepstake.domain.batches.vain import IN_VAIN, MOST_IN_VAIN
from sweepstake.domain.drafts import Finish
from sweepstake.domain.status import Outcome
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.values import JsonObject
from tests.kit.lab import draft, eventually
from tests.kit.slurm import Slurm

__all__: list[str] = []

Run = Callable[..., tuple[int, str, str]]
SLURM = ("--backend", "slurm")


@pytest.fixture
def run(tmp_path: Path, cluster: Slurm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a store with six jobs, and return its exit code, output and errors."""
    del cluster
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWEEPSTAKE_URL", f"sqlite:///{tmp_path}/store.db")
    experiment = sweepstake.connect().add_experiment(sweepstake.ManualSearch("mnist"))
    for x in range(6):
        experiment.add_job({"x": x})

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run_app(["batch", *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def listed(run: Run, *arguments: str) -> list[dict[str, Any]]:
    """Return what a command tells programs."""
    code, out, err = run(*arguments, "--format", "json")
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_batches_are_submitted_looked_at_and_cancelled(run: Run) -> None:
    """What is under way is not submitted again; what was cancelled is."""
    submit = ("submit", "mnist", *SLURM, "--estimate", "10m", "--duration", "20m", "--sbatch-arg=--hold", "--", "true")
    code, out, err = run(*submit[:-2], "--format", "json", *submit[-2:])
    assert code == 0, err
    made = json.loads(out)
    [only] = made
    assert (len(only["jobs"]), only["nodes"], only["allocation"], only["counts"]) == (6, 1, "PENDING", {"QUEUED": 6})
    assert set(only) == {
        *("id", "jobs", "nodes", "estimated_runtime", "timeout", "dependencies"),
        *("jobid", "allocation", "counts"),
    }
    assert run(*submit)[:2] == (0, "All that waits is under way.\n")
    assert [each["jobid"] for each in listed(run, "status", "mnist")] == [only["jobid"]]
    assert "hopeless: JobHeldUser" in run("status", "mnist")[1].replace("\n", " ")
    code, out, _ = run("cancel", "mnist", only["id"][:6], "--yes")
    assert (code, out) == (0, "1 allocation ended.\n")
    assert run("status", "mnist")[1] == "No batch is under way.\n"
    assert listed(run, "status", "mnist") == []
    assert run(*submit)[0] == 0


def test_a_dry_run_submits_nothing(run: Run, cluster: Slurm) -> None:
    """It shows the script."""
    code, out, _ = run("submit", "mnist", *SLURM, "--estimate", "10m", "--time", "90", "--dry-run", "--", "true")
    assert code == 0
    assert "#SBATCH --time=90\n" in out
    assert "worker mnist --batch " in out
    assert " --fill " not in out
    assert not cluster.run("squeue", "-h").strip()
    assert listed(run, "status", "mnist") == []


def test_allocations_may_run_jobs_of_others(run: Run, tmp_path: Path) -> None:
    """Each of two is filled with what the other has not begun, so that both end together."""
    go = tmp_path / "go"
    script = """
        if [ "$2" = 0 ]; then until [ -e "$0" ]; do sleep 0.1; done; fi
        echo "--- RESULTS ---"; echo "y: 1"; echo "--- END RESULTS ---"
    """
    options = ("--capacity", "nodes=1,cpus=1", "--estimate", "5s", "--count", "2", "--fill")
    assert run("submit", "mnist", *SLURM, *options, "--", "sh", "-c", script, str(go), "%h")[0] == 0
    experiment = sweepstake.connect().get_experiment("mnist")
    eventually(lambda: experiment.counts().done == 5)
    assert experiment.counts().running == 1
    go.touch()
    experiment.wait(timeout=60)


def test_a_refusal_is_told_and_leaves_nothing(run: Run) -> None:
    """In the scheduler's words."""
    code, _, err = run("submit", "mnist", *SLURM, "--estimate", "10m", "--qos", "x\ny", "--", "true")
    assert code == 1
    assert "qos" in err
    site = ("--partition", "short", "--time", "10")
    code, _, err = run("submit", "mnist", *SLURM, *site, "--estimate", "4m", "--", "true")
    assert code == 1
    assert "slurm refused it: " in err
    assert "time limit" in err
    assert listed(run, "status", "mnist") == []


def test_a_command_is_needed(run: Run) -> None:
    """By jobs that have none of their own."""
    code, _, err = run("submit", "mnist", *SLURM, "--estimate", "10m")
    assert code == 2
    assert "-- COMMAND" in err


def test_a_command_that_could_run_no_job_is_refused(run: Run) -> None:
    """Before anything is submitted: each allocation would end with that."""
    code, _, err = run("submit", "mnist", *SLURM, "--estimate", "10m", "--", "date", "+%s")
    assert code == 1
    assert "command[1]: '%s' is unknown" in err
    assert listed(run, "status", "mnist") == []


def test_what_an_allocation_prints_is_shown(run: Run) -> None:
    """As soon as there is something."""
    code, _, err = run("logs", "mnist", "abc")
    assert code == 1
    assert "There is no batch 'abc' of mnist." in err
    assert run("submit", "mnist", *SLURM, "--estimate", "10m", "--", "true")[0] == 0
    out = eventually(lambda: run("logs", "mnist", "")[1].strip() or None)
    assert "[sweepstake] " in out


def test_a_sweep_runs_in_allocations(run: Run, tmp_path: Path) -> None:
    """Side by side, as planned: each job waits until another runs as well; then nothing is under way any more."""
    script = """
        touch "$1/$3"; i=0
        until [ $(ls "$1" | wc -l) -ge 2 ]; do i=$((i+1)); [ $i -lt 300 ] || exit 3; sleep 0.1; done
        echo "--- RESULTS ---"; echo "y: $3"; echo "--- END RESULTS ---"
    """
    (tmp_path / "begun").mkdir()
    command = ("--", "sh", "-c", script, "sh", str(tmp_path / "begun"), "%h")
    code, _, err = run("submit", "mnist", *SLURM, "--estimate", "5s", "--duration", "60s", *command)
    assert code == 0, err
    experiment = sweepstake.connect().get_experiment("mnist")
    experiment.wait(timeout=100)
    assert {job.hyperparameters["x"]: job.results["y"] for job in experiment.all_jobs()} == {x: x for x in range(6)}
    eventually(lambda: not listed(run, "status", "mnist"))
    assert "6 done" in run("logs", "mnist", "")[1]


def test_what_takes_longer_than_the_site_allows_is_a_misfit(run: Run) -> None:
    """Unless it keeps checkpoints: then it begins, as in any fresh allocation, with as long a limit as there is."""
    submit = ("submit", "mnist", *SLURM, "--partition", "short", "--estimate", "10m")
    code, out, err = run(*submit, "--", "true")
    assert (code, out) == (1, "")
    assert "needs 10 min; an allocation lasts 5 min at most, and it keeps no checkpoints" in err
    assert listed(run, "status", "mnist") == []
    code, _, err = run(*submit, "--skip-misfits", "--", "true")
    assert code == 0
    assert "6 jobs left out, as they need 10 min; an allocation lasts 5 min at most" in err
    planned = listed(run, "plan", "mnist", *submit[2:], "--checkpoints")
    assert [(len(each["jobs"]), each["timeout"]) for each in planned] == [(1, 300.0)] * 6
    assert run("plan", "mnist", *SLURM, "--time", "9", "--estimate", "10m")[0] == 1


def test_a_longer_job_than_the_duration_has_a_limit_of_its_own(run: Run) -> None:
    """The duration only packs."""
    options = ("mnist", *SLURM, "--capacity", "nodes=1,cpus=1", "--estimate", "2h", "--duration", "1h")
    assert [(len(each["jobs"]), each["timeout"]) for each in listed(run, "plan", *options)] == [(1, 9000.0)] * 6


def test_tasks_have_settings_of_their_own(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so batches of their own, which wait for those that their jobs wait for."""
    queue = sweepstake.connect().session.queue
    tasks = [{"name": name, "image": {"docker": "x"}, "command": ["true"]} for name in ("prepare", "train")]
    queue.put_spec("mnist", SpecDraft(text="", document=JsonObject.of({"version": "v2", "tasks": tasks})))
    queue.add_jobs("mnist", [draft("p", task="prepare"), draft("t", task="train", depends_on=("p",))])
    config = tmp_path / "config.toml"
    config.write_text(
        "[experiments.mnist.batch.slurm]\nenvironment = {A = 'b'}\n[experiments.mnist.tasks.train.batch.slurm]\n"
        "partition = 'short'\ntime = '4'\ncontainer = 'nice -n 5'\n"
    )
    monkeypatch.setenv("SWEEPSTAKE_CONFIG", str(config))
    options = ("mnist", *SLURM, "--estimate", "1m")
    planned = listed(run, "plan", *options)
    assert [(each["timeout"], "t" in each["jobs"]) for each in planned] == [(300.0, False), (240.0, True)]
    assert planned[1]["dependencies"] == [planned[0]["id"]]
    code, out, err = run("submit", *options, "--dry-run", "--", "true")
    assert code == 0, err
    usual, own = out.split("#!/bin/bash")[1:]
    assert ("--partition" in usual, "nice" in usual, "export A=b" in usual) == (False, False, True)
    assert "--partition=short" in own
    assert "--time=4\n" in own
    assert "export A=b\nexec nice -n 5 /" in own
    assert run("plan", *options)[0] == 0


def test_what_allocations_are_too_short_for_is_left_out(run: Run) -> None:
    """After three in vain, until longer ones are asked for."""
    experiment = sweepstake.connect().get_experiment("mnist")
    queue, reference = experiment.session.queue, experiment.reference
    for _ in range(MOST_IN_VAIN):
        (claim,) = queue.claim_jobs(reference, "w", 1).claims
        end = Finish(attempt=claim.key, outcome=Outcome.PREEMPTED, reason=IN_VAIN)
        queue.finish(reference, claim.job.id, end, key=queue.new_id())
    submit = ("submit", "mnist", *SLURM, "--estimate", "38s", "--dry-run", "--time")
    told = run(*submit, "1", "--", "true")[2]
    assert "1 job left out, as they need 38 s, and allocations gave" in told
    assert run(*submit, "3", "--", "true")[2] == ""
