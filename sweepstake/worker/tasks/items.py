"""What a task runs, with the hyperparameters of a job in the places of placeholders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweepstake.errors import InvalidInputError
from sweepstake.plaintext import printable
from sweepstake.spec.placeholders import Placeholder, fill, pieces
from sweepstake.worker.quoting import place_of, quoted

__all__ = ["filled_items", "filled_value"]


def filled_items(items: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Return a command in which each placeholder is a job's hyperparameter; each item stays one item.

    Who may add jobs chooses hyperparameters, and not what is run: in the script of a shell a text is quoted, and where
    it could become code, only plain text is accepted; see `quoted`.

    Raises:
        InvalidInputError: names the item in which a value must not stand, or whose placeholder the job does not have.
    """
    parts = [list(pieces(item, values.keys())) for item in items]
    # Where a value stands is told by what stands around it; each value counts as a letter there.
    plain = ["".join("x" if isinstance(part, Placeholder) else part for part in each) for each in parts]
    return [_filled(plain, position, each, values) for position, each in enumerate(parts)]


def filled_value(name: str, text: str, values: Mapping[str, Any]) -> str:
    """Return the text of a variable in which each placeholder is a job's hyperparameter.

    Raises:
        InvalidInputError: names the variable that cannot be filled.
    """
    try:
        value = fill(text, values)
    except KeyError as error:
        raise _unknown(f"envVars {name}", error.args[0], values) from None
    if "\0" in value:
        raise InvalidInputError.at(f"envVars {name}", "would hold a NUL character, which no variable can")
    return value


def _filled(plain: Sequence[str], position: int, parts: Sequence[str | Placeholder], values: Mapping[str, Any]) -> str:
    text, at = "", 0
    for part in parts:
        if isinstance(part, str):
            text += part
            at += len(part)
            continue
        where = f"command[{position}]"
        if part.name not in values:
            raise _unknown(where, part.name, values)
        if position == 0:
            raise InvalidInputError.at(
                where, f"must name the program to run, not {{{part.name}}}, which others may choose"
            )
        value = fill(f"{{{part.name}}}", values)
        if "\0" in value:
            raise InvalidInputError.at(where, "would hold a NUL character, which no argument can")
        fit = quoted(value, place_of(plain, position, at, at + 1), text, path=False)
        if fit is None:
            raise InvalidInputError.at(
                where,
                f"{{{part.name}}} would put {printable(value)!r:.200} where a program could take it for code; let the "
                f"command read it from a variable, or make it an argument of its own",
            )
        text += fit
        at += 1
    return text


def _unknown(where: str, name: str, values: Mapping[str, Any]) -> InvalidInputError:
    known = ", ".join(values) or "none"
    return InvalidInputError.at(where, f"has the placeholder {{{name}}}; the hyperparameters of the job are {known}")
