"""Backends of other packages, which may know less than ours: what is missing is made up for, or said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.clusters import Cluster
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.backends.submissions import Submission
from sweepstake.errors import ConfigurationError

__all__ = ["PlainBackend", "adapted"]

#: What a whole backend has beyond a plain one.
_MORE = ("has_arrays", "cluster", "log", "find")


class PlainBackend(Protocol):
    """The least that a backend must be."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        ...

    @property
    def supports_dependencies(self) -> bool:
        """Tell whether it lets an allocation wait for others."""
        ...

    def script(self, submission: Submission) -> str:
        """Return what would be submitted; it does nothing else."""
        ...

    def submit(self, submission: Submission) -> str | Sequence[str]:
        """Ask for an allocation, and return its id.

        Raises:
            SubmissionError: it was refused, with the scheduler's own words, or nobody answered.
        """
        ...

    def poll(self, jobids: Mapping[str, str]) -> Mapping[str, Allocation | str]:
        """Return what became of allocations, or only the state of each, by their ids.

        The ids are given with the names that the allocations were submitted with: a scheduler that may give a number
        out again must look at both.
        """
        ...

    def cancel(self, jobids: Mapping[str, str]) -> None:
        """End allocations, which are given as for `poll`.

        Raises:
            SubmissionError: nobody answered.
        """
        ...


def adapted(backend: PlainBackend | Backend) -> Backend:
    """Return a backend that has all that is asked of one."""
    whole: Any = backend if all(hasattr(backend, name) for name in _MORE) else _Adapted(backend)
    made: Backend = whole
    return made


class _Adapted:
    """A plain backend, with what it lacks: it is submitted to one by one, and is not asked what there is."""

    has_arrays = False

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return str(self._backend.name)

    @property
    def supports_dependencies(self) -> bool:
        """Tell whether it lets an allocation wait for others."""
        return bool(self._backend.supports_dependencies)

    def cluster(self, partition: str | None) -> Cluster:
        """Refuse to say what there is: see `Backend.cluster`."""
        del partition
        raise ConfigurationError(
            f"{self.name} does not say what there is. Say it with --capacity nodes=1,cpus=8,gpus=2."
        )

    def script(self, submission: Submission) -> str:
        """Return what would be submitted."""
        return str(self._backend.script(submission))

    def submit(self, submission: Submission) -> Sequence[str]:
        """Ask for an allocation: see `Backend.submit`."""
        found = self._backend.submit(submission)
        return [found] if isinstance(found, str) else list(found)

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of an allocation is, if it is put where ours put it: see `Backend.log`."""
        del name
        return folder / f"{jobid}.log"

    def poll(self, named: Mapping[str, str]) -> Mapping[str, Allocation]:
        """Return what became of allocations; one that is not told of is UNKNOWN: see `Backend.poll`."""
        found = self._backend.poll(named) if named else {}
        return {jobid: _allocation(jobid, name, found.get(jobid)) for jobid, name in named.items()}

    def find(self, names: Iterable[str]) -> Mapping[str, Allocation] | None:
        """Find none: nobody can ask such a scheduler by name. One that is there finds its batch over, and ends."""
        del names
        return {}

    def cancel(self, named: Mapping[str, str]) -> None:
        """End allocations: see `Backend.cancel`."""
        if named:
            self._backend.cancel(named)


def _allocation(jobid: str, name: str, said: Any) -> Allocation:
    if isinstance(said, Allocation):
        return said
    state = AllocationState.UNKNOWN if said is None else AllocationState(getattr(said, "value", said))
    return Allocation(jobid=jobid, state=state, name=name)
