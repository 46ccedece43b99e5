"""A worker's side of the process that renews its leases."""

import errno
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sweepstake.config import read_config
from sweepstake.worker.heartbeat_process import HeartbeatProcess

#: Says that it is ready, and that whatever it hears of is to be pruned.
HEART = """
import json, sys
print('{"ready": true}', flush=True)
for line in sys.stdin:
    if "hold" in json.loads(line):
        print(json.dumps({"attempt": json.loads(line)["hold"], "signal": "prune"}), flush=True)
"""


def test_a_machine_without_room_gets_its_heartbeat_process_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What killed it may keep another from being started for a while; what is held needs one all the same."""
    started: list[subprocess.Popen[str]] = []
    again = threading.Event()
    real = subprocess.Popen

    def start(_: list[str], **options: Any) -> "subprocess.Popen[str]":
        if len(started) == 1 and "could not be started" not in caplog.text:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        started.append(real([sys.executable, "-S", "-c", HEART], **options))
        if len(started) == 2:
            again.set()
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    with closing(HeartbeatProcess(read_config(f"sqlite:///{tmp_path}/store.db", None), 1.0)) as heartbeats:
        heartbeats.wait()
        os.kill(started[0].pid, signal.SIGKILL)
        heartbeats.hold("attempt", 60.0, None)
        assert again.wait(120)
    assert started[1].returncode == 0
