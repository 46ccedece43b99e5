"""Tables as text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from rich.cells import cell_len

from sweepstake.plaintext import printable
from sweepstake.view.table import Table

__all__ = ["boxed", "cell", "paragraphs", "plain"]

#: Columns that a header is wider than its text, so that tables of short values stay easy to read.
_HEADER_ROOM: Final = 2


def boxed(table: Table) -> str:
    """Draw the table with a frame and headers; numbers are aligned at the decimal point. No columns are no text."""
    if not table.columns:
        return ""
    headers = [printable(label) for label in table.labels()]
    numeric = [_is_numeric([row[i] for row in table.rows]) for i in range(len(headers))]
    cells = [_column([row[i] for row in table.rows], align=numeric[i]) for i in range(len(headers))]
    widths = [
        max([cell_len(header) + _HEADER_ROOM, *map(cell_len, column)])
        for header, column in zip(headers, cells, strict=True)
    ]
    rule = "+".join("-" * (width + 2) for width in widths)
    lines = [f"+{rule}+", _row(headers, widths, numeric), f"|{rule}|"]
    lines += [_row([column[i] for column in cells], widths, numeric) for i in range(len(table.rows))]
    return "\n".join([*lines, f"+{rule}+"])


def plain(table: Table) -> str:
    """Write the rows without headers, columns apart by two spaces."""
    cells = [_column([row[i] for row in table.rows], align=True) for i in range(len(table.columns))]
    widths = [max(map(cell_len, column), default=0) for column in cells]
    return "\n".join(
        "  ".join(_pad(column[i], width, right=False) for column, width in zip(cells, widths, strict=True)).rstrip()
        for i in range(len(table.rows))
    )


def paragraphs(table: Table) -> str:
    """Write each row as lines of `field: value`, rows apart by an empty line; missing values are left out."""
    labels = [printable(label) for label in table.labels()]
    blocks = (
        "\n".join(f"{label}: {_full(value)}" for label, value in zip(labels, row, strict=True) if value is not None)
        for row in table.rows
    )
    return "\n\n".join(blocks)


def cell(value: Any) -> str:
    """Return a value as one line of text: floats with six digits, None as nothing."""
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else _full(value)


def _full(value: Any) -> str:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, (list, dict)):
        return printable(json.dumps(value, ensure_ascii=False))
    return str(value)


def _is_numeric(values: Sequence[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present)


def _column(values: Sequence[Any], *, align: bool) -> list[str]:
    texts = [cell(value) for value in values]
    if not (align and _is_numeric(values)):
        return texts
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


def _row(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = (_pad(text, width, right=right) for text, width, right in zip(cells, widths, numeric, strict=True))
    return "| " + " | ".join(padded) + " |"


def _pad(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space
