"""What an actor is told: how a worker is started on its node."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sweepstake.config import Config

__all__ = ["only_here", "written_order"]

#: Settings of where the command is given that hold on the nodes as well, if they are set at all.
_HANDED_ON: Final = ("SWEEPSTAKE_STATE", "SWEEPSTAKE_CHECKPOINTS", "SWEEPSTAKE_FILES", "SWEEPSTAKE_CONFIG")
_LOOPBACK: Final = ("localhost", "127.", "::1")


def only_here(url: str) -> str:
    """Return why a store can be reached from this machine alone, and what to do about it; nothing if it can be."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "sqlite":
        what = "the experiment is in a file of this machine"
    elif parts.scheme in ("http", "https") and host.startswith(_LOOPBACK):
        what = f"the server's address, {host}, means each node itself"
    elif parts.scheme.startswith("postgres") and (not host or host.startswith(_LOOPBACK)):
        what = "the database's address means each node itself"
    else:
        return ""
    return (
        f"{what}, which other nodes cannot reach; let `sweepstake serve --host` answer for it and give that URL, or "
        "move it into a PostgreSQL that all reach (`sweepstake export`, `import`)"
    )


def written_order(
    config: Config,
    program: str,
    arguments: Sequence[str],
    owner: str | None,
    version: str,
    environment: Mapping[str, str] = os.environ,
) -> bytes:
    """Return what `actor` reads.

    Args:
        config: of where the command is given.
        program: Python's, which runs the worker; its first argument is a file, which it removes.
        arguments: the worker's.
        owner: whose the experiments are, if that was said.
        version: of Sweepstake.
        environment: where the settings are found that hold on the nodes as well.
    """
    here = {
        "SWEEPSTAKE_STATE": str(config.state),
        "SWEEPSTAKE_CHECKPOINTS": str(config.checkpoints),
        "SWEEPSTAKE_FILES": config.files or "",
        "SWEEPSTAKE_CONFIG": str(config.file or ""),
    }
    settings = {name: here[name] for name in _HANDED_ON if environment.get(name) and here[name]}
    if config.file is not None:
        settings["SWEEPSTAKE_CONFIG"] = str(config.file)
    why = only_here(config.url)
    order = {
        "version": version,
        "python": platform.python_version_tuple()[:2],
        "host": socket.gethostname() if why else "",
        "only_here": why,
        "folder": str(Path.cwd()),
        "program": program,
        "arguments": list(arguments),
        "settings": {"url": config.url, "token": config.token, "owner": owner, "environment": settings},
    }
    return json.dumps(order).encode()
