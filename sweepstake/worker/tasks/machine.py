"""What this machine has for tasks: its slots, data, secrets, and a container engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from attrs import frozen

from sweepstake.client import Experiment
from sweepstake.config import Config
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.errors import ConfigurationError
from sweepstake.folders import native, own_folder, usable
from sweepstake.worker.containers.engines import find_engine, read_container_settings
from sweepstake.worker.containers.leftovers import Living
from sweepstake.worker.containers.running import Containers
from sweepstake.worker.slots.book import GuardedBook
from sweepstake.worker.slots.locks import GpuLocks, lock_folder
from sweepstake.worker.slots.offer import detected, labels_of, slots_of
from sweepstake.worker.tasks.duty import TaskDuty
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.secrets import Secrets, secrets_file
from sweepstake.worker.tasks.sources import read_sources
from sweepstake.worker.tasks.work import Runner

__all__ = ["TaskOptions", "gpu_book", "open_duty", "stock_of"]

_SQLITE: Final = "sqlite:///"


@frozen(kw_only=True)
class TaskOptions:
    """How a worker runs tasks.

    Attributes:
        slots: what it offers, such as ``cpus=8,gpus=2``; what is not said is what this process may use.
        labels: what it is, such as ``cluster=ai2/jupiter``.
        contained: whether tasks run in containers.
    """

    slots: str | None = None
    labels: Sequence[str] = ()
    contained: bool = True


@contextmanager
def open_duty(config: Config, options: TaskOptions, tell: Callable[[str], None]) -> Iterator[TaskDuty]:
    """Give the duty of a worker that runs tasks.

    Args:
        config: of this machine.
        options: what was asked for.
        tell: takes a line for people.

    Raises:
        InvalidInputError: the slots or the labels are wrong.
        ConfigurationError: the configuration is, or there is no engine for containers.
        UnusableFolderError: a folder cannot be used.
    """
    labels = labels_of(options.labels)
    stock = stock_of(config)
    with _containers(config, tell) if options.contained else _none() as contained, gpu_book(options.slots) as book:
        yield TaskDuty(book, labels, stock, contained, config.environment(), _result, _shelf, tell)


@contextmanager
def gpu_book(slots: str | None) -> Iterator[GuardedBook]:
    """Give the book of this worker's slots; what it has of the host's GPUs is free again behind the block."""
    seen = detected()
    stated = seen if slots is None else slots_of(slots, seen)
    with usable(Path("the folder of locks"), "TMPDIR"), closing(GpuLocks(lock_folder())) as locks:
        yield GuardedBook(stated, locks)


def stock_of(config: Config) -> Stock:
    """Return the data and the secrets of this machine.

    Raises:
        ConfigurationError: names what is wrong in the configuration.
    """
    file = config.source
    base, where = (Path(), "the configuration") if file is None else (file.parent, str(file))
    return Stock(
        sources=read_sources(config.tables.get("data"), config.tables.get("images"), base, where),
        secrets=Secrets(secrets_file(file or config.state / "config.toml")),
    )


@contextmanager
def _containers(config: Config, tell: Callable[[str], None]) -> Iterator[Runner | None]:
    settings = read_container_settings(config.tables.get("container"), str(config.source))
    engine = find_engine(settings, config.state / "images")
    with usable(Path("the folder of locks"), "TMPDIR"):
        locks = lock_folder().parent
        living = Living(locks)
    with closing(living):
        containers = Containers(engine=engine, living=living, locks=locks)
        for name in containers.end_leftovers():
            tell(f"ended the container {name}, whose worker had died")
        yield containers


@contextmanager
def _none() -> Iterator[Runner | None]:
    yield None


def _shelf(experiment: Experiment, job: JobRecord) -> Path | None:
    """Return the folder in which the results of an attempt are kept: beside the file of a store that is one."""
    session = experiment.session
    url = session.config.url
    if not url.startswith(_SQLITE):
        return None
    file = native(unquote(url.removeprefix(_SQLITE)))
    return file.with_name(f"{file.name}.results").joinpath(*session.places.attempt_of(job))


def _result(experiment: Experiment, job: JobRecord, task: str) -> Path:
    """Return the folder with the results of the DONE attempt of a task that a job waited for."""
    session = experiment.session
    for waited_for in session.queue.list_dependencies(job.reference, job.id):
        found = session.queue.get_job(job.reference, waited_for.id)
        if found.task != task or found.status is not JobStatus.DONE:
            continue
        shelf = _shelf(experiment, found)
        if shelf is not None:
            return own_folder(shelf, "files", shared=True)  # of a task that left nothing there is none yet
        folder = session.places.results_of(found)
        if folder.is_dir():
            return folder
    raise ConfigurationError(f"the result of task {task!r} is not on this machine")
