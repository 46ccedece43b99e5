"""A machine on which workers run tasks: its configuration, its workers, and what runs there for each of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from sweepstake.domain.status import JobStatus
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.values import JsonObject
from sweepstake.worker.containers.arguments import Engine
from tests.faults.fault import Place
from tests.faults.processes.hands import stand_still
from tests.kit.checkout import ROOT
from tests.kit.lab import WAIT_SECONDS, Lab, document, draft, eventually, new_key
from tests.kit.podman import IMAGE, podman_engine
from tests.kit.stack import open_queue

__all__ = ["Site", "TaskWorker", "open_site", "processes_with"]

#: Says in the environment of a worker, and of all that it starts on the host, which one it is.
_WHOSE: Final = "SWEEPSTAKE_FAULT_WORKER"
#: Seconds that commands have to end.
GRACE: Final = 0.5


@frozen(kw_only=True)
class TaskWorker:
    """A `sweepstake worker` in a process of its own.

    Attributes:
        whose: what tells its processes from all others.
        told: the file with what it said.
    """

    whose: str
    told: Path
    process: subprocess.Popen[bytes]

    def says(self) -> str:
        """Return what it said so far."""
        return self.told.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the worker alone."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self, *, heartbeats: bool) -> float:
        """Kill it, with the process that renews its leases if so asked; return the monotonic time just before."""
        self.send(signal.SIGSTOP)  # so that it starts no other in the place of that process
        before = time.monotonic()
        if heartbeats:
            for pid in self._heartbeats():
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait(WAIT_SECONDS)
        return before

    def stop(self) -> None:
        """Stop it with the process that renews its leases, as nobody but them; see `stand_still`."""
        for pid in (self.process.pid, *self._heartbeats()):
            stand_still(pid)

    def go_on(self) -> None:
        """Let it go on after `stop`."""
        for pid in (self.process.pid, *self._heartbeats()):
            os.kill(pid, signal.SIGCONT)

    def _heartbeats(self) -> list[int]:
        """Return the process that renews its leases."""
        return [pid for pid in self.everything() if b"sweepstake.worker.heartbeats" in _read(f"/proc/{pid}/cmdline")]

    def everything(self) -> set[int]:
        """Return the processes of this host that it has started, directly or not, and itself."""
        return processes_with(_WHOSE, self.whose)

    def containers(self) -> set[str]:
        """Return the names of the containers whose clients it has started and that run now."""
        names = set()
        for pid in self.everything():
            words = _read(f"/proc/{pid}/cmdline").decode("utf-8", "replace").split("\0")
            if "--name" in words:
                names.add(words[words.index("--name") + 1])
        return names

    def end(self, within: float = WAIT_SECONDS) -> str:
        """Wait until it ended well, and return what it said."""
        code = self.process.wait(within)
        assert code == 0, f"a worker ended with {code}:\n{self.says()[-2000:]}"
        return self.says()


@frozen(kw_only=True)
class Site:
    """An experiment, and a machine whose workers run its tasks.

    Attributes:
        lab: the experiment.
        url: where workers find it.
        folder: for files.
        engine: what runs containers; None if tasks run on the host.
        results: where tasks leave results; no other site has such a path.
        environment: variables of the workers.
    """

    lab: Lab
    url: str
    folder: Path
    engine: Engine | None
    results: str
    environment: dict[str, str]
    workers: list[TaskWorker] = field(factory=list)

    @property
    def shared(self) -> Path:
        """A folder in which tasks may write that mount it; see `mount`."""
        return self.folder / "shared"

    def mount(self, path: str) -> dict[str, Any]:
        """Return what mounts the shared folder."""
        return {"mountPath": path, "source": {"hostPath": str(self.shared)}}

    def put(self, *tasks: Mapping[str, Any]) -> None:
        """Store a spec of tasks; what a task does not say is that of a script, `script`, for a shell."""
        made = [_task(self.results, **{"name": f"t{i}", **task}) for i, task in enumerate(tasks)]
        document_of = JsonObject.of({"version": "v2", "tasks": made})
        self.lab.queue.put_spec(self.lab.name, SpecDraft(text="", document=document_of))

    def add(self, count: int, task: str = "t0", **hyperparameters: Any) -> list[str]:
        """Add jobs of a task whose hyperparameter `i` counts from 0, and return their ids."""
        made = [draft(of=document(hyperparameters={"i": i, **hyperparameters}), task=task) for i in range(count)]
        return self.lab.add(*made)

    def start(self, *options: str, experiments: tuple[str, ...] = ()) -> TaskWorker:
        """Start a worker."""
        whose = new_key()
        told = self.folder / f"worker{len(self.workers)}.log"
        command = ["worker", *(experiments or (self.lab.name,)), "--grace", str(GRACE), *options]
        with told.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", "from sweepstake.cli import main; main()", *command],
                env={**os.environ, **self.environment, _WHOSE: whose},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                process_group=0,
            )
        worker = TaskWorker(whose=whose, told=told, process=process)
        self.workers.append(worker)
        return worker

    def containers(self) -> set[str]:
        """Return the names of all containers of this site, whatever their state."""
        if self.engine is None:
            return set()
        listed = subprocess.run(
            [
                *(self.engine.program, *self.engine.global_args, "ps", "--all", "--no-trunc"),
                *("--format", "{{.Names}} {{.Mounts}}"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return {line.split()[0] for line in listed.stdout.splitlines() if self.results in line}

    def wait_done(self, count: int, within: float) -> None:
        """Wait until so many jobs are DONE."""
        eventually(lambda: self.lab.queue.count_jobs(self.lab.name).done == count or None, within=within)

    def statuses(self) -> dict[str, JobStatus]:
        """Return the status of each job."""
        return {job.id: job.status for job in self.lab.jobs()}

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
            for pid in worker.everything():
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        for name in self.containers():
            assert self.engine is not None
            remove = [self.engine.program, *self.engine.global_args, "rm", "--force", "--time", "0", name]
            subprocess.run(remove, capture_output=True, check=False)


@contextmanager
def open_site(place: Place, *, contained: bool, name: str | None = None, **settings: Any) -> Iterator[Site]:
    """Give a site, with a new experiment, whose workers run tasks in podman or on the host; kill what still runs.

    Args:
        place: the store.
        contained: whether it is podman.
        name: of the experiment.
        settings: of the experiment.
    """
    engine = podman_engine(place.folder / "images") if contained else None
    folder = place.folder / new_key()[-8:]
    (folder / "shared").mkdir(parents=True)
    config = f'[data]\nroots = [{{path = "{folder}/shared", write = true}}]\n'
    if engine is not None:
        config += f"[container]\nengine = 'podman'\nglobal_args = {json.dumps(engine.global_args)}\n"
        config += f"run_args = {json.dumps(engine.run_args)}\n"
    (folder / "config.toml").write_text(config)
    environment = {
        "PYTHONPATH": str(ROOT),
        "SWEEPSTAKE_URL": place.url,
        "SWEEPSTAKE_CONFIG": str(folder / "config.toml"),
        "SWEEPSTAKE_STATE": str(folder / "state"),
    }
    queue = open_queue(place.url)
    site = Site(
        lab=Lab.new(queue, name=name, **settings),
        url=place.url,
        folder=folder,
        engine=engine,
        results=f"/results-{new_key()[-12:]}",
        environment=environment,
    )
    try:
        yield site
    finally:
        site.close()
        queue.close()


def processes_with(name: str, value: str) -> set[int]:
    """Return the processes that were started with a variable of this value and have not ended."""
    sign = f"{name}={value}".encode()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        if sign in _read(f"{folder}/environ").split(b"\0"):
            found.add(int(folder.name))
    return found


def _read(path: str) -> bytes:
    """Return what a file of the system holds; nothing if its process is gone."""
    with suppress(OSError):
        return Path(path).read_bytes()
    return b""


def _task(results: str, **task: Any) -> dict[str, Any]:
    script = task.pop("script", "true")
    return {
        "image": {"docker": IMAGE},
        "command": ["sh", "-euc", script],
        "result": {"path": results},
        **task,
    }
