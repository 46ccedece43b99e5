"""Commands that are killed between any two of their steps, or in one.

A step is whatever others can see: what is written into the queue of batches, and a call of a scheduler's command. They
are seen from outside, by Python's profiler, so that nobody has to think of a new one.

    python -m tests.kit.dying 5 batch submit e --backend slurm -- true

kills itself with -9 at the fifth moment; with 0, never. A moment is just before a step, just after it, and, of a
scheduler's command, while it runs.
"""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from sweepstake.batch.backends import calls as schedulers
from sweepstake.cli import main as sweepstake_main
from sweepstake.cli.main import run_app
from sweepstake.queue.calls import IntendBatches, NoteBatch
from sweepstake.queue.retrying import PatientSender

__all__ = ["KILLED", "run_dying", "watched"]

#: Exit code of a process that was killed.
KILLED = -signal.SIGKILL
#: What others see the effects of; what only reads is no step.
_WRITES = (IntendBatches, NoteBatch)
_COMMANDS = ("sbatch", "scancel")
_SEND = PatientSender.send.__code__
_COMMAND = schedulers.run_command.__code__
#: Inside of a command's call: it was started, has its input, and has answered.
_WITHIN = (subprocess.Popen.communicate.__code__, selectors.PollSelector.select.__code__)


def run_dying(moment: int, variables: dict[str, str], *arguments: str) -> None:
    """Run the command with these variables, be killed at a moment, and else end with its exit code."""
    os.environ.update(variables)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    watched(moment)
    code = run_app(list(arguments))
    sys.setprofile(None)
    os._exit(code)


def watched(moment: int) -> None:
    """Let this process be killed at a moment."""
    sys.setprofile(_hook(moment))


def _hook(moment: int) -> Callable[[FrameType, str, Any], None]:
    seen = 0
    calling = False

    def hook(frame: FrameType, event: str, _: Any) -> None:
        nonlocal seen, calling
        code = frame.f_code
        if code is _COMMAND and event in ("call", "return"):
            if frame.f_locals["arguments"][0] not in _COMMANDS:
                return
            calling = event == "call"
        elif not (
            (code is _SEND and event in ("call", "return") and isinstance(frame.f_locals["call"], _WRITES))
            or (code in _WITHIN and event == "call" and calling)
        ):
            return
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


if __name__ == "__main__":
    number = int(sys.argv[1])
    sys.argv[1:] = sys.argv[2:]
    watched(number)
    sweepstake_main()
