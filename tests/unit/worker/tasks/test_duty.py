"""A worker that runs what jobs carry: which of them, and how."""

import json
import time
from typing import NoReturn

import attrs
import pytest

import sweepstake
from sweepstake import ManualSearch
from sweepstake.domain.status import Outcome
from sweepstake.errors import StoreUnavailableError
from sweepstake.queue.queue import Queue
from sweepstake.worker.tasks import fitness
from sweepstake.worker.tasks.run import TaskRun
from sweepstake.worker.work import Launch, Preliminaries
from tests.kit.bench import ONE, Bench, Doing
from tests.kit.lab import document, draft


def test_tasks_of_jobs_are_run(bench: Bench) -> None:
    """Each job's own."""
    bench.put({"script": "echo 1 > $FOLDER/a"}, {"script": "echo $SWEEPSTAKE_TASK $BEAKER_JOB_ID > $FOLDER/b"})
    bench.add("x")
    bench.add("y", task="t1")
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 2}
    assert (bench.wrote("a"), bench.wrote("b")) == (["1"], ["t1 y"])


def test_a_job_is_told_what_it_starts_from(bench: Bench) -> None:
    """The results of its parent, in a file, as hyperparameters are; what it says of them stands beside the others."""
    bench.put({"script": "cat $SWEEPSTAKE_START_PATH > $FOLDER/a; echo '{\"loss\": 1}' > $SWEEPSTAKE_RESULTS_PATH"})
    started = draft("x", of=document(results={"loss": 2, "weights": "a.pt"}), task="t0")
    bench.exp.session.queue.add_jobs(bench.exp.name, [started])
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 1}
    assert [json.loads(line) for line in bench.wrote("a")] == [{"loss": 2, "weights": "a.pt"}]
    assert bench.exp.get_job("x").results == {"loss": 1, "weights": "a.pt"}


def test_a_job_of_another_experiment_that_came_to_the_place_of_one_is_not_run(
    bench: Bench, db: sweepstake.Database
) -> None:
    """Its command may be anybody's, and it is not that of the experiment that was found; the job is given back."""
    bench.put({"script": "touch $FOLDER/old"})
    bench.add("x")
    found = bench.exp

    def replace() -> None:
        found.delete()
        bench.exp = db.add_experiment(ManualSearch("exp"))
        bench.put({"script": "touch $FOLDER/new"})
        bench.add("x")

    queue = Queue(Doing(found.session.queue.sender, replace))
    assert found.record is not None
    found.attach(attrs.evolve(found.session, queue=queue), found.record)
    bench.work(ONE)
    assert "there is another of its name" in "".join(bench.told)
    assert not list(bench.folder.glob("old")) + list(bench.folder.glob("new"))
    assert bench.exp.get_job("x").status == "QUEUED"
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 1}
    assert bench.wrote("new") == []


def test_a_task_gets_no_secret_that_it_does_not_name(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker has as a variable is not in that of each task, where it would be printed into a log."""
    monkeypatch.setenv("SWEEPSTAKE_SECRET_TOKEN", "open sesame")
    bench.put({"script": "env > $FOLDER/a"})
    bench.add("x")
    bench.work(ONE)
    assert "open sesame" not in "".join(bench.wrote("a"))


def test_a_worker_without_end_looks_at_specs_until_its_store_is_back(bench: Bench) -> None:
    """As it asks for jobs; one that ends when there are none ends when the store is away for minutes."""
    bench.put({})
    bench.add("x")
    bench.lose(3600.0)
    assert dict(bench.work(ONE, idle=None, max_jobs=1).outcomes) == {Outcome.DONE: 1}
    bench.lose(3600.0)
    assert isinstance(bench.work(ONE).failure, StoreUnavailableError)


def test_an_end_does_not_wait_for_a_look_while_the_store_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is claimed with it is worth a look, but not one that is repeated: meanwhile the report is nowhere."""
    for each in ("_BETWEEN_LOOKS", "_REST"):
        monkeypatch.setattr(fitness, each, 0.0)
    bench.put({"script": "touch $FOLDER/ended"})
    bench.add("x", "y")
    away = bench.lose(300.0, lambda _: (bench.folder / "ended").exists())
    assert dict(bench.work(ONE, idle=None, max_jobs=2).outcomes) == {Outcome.DONE: 2}
    assert away.tried[:2] == [("GetExperiment", 0.0), ("FinishAttempts", 0.0)]


def test_a_job_goes_back_whose_task_is_not_known_because_the_store_is_away(bench: Bench) -> None:
    """It went away after it had given the job, and a worker without end runs it when it is back."""
    bench.put({})
    bench.add("x")
    bench.lose(300.0, lambda away: "ClaimJobs" in away.answered)
    assert dict(bench.work(ONE, idle=None, max_jobs=1).outcomes) == {Outcome.DONE: 1}
    assert [each.outcome for each in bench.exp.get_job("x").attempts()] == [Outcome.RELEASED, Outcome.DONE]


def not_called(run: TaskRun, launch: Launch, before: Preliminaries) -> NoReturn:
    """Stand for what starts containers."""
    raise AssertionError("no container is started")


def test_a_task_without_an_image_runs_on_the_host(bench: Bench) -> None:
    """As those of W&B's sweeps do, beside others in containers; but none that somebody else wrote."""
    bench.put({"image": {}, "script": "echo 1 > $FOLDER/a"})
    bench.add("x")
    assert bench.work(ONE, contained=not_called, own=False, idle=0.5).outcomes == {}
    (told,) = bench.told
    assert told.endswith("'t0': it has no image, and what others wrote runs on this host only with --no-container")
    assert dict(bench.work(ONE, contained=not_called).outcomes) == {Outcome.DONE: 1}
    assert bench.wrote("a") == ["1"]


def test_an_experiment_without_a_spec_is_passed_over(bench: Bench) -> None:
    """People are told once, and its jobs are left alone."""
    bench.exp.add_jobs([{}])
    assert bench.work(ONE, idle=0.5).outcomes == {}
    assert bench.told == ["exp has no spec, so this worker, which was given no command, passes it over"]
    assert [job.status for job in bench.exp.all_jobs()] == ["QUEUED"]


def test_what_this_machine_lacks_is_told_before_anything_is_claimed(bench: Bench) -> None:
    """A secret that is not here."""
    bench.put({"envVars": [{"name": "T", "secret": "hf"}]})
    bench.add("x")
    assert bench.work(ONE, idle=0.5).outcomes == {}
    (told,) = bench.told
    assert told.startswith("exp is passed over: task 't0': the secret 'hf' is not on this machine")
    assert [job.attempt for job in bench.exp.all_jobs()] == [0]


def test_all_that_this_machine_lacks_is_told_at_once(bench: Bench) -> None:
    """Each thing once, with the first task that names it; of very much only a part."""
    task = {"envVars": [{"name": "T", "secret": "hf"}, {"name": "U", "secret": "hf"}, {"name": "V", "secret": "aws"}]}
    weka = [{"mountPath": f"/{i}", "source": {"weka": f"bucket-{i}"}} for i in range(30)]
    bench.put(task, {**task, "datasets": weka})
    bench.work(ONE, idle=0.5)
    hints = [line.split("; ")[0].removeprefix("exp is passed over: ") for line in bench.told]
    assert hints[:3] == [
        "task 't0': the secret 'hf' is not on this machine",
        "task 't0': the secret 'aws' is not on this machine",
        "task 't1': the bucket 'bucket-0' is unknown here",
    ]
    assert hints[20:] == ["exp is passed over for 12 reasons more"]


def test_jobs_that_need_more_are_left(bench: Bench) -> None:
    """For a worker that has more; where the label is right, others run."""
    bench.put(
        {"resources": {"gpuCount": 1}},
        {"constraints": {"cluster": ["ai2/jupiter"]}, "script": "echo > $FOLDER/there"},
    )
    bench.add("x")
    bench.add("y", task="t1")
    assert dict(bench.work(ONE, {"cluster": "ai2/jupiter"}, idle=0.2).outcomes) == {Outcome.DONE: 1}
    assert {job.job_id: job.status for job in bench.exp.all_jobs()} == {"x": "QUEUED", "y": "DONE"}


def test_a_sweep_fills_placeholders(bench: Bench) -> None:
    """And a spec without one leaves braces alone."""
    bench.put({"script": "echo {lr} ${FOLDER}  > $FOLDER/x"}, sweep={"search": "manual"})
    bench.add("x", lr=0.5)
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 1}
    assert bench.wrote("x") == [f"0.5 {bench.folder}"]


def test_what_jobs_leave_is_kept_before_their_end_is_reported(bench: Bench) -> None:
    """Files and output, also of a job that crashes; then nothing of it is left on this machine."""
    bench.put({"script": "echo 1 > /r/x; echo said; exit $SWEEPSTAKE_HP_CODE", "result": {"path": "/r"}})
    bench.add("good", code=0)
    bench.add("bad", code=1)
    bench.work(ONE)
    for name in ("good", "bad"):
        job = bench.exp.get_job(name)
        assert [(each.path, each.size) for each in job.files().files] == [("x", 2)]
        assert job.log() == "said\n"
    assert [path for path in (bench.folder / "state").rglob("*") if path.is_file()] == []
    assert bench.calls.index("KeepFiles") < bench.calls.index("FinishAttempts")


def test_a_job_that_leaves_nothing_costs_no_call(bench: Bench) -> None:
    """Only whether anything could be kept is asked, once."""
    bench.put({})
    bench.add("a", "b")
    bench.work(ONE)
    assert {"PutContent", "KeepFiles", "AppendLog"}.isdisjoint(bench.calls)
    assert bench.calls.count("AskFiles") == 1


def test_a_timeout_of_a_task_is_kept(bench: Bench) -> None:
    """It is in nanoseconds."""
    bench.put({"script": "exec sleep 100", "timeout": "200ms"})
    bench.add("x")
    began = time.monotonic()
    assert dict(bench.work(ONE).outcomes) == {Outcome.CRASHED: 1}
    assert time.monotonic() - began < 50


def test_hyperparameters_reach_a_script_by_a_file(bench: Bench) -> None:
    """Also without a sweep."""
    bench.put({"script": "cp $SWEEPSTAKE_HYPERPARAMETERS_PATH $FOLDER/h; echo $SWEEPSTAKE_HP_LR > $FOLDER/v"})
    bench.add("x", lr=0.5, n=[1, 2])
    bench.work(ONE)
    assert json.loads((bench.folder / "h").read_text()) == {"lr": 0.5, "n": [1, 2]}
    assert bench.wrote("v") == ["0.5"]
