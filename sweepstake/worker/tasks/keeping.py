"""What an attempt of a task leaves, its files and its output, kept with the store while it runs and at its end."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from attrs import field, frozen

from sweepstake.client.kept.keeping import FilesKeeper, OutputKeeper
from sweepstake.domain.records import Claim
from sweepstake.errors import NotFoundError, StoreUnavailableError, SweepstakeError, UnusableFolderError
from sweepstake.plaintext import printable
from sweepstake.queue.call import Patience, no_patience
from sweepstake.queue.queue import Queue
from sweepstake.worker.process import no_room
from sweepstake.worker.tasks.later import Later
from sweepstake.worker.work import Kept

__all__ = ["INTERVAL", "KeepOptions", "TaskKeeping"]

#: Seconds between two looks for files that have changed.
INTERVAL: Final = 30.0
#: Seconds between two looks for output, which people follow.
_OUTPUT_INTERVAL: Final = 2.0
#: How often files are read that change while they are read, when the attempt has ended.
_TRIES: Final = 3
#: How many of the files that are not kept are named.
_NAMED: Final = 5

_logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class KeepOptions:
    """How what attempts leave is kept.

    Attributes:
        interval: seconds between two looks for files that have changed.
        keep: of how many earlier attempts of a job the files stay; None: of all.
        later: begins to look.
    """

    interval: float = INTERVAL
    keep: int | None = None
    later: Later = field(factory=Later, eq=False, repr=False)


class TaskKeeping:
    """Keeps what an attempt leaves, within a block; see `sweepstake.worker.work.Keeping`.

    What cannot be kept on the way is tried again at the next look. Most attempts that end soon are never looked at
    before their end, so the thread that looks begins with the first look.

    Args:
        queue: where it is kept.
        claim: the attempt.
        results: the folder in which it leaves its files; it goes once all of them are kept.
        output: the file of its output, which goes as well.
        options: how.
    """

    def __init__(self, queue: Queue, claim: Claim, results: Path, output: Path, options: KeepOptions) -> None:
        self._files = FilesKeeper(queue, claim, results, options.keep)
        self._output = OutputKeeper(queue, claim, output)
        self._results = results
        self._printed = output
        self._interval = options.interval
        self._pause = min(options.interval, _OUTPUT_INTERVAL)
        self._later = options.later
        self._looked = time.monotonic()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._told = ""

    def __enter__(self) -> Self:
        """Begin to look.

        Raises:
            OSError: this machine has no room for another thread.
        """
        try:
            self._call_off = self._later.call(self._pause, self._begin)
        except RuntimeError as error:
            raise no_room(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look no more; what was kept by then stays."""
        self._end()

    def finish(self, patience: Patience) -> Kept:
        """Keep all that the attempt left; see `Keeping.finish`."""
        self._end()
        if self._thread is not None:
            self._thread.join()
        try:
            self._copy_all(patience)
        except NotFoundError:  # the job is gone, and with it all that is kept of it
            return Kept()
        except UnusableFolderError as error:
            raise UnusableFolderError(f"{error}; {self._here()}") from error
        except SweepstakeError as error:
            what = f"what it left could not be kept: {error}; {self._here()}"
            return Kept(problem=what, again=isinstance(error, StoreUnavailableError))
        if self._files.left_out:
            return Kept(note=f"not kept: {_named(self._files.left_out)}; {self._here()}")
        self._tidy()
        return Kept()

    def _tidy(self) -> None:
        """Leave nothing on this machine, not even a folder for each job that it ever ran."""
        shutil.rmtree(self._results, ignore_errors=True)
        self._printed.unlink(missing_ok=True)
        for folder in (self._results.parent, self._printed.parent):
            with suppress(OSError):  # it holds what another attempt at the job has left
                folder.rmdir()

    def _copy_all(self, patience: Patience) -> None:
        self._output.copy(patience)
        for tries_left in reversed(range(_TRIES)):
            try:
                self._files.copy(patience, last=True)
            except SweepstakeError as error:
                if isinstance(error, (StoreUnavailableError, UnusableFolderError, NotFoundError)) or not tries_left:
                    raise
            else:
                if not self._files.unsettled:
                    return
        if self._files.unsettled:
            self._files.left_out["a file"] = "changed whenever it was read"

    def _here(self) -> str:
        return f"on the machine that ran it, it is in {self._results}"

    def _begin(self) -> None:
        """Let a thread look from now on."""
        with self._lock:
            if self._over.is_set():
                return
            thread = threading.Thread(target=self._go_on, name="sweepstake-keeping", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self._tell(str(no_room(error)))
                self._call_off = self._later.call(self._pause, self._begin)
            else:
                self._thread = thread

    def _end(self) -> None:
        """Let no other look begin."""
        with self._lock:
            self._over.set()
            self._call_off()

    def _go_on(self) -> None:
        """Look again and again."""
        while not self._over.is_set():
            try:
                self._output.copy(no_patience)
                if time.monotonic() - self._looked >= self._interval:
                    self._files.copy(no_patience)
                    self._looked = time.monotonic()
            except (SweepstakeError, OSError) as error:
                self._tell(str(error))
            self._over.wait(self._pause)

    def _tell(self, problem: str) -> None:
        """Log what is in the way, once as long as it is the same."""
        if problem != self._told:
            _logger.warning("What is in %s cannot be kept now: %s", self._results, problem)
        self._told = problem


def _named(left_out: dict[str, str]) -> str:
    named = [f"{printable(path)!r} ({why})" for path, why in sorted(left_out.items())[:_NAMED]]
    more = len(left_out) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more else "")
