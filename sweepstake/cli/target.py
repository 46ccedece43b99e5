"""Which store a command talks to."""

from __future__ import annotations

from pathlib import Path

import click

from sweepstake.client import Database
from sweepstake.config import Config, read_config
from sweepstake.connection import connect

__all__ = ["Target", "pass_target"]


class Target:
    """What the options before the verb say, and the connection that follows from it.

    Args:
        url: the store, or None for the configured one.
        config: the configuration file, or None for the usual one.
    """

    def __init__(self, url: str | None, config: Path | None) -> None:
        self.url = url
        self.config_path = config
        self._database: Database | None = None

    def database(self) -> Database:
        """Return the connection, which is opened when it is first asked for."""
        if self._database is None:
            self._database = connect(self.url, config=self.config_path)
        return self._database

    def config(self) -> Config:
        """Return the settings in force."""
        return read_config(self.url, config=self.config_path)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._database is not None:
            self._database.close()


pass_target = click.make_pass_decorator(Target)
