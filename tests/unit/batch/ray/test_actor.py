"""What an actor finds in the way on its node, and how it starts a worker there and ends it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from sweepstake.batch.ray.actor import SweepstakeWorker, problem_with
from sweepstake.batch.ray.orders import written_order
from sweepstake.config import Config
from tests.kit.checkout import ROOT
from tests.kit.lab import eventually

_TOKEN = "a-token-that-nobody-shall-see"


def _order(**changes: Any) -> dict[str, Any]:
    config = Config(
        url="https://sweeps.example.org", token=_TOKEN, state=Path("/state"), checkpoints=Path("/checkpoints")
    )
    order: dict[str, Any] = json.loads(
        written_order(config, "pass", ["mnist"], None, version("sweepstake"), environment={})
    )
    return {**order, **changes}


def test_a_node_like_this_one_has_nothing_in_the_way() -> None:
    """It has the same Sweepstake and Python, and the folder."""
    assert problem_with(_order()) == ""


@pytest.mark.parametrize(
    "changes,words",
    [
        ({"version": "99.1"}, ["is ", "99.1 here", "install the same"]),
        ({"python": ["3", "6"]}, ["Python is", "3.6 here"]),
        ({"folder": "/no/such/folder"}, ["/no/such/folder", "--working-dir"]),
        ({"host": "elsewhere", "only_here": "it is a file"}, ["is not elsewhere", "it is a file"]),
    ],
)
def test_what_is_in_the_way_on_a_node_is_told_with_what_to_do(changes: dict[str, Any], words: list[str]) -> None:
    """A node with other versions, without the folder, or that cannot reach the store says so, and where it is."""
    told = problem_with(_order(**changes))
    assert all(word in told for word in [*words, socket.gethostname()]), told


def test_a_worker_finds_the_connection_in_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this user can read it, it is no argument and no variable, and it is gone once the worker has ended."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SWEEPSTAKE_TOKEN", "of whoever started Ray")
    monkeypatch.setattr(tempfile, "tempdir", None)
    program = (
        "import json, os, sys; file = sys.argv[1];"
        "print(json.dumps([os.stat(file).st_mode & 0o777, os.stat(os.path.dirname(file)).st_mode & 0o777,"
        "json.load(open(file))['token'], sys.argv[1:], dict(os.environ)]), flush=True);"
        "sys.stdin.read()"
    )
    actor = SweepstakeWorker()
    actor.start(_order(program=program, folder=str(tmp_path)))
    said = actor.news(0)
    mode, folder, token, arguments, environment = json.loads(said["lines"][0])
    assert (mode, folder, token) == (0o600, 0o700, _TOKEN)
    assert _TOKEN not in json.dumps([arguments, environment])
    assert "SWEEPSTAKE_TOKEN" not in environment
    os.close(actor.leash)
    assert actor.news(1) == {"lines": [], "end": {"code": None, "jobs": 0}}
    assert not list(tmp_path.glob("sweepstake-ray-*"))


def test_a_worker_ends_with_the_raylet_though_the_actor_lives_on(tmp_path: Path) -> None:
    """Ray leaves actors that are in a call behind when it has lost its cluster: their workers end all the same."""
    order = _order(program="import sys; sys.stdin.read(); open('ended', 'w')", folder=str(tmp_path))
    actor = (
        "import json, os, sys, time; from sweepstake.batch.ray.actor import SweepstakeWorker;"
        "SweepstakeWorker().start(json.loads(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(600)"
    )
    raylet = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    process = subprocess.Popen(
        [sys.executable, "-c", raylet, actor, json.dumps(order)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        try:
            process.kill()
            eventually((tmp_path / "ended").exists)
            os.kill(pid, 0)
        finally:
            os.kill(pid, signal.SIGKILL)
