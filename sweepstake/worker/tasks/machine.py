"""What this machine has for tasks: its slots, data, secrets, and a container engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import evolve, field, frozen

from sweepstake.client import Experiment
from sweepstake.config import Config
from sweepstake.folders import usable
from sweepstake.spec.needs import PROCESSORS
from sweepstake.worker.containers.engines import find_engine, read_container_settings
from sweepstake.worker.containers.running import Containers
from sweepstake.worker.leftovers.living import Living
from sweepstake.worker.leftovers.looking import ending_leftovers
from sweepstake.worker.slots.book import GuardedBook
from sweepstake.worker.slots.locks import GpuLocks, lock_folder
from sweepstake.worker.slots.offer import detected, labels_of, slots_of
from sweepstake.worker.tasks.duty import TaskDuty
from sweepstake.worker.tasks.fetched import Fetched
from sweepstake.worker.tasks.keeping import KeepOptions
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.secrets import Secrets, secrets_file
from sweepstake.worker.tasks.sources import read_sources

__all__ = ["TaskOptions", "gpu_book", "open_duty", "stock_of"]


@frozen(kw_only=True)
class TaskOptions:
    """How a worker runs tasks.

    Attributes:
        slots: what it offers, such as ``cpus=8,gpus=2``; what is not said is what this process may use.
        labels: what it is, such as ``cluster=ai2/jupiter``.
        contained: whether tasks run in containers.
        is_own: whether an experiment is this user's.
        keep: how what they leave is kept.
    """

    slots: str | None = None
    labels: Sequence[str] = ()
    contained: bool = True
    is_own: Callable[[Experiment], bool] = lambda _: True
    keep: KeepOptions = field(factory=KeepOptions)


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
    fetched = Fetched(config.state)
    with _living(config.state) as (living, locks):
        contained = _containers(config, living, locks) if options.contained else None
        end_containers = None if contained is None else contained.end_leftovers
        with ending_leftovers(living, end_containers, tell), gpu_book(options.slots) as book:
            environment, keep, is_own = config.environment(), options.keep, options.is_own
            try:
                yield TaskDuty(book, labels, stock, contained, environment, fetched, keep, tell, living, is_own)
            finally:
                fetched.clean(unused=0.0)


@contextmanager
def gpu_book(slots: str | None) -> Iterator[GuardedBook]:
    """Give the book of this worker's slots; what it has of the host's GPUs is free again behind the block."""
    seen = detected()
    # Most jobs need a processor: where there is only a share of one, as in a small container, they run in that.
    stated = evolve(seen, cpus=max(seen.cpus, PROCESSORS)) if slots is None else slots_of(slots, seen)
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
def _living(state: Path) -> Iterator[tuple[Living, Path]]:
    """Give the sign that this worker lives, and the folder of locks."""
    with usable(Path("the folder of locks"), "TMPDIR"):
        locks = lock_folder().parent
        living = Living(locks, state)
    with closing(living):
        yield living, locks


def _containers(config: Config, living: Living, locks: Path) -> Containers:
    settings = read_container_settings(config.tables.get("container"), str(config.source))
    return Containers(engine=find_engine(settings, config.state / "images"), living=living, locks=locks)
