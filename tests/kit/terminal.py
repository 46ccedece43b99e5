"""The command on a real terminal of some size."""

import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import Mapping

_CODE = "from sweepstake.cli import main; main()"


def on_terminal(
    *arguments: str, columns: int = 80, lines: int = 50, environment: Mapping[str, str] | None = None
) -> list[str]:
    """Run the command to its end, and return the lines that a terminal of that size was given."""
    pid, terminal = pty.fork()
    if pid == 0:
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        os.execve(
            sys.executable,
            [sys.executable, "-c", f"import sys; sys.stdin.readline(); {_CODE}", *arguments],
            {**inherited, "TERM": "xterm", **(environment or {})},
        )
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.write(terminal, b"\n")
        return _read(terminal).decode().split("\r\n")[1:-1]
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def _read(terminal: int) -> bytes:
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)
