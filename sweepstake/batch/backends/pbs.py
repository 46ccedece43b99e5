"""PBS: its scripts, and what its words mean. Nothing here does I/O: see `scheduler`."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.calls import Answer
from sweepstake.batch.backends.clusters import Cluster, NodeKind, cluster_of
from sweepstake.batch.backends.directives import exports, one_line
from sweepstake.batch.backends.limits import pbs_limit, pbs_seconds
from sweepstake.batch.backends.submissions import Submission
from sweepstake.errors import InvalidInputError

__all__ = ["PbsDialect", "size_in_bytes"]

_STATES: Final = {
    **dict.fromkeys("QHWT", AllocationState.PENDING),
    **dict.fromkeys("RESUB", AllocationState.RUNNING),
}
_DOWN: Final = frozenset({"down", "offline", "state-unknown", "unresolvable", "stale", "provisioning"})
_SIZES: Final = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}
_OVER: Final = frozenset("FXC")
#: Exit codes of PBS itself: the allocation took longer than it may.
_KILLED_AT_LIMIT: Final = -29
#: What is added to a signal's number where one ended the script.
_BY_SIGNAL: Final = 256
_UNKNOWN_IDS: Final = ("Unknown Job Id", "unknown job id", "Job has finished")


class PbsDialect:
    """What PBS (OpenPBS, PBS Professional) is told, and how its answers are read."""

    name = "pbs"
    supports_dependencies = True
    has_arrays = True
    silences: Sequence[str] = (
        "cannot connect to server",
        "Communication failure",
        "End of File",
        "Connection timed out",
    )

    def script(self, submission: Submission) -> str:
        """Return what ``qsub`` reads; the worker takes the place of the script."""
        return "\n".join(["#!/bin/bash", *_directives(submission), "", *_body(submission), ""])

    def cluster_call(self) -> Sequence[str]:
        """Return the call that asks for all nodes."""
        return ["pbsnodes", "-a"]

    def read_cluster(self, output: str, partition: str | None) -> Cluster | None:
        """Return what the nodes have that are not down; those of a queue, if they say so."""
        kinds = []
        for fields in _nodes(output):
            if partition is not None and fields.get("queue", partition) != partition:
                continue
            if _DOWN & set(fields.get("state", "").split(",")):
                continue
            memory = fields.get("resources_available.mem")
            kinds.append(
                NodeKind(
                    number=1,
                    cpus=int(fields.get("resources_available.ncpus", "1")),
                    gpus=int(fields.get("resources_available.ngpus", "0")),
                    memory=None if memory is None else size_in_bytes(memory),
                )
            )
        return cluster_of(kinds)

    def variables_file(self, submission: Submission) -> Path:
        """Return where an allocation finds its variables: PBS hands none on, or shows them to whoever asks it."""
        return _variables(submission)

    def submit_call(self) -> Sequence[str]:
        """Return the call that takes a script as its input."""
        return ["qsub"]

    def jobid(self, output: str) -> str:
        """Return the id in the answer to a submission."""
        return output.strip()

    def members(self, jobid: str, count: int) -> Sequence[str]:
        """Return the id of each allocation of a submission: ``7[].host`` has ``7[0].host`` and so on."""
        return [jobid] if count == 1 else [jobid.replace("[]", f"[{number}]", 1) for number in range(count)]

    def log(self, folder: Path, name: str, jobid: str) -> Path:
        """Return where the output of an allocation is: PBS names it by the name and the number."""
        numbers = re.findall(r"\d+", jobid.partition(".")[0])
        return folder / f"{name}.o{'.'.join(numbers)}"

    def status_call(self, jobids: Iterable[str]) -> Sequence[str]:
        """Return the one call that asks for many allocations, those that have ended as well."""
        return ["qstat", "-x", "-f", "-w", *jobids]

    def find_call(self, names: Iterable[str]) -> Sequence[str]:
        """Return the call that asks for all of this user's allocations: PBS finds none by several names."""
        del names
        return ["qstat", "-x", "-f", "-w", "-t"]

    def cancel_calls(self, named: Mapping[str, str]) -> Iterator[Sequence[str]]:
        """Give the call that ends allocations, which were looked at just before: PBS knows no condition."""
        if named:
            yield ["qdel", *named]

    def read(self, answer: Answer) -> Mapping[str, Allocation] | None:
        """Return what ``qstat`` says of each allocation that it knows, by its id; None if nobody answered."""
        if answer.code != 0 and not any(words in answer.errors for words in _UNKNOWN_IDS):
            return None
        return {jobid: _allocation(jobid, fields) for jobid, fields in _records(answer.output)}


def _directives(submission: Submission) -> Iterator[str]:
    site = submission.site
    chunk = f"{submission.nodes}:ncpus={submission.cpus}"
    chunk += f":ngpus={submission.gpus}" if submission.gpus else ""
    chunk += f":mem={math.ceil(submission.memory / 1024**2)}mb" if submission.memory is not None else ""
    chunk += f":{site.constraint}" if site.constraint else ""
    asked = {
        "-N": submission.name,
        "-l": f"select={chunk}",
        "-q": site.partition,
        "-A": site.account,
        "-J": f"0-{len(submission.commands) - 1}" if submission.is_array else None,
        "-o": f"{submission.folder}/",
    }
    for option, value in asked.items():
        if value is not None:
            yield f"#PBS {option} {one_line(option, value)}"
    if submission.nodes > 1:
        yield "#PBS -l place=scatter"
    yield f"#PBS -l walltime={pbs_limit(submission.time_limit)}"
    if site.qos is not None:
        yield f"#PBS -l qos={one_line('qos', site.qos)}"
    if submission.after:
        yield f"#PBS -W depend=afterany:{':'.join(submission.after)}"
    yield "#PBS -r n"
    yield "#PBS -j oe"
    for argument in site.extra:
        yield f"#PBS {one_line('--qsub-arg', argument)}"


def _body(submission: Submission) -> Iterator[str]:
    yield f". {shlex.quote(str(_variables(submission)))}"
    yield 'cd "$PBS_O_WORKDIR" || exit'
    yield from exports(submission.site)
    if submission.nodes > 1:
        yield f'here={shlex.quote(str(_variables(submission)))}."$PBS_JOBID"'
        yield '(umask 077; export -p > "$here") || exit'
    if not submission.is_array:
        yield _begin(submission, submission.commands[0])
        return
    yield 'case "$PBS_ARRAY_INDEX" in'
    for number, command in enumerate(submission.commands):
        yield f"{number}) {_begin(submission, command)} ;;"
    yield "esac"


def _begin(submission: Submission, command: Sequence[str]) -> str:
    """Return what becomes the worker; on several nodes there is one on each, with the variables of the script.

    They are in a file, because anybody on a node may see what stands on a command line.
    """
    words = shlex.join(command)
    if submission.nodes == 1:
        return f"exec {words}"
    inner = f'. "$0"; exec {words}'
    return f'exec pbsdsh -- bash -c {shlex.quote(inner)} "$here"'


def _variables(submission: Submission) -> Path:
    return submission.folder / f"{submission.name}.env"


def _nodes(text: str) -> Iterator[Mapping[str, str]]:
    """Give the fields of each node in what ``pbsnodes -a`` prints: its name, then a line for each field."""
    fields = dict[str, str]()
    for line in [*text.splitlines(), "end"]:
        if line and not line[0].isspace():
            if fields:
                yield fields
            fields = {}
        elif " = " in line:
            name, _, value = line.strip().partition(" = ")
            fields[name] = value


def size_in_bytes(text: str) -> int:
    """Return an amount of memory as PBS writes it, such as ``16000kb``."""
    number = text.rstrip("bwkmgtpBWKMGTP")
    return int(number) * _SIZES[text[len(number) :].lower()[:1]]


def _records(text: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Give the records of ``qstat -f``: a line for each field; a long one goes on in lines that begin with a tab."""
    jobid, fields, last = "", dict[str, str](), ""
    for line in text.splitlines():
        if line.startswith("Job Id:"):
            if jobid:
                yield jobid, fields
            jobid, fields, last = line.partition(":")[2].strip(), {}, ""
        elif line.startswith("\t") and last:
            fields[last] += line[1:]
        elif " = " in line:
            last, _, value = line.strip().partition(" = ")
            fields[last] = value
    if jobid:
        yield jobid, fields


def _allocation(jobid: str, fields: Mapping[str, str]) -> Allocation:
    word, reason = fields.get("job_state", ""), fields.get("comment", "")
    over = word in _OVER
    state = _ended(fields) if over else _STATES.get(word, AllocationState.UNKNOWN)
    limit, used = _seconds(fields, "Resource_List.walltime"), _seconds(fields, "resources_used.walltime")
    left = limit - (used or 0.0) if state is AllocationState.RUNNING and limit is not None else None
    return Allocation(
        jobid=jobid,
        state=state,
        name=fields.get("Job_Name", ""),
        reason=reason,
        left=left,
        hopeless=state is AllocationState.PENDING
        and ((word == "H" and "s" in fields.get("Hold_Types", "")) or "can never run" in reason.lower()),
    )


def _ended(fields: Mapping[str, str]) -> AllocationState:
    """Return how one ended: PBS says it by the exit code alone, and not at all of one that never began."""
    text = fields.get("Exit_status")
    if text is None:
        return AllocationState.CANCELLED
    code = int(text)
    if code == 0:
        return AllocationState.DONE
    limit, used = _seconds(fields, "Resource_List.walltime"), _seconds(fields, "resources_used.walltime")
    if code == _KILLED_AT_LIMIT or (code > _BY_SIGNAL and limit is not None and used is not None and used >= limit):
        return AllocationState.TIMEOUT
    return AllocationState.CANCELLED if code > _BY_SIGNAL else AllocationState.FAILED


def _seconds(fields: Mapping[str, str], name: str) -> float | None:
    try:
        return pbs_seconds(fields[name])
    except (KeyError, InvalidInputError):
        return None
