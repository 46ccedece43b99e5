"""What a command reported: recorded as far as it can be, and kept in files where it cannot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sweepstake.client.attempt.keeping import divide, keep
from sweepstake.errors import InvalidInputError, SweepstakeError
from sweepstake.folders import new_file
from sweepstake.values import JsonObject
from sweepstake.worker.results import BlockReader, read_file

__all__ = ["Reported"]

_BLOCK: Final = "block.txt"
_FILE: Final = "results.json"


class Reported:
    """Collects the results of a command.

    What the job had from the start, such as a child's from its parent, stands unless the block says otherwise, and that
    unless the file does.

    Args:
        stored: what the job had from the start.
        folder: makes the folder for what cannot be recorded, and returns it.

    Attributes:
        results: what to record.
        problems: what is wrong with the rest, and where it is kept.
    """

    def __init__(self, stored: JsonObject, folder: Callable[[], Path]) -> None:
        self.results = stored
        self.problems: list[str] = []
        self._folder = folder

    def take_block(self, block: BlockReader) -> None:
        """Take what the command printed."""
        try:
            found = block.results()
        except InvalidInputError as error:
            self._keep(error, lambda folder: _save(block.raw, folder / _BLOCK))
        else:
            self._take(found)

    def take_file(self, path: Path) -> None:
        """Take what the command wrote into the results file, which may be moved away."""
        try:
            found = read_file(path)
        except InvalidInputError as error:
            if path.is_file():
                self._keep(error, lambda folder: _move(path, folder / _FILE))
            else:
                self.problems.append(str(error))
        else:
            self._take(found)

    def _take(self, found: dict[str, Any] | None) -> None:
        if not found:
            return
        merged = {**self.results.decode(), **found}
        try:
            self.results = JsonObject.of(merged, "results")
        except InvalidInputError as error:
            self.results, rest = divide(merged)
            self._keep(error, lambda folder: keep(folder, rest)[0])

    def _keep(self, error: InvalidInputError, write: Callable[[Path], Path]) -> None:
        try:
            where = f"what cannot be recorded is kept in {write(self._folder())}"
        except (OSError, SweepstakeError) as problem:
            where = f"what cannot be recorded could not be kept in a file either: {problem}"
        self.problems.append(f"{error}; {where}")


def _save(content: bytes, path: Path) -> Path:
    with new_file(path) as file:
        file.write(content)
    return path


def _move(source: Path, path: Path) -> Path:
    """Copy a file, which may be large, and which may be on another disk."""
    with source.open("rb") as content, new_file(path) as file:
        shutil.copyfileobj(content, file)
    return path
