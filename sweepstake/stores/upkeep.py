"""What an operator does to a store as a whole: see its schema and its health, and copy it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["Upkeep"]


class Upkeep(Protocol):
    """What an operator does to a store; nothing here changes it, nor brings it to another schema.

    All raise `ConfigurationError` when there is no store, and `StoreUnavailableError` when it does not answer.
    """

    @property
    def known(self) -> int:
        """The schema to which this version brings a store."""

    def schema(self) -> int:
        """Return the schema that the store has; 0 if it has no tables yet."""

    def problems(self) -> Sequence[str]:
        """Let the database check its own structures, and return what it finds wrong."""

    def back_up(self, target: Path, progress: Callable[[int, int], None]) -> None:
        """Copy the store to a new file, as it is at one moment, while others use it.

        Args:
            target: the file, which must not exist.
            progress: is told how many pages of how many are done.

        Raises:
            ConfigurationError: the file exists or cannot be made, or the database has a tool of its own for this.
        """
