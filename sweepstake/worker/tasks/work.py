"""A task of a spec as what an attempt runs: on the host, or in a container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from attrs import evolve, frozen

from sweepstake.spec import TaskSpec
from sweepstake.worker.leftovers.processes import RUN, marked
from sweepstake.worker.tasks.gathering import Gathering
from sweepstake.worker.tasks.preparing import Stock, prepare
from sweepstake.worker.tasks.run import Folders, JobFacts, TaskRun, on_host
from sweepstake.worker.work import Launch, Preliminaries

__all__ = ["Runner", "TaskWork", "run_on_host"]

_METRICS: Final = "metrics.json"


class Runner(Protocol):
    """How a run is started that is prepared for a container."""

    def __call__(self, run: TaskRun, launch: Launch, before: Preliminaries) -> Launch:
        """Return what starts it.

        Args:
            run: what is run.
            launch: all but the command and its variables.
            before: does what must be done before.

        Raises:
            InvalidInputError: the run is possible nowhere.
            ConfigurationError: it is not possible here.
            OSError: this machine has no room for it.
            Interrupted: the attempt is to end.
        """
        ...


@frozen(kw_only=True)
class TaskWork:
    """A task, for one attempt at a job.

    Attributes:
        task: of a spec.
        facts: the job.
        results: the folder in which the attempt leaves its results.
        stock: what tasks can have on this machine.
        result: returns the folder of the result of another task, which may have to be fetched.
        contained: in what it runs; None for the host.
        environment: all variables that everything gets which runs on the host.
        inherited: the locks of its GPUs.
        gang: for which it waits, if it begins together with others.
    """

    task: TaskSpec
    facts: JobFacts
    results: Path
    stock: Stock
    result: Callable[[str, Preliminaries], Path]
    contained: Runner | None
    environment: Mapping[str, str]
    inherited: tuple[int, ...] = ()
    gang: Gathering | None = None

    def launch(self, scratch: Path, checkpoints: Path, before: Preliminaries) -> Launch:
        """Return what to start, once its gang and its data are there, its files are written, and its image is here."""
        facts = self.facts if self.gang is None else evolve(self.facts, leader=self.gang.leader(before))
        run = prepare(
            self.task,
            facts,
            Folders(own=scratch, results=self.results, checkpoints=checkpoints),
            self.stock,
            lambda task: self.result(task, before),
            contained=self.contained is not None,
        )
        launch = Launch(
            arguments=[],
            environment=self.environment,
            results=scratch / "own" / "results.json",
            metrics=self.results / _METRICS,
            untrusted=self.contained is not None,
            inherited=self.inherited,
            hidden=[*run.secrets.values(), *_secrets_of(self.task, self.stock), *self._credentials()],
        )
        return (self.contained or run_on_host)(run, launch, before)

    def _credentials(self) -> Iterator[str]:
        """Yield what opens the store, which a task on the host can see."""
        if self.contained is None:
            yield self.environment.get("SWEEPSTAKE_TOKEN", "")
            with suppress(ValueError):  # it is no URL
                password = urlsplit(self.environment.get("SWEEPSTAKE_URL", "")).password or ""
                yield from (password, unquote(password))


def _secrets_of(task: TaskSpec, stock: Stock) -> list[str]:
    """Return the secrets that a task has as files."""
    return [stock.secrets.find(each.source.secret) for each in task.datasets or () if each.source.secret is not None]


def run_on_host(run: TaskRun, launch: Launch, before: Preliminaries) -> Launch:
    """Return what starts a run on this host; see `Runner`."""
    del before
    run = on_host(run)
    return evolve(
        launch,
        arguments=[*run.command, *run.arguments],
        environment={**launch.environment, **run.environment, **run.secrets, RUN: marked(run.name)},
        ours=False,
        run=run.name,
    )
