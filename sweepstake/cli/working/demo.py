"""`sweepstake demo`: a whole sweep in less than a minute."""

from __future__ import annotations

import multiprocessing
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from typing import Final

import click

from sweepstake.cli.output import say, screen_width
from sweepstake.cli.target import Target, pass_target
from sweepstake.cli.working.digits import SPACE, drain
from sweepstake.client import Database, Experiment, ManualSearch
from sweepstake.errors import MissingExtraError, ResourceExistsError
from sweepstake.search import Grid
from sweepstake.view.ids import with_short_ids
from sweepstake.view.table import HYPERPARAMETER, OWN, RESULT, job_table
from sweepstake.view.text import boxed

__all__ = ["demo"]

_BEST: Final = 5
#: Seconds between two looks at how far the workers are.
_LOOK: Final = 0.2
#: Seconds that a worker has to give its job back when the demo is interrupted.
_END: Final = 10.0


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), default=4, show_default=True, help="Worker processes.")
@click.option("--name", help="The experiment's name; by default a fresh one.")
@pass_target
def demo(target: Target, workers: int, name: str | None) -> None:
    """Tune a classifier with a small sweep, and show the best jobs.

    Support vector classifiers learn to read scikit-learn's handwritten digits. It takes less than a minute. The jobs
    are kept in a store of the demo's own, demo.db in the state folder, unless --url names another.
    """
    if find_spec("sklearn") is None:
        raise MissingExtraError.of("the demo trains with scikit-learn", "demo")
    config = target.config()
    if target.url is None:
        file = (config.state / "demo.db").absolute()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.url = f"sqlite:///{file}"
        config = target.config()
    experiment = _new_experiment(target.database(), name)
    grid = Grid(SPACE)
    experiment.add_jobs((grid.point(i) for i in range(grid.size)), progress=False)
    click.echo(f"Queued {grid.size} jobs in {experiment.name}; worker processes run them: {workers}.")
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=drain, args=(config.url, config.token, experiment.name), name=f"worker {number}")
        for number in range(1, workers + 1)
    ]
    try:
        with _all_ended(processes):
            _watch(experiment, processes, grid.size)
    except KeyboardInterrupt:
        say(_left_over(experiment, target), err=True)
        raise
    _conclude(experiment, grid.size, target)


def _new_experiment(database: Database, name: str | None) -> Experiment:
    if name is not None:
        return database.add_experiment(ManualSearch(name, objective="accuracy"))
    base = f"digits-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    for number in range(1, 100):
        try:
            return database.add_experiment(
                ManualSearch(base if number == 1 else f"{base}-{number}", objective="accuracy")
            )
        except ResourceExistsError:  # another demo began in the same second
            continue
    raise ResourceExistsError(f"all names from {base} on are taken; choose one with --name")


@contextmanager
def _all_ended(processes: Sequence[BaseProcess]) -> Iterator[None]:
    """Start the processes, and see to it that they have ended behind the block, however it is left."""
    try:
        heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for this process, which ends the others
        try:
            for process in processes:
                process.start()
        finally:
            signal.signal(signal.SIGINT, heeded)
        yield
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
        until = time.monotonic() + _END
        for process in processes:
            if process.pid is not None:
                process.join(max(until - time.monotonic(), 0.1))


def _watch(experiment: Experiment, processes: Sequence[BaseProcess], total: int) -> None:
    """Show how many jobs have ended, until all worker processes have."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[running]} running"),
        console=Console(file=sys.stderr),
    )
    with bar:
        task = bar.add_task("Training", total=total, running=0)
        while any(process.is_alive() for process in processes):
            counts = experiment.counts()
            ended = counts.done + counts.crashed + counts.pruned
            bar.update(task, completed=ended, running=counts.running)
            next(process for process in processes if process.is_alive() or process is processes[-1]).join(_LOOK)
        counts = experiment.counts()
        bar.update(task, completed=counts.done + counts.crashed + counts.pruned, running=counts.running)


def _conclude(experiment: Experiment, total: int, target: Target) -> None:
    best = experiment.top(_BEST)
    if best:
        click.echo(f"\nThe best {len(best)} of {total} jobs:\n")
        table = job_table(job.record for job in best).of_categories(OWN, HYPERPARAMETER, RESULT)
        width = screen_width()
        click.echo(boxed(table if width is None else with_short_ids(table).most_telling_first("accuracy"), width))
    done = experiment.counts().done
    if done < total:
        raise click.ClickException(
            f"{total - done} of {total} jobs are not DONE; to see them:\n{_commands(target, ['list', experiment.name])}"
        )
    looks = [
        ["list"],
        ["list", experiment.name, "-t", "-s", "accuracy", "-d"],
        ["show", experiment.name, best[0].job_id],
    ]
    click.echo(
        f"""
Look further:
{_commands(target, *looks)}
or in Python, in the same shell:
  import sweepstake
  exp = sweepstake.connect().get_experiment({experiment.name!r})
  exp.best_job().hyperparameters
  exp.to_frame().sort_values("accuracy")
Remove it:
  {shlex.join(["sweepstake", "rm", experiment.name])}"""
    )


def _left_over(experiment: Experiment, target: Target) -> str:
    """Return what an interrupted demo leaves behind, and how to remove it."""
    counts = experiment.counts()
    held = " Those that run are queued again as their leases end." if counts.running else ""
    return f"Interrupted. {experiment.name} has {counts}.{held}\nTo see them, and to remove them:\n" + _commands(
        target, ["list", experiment.name], ["rm", "--force", experiment.name]
    )


def _commands(target: Target, *commands: Sequence[str]) -> str:
    """Return lines to paste into a shell; the first says which store the others mean."""
    lines = [f"export SWEEPSTAKE_URL={shlex.quote(target.url or '')}"]
    if target.config_path is not None:
        lines.append(f"export SWEEPSTAKE_CONFIG={shlex.quote(str(target.config_path.absolute()))}")
    return "\n".join(f"  {line}" for line in [*lines, *(shlex.join(["sweepstake", *words]) for words in commands)])
