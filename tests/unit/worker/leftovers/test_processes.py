"""Processes that left their group, and the workers for which they ran; all are real."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweepstake.worker.leftovers.living import Living
from sweepstake.worker.leftovers.looking import ending_leftovers
from sweepstake.worker.leftovers.processes import RUN, Sweeper, end_processes, end_processes_of_dead, marked
from tests.kit.commands import alive
from tests.kit.lab import eventually

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")

#: Forks twice, in a session of its own, closes all that it had, and says the number of what is left.
DAEMON = """
import os, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open(sys.argv[1], "w").write(str(os.getpid()))
os.closerange(0, 100)
os.execvp("sleep", ["sleep", "600"])
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Start a daemon whose variable has this value; return its process id."""
    pids: list[int] = []

    def start(runs: str) -> int:
        file = tmp_path / f"daemon{len(pids)}"
        command = [sys.executable, "-c", DAEMON, str(file)]
        subprocess.run(command, env={**os.environ, RUN: runs}, check=True, stdout=subprocess.DEVNULL, timeout=60)
        pids.append(int(eventually(lambda: (file.exists() and file.read_text()) or None)))
        eventually(lambda: b"sleep" in Path(f"/proc/{pids[-1]}/cmdline").read_bytes())
        return pids[-1]

    yield start
    for pid in pids:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    """A worker that lives."""
    made = Living(tmp_path, tmp_path)
    yield made
    made.close()


#: Says the name of what a worker runs, and lives until it is killed.
WORKER = """
import pathlib, signal, sys
from sweepstake.worker.leftovers.living import Living
folder = pathlib.Path(sys.argv[1])
living = Living(folder, folder)
print(living.name("a"), flush=True)
signal.pause()
"""


def start_worker(folder: Path) -> tuple["subprocess.Popen[str]", str]:
    """Start a worker; return its process, and the name of what it runs."""
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill it."""
    with process:
        process.kill()


def dead(folder: Path) -> str:
    """Return the name of what a worker ran that was killed."""
    process, name = start_worker(folder)
    kill(process)
    return name


def test_daemons_of_a_run_are_ended(daemon: Callable[[str], int]) -> None:
    """Those of the run, and of runs within it; no others."""
    outer, inner, other = daemon("one"), daemon(marked("two", {RUN: "one"})), daemon("three")
    assert end_processes({"one"}.__contains__) == 2
    eventually(lambda: not alive(outer) and not alive(inner))
    assert alive(other)
    assert end_processes({"three"}.__contains__) == 1


def test_what_runs_for_a_dead_worker_is_ended(daemon: Callable[[str], int], living: Living, tmp_path: Path) -> None:
    """By another one of the same state folder alone, and not what runs for one that lives."""
    left, kept = daemon(dead(tmp_path)), daemon(living.name("a"))
    elsewhere = Living(tmp_path, tmp_path / "other")
    assert end_processes_of_dead(elsewhere) == 0
    elsewhere.close()
    assert end_processes_of_dead(living) == 1
    eventually(lambda: not alive(left))
    assert alive(kept)


def test_a_worker_looks_after_those_that_die_while_it_runs(
    daemon: Callable[[str], int], living: Living, tmp_path: Path
) -> None:
    """What it ends is told."""
    told: list[str] = []
    process, name = start_worker(tmp_path)
    left = daemon(name)
    with ending_leftovers(living, None, told.append, pause=0.05):
        assert not told
        kill(process)
        eventually(lambda: told or None)
    assert told == ["ended processes whose worker had died: 1"]
    eventually(lambda: not alive(left))


def test_the_dead_are_forgotten_in_time(living: Living, tmp_path: Path) -> None:
    """Their files do not pile up, and what is left of them is found all the same."""
    name = dead(tmp_path)
    living.forget(living.dead(), age=60.0)
    assert len(living.dead()) == 1
    living.forget(living.dead(), age=-1.0)
    assert living.dead() == []
    with living.was_left(name) as left:
        assert left


def test_what_is_left_of_many_runs_is_looked_for_at_once(daemon: Callable[[str], int]) -> None:
    """On a thread, and for the last time at its end."""
    sweeper = Sweeper(between=600.0)
    first = daemon("one")
    sweeper.add("one")
    eventually(lambda: not alive(first))
    second, third = daemon("two"), daemon("three")
    sweeper.add("two")
    sweeper.add("three")
    assert alive(second)
    sweeper.close()
    eventually(lambda: not alive(second) and not alive(third))
