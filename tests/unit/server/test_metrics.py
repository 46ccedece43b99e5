"""The folder in which processes of a server count together."""

import fcntl
import os
import tempfile
import time
from pathlib import Path

import pytest

from sweepstake.server.metrics import counting_together


def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But not the folders of servers that live, or begin to, nor links, nor what is called otherwise."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    names = ("dead", "live", "new", "old")
    dead, live, new, old = (tmp_path / f"sweepstake-metrics-{name}" for name in names)
    other = tmp_path / "other"
    for folder in (dead, live, new, old, other):
        folder.mkdir()
        (folder / "counter_1.db").touch()
    for folder in (dead, live, other):
        (folder / "alive").touch()
    (tmp_path / "sweepstake-metrics-link").symlink_to(other)
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    with (live / "alive").open() as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        with counting_together():
            assert os.environ["PROMETHEUS_MULTIPROC_DIR"].startswith(str(tmp_path))
            assert [each.exists() for each in (dead, live, new, old, other / "alive")] == [0, 1, 1, 0, 1]
        assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
