"""What an allocation knows of itself, for what runs in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from sweepstake.batch.backends.calls import Run, run_command
from sweepstake.batch.backends.limits import slurm_seconds
from sweepstake.errors import ConfigurationError, InvalidInputError

__all__ = ["ALLOCATION", "ENDS", "allocation_of", "time_left"]

#: The variable that tells an allocation of this machine what it is called.
ALLOCATION: Final = "SWEEPSTAKE_ALLOCATION"
#: The variable that tells such an allocation when it ends, if that is known: as its name, ``@``, and the Unix time.
ENDS: Final = "SWEEPSTAKE_ALLOCATION_ENDS"


def allocation_of(environment: Mapping[str, str]) -> str | None:
    """Return what its scheduler calls the allocation of a process with these variables; None outside of any."""
    if own := environment.get(ALLOCATION):  # even if this machine is within an allocation of a cluster
        return _plain(own)
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    if array and task:
        return f"{array}_{task}"
    ids = (environment.get(name) for name in ("SLURM_JOB_ID", "PBS_JOBID", "FLUX_JOB_ID"))
    return next((_plain(each) for each in ids if each), None)


def _plain(jobid: str) -> str:
    """Return an id as it is kept: Flux writes its first letter as a florin."""
    return f"f{jobid[1:]}" if jobid.startswith("ƒ") else jobid


def time_left(environment: Mapping[str, str], run: Run = run_command) -> float | None:
    """Return how many seconds an allocation still has; None if nobody says.

    Only Slurm is asked, once, where no variable says it.
    """
    called, _, ends = environment.get(ENDS, "").rpartition("@")
    if called and called == environment.get(ALLOCATION):
        return max(float(ends) - time.time(), 0.0)
    if environment.get(ALLOCATION) or not environment.get("SLURM_JOB_ID"):
        return None
    try:
        answer = run(["squeue", "-h", "-j", environment["SLURM_JOB_ID"], "-o", "%L"], "")
        return slurm_seconds(answer.output) if answer.code == 0 else None
    except (ConfigurationError, InvalidInputError):  # nodes may lack the command; UNLIMITED, INVALID, NOT_SET
        return None
