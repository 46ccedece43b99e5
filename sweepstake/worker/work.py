"""What an attempt runs: a command with a job in the places of its escapes, or whatever else can be launched."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import Signal
from sweepstake.folders import new_file
from sweepstake.queue.call import Patience
from sweepstake.worker.expansion import Values, expand, names_program, variables

__all__ = ["CommandWork", "Interrupted", "Keeping", "Kept", "Launch", "Preliminaries", "Work"]


class Interrupted(Exception):  # noqa: N818 -- somebody's decision, not a failure
    """The attempt is to end before its command has begun."""

    def __init__(self, signal: Signal = Signal.CONTINUE) -> None:
        super().__init__(signal)
        self.signal = signal


class Preliminaries(Protocol):
    """What may have to be done before a command begins, as a part of its attempt."""

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command to its end, and return its exit code; its output is the attempt's.

        Args:
            arguments: the command.
            environment: variables beside those of this process.

        Raises:
            Interrupted: the attempt is to end.
            OSError: it cannot be started.
        """
        ...

    def pause(self, seconds: float) -> None:
        """Wait so long.

        Raises:
            Interrupted: the attempt is to end.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Wait so long for others, for whom a worker does not wait that takes no more jobs.

        Raises:
            Interrupted: the attempt is to end.
        """
        ...


@frozen(kw_only=True)
class Launch:
    """A command as it is started.

    Attributes:
        arguments: the command.
        environment: all of its variables, but for those by which it finds what holds it.
        results: the file in which it may leave its results.
        metrics: another, of which they are a part as well.
        untrusted: whether what it leaves may be links to what it must not read itself.
        ours: whether what it runs was chosen on this machine, so that a fault in it is no job's.
        inherited: open files that it keeps.
        ending: a command that ends what may outlive it, when it has been killed.
        run: the name by which its processes are known that leave its group, as daemons do; they end when it has ended.
            Nothing if they are not known, or may stay.
        hidden: texts that must not be seen in its output.
        failed: says of the exit code of a command that nobody ended how it shows that what ran the command failed, as a
            container engine may; an empty text if it does not.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    results: Path
    metrics: Path | None = None
    untrusted: bool = False
    ours: bool = True
    inherited: Sequence[int] = ()
    ending: Sequence[str] = ()
    run: str = ""
    hidden: Sequence[str] = field(default=(), repr=False)
    failed: Callable[[int], str] = lambda _: ""


@frozen(kw_only=True)
class Kept:
    """What became of what an attempt left.

    Attributes:
        problem: why it is not kept, and where it is; the attempt is not DONE then.
        again: whether another attempt may have more luck.
        note: what of it is not kept, as it cannot be.
    """

    problem: str = ""
    again: bool = False
    note: str = ""


class Keeping(Protocol):
    """Keeps what an attempt leaves, again and again while it runs."""

    def finish(self, patience: Patience) -> Kept:
        """Keep all of it, once the attempt has ended.

        Args:
            patience: how long to try while the store is away.

        Raises:
            UnusableFolderError: there is no room for it on this machine.
        """
        ...


class Work(Protocol):
    """What is run for one attempt."""

    def launch(self, scratch: Path, checkpoints: Path, before: Preliminaries) -> Launch:
        """Return what to start, once all is there that it needs.

        Args:
            scratch: an empty folder, which is removed at the end.
            checkpoints: the job's folder for checkpoints.
            before: does what must be done before.

        Raises:
            InvalidInputError: the job cannot be run anywhere.
            ConfigurationError: it cannot be run here.
            OSError: this machine has no room for it.
            Interrupted: the attempt is to end.
        """
        ...


@frozen(kw_only=True)
class CommandWork:
    """A command that was given to the worker.

    Attributes:
        command: the arguments, with their escapes.
        job: in the place of the escapes.
        called: what its experiment is called.
        environment: all variables that every command gets.
        inherited: open files that it keeps.
    """

    command: Sequence[str]
    job: JobRecord
    called: str
    environment: Mapping[str, str]
    inherited: Sequence[int] = ()

    def launch(self, scratch: Path, checkpoints: Path, before: Preliminaries) -> Launch:
        """Return the command with its escapes filled."""
        del before
        job = self.job
        values = Values(experiment=self.called, job_id=job.id, hyperparameters=job.hyperparameters.decode())
        results, given = scratch / "results.json", scratch / "hyperparameters.json"
        with new_file(given) as file:
            file.write(json.dumps(values.hyperparameters).encode())
        environment = {
            **self.environment,
            **variables(values, job.attempt),
            "SWEEPSTAKE_RESULTS_PATH": str(results),
            "SWEEPSTAKE_HYPERPARAMETERS_PATH": str(given),
            "SWEEPSTAKE_CHECKPOINT_DIR": str(checkpoints),
        }
        return Launch(
            arguments=expand(self.command, values),
            environment=environment,
            results=results,
            ours=names_program(self.command),
            inherited=self.inherited,
        )
