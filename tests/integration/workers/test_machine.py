"""Workers on machines that lack something: a program, a folder, a home, a locale."""

import os
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake import Database, Job, ManualSearch
from sweepstake.domain.status import Outcome
from tests.kit.checkout import ROOT
from tests.kit.commands import BLOCK, RESULTS, python
from tests.kit.shell import Shell

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to others")


def script(path: Path, *lines: str, mode: int = 0o755) -> str:
    """Write a script, and return its path."""
    path.write_text("\n".join(lines))
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("verb", ["run", "worker"])
def test_a_program_that_is_not_there_costs_no_job(db: Database, shell: Shell, tmp_path: Path, verb: str) -> None:
    """The worker ends before it claims, and says what it looked for."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    plain = script(tmp_path / "plain", "#!/bin/sh", mode=0o644)
    misled = script(tmp_path / "misled", "#!/no/such/python")
    for command, complaint in (
        ("/nonexistent/train", "there is no program '/nonexistent/train'"),
        ("nonexistent-train", "there is no program 'nonexistent-train' in the folders of PATH"),
        (str(tmp_path), "there is no program"),
        (f"{tmp_path}/%e/train", f"there is no program '{tmp_path}/e/train'"),
        (plain, "may not be executed"),
        (misled, "needs '/no/such/python'"),
    ):
        ran = shell.run(verb, "e", "--", command, "%h", code=1)
        assert f"Error: command[0]: {complaint}" in ran.stderr.replace(f"'{plain}' ", "").replace(f"'{misled}' ", "")
    assert next(exp.all_jobs()).attempt == 0


@pytest.mark.parametrize("verb", ["run", "worker"])
def test_a_program_that_vanishes_costs_no_job(db: Database, shell: Shell, tmp_path: Path, verb: str) -> None:
    """Its next job goes back to the queue without a failure, and the worker takes no more."""
    exp = db.add_experiment(ManualSearch("e", max_attempts=1))
    first, second = exp.add_job({}), exp.add_job({})
    program = script(tmp_path / "train", "#!/bin/sh", RESULTS, 'rm "$0"')
    ran = shell.run(verb, "e", "--", program, code=1)
    assert f"Error: '{program}' cannot be started: No such file or directory" in ran.stderr
    assert exp.get_job(first.job_id).status == Job.DONE
    back = exp.get_job(second.job_id)
    assert back.status == Job.QUEUED
    assert [attempt.outcome for attempt in back.attempts()] == [Outcome.RELEASED]
    assert program in back.attempts()[0].reason


@pytest.mark.parametrize("folder", ["checkpoints", "state", "state/output"])
def test_a_folder_that_fails_costs_no_job(db: Database, shell: Shell, tmp_path: Path, folder: str) -> None:
    """The job goes back to the queue, the worker takes no more, and names the folder and its setting."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    second = exp.add_job({})
    places = {"SWEEPSTAKE_STATE": str(tmp_path / "state"), "SWEEPSTAKE_CHECKPOINTS": str(tmp_path / "checkpoints")}
    broken = f"{RESULTS}; rm -r '{tmp_path / folder}'; touch '{tmp_path / folder}'"
    with closing(Shell(shell.url, places)) as misled:
        ran = misled.run("worker", "e", "--", "sh", "-c", broken, code=1)
    variable = "SWEEPSTAKE_CHECKPOINTS" if folder == "checkpoints" else "SWEEPSTAKE_STATE"
    assert f"{tmp_path / folder}" in ran.stderr
    assert f" cannot be used: Not a directory; mend that, or set {variable}" in ran.stderr
    assert [attempt.outcome for attempt in exp.get_job(second.job_id).attempts()] == [Outcome.RELEASED]


@needs_root
@pytest.mark.parametrize("foreign", ["state", "state/output"])
def test_another_users_folder_is_not_trusted(db: Database, shell: Shell, tmp_path: Path, foreign: str) -> None:
    """Whoever made it could have put links into it, which the worker's logs would be written over."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    (tmp_path / "state" / "output").mkdir(parents=True)
    os.chown(tmp_path / foreign, 12345, 12345)
    with closing(Shell(shell.url, {"SWEEPSTAKE_STATE": str(tmp_path / "state")})) as misled:
        ran = misled.run("run", "e", *python(BLOCK), code=1)
    assert f"{tmp_path / foreign} cannot be used: belongs to another user (number 12345)" in ran.stderr
    assert exp.counts().ready == 1


def test_what_a_worker_makes_is_its_users_alone(db: Database, shell: Shell, tmp_path: Path) -> None:
    """Folders and files, of output and of checkpoints, down to the last."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    with closing(Shell(shell.url, {"SWEEPSTAKE_STATE": str(tmp_path / "state")})) as mine:
        mine.run("run", "e", "--", "sh", "-c", f"umask; {RESULTS}")
    found = [tmp_path / "state", *(tmp_path / "state").rglob("*")]
    assert {path.name.partition("+")[0] for path in found} >= {"output", "checkpoints", "e", "1.log"}
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in found if path.is_dir()} == {"0o700"}
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in found if path.is_file()} == {"0o600"}


def test_a_pipe_in_the_results_place_holds_nobody_up(db: Database, shell: Shell) -> None:
    """Reading one that nobody writes to would never end."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    started = time.monotonic()
    shell.run("run", "e", "--timeout", "60", "--", "sh", "-c", 'mkfifo "$SWEEPSTAKE_RESULTS_PATH"', code=1)
    assert time.monotonic() - started < 50
    assert "results file: is no regular file" in exp.get_job(job.job_id).attempts()[0].reason


def test_status_lines_cannot_drive_the_terminal(db: Database, shell: Shell) -> None:
    """An id that turns the order of letters round, and a reason that clears the screen, are written out."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({}, job_id="a\u202eb")
    exp.add_job({}, job_id="c\u202ed")
    said = "print('\\x1b[2J last words', flush=True); raise SystemExit(3)"
    ran = shell.run("run", "e", "--workers", "2", "--ignore-errors", *python(said), code=1)
    assert "job a\\u202eb: crashed" in ran.stderr
    assert "[c\\u202ed] \x1b[2J last words" in ran.stdout
    assert "\u202e" not in ran.stderr + ran.stdout
    assert "\x1b" not in ran.stderr


def test_log_lines_cannot_drive_the_terminal() -> None:
    """What the client logs while a command runs names jobs as well."""
    logs = "import logging, sweepstake\nfrom sweepstake.cli import main\ntry: main()\nexcept SystemExit: "
    command = [sys.executable, "-c", logs + "logging.getLogger('sweepstake').warning('job %s', 'a\\u202e\\x1b[2J')"]
    ran = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr == "job a\\u202e\\x1b[2J\n"


#: Makes Python take this user for one of whom the system knows nothing, as in a container under an arbitrary number.
_NOBODY = "import pwd\ndef nobody(*_): raise KeyError('no such user')\npwd.getpwuid = pwd.getpwnam = nobody\n"


@pytest.mark.parametrize("known", [True, False])
def test_no_home_is_needed_when_all_paths_are_named(
    db: Database, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """A container under an arbitrary user has none; else a sentence says which variable to set."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({"x": 1})
    monkeypatch.delenv("HOME")
    script(tmp_path / "sitecustomize.py", _NOBODY)
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    state = {"SWEEPSTAKE_STATE": str(tmp_path / "state")} if known else {}
    with closing(Shell(shell.url, {**path, **state})) as homeless:
        ran = homeless.run("run", "e", *python(BLOCK), code=0 if known else 1)
        listed = homeless.run("list", "e", code=0 if known else 1)
    if known:
        assert exp.counts().done == 1
    else:
        assert ran.stderr == listed.stderr == "Error: this user has no home folder; set SWEEPSTAKE_STATE (or HOME)\n"
    assert not (Path.cwd() / "~").exists()


def test_everything_is_utf8_whatever_the_locale(db: Database, shell: Shell) -> None:
    """Names, ids, values and arguments reach a command as they are, and its results come back, in an ASCII locale."""
    exp = db.add_experiment(ManualSearch("méthode 中"))
    exp.add_job({"nom é": "valeur 中"}, job_id="ü")
    tell = (
        "import os, sys, json; print('--- RESULTS ---'); "
        "print(json.dumps({'a': [os.fsencode(a).decode('utf-8') for a in sys.argv[1:]], "
        "'e': os.environb[b'SWEEPSTAKE_EXPERIMENT'].decode('utf-8')})); print('--- END RESULTS ---')"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    with closing(Shell(shell.url, ascii_only)) as narrow:
        ran = narrow.run("worker", "méthode 中", "--idle", "0", *python(tell), "%j", "ß=%e", "%h")
        assert "job ü: done" in ran.stderr
        assert "valeur 中" in narrow.run("show", "méthode 中", "ü").stdout
    assert exp.get_job("ü").results == {"a": ["ü", "ß=méthode 中", "--nom é", "valeur 中"], "e": "méthode 中"}


def test_a_script_that_goes_elsewhere_uses_the_same_files(shell: Shell, tmp_path: Path) -> None:
    """Relative paths in variables are meant from where the process began, as of a script that Hydra starts."""
    (tmp_path / "begin").mkdir()
    (tmp_path / "begin" / "elsewhere").mkdir()
    (tmp_path / "begin" / "conf").mkdir()
    (tmp_path / "begin" / "conf" / "config.toml").write_text('checkpoints = "../kept"\n')
    named = {
        "SWEEPSTAKE_URL": "sqlite:///store.db",
        "SWEEPSTAKE_STATE": "state",
        "SWEEPSTAKE_CONFIG": "conf/config.toml",
    }
    elsewhere = (
        "import os, sweepstake; os.chdir('elsewhere'); exp = sweepstake.connect().add_experiment("
        "sweepstake.ManualSearch('e'), exist_ok=True); exp.add_job({}); exp.add_job({})\n"
        "with exp.next_job() as job: (job.checkpoint_dir / 'last').touch(); job.results['x'] = 1\n"
    )
    again = f"import os; os.chdir('elsewhere'); import sweepstake; sweepstake.connect().get_experiment('e'); {BLOCK}"
    environment = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
    for arguments in ([elsewhere], ["from sweepstake.cli import main; main()", "run", "e", *python(again)]):
        command = [sys.executable, "-c", *arguments]
        assert os.spawnvpe(os.P_WAIT, "env", ["env", "-C", str(tmp_path / "begin"), *command], environment) == 0
    made = {str(path.relative_to(tmp_path / "begin")).partition("+")[0] for path in (tmp_path / "begin").rglob("*")}
    assert {"store.db", "state/output/e", "kept/e"} <= made
    assert list((tmp_path / "begin" / "elsewhere").iterdir()) == []


def test_a_machine_without_room_for_temporary_files_takes_no_job(db: Database, shell: Shell, tmp_path: Path) -> None:
    """The results file of each attempt is one; the variable that says where they go is named."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_jobs([{}, {}])
    (tmp_path / "tmp").mkdir()
    with closing(Shell(shell.url, {"TMPDIR": str(tmp_path / "tmp")})) as cramped:
        ran = cramped.run("worker", "e", "--", "sh", "-c", f"{RESULTS}; rm -r '{tmp_path}/tmp'", code=1)
    assert "tmp/" in ran.stderr
    assert "cannot be used: No such file or directory; mend that, or set TMPDIR" in ran.stderr
    assert (exp.counts().done, exp.counts().ready) == (1, 1)
