"""All rows of the table, and how they are chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Final

from tests.benchmarks import bulk, commands, cycles, growth, lacking, specs
from tests.benchmarks.comparing import Row

__all__ = ["ROWS", "choose"]

#: Every row, in the order of the table.
ROWS: Final = (*cycles.ROWS, *growth.ROWS, *lacking.ROWS, *bulk.ROWS, *specs.ROWS, *commands.ROWS)


def choose(patterns: Sequence[str]) -> list[Row]:
    """Return the rows whose names match one of the patterns, such as `cycles-*`; all without any.

    Raises:
        ValueError: a pattern matches no row.
    """
    for pattern in patterns:
        if not any(fnmatch(row.name, pattern) for row in ROWS):
            raise ValueError(f"no row matches {pattern!r}; there are {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if not patterns or any(fnmatch(row.name, pattern) for pattern in patterns)]
