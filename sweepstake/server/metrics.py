"""What a server counts of its answers, for Prometheus."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sweepstake.errors import ServerError

__all__ = ["METRICS", "Metrics", "counting_together"]

#: Where it is shown.
METRICS: Final = "/metrics"

#: By this the library knows that several processes count together, and where; it looks when it is imported.
_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX: Final = "sweepstake-metrics-"
#: The file that a server holds locked while it lives, and the time in which it makes that.
_ALIVE: Final = "alive"
_SECONDS_TO_MARK: Final = 60.0

_logger = logging.getLogger(__name__)


class Metrics:
    """Counts answers by operation and status, and measures how long they took.

    Nothing that it shows names a user, an experiment or a job.
    """

    def __init__(self) -> None:
        self._failed = False
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "sweepstake_answers", "Requests that were answered.", ("operation", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "sweepstake_answer_seconds",
            "How long answers took, waits included.",
            ("operation",),
            registry=self._registry,
        )

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Count one answer; whatever goes wrong with that, the answer is given."""
        try:
            self._answers.labels(operation, str(status)).inc()
            self._seconds.labels(operation).observe(seconds)
        except (OSError, ValueError) as error:  # somebody has removed or filled the folder in which processes count
            if not self._failed:
                _logger.warning("Answers are not counted any more: %s", error)
            self._failed = True

    def page(self) -> tuple[bytes, str]:
        """Return what was counted so far, by all processes of the server, and the type of that text.

        Raises:
            ServerError: it cannot be read.
        """
        try:
            return self._page()
        except (OSError, ValueError) as error:
            raise ServerError(f"what was counted cannot be read: {error}") from error

    def _page(self) -> tuple[bytes, str]:
        registry = self._registry
        if _FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # its only argument has no type
        return generate_latest(registry), CONTENT_TYPE_LATEST


@contextmanager
def counting_together() -> Iterator[None]:
    """Let the processes that are started within the block count together, unless they were told where already."""
    if _FOLDER in os.environ:
        yield
        return
    _forget_the_dead()
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder, _marked(Path(folder)):
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_FOLDER]


@contextmanager
def _marked(folder: Path) -> Iterator[None]:
    """Lock a file in the folder for as long as this process lives, so that others see that it does."""
    with (folder / _ALIVE).open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        yield


def _forget_the_dead() -> None:
    """Remove what servers of this user left behind that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not _is_alive(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # somebody else was quicker
            continue


def _is_alive(folder: Path) -> bool:
    """Tell whether the process that made the folder still runs, or makes it just now."""
    try:
        with (folder / _ALIVE).open() as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return time.time() - folder.lstat().st_mtime < _SECONDS_TO_MARK
    except OSError:
        return True
    return False
