"""The part of a text that is being read."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterator
from typing import Final

from sweepstake.turns import give_way

__all__ = ["SLICE", "Window"]

#: The longest text that one call into C reads or writes, in characters: about a millisecond.
SLICE: Final = 32 * 1024
#: How many slices are decoded at once, and how many characters are decoded ahead of the place that is asked for.
_AT_ONCE: Final = 8
_AHEAD: Final = 2 * SLICE


class Window:
    """A text that is read from its beginning to its end, of which bytes are decoded only as it goes on.

    So a long text is never decoded as a whole, which would be one long call as well, and take up to four times its
    bytes. Places count from the beginning of the text. Around the place that was asked for last, a slice before it and
    a slice after it can be read.

    Args:
        source: the text, or JSON of whichever encoding of Unicode.
    """

    def __init__(self, source: str | bytes) -> None:
        self._text = ""
        #: The place of its first character, and that at which more has to be decoded.
        self._begin = 0
        self._enough = -1
        self._rest: Iterator[str] = iter(())
        if isinstance(source, str):
            self._text = source
            self._enough = sys.maxsize
        else:
            self._rest = _decoded(source)

    def part(self, at: int, end: int) -> str:
        """Return the characters from a place to another, or to the end if that comes first."""
        if at > self._enough:
            self._go_on(at)
        return self._text[at - self._begin : end - self._begin]

    def end_of(self, pattern: re.Pattern[str], at: int, most: int = SLICE) -> int:
        """Return where a match from a place on ends, within so many characters; the place itself if there is none."""
        if at > self._enough:
            self._go_on(at)
        within = at - self._begin
        found = pattern.match(self._text, within, within + most)
        return at if found is None else found.end() + self._begin

    def _go_on(self, at: int) -> None:
        """Decode more, and forget most of what is before a place.

        Raises:
            UnicodeDecodeError: it is in no encoding of Unicode.
        """
        begin = max(self._begin, at - SLICE)
        parts = [self._text[begin - self._begin :]]
        self._begin = begin
        for _ in range(_AT_ONCE):
            part = next(self._rest, None)
            if part is None:
                self._enough = sys.maxsize
                break
            parts.append(part)
        self._text = "".join(parts)
        if self._enough < sys.maxsize:
            self._enough = begin + len(self._text) - _AHEAD


def _decoded(data: bytes) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(json.detect_encoding(data[:4]))("surrogatepass")
    for at in range(0, len(data), SLICE):
        give_way()
        before = len(decoder.getstate()[0])  # bytes of a character that began in the slice before
        try:
            yield decoder.decode(data[at : at + SLICE], final=at + SLICE >= len(data))
        except UnicodeDecodeError as error:
            begin = at - before
            raise UnicodeDecodeError(
                error.encoding, data, begin + error.start, begin + error.end, error.reason
            ) from None
