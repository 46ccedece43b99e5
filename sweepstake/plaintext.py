"""Text from outside, made safe to print.

Names, tags, values, outputs and messages come from other users, machines and servers. Printed as they are, they could
move the cursor, colour or overwrite lines, or turn the order of letters round. Whoever prints such text to a terminal,
a log, a notebook or an error passes it through here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

__all__ = [
    "counted",
    "listed",
    "printable",
    "printable_lines",
    "with_article",
    "without_password",
]

#: Control, format (such as right-to-left overrides), surrogate, and the two separators of lines.
_UNSAFE: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
#: From the user to the last `@`: a password may hold anything, also what had to be percent-encoded.
_PASSWORD: Final = re.compile(r"(://[^/@:]*):[^\n]*@")


def printable(text: str) -> str:
    """Return text as one line that cannot drive a terminal: characters that could are written out."""
    if text.isprintable():
        return text
    return "".join(c if unicodedata.category(c) not in _UNSAFE else repr(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """Return text whose line breaks stay, with each of its lines made safe."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def without_password(url: str) -> str:
    """Return a URL for people: without a password, and without options, which may hold one as well."""
    return printable(_PASSWORD.sub(r"\1:***@", url.partition("?")[0]))


def with_article(noun: str) -> str:
    """Return a noun behind `a` or `an`, such as `an object`."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def counted(number: int, noun: str, several: str | None = None) -> str:
    """Return how many there are of a thing: `1 job`, `2 jobs`, `1,000 jobs`; what several are called can be said."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"


def listed(words: Sequence[str], total: int) -> str:
    """Return words in a row, and how many more there are: `a, b and 3 more`."""
    more = total - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more > 0 else "")
