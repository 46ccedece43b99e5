"""Stops a test's PostgreSQL when the test session was killed and cannot do it itself.

python postgres_guard.py OWNER FOLDER: the process that would have stopped it, and the server's folder.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path


def lives(pid: int) -> bool:
    """Tell whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main(owner: int, folder: Path) -> None:
    """Wait until the owner has ended, or has cleared up; in the first case clear up."""
    while lives(owner) and folder.exists():
        time.sleep(1)
    pid_file = folder / "data" / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
        for _ in range(100):
            if not pid_file.exists():
                break
            time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
