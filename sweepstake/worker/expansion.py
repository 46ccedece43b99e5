"""What a job puts into a command's arguments and environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from sweepstake.errors import InvalidInputError
from sweepstake.worker.quoting import Place, place_of, quoted

__all__ = ["ESCAPES", "Values", "check_command", "expand", "names_program", "variables"]

#: What may stand in a command, and what becomes of it.
ESCAPES: Final[Mapping[str, str]] = {
    "%e": "the experiment's name",
    "%j": "the job's id",
    "%h": "the hyperparameters: --NAME VALUE for each, text as it is, everything else as JSON",
    "%H": "the hyperparameters: --NAME=VALUE for each",
    "%%": "a percent sign",
}
_ESCAPE: Final = re.compile(r"%(.?)", re.DOTALL)
#: The most characters of a variable; Linux allows 128 KiB.
_MOST_TEXT: Final = 100_000
#: What to write where an escape must not stand.
_INSTEAD: Final[Mapping[str, str]] = {
    "e": 'let the command read the variable SWEEPSTAKE_EXPERIMENT, in a script as "$SWEEPSTAKE_EXPERIMENT"',
    "j": 'let the command read the variable SWEEPSTAKE_JOB_ID, in a script as "$SWEEPSTAKE_JOB_ID"',
    "h": "make it an argument of its own, for a script as in: sh -c 'train \"$@\"' sh %h",
    "H": "make it an argument of its own, for a script as in: sh -c 'train \"$@\"' sh %H",
}


@frozen(kw_only=True)
class Values:
    """What a job puts in the place of escapes."""

    experiment: str
    job_id: str
    hyperparameters: Mapping[str, Any]


def check_command(command: Sequence[str], experiments: Sequence[str] = ("experiment",)) -> None:
    """Raise InvalidInputError for a command that could run no job, before any is claimed.

    It is empty, holds an unknown escape, or puts the name of one of the experiments where it could become code.
    """
    if not command:
        raise InvalidInputError.at("command", "is empty; write it after --, such as: -- python train.py %h")
    if command[0] in ESCAPES:
        raise InvalidInputError.at(
            "command[0]", f"must name the program to run, not {command[0]}, which others may choose"
        )
    for experiment in experiments:
        expand(command, Values(experiment=experiment, job_id="job", hyperparameters={}))


def names_program(command: Sequence[str]) -> bool:
    """Tell whether the command says which program it runs, whatever the job."""
    return not re.search("%[jhH]", command[0].replace("%%", ""))


def expand(command: Sequence[str], values: Values) -> list[str]:
    """Return the command's arguments for one job.

    An argument that is ``%h`` becomes two arguments for each hyperparameter, or one, ``--NAME=VALUE``, where the value
    begins with a dash; one that is ``%H`` becomes one argument for each. Any escape that is an argument of its own
    becomes exactly its text. Among the words of a script for ``sh -c`` the text is quoted. Anywhere else it may become
    part of code, so only text that means nothing there is accepted: see `quoted`.

    Raises:
        InvalidInputError: an escape is unknown, a value holds a NUL character, which no argument can, or a text must
            not stand where the command puts it.
    """
    arguments: list[str] = []
    for i, argument in enumerate(command):
        pieces = list(_pieces(command, i, values))
        arguments += pieces[0] if argument in ("%h", "%H") else ["".join(map(" ".join, pieces))]
    return arguments


def variables(values: Values, attempt: int) -> dict[str, str]:
    """Return the environment variables that tell a command which job it runs.

    Hyperparameters of more than 100,000 characters are left out, because no process can be started with them.
    """
    text = json.dumps(values.hyperparameters)
    return {
        "SWEEPSTAKE_EXPERIMENT": values.experiment,
        "SWEEPSTAKE_JOB_ID": values.job_id,
        "SWEEPSTAKE_ATTEMPT": str(attempt),
        **({"SWEEPSTAKE_HYPERPARAMETERS": text} if len(text) <= _MOST_TEXT else {}),
    }


def _pieces(command: Sequence[str], position: int, values: Values) -> Iterator[list[str]]:
    """Yield the parts of an argument: what was written, and the words that stand for each escape."""
    argument, end = command[position], 0
    for match in _ESCAPE.finditer(argument):
        if match.start() > end:
            yield [argument[end : match.start()]]
        end = match.end()
        if match[0] not in ESCAPES:
            known = ", ".join(ESCAPES)
            raise InvalidInputError.at(
                f"command[{position}]", f"{match[0]!r} is unknown; there are {known}; write %% for a percent sign"
            )
        yield ["%"] if match[0] == "%%" else list(_filled(match, command, position, values))
    yield [argument[end:]]


def _filled(match: re.Match[str], command: Sequence[str], position: int, values: Values) -> Iterator[str]:
    letter, before = match[1], match.string[: match.start()]
    place = place_of(command, position, *match.span())
    texts = {"e": [values.experiment], "j": [values.job_id]}.get(letter) or _words(letter, values)
    for text in texts:
        fit = quoted(text, place, before, path=letter in "ej")
        if fit is None:
            raise InvalidInputError.at(f"command[{position}]", f"{match[0]} {_why(text, place)}; {_INSTEAD[letter]}")
        yield fit


def _why(text: str, place: Place) -> str:
    if text.startswith("-") and place is not Place.CODE:
        return f"would put {text!r} where a program could take it for an option"
    if place in (Place.PART, Place.WORD):
        return f"would put {text!r} into a path, which it could lead elsewhere"
    return f"would put {text!r} where a shell, or another program, could take it for code or an option"


def _words(letter: str, values: Values) -> list[str]:
    """Return the hyperparameters as words; a value that looks like an option is joined to its name."""
    words: list[str] = []
    for name, value in values.hyperparameters.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if "\0" in name or "\0" in text:
            raise InvalidInputError.at(
                f"hyperparameters.{name!r}",
                "holds a NUL character, which no argument can; let the command read SWEEPSTAKE_HYPERPARAMETERS",
            )
        together = letter == "H" or text.startswith("-")
        words += [f"--{name}={text}"] if together else [f"--{name}", text]
    return words
