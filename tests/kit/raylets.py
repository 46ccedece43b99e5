"""A real Ray cluster on this machine: a head that runs nothing, and nodes that can be killed.

python -m tests.kit.raylets [CPUS CPUS ...]  # a shell with RAY_ADDRESS of one with such nodes, by default two of 2 CPUs
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["Raylets", "left_of", "looked_up", "processes_of", "raylets"]


#: By which a node's death is noticed soon.
_QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 200, "health_check_failure_threshold": 3}


class Raylets:
    """A cluster of which each node is a raylet.

    Attributes:
        address: for RAY_ADDRESS.
        dashboard: the URL of its dashboard, if it has one.
        folder: where Ray keeps its sessions: sockets and logs.
    """

    def __init__(self, cluster: Any, folder: Path) -> None:
        self._cluster = cluster
        self.folder = folder
        self.address: str = cluster.address
        self.dashboard = f"http://{cluster.webui_url}"

    def add(self, **node: Any) -> Any:
        """Start a node, with `num_cpus` and others, and return it."""
        with _quiet():
            return self._cluster.add_node(temp_dir=str(self.folder), **node)

    def kill(self, node: Any) -> int:
        """Kill a node's raylet, and nothing else, with SIGKILL; return its process id."""
        pid = raylet_of(node)
        os.kill(pid, signal.SIGKILL)
        self.remove(node)
        return pid

    def remove(self, node: Any) -> None:
        """End what is left of a node."""
        with _quiet():
            self._cluster.remove_node(node, allow_graceful=False)

    def nodes(self) -> Sequence[Any]:
        """Return the nodes beside the head."""
        return list(self._cluster.worker_nodes)

    def close(self) -> None:
        """End all of it."""
        with _quiet():
            self._cluster.shutdown()


def raylet_of(node: Any) -> int:
    """Return the process id of a node's raylet."""
    return int(node.all_processes["raylet"][0].process.pid)


def looked_up(cluster: Raylets, look: str) -> str:
    """Return what a short program prints that is connected to a cluster; in a process of its own, as Ray wants it."""
    program = f"import json, ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level=40); {look}"
    done = subprocess.run(
        [sys.executable, "-c", program, cluster.address], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def left_of(cluster: Raylets) -> dict[str, list[str]]:
    """Return the states of the actors and placement groups that a cluster still has."""
    look = (
        "from ray._private.state import actors;"
        "groups = ray.util.placement_group_table().values();"
        "print(json.dumps({'actors': [each['State'] for each in actors().values() if each['State'] != 'DEAD'],"
        "'groups': [each['state'] for each in groups if each['state'] != 'REMOVED']}))"
    )
    left: dict[str, list[str]] = json.loads(looked_up(cluster, look))
    return left


def processes_of(folder: Path, raylet: int | None = None) -> set[int]:
    """Return the workers and commands on nodes that name a folder, of one raylet or of all."""
    found = set()
    for each in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended
            if not each.name.isdecimal() or str(folder).encode() not in (each / "cmdline").read_bytes():
                continue
            variables = (each / "environ").read_bytes().split(b"\0")
            if any(
                variable.startswith(b"RAY_RAYLET_PID=") if raylet is None else variable == b"RAY_RAYLET_PID=%d" % raylet
                for variable in variables
            ):
                found.add(int(each.name))
    return found


@contextmanager
def raylets(*cpus: int, **head: Any) -> Iterator[Raylets]:
    """Start a cluster with a node for each number of CPUs; behind the block nothing of it is left."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # all on the loopback device
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with _quiet():
        from ray.cluster_utils import Cluster

        folder = Path(tempfile.mkdtemp(prefix="sw-ray-"))  # short: sockets are in it
        started = Raylets(
            Cluster(
                initialize_head=True,
                head_node_args={
                    "num_cpus": 0,
                    "temp_dir": str(folder),
                    "include_dashboard": False,
                    "_system_config": _QUICK,
                    **head,
                },
            ),
            folder,
        )
    try:
        for each in cpus:
            started.add(num_cpus=each)
        yield started
    finally:
        started.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Ray leave what it opens to the end of the process."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


def main() -> None:
    """Give a shell."""
    with raylets(*map(int, sys.argv[1:] or ("2", "2"))) as started:
        subprocess.run(
            [os.environ.get("SHELL", "/bin/sh")], env={**os.environ, "RAY_ADDRESS": started.address}, check=False
        )


if __name__ == "__main__":
    main()
