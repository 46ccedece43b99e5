"""The environment of this process, as bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, MutableMapping
from os import putenv, unsetenv
from typing import Final

__all__ = ["SURROUNDINGS", "Surroundings"]


class Surroundings:
    """What `os.environ` shows, and what a program inherits that is started; names and values are bytes.

    A look at one name through `os.environ` takes as long as what is done here for a whole block.

    Args:
        values: shows what is set, and is told what is put.
    """

    def __init__(self, values: MutableMapping[bytes, bytes]) -> None:
        self._values = values

    def get(self, name: bytes) -> bytes | None:
        """Return a value, if the name has one."""
        return self._values.get(name)

    def has_any(self, names: tuple[bytes, ...]) -> bool:
        """Tell whether one of these has a value."""
        values = self._values
        for name in names:  # noqa: SIM110 -- a generator takes longer, and each claim asks
            if name in values:
                return True
        return False

    def put(self, values: Iterable[tuple[bytes, bytes]]) -> None:
        """Give these names these values."""
        for name, value in values:
            putenv(name, value)
            self._values[name] = value

    def take_out(self, names: tuple[bytes, ...]) -> None:
        """Leave these names without a value."""
        for name in names:
            unsetenv(name)
            self._values.pop(name, None)


#: The ones of this process, as a process has one environment: the dictionary that `os.environ` and `os.environb` share.
#: In an interpreter that keeps none all this only takes longer.
SURROUNDINGS: Final = Surroundings(getattr(os.environ, "_data", os.environb))
