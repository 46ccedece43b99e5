"""From a spec to results: submitted, run by a worker, and waited for, on a file and through a server."""

import signal
import sys
from contextlib import closing
from pathlib import Path
from secrets import token_hex

import pytest

import sweepstake
from tests.kit.lab import eventually
from tests.kit.shell import Shell
from tests.kit.stack import reached

_TRAIN = (
    "import sweepstake; job = sweepstake.current_job(); job.results['loss'] = 10 * job.hyperparameters['lr'] + job.seed"
)
_SPEC = f"""
tasks:
  - name: prepare
    image: {{docker: tiny}}
    command: [sh, -c, "test -d /results"]
    result: {{path: /results}}
  - name: train
    image: {{docker: tiny}}
    command: ["{sys.executable}", -c, "{_TRAIN}"]
    sweep: {{search: Grid, parameters: {{lr: [1, 2]}}, nSeeds: 2, objective: loss, direction: min}}
  - name: report
    image: {{docker: tiny}}
    command: [sh, -c, 'test "$BEAKER_JOB_ID" = report']
    datasets: [{{mountPath: /in, source: {{result: prepare}}}}]
"""
_WORKER = ("--no-container", "--slots", "cpus=2,gpus=0", "--idle", "1")


@pytest.mark.parametrize("kind", ["sqlite", "http-sqlite"])
def test_a_spec_is_submitted_run_and_waited_for(kind: str, tmp_path: Path) -> None:
    """Each job ends DONE, with the results that its script reported without knowing the store."""
    file = tmp_path / "digits.yaml"
    file.write_text(_SPEC)
    with reached(kind, tmp_path, str) as url, closing(Shell(url)) as shell:
        submitted = shell.run("submit", str(file))
        assert submitted.stdout.splitlines()[-1] == "digits"
        shell.run("worker", "digits", *_WORKER)
        assert shell.run("wait", "digits", "--timeout", "60").stdout == "6 jobs: 6 done\n"
        with sweepstake.connect(url) as db:
            exp = db.get_experiment("digits")
            losses = {job.job_id: job.results for job in exp.all_jobs() if job.results}
            best = exp.best_job().job_id
    assert losses == {
        "train.1.s0": {"loss": 10},
        "train.1.s1": {"loss": 11},
        "train.2.s0": {"loss": 20},
        "train.2.s1": {"loss": 21},
    }
    assert best == "train.1.s0"


@pytest.mark.parametrize("kind", ["sqlite", "http-sqlite"])
def test_a_secret_is_in_nothing_that_others_get(kind: str, tmp_path: Path) -> None:
    """A task may print it and fail with it: it is not shown, exported, or kept on a disk by anybody."""
    file = tmp_path / "leaky.yaml"
    file.write_text(
        "tasks:\n- name: leaky\n  image: {docker: tiny}\n  command: [sh, -c]\n"
        "  arguments: ['echo got $TOKEN; cat /token /proc/$$/cmdline; echo failed with $TOKEN >&2; exit 3']\n"
        "  envVars: [{name: TOKEN, secret: token}]\n  datasets: [{mountPath: /token, source: {secret: token}}]\n"
    )
    secret = f"tiger-{token_hex()}"
    with reached(kind, tmp_path, str) as url, closing(Shell(url)) as shell:
        shell.run("submit", str(file))
        mine = {"SWEEPSTAKE_SECRET_TOKEN": secret, "SWEEPSTAKE_STATE": str(tmp_path / "state")}
        with closing(Shell(url, mine)) as worker:
            said = [worker.run("worker", "leaky", *_WORKER)]
        commands = ("export leaky", "show leaky --spec", "show leaky leaky", "logs leaky leaky", "list leaky --wide")
        said += [shell.run(*command.split()) for command in commands]
    told = [ran.stdout + ran.stderr for ran in said]
    assert all("failed with ***" in text for text in (told[0], told[1], told[3], told[4]))
    assert not [text for text in told if secret in text]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_a_running_task_is_stopped(shell: Shell, tmp_path: Path) -> None:
    """Its processes end, and with the jobs behind it it is PRUNED."""
    file = tmp_path / "long.yaml"
    file.write_text(
        "tasks:\n"
        "  - {name: long, image: {docker: tiny}, command: [sleep, '600']}\n"
        "  - name: after\n    image: {docker: tiny}\n    command: ['true']\n"
        "    datasets: [{mountPath: /in, source: {result: long}}]\n"
    )
    watching = shell.start("submit", str(file), "--watch")
    with sweepstake.connect(shell.url) as db:
        worker = shell.start("worker", "--no-container", "--slots", "cpus=1,gpus=0", "--idle", "600")
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("long has 2 tasks")
        assert watching.stdout.readline().endswith(" long RUNNING\n")
        assert db.get_experiment("long").stop() == 2
        rest, _ = watching.communicate(timeout=60)
    assert [line.split(" ", 1)[-1] for line in rest.splitlines()] == [
        "long PRUNED",
        "after PRUNED",
        "jobs: 2 pruned",
        "long",
    ]
    assert watching.returncode == 1
    worker.terminate()
    _, told = worker.communicate(timeout=60)
    assert "long" in told


@pytest.mark.parametrize("jobs", [0, 1], ids=["before its jobs", "among its jobs"])
def test_a_submission_that_is_killed_is_whole_or_nothing(shell: Shell, tmp_path: Path, jobs: int) -> None:
    """Nothing of it can be claimed; the same command goes on where the first one ended, and makes nothing twice."""
    file = tmp_path / "many.yaml"
    points = ", ".join(map(str, range(10_000)))
    file.write_text(
        "tasks: [{name: main, image: {docker: tiny}, command: [echo, '{x}']}]\n"
        f"sweep: {{search: Grid, parameters: {{x: [{points}]}}}}\n"
    )
    with sweepstake.connect(shell.url) as db:
        first = shell.start("submit", str(file))
        exp = eventually(lambda: next((each for each in db.get_experiments() if each.counts().total >= jobs), None))
        first.kill()
        first.communicate()
        assert first.returncode == -signal.SIGKILL
        assert exp.counts().total < 10_000
        with pytest.raises(sweepstake.NoJobError, match="it is DONE"):
            exp.next_job()
        told = shell.run("why", "many").stdout
        assert told.startswith("many is being submitted; if that was interrupted, submitting the same spec again")
        shell.run("wait", "many", "--timeout", "0", code=124)
        again = shell.run("submit", str(file)).stdout.splitlines()
        assert again == ["many has 1 task; 10,000 jobs: 10,000 ready", "many"]
        assert [each.name for each in db.get_experiments()] == ["many"]
        assert db.get_experiment("many").settings.tags == ()
