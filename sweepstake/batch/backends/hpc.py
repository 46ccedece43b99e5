"""Slurm by way of hpc-connect, for sites that have it set up: it submits and cancels, and Slurm itself says the rest.

What it writes into a script is followed by what we do, which Slurm takes: the limit, the name and the array are ours.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import hpc_connect
from hpcc_slurm import process

from sweepstake.batch.backends.calls import Answer, Run, run_command
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.errors import ConfigurationError

__all__ = ["hpc_slurm"]

_DIRECTIVE: Final = "#SBATCH "
#: The environment of this process is what hpc-connect hands on: only one thread may add to it at a time.
_ENVIRONMENT: Final = threading.Lock()


class _Dialect(SlurmDialect):
    name = "hpc-slurm"


def hpc_slurm(environment: Mapping[str, str] = MappingProxyType({})) -> Scheduler:
    """Return the backend.

    Args:
        environment: variables beside those of this process that are handed on to allocations.
    """
    return Scheduler(_Dialect(), _by_hpc_connect(environment))


def _by_hpc_connect(environment: Mapping[str, str]) -> Run:
    """Return what runs Slurm's commands: those that submit and cancel by hpc-connect."""
    run = partial(run_command, environment=environment)

    def call(arguments: Sequence[str], text: str) -> Answer:
        if arguments[0] == "sbatch":
            with _added(environment):
                return _submit(text)
        if arguments[0] == "scancel":
            return _cancel([each for each in arguments[1:] if not each.startswith("--")])
        return run(arguments, text)

    return call


def _submit(script: str) -> Answer:
    """Submit a script: its directives behind those of hpc-connect, and the rest by the shell that it is written for."""
    lines = script.splitlines()
    directives = [line.removeprefix(_DIRECTIVE) for line in lines if line.startswith(_DIRECTIVE)]
    body = [line for line in lines if not line.startswith("#")]
    command = f"exec /bin/bash -c {shlex.quote(chr(10).join(body))}"
    with tempfile.TemporaryDirectory(prefix="sweepstake-") as folder:
        spec = hpc_connect.JobSpec(
            name="sweepstake",
            commands=[command],
            nodes=1,
            cpus=1,
            gpus=0,
            workspace=Path(folder),
            submit_args=directives,
        )
        try:
            manager = hpc_connect.get_backend("slurm").submission_manager()
            return Answer(code=0, output=manager.popen(spec).jobid, errors="")
        except hpc_connect.SubmissionFailedError:
            return Answer(code=0, output="", errors="hpc-connect found no id in the answer")
        except subprocess.CalledProcessError as error:
            return Answer(code=error.returncode, output=error.stdout or "", errors=error.stderr or "")
        except ValueError as error:  # commands are missing, or the nodes differ in their GPUs
            raise ConfigurationError(f"hpc-connect does not submit here: {error}. Use --backend slurm.") from error


def _cancel(jobids: Sequence[str]) -> Answer:
    """Cancel allocations, of which was asked just before whether they are the ones that are meant."""
    for jobid in jobids:
        process.scancel(jobid)  # says nothing of how that went
    return Answer(code=0, output="", errors="")


@contextmanager
def _added(environment: Mapping[str, str]) -> Iterator[None]:
    """Add variables to those of this process for the length of the block."""
    with _ENVIRONMENT:
        before: dict[str, Any] = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
