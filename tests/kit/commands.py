"""Commands that workers run in tests."""

import os
import signal
import sys
from pathlib import Path

from sweepstake import Job
from tests.kit.lab import eventually

#: For a shell, and for Python.
RESULTS = "echo '--- RESULTS ---'; echo 'x: 1'; echo '--- END RESULTS ---'"
BLOCK = "print('--- RESULTS ---'); print('x: 1'); print('--- END RESULTS ---')"


def python(script: str) -> list[str]:
    """Return a command that runs a Python script."""
    return ["--", sys.executable, "-c", script]


def lasting(folder: Path, also: str = "") -> str:
    """Return a script that says it has begun, and its process id, by a file named for its job; then it waits."""
    return (
        f"import os, pathlib, signal\n{also}\n"
        f"pathlib.Path({str(folder)!r}, os.environ['SWEEPSTAKE_JOB_ID']).write_text(str(os.getpid()))\n"
        "while True: signal.pause()"
    )


def until_told(folder: Path, number: signal.Signals = signal.SIGUSR1) -> str:
    """Return such a script that reports results and ends well when this signal arrives."""
    return lasting(folder, f"def end(*_):\n    {BLOCK}\n    raise SystemExit(0)\nsignal.signal({int(number)}, end)")


def begun(folder: Path, *jobs: Job) -> list[int]:
    """Wait until the scripts of these jobs have begun, and return their process ids."""
    files = [folder / job.job_id for job in jobs]
    eventually(lambda: all(file.exists() and file.read_text() for file in files))
    return [int(file.read_text()) for file in files]


def alive(pid: int) -> bool:
    """Tell whether a process runs."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except ProcessLookupError:  # also where its file is read, if it ends meanwhile
        return False
