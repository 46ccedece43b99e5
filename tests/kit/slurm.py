"""A real Slurm for the tests, of two nodes on this machine: controller, nodes and munge, on loopback, without systemd.

    with slurm() as cluster:
        subprocess.run(["sbatch", "--wrap", "hostname"], env={**os.environ, **cluster.environment})

It needs root, and Debian's slurmctld, slurmd, slurm-client and munge. A node has eight processors and two GPUs, which
are character devices that do nothing.
"""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import pytest
from attrs import define, field

from tests.kit.postgres import free_port

__all__ = ["CPUS", "GPUS", "NODES", "Slurm", "lacking", "slurm"]

NODES = ("n1", "n2")
#: What a node has, whatever this machine has.
CPUS, GPUS, MEMORY_MB = 8, 2, 4000
START_SECONDS = 60.0
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo", "scancel")

_CONFIGURATION = """
ClusterName=sweepstake
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
EnforcePartLimits=ALL
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/allocations.log
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
KillWait=5
MinJobAge=300
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=10
BatchStartTimeout=60
MessageTimeout=5
TreeWidth=50
GresTypes=gpu
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=short Nodes=ALL MaxTime=5 State=UP
"""


@define
class Slurm:
    """A running cluster.

    Attributes:
        folder: what it keeps everything in.
    """

    folder: Path
    _processes: dict[str, subprocess.Popen[bytes]] = field(factory=dict)

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """What Slurm's commands need in their environment to find this cluster."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str, check: bool = True) -> str:
        """Return what one of Slurm's commands prints."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def start_controller(self) -> None:
        """Start slurmctld, and wait until it answers."""
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        self._wait("scontrol", "ping", until="UP")

    def kill_controller(self) -> None:
        """Kill slurmctld with -9: it forgets what it had not written down."""
        self._end("slurmctld", signal.SIGKILL)

    def written_down(self) -> Path:
        """Return a copy of what slurmctld has written down by now."""
        copy = self.folder / f"state-{time.monotonic_ns()}"
        shutil.copytree(self.folder / "state", copy, ignore=shutil.ignore_patterns("*.new"))
        return copy

    def forget_since(self, written: Path) -> None:
        """Kill slurmctld with -9 and start it again, as if it had written down nothing since.

        It writes every five seconds at most, so that what it has acknowledged meanwhile is lost.
        """
        self.kill_controller()
        shutil.rmtree(self.folder / "state")
        shutil.copytree(written, self.folder / "state")
        self.start_controller()

    def stop_controller(self) -> None:
        """Let slurmctld stand still, as on a machine that is overloaded: it answers nothing."""
        self._processes["slurmctld"].send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let slurmctld go on after `stop_controller`."""
        self._processes["slurmctld"].send_signal(signal.SIGCONT)

    def start_node(self, name: str) -> None:
        """Start the slurmd of a node."""
        self._start(name, "slurmd", "-D", "-N", name, "-f", str(self.folder / "slurm.conf"))

    def kill_node(self, name: str) -> None:
        """Kill the slurmd of a node with -9; what it has begun runs on."""
        self._end(name, signal.SIGKILL)

    def resume(self) -> None:
        """Let nodes be used that Slurm has drained, such as after it had given a number out again, or that are down."""
        for line in self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%N %T", check=False).splitlines():
            name, state = line.split()
            if state.startswith(("drain", "down")):
                self.run("scontrol", "update", f"nodename={name}", "state=resume", check=False)

    def wait_idle(self) -> None:
        """Wait until all nodes are idle."""
        deadline = time.monotonic() + START_SECONDS
        while (states := self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split()) != ["idle"] * len(NODES):
            if time.monotonic() > deadline:
                raise AssertionError(f"the nodes are {states}\n{self.logs()}")
            self.resume()
            time.sleep(0.1)

    def logs(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in self.folder.glob("*.log")
        )

    def start(self) -> None:
        """Start munge, the controller and the nodes."""
        self._start("munged", *self._munge(), "--foreground")
        deadline = time.monotonic() + START_SECONDS
        while not (self.folder / "munge.socket").exists():
            if time.monotonic() > deadline:
                raise AssertionError(self.logs())
            time.sleep(0.05)
        self.start_controller()
        for name in NODES:
            self.start_node(name)
        self.wait_idle()

    def stop(self) -> None:
        """End everything, and what still runs on the nodes."""
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.run("scancel", "--user=root", "--signal=KILL", "--full", check=False)
        for name in reversed(list(self._processes)):
            self._end(name, signal.SIGTERM)
        for step in self._steps():
            with contextlib.suppress(ProcessLookupError):
                os.kill(step, signal.SIGKILL)

    def _munge(self) -> list[str]:
        folder = self.folder
        return [
            "munged",
            "--force",
            f"--key-file={folder}/munge.key",
            f"--socket={folder}/munge.socket",
            f"--pid-file={folder}/munge.pid",
            f"--log-file={folder}/munge.log",
            f"--seed-file={folder}/munge.seed",
        ]

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        self._processes[name] = process

    def _end(self, name: str, number: signal.Signals) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)

    def _wait(self, *command: str, until: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while until not in self.run(*command, check=False):
            if time.monotonic() > deadline:
                raise AssertionError(self.logs())
            time.sleep(0.1)

    def _steps(self) -> Iterator[int]:
        """Give the processes of slurmstepd that belong to this cluster: they outlive their slurmd."""
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if f"SLURM_CONF={self.folder}/slurm.conf".encode() in path.read_bytes().split(b"\0"):
                    yield int(path.parent.name)


def lacking() -> str:
    """Return why no Slurm can be started here; nothing if one can."""
    if os.geteuid() != 0:
        return "only root can start a Slurm"
    missing = [each for each in _PROGRAMS if shutil.which(each) is None]
    return f"{', '.join(missing)} missing: apt-get install slurmctld slurmd slurm-client munge" if missing else ""


@contextlib.contextmanager
def slurm() -> Iterator[Slurm]:
    """Start a cluster for the length of the block; without Slurm a test fails in CI, and is skipped elsewhere."""
    if problem := lacking():
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    folder = Path(tempfile.mkdtemp(prefix="sweepstake-slurm-"))
    folder.chmod(0o755)
    cluster = Slurm(folder)
    try:
        _configure(folder)
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path) -> None:
    for name in ("state", *(f"spool-{each}" for each in NODES)):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    for index in range(GPUS):
        os.mknod(folder / f"gpu{index}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    host = socket.gethostname().partition(".")[0]
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs={CPUS} RealMemory={MEMORY_MB}"
        f" Gres=gpu:{GPUS} State=UNKNOWN"
        for name in NODES
    )
    text = _CONFIGURATION.format(folder=folder, host=host, port=free_port(), nodes=nodes)
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text(f"NodeName={','.join(NODES)} Name=gpu File={folder}/gpu[0-{GPUS - 1}]\n")


def end_when_told() -> None:
    """Let SIGTERM end this program as an exception does, so that a cluster that it has started ends with it."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def main() -> None:
    """Start a cluster to try things in; a shell's end ends it."""
    end_when_told()
    with slurm() as cluster:
        command = sys.argv[1:] or [os.environ.get("SHELL", "bash")]
        subprocess.run(command, env={**os.environ, **cluster.environment}, check=False)


if __name__ == "__main__":
    main()
