"""What Ray runs on a node: an actor that starts an ordinary worker, and ends it when it ends itself.

Ray gets this module by value, and it imports nothing of ours: so it can tell of a node on which Sweepstake is missing,
or is of another version.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import Any, Final

__all__ = ["SweepstakeWorker", "problem_with"]

#: What Ray itself may have been started with: another store is meant.
_NOT_OURS: Final = ("SWEEPSTAKE_URL", "SWEEPSTAKE_TOKEN")
#: Seconds that a call for news takes at most, and between two looks whether the raylet lives.
_CALL: Final = 5.0
_LOOK: Final = 0.5


class SweepstakeWorker:
    """One worker on a node.

    What it is told comes as an argument of a call, which Ray shows nowhere, and what it says is the answer of one: so
    none of it stands in Ray's logs.

    Attributes:
        leash: the descriptor of the pipe that the worker ends with.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._dropped = 0
        self._end: dict[str, Any] | None = None
        self.leash = -1

    def begin(self, order: bytes) -> dict[str, str]:
        """Start the worker; return where it is, and what is in the way, if it cannot be started.

        Args:
            order: what `sweepstake.batch.ray.orders` wrote.
        """
        import ray  # noqa: PLC0415 -- on a node it is there

        told = json.loads(order)
        here = {"host": socket.gethostname(), "node": ray.get_runtime_context().get_node_id()}
        try:
            problem = problem_with(told)
            if not problem:
                self.start(told)
        except OSError as error:
            problem = f"the worker could not be started: {error}"
        return {**here, "problem": problem}

    def news(self, known: int) -> dict[str, Any]:
        """Wait until the worker says something or has ended, for some seconds; return what is new.

        Ray does not end an actor that is in a call, when it has lost its cluster.

        Args:
            known: how many lines were heard before.
        """
        with self._changed:
            del self._lines[: known - self._dropped]
            self._dropped = known
            self._changed.wait_for(lambda: self._lines or self._end is not None, _CALL)
            return {"lines": list(self._lines), "end": self._end}

    def signal(self) -> None:
        """Tell the worker to stop, as a further signal does."""
        with suppress(OSError):  # it has ended
            os.write(self.leash, b"s")

    def start(self, told: dict[str, Any]) -> None:
        """Start the worker, and hear what it says."""
        folder = tempfile.mkdtemp(prefix="sweepstake-ray-")  # only this user can look into it
        file = os.path.join(folder, "connection.json")  # noqa: PTH118 -- as everything here: little on a node
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            json.dump(told["settings"], written)
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        # Ray kills the children of an actor with it. This one is not the actor's child, so that it has the time to end
        # its commands and to give their jobs back. A shell gives what it runs in the background no input of its own.
        shell = ["/bin/sh", "-c", 'exec 3<&0; "$@" <&3 3<&- &', "sh"]
        worker = [sys.executable, "-P", "-X", "utf8", "-c", told["program"], file, *told["arguments"]]
        process = subprocess.Popen(
            [*shell, *worker],
            cwd=told["folder"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdin is not None
        self.leash = os.dup(process.stdin.fileno())
        process.stdin.close()
        threading.Thread(target=self._listen, args=(process, file), daemon=True).start()
        threading.Thread(target=self._outlive, args=(os.getppid(),), daemon=True).start()

    def _outlive(self, raylet: int) -> None:
        """Let go of the leash once the raylet has died, whatever Ray makes of this process then."""
        while os.getppid() == raylet:
            time.sleep(_LOOK)
        leash, self.leash = self.leash, -1  # before its number is another's
        os.close(leash)

    def _listen(self, process: subprocess.Popen[bytes], file: str) -> None:
        """Hear all that the worker says; it is over when nobody can say anything any more."""
        assert process.stdout is not None
        end: dict[str, Any] = {"code": None, "jobs": 0}
        with process.stdout as lines:
            for each in lines:
                line = each.decode("utf-8", "replace").rstrip("\n")
                with suppress(ValueError, TypeError, KeyError):  # a line for people
                    end = json.loads(line)["ended"]
                    continue
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        process.wait()
        with suppress(OSError):  # the worker has removed it, unless it died before
            os.unlink(file)  # noqa: PTH108
            os.rmdir(os.path.dirname(file))  # noqa: PTH106, PTH120
        with self._changed:
            self._end = end
            self._changed.notify_all()


def problem_with(told: dict[str, Any]) -> str:
    """Return what is in the way of a worker on this node, and what to do; nothing if it can begin."""
    where, wanted = f"on {socket.gethostname()} ({sys.executable})", told["version"]
    try:
        found = importlib.metadata.version("sweepstake")
    except importlib.metadata.PackageNotFoundError:
        return f"Sweepstake is not installed {where}; install {wanted} into the Python that Ray runs with"
    if found != wanted:
        return f"Sweepstake is {found} {where}, and {wanted} here; install the same on all nodes"
    if platform.python_version_tuple()[:2] != tuple(told["python"]):
        asked = ".".join(told["python"])
        return (
            f"Python is {platform.python_version()} {where}, and {asked} here; let Ray run with the same on all nodes"
        )
    if told["host"] not in ("", socket.gethostname()):
        return f"{socket.gethostname()} is not {told['host']}, and {told['only_here']}"
    if not os.path.isdir(told["folder"]):  # noqa: PTH112
        return (
            f"there is no folder {told['folder']} {where}, in which the command is to run; put it on a disk that all "
            "nodes share, or hand it to them by `ray job submit --working-dir . -- sweepstake worker ...`"
        )
    return ""
