"""Settings of this machine and user: which store, whose token, where files go."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen
from platformdirs import user_config_path, user_data_path, user_state_path

from sweepstake.errors import ConfigurationError
from sweepstake.plaintext import without_password

__all__ = ["SETTINGS", "Config", "read_config", "write_config"]

_APP: Final = "sweepstake"

#: Every environment variable that is read, and what it says.
SETTINGS: Final[Mapping[str, str]] = {
    "SWEEPSTAKE_URL": "the store: sqlite:///path, postgresql://..., or http(s)://... of a server",
    "SWEEPSTAKE_TOKEN": "the API token for a server",
    "SWEEPSTAKE_CONFIG": "the configuration file, instead of config.toml in the user's configuration folder",
    "SWEEPSTAKE_STATE": "the state folder: captured output, the spool, and checkpoints unless said otherwise",
    "SWEEPSTAKE_CHECKPOINTS": "the folder of all checkpoint folders; put it on a shared disk for several machines",
}
_KEYS: Final = {"url", "token", "checkpoints"}


@frozen(kw_only=True)
class Config:
    """What connects this process to a store.

    Attributes:
        url: the store.
        token: API token, for `http(s)` URLs.
        state: folder for captured output and the spool.
        checkpoints: folder below which each job has its own for checkpoints.
    """

    url: str
    token: str | None
    state: Path
    checkpoints: Path

    @property
    def spool(self) -> Path:
        """The folder of what could not be delivered yet, for all stores."""
        return self.state / "spool"

    def environment(self) -> dict[str, str]:
        """Return the variables by which a process that is started here finds the same store."""
        token = {"SWEEPSTAKE_TOKEN": self.token} if self.token else {}
        return {"SWEEPSTAKE_URL": self.url, **token}

    def __repr__(self) -> str:
        return f"Config(url={without_password(self.url)!r}, token={'set' if self.token else None})"


def read_config(
    url: str | None = None,
    token: str | None = None,
    config: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Return the settings in force: arguments before environment before file before the local default.

    Args:
        url: a store's URL.
        token: an API token.
        config: the configuration file; without it, one that does not exist counts as empty.
        environment: where SWEEPSTAKE_* variables are read.

    Raises:
        ConfigurationError: the file named cannot be read, is not TOML, or has unknown or ill-typed keys.
    """
    if config is not None and not isinstance(config, (str, os.PathLike)):
        raise ConfigurationError(f"config: must be a path, not {type(config).__name__}")
    for name, value in (("url", url), ("token", token)):
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{name}: must be text, not {type(value).__name__}")
        if value == "":
            raise ConfigurationError(f"{name}: is empty; leave it out for the default, or say which")
    named = config or environment.get("SWEEPSTAKE_CONFIG")
    file = _read_file(Path(named) if named else default_path(), required=bool(named))
    state = Path(environment.get("SWEEPSTAKE_STATE") or user_state_path(_APP))
    checkpoints = environment.get("SWEEPSTAKE_CHECKPOINTS") or file.get("checkpoints") or state / "checkpoints"
    return Config(
        url=url or environment.get("SWEEPSTAKE_URL") or file.get("url") or _default_url(),
        token=token or environment.get("SWEEPSTAKE_TOKEN") or file.get("token"),
        state=state,
        checkpoints=Path(checkpoints),
    )


def default_path() -> Path:
    """Return where the configuration file is looked for."""
    return user_config_path(_APP) / "config.toml"


def write_config(url: str, token: str, path: Path) -> None:
    """Write a configuration file that only its owner can read, whole or not at all; its other settings stay."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = path.resolve()  # a link to the file stays one
    kept: Mapping[str, str] = {}
    with suppress(ConfigurationError):  # one that cannot be read is written anew
        kept = _read_file(path, required=False)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            # A JSON string is a TOML string as well.
            file.writelines(
                f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
                for key, value in {**kept, "url": url, "token": token}.items()
            )
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _default_url() -> str:
    return f"sqlite:///{user_data_path(_APP) / 'sweepstake.db'}"


def _read_file(path: Path, *, required: bool) -> Mapping[str, str]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigurationError(f"there is no configuration file {path}") from None
        return {}
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ConfigurationError(f"the configuration file {path} cannot be read: {error}") from None
    for key, value in content.items():
        if key not in _KEYS:
            raise ConfigurationError(f"{path}: {key}: is not a setting; there are {', '.join(sorted(_KEYS))}")
        if not isinstance(value, str) or "\0" in value:
            raise ConfigurationError(f"{path}: {key}: must be text, without NUL characters")
    return content
