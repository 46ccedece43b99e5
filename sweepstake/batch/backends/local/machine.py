"""The backend whose allocations are processes of this machine."""

from __future__ import annotations

import math
import re
import secrets
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import run_command
from sweepstake.batch.backends.clusters import Cluster
from sweepstake.batch.backends.directives import exports
from sweepstake.batch.backends.inside import ALLOCATION
from sweepstake.batch.backends.local.keeper import command_line
from sweepstake.batch.backends.local.kept import Asked, Began, allocation_in, read, script_in, write
from sweepstake.batch.backends.local.line import last_in_line
from sweepstake.batch.backends.submissions import Submission
from sweepstake.batch.planning.records import Capacity
from sweepstake.errors import ConfigurationError, InvalidInputError, SubmissionError, SubmissionLostError
from sweepstake.folders import own_folder, write_whole
from sweepstake.worker.slots.offer import detected

__all__ = ["LocalMachine"]

#: Seconds that a command has to end once it is asked to, as Slurm gives it.
_GRACE: Final = 30.0
#: Seconds after which what has ended is forgotten.
_KEPT: Final = 30 * 86400.0
#: Seconds that it may take until an end is known, beyond those that a command has.
_AFTERMATH: Final = 5.0
#: Seconds between two looks at what shall end.
_LOOK: Final = 0.05
#: How allocations are called: one that a store names otherwise is none of ours, and no path.
_ID: Final = re.compile(r"[0-9a-f]{8}(_[0-9]+)?", re.ASCII)


class LocalMachine:
    """This machine as a scheduler.

    An allocation begins when those have ended that it waits for, and there is room for what it asks for, in the order
    in which they were asked for. Its processes are in a session of their own and end at its limit, whatever becomes of
    who submitted it.

    Args:
        state: the state folder, in which all is kept that must be known of an allocation.
        environment: variables beside those of this process that are handed on to allocations.
        grace: seconds that a command has to end (SIGTERM) before it is killed.
        room: what the machine has for allocations; None for what workers find here.
    """

    name = "local"
    supports_dependencies = True
    has_arrays = True

    def __init__(
        self,
        state: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
        grace: float = _GRACE,
        room: Capacity | None = None,
    ) -> None:
        self._state = state
        self._environment = environment
        self._grace = grace
        self._room = room

    def cluster(self, partition: str | None) -> Cluster:
        """Return what workers find on this machine: see `Backend.cluster`."""
        if partition is not None:
            raise ConfigurationError(
                f"This machine has no partitions, and so not {partition!r}: leave --partition out."
            )
        return Cluster(capacity=self._capacity())

    def script(self, submission: Submission) -> str:
        """Return what a shell runs in each allocation; the worker takes the place of the shell.

        Raises:
            InvalidInputError: it asks for what only a cluster has.
        """
        if submission.nodes > 1:
            raise InvalidInputError.at("--capacity", f"this machine is one node, not {submission.nodes}")
        site = submission.site
        for option in ("partition", "account", "qos", "constraint"):
            if getattr(site, option) is not None:
                raise InvalidInputError.at(f"--{option}", "means nothing to this machine; leave it out")
        if site.extra:
            raise InvalidInputError.at("--sbatch-arg", "means nothing to this machine; leave it out")
        return "\n".join(["#!/bin/sh", *exports(site), *_commands(submission), ""])

    def submit(self, submission: Submission) -> Sequence[str]:
        """Begin allocations: see `Backend.submit`."""
        script = self.script(submission)
        try:
            self._forget_old()
            folders = list(self._prepared(submission, script))
            answer = run_command(command_line(folders), "", self._environment)
        except OSError as error:
            raise SubmissionError(f"{self.name} refused it: {error}") from error
        if answer.lost:
            raise SubmissionLostError(f"{self.name} did not answer: {answer.complaint}")
        if answer.code != 0:
            raise SubmissionError(f"{self.name} refused it: {answer.complaint}")
        return [each.name for each in folders]

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of an allocation is: see `Backend.log`."""
        del name
        return folder / f"{jobid}.log"

    def poll(self, named: Mapping[str, str]) -> Mapping[str, Allocation]:
        """Return what became of allocations: see `Backend.poll`."""
        found = {jobid: self._known(jobid, name) for jobid, name in named.items()}
        for jobid, each in found.items():
            if each.left == 0.0:
                self._end_unkept(jobid)
        return found

    def find(self, names: Iterable[str]) -> Mapping[str, Allocation] | None:
        """Return the allocations that have one of these names: see `Backend.find`."""
        wanted = set(names)
        found = (allocation_in(folder) for folder in self._folders())
        return {each.jobid: each for each in found if each is not None and each.name in wanted}

    def cancel(self, named: Mapping[str, str]) -> None:
        """End allocations, and return when they have ended: see `Backend.cancel`."""
        for number, patience in ((signal.SIGTERM, self._grace + _AFTERMATH), (signal.SIGKILL, _AFTERMATH)):
            up = self._up(named)
            for jobid in up:
                self._end(jobid, number)
            until = time.monotonic() + patience
            while up and time.monotonic() < until:
                time.sleep(_LOOK)
                up = self._up(named)
            if not up:
                return
        raise SubmissionError(f"{self.name} did not cancel {', '.join(up)}: look at their processes")

    def _capacity(self) -> Capacity:
        if self._room is not None:
            return self._room
        found = detected()
        return Capacity(cpus=max(1, math.floor(found.cpus)), gpus=len(found.gpus), resources={"memory": found.memory})

    def _prepared(self, submission: Submission, script: str) -> Iterator[Path]:
        """Write down what is asked for; give the folder of each allocation."""
        first, behind, room = secrets.token_hex(4), last_in_line(self._folders()), self._capacity()
        for number in range(len(submission.commands)):
            jobid = f"{first}_{number}" if submission.is_array else first
            folder = own_folder(self._state, "allocations", jobid)
            write_whole(script_in(folder), script.encode("utf-8", "surrogateescape"))
            asked = Asked(
                name=submission.name,
                host=socket.gethostname(),
                asked_at=time.time(),
                time_limit=submission.time_limit,
                grace=self._grace,
                after=list(submission.after),
                log=str(self.log(submission.folder, submission.name, jobid)),
                needs={"cpus": submission.cpus, "gpus": submission.gpus, "memory": submission.memory or 0},
                room={"cpus": room.cpus, "gpus": room.gpus, **room.resources},
                behind=behind,
            )
            write(folder, "asked", asked)
            behind = jobid
            yield folder

    def _known(self, jobid: str, name: str) -> Allocation:
        """Return what is known of an allocation of this id and name."""
        found = allocation_in(self._folder(jobid)) if _ID.fullmatch(jobid) else None
        if found is None or found.name != name:
            unknown = "this machine knows it no more"
            return Allocation(jobid=jobid, state=AllocationState.UNKNOWN, reason=unknown, gone=True)
        return found

    def _up(self, named: Mapping[str, str]) -> list[str]:
        """Return which of these allocations have not ended.

        Raises:
            SubmissionError: one is on another machine, where alone it can be ended.
        """
        up = [found for found in (self._known(*each) for each in named.items()) if not found.is_over]
        for each in up:
            if each.state is AllocationState.UNKNOWN:
                raise SubmissionError(f"{each.jobid} cannot be cancelled from here: {each.reason}; do it there")
        return [each.jobid for each in up]

    def _end(self, jobid: str, number: signal.Signals) -> None:
        """Let who keeps an allocation end it; if that one was killed, or does nothing, end what it has begun."""
        folder = self._folder(jobid)
        keeper, command = read(folder, "keeper", Began), read(folder, "command", Began)
        kept = keeper is not None and keeper.identity.send(number)
        if command is not None and not (kept and number is signal.SIGTERM):
            command.identity.send_group(number)

    def _end_unkept(self, jobid: str) -> None:
        """End what is over its limit, if who should do so was killed."""
        keeper = read(self._folder(jobid), "keeper", Began)
        if keeper is None or not keeper.identity.is_alive():
            self._end(jobid, signal.SIGKILL)

    def _folder(self, jobid: str) -> Path:
        return self._state / "allocations" / jobid

    def _folders(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from (self._state / "allocations").iterdir()

    def _forget_old(self) -> None:
        for folder in self._folders():
            with suppress(FileNotFoundError):
                if time.time() - (folder / "ended.json").stat().st_mtime > _KEPT:
                    shutil.rmtree(folder)


def _commands(submission: Submission) -> Iterator[str]:
    """Give the command of the one allocation, or a choice among those of several by what each is called."""
    if not submission.is_array:
        yield f"exec {shlex.join(submission.commands[0])}"
        return
    yield f'case "${ALLOCATION}" in'
    for number, command in enumerate(submission.commands):
        yield f"*_{number}) exec {shlex.join(command)} ;;"
    yield "esac"
