"""HTML for notebooks: tables of text, in which nothing but their own tags is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from sweepstake.plaintext import printable

__all__ = ["MAX_ROWS", "pairs_html", "rows_html", "text_html"]

#: The most rows that are drawn; a notebook chokes on more.
MAX_ROWS: Final = 1000
#: The most characters of a value that are drawn.
_MAX_CELL: Final = 80


def text_html(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(printable(text))}</p>"


def pairs_html(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values below a title; long values are cut."""
    rows = "".join(f"<tr><th>{_shown(name)}</th><td>{_shown(value)}</td></tr>" for name, value in pairs)
    return f"<table><caption>{escape(printable(title))}</caption><tbody>{rows}</tbody></table>"


def rows_html(headers: Iterable[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """Return a table of rows under headers; long values are cut, and rows beyond the first thousand only counted."""
    caption = f"<caption>{escape(printable(title))}</caption>" if title else ""
    head = "".join(f"<th>{_shown(header)}</th>" for header in headers)
    body = "".join(f"<tr>{''.join(f'<td>{_shown(value)}</td>' for value in row)}</tr>" for row in rows[:MAX_ROWS])
    hidden = len(rows) - MAX_ROWS
    more = text_html(f"and {hidden:,} more") if hidden > 0 else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _shown(text: str) -> str:
    line = printable(text)
    return escape(line if len(line) <= _MAX_CELL else f"{line[: _MAX_CELL - 1]}…")
