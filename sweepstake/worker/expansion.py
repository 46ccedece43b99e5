"""What a job puts into a command's arguments and environment."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sweepstake.errors import InvalidInputError

__all__ = ["ESCAPES", "check_command", "expand", "variables"]

#: What may stand in a command, and what becomes of it.
ESCAPES: Final[Mapping[str, str]] = {
    "%e": "the experiment's name",
    "%j": "the job's id",
    "%h": "the hyperparameters: --NAME VALUE for each, text as it is, everything else as JSON",
    "%%": "a percent sign",
}
_ESCAPE: Final = re.compile(r"%(.?)", re.DOTALL)


def check_command(command: Sequence[str]) -> None:
    """Raise InvalidInputError if the command is empty or holds an unknown escape, before any job is claimed."""
    if not command:
        raise InvalidInputError.at("command", "is empty; write it after --, such as: -- python train.py %h")
    expand(command, "experiment", "job", {})


#: The most characters of a variable; Linux allows 128 KiB.
_MOST_TEXT: Final = 100_000


def expand(command: Sequence[str], experiment: str, job_id: str, hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return the command's arguments for one job.

    An argument that is ``%h`` becomes two arguments for each hyperparameter; within a longer argument, such as the
    script of ``sh -c``, ``%h`` becomes the same words quoted for a shell.

    Raises:
        InvalidInputError: an escape is unknown, or a value holds a NUL character, which no argument can.
    """
    words = _words(hyperparameters)
    texts = {"e": experiment, "j": job_id, "h": shlex.join(words), "%": "%"}
    arguments: list[str] = []
    for i, argument in enumerate(command):
        if argument == "%h":
            arguments.extend(words)
        else:
            arguments.append(_fill(argument, texts, i))
    return arguments


def variables(experiment: str, job_id: str, attempt: int, hyperparameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables that tell a command which job it runs.

    Hyperparameters of more than 100,000 characters are left out, because no process can be started with them.
    """
    text = json.dumps(hyperparameters)
    return {
        "SWEEPSTAKE_EXPERIMENT": experiment,
        "SWEEPSTAKE_JOB_ID": job_id,
        "SWEEPSTAKE_ATTEMPT": str(attempt),
        **({"SWEEPSTAKE_HYPERPARAMETERS": text} if len(text) <= _MOST_TEXT else {}),
    }


def _words(hyperparameters: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in hyperparameters.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if "\0" in name or "\0" in text:
            raise InvalidInputError.at(
                f"hyperparameters.{name!r}",
                "holds a NUL character, which no argument can; let the command read SWEEPSTAKE_HYPERPARAMETERS",
            )
        words += [f"--{name}", text]
    return words


def _fill(argument: str, texts: Mapping[str, str], position: int) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[1] not in texts:
            known = ", ".join(ESCAPES)
            raise InvalidInputError.at(
                f"command[{position}]", f"{match[0]!r} is unknown; there are {known}; write %% for a percent sign"
            )
        return texts[match[1]]

    return _ESCAPE.sub(replace, argument)
