"""Processes that last as long as what they have started on nodes, and what is kept of them for who comes next."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import field, frozen

from sweepstake.batch.backends.local.identity import Identity, identity_of
from sweepstake.folders import write_whole

__all__ = ["Child", "Kept", "read_kept", "start", "write_kept"]


@frozen(kw_only=True)
class Kept:
    """What was started, as it is kept for who comes next.

    Attributes:
        host: the machine of the processes.
        processes: which last as long as what they have started.
        nodes: what each has of the allocation.
    """

    host: str
    processes: tuple[Identity, ...]
    nodes: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        """Whether they are processes of this machine."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether one of them runs."""
        return any(each.is_alive() for each in self.processes)


@frozen(kw_only=True)
class Child:
    """What this process has started itself."""

    processes: Sequence[subprocess.Popen[bytes]] = field(factory=list)

    @property
    def code(self) -> int | None:
        """The first exit code that is none of success; None as long as one runs."""
        codes = [each.poll() for each in self.processes]
        return None if None in codes else next((code for code in codes if code), 0)


def start(calls: Iterable[Sequence[str]], environment: Mapping[str, str], log: Path) -> Child:
    """Start commands that no Ctrl-C at the terminal reaches: who runs them is asked first what to do."""
    started = list[subprocess.Popen[bytes]]()
    with ExitStack() as undo, log.open("ab") as output:
        for call in calls:
            process = subprocess.Popen(
                call,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,
            )
            undo.callback(process.terminate)
            started.append(process)
        undo.pop_all()
    return Child(processes=started)


def write_kept(path: Path, child: Child, nodes: Sequence[str]) -> None:
    """Write down what was started, and on which nodes."""
    known = [identity_of(each.pid) for each in child.processes]
    content = {
        "host": socket.gethostname(),
        "processes": [[each.pid, each.began] for each in known if each is not None],
        "nodes": list(nodes),
    }
    write_whole(path, json.dumps(content).encode())


def read_kept(path: Path) -> Kept | None:
    """Return what was written down; None if nothing was."""
    try:
        content: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    processes = tuple(Identity(*each) for each in content["processes"])
    return Kept(host=content["host"], processes=processes, nodes=tuple(content["nodes"]))
