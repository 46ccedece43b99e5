"""What is kept of an attempt beside its results: files, and all of its output."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

from attrs import field, frozen

from sweepstake.domain.lengths import at_most, holds
from sweepstake.domain.schema import Schema, checked, narrowed
from sweepstake.errors import InvalidInputError, OutOfRangeError

__all__ = [
    "MAX_FILE",
    "MAX_FILES",
    "MAX_PATH",
    "PIECE",
    "SHA256",
    "Held",
    "KeptFile",
    "Manifest",
    "Piece",
    "Span",
    "check_path",
    "check_paths",
    "check_sha256",
    "superfluous",
]

#: The most bytes of a file that travel in one call.
PIECE: Final = 4 * 1024 * 1024
#: The most bytes of one file: its content is read again when it is whole, while somebody waits.
MAX_FILE: Final = 16 * 1024**3
#: The most files of one attempt.
MAX_FILES: Final = 10_000
#: The longest path of a file, in characters, and the longest name in it, in bytes.
MAX_PATH: Final = 1024
_MAX_PART: Final = 255
#: Controls, lone surrogates, and the two separators of lines.
_FORBIDDEN: Final = {"Cc", "Cs", "Zl", "Zp"}
#: What a sha256 looks like.
SHA256: Final = "[0-9a-f]{64}"
_SHA256: Final = re.compile(SHA256)
_SIZE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": MAX_FILE}


def check_path(path: object, where: str) -> str:
    """Return the path of a file below the folder of results, if it can be one: it stays below, on any machine."""
    if not isinstance(path, str):
        raise InvalidInputError.at(where, f"must be text, not {type(path).__name__}")
    if not 1 <= len(path) <= MAX_PATH:
        raise InvalidInputError.at(where, f"must have 1 to {MAX_PATH:,} characters, has {len(path):,}")
    for part in path.split("/"):
        if part in ("", ".", ".."):
            raise InvalidInputError.at(where, "must be names with one slash between them, none of which is '.' or '..'")
        if "\\" in part or any(unicodedata.category(each) in _FORBIDDEN for each in part):
            raise InvalidInputError.at(where, "holds a character that does not stand in names of files everywhere")
        if len(part.encode()) > _MAX_PART:
            raise InvalidInputError.at(where, f"holds a name of more than {_MAX_PART} bytes")
    return path


def check_paths(files: Sequence[KeptFile], where: str) -> None:
    """Raise InvalidInputError unless all files can lie in one folder: no path twice, none below another file."""
    paths: set[str] = set()
    folders: set[str] = set()
    for index, each in enumerate(files):
        if each.path in paths:
            raise InvalidInputError.at(f"{where}[{index}].path", "stands there twice")
        paths.add(each.path)
        parts = each.path.split("/")
        folders.update("/".join(parts[:end]) for end in range(1, len(parts)))
    for index, each in enumerate(files):
        if each.path in folders:
            raise InvalidInputError.at(f"{where}[{index}].path", "is a folder of another file")


def check_sha256(digest: object, where: str) -> str:
    """Return a sha256 in hex, in lower case."""
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise InvalidInputError.at(where, "must be a sha256: 64 digits 0 to 9 and a to f")
    return digest


def _is_size(_: object, attribute: Any, value: int) -> None:
    if not 0 <= value <= MAX_FILE:
        raise InvalidInputError.at(attribute.name, f"must be from 0 to {MAX_FILE:,} bytes")


@frozen(kw_only=True)
class KeptFile:
    """A file as it was when it was kept.

    Attributes:
        path: below the folder of results, with `/` between its parts.
        size: bytes.
        sha256: of the content, in hex.
    """

    path: str = field(validator=checked(check_path), metadata=narrowed({"type": "string", "maxLength": MAX_PATH}))
    size: int = field(validator=_is_size, metadata=narrowed(_SIZE))
    sha256: str = field(
        validator=checked(check_sha256), metadata=narrowed({"type": "string", "pattern": f"^{SHA256}$"})
    )


@frozen(kw_only=True)
class Manifest:
    """What is kept of one attempt.

    Attributes:
        attempt: its number.
        attempts: the numbers of all attempts of which something is kept.
        files: its files, by path.
        log: how many bytes of its output are kept.
    """

    attempt: int
    attempts: tuple[int, ...]
    files: tuple[KeptFile, ...] = field(default=(), validator=at_most(MAX_FILES), metadata=holds(MAX_FILES))
    log: int = 0


@frozen
class Held:
    """How many bytes are kept from the beginning on: whoever sends goes on from there."""

    size: int


@frozen(kw_only=True)
class Piece:
    """Part of a file, or of an output.

    Attributes:
        offset: where in the whole it begins.
        total: how many bytes the whole has.
        sha256: of the whole; empty for an output, which grows.
        attempt: the number of the attempt whose it is; None: a server does not say it.
    """

    content: bytes = field(repr=False)
    offset: int
    total: int
    sha256: str = ""
    attempt: int | None = None


@frozen
class Span:
    """Which bytes are asked for, as the header `Range` says it.

    Attributes:
        first: the first byte; None: the last `last` bytes are meant.
        last: the last byte; None: all to the end.
    """

    first: int | None = 0
    last: int | None = None

    def within(self, total: int) -> tuple[int, int]:
        """Return the first byte and the one behind the last, of so many.

        Raises:
            OutOfRangeError: there are none of those.
        """
        if self == Span():
            return 0, total
        if self.first is None:
            begin, end = max(0, total - (self.last or 0)), total
        else:
            begin, end = self.first, total if self.last is None else min(total, self.last + 1)
        if begin >= end:
            raise OutOfRangeError(f"There are no such bytes: it has {total:,}.")
        return begin, end


def superfluous(attempts: Iterable[int], current: int, done: int | None, keep: int | None) -> list[int]:
    """Return of which attempts the files need not stay: all but those of the newest before the one that runs.

    Args:
        attempts: those of which files are kept.
        current: the number of the one that runs.
        done: the number of the one that ended DONE, which stays; None: there is none.
        keep: how many before stay; None: all.
    """
    if keep is None:
        return []
    before = sorted((each for each in set(attempts) if each < current and each != done), reverse=True)
    return sorted(before[keep:])
