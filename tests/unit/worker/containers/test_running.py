"""Tasks that really run in podman."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.status import Outcome
from sweepstake.errors import ConfigurationError
from sweepstake.values import JsonObject
from sweepstake.worker.attempt import Attempt
from sweepstake.worker.containers.arguments import Engine, list_call
from sweepstake.worker.containers.engines import answer
from sweepstake.worker.containers.leftovers import LABEL
from sweepstake.worker.containers.running import Containers
from sweepstake.worker.leftovers.living import Living
from tests.kit.lab import eventually
from tests.kit.podman import IMAGE, podman_engine
from tests.unit.worker.tasks.test_work import attempt_at, script

pytestmark = pytest.mark.xdist_group("podman")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A podman that runs containers."""
    return podman_engine(tmp_path / "images")


@pytest.fixture
def containers(engine: Engine, tmp_path: Path) -> Iterator[Containers]:
    """Containers of a worker that lives as long as the test."""
    (tmp_path / "locks").mkdir()
    living = Living(tmp_path / "locks", tmp_path)
    yield Containers(engine=engine, living=living, locks=tmp_path / "locks")
    living.close()


def listed(containers: Containers) -> list[str]:
    """Return the names of this worker's containers."""
    call = list_call(containers.engine, f"{LABEL}={containers.living}")
    assert call is not None
    answered = answer(call)
    assert answered.returncode == 0, answered.stderr
    return answered.stdout.split()


def run(containers: Containers, tmp_path: Path, text: str, hyperparameters: Any = None, **parts: Any) -> Finish:
    """Run a script in a container."""
    return attempt_at(script(text, **parts), tmp_path, hyperparameters or {}, contained=containers).run()


def begun(attempt: Attempt, tmp_path: Path, by: Path | None = None) -> tuple[list[Finish], threading.Thread]:
    """Let an attempt run on a thread, and return what will hold its report, once it has begun: its file says so."""
    made: list[Finish] = []
    thread = threading.Thread(target=lambda: made.append(attempt.run()))
    thread.start()
    eventually(lambda: by.exists() if by is not None else list(tmp_path.glob("state/results/*/*/1/begun")) or None)
    return made, thread


def test_a_task_runs_in_a_container(containers: Containers, tmp_path: Path) -> None:
    """It finds its data where it says, writes results where it says, and all that it is told in files and variables."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_text("seven\n")
    text = """cat /data/x; cat $SWEEPSTAKE_HYPERPARAMETERS_PATH; echo; printf '%s\\n' "$LINES" "$HOME" "$BEAKER_JOB_ID"
        echo 1 > /results/r; echo '{{"m": 1}}' > /results/metrics.json; touch $SWEEPSTAKE_CHECKPOINT_DIR/c
        echo '{{"x": 2}}' > $SWEEPSTAKE_RESULTS_PATH; if touch /data/y; then exit 9; fi"""
    task = script(text).with_dataset("/data", host_path=str(tmp_path / "data"), mode="readonly")
    task = task.with_env_var("LINES", "a\nb c").with_env_var("HOME", "/results")
    finish = attempt_at(task, tmp_path, {"lr": 0.1}, contained=containers).run()
    assert finish.outcome is Outcome.DONE, finish
    assert finish.results == JsonObject.of({"before": 1, "m": 1, "x": 2})
    assert finish.output.split("\n")[:6] == ["seven", '{"lr": 0.1}', "a", "b c", "/results", "j"]
    assert [path.read_text() for path in tmp_path.glob("state/results/*/*/1/r")] == ["1\n"]
    assert list(tmp_path.glob("state/checkpoints/*/*/c"))
    assert listed(containers) == []


def test_a_container_does_not_see_the_workers_variables(
    containers: Containers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the token of its store."""
    monkeypatch.setenv("SWEEPSTAKE_TOKEN", "hidden-token")
    monkeypatch.setenv("MINE", "hidden-token")
    finish = run(containers, tmp_path, "env")
    assert "hidden-token" not in finish.output
    assert "CUDA_VISIBLE_DEVICES" not in finish.output


def test_a_secret_stands_on_no_command_line(containers: Containers, tmp_path: Path) -> None:
    """It arrives with its line breaks, as a variable and as a file that cannot be written."""
    task = script(
        'test "$TOKEN" = "$(cat /secret)"; if echo x > /secret; then exit 9; fi; '
        "touch /results/begun; until [ -e /results/seen ]; do sleep 0.05; done"
    )
    task = task.with_env_var("TOKEN", secret="hf").with_dataset("/secret", secret="hf")
    attempt = attempt_at(task, tmp_path, {}, contained=containers)
    made: list[Finish] = []
    thread = threading.Thread(target=lambda: made.append(attempt.run()))
    thread.start()
    seen, shown = 0, list[bytes]()
    while thread.is_alive():
        there = list(tmp_path.glob("state/results/*/*/1/begun"))
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            seen += b"sweepstake-test/tiny" in line
            shown += [line] if b"top secret" in line else []
        for each in there:
            each.with_name("seen").touch()
        thread.join(0.05)
    assert made[0].outcome is Outcome.DONE, made[0]
    assert seen
    assert not shown


def test_an_engine_shows_a_secret_among_the_variables_of_a_container_alone(
    containers: Containers, tmp_path: Path
) -> None:
    """Those who may ask it are this user, and root; a secret that is a file it does not know at all."""
    task = script("touch /results/begun; sleep 1000").with_env_var("TOKEN", secret="hf")
    attempt = attempt_at(task.with_dataset("/secret", secret="hf"), tmp_path, {}, contained=containers)
    made, thread = begun(attempt, tmp_path)
    program, (name,) = [containers.engine.program, *containers.engine.global_args], listed(containers)
    asked = subprocess.run([*program, "inspect", name], capture_output=True, text=True, check=True)
    attempt.kill()
    thread.join(60)
    (shown,) = json.loads(asked.stdout)
    variables = shown["Config"].pop("Env")
    assert "TOKEN=top secret\nin two lines" in variables
    assert "top secret" not in json.dumps(shown)
    assert made[0].outcome is Outcome.PREEMPTED


def test_the_exit_code_is_that_of_the_command(containers: Containers, tmp_path: Path) -> None:
    """And the last words are its own."""
    finish = run(containers, tmp_path, "echo oh no >&2; exit 7")
    assert (finish.outcome, finish.reason) == (Outcome.CRASHED, "exit code 7: oh no")


def test_an_image_that_does_not_exist_crashes_the_job(containers: Containers, tmp_path: Path) -> None:
    """The output says what the engine said."""
    task = script("true").with_image(docker="localhost:1/no/such:1")
    finish = attempt_at(task, tmp_path, {}, contained=containers).run()
    assert finish.outcome is Outcome.CRASHED
    assert finish.reason.startswith("image: 'localhost:1/no/such:1' cannot be had: podman pull ended with exit code")
    assert "localhost:1" in finish.output


def test_a_container_ends_with_its_attempt(containers: Containers, tmp_path: Path) -> None:
    """Also one that does not heed SIGTERM, which its client cannot outlive."""
    text = "trap '' TERM; touch /results/begun; while true; do sleep 1; done"
    attempt = attempt_at(script(text), tmp_path, {}, contained=containers)
    made, thread = begun(attempt, tmp_path)
    assert listed(containers) == [attempt.claim.key], "it is called what its run is called"
    attempt.kill()
    thread.join(60)
    assert made[0].outcome is Outcome.PREEMPTED
    assert listed(containers) == []


def test_a_container_that_does_not_heed_sigterm_is_killed_when_its_time_to_end_is_over(
    containers: Containers, tmp_path: Path
) -> None:
    """And is gone with its attempt, which another takes over."""
    text = "trap '' TERM; sleep 1; touch /results/begun; while true; do sleep 1; done"
    attempt = attempt_at(script(text), tmp_path, {}, contained=containers, grace=1.0)
    made, thread = begun(attempt, tmp_path)
    began = time.monotonic()
    attempt.stop()
    thread.join(60)
    assert made[0].outcome is Outcome.PREEMPTED
    assert time.monotonic() - began >= 1.0
    assert listed(containers) == []


def test_a_container_ends_whose_client_ends_as_if_all_were_well(containers: Containers, tmp_path: Path) -> None:
    """As podman's does at SIGTERM in the moment after its container has begun, which goes on."""
    client = tmp_path / "podman"
    client.write_text(
        f"""#!/bin/sh
        case " $* " in *" run "*) trap 'exit 0' TERM; setsid {containers.engine.program} "$@" & wait;; esac
        exec {containers.engine.program} "$@"
        """
    )
    client.chmod(0o755)
    containers.engine = attrs.evolve(containers.engine, program=str(client))
    text = "touch /results/begun; while true; do sleep 1; done"
    attempt = attempt_at(script(text), tmp_path, {}, contained=containers, grace=60.0)
    made, thread = begun(attempt, tmp_path)
    assert len(listed(containers)) == 1
    attempt.stop()
    thread.join(60)
    assert made[0].outcome is Outcome.PREEMPTED
    assert listed(containers) == []


def test_a_job_is_given_back_whose_engine_was_killed(containers: Containers, tmp_path: Path) -> None:
    """It is no fault of the job's, and its container does not go on."""
    attempt = attempt_at(script("touch /results/begun; sleep 1000"), tmp_path, {}, contained=containers)
    made, thread = begun(attempt, tmp_path)
    (name,) = listed(containers)
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            if b"run" in words and name.encode() in words:
                os.kill(int(path.name), signal.SIGKILL)
    thread.join(60)
    assert (made[0].outcome, made[0].reason) == (Outcome.RELEASED, "podman failed while it ran: killed by SIGKILL")
    assert listed(containers) == []


def test_a_job_is_given_back_whose_engine_goes_away(containers: Containers, tmp_path: Path) -> None:
    """As docker's daemon may: what asks it says so by its exit code, and nothing else gets an answer then."""
    gone, begin = tmp_path / "gone", tmp_path / "begin"
    program = tmp_path / "engine"
    program.write_text(f"""#!/bin/sh
away() {{ echo 'cannot connect to the daemon' >&2; exit 125; }}
test ! -e {gone} || away
case "$1" in run) touch {begin}; while test ! -e {gone}; do sleep 0.05; done; away ;; esac
""")
    program.chmod(0o755)
    leaving = attrs.evolve(containers, engine=attrs.evolve(containers.engine, program=str(program), global_args=()))
    attempt = attempt_at(script("true"), tmp_path, {}, contained=leaving)
    made, thread = begun(attempt, tmp_path, by=begin)
    gone.touch()
    thread.join(60)
    told = "podman does not answer: cannot connect to the daemon"
    assert (made[0].outcome, made[0].reason) == (Outcome.RELEASED, f"podman failed while it ran: {told}")
    (tmp_path / "next").mkdir()
    with pytest.raises(ConfigurationError, match=f"{told}; mend it, or use --no-container"):
        run(leaving, tmp_path / "next", "true")


def test_a_command_may_end_as_an_engine_does_that_failed(containers: Containers, tmp_path: Path) -> None:
    """It is a crash like others while the engine answers."""
    finish = run(containers, tmp_path, "echo oh no; exit 125")
    assert (finish.outcome, finish.reason) == (Outcome.CRASHED, "exit code 125: oh no")


def test_a_command_in_a_container_may_end_by_itself(containers: Containers, tmp_path: Path) -> None:
    """SIGTERM reaches it, once podman listens, which is a moment after the container has begun."""
    text = "trap 'echo bye; exit 75' TERM; sleep 1; touch /results/begun; while true; do sleep 0.1; done"
    attempt = attempt_at(script(text), tmp_path, {}, contained=containers)
    made, thread = begun(attempt, tmp_path)
    attempt.stop()
    thread.join(60)
    assert (made[0].outcome, made[0].output) == (Outcome.RELEASED, "bye\n")


def test_what_a_dead_worker_left_is_ended_by_the_next(containers: Containers, tmp_path: Path) -> None:
    """But not what belongs to one that lives."""
    engine = json.dumps({"program": containers.engine.program, "args": containers.engine.global_args})
    code = f"""
import json, os, signal, subprocess, sys
from pathlib import Path
from sweepstake.worker.leftovers.living import Living
engine = json.loads({engine!r})
living = Living(Path({str(containers.locks)!r}), Path({str(tmp_path)!r}))
name = living.name("attempt")
run = [engine["program"], *engine["args"], "run", "--detach", "--name", name, f"--label={LABEL}={{living}}"]
subprocess.run([*run, *{list(containers.engine.run_args)!r}, {IMAGE!r}, "sleep", "1000"], check=True, stdout=2)
print(name, flush=True)
if len(sys.argv) > 1:
    os.kill(os.getpid(), signal.SIGKILL)
sys.stdin.read()
living.close()
"""
    command = [sys.executable, "-c", code]
    dead = subprocess.run([*command, "die"], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    assert dead.returncode == -signal.SIGKILL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdout is not None
        name = living.stdout.readline().strip()
        assert containers.end_leftovers() == [dead.stdout.strip()]
        assert containers.end_leftovers() == []
        living.kill()
        living.wait()
    assert containers.end_leftovers() == [name]


def test_an_image_is_pulled_by_one_at_a_time(containers: Containers, tmp_path: Path) -> None:
    """Several attempts want it at once; a stand-in for podman, which is slow, tells how many pull."""
    log, there = tmp_path / "log", tmp_path / "there"
    program = tmp_path / "engine"
    program.write_text(f"""#!/bin/sh
case "$1" in
image) test -e {there} ;;
pull) echo begin >> {log}; sleep 0.3; touch {there}; echo end >> {log} ;;
esac
""")
    program.chmod(0o755)
    slow = attrs.evolve(containers, engine=attrs.evolve(containers.engine, program=str(program), global_args=()))
    made: list[Finish] = []

    def one(i: int) -> None:
        folder = tmp_path / str(i)
        folder.mkdir()
        made.append(attempt_at(script("true"), folder, {}, contained=slow).run())

    threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [finish.outcome for finish in made] == [Outcome.DONE] * 4
    assert log.read_text() == "begin\nend\n"


def test_a_folder_that_becomes_a_link_while_an_image_is_pulled_is_not_mounted(
    containers: Containers, tmp_path: Path
) -> None:
    """Another task may write where it is, and so would get at all that the engine can read."""
    data = tmp_path / "data"
    (data / "part").mkdir(parents=True)
    program = tmp_path / "engine"
    swap = f"mv {data}/part {data}/was; ln -s /etc {data}/part"
    program.write_text(f'#!/bin/sh\necho $1 >> {tmp_path}/asked\ncase "$1" in image) exit 1 ;; pull) {swap} ;; esac\n')
    program.chmod(0o755)
    slow = attrs.evolve(containers, engine=attrs.evolve(containers.engine, program=str(program), global_args=()))
    task = script("true").with_dataset("/data", host_path=str(data / "part"), mode="readonly")
    with pytest.raises(ConfigurationError, match=r"/data: '.*/data/part' has become a link to something else"):
        attempt_at(task, tmp_path, {}, contained=slow).run()
    assert "run" not in (tmp_path / "asked").read_text()


def test_a_pull_ends_with_its_attempt(containers: Containers, tmp_path: Path) -> None:
    """Whoever stops a worker need not wait for a large image."""
    program, pulling = tmp_path / "engine", tmp_path / "pulling"
    program.write_text(f'#!/bin/sh\ncase "$1" in pull) touch {pulling}; exec sleep 1000 ;; esac\nexit 1\n')
    program.chmod(0o755)
    slow = attrs.evolve(containers, engine=attrs.evolve(containers.engine, program=str(program), global_args=()))
    attempt = attempt_at(script("true"), tmp_path, {}, contained=slow)
    made, thread = begun(attempt, tmp_path, by=pulling)
    attempt.stop()
    thread.join(60)
    assert made[0].outcome is Outcome.RELEASED


def test_the_lock_of_a_worker_is_gone_when_it_ends(tmp_path: Path) -> None:
    """Nothing is left behind in the folder."""
    living = Living(tmp_path, tmp_path)
    assert len(os.listdir(tmp_path / "workers")) == 1  # noqa: PTH208
    living.close()
    assert os.listdir(tmp_path / "workers") == []  # noqa: PTH208


def test_an_image_is_asked_for_once_by_many(engine: Engine, containers: Containers, tmp_path: Path) -> None:
    """To ask costs a good part of what a short run does."""
    asking = tmp_path / "podman"
    asking.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\nexec {engine.program} "$@"\n')
    asking.chmod(0o700)
    many = attrs.evolve(containers, engine=attrs.evolve(engine, program=str(asking)))
    assert [run(many, tmp_path / name, "true").outcome for name in "ab"] == [Outcome.DONE] * 2
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [len([line for line in asked if f" {verb} " in line]) for verb in ("inspect", "run")] == [1, 2]
