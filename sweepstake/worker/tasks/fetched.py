"""Results of DONE attempts on this machine, for tasks that mount them: each fetched once, and not to be changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import field, frozen

from sweepstake.client import Experiment
from sweepstake.client.kept.fetching import fetch
from sweepstake.domain.names import file_name
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import Outcome
from sweepstake.errors import ClientRequestError, InvalidInputError
from sweepstake.folders import own_folder, usable, write_whole
from sweepstake.worker.locking import locked, opened
from sweepstake.worker.work import Preliminaries

__all__ = ["Fetched", "Loan"]

#: Seconds between two looks whether somebody else has fetched it.
_LOOK: Final = 0.2
#: Seconds after which what no task has used is removed.
_UNUSED: Final = 3600.0
_FILES: Final = "files"
#: Stands beside the files once all are there, and says what they are.
_WHOLE: Final = "whole.json"
_LOCK: Final = ".lock"


@frozen
class _Wanted:
    """The result of one job: that of its DONE attempt.

    Attributes:
        name: of the folder in which it is, among those of several jobs.
    """

    job: JobRecord
    attempt: int
    name: str


class Fetched:
    """Keeps results of others on this machine while tasks use them, and for an hour after.

    Several workers may share the folder: each result is locked while it is fetched, and while it is used.

    Args:
        state: this user's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state

    def clean(self, unused: float = _UNUSED) -> None:
        """Remove what nobody uses, and nobody has used for so many seconds."""
        root = self._state / "fetched"
        with suppress(OSError):
            for lock in list(root.glob(f"*{_LOCK}")):
                with opened(lock) as descriptor:
                    age = time.time() - os.fstat(descriptor).st_mtime
                    if age >= unused and locked(descriptor) and _is_at(lock, descriptor):
                        _remove(lock.with_suffix(""))
                        lock.unlink(missing_ok=True)

    @contextmanager
    def held(self, experiment: Experiment, wanted: Sequence[_Wanted], before: Preliminaries) -> Iterator[Path]:
        """Give the folder of results, which stays as it is until the end of the block."""
        self.clean()
        with usable(self._state, "SWEEPSTAKE_STATE"):
            entry = own_folder(self._state, "fetched") / _entry(experiment, wanted)
        lock = Path(f"{entry}{_LOCK}")
        while True:
            with opened(lock) as descriptor:
                if locked(descriptor, shared=True) and _is_at(lock, descriptor) and _is_whole(entry):
                    yield entry / _FILES
                    with suppress(OSError):
                        os.utime(descriptor)
                    return
            with opened(lock) as descriptor:
                if locked(descriptor) and _is_at(lock, descriptor) and not _is_whole(entry):
                    _fetch(experiment, wanted, entry, before)
                    continue
            before.pause(_LOOK)


@frozen
class Loan:
    """What one attempt has of other tasks' results, until it gives it back."""

    _fetched: Fetched
    _experiment: Experiment
    _job: JobRecord
    _held: ExitStack = field(factory=ExitStack)

    def result(self, task: str, before: Preliminaries) -> Path:
        """Return the folder with the result of a task that the job waited for.

        Of one job it is what its DONE attempt left; of several each has a folder of its id in it.

        Args:
            task: what it is called.
            before: see `Preliminaries`; a fetch that takes long ends with the attempt.

        Raises:
            InvalidInputError: there is no such result.
            StoreUnavailableError: the store is away.
            UnusableFolderError: there is no room for it on this machine.
            Interrupted: the attempt is to end.
        """
        try:
            wanted = list(self._wanted(task))
            if not wanted:
                raise InvalidInputError.at("datasets", f"this job waits for none of the task {task!r}")
            return self._held.enter_context(self._fetched.held(self._experiment, wanted, before))
        except InvalidInputError:
            raise
        except ClientRequestError as error:
            raise InvalidInputError.at("datasets", f"the result of task {task!r} cannot be had: {error}") from error

    def give_back(self) -> None:
        """Let go of all."""
        self._held.close()

    def _wanted(self, task: str) -> Iterator[_Wanted]:
        queue, reference = self._experiment.session.queue, self._job.reference
        for waited_for in queue.list_dependencies(reference, self._job.id):
            job = queue.get_job(reference, waited_for.id)
            if job.task != task:
                continue
            done = [each.number for each in queue.list_attempts(reference, job.id) if each.outcome is Outcome.DONE]
            if not done:
                raise InvalidInputError.at("datasets", f"the job {job.id!r} of task {task!r} has no DONE attempt")
            yield _Wanted(job, done[-1], file_name(job.id))


def _entry(experiment: Experiment, wanted: Sequence[_Wanted]) -> str:
    """Return the name of a folder that no other results have."""
    places = experiment.session.places
    whose = [(*places.attempt_of(each.job)[:2], str(each.attempt)) for each in wanted]
    digest = hashlib.sha256(json.dumps(whose).encode()).hexdigest()[:32]
    return f"{file_name(wanted[0].job.experiment)}+{digest}"


def _fetch(experiment: Experiment, wanted: Sequence[_Wanted], entry: Path, before: Preliminaries) -> None:
    with usable(entry, "SWEEPSTAKE_STATE"):
        _remove(entry)
        files = own_folder(entry, _FILES)
    for each in wanted:
        folder = files if len(wanted) == 1 else files / each.name
        fetch(experiment.session.queue, each.job, folder, each.attempt, lambda: before.pause(0))
    with usable(entry, "SWEEPSTAKE_STATE"):
        looks = {}
        for path, found in _found(files):
            path.chmod(0o555 if stat.S_ISDIR(found.st_mode) else 0o444)
            looks[str(path.relative_to(files))] = _looks(found)
        files.chmod(0o555)
        write_whole(entry / _WHOLE, json.dumps(looks).encode())


def _is_whole(entry: Path) -> bool:
    """Tell whether all is there, and nobody who may do everything has changed it."""
    try:
        there = json.loads((entry / _WHOLE).read_bytes())
    except (OSError, ValueError):
        return False
    files = entry / _FILES
    return bool(there == {str(path.relative_to(files)): _looks(found) for path, found in _found(files)})


def _looks(found: os.stat_result) -> list[int]:
    """Return by what it is seen that a file was written; of a folder nothing."""
    return [] if stat.S_ISDIR(found.st_mode) else [found.st_size, found.st_mtime_ns, found.st_ino]


def _found(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield all below a folder, those inside of one before it."""
    for here, folders, names in os.walk(folder, topdown=False):
        for name in (*names, *folders):
            path = Path(here, name)
            yield path, path.lstat()


def _remove(entry: Path) -> None:
    """Remove results, which nobody may write."""
    for path, found in _found(entry):
        if stat.S_ISDIR(found.st_mode):
            path.chmod(0o700)
    shutil.rmtree(entry, ignore_errors=True)


def _is_at(lock: Path, descriptor: int) -> bool:
    """Tell whether a file is still the one at its path: who removes results removes it with them."""
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
