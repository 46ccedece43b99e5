"""One job, several processes: which attempt a process was started for, and which of its ranks it is.

Whoever holds a job says so in the environment while its block, or its command, runs: a process that is started then
inherits it. A launcher, such as `torchrun` or Lightning, says besides which of a group's processes it has started.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, NamedTuple

from attrs import frozen

from sweepstake.domain.records import JobRecord

__all__ = ["HELD", "HELD_JOBS", "Held", "HeldJobs", "Membership", "held_text", "membership", "ranks_in", "unheld_rank"]

#: The variable that says what the process above holds.
HELD: Final = "SWEEPSTAKE_HELD"
#: What each kind of launcher sets: the variables that number a group's processes, most telling first, and those that
#: tell one group from another.
_LAUNCHERS: Final = (
    (("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK"), ("WORLD_SIZE", "MASTER_PORT", "TORCHELASTIC_RUN_ID")),
    (("SLURM_PROCID",), ("SLURM_JOB_ID", "SLURM_STEP_ID")),
    (("OMPI_COMM_WORLD_RANK",), ("OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE")),
    (("PMIX_RANK",), ("PMIX_NAMESPACE",)),
    (("PMI_RANK",), ("PMI_SIZE", "PMI_JOBID")),
    (("MV2_COMM_WORLD_RANK",), ("MV2_COMM_WORLD_SIZE",)),
)
#: Ranks over the whole group: where one is set, those within a machine say nothing more.
_GLOBAL: Final = {"RANK"}
_SEVERAL: Final = "several"


@frozen(kw_only=True)
class Held:
    """What a process holds, as those that it starts are told.

    Attributes:
        experiment: its name.
        address: what tells it from others of its name, if known.
        job: id of the job.
        attempt: number of the attempt.
        holder: who holds it: host and process.
        command: whether it was started by a worker, which takes results from a file and judges the exit code.
        ranks: the launchers' variables as the holder had them itself.
        several: the process above holds several jobs, of which nobody can tell which is meant.
    """

    experiment: str
    address: str
    job: str
    attempt: int
    holder: str
    command: bool = False
    ranks: Mapping[str, str]
    several: bool = False


@frozen
class Membership:
    """That this process is one of a group that works on a held job.

    Attributes:
        rank: its number in the group.
        variable: which variable says so.
    """

    held: Held
    rank: int
    variable: str


def held_text(job: JobRecord, holder: str, ranks: Mapping[str, str], *, command: bool = False) -> str:
    """Return the value of `HELD` for those that a holder starts.

    Args:
        job: what is held.
        holder: who holds it.
        ranks: the launchers' variables of the holder's own; see `ranks_in`.
        command: see `Held`.
    """
    return _text_of(job, _common_text(job.experiment, job.address, holder, ranks, command=command))


def _common_text(experiment: str, address: str, holder: str, ranks: Mapping[str, str], *, command: bool) -> str:
    """Return what is the same for all jobs of an experiment: the members of an object, without its braces."""
    common = {"experiment": experiment, "address": address, "holder": holder, "command": command, "ranks": dict(ranks)}
    return json.dumps(common)[1:-1]


def _text_of(job: JobRecord, common: str) -> str:
    return f'{{{common}, "job": {json.dumps(job.id)}, "attempt": {job.attempt}}}'


def membership(environ: Mapping[str, str], me: str) -> Membership | None:
    """Return for which held job this process is one of a group; None if it is none, or holds the job itself."""
    held = _read(environ.get(HELD, ""))
    if held is None or held.holder == me:
        return None
    for numbers, marks in _LAUNCHERS:
        if any(environ.get(name) != held.ranks.get(name) for name in (*numbers, *marks)):
            found = _rank(environ, numbers)
            if found is not None:
                return Membership(held, found[1], found[0])
    return None


def unheld_rank(environ: Mapping[str, str]) -> int:
    """Return the rank of a process that `torchrun` started, though nobody above holds a job; 0 for any other."""
    if HELD in environ or "TORCHELASTIC_RUN_ID" not in environ:
        return 0
    found = _rank(environ, ("RANK",))
    return 0 if found is None else found[1]


def _rank(environ: Mapping[str, str], numbers: tuple[str, ...]) -> tuple[str, int] | None:
    """Return the variable that tells the rank, and the rank: of those within machines any that is not 0 will do."""
    found = None
    for name in numbers:
        text = environ.get(name, "")
        if text.isascii() and text.isdigit():
            if name in _GLOBAL or int(text[:9]) > 0:
                return name, int(text[:9])
            found = found or (name, 0)
    return found


def ranks_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what launchers have set in an environment."""
    names = {name for numbers, marks in _LAUNCHERS for name in (*numbers, *marks)}
    return {name: environ[name] for name in sorted(names) if name in environ}


def _read(text: str) -> Held | None:
    """Return what the variable says; what is not of our making says nothing."""
    try:
        found: Any = json.loads(text) if text else None
        if found is None:
            return None
        return Held(**found)
    except (ValueError, TypeError):
        return None


class _Entry(NamedTuple):
    place: object
    text: str
    job: JobRecord


class HeldJobs:
    """Says in the environment of this process what it holds, while blocks run.

    Blocks may be nested: the innermost counts. When others run beside it, in threads or tasks, nobody can tell which
    of them a new process belongs to, and the environment says that.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environ = environ
        self._mutex = threading.RLock()  # a signal may end a block in the middle of another's beginning
        self._entries: dict[int, _Entry] = {}
        self._before: dict[str, str] = {}
        self._ranks: tuple[int, dict[str, str]] | None = None  # of this process, as it was started
        self._common: tuple[object, str] = (None, "")  # of which experiment and holder, and how it is written

    def enter(self, block: object, job: JobRecord, holder: str) -> None:
        """A block begins."""
        with self._mutex:
            if not self._entries:
                self._before = {name: self._environ[name] for name in _NAMES if name in self._environ}
            if self._ranks is None or self._ranks[0] != os.getpid():
                self._ranks = os.getpid(), ranks_in(self._environ)
            whose = (job.experiment, job.address, holder)
            if self._common[0] != whose:
                self._common = whose, _common_text(*whose, self._ranks[1], command=False)
            self._entries[id(block)] = _Entry(_place(), _text_of(job, self._common[1]), job)
            self._say()

    def leave(self, block: object) -> None:
        """A block has been left."""
        with self._mutex:
            if self._entries.pop(id(block), None) is not None:
                self._say()

    def _say(self) -> None:
        if not self._entries:
            for name in _NAMES:
                if name in self._before:
                    self._environ[name] = self._before[name]
                    continue
                try:  # noqa: SIM105 -- `suppress` takes as long as the rest, and `pop` decodes what it returns
                    del self._environ[name]
                except KeyError:
                    pass
            return
        *others, last = self._entries.values()
        alone = not others or all(other.place == last.place for other in others)
        self._environ[HELD] = last.text if alone else json.dumps({**json.loads(last.text), _SEVERAL: True})
        self._environ["SWEEPSTAKE_EXPERIMENT"] = last.job.experiment
        self._environ["SWEEPSTAKE_JOB_ID"] = last.job.id
        self._environ["SWEEPSTAKE_ATTEMPT"] = str(last.job.attempt)


_NAMES: Final = (HELD, "SWEEPSTAKE_EXPERIMENT", "SWEEPSTAKE_JOB_ID", "SWEEPSTAKE_ATTEMPT")


def _place() -> tuple[int, int]:
    """Return what tells the thread, or the task, in which blocks can be nested."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return threading.get_ident(), 0 if task is None else id(task)


#: What this process holds, as a process has one environment.
HELD_JOBS: Final = HeldJobs(os.environ)
