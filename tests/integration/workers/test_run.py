"""`sweepstake run`: real commands, real processes, real kills."""

import json
import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

import sweepstake
from sweepstake import Database, Job, ManualSearch
from sweepstake.domain.status import Outcome
from tests.kit.commands import BLOCK, RESULTS, alive, begun, lasting, python, until_told
from tests.kit.lab import eventually
from tests.kit.shell import Shell


def test_a_command_runs_for_each_job(db: Database, shell: Shell) -> None:
    """Hyperparameters arrive as arguments, results come back from the block, output is passed through."""
    exp = db.add_experiment(ManualSearch("my exp"))
    for lr in (0.1, 0.2):
        exp.add_job({"lr": lr, "name": "a b"})
    script = (
        "import sys; print('--- RESULTS ---\\nargs:', __import__('json').dumps(sys.argv[1:]), '\\n--- END RESULTS ---')"
    )
    ran = shell.run("run", "my exp", *python(script), "%h", "%e", "100%%")
    assert ran.stdout.count("--- END RESULTS ---") == 2
    jobs = list(exp.all_jobs())
    assert {job.status for job in jobs} == {Job.DONE}
    assert [job.results["args"] for job in jobs] == [
        ["--lr", "0.1", "--name", "a b", "my exp", "100%"],
        ["--lr", "0.2", "--name", "a b", "my exp", "100%"],
    ]


def test_the_environment_and_the_results_file(db: Database, shell: Shell) -> None:
    """A command that prints nothing can know everything and report everything."""
    exp = db.add_experiment(ManualSearch("e", timeout=1000))
    job = exp.add_job({"x": 1.5}, results={"parent": "kept", "r": 0})
    script = (
        "import json, os\n"
        "e = {k[11:]: v for k, v in os.environ.items() if k.startswith('SWEEPSTAKE_')}\n"
        "e['is_dir'] = os.path.isdir(e['CHECKPOINT_DIR'])\n"
        "open(e['RESULTS_PATH'], 'w').write(json.dumps({'env': e, 'r': 2}))\n"
        "print('--- RESULTS ---\\nr: 1\\n--- END RESULTS ---')"
    )
    shell.run("run", "e", *python(script))
    results = exp.get_job(job.job_id).results
    env = results["env"]
    assert (env["EXPERIMENT"], env["JOB_ID"], env["ATTEMPT"]) == ("e", job.job_id, "1")
    assert json.loads(env["HYPERPARAMETERS"]) == {"x": 1.5}
    assert env["is_dir"]
    assert env["CHECKPOINT_DIR"] == str(exp.get_job(job.job_id).checkpoint_dir)
    assert float(env["DEADLINE"]) == pytest.approx((job.record.created_at or 0) + 1000, abs=120)
    assert (results["parent"], results["r"]) == ("kept", 2)


def test_a_command_finds_the_store_it_works_for(db: Database, tmp_path: Path) -> None:
    """A script that connects reaches the store that was named to `run`, whichever it was."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    script = (
        "import os, sweepstake\n"
        "found = sweepstake.connect().get_experiment('e').get_job(os.environ['SWEEPSTAKE_JOB_ID'])\n"
        "print('--- RESULTS ---\\nstatus: ' + found.status + '\\n--- END RESULTS ---')"
    )
    with closing(Shell(f"sqlite:///{tmp_path / 'other.db'}")) as elsewhere:
        elsewhere.run("--url", f"sqlite:///{tmp_path / 'store.db'}", "run", "e", *python(script))
    assert exp.get_job(job.job_id).results == {"status": "RUNNING"}


def test_a_search_that_may_create_no_more_jobs_ends_the_run(db: Database, shell: Shell) -> None:
    """`max_jobs` is the end; a limit of running jobs is only a pause."""
    exp = db.add_experiment(sweepstake.RandomSearch("e", {"x": sweepstake.Uniform(0, 1)}, max_jobs=3, max_running=1))
    shell.run("run", "e", "--workers", "2", *python(BLOCK))
    assert exp.counts().done == 3


def test_the_output_is_kept_and_shown(db: Database, shell: Shell) -> None:
    """`show` finds the output of the attempt on the machine that ran it, and its reason in the store."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({"x": 1})
    script = "import sys; print('to out', flush=True); sys.stderr.write('to err\\n'); sys.exit(3)"
    ran = shell.run("run", "e", *python(script), code=1)
    assert "to out" in ran.stdout
    assert "to err" in ran.stderr
    shown = shell.run("show", "e", job.job_id).stdout
    assert "crashed" in shown
    assert "exit code 3" in shown
    assert shown.endswith("to out\nto err\n")
    assert "output of attempt 1" in shown


def test_a_crash_stops_the_run_unless_errors_are_ignored(db: Database, shell: Shell) -> None:
    """By default the first crash ends it, with exit code 1; --ignore-errors goes on to the end."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_jobs([{"x": i} for i in range(3)])
    shell.run("run", "e", *python("raise SystemExit(1)"), code=1)
    assert (exp.counts().crashed, exp.counts().ready) == (1, 2)
    shell.run("run", "e", "--ignore-errors", *python("raise SystemExit(1)"), code=1)
    assert exp.counts().crashed == 3


def test_once_runs_one_job(db: Database, shell: Shell) -> None:
    """--once leaves the others in the queue."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_jobs([{"x": i} for i in range(3)])
    shell.run("run", "e", "--once", *python(BLOCK))
    assert (exp.counts().done, exp.counts().ready) == (1, 2)


def test_empty_results_are_a_crash_unless_allowed(db: Database, shell: Shell) -> None:
    """A command that forgot its results does not count as done by accident."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_jobs([{"x": i} for i in range(2)])
    shell.run("run", "e", *python("pass"), code=1)
    assert exp.counts().crashed == 1
    shell.run("run", "e", "--allow-empty-results", *python("pass"))
    assert exp.counts().done == 1


def test_exit_code_75_gives_the_job_back(db: Database, shell: Shell) -> None:
    """A command on a machine that is to go away hands its job to another."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    shell.run("run", "e", "--once", *python("raise SystemExit(75)"))
    back = exp.get_job(job.job_id)
    assert back.status == Job.QUEUED
    assert [attempt.outcome for attempt in back.attempts()] == [Outcome.RELEASED]


def test_a_timeout_ends_the_command(db: Database, shell: Shell) -> None:
    """An attempt that runs longer than the experiment allows is a crash that says so."""
    exp = db.add_experiment(ManualSearch("e", timeout=0.5))
    job = exp.add_job({})
    shell.run("run", "e", *python("import signal; signal.pause()"), code=1)
    (attempt,) = exp.get_job(job.job_id).attempts()
    assert attempt.outcome is Outcome.CRASHED
    assert "timeout of 0.5 s" in attempt.reason


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_the_jobs_back(
    db: Database, shell: Shell, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Ctrl-C, SIGTERM and a closed terminal end the commands, and return their jobs as preempted."""
    exp = db.add_experiment(ManualSearch("e"))
    jobs = [exp.add_job({"x": i}) for i in range(2)]
    process = shell.start("run", "e", "--workers", "2", *python(lasting(tmp_path)))
    commands = begun(tmp_path, *jobs)
    os.killpg(process.pid, number)  # as a terminal does
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert not any(alive(pid) for pid in commands)
    for job in jobs:
        back = exp.get_job(job.job_id)
        assert back.status == Job.QUEUED
        assert [attempt.outcome for attempt in back.attempts()] == [Outcome.PREEMPTED]


def test_a_second_signal_kills_at_once(db: Database, shell: Shell, tmp_path: Path) -> None:
    """A command that will not end does not hold a person who presses Ctrl-C twice."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    stubborn = lasting(tmp_path, "signal.signal(15, signal.SIG_IGN)")
    process = shell.start("run", "e", "--grace", "1000", *python(stubborn))
    (command,) = begun(tmp_path, job)

    def ended() -> bool:
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    eventually(ended)
    assert not alive(command)
    assert exp.get_job(job.job_id).status == Job.QUEUED


def test_a_command_that_finishes_in_spite_of_a_signal_is_done(db: Database, shell: Shell, tmp_path: Path) -> None:
    """Results that were reported on the way out count."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    process = shell.start("run", "e", *python(until_told(tmp_path, signal.SIGTERM)))
    begun(tmp_path, job)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert exp.get_job(job.job_id).status == Job.DONE
    assert exp.get_job(job.job_id).results == {"x": 1}


def test_a_pruned_job_ends_its_command(db: Database, shell: Shell, tmp_path: Path) -> None:
    """A program that prunes from outside frees the worker for the next job within a heartbeat."""
    exp = db.add_experiment(ManualSearch("e", lease=1.5))
    hopeless, good = exp.add_job({"x": 1}), exp.add_job({"x": 2})
    process = shell.start(
        "run", "e", *python(f"import sys\nif sys.argv[2] == '2': {BLOCK}; sys.exit()\n{lasting(tmp_path)}"), "%h"
    )
    (command,) = begun(tmp_path, hopeless)
    exp.get_job(hopeless.job_id).prune()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    assert not alive(command)
    assert exp.get_job(hopeless.job_id).status == Job.PRUNED
    assert exp.get_job(good.job_id).status == Job.DONE


def test_a_job_that_others_took_away_does_not_stop_the_run(db: Database, shell: Shell, tmp_path: Path) -> None:
    """When somebody states another fact, the command ends, what it reported is kept as late, and the next job runs."""
    exp = db.add_experiment(ManualSearch("e", lease=1.5))
    taken = exp.add_job({})
    process = shell.start("run", "e", *python(until_told(tmp_path, signal.SIGTERM)))
    begun(tmp_path, taken)
    exp.add_job({}, priority=-1, job_id="next")
    stated = exp.get_job(taken.job_id)
    stated.status = Job.DONE
    stated.put()
    begun(tmp_path, exp.get_job("next"))
    exp.get_job("next").delete()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "late results" in err
    assert "deleted while it ran" in err
    assert exp.get_job(taken.job_id).status == Job.DONE
    (attempt,) = exp.get_job(taken.job_id).attempts()
    assert attempt.late_results is not None
    assert attempt.late_results.decode() == {"x": 1}


def test_a_run_through_a_server(db: Database, shell: Shell, tmp_path: Path) -> None:
    """Claims, heartbeats, prune signals and results go over HTTP, with a token that no command line shows."""
    serving = shell.start("serve", "--port", "0")
    assert serving.stdout is not None
    started = [line for _, line in zip(range(3), serving.stdout, strict=False)]
    token = started[1].split("SWEEPSTAKE_TOKEN=")[1].strip()
    exp = db.add_experiment(ManualSearch("e", lease=2.0))
    pruned, finished = exp.add_job({}), exp.add_job({})
    with closing(Shell(started[2].split()[-1], {"SWEEPSTAKE_TOKEN": token})) as remote:
        process = remote.start("run", "e", *python(until_told(tmp_path)))
        (command,) = begun(tmp_path, pruned)
        exp.get_job(pruned.job_id).prune()
        (second,) = begun(tmp_path, finished)
        assert not alive(command)
        with pytest.raises(sweepstake.NoJobError):
            exp.next_job(wait=4)
        os.kill(second, signal.SIGUSR1)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert [job.status for job in exp.all_jobs()] == [Job.PRUNED, Job.DONE]


def test_a_run_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """The heartbeat process has a connection of its own."""
    with sweepstake.connect(postgres_url) as db, closing(Shell(postgres_url)) as shell:
        exp = db.add_experiment(ManualSearch("e", lease=1.0))
        job = exp.add_job({})
        process = shell.start("run", "e", *python(until_told(tmp_path)))
        (command,) = begun(tmp_path, job)
        with pytest.raises(sweepstake.NoJobError):
            exp.next_job(wait=3)
        os.kill(command, signal.SIGUSR1)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert exp.get_job(job.job_id).status == Job.DONE


def test_a_lease_outlives_many_lease_times(db: Database, shell: Shell, tmp_path: Path) -> None:
    """A job that takes several leases stays with its worker, because the heartbeat is a process of its own."""
    exp = db.add_experiment(ManualSearch("e", lease=1.0))
    job = exp.add_job({})
    process = shell.start("run", "e", *python(until_told(tmp_path)))
    (command,) = begun(tmp_path, job)
    with pytest.raises(sweepstake.NoJobError):
        exp.next_job(wait=5)
    os.kill(command, signal.SIGUSR1)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [attempt.outcome for attempt in exp.get_job(job.job_id).attempts()] == [Outcome.DONE]


def test_a_heartbeat_process_that_dies_is_replaced(db: Database, shell: Shell, tmp_path: Path) -> None:
    """Killing the heartbeat does not cost the lease, which is longer than an interpreter takes to start."""
    exp = db.add_experiment(ManualSearch("e", lease=8.0))
    job = exp.add_job({})
    process = shell.start("run", "e", *python(until_told(tmp_path)))
    (command,) = begun(tmp_path, job)
    (heart,) = [pid for pid in _children(process.pid) if pid != command]
    os.kill(heart, signal.SIGKILL)
    eventually(lambda: len([pid for pid in _children(process.pid) if pid not in (command, heart)]) == 1)
    with pytest.raises(sweepstake.NoJobError):
        exp.next_job(wait=10.0)
    os.kill(command, signal.SIGUSR1)
    process.communicate(timeout=60)
    assert [attempt.outcome for attempt in exp.get_job(job.job_id).attempts()] == [Outcome.DONE]


def test_killing_the_worker_ends_its_command(db: Database, shell: Shell, tmp_path: Path) -> None:
    """After kill -9 the heartbeat process ends the orphan, and the job is claimed again after its lease."""
    exp = db.add_experiment(ManualSearch("e", lease=1.0))
    job = exp.add_job({})
    process = shell.start("run", "e", "--grace", "0.5", *python(lasting(tmp_path)))
    (command,) = begun(tmp_path, job)
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: not alive(command))
    again = exp.next_job(wait=30)
    assert (again.job_id, again.attempt) == (job.job_id, 2)
    again.release()


def test_a_state_folder_that_cannot_be_written_costs_no_job(db: Database, shell: Shell, tmp_path: Path) -> None:
    """A fault of the worker's machine is one line on the terminal, and no crash of the job."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "output").touch()  # where a folder belongs
    broken = Shell(shell.url, {"SWEEPSTAKE_STATE": str(tmp_path / "state")})
    ran = broken.run("run", "e", *python(BLOCK), code=1)
    assert "Error: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert (exp.get_job(job.job_id).status, exp.get_job(job.job_id).attempt) == (Job.QUEUED, 0)


def test_workers_run_side_by_side_and_do_not_tear_lines(db: Database, shell: Shell, tmp_path: Path) -> None:
    """--workers 3 runs three commands at once, each job once; every line of output is whole and says whose it is."""
    exp = db.add_experiment(ManualSearch("e"))
    jobs = [exp.add_job({"x": i}) for i in range(3)]
    script = (
        f"import os, pathlib, sys, time\nfolder = pathlib.Path({str(tmp_path)!r})\n"
        "(folder / os.environ['SWEEPSTAKE_JOB_ID']).write_text('1')\n"
        f"while not all((folder / j).exists() for j in {[job.job_id for job in jobs]!r}): time.sleep(0.01)\n"
        "for i in range(200):\n    for c in 'abc': sys.stdout.write(c * 20); sys.stdout.flush()\n    print()\n"
    )
    ran = shell.run("run", "e", "--workers", "3", "--allow-empty-results", *python(script))
    lines = ran.stdout.splitlines()
    assert len(lines) == 600
    assert set(lines) == {f"[{job.job_id}] " + "a" * 20 + "b" * 20 + "c" * 20 for job in jobs}
    assert [len(job.attempts()) for job in exp.all_jobs()] == [1, 1, 1]


def test_huge_output_is_kept_in_part(db: Database, shell: Shell) -> None:
    """Beyond 10 MiB the beginning and the end are kept."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    shell.run("run", "e", *python(f"print('begin')\nfor _ in range(200): print('x' * 100_000)\n{BLOCK}"))
    shown = shell.run("show", "e", job.job_id, "--full").stdout
    assert 9 * 2**20 < len(shown) < 11 * 2**20
    assert "begin\n" in shown
    assert " bytes left out " in shown
    assert shown.endswith("--- END RESULTS ---\n")


@pytest.mark.parametrize(
    "command, problem",
    [
        ([], "the command is empty|command: is empty"),
        (["--", "train", "%q"], "%q"),
        (["--", "train", "100%"], "percent sign"),
    ],
)
def test_a_wrong_command_claims_no_job(db: Database, shell: Shell, command: list[str], problem: str) -> None:
    """What can be seen to be wrong is refused before a job is touched."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({})
    ran = shell.run("run", "e", *command, code=1)
    assert any(part in ran.stderr for part in problem.split("|"))
    assert exp.counts().ready == 1


def test_a_program_that_the_job_names_is_its_own_fault(db: Database, shell: Shell) -> None:
    """Only that job is CRASHED; the reason names the program and what the system said."""
    exp = db.add_experiment(ManualSearch("e"))
    job = exp.add_job({})
    shell.run("run", "e", "--", "/nonexistent/%j", code=1)
    (attempt,) = exp.get_job(job.job_id).attempts()
    assert f"'/nonexistent/{job.job_id}' cannot be started: No such file" in attempt.reason


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        pytest.skip("looks for processes in /proc")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


@pytest.mark.parametrize("variable", ["SWEEPSTAKE_STATE", "SWEEPSTAKE_CHECKPOINTS"])
def test_a_folder_that_cannot_be_made_costs_no_job(db: Database, shell: Shell, variable: str) -> None:
    """The setting is named before a job is claimed."""
    job = db.add_experiment(ManualSearch("exp")).add_job({})
    with closing(Shell(shell.url, {variable: "/dev/null/folder"})) as misled:
        assert f"set {variable} to another" in misled.run("run", "exp", "--", "true", code=1).stderr
    assert job.experiment.get_job(job.job_id).attempt == 0


def test_jobs_that_wait_for_a_failed_one_do_not_hold_up_a_run(db: Database, shell: Shell) -> None:
    """Nothing that runs can free them, so the command ends, and says what is the matter."""
    exp = db.add_experiment(ManualSearch("e"))
    failed = exp.add_job({"x": 1}, "CRASHED")
    waiting = exp.add_job({"x": 2}, depends_on=[failed])
    ran = shell.run("run", "e", "--", "true")
    assert "its jobs wait for jobs they depend on" in ran.stderr
    assert exp.get_job(waiting.job_id).status == Job.QUEUED


def test_a_run_of_a_paused_experiment_says_so(db: Database, shell: Shell) -> None:
    """Nobody has to wonder why no job is run."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_job({"x": 1})
    exp.pause()
    assert "was paused" in shell.run("run", "e", "--", "true").stderr


def test_an_id_runs_no_code(db: Database, shell: Shell, tmp_path: Path) -> None:
    """Somebody with a share names a job so that a shell would take it for a command; it is a word, or is refused."""
    exp = db.add_experiment(ManualSearch("e"))
    proof = tmp_path / "P"
    job_id = f"x; env>{proof}"
    exp.add_job({"x": -1e-05}, job_id=job_id)
    script = f"echo %j %h; {RESULTS}"
    ran = shell.run("run", "e", "--", "sh", "-c", script)
    assert f"{job_id} --x=-1e-05\n" in ran.stdout
    exp.add_job({}, job_id=f"$(env>{proof})")
    ran = shell.run("run", "e", "--", "sh", "-c", f'echo "%j"; {RESULTS}', code=1)
    assert '"$SWEEPSTAKE_JOB_ID"' in ran.stderr
    assert exp.counts().done == 1
    assert not proof.exists()
