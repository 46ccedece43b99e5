"""Cells of text in columns, fitted into the width of a terminal."""

from __future__ import annotations

from typing import Final, Self

from attrs import evolve, frozen
from rich.cells import cell_len, set_cell_size

__all__ = ["Grid", "cut"]

_ELLIPSIS: Final = "…"
#: Columns of text and headers are not cut below so many characters.
_LEAST: Final = 8
#: The first column, which says what a row is, is not cut below so many.
_FIRST: Final = 18


@frozen
class Grid:
    """Cells of text under headers; those of a numeric column are aligned at the decimal point.

    Attributes:
        names: which columns are cut in the middle, because those made together share their beginning.
        whole: which columns are never cut, because what stands there is typed again, or is no more
            than a few words.
        left_out: the labels of the columns for which there was no room.
    """

    headers: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    names: tuple[bool, ...]
    whole: tuple[bool, ...]
    left_out: tuple[str, ...] = ()

    def within(self, room: int, gap: int, extra: int = 0, narrow: int = _LEAST) -> Self:
        """Return the grid with texts cut, and then columns left out, so that its lines have at most `room` columns.

        The first column always stays, and is cut last. Numbers are never cut. Columns that come first are favoured.

        Args:
            room: width of the terminal, less what the frame takes.
            gap: what stands between two columns.
            extra: columns by which each column is wider than its header.
            narrow: characters below which the headers of numbers are not cut.
        """
        cells = [max(map(cell_len, column), default=0) for column in self.columns]
        heads = [cell_len(header) + extra for header in self.headers]
        widest = [max(pair) for pair in zip(cells, heads, strict=True)]
        if sum(widest) + gap * (len(widest) - 1) <= room:
            return self
        least = [
            max(
                cell if numeric or whole else min(cell, _LEAST if i else _FIRST),
                min(head, (narrow if numeric else _LEAST) + extra),
            )
            for i, (cell, head, numeric, whole) in enumerate(zip(cells, heads, self.numeric, self.whole, strict=True))
        ]
        kept: list[int] = []
        left = room + gap
        for i, width in enumerate(least):
            if not kept or width + gap <= left:
                kept.append(i)
                left -= width + gap
        widths = {i: least[i] for i in kept}
        for i in kept:
            more = min(widest[i] - least[i], max(left, 0))
            widths[i] += more
            left -= more
        return evolve(
            self,
            headers=tuple(cut(self.headers[i], widths[i] - extra) for i in kept),
            columns=tuple(
                tuple((_cut_within if self.names[i] else cut)(text, widths[i]) for text in self.columns[i])
                for i in kept
            ),
            numeric=tuple(self.numeric[i] for i in kept),
            names=tuple(self.names[i] for i in kept),
            whole=tuple(self.whole[i] for i in kept),
            left_out=tuple(header for i, header in enumerate(self.headers) if i not in widths),
        )

    def rows(self, *, headed: bool, extra: int = 0) -> list[tuple[str, ...]]:
        """Return the cells padded to the widths of their columns, row by row; first the headers, if they are wanted.

        Args:
            extra: columns by which each column is at least wider than its header.
        """
        heads = [cell_len(header) + extra if headed else 0 for header in self.headers]
        widths = [max([head, *map(cell_len, column)]) for head, column in zip(heads, self.columns, strict=True)]
        rows = zip(*self.columns, strict=True)
        return [
            tuple(_pad(text, width, right=right) for text, width, right in zip(row, widths, self.numeric, strict=True))
            for row in ([self.headers, *rows] if headed else rows)
        ]


def cut(text: str, width: int) -> str:
    """Return text of at most `width` columns; what is cut ends with an ellipsis."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + _ELLIPSIS if width > 0 else ""


def _cut_within(text: str, width: int) -> str:
    """Return text of at most `width` columns with its beginning and its end."""
    if cell_len(text) <= width:
        return text
    end = ""
    for letter in reversed(text):
        if cell_len(letter + end) > (width - 1) // 2:
            break
        end = letter + end
    return cut(text, width - cell_len(end)) + end


def _pad(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space
