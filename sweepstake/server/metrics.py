"""What a server counts of its answers, for Prometheus."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sweepstake.errors import ServerError

__all__ = ["METRICS", "Metrics", "counting_together"]

#: Where it is shown.
METRICS: Final = "/metrics"

#: By this the library knows that several processes count together, and where; it looks when it is imported.
_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

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
    with tempfile.TemporaryDirectory(prefix="sweepstake-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_FOLDER]
