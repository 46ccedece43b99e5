"""`sweepstake worker`: real commands, real signals, a store that goes away."""

import os
import re
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake import Database, Job, ManualSearch
from sweepstake.domain.status import Outcome
from tests.kit.checkout import ROOT
from tests.kit.commands import BLOCK, alive, begun, lasting, python, until_told
from tests.kit.lab import eventually
from tests.kit.shell import Command, Shell
from tests.kit.stack import ServerProcess


def ended(process: "subprocess.Popen[str]", code: int) -> str:
    """Wait until a worker has ended with this exit code, and return what it told."""
    _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert "Traceback" not in told
    return told


def test_experiments_take_turns(db: Database, shell: Shell, tmp_path: Path) -> None:
    """One job each, in the order they were named, to the last; the end of what each said is seen from everywhere."""
    a, b = (db.add_experiment(ManualSearch(name)) for name in "ab")
    for exp in (a, b):
        exp.add_jobs([{"x": 1}] * 3)
    script = f"import os; print('first'); print(os.environ['SWEEPSTAKE_EXPERIMENT']); print('x' * 20_000)\n{BLOCK}"
    with closing(Shell(shell.url, {"SWEEPSTAKE_STATE": str(tmp_path / "elsewhere")})) as other:
        ran = other.run("worker", "b", "a", "--idle", "0", *python(script))
    assert re.findall("^[ab]$", ran.stdout, re.MULTILINE) == list("bababa")
    assert "jobs run: 6 done" in ran.stderr
    job = next(b.all_jobs())
    shown = shell.run("show", "b", job.job_id).stdout
    assert "end of the output of attempt 1, as its worker reported it" in shown
    assert shown.endswith("--- END RESULTS ---\n")
    assert "first" not in shown
    assert len(job.attempts()[0].output) == 16 * 1024


def test_it_waits_for_jobs_and_drains(db: Database, shell: Shell, tmp_path: Path) -> None:
    """Jobs that come later are taken; after the first signal running ones go on to their end, and none begins."""
    gone, exp = db.add_experiment(ManualSearch("gone")), db.add_experiment(ManualSearch("e"))
    process = shell.start("worker", "e", "gone", "--concurrency", "2", *python(until_told(tmp_path)))
    running = [exp.add_job({}), gone.add_job({})]
    commands = begun(tmp_path, *running)
    left = exp.add_job({})
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert any("2 running jobs may go on" in line for line in process.stderr)
    for command in commands:
        os.kill(command, signal.SIGUSR1)
    ended(process, 0)
    assert [job.experiment.get_job(job.job_id).status for job in running] == [Job.DONE, Job.DONE]
    assert exp.get_job(left.job_id).attempt == 0


@pytest.mark.parametrize("drain", [[], ["--drain", "0.2"]])
def test_what_does_not_drain_is_ended(db: Database, shell: Shell, tmp_path: Path, drain: list[str]) -> None:
    """A second signal, or the end of --drain, ends the commands and gives their jobs back as preempted."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    process = shell.start("worker", "e", *drain, *python(lasting(tmp_path)))
    (command,) = begun(tmp_path, job)
    process.send_signal(signal.SIGTERM)
    if not drain:
        assert process.stderr is not None
        assert any("may go on" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
    assert "ending 1 running job within 20 s" in ended(process, 143)
    assert not alive(command)
    assert [attempt.outcome for attempt in exp.get_job(job.job_id).attempts()] == [Outcome.PREEMPTED]


def test_a_signal_that_reaches_the_command_too_is_no_crash(db: Database, shell: Shell, tmp_path: Path) -> None:
    """Slurm signals every process of a step: whoever ends by that is preempted, though the worker would have waited."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    process = shell.start("worker", "e", *python(lasting(tmp_path)))
    for pid in [*begun(tmp_path, job), process.pid]:
        os.kill(pid, signal.SIGTERM)
    ended(process, 0)
    assert [attempt.outcome for attempt in exp.get_job(job.job_id).attempts()] == [Outcome.PREEMPTED]


def test_a_timeout_ends_the_whole_process_group(db: Database, shell: Shell, tmp_path: Path) -> None:
    """The shorter limit counts; a grandchild that ignores SIGTERM is killed, and the attempt says why."""
    exp = db.add_experiment(ManualSearch("e", timeout=3600))
    job = exp.add_job({})
    grandchild = lasting(tmp_path, "import sys; signal.signal(15, signal.SIG_IGN); sys.stdout.close()")
    script = f"import signal, subprocess, sys; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); signal.pause()"
    process = shell.start("worker", "e", "--max-jobs", "1", "--timeout", "1.5", "--grace", "0.3", *python(script))
    (pid,) = begun(tmp_path, job)
    ended(process, 0)
    assert not alive(pid)
    (attempt,) = exp.get_job(job.job_id).attempts()
    assert attempt.outcome is Outcome.CRASHED
    assert attempt.reason == "ran longer than its timeout of 1.5 s"


@pytest.mark.parametrize("seconds", ["nan", "-1", "1e10", "soon"])
def test_a_time_that_no_timer_can_take_is_refused(sw: Command, seconds: str) -> None:
    """Before a job is touched, and the option is named."""
    assert "--timeout" in sw("worker", "e", "--timeout", seconds, "--", "true", code=2).err


def test_an_experiment_that_is_deleted_does_not_stop_the_others(db: Database, shell: Shell) -> None:
    """The worker says so and goes on; only with none left is it an error."""
    gone, exp = db.add_experiment(ManualSearch("gone")), db.add_experiment(ManualSearch("e"))
    process = shell.start("worker", "gone", "e", *python(BLOCK))
    job = exp.add_job({})
    eventually(lambda: exp.get_job(job.job_id).status == Job.DONE)
    gone.delete()
    assert process.stderr is not None
    assert any("'gone'" in line and "going on without it" in line for line in process.stderr)
    exp.delete()
    assert "Error: " in ended(process, 1)


def test_a_store_that_goes_away_costs_nothing(db: Database, shell: Shell, tmp_path: Path) -> None:
    """A job that runs and ends meanwhile is reported when the store is back, and then the next one begins."""
    exp = db.add_experiment(ManualSearch("e"))
    first, second = exp.add_job({}), exp.add_job({})
    with ServerProcess(shell.url, tmp_path) as server, closing(Shell(server.url)) as remote:
        process = remote.start("worker", "e", "--max-jobs", "2", *python(until_told(tmp_path)))
        (command,) = begun(tmp_path, first)
        server.stop()
        os.kill(command, signal.SIGUSR1)
        eventually(lambda: not alive(command))
        assert process.stderr is not None
        assert any("store is away" in line for line in process.stderr)
        server.start()
        (command,) = begun(tmp_path, second)
        os.kill(command, signal.SIGUSR1)
        ended(process, 0)
    attempts = [exp.get_job(job.job_id).attempts() for job in (first, second)]
    assert [[attempt.outcome for attempt in each] for each in attempts] == [[Outcome.DONE], [Outcome.DONE]]


def test_a_heartbeat_process_that_cannot_begin_costs_no_job(db: Database, shell: Shell, tmp_path: Path) -> None:
    """The worker ends at once, before it claims, and points to what the process said."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    (tmp_path / "sitecustomize.py").write_text("import os, sys\nif '-P' in sys.orig_argv: os._exit(1)\n")
    misled = Shell(shell.url, {"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    with closing(misled):
        told = misled.start("worker", "e", "--", "true")
        assert "the heartbeat process ended at once (exit code 1)" in ended(told, 1)
    assert exp.counts().ready == 1
