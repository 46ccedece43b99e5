"""Which folders and files on this machine belong to a job."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from attrs import field, frozen

from sweepstake.domain.names import file_name
from sweepstake.domain.records import JobRecord
from sweepstake.folders import new_file, own_folder, usable

__all__ = ["Places"]


def _unknown() -> None:
    return None


@frozen(kw_only=True)
class Places:
    """Where the folders and files of a job are: found by the job itself, never by its name alone.

    Another job may have the same name: in a sweep that was deleted and begun anew, or in another store. So the folder's
    name says which job it is: the store's id, and the job's number in it, which is never used twice.

    Args:
        state: the state folder of this machine and user.
        checkpoints: the folder of all checkpoint folders.
        shared: whether that may belong to another user, as on a disk for several.
        store: returns the store's id, or None for a store that tells none.
    """

    state: Path
    checkpoints: Path
    shared: bool = False
    store: Callable[[], str | None] = field(default=_unknown)

    def checkpoint(self, job: JobRecord, *, held: bool) -> Path:
        """Return the folder for a job's checkpoints, which is made if it is not there.

        Args:
            job: the job as it is known.
            held: whether an attempt that runs here asks; its first one has no checkpoint yet.

        Raises:
            UnusableFolderError: it cannot be made, or used.
        """
        with usable(self.checkpoints, "SWEEPSTAKE_CHECKPOINTS"):
            below = (file_name(job.experiment), self._folder(job))
            if not self.checkpoints.joinpath(*below).exists():
                below = next(self._former(job, self.checkpoints, held=held), below)
            return own_folder(self.checkpoints, *below, shared=self.shared)

    def has_checkpoint(self, job: JobRecord) -> bool:
        """Tell whether something is in a job's folder for checkpoints, as it is seen from this machine."""
        with suppress(OSError):
            return any(self.checkpoints.joinpath(file_name(job.experiment), self._folder(job)).iterdir())
        return False

    def kept(self, job: JobRecord) -> Path:
        """Return the folder for those results of the running attempt that cannot be recorded; it is made.

        It lies beside the job's checkpoints, so that on a shared disk it outlasts the machine.

        Raises:
            UnusableFolderError: it cannot be made, or used.
        """
        with usable(self.checkpoints, "SWEEPSTAKE_CHECKPOINTS"):
            below = (file_name(job.experiment), f"{self._folder(job)}.kept", str(job.attempt))
            return own_folder(self.checkpoints, *below, shared=self.shared)

    def results(self, job: JobRecord) -> Path:
        """Return the folder in which the attempt that runs now leaves its results; it is made.

        Raises:
            UnusableFolderError: it cannot be made, or used.
        """
        with usable(self.state, "SWEEPSTAKE_STATE"):
            return own_folder(self.state, "results", *self.attempt_of(job))

    def attempt_of(self, job: JobRecord) -> tuple[str, str, str]:
        """Return the names of folders by which the last attempt at a job is told from all others."""
        return file_name(job.experiment), self._folder(job), str(job.attempt)

    def output(self, job: JobRecord, attempt: int) -> Path:
        """Return the file in which an attempt's output is kept on the machine that ran it."""
        root = self.state / "output"
        name = f"{attempt}.log"
        file = root.joinpath(file_name(job.experiment), self._folder(job), name)
        if file.exists():
            return file
        former = (root.joinpath(*folder, name) for folder in self._former(job, root, held=False))
        return next((each for each in former if each.exists()), file)

    def new_output(self, job: JobRecord) -> IO[bytes]:
        """Open the file for the output of the attempt that runs now, without a buffer.

        Raises:
            UnusableFolderError: it cannot be made.
        """
        with usable(self.state, "SWEEPSTAKE_STATE"):
            folder = own_folder(self.state, "output", file_name(job.experiment), self._folder(job))
            return new_file(folder / f"{job.attempt}.log", buffering=0)

    def _folder(self, job: JobRecord) -> str:
        store = self.store()
        return _anonymous(job) if store is None else _named(job, store)

    def _former(self, job: JobRecord, root: Path, *, held: bool) -> Iterator[tuple[str, str]]:
        """Yield where an older folder of the job may be: made when its store told no id, or by an earlier release."""
        experiment, anonymous, job_id = file_name(job.experiment), _anonymous(job), file_name(job.id)
        if (root / experiment / anonymous).exists():
            yield experiment, anonymous
        old = experiment.replace("+", "."), job_id.replace("+", ".")  # as releases before cut long names
        begun = job.attempt - 1 if held else job.attempt
        if begun > 0 and _is_since(root.joinpath(*old), job.created_at):
            yield old


def _anonymous(job: JobRecord) -> str:
    """Return the name of a job's folder if its store tells no id: the time at which it was made is nearly as good."""
    return _named(job, f"{job.created_at:.6f}")


def _named(job: JobRecord, whose: str) -> str:
    """Return the name of a job's folder, which no folder that is named after a job's id alone can have."""
    identity = hashlib.sha256(f"{whose} {job.seq}".encode()).hexdigest()[:16]
    return f"{file_name(job.id)}+{identity}"


def _is_since(folder: Path, moment: float) -> bool:
    """Tell whether a folder is there and nothing in it is older than this moment.

    Files may be given older times, as by `tar`, but not the time at which the disk heard of them.
    """
    try:
        if not folder.is_dir() or folder.stat().st_mtime < moment:
            return False
        for here, folders, files in os.walk(folder, onerror=_raise):
            for name in (*folders, *files):
                if Path(here, name).lstat().st_ctime < moment:
                    return False
    except OSError:
        return False
    return True


def _raise(error: OSError) -> None:
    raise error
