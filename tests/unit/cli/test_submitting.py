"""`sweepstake submit`, `wait`, `stop`, `why`, `show --spec` and `secret` on the command line."""

import io
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

import sweepstake
from sweepstake.cli.main import run_app

_SPEC = """
tasks:
  - {name: prepare, image: {docker: tiny}, command: [prepare]}
  - name: train
    image: {docker: tiny}
    command: [train, "--lr={lr}"]
    datasets: [{mountPath: /in, source: {result: prepare}}]
    sweep: {search: Grid, parameters: {lr: [0.1, 0.2, 0.3]}, nSeeds: 2}
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The store."""
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def run(url: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the store, and return its exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run_app([*arguments, "--url", url])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def spec(tmp_path: Path) -> str:
    """A spec of seven jobs."""
    path = tmp_path / "digits.yaml"
    path.write_text(_SPEC)
    return str(path)


def test_a_spec_is_submitted(run: Run, spec: str, url: str) -> None:
    """The last line is the name of the experiment."""
    code, out, _ = run("submit", spec)
    assert (code, out) == (0, "digits has 2 tasks; 7 jobs: 1 ready, 6 blocked\ndigits\n")
    assert run("submit", spec)[1].splitlines()[-1] == "digits-2"
    code, _, err = run("submit", spec, "--name", "digits")
    assert (code, "There is an experiment 'digits' already." in err, "--update" in err) == (1, True, True)
    assert run("submit", spec, "--name", "digits", "--update")[1].splitlines()[-1] == "digits"
    with sweepstake.connect(url) as db:
        assert db.get_experiment("digits").counts().total == 14


def test_an_update_names_its_experiment(run: Run, spec: str) -> None:
    """It is wrong usage not to."""
    code, _, err = run("submit", spec, "--update")
    assert (code, "--update needs the --name" in err) == (2, True)


def test_a_dry_run_shows_the_jobs(run: Run, spec: str, url: str, tmp_path: Path) -> None:
    """In 80 columns, and opens no store."""
    code, out, _ = run("submit", spec, "--dry-run")
    lines = out.splitlines()
    assert code == 0
    assert lines[-1] == "7 jobs of 2 tasks; nothing was sent."
    assert max(map(len, lines)) <= 80
    assert re.search(r"train\.1\.s0 +\| train +\| +0 \| \{\"lr\":0\.1\} +\| +0 \| prepare", out)
    assert not list(tmp_path.glob("store*"))


def test_a_dry_run_shows_what_is_elsewhere_without_a_container(run: Run, tmp_path: Path) -> None:
    """In commands, arguments and variables; `<PATH>` is the folder that stands for a path."""
    file = tmp_path / "paths.yaml"
    file.write_text(
        "tasks:\n- name: main\n  image: {docker: tiny}\n  command: [sh, -c, 'cat /in/a > /results2']\n"
        "  arguments: [--out=/results]\n  envVars: [{name: OUT, value: /results/x}]\n  result: {path: /results}\n"
        "  datasets: [{mountPath: /in, source: {hostPath: /data}}]\n"
    )
    assert run("submit", str(file), "--dry-run")[1].splitlines()[-4:] == [
        "main: without a container, cat /in/a > /results2 is cat </in>/a > /results2",
        "main: without a container, --out=/results is --out=</results>",
        "main: without a container, OUT=/results/x is OUT=</results>/x",
        "1 job of 1 task; nothing was sent.",
    ]


def test_a_dry_run_shows_of_a_script_what_changes(run: Run, tmp_path: Path) -> None:
    """Those of its lines, and of a long one the words around the paths."""
    file = tmp_path / "script.yaml"
    flags = " ".join(f"--flag-{i} {i}" for i in range(20))
    file.write_text(
        "tasks:\n- name: main\n  image: {docker: tiny}\n  command: [bash, -c]\n  arguments:\n  - |\n"
        f"    set -e\n    ls /in\n    train {flags} --data /in/a --out=/in {flags} /in\n"
        "  datasets: [{mountPath: /in, source: {weka: data}}]\n"
    )
    assert run("submit", str(file), "--dry-run")[1].splitlines()[-3:-1] == [
        "main: without a container, ls /in is ls </in>",
        (
            "main: without a container, ... --data /in/a --out=/in --flag-0 ... 19 /in is "
            "... --data </in>/a --out=</in> --flag-0 ... 19 </in>"
        ),
    ]


@pytest.mark.parametrize("dry", [True, False])
def test_values_that_no_worker_would_put_there_are_told(run: Run, tmp_path: Path, dry: bool) -> None:
    """Before the first of their jobs crashes."""
    file = tmp_path / "words.yaml"
    file.write_text(
        "tasks:\n- name: train\n  image: {docker: tiny}\n  command: [sh, -c, 'train \"{text}\"']\n"
        "  sweep: {search: Grid, parameters: {text: [plain, two words, $HOME]}}\n"
    )
    code, out, err = run("submit", str(file), *(["--dry-run"] if dry else []))
    assert (code, "3 jobs" in out) == (0, True)
    assert err.startswith("Warning: train: 2 jobs will crash: command[2]: {text} would put 'two words' where a program")


def test_a_dry_run_in_json_is_the_jobs(run: Run, spec: str) -> None:
    """As they would be sent, beside the spec."""
    shown = json.loads(run("submit", spec, "--dry-run", "--format", "json")[1])
    assert [job["id"] for job in shown["jobs"]][:2] == ["prepare", "train.1.s0"]
    assert shown["jobs"][1]["hyperparameters"] == {"lr": 0.1}
    assert shown["spec"]["tasks"][0]["name"] == "prepare"


def test_every_fault_of_a_spec_is_a_line(run: Run, tmp_path: Path) -> None:
    """With file, line and column, of sweeps of W&B's too; nothing is sent."""
    file = tmp_path / "a.yaml"
    file.write_text("tasks:\n  - {name: a}\n  - {name: a, image: {docker: x}, replicas: -1}\n")
    code, out, err = run("submit", str(file))
    assert (code, out) == (1, "")
    assert [line.split(": ")[0] for line in err.splitlines()] == [f"{file}:2:5", f"{file}:3:12", f"{file}:3:45"]
    file.write_text("program: t.py\nmethod: bayes\nparameters: {lr: {min: 0.0, max: 1.0}}\n")
    assert run("submit", str(file))[2].startswith(f"{file}:2:9: method: ")
    file.write_text("program: t.py\nmethod: random\nrun_cap: 3\nparameters: {lr: {min: 0.0, max: 1.0}}\n")
    assert run("submit", str(file), "--dry-run")[0] == 0
    assert not list(tmp_path.glob("store*"))


def test_a_sweep_without_an_end_is_queued_as_workers_ask(run: Run, tmp_path: Path) -> None:
    """A dry run and the experiment say so; there is no job before."""
    file = tmp_path / "a.yaml"
    file.write_text("program: t.py\nmethod: random\nparameters: {lr: {min: 0.0, max: 1.0}}\n")
    assert run("submit", str(file), "--dry-run")[1] == (
        "main: its search makes one job after another, as workers ask for them\n0 jobs of 1 task; nothing was sent.\n"
    )
    assert run("submit", str(file))[1] == "a has 1 task; 0 jobs\na\n"
    assert run("why", "a")[1] == (
        "a has no job that waits: 0 jobs. Its search makes the next one when a worker asks, such as "
        "`sweepstake worker a`.\n"
    )


def test_a_spec_that_is_not_there_is_an_error(run: Run, tmp_path: Path) -> None:
    """Told by its name, in words."""
    code, _, err = run("submit", str(tmp_path / "none.yaml"))
    assert (code, err) == (1, f"Error: {tmp_path}/none.yaml cannot be read: No such file or directory\n")


def test_the_end_is_waited_for(run: Run, spec: str) -> None:
    """1 when not all jobs are DONE, 124 at the timeout."""
    run("submit", spec)
    code, _, err = run("wait", "digits", "--timeout", "0.01")
    assert (code, err) == (124, "Error: digits: not ended after 0.01 seconds; 7 jobs: 1 ready, 6 blocked\n")
    assert run("stop", "digits", "train.1.s0", "train.1.s1")[1] == "2 jobs of digits are stopped.\n"
    assert run("stop", "digits")[1] == "5 jobs of digits are stopped.\n"
    code, out, _ = run("wait", "digits", "--watch")
    assert code == 1
    assert [line.split()[1:] for line in out.splitlines()[:-1]] == [
        ["prepare", "PRUNED"],
        *([f"train.{point}.s{seed}", "PRUNED"] for point in (1, 2, 3) for seed in (0, 1)),
    ]
    assert out.splitlines()[-1] == "7 jobs: 7 pruned"


def test_an_experiment_whose_jobs_are_done_ended_well(run: Run, url: str) -> None:
    """The exit code is 0."""
    with sweepstake.connect(url) as db:
        db.add_experiment(sweepstake.ManualSearch("exp")).add_job({}, status="DONE")
    assert run("wait", "exp")[:2] == (0, "1 job: 1 done\n")


def test_a_submission_may_be_watched(run: Run, tmp_path: Path) -> None:
    """The name is the last line all the same; without jobs, all are DONE."""
    file = tmp_path / "none.yaml"
    file.write_text("tasks: []")
    code, out, _ = run("submit", str(file), "--watch")
    assert (code, out.splitlines()[-1]) == (0, "none")


def test_a_watch_is_given_up_in_time(run: Run, spec: str) -> None:
    """What was submitted stays, and its name is the last line."""
    code, out, err = run("submit", spec, "--watch", "--timeout", "0.1")
    assert (code, out.splitlines()[-1]) == (124, "digits")
    assert err.startswith("Error: digits: not ended after 0.1 seconds; 7 jobs: ")
    assert run("submit", spec, "--timeout", "1")[0] == 2


def test_the_spec_is_shown_as_it_was_written(run: Run, spec: str) -> None:
    """Each version of it."""
    run("submit", spec)
    assert run("show", "digits", "--spec")[1] == _SPEC
    assert json.loads(run("show", "digits", "--spec", "--version", "1", "--format", "json")[1])["version"] == 1
    code, _, err = run("show", "digits", "--spec", "--version", "2")
    assert (code, "has no version 2" in err) == (1, True)


def test_another_job_of_a_task_is_added(run: Run, spec: str, url: str) -> None:
    """Hyperparameters are all that it takes: what is run, and what that needs, the spec says."""
    run("submit", spec)
    assert (
        run("push", "digits", "-p", "lr", "0.4", "--task", "train", "--depends-on", "prepare", "--id", "more")[0] == 0
    )
    code, _, err = run("push", "digits", "-p", "lr", "0.4", "--task", "training")
    assert (code, "training" in err) == (1, True)
    with sweepstake.connect(url) as db:
        exp = db.get_experiment("digits")
        exp.add_jobs([{"lr": 0.5}, sweepstake.NewJob({}, job_id="again", task="prepare")], task="train")
        assert [job.record.task for job in exp.all_jobs()][-3:] == ["train", "train", "prepare"]
        assert exp.get_job("more").record.spec_version == 1


def test_it_is_told_why_an_experiment_does_not_go_on(run: Run, spec: str) -> None:
    """In lines, or as JSON."""
    run("submit", spec)
    out = run("why", "digits")[1]
    assert [line.split(" ")[0] for line in out.splitlines()] == ["prepare", "train"]
    assert len(json.loads(run("why", "digits", "--format", "json")[1])["sentences"]) == 2
    assert run("why", "digits", "train.1.s0")[1].startswith("It waits for 1 job")
    run("push", "digits", "-p", "lr", "0.4", "--id", "plain")
    assert run("why", "digits")[1].splitlines()[-1] == (
        "plain names no task of the spec, so workers without a command pass it over; `sweepstake worker digits -- "
        "COMMAND` runs it, and `sweepstake push --task` names one."
    )


def test_a_secret_is_kept_for_this_user_alone(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the configuration; nothing that is printed holds it."""
    config = tmp_path / "conf" / "config.toml"
    config.parent.mkdir()
    config.touch()
    monkeypatch.setenv("SWEEPSTAKE_CONFIG", str(config))
    monkeypatch.setattr("sys.stdin", io.StringIO("hf_abc\n"))
    code, out, err = run("secret", "set", "HF_TOKEN")
    file = config.with_name("secrets.toml")
    assert (code, out, err) == (0, f"HF_TOKEN is kept in {file}.\n", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == '"HF_TOKEN" = "hf_abc"\n'
    assert run("secret", "rm", "HF_TOKEN")[0] == 0
    assert file.read_text() == ""
