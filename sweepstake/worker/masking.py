"""Secrets taken out of output, wherever it is cut into pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["Mask", "words_of"]

#: What stands in the place of a secret.
_INSTEAD: Final = b"***"
#: What is shorter is found in too much that is no secret.
_SHORTEST: Final = 4


def words_of(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """Return what must not be seen of secrets: each as a whole, and each of its lines, the longest first."""
    words = {
        word.strip().encode("utf-8", "surrogateescape") for secret in secrets for word in (secret, *secret.splitlines())
    }
    return tuple(sorted((word for word in words if len(word) >= _SHORTEST), key=len, reverse=True))


class Mask:
    """Replaces words in a stream; what may be the beginning of one is held back until the next bytes tell.

    Args:
        words: see `words_of`; the longest first.
    """

    def __init__(self, words: tuple[bytes, ...]) -> None:
        self._words = words
        self._pattern = re.compile(b"|".join(map(re.escape, words)))  # of those that begin at one place, the longest
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, and return those that may be seen now."""
        if not self._words:
            return data
        data = self._pending + data
        seen, at, cut = [], 0, len(data) - self._begun(data)
        # What is found is only sure before the first place at which a word may have begun: that may be a longer one.
        while (found := self._pattern.search(data, at)) is not None and found.start() < cut:
            seen += [data[at : found.start()], _INSTEAD]
            at = found.end()
            if at > cut:  # what had begun there is a part of what was found
                cut = len(data) - self._begun(data[at:])
        self._pending = data[cut:]
        return b"".join([*seen, data[at:cut]])

    def rest(self) -> bytes:
        """Return what was held back, at the end."""
        pending, self._pending = self._pending, b""
        return self._pattern.sub(_INSTEAD, pending) if self._words else pending

    def _begun(self, data: bytes) -> int:
        """Return how many of the last bytes may be the beginning of a word that goes on."""
        most = min(len(self._words[0]) - 1, len(data))
        return next((n for n in range(most, 0, -1) if self._begins(data[-n:])), 0)

    def _begins(self, data: bytes) -> bool:
        return any(len(word) > len(data) and word.startswith(data) for word in self._words)
