"""Which store a command talks to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from sweepstake.cli.renamed import Renamed
from sweepstake.client import Database, Experiment
from sweepstake.config import Config, read_config
from sweepstake.connection import connect
from sweepstake.domain.addresses import by_owner, qualified

__all__ = ["Target", "owner_option", "pass_target", "target_options"]

_URL: Final = "The store: sqlite:///PATH, postgresql://... or a server's http(s)://..."
_CONFIG: Final = "The configuration file, instead of the user's config.toml."


class Target:
    """What the options say of the store, and the connection that follows from it.

    Attributes:
        url: the store, or None for the configured one.
        token: the API token, or None for the configured one.
        config_path: the configuration file, or None for the usual one.
        owner: whose the experiment is that is named, if that was said.
    """

    def __init__(self) -> None:
        self.url: str | None = None
        self.token: str | None = None
        self.config_path: Path | None = None
        self.owner: str | None = None
        self._database: Database | None = None

    def database(self) -> Database:
        """Return the connection, which is opened when it is first asked for."""
        if self._database is None:
            self._database = connect(self.url, self.token, config=self.config_path)
        return self._database

    def experiment(self, name: str) -> Experiment:
        """Return the experiment that is named."""
        return self.database().get_experiment(name, self.owner)

    def called(self, name: str) -> str:
        """Return what commands are told that the experiment is called."""
        return name if self.owner is None else qualified(self.owner, name)

    def reference(self, name: str) -> str:
        """Return what calls on a queue name the experiment by."""
        return name if self.owner is None else by_owner(self.owner, name)

    def config(self) -> Config:
        """Return the settings in force."""
        return read_config(self.url, self.token, config=self.config_path)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._database is not None:
            self._database.close()


pass_target = click.make_pass_decorator(Target)


def target_options(*, shown: bool) -> list[click.Option]:
    """Return the options that say which store a command talks to.

    The command itself has them, and so has every verb: they may stand before and behind it.

    Args:
        shown: whether help tells of all of them, or of --url alone.
    """
    return [
        Renamed(["--url", "--store"], metavar="URL", help=_URL, expose_value=False, callback=_set("url")),
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False, path_type=Path),
            help=_CONFIG,
            hidden=not shown,
            expose_value=False,
            callback=_set("config_path"),
        ),
    ]


def owner_option(spelling: str = "--owner") -> click.Option:
    """Return the option that says whose experiment is meant, for a verb that names one."""
    return click.Option(
        [spelling],
        metavar="EMAIL",
        help="Whose experiment is meant, if several have the name; '' for one without an owner.",
        expose_value=False,
        callback=_set("owner"),
    )


def _set(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, _option: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(context.ensure_object(Target), attribute, value)

    return keep
