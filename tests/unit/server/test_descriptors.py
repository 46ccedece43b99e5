"""A process that runs out of file descriptors says so."""

import resource

import pytest

from sweepstake.server.descriptors import Descriptors


def test_it_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """As soon as nearly all are in use, and again while that lasts; before, nothing is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = Descriptors()
    descriptors.look(0.0)
    assert not caplog.records
    resource.setrlimit(resource.RLIMIT_NOFILE, (4, hard))
    try:
        for now in (1.0, 2.0, 60.9, 61.1):
            descriptors.look(now)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "ulimit -n" in caplog.text
