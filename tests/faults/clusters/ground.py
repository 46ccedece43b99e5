"""A sweep on a real Slurm that is broken meanwhile, and who saw what: commands, by their log, and workers, by /proc."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from sweepstake.client import Experiment
from tests.kit.checkout import ROOT
from tests.kit.slurm import NODES, Slurm

__all__ = ["Ground", "SeenWorker", "Started"]

#: Each command holds a lock as long as anything of it lives, so that two of one job cannot be there unseen.
_SCRIPT: Final = """
exec 9> "$0/locks/$SWEEPSTAKE_JOB_ID"
if ! flock -n 9; then echo "twice $SWEEPSTAKE_JOB_ID $SWEEPSTAKE_ATTEMPT" >> "$0/log"; exit 9; fi
echo "begun $SWEEPSTAKE_JOB_ID $SWEEPSTAKE_ATTEMPT $PPID $(date +%%s.%%N)" >> "$0/log"
sleep "$2"
echo "ended $SWEEPSTAKE_JOB_ID $SWEEPSTAKE_ATTEMPT $PPID $(date +%%s.%%N)" >> "$0/log"
echo '--- RESULTS ---'; echo "attempt: $SWEEPSTAKE_ATTEMPT"; echo '--- END RESULTS ---'
"""
#: Seconds between two looks at the processes.
_LOOK: Final = 0.25


@frozen(kw_only=True)
class Started:
    """A command, as its log says.

    Attributes:
        job: whose command.
        attempt: the number of the job's attempt.
        worker: process id of its worker.
        begun: Unix time.
        ended: Unix time; None if it was killed.
    """

    job: str
    attempt: int
    worker: int
    begun: float
    ended: float | None


@define(kw_only=True)
class SeenWorker:
    """A worker in an allocation, as it was seen.

    Attributes:
        pid: its process id.
        allocation: as Slurm numbers it: Slurm may give a number out again.
        batch: the submission that it was started for.
        first: Unix time when it was seen first.
        last: and last.
        killed: whether we have ended it, or its allocation.
    """

    pid: int
    allocation: str
    batch: str
    first: float
    last: float
    killed: bool = False


@define
class Ground:
    """Where one sweep runs.

    Attributes:
        cluster: the Slurm.
        experiment: the sweep.
        variables: what commands need to find both.
        folder: for the log of its commands.
        chance: what is broken when.
        workers: all that were seen.
        broken: how often what was broken.
    """

    cluster: Slurm
    experiment: Experiment
    variables: Mapping[str, str]
    folder: Path
    chance: random.Random
    workers: dict[tuple[int, str], SeenWorker] = field(factory=dict)
    broken: dict[str, int] = field(factory=lambda: defaultdict(int))
    _over: threading.Event = field(factory=threading.Event)

    @property
    def command(self) -> Sequence[str]:
        """Return what is run for each job: it sleeps for as long as its hyperparameter `pause` says."""
        return ["--", "sh", "-c", _SCRIPT, str(self.folder), "%h"]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look for workers on a thread of its own within the block."""
        (self.folder / "locks").mkdir(parents=True)
        (self.folder / "log").touch()
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def start(self, moment: int, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the command, which is killed at a moment; with 0, at none."""
        with (self.folder / "told").open("ab") as told:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.kit.dying", str(moment), *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONUTF8": "1", **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
            )

    def alive(self) -> list[SeenWorker]:
        """Return the workers that live."""
        now = time.time()
        return [each for each in list(self.workers.values()) if now - each.last < 4 * _LOOK]

    def worker_of(self, command: Started) -> SeenWorker | None:
        """Return the worker that began a command; None if it was too short to be seen."""
        found = [each for each in self.workers.values() if each.pid == command.worker]
        return min(found, key=lambda each: abs(each.first - command.begun), default=None)

    def break_something(self) -> None:
        """Do one of the things that happen to clusters."""
        what = self.chance.choice(["cancel", "cancel", "kill", "kill", "controller", "node", "slurmd"])
        getattr(self, f"_{what}")()

    def mend(self) -> None:
        """Let Slurm learn what runs: else a slurmctld that was killed says for minutes that what has ended runs."""
        for name in NODES:
            self.cluster.kill_node(name)
            self.cluster.start_node(name)
        self.cluster.resume()

    def log(self) -> tuple[list[Started], list[str]]:
        """Return the commands, and the jobs of which one began while another was there."""
        begun = dict[tuple[str, int], tuple[int, float]]()
        ended = dict[tuple[str, int], float]()
        twice = list[str]()
        for line in (self.folder / "log").read_text().splitlines():
            what, job, attempt, *rest = line.split()
            if what == "twice":
                twice.append(job)
            elif what == "begun":
                begun[job, int(attempt)] = (int(rest[0]), float(rest[1]))
            else:
                ended[job, int(attempt)] = float(rest[1])
        found = [
            Started(job=job, attempt=attempt, worker=worker, begun=at, ended=ended.get((job, attempt)))
            for (job, attempt), (worker, at) in begun.items()
        ]
        return found, twice

    def _cancel(self) -> None:
        """Cancel an allocation that runs, or waits, by hand."""
        ids = self.cluster.run("squeue", "-h", "-r", "-t", "RUNNING,PENDING", "-o", "%i", check=False).split()
        if ids:
            self.cluster.run("scancel", self.chance.choice(ids), check=False)
            self.broken["cancelled"] += 1

    def _kill(self) -> None:
        """Kill a worker, every other time with what renews its leases."""
        alive = self.alive()
        if not alive:
            return
        worker = self.chance.choice(alive)
        worker.killed = True
        also = _children(worker.pid) if self.broken["workers killed"] % 2 else []
        for pid in (worker.pid, *also):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.broken["workers killed"] += 1

    def _controller(self) -> None:
        """Kill slurmctld, and start it again."""
        self.cluster.kill_controller()
        time.sleep(self.chance.random() * 2)
        self.cluster.start_controller()
        self.cluster.resume()
        self.broken["slurmctld killed"] += 1

    def _node(self) -> None:
        """Set a node down, and up again."""
        name = self.chance.choice(NODES)
        self.cluster.run("scontrol", "update", f"nodename={name}", "state=down", "reason=test", check=False)
        time.sleep(1 + self.chance.random())
        self.cluster.resume()
        self.broken["nodes set down"] += 1

    def _slurmd(self) -> None:
        """Kill the slurmd of a node, and start it again; what it has begun runs on."""
        name = self.chance.choice(NODES)
        self.cluster.kill_node(name)
        time.sleep(self.chance.random())
        self.cluster.start_node(name)
        self.broken["slurmd killed"] += 1

    def _watch(self) -> None:
        configuration = f"SLURM_CONF={self.variables['SLURM_CONF']}".encode()
        others = set[int]()
        while not self._over.wait(_LOOK):
            there = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()}
            others &= there
            for pid in there - others:
                with suppress(OSError):
                    if not self._is_worker(pid, configuration):
                        others.add(pid)

    def _is_worker(self, pid: int, configuration: bytes) -> bool:
        """Note a worker; tell whether this process may be, or become, one."""
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if configuration not in variables:
            return False
        numbers = [each.removeprefix(b"SLURM_JOB_ID=") for each in variables if each.startswith(b"SLURM_JOB_ID=")]
        if numbers and b"worker" in words and b"--batch" in words and b"python" in words[0]:
            batch, now = words[words.index(b"--batch") + 1].decode(), time.time()
            new = SeenWorker(pid=pid, allocation=numbers[0].decode(), batch=batch, first=now, last=now)
            self.workers.setdefault((pid, batch), new).last = now
        return True


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
