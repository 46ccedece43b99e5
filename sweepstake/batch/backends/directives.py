"""What the scripts of all schedulers share."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from sweepstake.batch.backends.submissions import Site
from sweepstake.errors import InvalidInputError

__all__ = ["exports", "one_line"]


def one_line(name: str, value: str) -> str:
    """Return a value that may stand in a directive, which ends with its line.

    Raises:
        InvalidInputError: it holds what would end the line; else it could be a directive or a command of its own.
    """
    if not value.isprintable():
        raise InvalidInputError.at(name, f"{value!r} cannot be told a scheduler: it has characters that end a line")
    return value


def exports(site: Site) -> Iterator[str]:
    """Give the lines with which a site's modules are loaded, and variables set."""
    if site.modules:
        yield f"module load {shlex.join(site.modules)}"
    for name, value in site.environment.items():
        yield f"export {name}={shlex.quote(value)}"
