"""The `sweepstake` command: Schedy's verbs and ours, in this process and as a process of its own."""

import json
import os
import shlex
import signal
from contextlib import closing
from pathlib import Path

import pytest

import sweepstake
from sweepstake import Database, Job, LiveLeasesError, ManualSearch
from sweepstake.cli.main import run_app
from sweepstake.domain.status import Outcome
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from sweepstake.domain.workers import WorkerReport
from tests.kit.lab import Lab, eventually
from tests.kit.shell import Command, Shell
from tests.kit.stack import open_queue


def test_a_manual_experiment_and_its_jobs(sw: Command, db: Database) -> None:
    """Schedy's way through: add, push, list, show, rm."""
    assert sw("add", "mnist", "manual").out == ""
    pushed = sw("push", "mnist", "-p", "lr", "-0.5", "act", "relu", "-r", "acc", "0.25", "-s", "DONE").out
    (job,) = db.get_experiment("mnist").all_jobs()
    assert pushed == f"id: {job.job_id}\nstatus: DONE\nlr: -0.5\nact: relu\nacc: 0.25\n"
    headers, row = sw("list").out.splitlines()
    assert headers.split() == ["name", "state", "jobs", "done", "last", "activity"]
    assert row.split()[:4] == ["mnist", "idle", "1", "1"]
    assert sw("list", "mnist").out == (
        f"id{' ' * 24}  status    lr  act    acc\n{job.job_id}  DONE    -0.5  relu  0.25\n\n1 job: 1 done\n"
    )
    assert sw("list", "mnist", "-p").out == pushed
    assert sw("show", "mnist").out.startswith("name: mnist\nstatus: RUNNING\nscheduler: Manual\n")
    assert sw("show", "mnist", job.job_id).out.startswith(pushed)
    sw("rm", "mnist", job.job_id, "-f")
    assert list(db.get_experiment("mnist").all_jobs()) == []
    sw("rm", "--force", "mnist")
    assert sw("list").out == ""


def test_a_table_is_as_schedy_draws_it(sw: Command, db: Database) -> None:
    """-t draws a frame; -s, -d and -f choose order and columns; missing values come last."""
    exp = db.add_experiment(ManualSearch("e"))
    for name, acc in (("a", 0.5), ("b", None), ("c", 0.75)):
        exp.add_job({"x": 1}, results={} if acc is None else {"acc": acc}, job_id=name)
    assert sw("list", "e", "-t", "-s", "acc", "-d", "-f", "id", "-f", "acc").out.splitlines() == [
        "+------+-------+",
        "| id   |   acc |",
        "|------+-------|",
        "| c    |  0.75 |",
        "| a    |  0.5  |",
        "| b    |       |",
        "+------+-------+",
    ]


def test_values_of_mixed_kinds_can_be_sorted(sw: Command, db: Database) -> None:
    """The old command fails on these."""
    exp = db.add_experiment(ManualSearch("e"))
    for name, value in (("list", [1]), ("none", None), ("text", "z"), ("number", 2), ("true", True)):
        exp.add_job({"x": value}, job_id=name)
    assert sw("list", "e", "-s", "x", "-f", "id").out.split() == ["true", "number", "text", "list", "none"]


def test_names_of_two_meanings_are_told_apart(sw: Command, db: Database) -> None:
    """A name that is a hyperparameter and a result needs its category."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({"x": 1}, results={"x": 2}, job_id="j")
    assert sw("list", "e", "-f", "result.x", "-f", "schedy.id").out == "2  j\n"
    assert sw("list", "e", "-f", "results.x", "-f", "hyperparameters.x").out == "2  1\n"
    assert "hyperparameter.x or result.x" in sw("list", "e", "-f", "x", code=2).err
    assert "there is no field 'y'" in sw("list", "e", "-s", "y", code=2).err


def test_jobs_can_be_chosen(sw: Command, db: Database) -> None:
    """By status, tag and conditions; fields of the queue can be asked for."""
    sw("add", "e", "manual")
    sw("push", "e", "-p", "x", "1", "--id", "a", "--tag", "night", "--priority", "7", "--notes", "n")
    sw("push", "e", "-p", "x", "2", "--id", "b", "-s", "CRASHED")
    assert sw("list", "e", "--tag", "night", "-f", "id", "-f", "priority", "-f", "notes").out == "a  7  n\n"
    assert sw("list", "e", "--status", "CRASHED", "-f", "id").out == "b\n"
    assert sw("list", "e", "--where", "x>1", "-f", "id").out == "b\n"
    assert sw("list", "e", "--where", "notes=n", "-f", "id").out == "a\n"
    assert sw("list", "e", "--limit", "1").out.endswith("\n1 of 2 jobs: 1 ready, 1 crashed\n")
    assert "FIELD OPERATOR VALUE" in sw("list", "e", "--where", "x", code=1).err
    assert "must be one of" in sw("list", "e", "--where", "status=done", code=1).err
    assert "name an experiment" in sw("list", "--tag", "x", code=2).err


def test_a_job_can_be_pushed_for_later(sw: Command, db: Database) -> None:
    """`push --not-before` takes a date as `edit` does."""
    sw("add", "e", "manual")
    sw("push", "e", "-p", "x", "1", "--id", "later", "--not-before", "2100-01-31T18:00+01:00")
    assert db.get_experiment("e").get_job("later").record.not_before == 4105098000.0
    assert "no Unix time" in sw("push", "e", "-p", "x", "1", "--not-before", "20300101", code=2).err


def test_budgets_can_be_added(sw: Command, db: Database) -> None:
    """Every budget of an experiment has an option."""
    sw(*shlex.split("add e manual --max-attempts 3 --max-preemptions 2 --max-lost 0 --retry-delay 1.5"))
    sw(*shlex.split("add f manual --no-retry-on ValueError --no-retry-on 137"))
    settings = db.get_experiment("e").settings
    assert (settings.max_attempts, settings.max_preemptions, settings.max_lost) == (3, 2, 0)
    assert settings.retry_delay == 1.5
    assert db.get_experiment("f").settings.no_retry_on == ("ValueError", 137)


def test_jobs_can_wait_for_others(sw: Command, db: Database) -> None:
    """`push --depends-on`, and `show` says what a job waits for."""
    sw("add", "e", "manual")
    sw("push", "e", "-p", "x", "1", "--id", "a")
    sw("push", "e", "-p", "x", "2", "--id", "b", "--depends-on", "a", "--prune-with-dependencies")
    assert "\ndepends on: a (QUEUED), and is pruned with it\n" in sw("show", "e", "b").out
    shown = json.loads(sw("show", "e", "b", "--format", "json").out)
    assert shown["dependencies"] == [{"id": "a", "status": "QUEUED", "prune_with": True}]
    assert "'nobody'" in sw("push", "e", "-p", "x", "3", "--depends-on", "nobody", code=1).err


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["add", "x", "manual", "--max-attempts", "0"], "--max-attempts: "),
        (["add", "x", "manual", "--retry-delay", "-1"], "--retry-delay: "),
        (["push", "e", "-p", "a", "1", "--id", ".."], "JOB: "),
        (["push", "e", "-p", "a", "1", "--on-duplicate", "error"], "On a duplicate, `skip` leaves it out"),
        (["add", "e", "manual", "--exist-ok", "--direction", "min"], "direction is 'max', not 'min'"),
    ],
)
def test_messages_are_in_the_words_of_the_command_line(
    shell: Shell, db: Database, arguments: list[str], told: str
) -> None:
    """No name of Python's stands where an option was typed, and no object's inside."""
    db.add_experiment(ManualSearch("e")).add_job({"a": 1})
    process = shell.start(*arguments)
    err = process.communicate(timeout=60)[1]
    assert told in err
    assert "_" not in err
    assert "<" not in err


def test_a_repeat_can_be_left_out(sw: Command, db: Database) -> None:
    """`push --on-duplicate` shows the job that is there, or fails and says which it is."""
    sw("add", "e", "manual")
    push = ["push", "e", "-p", "x", "1", "y", "2"]
    sw(*push, "--id", "a")
    assert sw("push", "e", "-p", "y", "2", "x", "1", "--on-duplicate", "skip").out.startswith("id: a\n")
    assert "'a'" in sw(*push, "--on-duplicate", "error", code=1).err
    sw(*push, "--id", "b")
    assert sw("list", "e", "-f", "id").out == "a\nb\n"


def test_every_search_can_be_added(sw: Command, db: Database) -> None:
    """Random, grid and population based training, with their settings."""
    for line in (
        """add r -s DONE random --max-jobs 9 lr uniform '{"low": 0, "high": 1}' c const -1""",
        """add --status RUNNING g grid lr '[0.1, 0.2]' n '[1]' --objective acc --direction min""",
        """add p pbt --result acc --population 4 --explore lr 0.8 1.2 lr loguniform '{"low": 1e-5, "high": 1}'""",
    ):
        sw(*shlex.split(line))
    random, grid, pbt = (db.get_experiment(name) for name in "rgp")
    assert (random.status, random.settings.max_jobs) == ("DONE", 9)
    assert json.loads(random.search().params)["c"] == {"const": -1}
    assert grid.next_job().hyperparameters == {"lr": 0.1, "n": 1}
    assert grid.settings.direction == "min"
    assert json.loads(pbt.search().params)["explore"] == {"lr": {"perturb": {"minFactor": 0.8, "maxFactor": 1.2}}}
    sw("add", "g", "grid", "--exist-ok", "lr", "[0.1, 0.2]", "n", "[1]")
    assert "another search" in sw("add", "g", "manual", "--exist-ok", code=1).err


def test_the_table_of_experiments_shows_their_searches(sw: Command, db: Database) -> None:
    """Distributions stand under the names of their hyperparameters."""
    sw("add", "r", "random", "lr", "uniform", '{"low": 0, "high": 1}')
    sw("add", "g", "grid", "lr", "[0.1, 0.2]")
    out = sw("list", "-t").out
    assert 'uniform ({"low": 0.0, "high": 1.0})' in out
    assert "grid ([0.1, 0.2])" in out


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["add", "r", "random", "lr", "uniform"], "three by three"),
        (["add", "r", "random", "lr", "unknown", "{}"], "lr"),
        (["add", "r", "random", "lr", "uniform", "{"], "not valid JSON"),
        (["add", "r", "random", "lr", "uniform", '{"low": 1, "high": 0}'], "lr"),
        (["add", "r", "random", "lr", "uniform", '{"low": 1}'], "high"),
        (["add", "r", "random"], "Missing argument"),
        (["add", "r", "grid", "lr"], "name/values"),
        (["add", "r", "grid", "lr", "1,,2"], "empty place"),
        (["add", "r", "nosearch"], "No such command"),
        (["add", "r", "-s", "PAUSED", "manual"], "PAUSED"),
        (["push", "e", "-p", "lr"], "NAME VALUE"),
        (["push", "e", "-p", "act", "[relu"], "quotes"),
        (["push", "e", "-p", "a", "1", "a", "2"], "Duplicate hyperparameter: a."),
        (["push", "e"], "Missing option"),
        (["push", "e", "-p", "a", "1", "-s", "done"], "done"),
        (["push", "e", "-p", "a", "1", "--priority", "x"], "x"),
        (["serve", "--port", "99999"], "99999"),
        (["user", "add"], "EMAIL"),
        (["nosuch"], "No such command"),
        (["list", "--format", "xml"], "xml"),
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(sw: Command, db: Database, arguments: list[str], problem: str) -> None:
    """Exit code 2 and a message that names what is wrong; nothing is half stored."""
    exp = db.add_experiment(ManualSearch("e"))
    assert problem in sw(*arguments, code=2).err
    assert [found.name for found in db.get_experiments()] == ["e"]
    assert list(exp.all_jobs()) == []


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["show", "nosuch"], "nosuch"),
        (["show", "e", "nosuch"], "nosuch"),
        (["push", "nosuch", "-p", "a", "1"], "nosuch"),
        (["rm", "-f", "nosuch"], "nosuch"),
        (["run", "nosuch", "--", "true"], "nosuch"),
        (["add", "e", "manual"], "e"),
        (["add", "x" * 300, "manual"], "255"),
        (["add", "a\nb", "manual"], "U+000A"),
        (["add", "", "manual"], "1 to 255"),
        (["add", "y", "manual", "--lease", "-1"], "lease"),
        (["push", "e", "-p", "a", "1", "--priority", str(2**40)], "priority"),
        (["push", "e", "-p", "a", "1", "--id", ".."], ".."),
        (["list", "nosuch"], "nosuch"),
        (["show", "../../etc/passwd"], "passwd"),
        (["serve", "--no-auth", "--host", "0.0.0.0"], "--no-auth"),
        (["user", "add", "nobody"], "email"),
    ],
)
def test_errors_are_one_line(sw: Command, db: Database, arguments: list[str], problem: str) -> None:
    """Exit code 1 and one clear line on standard error, never a traceback."""
    db.add_experiment(ManualSearch("e"))
    ran = sw(*arguments, code=1)
    assert ran.err.startswith("Error: ")
    assert problem in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_wrong_url_or_configuration_file_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that cannot be used name the setting."""
    assert run_app(["--url", "mysql://x", "list"]) == 1
    assert "'mysql' names no store" in capsys.readouterr().err
    broken = tmp_path / "config.toml"
    broken.write_text("url = ")
    assert run_app(["--config", str(broken), "list"]) == 1
    assert "config.toml" in capsys.readouterr().err
    monkeypatch.setenv("SWEEPSTAKE_CONFIG", str(tmp_path / "missing.toml"))
    assert run_app(["list"]) == 1
    assert "missing.toml" in capsys.readouterr().err


def test_removing_asks_first(sw: Command, db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Anything but yes keeps the experiment, and no answer is a no."""
    db.add_experiment(ManualSearch("e")).add_job({}, job_id="j")
    for answer, code in (("n\n", 0), ("\n", 0), ("", 130)):
        answers = tmp_path / "answers"
        answers.write_text(answer)
        with answers.open() as file:
            monkeypatch.setattr("sys.stdin", file)
            assert "all its jobs? [y/N]" in sw("rm", "e", code=code).out
    with answers.open("w+") as file:
        file.write("y\n")
        file.seek(0)
        monkeypatch.setattr("sys.stdin", file)
        sw("rm", "e", "j")
    assert [found.name for found in db.get_experiments()] == ["e"]
    assert db.get_experiment("e").counts().ready == 0


def test_what_workers_hold_is_removed_by_force_only(
    sw: Command, db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A yes is not enough while a job is leased; --force is."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    job = exp.next_job()
    answers = tmp_path / "answers"
    answers.write_text("y\n")
    with answers.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert "force" in sw("rm", "e", code=1).err
    assert job.status == Job.RUNNING
    sw("rm", "e", "--force")
    assert list(db.get_experiments()) == []


def test_everything_prints_json(sw: Command, db: Database) -> None:
    """--format json is for programs: exact values, and all that is known."""
    added = json.loads(sw("add", "e", "manual", "--format", "json").out)
    assert added["name"] == "e"
    pushed = json.loads(sw("push", "e", "-p", "x", "0.1234567890123", "--id", "a", "--format", "json").out)
    assert pushed["hyperparameters"] == {"x": 0.1234567890123}
    sw("push", "e", "-p", "x", "NaN", "--id", "b")
    assert [each["name"] for each in json.loads(sw("list", "--format", "json").out)] == ["e"]
    jobs = json.loads(sw("list", "e", "-s", "id", "-d", "--format", "json").out)
    assert [each["id"] for each in jobs] == ["b", "a"]
    assert jobs[0]["hyperparameters"]["x"] == {"$number": "NaN"}
    assert json.loads(sw("list", "e", "-f", "id", "--format", "json").out) == [{"id": "a"}, {"id": "b"}]
    assert json.loads(sw("show", "e", "--format", "json").out)["counts"]["ready"] == 2
    job = db.get_experiment("e").next_job()
    shown = json.loads(sw("show", "e", job.job_id, "--format", "json").out)
    assert (shown["job"]["status"], len(shown["attempts"]), shown["outputs"]) == ("RUNNING", 1, {})
    (worker,) = json.loads(sw("workers", "--format", "json").out)
    assert (worker["experiment"], worker["job"], worker["lost"]) == ("e", job.job_id, False)
    assert 0 <= worker["heartbeat"] < 60
    assert json.loads(sw("user", "list", "--format", "json").out) == []


def test_workers_are_listed(sw: Command, db: Database) -> None:
    """Who runs what, since when, and whether it can be reaped."""
    assert sw("workers").out == "No job is running.\n"
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    old = exp.add_job({}, status=Job.RUNNING)
    job = exp.next_job()
    out = sw("workers").out
    assert str(job.record.worker) in out
    assert out.count(" e ") == 2
    db.add_experiment(ManualSearch("idle"))
    assert sw("workers", "idle").out == "No job is running.\n"
    row = next(line for line in out.splitlines() if old.job_id in line)
    assert row.split("|")[5].strip() == "none"


def test_workers_that_run_tasks_are_listed_with_what_they_have(sw: Command, url: str) -> None:
    """Also those that wait: what is free of it, and their labels."""
    labels = (WorkerLabel(name="cluster", value="east"), WorkerLabel(name="hostname", value="node"))
    slots = Offer(cpu=4, gpu=2, memory=8 * 1024**3, labels=labels)
    free = Offer(cpu=1.5, memory=1024**3, labels=labels)
    with closing(open_queue(url)) as queue:
        queue.heartbeat_of(WorkerReport(name="node:7", slots=slots, free=free))
    first, *table = sw("workers").out.splitlines()
    assert first == "No job is running."
    (row,) = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table if "node:7" in line]
    assert row == ["node:7", "1.5 of 4", "0 of 2", "1.0 of 8.0", "cluster=east hostname=node"]
    (told,) = json.loads(sw("workers", "--format", "json").out)
    assert (told["worker"], told["job"], told["slots"]["gpu"], told["free"]["cpu"]) == ("node:7", None, 2, 1.5)


def test_a_worker_that_is_heard_of_no_more_is_lost(sw: Command, url: str) -> None:
    """The list says for how long nothing was heard of it, and that its lease is over."""
    with closing(open_queue(url)) as queue:
        lab = Lab.new(queue, name="e", lease=0.2)
        lab.add_one()
        lab.claim(worker="node:1")
    eventually(lambda: "lost, " in sw("workers").out)
    (worker,) = json.loads(sw("workers", "--format", "json").out)
    assert worker["lost"]
    assert worker["heartbeat"] > 0.2


def test_a_crash_shows_its_traceback(sw: Command, db: Database) -> None:
    """`show` tells why an attempt of a training script failed."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    with pytest.raises(ZeroDivisionError), exp.next_job() as job:
        job.results["x"] = 1 / 0
    out = sw("show", "e", job.job_id).out
    assert "attempt 1: by " in out
    assert "ZeroDivisionError: division by zero" in out
    assert "no output of attempt 1" in sw("show", "e", job.job_id, "--attempt", "1", code=1).err


def test_of_a_huge_output_only_the_end_is_read(sw: Command, db: Database) -> None:
    """What a command printed may be larger than memory; its last lines are shown all the same."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    with exp.next_job() as job:
        path = exp.session.places.output(job.record, 1)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(64 * 1024**3)  # a hole, which takes no room
        file.seek(0, os.SEEK_END)
        file.writelines(b"line %d\n" % number for number in range(60))
    out = sw("show", "e", job.job_id).out
    assert "without its beginning (--full shows all):\nline 10\n" in out
    assert out.endswith("line 58\nline 59\n")


def test_output_from_another_machine_is_shown_as_reported(sw: Command, url: str) -> None:
    """Where the file of an attempt's output is not, its end is, without what would move the cursor."""
    with closing(open_queue(url)) as queue:
        lab = Lab.new(queue, name="e")
        lab.add_one()
        claim = lab.claim()
        lab.finish(claim, Outcome.CRASHED, output="epoch 1\n\x1b[2Jepoch 2\n")
    out = sw("show", "e", claim.job.id).out
    assert "end of the output of attempt 1, as its worker reported it:\nepoch 1\n" in out
    assert "\x1b" not in out


def test_hostile_text_stays_text(sw: Command, db: Database) -> None:
    """Terminal escapes, SQL and HTML in names and values are shown, not obeyed."""
    name = "'; drop table jobs; -- <script>"
    exp = db.add_experiment(ManualSearch(name))
    exp.add_job({"x\x1b[2J": "\x1b]0;owned\x07"}, job_id="%2F../<b>", notes="line\n\x1b[31m".replace("\x1b", "?"))
    for arguments in (
        ["list"],
        ["list", name, "-t"],
        ["list", name, "-p"],
        ["show", name],
        ["show", name, "%2F../<b>"],
    ):
        out = sw(*arguments).out
        assert "\x1b" not in out
        assert "\x07" not in out
    sw("rm", "-f", name)


def test_text_that_the_terminal_cannot_show_is_escaped(db: Database, url: str) -> None:
    """A terminal of few characters gets escapes instead of a traceback."""
    db.add_experiment(ManualSearch("naïve 🎲"))
    with closing(Shell(url, {"PYTHONIOENCODING": "latin-1"})) as shell:
        process = shell.start("list", encoding="latin-1")
        out, err = process.communicate(timeout=60)
        assert out.splitlines()[1].split() == ["naïve", "\\U0001f3b2", "idle", "0"]
        assert err == ""


def test_a_reader_that_has_seen_enough_is_no_error(db: Database, url: str) -> None:
    """`sweepstake list | head` ends quietly."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_jobs([{"x": "y" * 200} for _ in range(5000)])
    with closing(Shell(url)) as shell:
        process = shell.start("list", "e", "-t")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        process.stderr.close()
        assert process.wait(60) == 0


def test_a_user_is_added_while_a_server_runs_and_logs_in(url: str, tmp_path: Path) -> None:
    """`user add` prints the token last; `gen-token` trades the password for a file that only its owner reads."""
    config = tmp_path / "config" / "config.toml"
    with closing(Shell(url)) as shell:
        serving = shell.start("serve", "--port", "0")
        assert serving.stdout is not None
        root = next(line for line in serving.stdout if "listens on" in line).split()[-1]
        password = tmp_path / "password"
        password.write_text("correct horse\n")
        token = _add_user(shell, "ann@example.org", password)
        remote = Shell(root, {"SWEEPSTAKE_TOKEN": token})
        remote.run("add", "e", "manual")
        assert remote.run("list").stdout.splitlines()[1].split() == ["e", "idle", "0"]
        assert "ann@example.org" in shell.run("user", "list").stdout
        login = ["--config", str(config), "gen-token", "--root", root, "--email", "ann@example.org"]
        told = _with_password(shell, "correct horse", *login)
        assert told == f"Your token has been saved to {config}.\n"
        assert config.stat().st_mode & 0o777 == 0o600
        assert "wrong" in _with_password(shell, "battery staple", *login, code=1)
        assert "everybody on this machine" in shell.run(*login, "--password", "correct horse", code=2).stderr
        remote.run("list", code=1)  # the first token was replaced
        with sweepstake.connect(config=config) as again:
            assert [exp.name for exp in again.get_experiments()] == ["e"]
        serving.send_signal(signal.SIGTERM)
        eventually(lambda: serving.poll() is not None)


def _with_password(shell: Shell, password: str, *arguments: str, code: int = 0) -> str:
    """Run a command that reads a password from its standard input, and return what it prints."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as typed:
        typed.write(f"{password}\n")
    with os.fdopen(read_end) as file:
        process = shell.start(*arguments, "--password-stdin", stdin=file)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    return out if code == 0 else err


def _add_user(shell: Shell, email: str, password: Path) -> str:
    with password.open() as file:
        process = shell.start("user", "add", email, "--password-stdin", "--store", shell.url, stdin=file)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return str(out.splitlines()[-1])


def test_a_password_that_is_no_text_is_refused(url: str, tmp_path: Path) -> None:
    """Without a traceback, and no user is made."""
    password = tmp_path / "password"
    password.write_bytes(b"\xff\xfe longer than eight")
    with password.open("rb") as file, closing(Shell(url, {"PYTHONIOENCODING": "utf-8:strict"})) as shell:
        process = shell.start("user", "add", "eve@example.org", "--password-stdin", stdin=file)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "the password is not utf-8 text" in err
        assert "Traceback" not in err
        assert shell.run("user", "list").stdout == ""


def test_help_and_version_work_everywhere(sw: Command) -> None:
    """Every command explains itself, and nothing is opened for it."""
    assert "Commands:" in sw("--help").out
    assert "sweepstake" in sw("--version").out
    for command in ("add", "list", "show", "push", "rm", "run", "gen-token", "serve", "user", "demo", "workers"):
        assert "Usage: sweepstake" in sw(command, "-h").out


def test_a_name_that_no_job_has_is_told(sw: Command, url: str) -> None:
    """An empty list does not hide a slip; it is told beside the output, which stays what it is."""
    sw("add", "e", "manual")
    sw("push", "e", "-p", "accuracy", "1")
    shell = Shell(url)
    ran = shell.run("list", "e", "--where", "acuracy>0.94", "-f", "id")
    assert (ran.stdout, ran.stderr) == ("", "No job of 'e' has 'acuracy'; there is 'accuracy'.\n")
    assert shell.run("list", "e", "--where", "accuracy>7", "-f", "id").stderr == ""


def test_json_of_fields_leaves_the_values_of_users(db: Database, sw: Command) -> None:
    """A hyperparameter that is called as one of our times is no time."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({"since": 0.5, "ends": 1.5})
    (row,) = json.loads(sw("list", "e", "-f", "since", "-f", "ends", "-f", "created_at", "--format", "json").out)
    assert (row["since"], row["ends"]) == (0.5, 1.5)
    assert row["created_at"].startswith("20")


def test_nothing_is_said_in_words(sw: Command) -> None:
    """An empty list says so beside what scripts read."""
    assert sw("list").out == ""
    assert sw("list").err == "There are no experiments.\n"
    assert sw("user", "list").err == "There are no users.\n"


def test_one_is_no_plural(db: Database, sw: Command) -> None:
    """Counts and their nouns agree."""
    exp = db.add_experiment(ManualSearch("e", max_jobs=1))
    exp.add_job({"x": 1})
    assert "1 experiment, 1 job, 0 attempts" in sw("verify").out
    assert "Exported 1 job, 0 attempts" in sw("export", "e").err
    assert "may have 1 job, and has created 1" in sw("push", "e", "-p", "x", "1", code=1).err
    with exp.next_job(), pytest.raises(LiveLeasesError, match="Workers hold 1 job of"):
        exp.delete()


def test_faults_are_told_in_words_of_the_command_line(db: Database, sw: Command) -> None:
    """An option is named as it is typed."""
    db.add_experiment(ManualSearch("e")).add_job({"x": 1})
    assert sw("list", "e", "--where", "x>", code=1).err.startswith(
        "Error: --where: 'x>' compares with '', which is no number; say"
    )


def test_a_result_that_no_job_has_is_told_by_best(db: Database, sw: Command, caplog: pytest.LogCaptureFixture) -> None:
    """A slip in --by looks like a sweep without results."""
    db.add_experiment(ManualSearch("e")).add_job({"x": 1}, status="DONE", results={"accuracy": 1})
    sw("best", "e", "--by", "acuracy", code=1)
    assert "No job of 'e' has 'results.acuracy'; there is 'accuracy'." in caplog.messages
