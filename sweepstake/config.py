"""Settings of this machine and user: which store, whose token, where files go."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from attrs import field, frozen
from platformdirs import user_config_path, user_data_path, user_state_path

from sweepstake.errors import ConfigurationError
from sweepstake.folders import native, write_whole
from sweepstake.plaintext import without_password

__all__ = ["SETTINGS", "Config", "read_config", "write_config"]

_APP: Final = "sweepstake"


def _here() -> Path:
    """Return the folder that the process is in; one that is gone counts as the root."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.sep)


#: Every environment variable that is read, and what it says.
SETTINGS: Final[Mapping[str, str]] = {
    "SWEEPSTAKE_URL": "the store: sqlite:///path, postgresql://..., or http(s)://... of a server",
    "SWEEPSTAKE_TOKEN": "the API token for a server",
    "SWEEPSTAKE_CONFIG": "the configuration file, instead of config.toml in the user's configuration folder",
    "SWEEPSTAKE_SIGNING_KEY": "a server's secret, of 32 characters or more, instead of the file that it makes for it",
    "SWEEPSTAKE_KEEP_EVENTS": "for how long `sweepstake db prune` keeps events, if it is not told: 90d",
    "SWEEPSTAKE_STATE": "the state folder: captured output, the spool, and checkpoints unless said otherwise",
    "SWEEPSTAKE_FILES": "where a store keeps files of attempts, if not beside its file: a folder, or a URL for fsspec",
    "SWEEPSTAKE_CHECKPOINTS": "the folder of all checkpoint folders; put it on a shared disk for several machines",
}
#: Where the process was when it began to use Sweepstake. Relative paths in the environment are meant from there, also
#: when the script goes elsewhere before it connects, as under Hydra. So it is read while this module is loaded.
_START: Final = _here()
_SQLITE: Final = "sqlite:///"
_KEYS: Final = {"url", "token", "checkpoints", "files"}
#: Tables, of which those know more who read them: workers that run the tasks of specs, and what submits batches.
_TABLES: Final = {"data", "images", "container", "batch", "experiments"}


@frozen(kw_only=True)
class Config:
    """What connects this process to a store.

    Attributes:
        url: the store.
        token: API token, for `http(s)` URLs.
        state: folder for captured output and the spool.
        checkpoints: folder below which each job has its own for checkpoints.
        file: the configuration file, if one was named.
        files: where a store keeps files of attempts: a folder, or a URL for fsspec; None: beside its file.
        signing_key: the secret with which a server signs; None: it is in a file.
        source: the configuration file that is in force, whether it is there or not; None: there is no place for one.
        tables: what it says of data, images, containers, batches and experiments.

    All paths are absolute, also in the URL, so that they mean the same wherever the process goes.
    """

    url: str
    token: str | None
    state: Path
    checkpoints: Path
    file: Path | None = None
    signing_key: str | None = None
    files: str | None = None
    source: Path | None = None
    tables: Mapping[str, Any] = field(factory=dict, hash=False)

    @property
    def spool(self) -> Path:
        """The folder of what could not be delivered yet, for all stores."""
        return self.state / "spool"

    def environment(self) -> dict[str, str]:
        """Return the variables by which a process that is started here finds the same store, files and folders."""
        token = {"SWEEPSTAKE_TOKEN": self.token} if self.token else {}
        file = {"SWEEPSTAKE_CONFIG": str(self.file)} if self.file else {}
        files = {"SWEEPSTAKE_FILES": self.files} if self.files else {}
        return {
            "SWEEPSTAKE_URL": self.url,
            "SWEEPSTAKE_STATE": str(self.state),
            "SWEEPSTAKE_CHECKPOINTS": str(self.checkpoints),
            **token,
            **file,
            **files,
        }

    def __repr__(self) -> str:
        return f"Config(url={without_password(self.url)!r}, token={'set' if self.token else None})"


def read_config(
    url: str | None = None,
    token: str | None = None,
    config: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Return the settings in force: arguments before environment before file before the local default.

    Paths may begin with ``~``. Relative ones are meant from where this process is (arguments), from where it was when
    it began to use Sweepstake (environment), or from the folder of the configuration file (there).

    Args:
        url: a store's URL.
        token: an API token.
        config: the configuration file; without it, one that does not exist counts as empty.
        environment: where SWEEPSTAKE_* variables are read.

    Raises:
        ConfigurationError: the file named cannot be read, is not TOML, or has unknown or ill-typed keys; or a path
            depends on a home folder, and there is none.
    """
    if config is not None and not isinstance(config, (str, os.PathLike)):
        raise ConfigurationError(f"config: must be a path, not {type(config).__name__}")
    for name, value in (("url", url), ("token", token)):
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{name}: must be text, not {type(value).__name__}")
        if value == "":
            raise ConfigurationError(f"{name}: is empty; leave it out for the default, or say which")
    given = {name: _text(environment[name]) for name in SETTINGS if environment.get(name)}
    named = _path(os.fspath(config), _here(), "config") if config else _of(given, "SWEEPSTAKE_CONFIG")
    file, settings = _read(named)
    state = _of(given, "SWEEPSTAKE_STATE") or _of_user(user_state_path, "SWEEPSTAKE_STATE")
    checkpoints = _of(given, "SWEEPSTAKE_CHECKPOINTS")
    if checkpoints is None and "checkpoints" in settings:
        checkpoints = _path(settings["checkpoints"], file.parent, f"{file}: checkpoints")
    if url is not None:
        url = _url(url, _here(), "url")
    elif "SWEEPSTAKE_URL" in given:
        url = _url(given["SWEEPSTAKE_URL"], _START, "SWEEPSTAKE_URL")
    elif settings.get("url"):
        url = _url(settings["url"], file.parent, f"{file}: url")
    return Config(
        url=url or _default_url(),
        token=token or given.get("SWEEPSTAKE_TOKEN") or settings.get("token"),
        state=state,
        checkpoints=checkpoints or state / "checkpoints",
        file=named,
        signing_key=given.get("SWEEPSTAKE_SIGNING_KEY"),
        files=_files(given, settings, file.parent),
        source=None if file == Path() else file,
        tables={key: settings[key] for key in _TABLES if key in settings},
    )


def _files(given: Mapping[str, str], settings: Mapping[str, str], beside: Path) -> str | None:
    """Return where files are kept: a URL as it is, a folder as a whole path."""
    text, base, where = given.get("SWEEPSTAKE_FILES"), _START, "SWEEPSTAKE_FILES"
    if text is None:
        text, base, where = settings.get("files"), beside, "files"
    return text if text is None or "://" in text else str(_path(text, base, where))


def default_path() -> Path:
    """Return where the configuration file is looked for.

    Raises:
        ConfigurationError: there is no home folder.
    """
    return _of_user(user_config_path, "SWEEPSTAKE_CONFIG") / "config.toml"


def write_config(url: str, token: str, path: Path) -> None:
    """Write a configuration file that only its owner can read, whole or not at all; its other settings stay."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = path.resolve()  # a link to the file stays one
    kept: Mapping[str, Any] = {}
    tables = ""
    with suppress(ConfigurationError):  # one that cannot be read is written anew
        if _read_file(path, required=False):
            kept, tables = _divide(path.read_text(encoding="utf-8"))
    # A JSON string is a TOML string as well.
    lines = (
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in {**kept, "url": url, "token": token}.items()
    )
    write_whole(path, ("".join(lines) + tables).encode(), sync=True)


def _default_url() -> str:
    """Return where the store is when nobody says so; its folder is made, as nobody has named it."""
    folder = _of_user(user_data_path, "SWEEPSTAKE_URL")
    with suppress(OSError):  # whoever opens the store tells
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return f"{_SQLITE}{_quoted(folder / 'sweepstake.db')}"


def _of_user(find: Callable[[str], Path], variable: str) -> Path:
    """Return a folder in the user's home, if there is one; some releases of platformdirs raise where there is none."""
    with suppress(RuntimeError):
        folder = find(_APP)
        if folder.is_absolute():
            return folder
    raise ConfigurationError(f"this user has no home folder; set {variable} (or HOME)")


def _of(given: Mapping[str, str], variable: str) -> Path | None:
    return _path(given[variable], _START, variable) if variable in given else None


def _text(value: str) -> str:
    """Return a variable as the UTF-8 that it is, whatever the locale made of it."""
    return value if sys.platform == "win32" else os.fsencode(value).decode("utf-8", "surrogateescape")


def _quoted(path: str | Path) -> str:
    return quote(os.fsencode(path))


def _home(path: str, where: str) -> str:
    """Return a path without `~`."""
    whole = os.path.expanduser(path)  # noqa: PTH111 -- pathlib raises where there is no home
    if whole.startswith("~"):
        raise ConfigurationError(f"{where}: {path!r} names no home folder that is known here; write the whole path")
    return whole


def _path(text: str, base: Path, where: str) -> Path:
    return base / native(_home(text, where))


def _url(url: str, base: Path, where: str) -> str:
    """Return a URL in which the path of the file, if it names one, is absolute."""
    rest = url.removeprefix(_SQLITE)
    if rest in ("", url) or rest.startswith("/"):
        return url
    if rest.startswith("~"):
        home, slash, below = rest.partition("/")
        return f"{_SQLITE}{_quoted(_home(home, where))}{slash}{below}"
    return f"{_SQLITE}{_quoted(base).rstrip('/')}/{rest}"


def _divide(text: str) -> tuple[Mapping[str, Any], str]:
    """Divide a configuration into its first keys, and its tables as they are written."""
    for match in re.finditer(r"^[ \t]*\[", text, re.MULTILINE):
        with suppress(ValueError):  # the bracket is within a text of several lines
            return tomllib.loads(text[: match.start()]), text[match.start() :]
    return tomllib.loads(text), ""


def _read(named: Path | None) -> tuple[Path, Mapping[str, Any]]:
    """Return the configuration file and what it says; without a name, one that is not there says nothing."""
    try:
        file = named or default_path()
    except ConfigurationError:
        return Path(), {}
    return file, _read_file(file, required=named is not None)


def _read_file(path: Path, *, required: bool) -> Mapping[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigurationError(f"there is no configuration file {path}") from None
        return {}
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ConfigurationError(f"the configuration file {path} cannot be read: {error}") from None
    for key, value in content.items():
        if key in _TABLES:
            continue
        if key not in _KEYS:
            known = ", ".join(sorted(_KEYS | _TABLES))
            raise ConfigurationError(f"{path}: {key}: is not a setting; there are {known}")
        if not isinstance(value, str) or "\0" in value:
            raise ConfigurationError(f"{path}: {key}: must be text, without NUL characters")
    return content
