"""Secrets that tasks name, from this machine alone: they never stand in a spec, on a command line, or in a log."""

from __future__ import annotations

import importlib
import json
import os
import re
import stat
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sweepstake.errors import ConfigurationError, InvalidInputError
from sweepstake.folders import write_whole

__all__ = ["Secrets", "secrets_file", "set_secret", "without_secrets"]

#: Begins the names of variables that hold secrets; what else is in a worker's environment no spec can name.
PREFIX: Final = "SWEEPSTAKE_SECRET_"
_SERVICE: Final = "sweepstake"
_NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,200}")


def secrets_file(configuration: Path) -> Path:
    """Return where secrets lie beside a configuration file."""
    return configuration.with_name("secrets.toml")


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables without those that hold secrets, of which a task gets only what it names."""
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX)}


class Secrets:
    """Finds a secret in the environment, in the file, or in the keyring, in this order.

    Args:
        file: see `secrets_file`; it may be missing.
        environment: where variables are read: of the secret ``hf-token`` it is ``SWEEPSTAKE_SECRET_hf-token`` or
            ``SWEEPSTAKE_SECRET_HF_TOKEN``.
    """

    def __init__(self, file: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._file = file
        self._environment = environment

    def find(self, name: str) -> str:
        """Return a secret.

        Raises:
            ConfigurationError: there is none of that name here, or others can read the file.
        """
        for variable in (PREFIX + name, PREFIX + re.sub("[^A-Z0-9]", "_", name.upper())):
            if variable in self._environment:
                return self._environment[variable]
        found = _read(self._file).get(name)
        if found is None:
            found = _from_keyring(name)
        if found is None:
            raise ConfigurationError(
                f"the secret {name!r} is not on this machine; `sweepstake secret set {name}` puts it there"
            )
        return found


def set_secret(file: Path, name: str, value: str | None) -> None:
    """Keep a secret in the file, which only this user can read; None removes it.

    Raises:
        InvalidInputError: the name or the value cannot be one.
        ConfigurationError: the file cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInputError.at("name", "must be of letters, digits, dots, dashes and underscores")
    if value is not None and re.search("[\0\ud800-\udfff]", value):
        raise InvalidInputError.at("value", "must be text, without NUL characters")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = {**_read(file), name: value}
    lines = [f"{_toml(each)} = {_toml(text)}\n" for each, text in kept.items() if text is not None]
    write_whole(file, "".join(lines).encode(), sync=True)


def _toml(text: str) -> str:
    """Return a JSON string, which is TOML's as well, key or value, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(file: Path) -> dict[str, str]:
    """Return what the file holds; nothing if it is not there."""
    try:
        with file.open("rb") as reader:
            found = os.fstat(reader.fileno())
            content = reader.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"the file of secrets {file} cannot be read: {error.strerror}") from None
    if sys.platform != "win32" and (stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid not in (os.geteuid(), 0)):
        raise ConfigurationError(f"others may read the file of secrets {file}; make it yours alone with chmod 600")
    with suppress(ValueError):
        secrets = tomllib.loads(content.decode())
        if all(isinstance(value, str) for value in secrets.values()):
            return secrets
    raise ConfigurationError(f'the file of secrets {file} must be lines of NAME = "VALUE"')  # shows none of it


def _from_keyring(name: str) -> str | None:
    """Return a secret of the desktop's keyring, if the package `keyring` is installed and knows it."""
    try:
        keyring: Any = importlib.import_module("keyring")
        found = keyring.get_password(_SERVICE, name)
    except Exception:  # noqa: BLE001 -- backends raise anything where there is no desktop; then it is not there
        return None
    return found if isinstance(found, str) else None
