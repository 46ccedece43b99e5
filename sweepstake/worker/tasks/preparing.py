"""What must be on the host before a task begins: its data, found, and its files, written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import evolve, frozen

from sweepstake.errors import ConfigurationError
from sweepstake.folders import new_file
from sweepstake.spec import TaskSpec
from sweepstake.worker.tasks.paths import missing_above
from sweepstake.worker.tasks.run import Folders, JobFacts, TaskRun, run_of
from sweepstake.worker.tasks.secrets import Secrets
from sweepstake.worker.tasks.sources import Mount, Sources

__all__ = ["Stock", "prepare"]

#: A path that means the same in a script, in a list of paths, and among an engine's mounts.
_PLAIN: Final = re.compile(r"[\w/.@%+-]+", re.ASCII)


@frozen(kw_only=True)
class Stock:
    """What tasks can have on this machine."""

    sources: Sources
    secrets: Secrets


def prepare(
    task: TaskSpec,
    facts: JobFacts,
    folders: Folders,
    stock: Stock,
    result: Callable[[str], Path],
    *,
    contained: bool,
) -> TaskRun:
    """Find a task's data and write its files; return what is started, with the paths of a container.

    Args:
        task: of a spec.
        facts: the job that it is run for.
        folders: of the attempt; in `own`, which is empty, all is made that is removed at its end.
        stock: what there is.
        result: returns the folder of the result of a task.
        contained: whether it will run in a container.

    Raises:
        InvalidInputError: the job's hyperparameters cannot be put where the task has placeholders.
        ConfigurationError: this machine lacks something, or may not give it.
        OSError: a file cannot be written.
    """
    given, hidden = folders.own / "own", folders.own / "secrets"
    given.mkdir(mode=0o700)
    with new_file(given / "hyperparameters.json") as file:
        file.write(json.dumps(facts.hyperparameters).encode())
    if facts.results:
        with new_file(given / "start.json") as file:
            file.write(json.dumps(facts.results).encode())
    mounts = [
        stock.sources.mount(mount, result, _writing(stock.secrets, hidden / str(i)))
        for i, mount in enumerate(task.datasets or ())
    ]
    plain = _Plain(folders.own)
    found = Folders(own=given, results=plain(folders.results), checkpoints=plain(folders.checkpoints))
    mounts = [evolve(mount, host=plain(mount.host), found=mount.host) for mount in mounts]
    run = run_of(task, facts, mounts, found, stock.sources, stock.secrets.find, contained=contained)
    if contained:
        return run
    above = [evolve(mount, host=plain(mount.host)) for mount in _above(run.mounts, folders.own / "above")]
    return evolve(run, mounts=[*run.mounts, *above])


def _above(mounts: Sequence[Mount], folder: Path) -> Iterator[Mount]:
    """Yield the folders above mounts that this host does not have, made of links to the mounts."""
    missing = missing_above([mount.path for mount in mounts])
    for mount in mounts:
        if any(PurePosixPath(mount.path).is_relative_to(path) for path in missing):
            link = folder / mount.path.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(mount.host)
    for path in missing:
        yield Mount(host=folder / path.lstrip("/"), path=path)


def _writing(secrets: Secrets, path: Path) -> Callable[[str], Path]:
    """Return what writes a secret into a file that only this user can read."""

    def write(name: str) -> Path:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with new_file(path) as file:
            file.write(secrets.find(name).encode())
        path.chmod(0o400)
        return path

    return write


class _Plain:
    """Gives paths that hold what a script or an engine divides at another one, by links in a folder."""

    def __init__(self, folder: Path) -> None:
        if not _PLAIN.fullmatch(str(folder)):
            raise ConfigurationError(f"{str(folder)!r} holds what scripts divide at; set TMPDIR to a plainer folder")
        self._folder = folder
        self._count = 0

    def __call__(self, path: Path) -> Path:
        if _PLAIN.fullmatch(str(path)):
            return path
        self._count += 1
        link = self._folder / f"path{self._count}"
        link.symlink_to(path)
        return link
