"""A bench for workers that run what jobs carry: real tasks on this host, from a file; no lease is renewed."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs

from sweepstake import ManualSearch
from sweepstake.domain.tasks.needs import WorkerLabel
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.errors import StoreUnavailableError
from sweepstake.queue.call import Call
from sweepstake.queue.calls import ClaimJobs
from sweepstake.queue.queue import Queue, Sender
from sweepstake.queue.retrying import patient_queue
from sweepstake.values import JsonObject
from sweepstake.worker.attempt import Plan
from sweepstake.worker.leftovers.living import Living
from sweepstake.worker.pacing.agenda import Options, Summary
from sweepstake.worker.running import Worker
from sweepstake.worker.slots.book import GuardedBook
from sweepstake.worker.slots.locks import GpuLocks
from sweepstake.worker.slots.room import Slots
from sweepstake.worker.tasks.duty import TaskDuty
from sweepstake.worker.tasks.fetched import Fetched
from sweepstake.worker.tasks.keeping import KeepOptions
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.secrets import Secrets
from sweepstake.worker.tasks.sources import Sources
from sweepstake.worker.tasks.work import Runner
from sweepstake.worker.terminal import Terminal
from tests.kit.clocks import HandClock
from tests.kit.heartbeats import NoHeartbeats
from tests.kit.lab import document, draft, eventually

__all__ = ["ONE", "Away", "Bench", "Doing"]

A = TypeVar("A")

#: One processor.
ONE = Slots(cpus=1.0)


@attrs.frozen
class Noting:
    """Passes calls on, and notes their names once they were answered."""

    sender: Sender
    calls: list[str]

    @property
    def identity(self) -> str | None:
        return self.sender.identity

    def send(self, call: Call[A]) -> A:
        try:
            return self.sender.send(call)
        finally:
            self.calls.append(type(call).__name__)

    def close(self) -> None:
        self.sender.close()


@attrs.define
class Doing:
    """Passes calls on, and does something before the first claim."""

    sender: Sender
    do: Callable[[], None] | None

    @property
    def identity(self) -> str | None:
        """As of any sender."""
        return self.sender.identity

    def send(self, call: Call[A]) -> A:
        """As of any sender, but for what the class says."""
        if isinstance(call, ClaimJobs) and self.do is not None:
            do, self.do = self.do, None
            do()
        return self.sender.send(call)

    def close(self) -> None:
        """As of any sender."""
        self.sender.close()


@attrs.define
class Away:
    """Passes calls on, but for so many seconds of a clock, from when something is so.

    Attributes:
        tried: what was asked meanwhile, and how many seconds after the first time.
        answered: what was asked before, and since.
    """

    sender: Sender
    clock: HandClock
    seconds: float
    begins: Callable[["Away"], bool]
    tried: list[tuple[str, float]] = attrs.field(factory=list)
    answered: list[str] = attrs.field(factory=list)
    began: float | None = None

    @property
    def identity(self) -> str | None:
        """As of any sender."""
        return self.sender.identity

    def send(self, call: Call[A]) -> A:
        """As of any sender, but for what the class says."""
        name, now = type(call).__name__, self.clock.monotonic()
        if self.began is None and self.begins(self):
            self.began = now
        if self.began is not None and now - self.began < self.seconds:
            self.tried.append((name, now - self.began))
            raise StoreUnavailableError("away")
        answer = self.sender.send(call)
        self.answered.append(name)
        return answer

    def close(self) -> None:
        """As of any sender."""
        self.sender.close()


@attrs.define
class Bench:
    """An experiment, and a worker of this host that runs its tasks.

    Attributes:
        exp: the experiment.
        folder: for files that tasks write.
        told: the lines for people.
        calls: what the worker asked of the queue.
    """

    exp: ManualSearch
    folder: Path
    told: list[str] = attrs.field(factory=list)
    calls: list[str] = attrs.field(factory=list)

    def put(self, *tasks: dict[str, Any], **spec: Any) -> None:
        """Store a spec; each task is a shell script in a folder of its own for all."""
        variables = [{"name": "FOLDER", "value": str(self.folder)}]
        made = []
        for i, task in enumerate(tasks):
            command = ["sh", "-euc", task.pop("script", "true")]
            made.append(
                {"image": {"docker": "tiny"}, "name": f"t{i}", "command": command, "envVars": variables, **task}
            )
        document = JsonObject.of({"version": "v2", "tasks": made, **spec})
        self.exp.session.queue.put_spec(self.exp.name, SpecDraft(text="", document=document))

    def add(self, *names: str, task: str = "t0", priority: int = 0, **hyperparameters: Any) -> None:
        """Add jobs of a task."""
        of = document(hyperparameters=hyperparameters) if hyperparameters else None
        drafts = [draft(name, of=of, task=task, priority=priority) for name in names]
        self.exp.session.queue.add_jobs(self.exp.name, drafts)

    def add_gang(self, gang: str, count: int) -> None:
        """Add the jobs of a gang of the first task, whose ids are its name and their ranks."""
        drafts = [draft(f"{gang}{rank}", task="t0", gang=gang, rank=rank) for rank in range(count)]
        self.exp.session.queue.add_jobs(self.exp.name, drafts)

    def then(self, file: str, do: Callable[[], None]) -> None:
        """Do something as soon as there is a file, beside the worker."""

        def wait() -> None:
            eventually((self.folder / file).exists)
            do()

        threading.Thread(target=wait, daemon=True).start()

    def lose(self, seconds: float, begins: Callable[[Away], bool] = lambda _: True) -> Away:
        """Let the store be away for so many seconds of a clock that only waits for it turn, from when that is so."""
        clock = HandClock()
        away = Away(self.exp.session.queue.sender, clock, seconds, begins)
        session = attrs.evolve(self.exp.session, queue=patient_queue(away, clock, os.urandom, clock.sleep))
        assert self.exp.record is not None
        self.exp.attach(session, self.exp.record)
        return away

    def work(
        self,
        slots: Slots,
        labels: dict[str, str] | None = None,
        patience: float = 60.0,
        contained: Runner | None = None,
        own: bool = True,
        **options: Any,
    ) -> Summary:
        """Run tasks until there is none."""
        book = GuardedBook(slots, GpuLocks(self.folder), patience)
        stock = Stock(sources=Sources(), secrets=Secrets(self.folder / "none", {}))
        does = TaskDuty(
            book,
            [WorkerLabel(name=name, value=value) for name, value in (labels or {}).items()],
            stock,
            contained,
            {},
            Fetched(self.folder / "state"),
            KeepOptions(),
            self.told.append,
            Living(self.folder, self.folder),
            lambda _: own,
        )
        plan = Plan(allow_empty=True, grace=5.0, terminal=Terminal({}, several=True))
        session = attrs.evolve(self.exp.session, queue=Queue(Noting(self.exp.session.queue.sender, self.calls)))
        assert self.exp.record is not None
        self.exp.attach(session, self.exp.record)
        return Worker(session, [self.exp], does, plan, Options(**options), NoHeartbeats(), self.told.append).run()

    def wrote(self, name: str) -> list[str]:
        """Return the lines of a file."""
        return (self.folder / name).read_text().splitlines()
