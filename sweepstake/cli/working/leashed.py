"""The worker that an actor starts on a node of a Ray cluster: an ordinary one, which ends when the actor does.

Its standard input is the leash: each byte is a signal to stop, and its end is that of the actor, after which nobody
needs this worker: it ends its commands, and gives their jobs back. Its output are lines for people, and at last one
that says how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from sweepstake.cli.target import Target
from sweepstake.cli.working.running import exit_code, run_worker, worker
from sweepstake.errors import SweepstakeError
from sweepstake.plaintext import printable

__all__ = ["PROGRAM", "main"]

#: What Python runs.
PROGRAM: Final = "from sweepstake.cli.working.leashed import main; main()"
_CONFIG: Final = "SWEEPSTAKE_CONFIG"
#: What a worker is told to stop with, step by step: the system may make one of two signals of a kind.
_STEPS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def main() -> None:
    """Be a worker: the arguments are a file with the connection, which is removed, and those of the worker."""
    for number in _STEPS:
        signal.signal(number, signal.SIG_DFL)  # a shell lets what it runs in the background ignore some
    target = _target(Path(sys.argv[1]))
    code, jobs = 1, 0
    try:
        with worker.make_context("sweepstake worker", sys.argv[2:], obj=target) as context:
            settings = dict(context.params)
            del settings["on"]
            threading.Thread(target=_heed_leash, args=(settings["drain"],), daemon=True).start()
            summary = run_worker(target, **settings, shown=False)
            code = exit_code(summary)
            jobs = 0 if summary is None else sum(summary.outcomes.values())
    except (SweepstakeError, OSError) as error:
        click.echo(f"Error: {printable(str(error))}", err=True)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    finally:
        target.close()
        with suppress(OSError):  # nobody listens any more
            print(json.dumps({"ended": {"code": code, "jobs": jobs}}), flush=True)  # noqa: T201 -- the actor listens


def _target(file: Path) -> Target:
    """Return the store that a file names, and remove the file."""
    told: Mapping[str, Any] = json.loads(file.read_bytes())
    file.unlink()
    file.parent.rmdir()
    settings = dict(told["environment"])
    if not Path(settings.get(_CONFIG, "")).is_file():
        settings.pop(_CONFIG, None)  # what this machine has is as good
    os.environ.update(settings)
    target = Target()
    target.url, target.token = told["url"], told["token"]
    target.owner = told["owner"]
    return target


def _heed_leash(drain: float | None) -> None:
    """Tell this process to stop as the leash says."""
    steps = iter(_STEPS)
    needed = 2 if drain is None or drain > 0 else 1  # the first may let commands go on
    told = 0
    while os.read(0, 1) or told < needed:
        told += 1
        if (step := next(steps, None)) is not None:
            os.kill(os.getpid(), step)
