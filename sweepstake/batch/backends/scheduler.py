"""A backend that is a scheduler's commands: whatever it is called with is said by its dialect."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import Answer, Run, run_command
from sweepstake.batch.backends.clusters import Cluster
from sweepstake.batch.backends.submissions import Submission
from sweepstake.errors import ConfigurationError, SubmissionError, SubmissionLostError
from sweepstake.folders import write_whole

__all__ = ["Backend", "Dialect", "Scheduler"]


#: What a person can do if a scheduler does not tell what there is.
_SAY_IT = "Say it with --capacity nodes=1,cpus=8,gpus=2."
#: What becomes of what may have been submitted.
_LOST = (
    "Whether it was submitted is not known yet: `sweepstake batch status` looks for it by its name, and what is not "
    "there after half a minute can be submitted again."
)


class Backend(Protocol):
    """Where batches are submitted."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        ...

    @property
    def supports_dependencies(self) -> bool:
        """Tell whether it lets an allocation wait for others."""
        ...

    @property
    def has_arrays(self) -> bool:
        """Tell whether one submission may ask for several allocations."""
        ...

    def cluster(self, partition: str | None) -> Cluster:
        """Return what a partition has, or the usual one.

        Raises:
            ConfigurationError: the scheduler does not say it.
        """
        ...

    def script(self, submission: Submission) -> str:
        """Return what would be submitted; it does nothing else."""
        ...

    def submit(self, submission: Submission) -> Sequence[str]:
        """Ask for allocations; return the id of each, in the order of the submission's commands.

        Raises:
            SubmissionError: it was refused, with the scheduler's own words; nothing was submitted.
            SubmissionLostError: there is no answer, so that it may have been submitted.
        """
        ...

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of an allocation is that was submitted with this folder and name."""
        ...

    def poll(self, named: Mapping[str, str]) -> Mapping[str, Allocation]:
        """Return what became of allocations, by their ids, which are given with the names they were submitted with."""
        ...

    def find(self, names: Iterable[str]) -> Mapping[str, Allocation] | None:
        """Return the allocations that have one of these names, by their ids; None if nobody answered."""
        ...

    def cancel(self, named: Mapping[str, str]) -> None:
        """End allocations, which are given as for `poll`; one that has ended, or is another's by now, is left alone.

        Raises:
            SubmissionError: nobody answered.
        """
        ...


class Dialect(Protocol):
    """What one scheduler is told and answers: without I/O, so that every surprise can be tested as it was recorded."""

    name: str
    supports_dependencies: bool
    has_arrays: bool
    #: What its commands say when they had no answer, and none that it was refused.
    silences: Sequence[str]

    def cluster_call(self) -> Sequence[str]:
        """Return the call that asks what there is."""
        ...

    def read_cluster(self, output: str, partition: str | None) -> Cluster | None:
        """Return what a partition has, or the usual one; None if that is not said."""
        ...

    def script(self, submission: Submission) -> str:
        """Return what is submitted."""
        ...

    def variables_file(self, submission: Submission) -> Path | None:
        """Return the file in which the script finds variables; None if the scheduler hands them on."""
        ...

    def submit_call(self) -> Sequence[str]:
        """Return the call that takes a script as its input."""
        ...

    def jobid(self, output: str) -> str:
        """Return the id in the answer to a submission."""
        ...

    def members(self, jobid: str, count: int) -> Sequence[str]:
        """Return the id of each allocation of a submission."""
        ...

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of an allocation is."""
        ...

    def status_call(self, jobids: Iterable[str]) -> Sequence[str]:
        """Return the one call that asks for many allocations."""
        ...

    def find_call(self, names: Iterable[str]) -> Sequence[str]:
        """Return the call that asks which allocations have these names."""
        ...

    def cancel_calls(self, named: Mapping[str, str]) -> Iterator[Sequence[str]]:
        """Give the calls that end allocations, each only if it still has its name."""
        ...

    def read(self, answer: Answer) -> Mapping[str, Allocation] | None:
        """Return what is said of each allocation, by its id; None if nobody answered."""
        ...


class Scheduler:
    """The scheduler of a cluster, by its commands.

    A scheduler may forget ids that it has given out, and give their numbers out again: so an id is believed only
    together with the name that the allocation was submitted with.

    Args:
        dialect: which scheduler.
        run: runs its commands.
        variables: for its allocations, if it does not hand on those of whoever submits.
    """

    def __init__(
        self, dialect: Dialect, run: Run = run_command, variables: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._dialect = dialect
        self._run = run
        self._variables = variables

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return self._dialect.name

    @property
    def supports_dependencies(self) -> bool:
        """Tell whether it lets an allocation wait for others."""
        return self._dialect.supports_dependencies

    @property
    def has_arrays(self) -> bool:
        """Tell whether one submission may ask for several allocations."""
        return self._dialect.has_arrays

    def cluster(self, partition: str | None) -> Cluster:
        """Return what a partition has, or the usual one: see `Backend.cluster`."""
        answer = self._run(self._dialect.cluster_call(), "")
        if answer.code != 0:
            raise ConfigurationError(f"{self.name} does not say what there is: {answer.complaint}. {_SAY_IT}")
        found = self._dialect.read_cluster(answer.output, partition)
        if found is None:
            where = "" if partition is None else f" in {partition!r}"
            raise ConfigurationError(f"{self.name} names no nodes{where}. {_SAY_IT}")
        return found

    def script(self, submission: Submission) -> str:
        """Return what would be submitted."""
        return self._dialect.script(submission)

    def submit(self, submission: Submission) -> Sequence[str]:
        """Ask for allocations: see `Backend.submit`."""
        file = self._dialect.variables_file(submission)
        if file is not None:
            lines = [f"export {name}={shlex.quote(value)}" for name, value in self._variables.items()]
            try:
                write_whole(file, "\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
            except OSError as error:
                raise SubmissionError(f"Nothing was submitted, as {file} cannot be written: {error}") from error
        answer = self._run(self._dialect.submit_call(), self.script(submission))
        jobid = self._dialect.jobid(answer.output) if answer.code == 0 else ""
        silent = any(words in answer.errors for words in self._dialect.silences)
        if answer.lost or (silent and not jobid) or (answer.code == 0 and not jobid):
            raise SubmissionLostError(f"{self.name} did not answer: {answer.complaint}. {_LOST}")
        if answer.code != 0:
            raise SubmissionError(f"{self.name} refused it: {answer.complaint}")
        return self._dialect.members(jobid, len(submission.commands))

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of an allocation is: see `Backend.log`."""
        return self._dialect.log(folder, name, jobid)

    def poll(self, named: Mapping[str, str]) -> Mapping[str, Allocation]:
        """Return what became of allocations, in one call: see `Backend.poll`."""
        if not named:
            return {}
        answer = self._run(self._dialect.status_call(named), "")
        found = self._dialect.read(answer)
        if found is None:
            silent = f"{self.name} did not answer: {answer.complaint}"
            return {jobid: Allocation(jobid=jobid, state=AllocationState.UNKNOWN, reason=silent) for jobid in named}
        return {jobid: self._known(jobid, name, found) for jobid, name in named.items()}

    def find(self, names: Iterable[str]) -> Mapping[str, Allocation] | None:
        """Return the allocations that have one of these names: see `Backend.find`."""
        return self._dialect.read(self._run(self._dialect.find_call(names), ""))

    def cancel(self, named: Mapping[str, str]) -> None:
        """End allocations: see `Backend.cancel`."""
        up = {each.jobid: named[each.jobid] for each in self.poll(named).values() if not each.is_over}
        for call in self._dialect.cancel_calls(up):
            answer = self._run(call, "")
            if answer.code != 0 and not all(each.is_over for each in self.poll(up).values()):
                raise SubmissionError(f"{self.name} did not cancel {', '.join(up)}: {answer.complaint}")

    def _known(self, jobid: str, name: str, found: Mapping[str, Allocation]) -> Allocation:
        """Return what is known of an allocation, which its scheduler may have forgotten."""
        one = found.get(jobid) or found.get(jobid.partition("_")[0])
        if one is None:
            return _gone(jobid, f"{self.name} knows it no more")
        if one.name != name:
            return _gone(jobid, f"{self.name} gave its number out again, to {one.name!r}")
        return Allocation(
            jobid=jobid, state=one.state, name=name, reason=one.reason, left=one.left, hopeless=one.hopeless
        )


def _gone(jobid: str, why: str) -> Allocation:
    return Allocation(jobid=jobid, state=AllocationState.UNKNOWN, reason=why, gone=True)
