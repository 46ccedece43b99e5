"""An environment with the old client in it, and a server for it to talk to."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Mapping
from pathlib import Path

import attrs

from tests.kit.serving import EMAIL, PASSWORD, Served, add_user, run_sweepstake, start_server

__all__ = ["NoOldClientError", "OldClient", "Site", "install"]

_REQUIREMENTS = ("Schedy==0.1.0b6", "urllib3<2", "requests<2.30", "six", "tabulate")
_DRIVER = Path(__file__).with_name("schedy_driver.py")
_SECONDS_TO_INSTALL = 240
_SECONDS_TO_RUN = 120


class NoOldClientError(RuntimeError):
    """The old client could not be installed: the package index is out of reach."""


@attrs.frozen
class OldClient:
    """The environment in which the old client is installed."""

    folder: Path

    def scenario(self, name: str, config: Path) -> subprocess.Popen[str]:
        """Start a scenario of the driver."""
        command: list[str | Path] = [self.folder / "bin" / "python", _DRIVER, name, config]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=_environment(config))

    def command(self, config: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run the `schedy` command to its end with `text` on its input."""
        return subprocess.run(
            [self.folder / "bin" / "schedy", "--config", config, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=_SECONDS_TO_RUN,
            check=False,
            env=_environment(config),
        )


@attrs.define
class Site:
    """A served store, and the old client's configuration for it."""

    store: str
    folder: Path
    server: Served

    @classmethod
    def open(cls, store: str, folder: Path) -> Site:
        """Make a user, start a server, and write the configuration that the old client reads."""
        site = cls(store, folder, start_server(store, add_user(store), SWEEPSTAKE_STATE=f"{folder}/state"))
        site.config.write_text(json.dumps(site.settings()))
        return site

    @property
    def config(self) -> Path:
        """The old client's configuration file."""
        return self.folder / "client.json"

    def settings(self) -> Mapping[str, str]:
        """Return the old client's configuration, and the password for scenarios that log in by it."""
        return {
            "root": f"{self.server.url}/api/v1/",
            "email": EMAIL,
            "token": self.server.token,
            "password": PASSWORD,
        }

    def restart(self) -> None:
        """End the server and start another at the same address."""
        port = int(self.server.url.rpartition(":")[2])
        self.server.stop()
        self.server = start_server(self.store, self.server.token, port=port, SWEEPSTAKE_STATE=f"{self.folder}/state")

    def ours(self, *arguments: str) -> str:
        """Run a `sweepstake` command against the server and return its output."""
        return run_sweepstake(*arguments, SWEEPSTAKE_URL=self.server.url, SWEEPSTAKE_TOKEN=self.server.token)


def install(folder: Path) -> OldClient:
    """Make an environment with the old client and what it needs, from the package index.

    Raises:
        NoOldClientError: pip could not install it.
    """
    venv.create(folder, with_pip=True, symlinks=True)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", *_REQUIREMENTS], capture_output=True, text=True, timeout=_SECONDS_TO_INSTALL, check=False
    )
    if done.returncode != 0:
        raise NoOldClientError(f"cannot install the old client from the package index:\n{done.stderr[-2000:]}")
    return OldClient(folder)


def _environment(config: Path) -> dict[str, str]:
    """Return an environment without our package in it, and with an empty home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SWEEPSTAKE"))}
    return {**kept, "HOME": str(config.parent), "PYTHONIOENCODING": "utf-8"}
