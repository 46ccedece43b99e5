"""Tasks that really run on this host, as attempts."""

import json
import os
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import pytest

from sweepstake.client import Places
from sweepstake.domain.records import Claim, JobRecord
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import ConfigurationError, UnusableFolderError
from sweepstake.queue.call import Patience
from sweepstake.spec import TaskSpec
from sweepstake.values import JsonObject
from sweepstake.worker.attempt import Attempt, Plan
from sweepstake.worker.duty import Assignment
from sweepstake.worker.slots.book import Share
from sweepstake.worker.slots.room import Room
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.run import JobFacts
from sweepstake.worker.tasks.secrets import Secrets, set_secret
from sweepstake.worker.tasks.sources import Root, Sources
from sweepstake.worker.tasks.work import Runner, TaskWork
from sweepstake.worker.terminal import Terminal
from sweepstake.worker.work import Kept
from tests.kit.heartbeats import NoHeartbeats
from tests.kit.lab import new_key


@attrs.frozen
class Keeps:
    """Says what became of what an attempt left."""

    kept: Kept | UnusableFolderError

    def finish(self, patience: Patience) -> Kept:
        """Say it."""
        assert patience() > 0
        if isinstance(self.kept, UnusableFolderError):
            raise self.kept
        return self.kept


def attempt_at(
    task: TaskSpec,
    folder: Path,
    hyperparameters: dict[str, Any],
    contained: Runner | None = None,
    result: Callable[[str], Path] = Path,
    gpus: tuple[str, ...] = (),
    kept: Kept | UnusableFolderError | None = None,
    grace: float = 5.0,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Attempt:
    """Return an attempt at a job of a task, all of whose folders are below this one."""
    job = JobRecord(
        experiment="e",
        id="j",
        status=JobStatus.RUNNING,
        hyperparameters=JsonObject.of(hyperparameters),
        results=JsonObject.of({"before": 1}),
        etag="k",
        seq=1,
        attempt=1,
    )
    places = Places(state=folder / "state", checkpoints=folder / "state" / "checkpoints")
    plan = Plan(allow_empty=True, grace=grace, terminal=Terminal({}, several=False))
    claim = Claim(job=job, key=new_key(), lease=60.0)
    set_secret(folder / "secrets.toml", "hf", "top secret\nin two lines")
    work = TaskWork(
        task=task,
        facts=JobFacts(
            experiment="e",
            job_id="j",
            task="main",
            attempt=1,
            name=claim.key,
            hyperparameters=hyperparameters,
            sweeps=True,
            share=Share(room=Room(cpus=1.0, gpus=len(gpus)), gpus=gpus),
            hostname="host",
        ),
        results=places.results(job),
        stock=Stock(
            sources=Sources(roots=(Root(folder / "data"), Root(folder / "my work", write=True))),
            secrets=Secrets(folder / "secrets.toml", {}),
        ),
        result=lambda name, _: result(name),
        contained=contained,
        environment={**os.environ, "OURS": "1", **environment},
    )
    keep = None if kept is None else (lambda _: nullcontext(Keeps(kept)))
    assigned = Assignment(work=work, timeout=None, end=lambda: None, keep=keep)
    return Attempt(claim, assigned, plan, NoHeartbeats(), places, threading.Event())


def script(text: str, **parts: Any) -> TaskSpec:
    """Return a task that runs a shell script."""
    return attrs.evolve(
        TaskSpec.new(
            "main", docker_image="sweepstake-test/tiny:1", command=["sh", "-euc", text], result_path="/results"
        ),
        **parts,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Data that is allowed, and a folder with a space in its name in which tasks may write."""
    (tmp_path / "data").mkdir()
    (tmp_path / "my work").mkdir()
    (tmp_path / "data" / "x").write_text("seven")
    return tmp_path / "data"


def test_a_task_runs_with_its_data_and_leaves_its_results(tmp_path: Path, data: Path) -> None:
    """Its paths lead to folders of this host, also one that no script could name unquoted."""
    task = script('cat /data/x > /results/y; echo {lr} >> /results/y; echo "$OURS" > /work/z; echo 1 > /results/w')
    task = task.with_dataset("/data", host_path=str(data), mode="readonly")
    task = task.with_dataset("/work", host_path=str(tmp_path / "my work"))
    finish = attempt_at(task, tmp_path, {"lr": 0.1}).run()
    assert (finish.outcome, finish.reason) == (Outcome.DONE, "")
    (results,) = tmp_path.glob("state/results/*/*/1")
    assert (results / "y").read_text() == "seven0.1\n"
    assert (tmp_path / "my work" / "z").read_text() == "1\n"


def test_a_script_finds_all_that_it_is_told(tmp_path: Path) -> None:
    """The file of hyperparameters, the folder for results, checkpoints, and the file for values."""
    task = script(
        'cat "$SWEEPSTAKE_HYPERPARAMETERS_PATH"; echo "{{\\"x\\": 1}}" > "$SWEEPSTAKE_RESULTS_PATH";'
        'touch "$SWEEPSTAKE_RESULT_DIR/r" "$SWEEPSTAKE_CHECKPOINT_DIR/c"; echo "$BEAKER_JOB_ID $CUDA_VISIBLE_DEVICES"'
    )
    finish = attempt_at(task, tmp_path, {"lr": 0.1, "é": [1]}, gpus=("3", "5")).run()
    assert finish.outcome is Outcome.DONE, finish
    assert finish.results == JsonObject.of({"before": 1, "x": 1})
    shown, _, rest = finish.output.partition("}")
    assert json.loads(shown + "}") == {"lr": 0.1, "é": [1]}
    assert rest == "j 3,5\n"
    assert list(tmp_path.glob("state/results/*/*/1/r"))


def test_metrics_are_a_part_of_the_results(tmp_path: Path) -> None:
    """What is written where ours are counts more."""
    task = script(
        'echo \'{{"a": 1, "b": 1}}\' > /results/metrics.json; echo \'{{"b": 2}}\' > "$SWEEPSTAKE_RESULTS_PATH"'
    )
    finish = attempt_at(task, tmp_path, {}).run()
    assert finish.results == JsonObject.of({"before": 1, "a": 1, "b": 2})


@pytest.mark.parametrize(
    "content, recorded",
    [
        (b"nonsense", {}),
        (b"[1]", {}),
        (b"\xff", {}),
        (b" " * 20_000_000, {}),
        (json.dumps({"a": 1, "b": "x" * 9_000_000}).encode(), {"a": 1}),
    ],
    ids=["no JSON", "no object", "no text", "too large a file", "too large a value"],
)
def test_metrics_that_cannot_be_read_are_told(tmp_path: Path, content: bytes, recorded: dict[str, Any]) -> None:
    """By the name of their file; the attempt is what it was, and what can be recorded of them is."""
    (tmp_path / "written").write_bytes(content)
    task = script(f'cp {tmp_path}/written /results/metrics.json; echo \'{{{{"c": 2}}}}\' > "$SWEEPSTAKE_RESULTS_PATH"')
    finish = attempt_at(task, tmp_path, {}).run()
    assert (finish.outcome, finish.results.decode()) == (Outcome.DONE, {"before": 1, "c": 2, **recorded})
    assert "metrics.json" in finish.reason or "'b'" in finish.reason


@pytest.mark.parametrize(
    "kept, outcome, reason",
    [
        (Kept(), Outcome.DONE, ""),
        (Kept(note="not kept: 'x'"), Outcome.DONE, "not kept: 'x'"),
        (Kept(problem="the store is away", again=True), Outcome.RELEASED, "the store is away"),
        (Kept(problem="the store refuses it"), Outcome.CRASHED, "the store refuses it"),
    ],
)
def test_an_attempt_is_done_only_when_all_is_kept(tmp_path: Path, kept: Kept, outcome: Outcome, reason: str) -> None:
    """Else another may have more luck, or none will; what cannot be kept is told."""
    finish = attempt_at(script("true"), tmp_path, {}, kept=kept).run()
    assert (finish.outcome, finish.reason) == (outcome, reason)


def test_a_full_disk_makes_no_attempt_done(tmp_path: Path) -> None:
    """It is a fault of this machine's; an attempt that crashed is CRASHED all the same, and says so besides."""
    full = UnusableFolderError("the disk is full")
    with pytest.raises(UnusableFolderError):
        attempt_at(script("true"), tmp_path, {}, kept=full).run()
    finish = attempt_at(script("exit 3"), tmp_path, {}, kept=full).run()
    assert (finish.outcome, finish.reason) == (Outcome.CRASHED, "exit code 3; the disk is full")


def test_a_secret_arrives_and_is_shown_nowhere(tmp_path: Path) -> None:
    """As a variable and as a file of this user alone; it is on no command line, and gone afterwards."""
    task = script('test "$TOKEN" = "$(cat /secret)"; stat -L -c %a /secret; echo /secret; cat /proc/$$/cmdline')
    task = task.with_env_var("TOKEN", secret="hf").with_dataset("/secret", secret="hf")
    finish = attempt_at(task, tmp_path, {}).run()
    assert finish.outcome is Outcome.DONE, finish
    mode, path, _ = finish.output.split("\n", 2)
    assert mode == "400"
    assert not Path(path).exists()
    assert "top secret" not in finish.output


def test_a_secret_that_a_script_prints_is_taken_out(tmp_path: Path) -> None:
    """Of its output, in whatever way it came to it; its results are its own."""
    task = script('echo "it is $TOKEN."; printf "top sec" >&2; sleep 0.1; printf "ret" >&2').with_env_var(
        "TOKEN", secret="hf"
    )
    finish = attempt_at(task, tmp_path, {}).run()
    assert "top secret" not in finish.output
    assert "it is ***." in finish.output
    (log,) = tmp_path.glob("state/output/*/*/1.log")
    assert "top sec" not in log.read_text()


def test_what_opens_the_store_is_taken_out_of_output(tmp_path: Path) -> None:
    """A task on the host has the variables of its worker, and whoever may read an experiment sees what it prints."""
    opens = {"SWEEPSTAKE_TOKEN": "sws_of-this-worker", "SWEEPSTAKE_URL": "postgresql://me:pass%2Fword@db.example/x"}
    finish = attempt_at(script("env; echo pass/word"), tmp_path, {}, environment=opens).run()
    assert "SWEEPSTAKE_TOKEN=***" in finish.output
    assert "of-this-worker" not in finish.output
    assert "pass/word" not in finish.output
    assert "me:***@db.example" in finish.output


def test_a_folder_above_several_mounts_is_found(tmp_path: Path, data: Path) -> None:
    """As in a container; if this host has such a folder itself, that is meant."""
    (data / "two").mkdir()
    (data / "two" / "x").write_text(" and eight")
    task = script(
        f"cat /nowhere/*/x > /nowhere/out/both; cd /nowhere; ls; ls {tmp_path}", result={"path": "/nowhere/out"}
    )
    task = task.with_dataset("/nowhere/1", host_path=str(data), mode="readonly")
    task = task.with_dataset("/nowhere/2", host_path=str(data / "two"), mode="readonly")
    task = task.with_dataset(f"{tmp_path}/three", host_path=str(data), mode="readonly")
    finish = attempt_at(task, tmp_path, {}).run()
    assert (finish.outcome, finish.reason) == (Outcome.DONE, "")
    (both,) = tmp_path.glob("state/results/*/*/1/both")
    assert both.read_text() == "seven and eight"
    assert finish.output.splitlines()[:4] == ["1", "2", "out", "data"]


def test_the_result_of_another_task_is_found(tmp_path: Path) -> None:
    """Where it is kept."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "model").write_text("m")
    task = script("cat /in/model").with_dataset("/in", result="prepare")
    finish = attempt_at(task, tmp_path, {}, result=lambda name: tmp_path / {"prepare": "kept"}[name]).run()
    assert (finish.outcome, finish.output) == (Outcome.DONE, "m")


def test_hyperparameters_that_must_not_stand_there_crash_the_job(tmp_path: Path) -> None:
    """Nothing has begun."""
    finish = attempt_at(script('touch /results/begun; echo "{x}"'), tmp_path, {"x": "$(touch /tmp/evil)"}).run()
    assert finish.outcome is Outcome.CRASHED
    assert "take it for code" in finish.reason
    assert not list(tmp_path.glob("state/results/*/*/1/begun"))


def test_a_program_that_is_not_there_crashes_the_job(tmp_path: Path) -> None:
    """It was the spec's choice, not this machine's."""
    task = TaskSpec.new("main", docker_image="i", command=["no-such-program"])
    finish = attempt_at(task, tmp_path, {}).run()
    assert finish.outcome is Outcome.CRASHED
    assert "'no-such-program' cannot be started" in finish.reason


def test_what_this_machine_lacks_is_no_fault_of_the_job(tmp_path: Path) -> None:
    """Whoever runs the attempt gives it back."""
    with pytest.raises(ConfigurationError, match="is in none of the folders"):
        attempt_at(script("true").with_dataset("/x", host_path="/etc", mode="readonly"), tmp_path, {}).run()


def test_folders_are_this_users_alone(tmp_path: Path) -> None:
    """Results lie apart for each attempt."""
    attempt_at(script("true"), tmp_path, {}).run()
    (results,) = tmp_path.glob("state/results/*/*/1")
    assert stat.S_IMODE(results.stat().st_mode) == 0o700
    assert results.stat().st_uid == os.geteuid()
