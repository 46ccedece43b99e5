"""What an allocation has that this process is in, as its scheduler says it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from sweepstake.batch.backends.calls import Answer, Run
from sweepstake.batch.backends.limits import slurm_seconds
from sweepstake.batch.backends.pbs import PbsDialect, size_in_bytes
from sweepstake.batch.backends.slurm import gpus_in
from sweepstake.batch.planning.records import Capacity
from sweepstake.errors import ConfigurationError, InvalidInputError

__all__ = ["Held", "held_here"]

_WHERE: Final = (
    "`sweepstake batch run` runs inside an allocation that you have: of Slurm (salloc), Flux (flux alloc) or PBS "
    "(qsub -I). Here is none; `sweepstake batch submit` asks for some, and `sweepstake worker` needs none."
)
#: ``Nodes=n[1-2] CPU_IDs=0-3,8 Mem=400 GRES=gpu:1(IDX:0)``: nodes that have as much of each.
_SLURM_NODES: Final = re.compile(r"\bNodes=\S+ CPU_IDs=(?P<cpus>\S+) Mem=(?P<mb>\d+) GRES=(?P<gres>\S*)")
_SLURM_FIELD: Final = r"\b{}=(\S+)"
#: ``n1:ncpus=8:mem=16000kb:ngpus=2``, of which several stand in the chunks of ``exec_vnode``.
_PBS_PART: Final = re.compile(r"(?P<node>[^:()+=]+):(?P<amounts>[^()+]+)")


@frozen(kw_only=True)
class Held:
    """An allocation that a person has.

    Attributes:
        scheduler: whose it is.
        jobid: what that calls it.
        nodes: what each of its nodes is called where something is started on it.
        cpus: processors of each; of nodes that differ, what all have.
        gpus: likewise.
        memory: bytes of each; None if nobody says.
        left: seconds until its end; None if it has none, or nobody says.
    """

    scheduler: str
    jobid: str
    nodes: tuple[str, ...]
    cpus: int
    gpus: int = 0
    memory: int | None = None
    left: float | None = None

    @property
    def capacity(self) -> Capacity:
        """What a batch can have of it."""
        resources = {} if self.memory is None else {"memory": self.memory}
        return Capacity(cpus=self.cpus, gpus=self.gpus, nodes=len(self.nodes), resources=resources)


def held_here(environment: Mapping[str, str], run: Run) -> Held:
    """Return the allocation that a process with these variables is in.

    Raises:
        ConfigurationError: it is in none, or its scheduler does not say what it has.
    """
    if environment.get("SLURM_JOB_ID"):
        return _of_slurm(environment["SLURM_JOB_ID"], run)
    if environment.get("PBS_JOBID") and environment.get("PBS_NODEFILE"):
        return _of_pbs(environment["PBS_JOBID"], Path(environment["PBS_NODEFILE"]), run)
    if environment.get("FLUX_URI"):
        jobid = run(["flux", "getattr", "jobid"], "")
        if jobid.code == 0:  # else it is the system's own Flux, which is no allocation
            return _of_flux(jobid.output.strip(), run)
    raise ConfigurationError(_WHERE)


def _of_slurm(jobid: str, run: Run) -> Held:
    said = _said("slurm", run(["scontrol", "show", "job", "-d", "-o", jobid], ""))
    parts = list(_SLURM_NODES.finditer(said))
    names = _field(said, "NodeList")
    if not parts or names is None:
        raise _unknown("slurm", said)
    nodes = _said("slurm", run(["scontrol", "show", "hostnames", names], "")).split()
    memory = min(int(part["mb"]) for part in parts) * 1024**2
    limit, used = _slurm_seconds(said, "TimeLimit"), _slurm_seconds(said, "RunTime")
    return Held(
        scheduler="slurm",
        jobid=jobid,
        nodes=tuple(nodes),
        cpus=min(sum(_lengths(part["cpus"])) for part in parts),
        gpus=min(gpus_in(part["gres"]) for part in parts),
        memory=memory or None,
        left=None if limit is None else max(limit - (used or 0.0), 0.0),
    )


def _of_pbs(jobid: str, file: Path, run: Run) -> Held:
    lines = file.read_text(encoding="utf-8").split()
    answer = run(PbsDialect().status_call([jobid]), "")
    said = _said("pbs", answer)
    allocation = (PbsDialect().read(answer) or {}).get(jobid)
    vnodes = re.search(r"exec_vnode = (\S+(?:\n\t\S+)*)", said)
    has = _pbs_nodes("" if vnodes is None else re.sub(r"\s", "", vnodes[1]))
    if not has or not lines:
        raise _unknown("pbs", said)
    return Held(
        scheduler="pbs",
        jobid=jobid,
        # What is started is told a place in the list of tasks, in which a node may stand several times.
        nodes=tuple(str(lines.index(host)) for host in dict.fromkeys(lines)),
        cpus=min(max(each["ncpus"], 1) for each in has),
        gpus=min(each["ngpus"] for each in has),
        memory=min(each["mem"] for each in has) or None,
        left=None if allocation is None else allocation.left,
    )


def _of_flux(jobid: str, run: Run) -> Held:
    listed = ["flux", "resource", "list", "--no-header", "--states=up", "--format={nnodes}|{ncores}|{ngpus}"]
    kinds = [tuple(map(int, line.split("|"))) for line in _said("flux", run(listed, "")).splitlines()]
    kinds = [kind for kind in kinds if kind[0]]
    if not kinds:
        raise _unknown("flux", "")
    left = run(["flux", "--parent", "jobs", "--no-header", "--format={t_remaining}", jobid], "")
    return Held(
        scheduler="flux",
        jobid=f"f{jobid[1:]}" if jobid.startswith("ƒ") else jobid,
        nodes=tuple(str(number) for number in range(sum(kind[0] for kind in kinds))),
        cpus=min(cores // number for number, cores, _ in kinds),
        gpus=min(gpus // number for number, _, gpus in kinds),
        left=_positive(left.output) if left.code == 0 else None,
    )


def _said(scheduler: str, answer: Answer) -> str:
    if answer.code != 0:
        raise _unknown(scheduler, answer.complaint)
    return answer.output


def _unknown(scheduler: str, said: str) -> ConfigurationError:
    words = " ".join(said.split())[:200]
    return ConfigurationError(f"{scheduler} does not say what this allocation has{f': {words}' if words else ''}.")


def _field(text: str, name: str) -> str | None:
    found = re.search(_SLURM_FIELD.format(name), text)
    return None if found is None else found[1]


def _slurm_seconds(text: str, name: str) -> float | None:
    try:
        return slurm_seconds(_field(text, name) or "")
    except InvalidInputError:  # UNLIMITED, 00:00:00
        return None


def _lengths(ranges: str) -> Iterator[int]:
    """Give how many numbers each part of ``0-3,8`` has."""
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        yield int(last or first) - int(first) + 1


def _pbs_nodes(text: str) -> Sequence[Counter[str]]:
    """Return what each node gives to an allocation."""
    found: dict[str, Counter[str]] = {}
    for part in _PBS_PART.finditer(text):
        amounts = found.setdefault(part["node"], Counter())
        for amount in part["amounts"].split(":"):
            kind, _, value = amount.partition("=")
            amounts[kind] += size_in_bytes(value) if kind == "mem" else int(value) if value.isdecimal() else 0
    return list(found.values())


def _positive(text: str) -> float | None:
    try:
        return float(text) or None
    except ValueError:
        return None
