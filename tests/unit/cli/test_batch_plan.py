"""`sweepstake batch plan`: what would be submitted, before it is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import sweepstake
from sweepstake.cli.main import run_app
from sweepstake.domain.batches.records import BatchDraft

Run = Callable[..., tuple[int, str, str]]
CAPACITY = ("--capacity", "nodes=1,cpus=8,gpus=2")


@pytest.fixture
def experiment(tmp_path: Path) -> sweepstake.Experiment:
    """An experiment to plan for."""
    return sweepstake.connect(f"sqlite:///{tmp_path}/store.db").add_experiment(sweepstake.ManualSearch("mnist"))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the store, and return its exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run_app([*arguments, "--url", f"sqlite:///{tmp_path}/store.db"])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def planned(run: Run, *arguments: str) -> list[dict[str, object]]:
    """Return a plan as programs read it."""
    code, out, err = run("batch", "plan", "mnist", *CAPACITY, *arguments, "--format", "json")
    assert code == 0, err
    found: list[dict[str, object]] = json.loads(out)
    return found


def test_jobs_are_packed_as_tightly_as_their_time_allows(run: Run, experiment: sweepstake.Experiment) -> None:
    """20 jobs of half an hour on 8 processors within an hour: 16 in one batch, and the rest in another."""
    for number in range(20):
        experiment.add_job({"x": number})
    found = planned(run, "--duration", "1h", "--estimate", "30m")
    assert sorted(len(each["jobs"]) for each in found) == [4, 16]  # type: ignore[arg-type]
    assert {job for each in found for job in each["jobs"]} == {job.job_id for job in experiment.all_jobs()}  # type: ignore[attr-defined]
    assert [each["dependencies"] for each in found] == [[], []]
    assert sorted(each["estimated_runtime"] for each in found) == [1800.0, 3600.0]  # type: ignore[type-var]
    assert all(each["timeout"] > each["estimated_runtime"] for each in found)  # type: ignore[operator]
    assert set(found[0]) == {"id", "jobs", "nodes", "estimated_runtime", "timeout", "dependencies"}


def test_a_person_sees_how_full_each_batch_is_and_why(run: Run, experiment: sweepstake.Experiment) -> None:
    """And where the estimates come from."""
    for number in range(12):
        experiment.add_job({"x": number})
    code, out, _ = run("batch", "plan", "mnist", *CAPACITY, "--duration", "88m", "--estimate", "44m")
    assert code == 0
    assert "1 h 28 min" in out
    assert "75%" in out
    assert "█" * 33 + "▄" * 33 in out
    assert all(len(line) <= 80 for line in out.splitlines()), out
    assert "12 jobs in 1 batch, 1.5 node-hours: done 1 h 28 min after they get their nodes." in out
    assert "How long 12 jobs will run: --estimate, as no job like them has finished." in out


def test_estimates_are_learnt_from_jobs_that_are_done(run: Run, experiment: sweepstake.Experiment) -> None:
    """Without --estimate: those that crashed say nothing of how long one takes."""
    done, crashed = experiment.add_job({"x": 0}), experiment.add_job({"x": 1})
    waits = experiment.add_job({"x": 2})
    with experiment.next_job():
        pass
    with pytest.raises(RuntimeError), experiment.next_job():
        raise RuntimeError("no")
    statuses = {job.job_id: job.status for job in experiment.all_jobs()}
    assert (statuses[done.job_id], statuses[crashed.job_id]) == ("DONE", "CRASHED")
    [found] = planned(run)
    assert found["jobs"] == [waits.job_id]
    assert 0 <= found["estimated_runtime"] < 60  # type: ignore[operator]


def test_without_anything_to_estimate_from_a_plan_is_refused(run: Run, experiment: sweepstake.Experiment) -> None:
    """A guess would be a promise that nobody can keep."""
    experiment.add_job({"x": 0})
    code, _, err = run("batch", "plan", "mnist", *CAPACITY)
    assert code == 1
    assert "no job has finished yet to estimate from" in err
    assert "--estimate" in err


def test_what_waits_for_jobs_stands_in_a_later_batch(run: Run, experiment: sweepstake.Experiment) -> None:
    """What waits for a job that failed is told, and so is what waits for that; what runs already counts as met."""
    first = experiment.add_job({"x": 0})
    second = experiment.add_job({"x": 1}, depends_on=[first])
    failed = experiment.add_job({"x": 2}, priority=9)
    stuck = experiment.add_job({"x": 3}, depends_on=[failed])
    experiment.add_job({"x": 4}, depends_on=[stuck, first])
    with pytest.raises(RuntimeError), experiment.next_job():
        raise RuntimeError("no")
    found = planned(run, "--estimate", "10m")
    assert [each["jobs"] for each in found] == [[first.job_id], [second.job_id]]
    assert found[1]["dependencies"] == [found[0]["id"]]
    err = run("batch", "plan", "mnist", *CAPACITY, "--estimate", "10m")[2]
    assert f"2 jobs left out, as they wait for jobs that failed: {stuck.job_id}" in err
    with experiment.next_job():
        assert [each["jobs"] for each in planned(run, "--estimate", "10m")] == [[second.job_id]]


def test_replicas_stand_in_one_batch_of_several_nodes(run: Run, tmp_path: Path) -> None:
    """Each on a node of its own, with what its task needs there."""
    (tmp_path / "mnist.yaml").write_text(
        "tasks:\n- {image: {docker: x}, command: [train], replicas: 2, resources: {cpuCount: 4, gpuCount: 1}}\n"
    )
    assert run("submit", str(tmp_path / "mnist.yaml"))[0] == 0
    arguments = ("batch", "plan", "mnist", "--estimate", "10m", "--format", "json")
    code, out, _ = run(*arguments, "--capacity", "nodes=2,cpus=8,gpus=1")
    [found] = json.loads(out)
    assert (code, found["nodes"], len(found["jobs"])) == (0, 2, 2)
    code, _, err = run(*arguments, "--capacity", "nodes=2,cpus=8")
    assert code == 1
    assert "gpus" in err


def test_a_paused_experiment_is_not_planned(run: Run, experiment: sweepstake.Experiment) -> None:
    """Allocations would stand idle."""
    experiment.add_job({"x": 0})
    assert run("pause", "mnist")[0] == 0
    code, _, err = run("batch", "plan", "mnist", *CAPACITY, "--estimate", "1m")
    assert code == 1
    assert "mnist is paused" in err
    assert "sweepstake resume" in err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--capacity", "gpus=2"], "cpus is missing"),
        (["--count", "0"], "--count takes a number from 1, or max"),
        (["--duration", "soon"], "'soon' is no span of time; say it as 90s, 30m, 2h or 1d."),
        (["--count", "1", "--duration", "1h"], "count"),
    ],
)
def test_what_is_no_setting_is_told(
    run: Run, experiment: sweepstake.Experiment, arguments: list[str], words: str
) -> None:
    """With what to say instead."""
    experiment.add_job({"x": 0})
    code, _, err = run("batch", "plan", "mnist", *CAPACITY, "--estimate", "1m", *arguments)
    assert code != 0
    assert words in err


def test_nothing_to_plan_is_no_error(run: Run, experiment: sweepstake.Experiment) -> None:
    """A sentence, or an empty list."""
    assert experiment.name == "mnist"
    assert run("batch", "plan", "mnist", *CAPACITY)[:2] == (0, "Nothing waits in mnist.\n")
    assert planned(run) == []


def test_a_capacity_is_asked_for(run: Run, experiment: sweepstake.Experiment) -> None:
    """Nobody can know what an allocation has."""
    experiment.add_job({"x": 0})
    code, _, err = run("batch", "plan", "mnist")
    assert code == 2
    assert "--capacity nodes=1,cpus=8,gpus=2" in err


def test_what_fits_into_no_allocation_is_left_out_on_demand(run: Run, tmp_path: Path) -> None:
    """And what waits for it; without the option nothing is planned, and every such job is named."""
    (tmp_path / "mnist.yaml").write_text(
        """tasks:
- {name: small, image: {docker: x}, command: [a]}
- {name: large, image: {docker: x}, command: [a], resources: {gpuCount: 9}}
- {name: last, image: {docker: x}, command: [a], datasets: [{mountPath: /in, source: {result: large}}]}
"""
    )
    assert run("submit", str(tmp_path / "mnist.yaml"))[0] == 0
    arguments = ("batch", "plan", "mnist", *CAPACITY, "--estimate", "10m")
    code, _, err = run(*arguments)
    assert code == 1
    assert "needs 9 gpus on a node; a node has 2" in err
    code, out, err = run(*arguments, "--skip-misfits")
    assert code == 0
    assert "1 job in 1 batch" in out
    assert "1 job left out, as they need 9 gpus on a node; a node has 2: large" in err
    assert "1 job left out, as they wait for jobs that do not fit: last" in err


def test_jobs_with_the_same_fault_are_told_together(run: Run, experiment: sweepstake.Experiment) -> None:
    """A sweep of thousands is a line, and not a screen for each job."""
    first, *_ = [experiment.add_job({"x": number}) for number in range(3)]
    code, _, err = run(
        "batch", "plan", "mnist", "--capacity", "nodes=1,cpus=8", "--cpus-per-job", "9", "--estimate", "1m"
    )
    assert code == 1
    assert f"job {first.job_id!r} and 2 others: needs 9 cpus on a node; a node has 8\n" in err


def test_a_limit_that_is_given_is_the_one_that_is_shown(run: Run, experiment: sweepstake.Experiment) -> None:
    """Read as Slurm reads it; all that a submission takes but the command may be said."""
    experiment.add_job({"x": 0})
    arguments = ("--estimate", "10m", "--time", "90", "--account", "a", "--qos", "q", "--sbatch-arg=--hold")
    [found] = planned(run, *arguments)
    assert found["timeout"] == 5400.0
    assert "1 h 30 min" in run("batch", "plan", "mnist", *CAPACITY, *arguments)[1]


def test_what_is_under_way_is_not_planned(run: Run, experiment: sweepstake.Experiment) -> None:
    """As nobody would submit it again."""
    job = experiment.add_job({"x": 0})
    draft = BatchDraft(id="b", jobs=(job.job_id,), backend="slurm")
    experiment.session.queue.intend_batches(experiment.reference, [draft])
    assert planned(run, "--estimate", "10m") == []
    told = run("batch", "plan", "mnist", *CAPACITY, "--estimate", "10m")
    assert told[:2] == (0, "All that waits is under way.\n")


def test_of_a_search_is_told_how_its_jobs_are_asked_for(run: Run, experiment: sweepstake.Experiment) -> None:
    """Nothing waits as long as no worker asks; to keep allocations up, somebody must say for how many jobs."""
    search = sweepstake.RandomSearch("drawn", {"x": sweepstake.Uniform(0, 1)})
    drawn = sweepstake.connect(experiment.session.config.url).add_experiment(search)
    code, out, _ = run("batch", "plan", "drawn", *CAPACITY)
    assert code == 0
    assert "its search makes jobs when workers ask for some" in " ".join(out.split())
    assert "sweepstake batch submit drawn --jobs 20" in " ".join(out.split())
    keep = ("batch", "keep", "drawn", *CAPACITY, "--backend", "local", "--max-allocations", "1")
    code, _, err = run(*keep)
    assert code == 2
    assert "--jobs" in err
    assert list(drawn.all_jobs()) == []


def test_a_dry_run_asks_no_search_for_jobs(run: Run, experiment: sweepstake.Experiment) -> None:
    """It does nothing at all."""
    search = sweepstake.GridSearch("grid", {"x": [1, 2]})
    grid = sweepstake.connect(experiment.session.config.url).add_experiment(search)
    submit = ("batch", "submit", "grid", *CAPACITY, "--backend", "local", "--jobs", "2", "--estimate", "1m")
    assert run(*submit, "--dry-run")[0] == 0
    assert list(grid.all_jobs()) == []


def test_messages_name_tasks_as_well(run: Run, tmp_path: Path) -> None:
    """Of jobs that are called otherwise; programs find both in a listing."""
    (tmp_path / "mnist.yaml").write_text(
        "tasks:\n- {name: train, image: {docker: x}, command: [a], replicas: 2, resources: {gpuCount: 9}}\n"
    )
    assert run("submit", str(tmp_path / "mnist.yaml"))[0] == 0
    listed = json.loads(run("list", "mnist", "--format", "json")[1])
    assert {(each["id"], each["task"]) for each in listed} == {("train.r0", "train"), ("train.r1", "train")}
    arguments = ("batch", "plan", "mnist", "--capacity", "nodes=2,cpus=8,gpus=2", "--estimate", "10m")
    code, _, err = run(*arguments)
    assert code == 1
    assert "job 'train.r0': needs 9 gpus on a node; a node has 2 (task 'train')" in err
    err = run(*arguments, "--skip-misfits")[2]
    assert "2 jobs left out, as they need 9 gpus on a node; a node has 2: train.r0 (train), train.r1 (train)" in err
