"""What tasks leave, from one machine to another: on a file, through a server, and on PostgreSQL beside a folder."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import sweepstake
from tests.kit.lab import eventually
from tests.kit.shell import Shell
from tests.kit.stack import reached

_SPEC = """
tasks:
  - name: prepare
    image: {docker: tiny}
    command: [sh, -euc, 'mkdir /out/a; echo 7 > /out/a/x; echo "{\\"n\\": 1}" > /out/metrics.json; echo "token $TOKEN"']
    envVars: [{name: TOKEN, secret: token}]
    result: {path: /out}
  - name: train
    image: {docker: tiny}
    command: [sh, -euc, 'cat /in/x > /out/y; echo $BEAKER_JOB_ID >> /out/y']
    datasets: [{mountPath: /in, subPath: a, source: {result: prepare}}]
    result: {path: /out}
    sweep: {search: Grid, parameters: {lr: [1, 2]}}
  - name: merge
    image: {docker: tiny}
    command: [sh, -euc, 'cat /all/train.1/y /all/train.2/y']
    datasets: [{mountPath: /all, source: {result: train}}]
"""
_WORKER = ("worker", "s", "--no-container", "--slots", "cpus=2,gpus=0", "--idle", "1")


@contextmanager
def shells(kind: str, folder: Path, new_database: Callable[[], str]) -> Iterator[tuple[Shell, Shell]]:
    """Give two machines that share nothing but a store."""
    with reached(kind, folder, new_database) as url:
        files = {"SWEEPSTAKE_FILES": f"file://{folder}/bucket"} if kind == "postgres" else {}
        secret = {"SWEEPSTAKE_SECRET_TOKEN": "tiger"}
        one, two = (
            Shell(url, {**files, **secret, "SWEEPSTAKE_STATE": str(folder / name), "HOME": str(folder / name)})
            for name in ("one", "two")
        )
        with closing(one), closing(two):
            yield one, two


@pytest.mark.parametrize("kind", ["sqlite", "http-sqlite", "postgres"])
def test_what_a_task_leaves_reaches_others(kind: str, tmp_path: Path, new_database: Callable[[], str]) -> None:
    """Tasks on another machine, whoever downloads it, and the results of the job; on the machines nothing is left."""
    (tmp_path / "s.yaml").write_text(_SPEC)
    with shells(kind, tmp_path, new_database) as (one, two):
        one.run("submit", str(tmp_path / "s.yaml"))
        one.run(*_WORKER, "--max-jobs", "1")
        ran = two.run(*_WORKER)
        assert "jobs run: 3 done" in ran.stderr
        assert two.run("logs", "s", "merge").stdout == "7\ntrain.1\n7\ntrain.2\n"
        assert two.run("logs", "s", "prepare").stdout == "token ***\n"
        two.run("results", "s", "prepare", "--download", str(tmp_path / "there"))
        assert (tmp_path / "there" / "a" / "x").read_text() == "7\n"
        assert '"n": 1' in two.run("show", "s", "prepare", "--format", "json").stdout
    left = [path for name in ("one", "two") for path in (tmp_path / name).rglob("*") if path.is_file()]
    assert [path for path in left if {"results", "output", "fetched"} & {*path.parts}] == []


@pytest.mark.parametrize("kind", ["sqlite", "http-sqlite"])
def test_output_is_followed_while_a_task_runs(kind: str, tmp_path: Path, new_database: Callable[[], str]) -> None:
    """And what it has left so far is there, though it goes on."""
    script = f"echo 1 > /out/x; echo one; until test -e {tmp_path}/go; do sleep 0.1; done; echo two"
    (tmp_path / "s.yaml").write_text(
        f"tasks: [{{name: t, image: {{docker: i}}, command: [sh, -euc, '{script}'], result: {{path: /out}}}}]"
    )
    with shells(kind, tmp_path, new_database) as (one, two):
        one.run("submit", str(tmp_path / "s.yaml"))
        followed = two.start("logs", "-f", "s", "t")
        worker = one.start(*_WORKER, "--copy-every", "0.1")
        assert followed.stdout is not None
        assert followed.stdout.readline() == "one\n"
        with sweepstake.connect(two.url) as db:
            job = db.get_experiment("s").get_job("t")
            assert eventually(lambda: job.files().files)[0].path == "x"
            (tmp_path / "go").touch()
            assert followed.stdout.read() == "two\n"
            worker.communicate(timeout=60)
            assert job.files().log == 8


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how much memory was taken")
def test_a_long_output_takes_little_memory(tmp_path: Path, new_database: Callable[[], str]) -> None:
    """100 MB are kept whole, and the worker holds some pieces of them."""
    script = (
        f'yes "$(printf %0999d 0)" | head -c 100000000; touch {tmp_path}/end; '
        f"until test -e {tmp_path}/go; do sleep 0.1; done"
    )
    (tmp_path / "s.yaml").write_text(f"tasks: [{{name: t, image: {{docker: i}}, command: [sh, -uc, '{script}']}}]")
    with shells("sqlite", tmp_path, new_database) as (one, _):
        one.run("submit", str(tmp_path / "s.yaml"))
        worker = one.start(*_WORKER)
        assert worker.stdout is not None
        passed = threading.Thread(target=lambda: [None for _ in worker.stdout or ()])
        passed.start()
        with sweepstake.connect(one.url) as db:
            job = db.get_experiment("s").get_job("t")
            eventually((tmp_path / "end").exists)
            eventually(lambda: job.files().log == 100_000_000)
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
            assert found is not None
            assert int(found[1]) < 120_000
            (tmp_path / "go").touch()
            worker.wait(60)
            passed.join()


def test_a_database_without_a_place_for_files_is_told(tmp_path: Path, new_database: Callable[[], str]) -> None:
    """Before anything is claimed, with what to set."""
    (tmp_path / "s.yaml").write_text("tasks: [{name: t, image: {docker: i}, command: ['true']}]")
    with closing(Shell(new_database())) as shell:
        shell.run("submit", str(tmp_path / "s.yaml"))
        told = shell.run(*_WORKER[:-1], "0.5").stderr
        assert "s is passed over: This store keeps no files" in told
        assert "SWEEPSTAKE_FILES" in told
        with sweepstake.connect(shell.url) as db:
            assert db.get_experiment("s").get_job("t").attempt == 0


def test_of_earlier_attempts_as_many_stay_as_are_kept(tmp_path: Path, new_database: Callable[[], str]) -> None:
    """A task that crashes twice, and then does what it should."""
    script = f"echo $SWEEPSTAKE_ATTEMPT > /out/x; echo x >> {tmp_path}/ran; test $(cat {tmp_path}/ran | wc -l) = 3"
    (tmp_path / "s.yaml").write_text(
        "retry: {allowedTaskRetries: 2}\n"
        f"tasks: [{{name: t, image: {{docker: i}}, command: [sh, -euc, '{script}'], result: {{path: /out}}}}]"
    )
    with shells("sqlite", tmp_path, new_database) as (one, _):
        one.run("submit", str(tmp_path / "s.yaml"))
        assert "3 jobs" not in one.run(*_WORKER, "--keep", "1", "--crashes", "0").stderr
        with sweepstake.connect(one.url) as db:
            job = db.get_experiment("s").get_job("t")
            assert (job.attempt, job.files().attempts, job.files().attempt) == (3, (2, 3), 3)
