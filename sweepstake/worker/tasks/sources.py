"""Where the data and images that specs name are on this machine, as its configuration says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from sweepstake.errors import ConfigurationError
from sweepstake.spec import DataMount, MountMode
from sweepstake.worker.tasks.paths import normal

__all__ = ["Mount", "Root", "Sources", "read_sources"]

_MAPPED: Final = ("beaker", "weka", "volumes", "host_paths")
_WORDS: Final[Mapping[str, str]] = {"beaker": "data set", "weka": "bucket", "volumes": "volume"}


@frozen
class Root:
    """A folder of this machine that tasks may have.

    Attributes:
        path: where it is.
        write: whether they may write into it.
    """

    path: Path
    write: bool = False


@frozen(kw_only=True)
class Mount:
    """What a task finds at a path.

    Attributes:
        host: the folder or file on this machine, without links.
        path: where the task finds it.
        write: whether it may write there.
        found: what was found for it, by those who check that it still is what it was; None for what is our own.
    """

    host: Path
    path: str
    write: bool = False
    found: Path | None = None

    def check(self) -> None:
        """Check that no folder on the way has become a link since, by which it would be something else.

        Raises:
            ConfigurationError: one has, or it is gone.
        """
        if self.found is not None and _real(self.found, self.path) != self.found:
            raise ConfigurationError(f"{self.path}: {str(self.found)!r} has become a link to something else")


@frozen(kw_only=True)
class Sources:
    """What tasks may have of this machine.

    Attributes:
        roots: the folders in which a `hostPath` may be.
        beaker: Beaker's data sets by name.
        weka: buckets by name.
        volumes: volumes by name.
        host_paths: what stands here for paths of other machines, which a `hostPath` may be or lie in.
        images: an image that a container engine can pull, for each of Beaker's.
        where: what the configuration is called that says so.
    """

    roots: tuple[Root, ...] = ()
    beaker: Mapping[str, Root] = field(factory=dict)
    weka: Mapping[str, Root] = field(factory=dict)
    volumes: Mapping[str, Root] = field(factory=dict)
    host_paths: Mapping[str, Root] = field(factory=dict)
    images: Mapping[str, str] = field(factory=dict)
    where: str = "the configuration"

    def image(self, beaker: str) -> str:
        """Return the image for one of Beaker's.

        Raises:
            ConfigurationError: the configuration names none.
        """
        if beaker not in self.images:
            raise ConfigurationError(
                f"the image {beaker!r} of Beaker is unknown here; map it in {self.where}: "
                f'[images], "{beaker}" = "IMAGE"'
            )
        return self.images[beaker]

    def mount(self, data: DataMount, result: Callable[[str], Path], secret: Callable[[str], Path]) -> Mount:
        """Return what a task finds at the path of a mount.

        Args:
            data: a mount of a spec.
            result: returns the folder of the result of a task.
            secret: returns the file of a secret.

        Raises:
            ConfigurationError: this machine does not have it, may not give it, or not for writing.
        """
        source, path = data.source, normal(data.mount_path)
        if source.secret is not None:
            return Mount(host=secret(source.secret), path=path)
        if source.result is not None:
            return Mount(host=_below(result(source.result), data.sub_path, path), path=path)
        if source.beaker is not None:
            return Mount(host=_below(self._mapped("beaker", source.beaker).path, data.sub_path, path), path=path)
        if source.host_path is not None:
            root, host = self._allowed(source.host_path, path)
            host = _below(host, data.sub_path, path)
        else:
            kind, name = ("weka", source.weka) if source.weka is not None else ("volumes", source.volume)
            assert name is not None
            root = self._mapped(kind, name)
            host = _below(root.path, data.sub_path, path)
        return Mount(host=host, path=path, write=_writes(data, root, path))

    def _mapped(self, kind: str, name: str) -> Root:
        found: Mapping[str, Root] = getattr(self, kind)
        if name not in found:
            raise ConfigurationError(
                f"the {_WORDS[kind]} {name!r} is unknown here; map it in {self.where}: "
                f'[data.{kind}], "{name}" = "FOLDER"'
            )
        return found[name]

    def _allowed(self, said: str, path: str) -> tuple[Root, Path]:
        host = Path(normal(said))
        for there in sorted(self.host_paths, key=len, reverse=True):
            if host.is_relative_to(normal(there)):
                root = self.host_paths[there]
                return root, _below(root.path, str(host.relative_to(normal(there))), path)
        stands = f'or name what stands for it: [data.host_paths], "{said}" = "FOLDER"'
        real = _real(Path(said), path, f"; make it, {stands}")
        for root in self.roots:
            if real.is_relative_to(root.path.resolve()):
                return root, real
        raise ConfigurationError(
            f"{path}: {said!r} is in none of the folders that this machine allows; name one in "
            f'{self.where}: [data], roots = ["FOLDER"], {stands}'
        )


def _writes(data: DataMount, root: Root, path: str) -> bool:
    if data.mode is MountMode.readonly:
        return False
    if root.write:
        return True
    raise ConfigurationError(
        f"{path}: may not be written here; say `mode: readonly` in the spec, or `write = true` of {str(root.path)!r} "
        "in the configuration"
    )


def _real(host: Path, path: str, remedy: str = "") -> Path:
    """Return a path without links and dots, which must be there; the remedy ends what is told if it is not."""
    try:
        return host.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # older releases of Python raise RuntimeError for links in a circle
        reason = error.strerror if isinstance(error, OSError) else "links lead in a circle"
        raise ConfigurationError(f"{path}: {str(host)!r} cannot be used: {reason}{remedy}") from None


def _below(folder: Path, sub_path: str | None, path: str) -> Path:
    """Return a part of a folder, which must not lead out of it by links or dots."""
    whole = _real(folder, path)
    if sub_path is None:
        return whole
    part = _real(whole / sub_path.lstrip("/"), path)
    if not part.is_relative_to(whole):
        raise ConfigurationError(f"{path}: the sub-path {sub_path!r} leads out of {str(folder)!r}")
    return part


# Reading the configuration


def read_sources(data: Any, images: Any, base: Path, where: str) -> Sources:
    """Return what the tables ``[data]`` and ``[images]`` of a configuration say.

    Args:
        data: the table of data; None if there is none.
        images: the table of images.
        base: the folder from which relative paths are meant.
        where: what the configuration is called in errors.

    Raises:
        ConfigurationError: names what is wrong.
    """
    table = _table({} if data is None else data, f"{where}: data")
    for key in table:
        if key not in ("roots", *_MAPPED):
            known = ", ".join(("roots", *_MAPPED))
            raise ConfigurationError(f"{where}: data.{key}: is not a setting; there are {known}")
    roots = table.get("roots", [])
    if not isinstance(roots, list):
        raise ConfigurationError(f"{where}: data.roots: must be a list of folders")
    named = {kind: _table(table.get(kind, {}), f"{where}: data.{kind}") for kind in _MAPPED}
    tags = _table({} if images is None else images, f"{where}: images")
    for name, tag in tags.items():
        if not isinstance(tag, str) or not tag or tag.startswith("-"):
            raise ConfigurationError(f"{where}: images.{name}: must be the name of an image")
    return Sources(
        roots=tuple(_root(each, base, f"{where}: data.roots[{i}]") for i, each in enumerate(roots)),
        images=tags,
        where=where,
        **{
            kind: {name: _root(each, base, f"{where}: data.{kind}.{name}") for name, each in folders.items()}
            for kind, folders in named.items()
        },
    )


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where}: must be a table")
    return value


def _root(value: Any, base: Path, where: str) -> Root:
    """Return a folder that is written as its path, or as ``{path = ..., write = true}``."""
    given = {"path": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or not isinstance(given.get("path"), str) or "\0" in given["path"]:
        raise ConfigurationError(f'{where}: must be the path of a folder, or {{path = "FOLDER", write = true}}')
    write = given.get("write", False)
    if not isinstance(write, bool) or given.keys() - {"path", "write"}:
        raise ConfigurationError(f"{where}: beside the path there may be `write = true` or `write = false`")
    return Root(base / Path(given["path"]).expanduser(), write)
