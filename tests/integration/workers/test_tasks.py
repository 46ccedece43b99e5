"""`sweepstake worker` without a command: tasks of specs, on this host and in podman, and workers that are killed."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweepstake import Database, ManualSearch
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.values import JsonObject
from sweepstake.worker.containers.arguments import Engine
from tests.kit.commands import alive
from tests.kit.lab import draft, eventually
from tests.kit.podman import IMAGE, podman_alone, podman_engine, settings_of
from tests.kit.shell import Shell

LEASE = 2.0


def spec_of(exp: ManualSearch, script: str, jobs: int, **task: Any) -> None:
    """Give an experiment a spec of one task, a shell script, and jobs of it."""
    made = {"name": "main", "image": {"docker": IMAGE}, "command": ["sh", "-euc", script], **task}
    document = JsonObject.of({"version": "v2", "tasks": [made]})
    exp.session.queue.put_spec(exp.name, SpecDraft(text="", document=document))
    exp.session.queue.add_jobs(exp.name, [draft(f"j{i}", task="main") for i in range(jobs)])


@pytest.fixture
def exp(db: Database) -> ManualSearch:
    """An experiment whose leases are short."""
    return db.add_experiment(ManualSearch("exp", lease=LEASE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which tasks may write."""
    made = tmp_path / "shared"
    made.mkdir()
    return made


@pytest.fixture
def configured(shell: Shell, tmp_path: Path, folder: Path) -> Iterator[Shell]:
    """A machine whose configuration lets tasks write into the folder, and runs containers in podman."""
    engine = podman_engine(tmp_path)
    with podman_alone():
        yield with_config(shell, tmp_path, folder, engine)


def with_config(shell: Shell, tmp_path: Path, folder: Path, engine: Engine | None = None) -> Shell:
    """Write the configuration of a machine."""
    text = f'[data]\nroots = [{{path = "{folder}", write = true}}]\n'
    if engine is not None:
        text += settings_of(engine)
    (tmp_path / "config.toml").write_text(text)
    shell.environment["SWEEPSTAKE_CONFIG"] = str(tmp_path / "config.toml")
    return shell


def mounted(folder: Path) -> dict[str, Any]:
    """Return what mounts the folder at /shared."""
    return {"datasets": [{"mountPath": "/shared", "source": {"hostPath": str(folder)}}]}


def containers(engine_args: tuple[str, ...]) -> set[str]:
    """Return the names of all containers that podman knows of tasks that mount the folder."""
    command = ["podman", *engine_args, "ps", "--all", "--format", "{{.Names}} {{.Mounts}}"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[0] for line in listed.stdout.splitlines() if "/shared" in line}


def test_tasks_of_all_experiments_of_a_file_are_run(
    db: Database, exp: ManualSearch, shell: Shell, tmp_path: Path, folder: Path
) -> None:
    """Side by side on this host; an experiment without a spec is passed over."""
    db.add_experiment(ManualSearch("other")).add_jobs([{}])
    script = 'touch /shared/$BEAKER_JOB_ID; until [ "$(ls /shared | wc -l)" = 3 ]; do sleep 0.05; done'
    spec_of(exp, script, 3, **mounted(folder))
    with_config(shell, tmp_path, folder)
    ran = shell.run("worker", "--no-container", "--slots", "cpus=3,gpus=0", "--idle", "0.5")
    assert "jobs run: 3 done" in ran.stderr
    assert "other has no spec, so this worker" in ran.stderr


def test_an_experiment_that_is_made_anew_runs_its_own_tasks(
    db: Database, exp: ManualSearch, shell: Shell, tmp_path: Path, folder: Path
) -> None:
    """The worker, which had nothing else, goes on when one is deleted, and knows the next of its name for another."""
    spec_of(exp, "touch /shared/old", 1, **mounted(folder))
    with_config(shell, tmp_path, folder)
    process = shell.start("worker", "--no-container", "--slots", "cpus=1,gpus=0")
    eventually(lambda: exp.counts().done == 1)
    exp.delete()
    assert process.stderr is not None
    assert any("'exp'" in line and "going on without it" in line for line in process.stderr)
    again = db.add_experiment(ManualSearch("exp", lease=LEASE))
    spec_of(again, "touch /shared/new", 1, **mounted(folder))
    eventually((folder / "new").exists)
    os.kill(process.pid, signal.SIGTERM)


def test_a_worker_whose_command_has_gpus_hands_them_out_once(exp: ManualSearch, shell: Shell, folder: Path) -> None:
    """Four jobs on two GPUs that are stated: each is told one that nobody else has."""
    exp.add_jobs([{}] * 4)
    script = f"mkdir {folder}/$CUDA_VISIBLE_DEVICES && sleep 0.2 && rmdir {folder}/$CUDA_VISIBLE_DEVICES"
    options = ("--gpus-per-job", "1", "--slots", "gpus=2", "--concurrency", "4", "--idle", "0", "--allow-empty-results")
    ran = shell.run("worker", "exp", *options, "--", "sh", "-c", script)
    assert "jobs run: 4 done" in ran.stderr


@pytest.mark.parametrize(
    "options, told",
    [
        (("--slots", "gpu=1"), "slots 'gpu=1': must be one of"),
        (("--label", "x"), "label 'x': must be NAME=VALUE"),
        (("--", "true"), "A command is run for jobs of experiments that are named."),
    ],
)
def test_wrong_options_are_told(exp: ManualSearch, shell: Shell, options: tuple[str, ...], told: str) -> None:
    """Before anything is claimed."""
    process = shell.start("worker", "--no-container", *options)
    _, error = process.communicate(timeout=60)
    assert process.returncode
    assert told in error


def test_without_an_engine_nothing_is_claimed(exp: ManualSearch, shell: Shell, folder: Path) -> None:
    """The error says what to do."""
    spec_of(exp, "true", 1)
    shell.environment["PATH"] = str(folder)
    ran = shell.run("worker", "--idle", "0", code=1)
    assert "no container engine works here: podman is not installed" in ran.stderr
    assert "--no-container" in ran.stderr
    assert next(iter(exp.all_jobs())).attempt == 0


@pytest.mark.xdist_group("podman")
def test_a_task_gets_nothing_that_is_not_allowed(
    exp: ManualSearch, configured: Shell, folder: Path, tmp_path: Path
) -> None:
    """Neither dots nor links lead out of the folders of this machine; nothing is claimed, and people are told."""
    (tmp_path / "beside").mkdir()
    (folder / "link").symlink_to(tmp_path / "beside")
    (folder / "root").symlink_to("/")
    ways = [f"{folder}/{way}" for way in ("../beside", "link", "link/../beside", "root", "root/etc")]
    sources = [
        {"mountPath": f"/data{i}", "source": {"hostPath": way}, "mode": "readonly"}
        for i, way in enumerate([*ways, "/etc"])
    ]
    spec_of(exp, "true", 1, datasets=sources)
    ran = configured.run("worker", "exp", "--idle", "0")
    told = [line for line in ran.stderr.splitlines() if "is passed over: task 'main': /data" in line]
    assert len(told) == len(sources)
    assert all("is in none of the folders that this machine allows" in line for line in told)
    assert next(iter(exp.all_jobs())).attempt == 0


@pytest.mark.xdist_group("podman")
def test_a_task_runs_in_podman(exp: ManualSearch, configured: Shell, folder: Path) -> None:
    """From the worker on the command line."""
    spec_of(exp, "touch /shared/$BEAKER_JOB_ID; echo hello", 2, **mounted(folder))
    ran = configured.run("worker", "exp", "--slots", "cpus=2", "--idle", "0")
    assert "jobs run: 2 done" in ran.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["j0", "j1"]
    assert ran.stdout.count("hello") == 2


@pytest.mark.xdist_group("podman")
def test_what_a_container_leaves_is_mounted_by_another(exp: ManualSearch, configured: Shell) -> None:
    """Where nobody can write to it."""
    image: dict[str, Any] = {"image": {"docker": IMAGE}, "result": {"path": "/out"}}
    make = {
        "name": "make",
        **image,
        "command": ["sh", "-euc", "echo seven > /out/x; mkdir /out/z; echo 8 > /out/z/y"],
    }
    take = {
        "name": "take",
        **image,
        "command": ["sh", "-uc", "cat /in/x /in/z/y; touch /in/w 2>/dev/null || echo not there"],
    }
    take["datasets"] = [{"mountPath": "/in", "source": {"result": "make"}}]
    document = JsonObject.of({"version": "v2", "tasks": [make, take]})
    exp.session.queue.put_spec(exp.name, SpecDraft(text="", document=document))
    exp.session.queue.add_jobs(exp.name, [draft("m", task="make")])
    exp.session.queue.add_jobs(exp.name, [draft("t", task="take", depends_on=["m"])])
    ran = configured.run("worker", "exp", "--slots", "cpus=1", "--idle", "1")
    assert "jobs run: 2 done" in ran.stderr
    said = exp.get_job("t").log()
    assert said.startswith("seven\n8\n")
    assert said.endswith("not there\n")


@pytest.mark.xdist_group("podman")
@pytest.mark.parametrize("also", [False, True], ids=["worker", "worker and heartbeats"])
def test_a_killed_worker_leaves_no_container(
    exp: ManualSearch, configured: Shell, folder: Path, tmp_path: Path, also: bool
) -> None:
    """Its heartbeat process ends it; if that is killed as well, the next worker does. The job runs to its end once."""
    engine_args = podman_engine(tmp_path).global_args
    before = containers(engine_args)
    script = (
        "echo x >> /shared/begun; if [ $(cat /shared/begun | wc -l) = 1 ]; then sleep 1000; fi; echo y >> /shared/done"
    )
    spec_of(exp, script, 1, **mounted(folder))
    process = configured.start("worker", "exp", "--grace", "0.5")
    eventually(lambda: (folder / "begun").exists() or None)
    if also:
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
        )
        for pid in map(int, found.stdout.split()):
            if "heartbeats" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
    else:
        assert len(containers(engine_args) - before) == 1
    process.kill()
    process.wait()
    if not also:
        eventually(lambda: containers(engine_args) <= before or None, within=LEASE + 5)
    ran = configured.run("worker", "exp", "--idle", "10", "--max-jobs", "1")
    assert "jobs run: 1 done" in ran.stderr
    assert ("whose worker had died" in ran.stderr) == also
    assert (folder / "done").read_text() == "y\n"
    assert containers(engine_args) <= before
    assert next(iter(exp.all_jobs())).attempt == 2


def test_the_result_of_a_task_is_mounted_by_another(exp: ManualSearch, shell: Shell) -> None:
    """From where it is kept, beside the file of the store, though the attempt's own folder is gone."""
    image: dict[str, Any] = {"image": {"docker": IMAGE}, "result": {"path": "/out"}}
    make = {"name": "make", **image, "command": ["sh", "-euc", "mkdir /out/a; echo seven > /out/a/x"]}
    take = {"name": "take", **image, "command": ["sh", "-euc", "cp /in/x /out/y; cat /in/x"]}
    take["datasets"] = [{"mountPath": "/in", "subPath": "a", "source": {"result": "make"}}]
    document = JsonObject.of({"version": "v2", "tasks": [make, take]})
    exp.session.queue.put_spec(exp.name, SpecDraft(text="", document=document))
    exp.session.queue.add_jobs(exp.name, [draft("m", task="make")])
    exp.session.queue.add_jobs(exp.name, [draft("t", task="take", depends_on=["m"])])
    options = ("worker", "exp", "--no-container", "--idle", "0", "--max-jobs", "1")
    shell.environment["SWEEPSTAKE_STATE"] = str(Path(shell.url.removeprefix("sqlite:///")).parent / "one")
    shell.run(*options)
    shell.environment["SWEEPSTAKE_STATE"] = str(Path(shell.url.removeprefix("sqlite:///")).parent / "two")
    assert "seven" in shell.run(*options).stdout


def test_a_killed_worker_leaves_no_process_on_the_host(
    exp: ManualSearch, shell: Shell, folder: Path, tmp_path: Path
) -> None:
    """And its GPUs are free for the next worker."""
    with_config(shell, tmp_path, folder)
    script = 'echo $$ >> /shared/pids; if [ "$(wc -l < /shared/pids)" = 1 ]; then sleep 1000; fi'
    spec_of(exp, script, 1, resources={"gpuCount": 1}, **mounted(folder))
    options = ("worker", "exp", "--no-container", "--slots", "gpus=1", "--grace", "0.5")
    process = shell.start(*options)
    pid = eventually(lambda: ((folder / "pids").exists() and (folder / "pids").read_text().strip()) or None)
    process.kill()
    process.wait()
    eventually(lambda: not alive(int(pid)) or None, within=LEASE + 5)
    ran = shell.run(*options, "--idle", "10", "--max-jobs", "1")
    assert re.search("jobs run: 1 done", ran.stderr)


def test_what_a_task_leaves_behind_ends_with_it(exp: ManualSearch, shell: Shell, folder: Path, tmp_path: Path) -> None:
    """Also a process that left its group and its session, while the worker goes on with another job."""
    with_config(shell, tmp_path, folder)
    script = "setsid sh -c 'echo $$ > /shared/pid; exec sleep 600' > /dev/null 2>&1 < /dev/null &"
    spec_of(exp, f"{script} until [ -s /shared/pid ]; do sleep 0.05; done", 1, **mounted(folder))
    worker = shell.start("worker", "exp", "--no-container")
    pid = int(eventually(lambda: ((folder / "pid").exists() and (folder / "pid").read_text()) or None))
    eventually(lambda: not alive(pid), within=10)
    assert worker.poll() is None
