"""The results that a command prints or writes: recorded as far as they can be, and kept in files where they cannot."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

from sweepstake.client.attempt.keeping import divide, keep
from sweepstake.domain.query.literals import read_number
from sweepstake.errors import InvalidInputError, SweepstakeError
from sweepstake.folders import new_file
from sweepstake.values import MAX_TEXT, JsonObject, parse_json

__all__ = ["BEGIN", "END", "BlockReader", "collect", "parse_block", "read_file"]

#: The lines between which a command prints its results.
BEGIN: Final = "--- RESULTS ---"
END: Final = "--- END RESULTS ---"

#: What Python prints for values that JSON spells otherwise.
_CONSTANTS: Final = {"True": True, "False": False, "None": None}
#: Characters that JSON may take before it is canonical: escapes and white space.
_MAX_BYTES: Final = 2 * MAX_TEXT


class BlockReader:
    """Finds the results block in output that arrives piece by piece; of several blocks the last counts."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._block: bytearray | None = None
        self._found: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of output, whole lines or not."""
        lines = data.split(b"\n")
        for line in lines[:-1]:
            self._keep(line)
            self._take(bytes(self._line))
            self._line.clear()
        self._keep(lines[-1])

    def results(self) -> dict[str, Any] | None:
        """Return what the last block says, once the output has ended; None if there was no block.

        Raises:
            InvalidInputError: the block is not in one of the two forms, or has no end.
        """
        if self._line:
            self._take(bytes(self._line))
            self._line.clear()
        if self._block is not None:
            raise InvalidInputError.at("results", f"the block has no line {END}")
        return None if self._found is None else parse_block(self._found)

    @property
    def raw(self) -> bytes:
        """What the last block says, as it was printed: as much of it as was read."""
        return bytes(self._found or b"") if self._block is None else bytes(self._block)

    def _keep(self, part: bytes) -> None:
        """Add to the line; outside a block only as much as it takes to know a marker."""
        room = (_MAX_BYTES if self._block is not None else 4 * len(END)) + 1 - len(self._line)
        self._line += part[: max(room, 0)]

    def _take(self, line: bytes) -> None:
        mark = line.strip()
        if mark == BEGIN.encode():
            self._block = bytearray()
        elif self._block is not None and mark == END.encode():
            self._found = bytes(self._block)
            self._block = None
        elif self._block is not None and len(self._block) <= _MAX_BYTES:
            self._block += line + b"\n"


def collect(
    block: BlockReader, file: Path, stored: JsonObject, folder: Callable[[], Path]
) -> tuple[JsonObject, list[str]]:
    """Return the results to record, and what is wrong with those that cannot be, and where they are kept.

    Of one result the file's value counts before the block's, and that before what the job had from the start, such as a
    child's from its parent.

    Args:
        block: what the command printed.
        file: what it may have written.
        stored: what the job had from the start.
        folder: makes the folder for what cannot be recorded, and returns it.
    """
    results, problems = stored, list[str]()

    def take(read: Callable[[], dict[str, Any] | None], save: Callable[[Path], Path] | None) -> None:
        nonlocal results
        try:
            found = read()
        except InvalidInputError as error:
            problems.append(str(error) if save is None else _kept(error, folder, save))
            return
        if not found:
            return
        merged = {**results.decode(), **found}
        try:
            results = JsonObject.of(merged, "results")
        except InvalidInputError as error:
            results, rest = divide(merged)
            problems.append(_kept(error, folder, lambda into: keep(into, rest)[0]))

    take(block.results, lambda into: _copy(BytesIO(block.raw), into / "block.txt"))
    there = file.is_file()
    take(lambda: read_file(file), (lambda into: _copy(file.open("rb"), into / "results.json")) if there else None)
    return results, problems


def _kept(error: InvalidInputError, folder: Callable[[], Path], save: Callable[[Path], Path]) -> str:
    """Keep what cannot be recorded; return what is wrong with it, and where it is."""
    try:
        where = f"what cannot be recorded is kept in {save(folder())}"
    except (OSError, SweepstakeError) as problem:
        where = f"what cannot be recorded could not be kept in a file either: {problem}"
    return f"{error}; {where}"


def _copy(source: IO[bytes], path: Path) -> Path:
    """Copy what may be large, and on another disk."""
    with source as content, new_file(path) as file:
        shutil.copyfileobj(content, file)
    return path


def parse_block(block: bytes) -> dict[str, Any]:
    """Read what stands between the markers: one JSON object, or lines of `name: value`.

    A value is JSON, a number as `float` reads it (`nan`, `inf`, `.5`, `1.`), or one of Python's True, False and None;
    everything else is text.

    Raises:
        InvalidInputError: it is neither.
    """
    if len(block) > _MAX_BYTES:
        raise InvalidInputError.at("results", f"the block is larger than {_MAX_BYTES:,} bytes")
    try:
        text = block.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError.at("results", f"the block is not valid UTF-8 at byte {error.start}") from None
    if text.lstrip().startswith("{"):
        return _object(text, "results")
    results: dict[str, Any] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            name, value = _pair(line, number)
            results[name] = value
    return results


def read_file(path: Path) -> dict[str, Any] | None:
    """Read the results file; None if the command wrote none.

    Raises:
        InvalidInputError: it is not a JSON object.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a pipe or device may never end
                raise InvalidInputError.at("results file", "is no regular file; write the results into one")
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInputError.at("results file", f"cannot be read: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise InvalidInputError.at("results file", f"is larger than {_MAX_BYTES:,} bytes")
    return _object(content, "results file") if content.strip() else None


def _pair(line: str, number: int) -> tuple[str, Any]:
    name, colon, text = line.partition(":")
    if not colon or not name.strip():
        raise InvalidInputError.at(f"results line {number}", "is not of the form `name: value`")
    return name.strip(), _value(text.strip())


def _value(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    try:
        return parse_json(text)
    except InvalidInputError:
        number = read_number(text)
        return text if number is None else number


def _object(text: str | bytes, path: str) -> dict[str, Any]:
    value = parse_json(text, path)
    if not isinstance(value, dict):
        raise InvalidInputError.at(path, 'must be a JSON object, such as {"accuracy": 0.9}')
    return value
