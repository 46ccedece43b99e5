"""Which names, ids and labels are allowed."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from sweepstake.errors import InvalidInputError, NotFoundError

__all__ = [
    "MAX_DEPENDENCIES",
    "MAX_IDS",
    "MAX_NAME",
    "MAX_NOTES",
    "MAX_TAGS",
    "MAX_TEXT",
    "check_dependencies",
    "check_ids",
    "check_name",
    "check_notes",
    "check_tags",
    "check_text",
    "existing_name",
    "file_name",
]

MAX_NAME: Final = 255
#: The most ids of one claim.
MAX_IDS: Final = 1000
#: The most jobs that one job may wait for.
MAX_DEPENDENCIES: Final = 1000
MAX_NOTES: Final = 64 * 1024
MAX_TAGS: Final = 64
#: The longest condition or order of a query, in characters.
MAX_TEXT: Final = 4096

#: File systems take 255 bytes; an ending such as `.log` needs room.
_MAX_FILE_NAME: Final = 200
#: Names that are their own encoding.
_PLAIN_FILE: Final = re.compile("[A-Za-z0-9_.~-]*")

_FORBIDDEN: Final = {"Cc", "Cs"}  # control characters and lone surrogates
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def check_name(name: object, path: str, *, most: int = MAX_NAME) -> str:
    """Return `name` if it may name an experiment, a job or a tag.

    Any Unicode without control characters, 1 to 255 characters (or `most`), not ``.`` or ``..``.
    """
    if not isinstance(name, str):
        raise InvalidInputError.at(path, f"must be text, not {type(name).__name__}")
    if not 1 <= len(name) <= most:
        raise InvalidInputError.at(path, f"must have 1 to {most} characters, has {len(name):,}")
    if name in (".", ".."):
        raise InvalidInputError.at(path, "must not be '.' or '..', which URLs drop")
    if not name.isprintable():  # fast path: printable text has no control characters
        _refuse_control_characters(name, path, allowed="")
    return str.__str__(name)  # the text of a member of a StrEnum, not its name


def existing_name(name: object, path: str, rule: Callable[[object, str], str] = check_name) -> str:
    """Return the name of something that should be there, if the rule lets anything have it.

    Raises:
        NotFoundError: nothing can, so nothing does; the message says why.
        InvalidInputError: it is no text at all.
    """
    try:
        return rule(name, path)
    except InvalidInputError as error:
        if not isinstance(name, str):
            raise
        raise NotFoundError(f"There is nothing of this {path}, which {error.problems[0][1]}.") from None


def check_ids(ids: Sequence[object], path: str = "ids") -> tuple[str, ...]:
    """Return the ids of at most MAX_IDS jobs; each follows the rules of a name."""
    if len(ids) > MAX_IDS:
        raise InvalidInputError.at(path, f"has {len(ids):,} ids, at most {MAX_IDS:,} are taken at once")
    return tuple(check_name(job_id, f"{path}[{i}]") for i, job_id in enumerate(ids))


def check_dependencies(ids: Sequence[str], path: str) -> tuple[str, ...]:
    """Return the ids that a job waits for, each once, if they can be ids and are not too many.

    Raises:
        InvalidInputError: at `path`, or at the place below it that is wrong.
    """
    if len(ids) > MAX_DEPENDENCIES:
        raise InvalidInputError.at(path, f"names {len(ids):,} jobs, at most {MAX_DEPENDENCIES:,} are allowed")
    return tuple(dict.fromkeys(check_name(id_, f"{path}[{i}]") for i, id_ in enumerate(ids)))


def check_tags(tags: Iterable[object], path: str = "tags") -> tuple[str, ...]:
    """Return the tags without repeats, in their order; each follows the rules of a name."""
    if isinstance(tags, (str, Mapping)) or not isinstance(tags, Iterable):
        raise InvalidInputError.at(path, "must be a list of text")
    given = tuple(tags)
    if len(given) > MAX_TAGS:
        raise InvalidInputError.at(path, f"has {len(given):,} tags, at most {MAX_TAGS} are kept")
    return tuple(dict.fromkeys(check_name(tag, f"{path}[{i}]") for i, tag in enumerate(given)))


def check_notes(text: object, path: str) -> str:
    """Return free text of at most 65,536 characters; line breaks and tabs are allowed, other controls are not."""
    if type(text) is str and not text:  # as of most jobs
        return ""
    text = _short(text, path, MAX_NOTES)
    _refuse_control_characters(text, path, allowed="\n\r\t")
    return text


def check_text(text: object, path: str) -> str:
    """Return text that a query can hold: at most 4,096 characters, so that it fits a URL, without lone surrogates."""
    text = _short(text, path, MAX_TEXT)
    surrogate = _SURROGATE.search(text)
    if surrogate is not None:
        raise InvalidInputError.at(path, f"holds a lone surrogate at position {surrogate.start()}, which is not text")
    return text


def _short(text: object, path: str, most: int) -> str:
    """Return text that is no longer than so many characters; of an enum of texts its text."""
    if not isinstance(text, str):
        raise InvalidInputError.at(path, f"must be text, not {type(text).__name__}")
    if len(text) > most:
        raise InvalidInputError.at(path, f"must have at most {most:,} characters, has {len(text):,}")
    return str.__str__(text)


def file_name(name: str) -> str:
    """Return a name for a file or folder that no other name has: percent-encoded; a long one is cut, with a digest.

    A plus sign, which no encoded name holds, separates the two.
    """
    encoded = name if _PLAIN_FILE.fullmatch(name) else quote(name, safe="")
    if len(encoded) <= _MAX_FILE_NAME:
        return encoded
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{encoded[: _MAX_FILE_NAME - 33]}+{digest}"


def _refuse_control_characters(text: str, path: str, allowed: str) -> None:
    for position, character in enumerate(text):
        if unicodedata.category(character) in _FORBIDDEN and character not in allowed:
            raise InvalidInputError.at(path, f"holds the character U+{ord(character):04X} at position {position}")
