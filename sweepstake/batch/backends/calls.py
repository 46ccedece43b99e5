"""Calling a scheduler's commands: the only place of the backends that starts processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryFile
from types import MappingProxyType

from attrs import frozen

from sweepstake.errors import ConfigurationError

__all__ = ["Answer", "Run", "run_command"]

#: Seconds that one of a scheduler's commands may take: they wait themselves for a controller that is away.
_PATIENCE = 60.0


@frozen(kw_only=True)
class Answer:
    """What a command answered.

    Attributes:
        code: its exit code; None if it did not end in time.
        output: what it printed.
        errors: what it complained of.
    """

    code: int | None
    output: str
    errors: str

    @property
    def lost(self) -> bool:
        """Tell whether the command did not come to its end: it was killed, or took too long."""
        return self.code is None or self.code < 0

    @property
    def complaint(self) -> str:
        """The scheduler's own words, in one line."""
        words = " ".join((self.errors or self.output).split())
        if words or self.code is None:
            return words or "it did not answer"
        return f"exit code {self.code}" if self.code >= 0 else f"killed by the signal {-self.code}"


#: Runs a command with a text for its input.
Run = Callable[[Sequence[str], str], Answer]


def run_command(arguments: Sequence[str], text: str, environment: Mapping[str, str] = MappingProxyType({})) -> Answer:
    """Run a scheduler's command, with variables beside those of this process, and wait for its answer.

    Its input is whole before it starts: of a pipe it would take what it has got for all, should this process be killed.

    Raises:
        ConfigurationError: this machine has no such command.
    """
    try:
        with TemporaryFile() as given:
            given.write(text.encode())
            given.seek(0)
            done = subprocess.run(
                arguments,
                stdin=given,
                env={**os.environ, **environment},
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{arguments[0]} is not on this machine. Do this where the cluster's commands are, such as a login node."
        ) from error
    except subprocess.TimeoutExpired:
        return Answer(code=None, output="", errors=f"{arguments[0]} did not answer within {_PATIENCE:g} s")
    return Answer(code=done.returncode, output=done.stdout, errors=done.stderr)
