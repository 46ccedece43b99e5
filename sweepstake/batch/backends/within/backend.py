"""The backend whose allocations are parts of one that a person has already: nobody waits for it a second time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import Run, run_command
from sweepstake.batch.backends.clusters import Cluster
from sweepstake.batch.backends.inside import ALLOCATION, ENDS
from sweepstake.batch.backends.scheduler import Dialect
from sweepstake.batch.backends.submissions import Submission
from sweepstake.batch.backends.within.held import Held
from sweepstake.batch.backends.within.processes import Child, read_kept, start, write_kept
from sweepstake.batch.backends.within.starting import environment_of, find_step, script_of, start_calls, stop_call
from sweepstake.errors import SubmissionError
from sweepstake.folders import own_folder, write_whole

__all__ = ["Within"]

#: Seconds that what is asked to end has for it, before it is killed: workers give back within ten.
_PATIENCE: Final = 15.0
_LOOK: Final = 0.1


class Within:
    """Parts of an allocation as allocations: each has some of its nodes, all of each, until its worker has ended.

    Each is called as the allocation, a dot, and the end of the batch's name. What was started goes on when who started
    it has died, and is found again by small files in the state folder.

    Args:
        dialect: of the scheduler.
        state: the state folder.
        held: the allocation, if this process is in it; else it is only told what became of parts.
        environment: variables beside those of this process that workers get.
        run: runs the scheduler's commands.
    """

    supports_dependencies = False
    has_arrays = False

    def __init__(
        self,
        dialect: Dialect,
        state: Path,
        held: Held | None = None,
        environment: Mapping[str, str] | None = None,
        run: Run = run_command,
    ) -> None:
        self._dialect = dialect
        self._state = state
        self._held = held
        self._ends = None if held is None or held.left is None else time.time() + held.left
        self._environment = {**os.environ, **(environment or {})}
        self._run = run
        self._children = dict[str, Child]()
        self._failed = set[str]()
        self._is_over = False

    @property
    def name(self) -> str:
        """What it is called in the queue."""
        return f"in-{self._dialect.name}"

    @property
    def left(self) -> float | None:
        """Seconds until the allocation ends; None if it has no end that is known."""
        return None if self._ends is None else max(self._ends - time.time(), 0.0)

    def cluster(self, partition: str | None) -> Cluster:
        """Return what the allocation has."""
        del partition
        return Cluster(capacity=self._here().capacity, longest=self.left)

    def free(self) -> tuple[str, ...]:
        """Return the nodes on which nothing runs that was started here, by whomever."""
        held = self._here()
        kept = [found for path in self._files() if (found := read_kept(path)) is not None]
        taken = {node for each in kept if each.is_here and each.is_alive for node in each.nodes}
        return tuple(node for node in held.nodes if node not in taken)

    def is_busy(self) -> bool:
        """Tell whether something runs that was started here."""
        return len(self.free()) < len(self._here().nodes)

    def is_over(self) -> bool:
        """Tell whether the allocation has ended; its scheduler is asked once something in it has failed."""
        failed = {jobid for jobid, child in self._children.items() if child.code}
        if failed > self._failed and not self._is_over:
            held, self._failed = self._here(), failed
            found = self._dialect.read(self._run(self._dialect.status_call([held.jobid]), ""))
            whole = None if found is None else found.get(held.jobid)
            self._is_over = found is not None and (whole is None or whole.is_over or whole.ending)
        return self._is_over

    def is_mine(self, jobid: str | None) -> bool:
        """Tell whether a part is one of this allocation."""
        return jobid is not None and jobid.rpartition(".")[0] == self._here().jobid

    def script(self, submission: Submission) -> str:
        """Return what is run for a submission, as a shell would be told it."""
        held = self._here()
        nodes = held.nodes[: submission.nodes]
        calls = start_calls(held, nodes, submission.commands[0], submission.name, Path("SCRIPT"))
        return "\n".join(" ".join(call) for call in calls) + "\n"

    def submit(self, submission: Submission) -> Sequence[str]:
        """Start a worker on free nodes: see `Backend.submit`."""
        held, free = self._here(), self.free()
        if len(free) < submission.nodes:
            raise SubmissionError(f"{submission.nodes} nodes are needed, and {len(free)} of {held.jobid} are free")
        nodes, (arguments,) = free[: submission.nodes], submission.commands
        jobid = f"{held.jobid}.{submission.name.rpartition('-')[2]}"
        own = {**self._environment, **submission.site.environment, ALLOCATION: jobid}
        if self._ends is not None:
            own[ENDS] = f"{jobid}@{self._ends:.1f}"
        try:
            script = self._file(jobid).with_suffix(".sh")
            if held.scheduler == "pbs":
                write_whole(script, script_of(arguments, str(Path.cwd()), own).encode("utf-8", "surrogateescape"))
            calls = start_calls(held, nodes, arguments, submission.name, script)
            child = start(calls, environment_of(held, own), self.log(submission.folder, submission.name, jobid))
        except OSError as error:
            raise SubmissionError(f"{self.name} could not start it: {error}") from error
        self._children[jobid] = child
        write_kept(self._file(jobid), child, nodes)
        return [jobid]

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of a worker is."""
        del name
        return folder / f"{jobid}.log"

    def poll(self, named: Mapping[str, str]) -> Mapping[str, Allocation]:
        """Return what became of parts: see `Backend.poll`."""
        return {jobid: self._known(jobid, name) for jobid, name in named.items()}

    def find(self, names: Iterable[str]) -> Mapping[str, Allocation] | None:
        """Return those that have one of these names: see `Backend.find`."""
        wanted = {name.rpartition("-")[2]: name for name in names}
        found = ((path.stem, wanted.get(path.stem.rpartition(".")[2])) for path in self._files())
        return {jobid: self._known(jobid, name) for jobid, name in found if name is not None}

    def cancel(self, named: Mapping[str, str]) -> None:
        """End parts, and return when they have ended: see `Backend.cancel`.

        Raises:
            SubmissionError: one was started on another machine, where alone it can be ended.
        """
        up = self._up(named)
        for jobid in up:
            if (found := read_kept(self._file(jobid))) is None or not found.is_here:
                raise SubmissionError(
                    f"{jobid} is a part of an allocation that a person has, and cannot be ended from here: end it by "
                    f"Ctrl-C in its `sweepstake batch run`, or end all of {jobid.rpartition('.')[0]}"
                )
        for ask in (self._ask, self._kill):
            for jobid in up:
                ask(jobid, up[jobid])
            until = time.monotonic() + _PATIENCE
            while up and time.monotonic() < until:
                time.sleep(_LOOK)
                up = self._up(up)
        if up:
            raise SubmissionError(f"{self.name} did not end {', '.join(up)}: look at their processes")

    def wait(self, seconds: float) -> None:
        """Wait so long, or until one of those that run has ended."""
        until = time.monotonic() + seconds
        before = self.free()
        while time.monotonic() < until and self.free() == before:
            time.sleep(_LOOK)

    def _here(self) -> Held:
        assert self._held is not None, "parts are started inside the allocation alone"
        return self._held

    def _known(self, jobid: str, name: str) -> Allocation:
        if (child := self._children.get(jobid)) is not None and (code := child.code) is not None:
            self._forget(jobid)
            state = AllocationState.FAILED if code else AllocationState.DONE
            return Allocation(jobid=jobid, state=state, name=name, reason=f"exit code {code}" if code else "")
        found = read_kept(self._file(jobid))
        if found is not None and found.is_here and (child is not None or found.is_alive):
            return Allocation(jobid=jobid, state=AllocationState.RUNNING, name=name, left=self.left)
        if found is not None and found.is_here:
            self._forget(jobid)
        elif found is None and self._held is not None and jobid.startswith(f"{self._held.jobid}."):
            pass
        else:
            return self._as_the_whole(jobid, name)
        gone = "nothing of it runs any more"
        return Allocation(jobid=jobid, state=AllocationState.UNKNOWN, name=name, reason=gone, gone=True)

    def _as_the_whole(self, jobid: str, name: str) -> Allocation:
        """Return what is known from elsewhere: a part is up no longer than the allocation."""
        whole = jobid.rpartition(".")[0]
        answer = self._run(self._dialect.status_call([whole]), "")
        found = self._dialect.read(answer)
        if found is None:
            silent = f"{self._dialect.name} did not answer: {answer.complaint}"
            return Allocation(jobid=jobid, state=AllocationState.UNKNOWN, name=name, reason=silent)
        one = found.get(whole)
        if one is None or one.is_over:
            gone = f"the allocation {whole} is over"
            return Allocation(jobid=jobid, state=AllocationState.UNKNOWN, name=name, reason=gone, gone=True)
        return Allocation(jobid=jobid, state=AllocationState.RUNNING, name=name, left=one.left)

    def _up(self, named: Mapping[str, str]) -> dict[str, str]:
        return {jobid: name for jobid, name in named.items() if not self._known(jobid, name).is_over}

    def _ask(self, jobid: str, name: str) -> None:
        """Let a worker give back what it runs."""
        scheduler = self._dialect.name
        call = find_step(scheduler, jobid.rpartition(".")[0])
        if call is not None:
            lines = (line.strip().partition("|") for line in self._run(call, "").output.splitlines())
            steps = [step for step, _, called in lines if called == name]
            for step in steps:
                self._run(stop_call(scheduler, step), "")
            if steps:
                return
        self._signal(jobid, signal.SIGTERM)

    def _kill(self, jobid: str, name: str) -> None:
        del name
        self._signal(jobid, signal.SIGTERM)  # on which the schedulers' commands kill what they have started
        self._signal(jobid, signal.SIGKILL)

    def _signal(self, jobid: str, number: signal.Signals) -> None:
        found = read_kept(self._file(jobid))
        for each in found.processes if found is not None and found.is_here else ():
            each.send(number)

    # The files

    def _folder(self) -> Path:
        return own_folder(self._state, "within")

    def _file(self, jobid: str) -> Path:
        return self._folder() / f"{jobid.replace('/', '_')}.json"

    def _files(self) -> Sequence[Path]:
        return sorted(self._folder().glob("*.json"))

    def _forget(self, jobid: str) -> None:
        for path in (self._file(jobid), self._file(jobid).with_suffix(".sh")):
            with suppress(FileNotFoundError):
                path.unlink()
