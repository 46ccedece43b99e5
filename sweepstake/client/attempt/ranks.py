"""One job, several processes: which attempt a process was started for, and which of its ranks it is.

Whoever holds a job says so in the environment while its block, or its command, runs: a process that is started then
inherits it. A launcher, such as `torchrun` or Lightning, says besides which of a group's processes it has started.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from asyncio import _get_running_loop  # unlike `get_running_loop` it raises nothing where no loop runs
from collections.abc import Mapping, MutableMapping
from json.encoder import encode_basestring_ascii
from os import putenv, unsetenv
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from sweepstake.domain.records import JobRecord

__all__ = [
    "ENVIRONMENT",
    "HELD",
    "HELD_JOBS",
    "TORCHRUN",
    "HeldAbove",
    "HeldJobs",
    "Membership",
    "held_text",
    "membership",
    "ranks_in",
    "unheld_rank",
]

#: The environment of this process, names and values as bytes: the dictionary that `os.environ` and `os.environb` share.
#: A look at one name through them takes as long as all that is done here for a block; in an interpreter that keeps no
#: such dictionary it just takes longer. A program that is started inherits what `putenv` was told.
ENVIRONMENT: Final[MutableMapping[bytes, bytes]] = getattr(os.environ, "_data", os.environb)
#: The variable that says what the process above holds.
HELD: Final = "SWEEPSTAKE_HELD"
#: The variable that `torchrun` sets, and nothing else.
TORCHRUN: Final = "TORCHELASTIC_RUN_ID"
#: What each kind of launcher sets: the variables that number a group's processes, most telling first, and those that
#: tell one group from another.
_LAUNCHERS: Final = (
    (("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK"), ("WORLD_SIZE", "MASTER_PORT", TORCHRUN)),
    (("SLURM_PROCID",), ("SLURM_JOB_ID", "SLURM_STEP_ID")),
    (("OMPI_COMM_WORLD_RANK",), ("OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE")),
    (("PMIX_RANK",), ("PMIX_NAMESPACE",)),
    (("PMI_RANK",), ("PMI_SIZE", "PMI_JOBID")),
    (("MV2_COMM_WORLD_RANK",), ("MV2_COMM_WORLD_SIZE",)),
    (("HOROVOD_RANK",), ("HOROVOD_SIZE", "HOROVOD_GLOO_RENDEZVOUS_PORT")),
    (("PADDLE_TRAINER_ID",), ("PADDLE_TRAINERS_NUM", "PADDLE_MASTER")),
    (("RANK_ID",), ("RANK_SIZE", "RANK_TABLE_FILE")),
    (("FLUX_TASK_RANK",), ("FLUX_JOB_ID",)),
    (("JSM_NAMESPACE_RANK",), ("JSM_NAMESPACE_SIZE",)),
    (("PALS_RANKID",), ("PALS_APID",)),
    (("ALPS_APP_PE",), ("ALPS_APP_ID",)),
)
#: Ranks over the whole group: where one is set, those within a machine say nothing more.
_GLOBAL: Final = {"RANK"}
_SEVERAL: Final = "several"
#: The variables that are set while a block runs, in the order of the reference page.
_NAMES: Final = (b"SWEEPSTAKE_EXPERIMENT", b"SWEEPSTAKE_JOB_ID", b"SWEEPSTAKE_ATTEMPT", HELD.encode())


@frozen(kw_only=True)
class HeldAbove:
    """What the process above this one holds, as it told those that it starts.

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
    ranks: Mapping[str, str] = field(factory=dict)
    several: bool = False


@frozen
class Membership:
    """The place of this process in a group that works on a held job.

    Attributes:
        rank: its number in the group.
        variable: which variable says so.
    """

    held: HeldAbove
    rank: int
    variable: str


def held_text(job: JobRecord, holder: str, ranks: Mapping[str, str], *, command: bool = False) -> str:
    """Return the value of `HELD` for those that a holder starts.

    Args:
        job: what is held.
        holder: who holds it.
        ranks: the launchers' variables of the holder's own; see `ranks_in`.
        command: see `HeldAbove`.
    """
    return _text_of(job, _common_text(job.experiment, job.address, holder, ranks, command=command))


def _common_text(experiment: str, address: str, holder: str, ranks: Mapping[str, str], *, command: bool) -> str:
    """Return what is the same for all jobs of an experiment: the members of an object, without its braces."""
    common: dict[str, Any] = {"experiment": experiment, "address": address, "holder": holder}
    if command:  # what goes without saying is left out: the C library never frees a value that a variable had
        common["command"] = True
    if ranks:
        common["ranks"] = dict(ranks)
    return json.dumps(common)[1:-1]


def _text_of(job: JobRecord, common: str) -> str:
    return f'{{{common}, "job": {encode_basestring_ascii(job.id)}, "attempt": {job.attempt}}}'


def membership(environ: Mapping[str, str], me: str) -> Membership | None:
    """Return this process's place in the group that works on a held job; None if it has none, or holds the job."""
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
    if HELD in environ or TORCHRUN not in environ:
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


def _read(text: str) -> HeldAbove | None:
    """Return what the variable says; None if we did not write its text."""
    try:
        found: Any = json.loads(text) if text else None
        if found is None:
            return None
        return HeldAbove(**found)
    except (ValueError, TypeError):
        return None


#: What tells a block's place, what `HELD` says, the job, and what its experiment is called.
_Entry: TypeAlias = tuple[tuple[int, int], str, JobRecord, str]


class HeldJobs:
    """Says in the environment of this process what it holds, while blocks run.

    Blocks may be nested: the innermost counts. When others run beside it, in threads or tasks, nobody can tell which
    of them a new process belongs to, and the environment says that.

    Args:
        environment: shows what is set, and is told what is put there.
    """

    def __init__(self, environment: MutableMapping[bytes, bytes]) -> None:
        self._environment = environment
        self._mutex = threading.RLock()  # a signal may end a block in the middle of another's beginning
        self._entries: dict[int, _Entry] = {}
        self._before: dict[bytes, bytes] = {}
        self._ranks: tuple[int, dict[str, str]] | None = None  # of this process, as it was started
        self._common: tuple[object, str] = (None, "")  # of which experiment and holder, and how it is written

    def enter(self, block: object, job: JobRecord, holder: str, called: str) -> None:
        """Note that a block begins.

        Args:
            block: tells it from others.
            job: the job that it runs.
            holder: who holds the job: host and process.
            called: what its user calls the experiment.
        """
        with self._mutex:
            if not self._entries:
                self._before = {name: self._environment[name] for name in _NAMES if name in self._environment}
            whose = (job.experiment, job.address, holder)
            if self._common[0] != whose:
                self._common = whose, _common_text(*whose, self._ranks_here(), command=False)
            text = _text_of(job, self._common[1])
            self._entries[id(block)] = (_place(), text, job, called)
            self._write()

    def leave(self, block: object) -> None:
        """Note that a block has been left."""
        with self._mutex:
            if self._entries.pop(id(block), None) is None:
                return
            if self._entries:
                self._write()
                return
            for name in _NAMES:
                unsetenv(name)
                self._environment.pop(name, None)
            if self._before:
                self._put(self._before)

    def _ranks_here(self) -> dict[str, str]:
        if self._ranks is None or self._ranks[0] != os.getpid():
            self._ranks = os.getpid(), ranks_in(os.environ)
        return self._ranks[1]

    def _write(self) -> None:
        """Say what the block holds that was entered last, of those that run."""
        place, text, job, called = next(reversed(self._entries.values()))
        if any(each[0] != place for each in self._entries.values()):
            text = json.dumps({**json.loads(text), _SEVERAL: True})
        said = (called.encode(), job.id.encode(), b"%d" % job.attempt, text.encode())
        self._put(dict(zip(_NAMES, said, strict=True)))

    def _put(self, values: Mapping[bytes, bytes]) -> None:
        for name, value in values.items():
            putenv(name, value)
            self._environment[name] = value


def _place() -> tuple[int, int]:
    """Return what tells the thread, or the task, in which blocks can be nested."""
    task = None if _get_running_loop() is None else asyncio.current_task()
    return threading.get_ident(), 0 if task is None else id(task)


#: What this process holds, as a process has one environment.
HELD_JOBS: Final = HeldJobs(ENVIRONMENT)
