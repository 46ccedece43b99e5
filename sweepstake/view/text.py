"""Tables as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.cells import cell_len

from sweepstake.plaintext import printable
from sweepstake.view.cells import cell, full
from sweepstake.view.grid import Grid, cut
from sweepstake.view.ids import IDS
from sweepstake.view.table import OWN, Column, Table

__all__ = ["boxed", "listed", "paragraphs", "plain"]

_GAP: Final = "  "
#: The columns that say how long ago something happened.
_AGES: Final = frozenset(Column(OWN, name) for name in ("last activity", "since", "heartbeat"))
#: The columns that hold the names of experiments.
_NAMES: Final = frozenset({Column(OWN, "name"), Column(OWN, "experiment")})

#: Columns that a header is wider than its text, so that tables of short values stay easy to read.
_HEADER_ROOM: Final = 2


def boxed(table: Table, width: int | None = None) -> str:
    """Draw the table with a frame and headers; numbers are aligned at the decimal point. No columns are no text.

    Args:
        width: columns of the terminal, into which the table is fitted; None: as wide as it is.
    """
    if not table.columns:
        return ""
    grid = _grid(table)
    if width is not None:
        grid = grid.within(width - len("|  |"), len(" | "), _HEADER_ROOM)
    header, *rows = grid.rows(headed=True, extra=_HEADER_ROOM)
    rule = "+".join("-" * (cell_len(part) + 2) for part in header)
    lines = [f"+{rule}+", _framed(header), f"|{rule}|", *map(_framed, rows), f"+{rule}+"]
    return "\n".join([*lines, *_left_out(grid, width)])


def listed(table: Table, width: int | None = None, narrow: int = 8) -> str:
    """Write the rows under headers, columns apart by two spaces. No rows are no text.

    Args:
        width: columns of the terminal, into which the table is fitted; None: as wide as it is.
        narrow: characters below which the headers of numbers are not cut.
    """
    if not table.rows:
        return ""
    grid = _grid(table)
    if width is not None:
        grid = grid.within(width, len(_GAP), narrow=narrow)
    return "\n".join([*(_GAP.join(row).rstrip() for row in grid.rows(headed=True)), *_left_out(grid, width)])


def plain(table: Table) -> str:
    """Write the rows without headers, columns apart by two spaces."""
    return "\n".join(_GAP.join(row).rstrip() for row in _grid(table).rows(headed=False))


def paragraphs(table: Table) -> str:
    """Write each row as lines of `field: value`, rows apart by an empty line; missing values are left out."""
    labels = [printable(label) for label in table.labels()]
    blocks = (
        "\n".join(f"{label}: {full(value)}" for label, value in zip(labels, row, strict=True) if value is not None)
        for row in table.rows
    )
    return "\n\n".join(blocks)


def _is_numeric(values: Sequence[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present)


def _framed(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _left_out(grid: Grid, width: int | None) -> list[str]:
    return [cut(f"--wide also shows: {', '.join(grid.left_out)}", width or 0)] if grid.left_out else []


def _grid(table: Table) -> Grid:
    values = [[row[i] for row in table.rows] for i in range(len(table.columns))]
    numeric = tuple(_is_numeric(column) for column in values)
    columns = tuple(
        tuple(_aligned(column) if aligned else map(cell, column))
        for column, aligned in zip(values, numeric, strict=True)
    )
    names = tuple(column in _NAMES for column in table.columns)
    whole = tuple(column in IDS or column in _AGES for column in table.columns)
    return Grid(tuple(printable(label) for label in table.labels()), columns, numeric, names, whole)


def _aligned(values: Sequence[Any]) -> list[str]:
    texts = [cell(value) for value in values]
    after = [_after_point(text) for text in texts]
    room = max(after, default=0)
    padded = [text + " " * (room - length) for text, length in zip(texts, after, strict=True)]
    width = max(map(len, padded), default=0)
    return [text.rjust(width) for text in padded]


def _after_point(text: str) -> int:
    """Return how many characters stand from the decimal point on, or behind the `e` of `1e-05`."""
    for mark in ".e":
        if mark in text:
            return len(text) - text.rindex(mark)
    return 0
