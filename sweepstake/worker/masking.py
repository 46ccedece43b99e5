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
        words: see `words_of`.
    """

    def __init__(self, words: tuple[bytes, ...]) -> None:
        self._words = words
        self._pattern = re.compile(b"|".join(map(re.escape, words)))
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, and return those that may be seen now."""
        if not self._words:
            return data
        data = self._pattern.sub(_INSTEAD, self._pending + data)
        held = self._begun(data)
        self._pending = data[len(data) - held :]
        return data[: len(data) - held]

    def rest(self) -> bytes:
        """Return what was held back, at the end."""
        pending, self._pending = self._pending, b""
        return pending

    def _begun(self, data: bytes) -> int:
        """Return how many of the last bytes may be the beginning of a word."""
        most = min(len(self._words[0]) - 1, len(data))
        return next((n for n in range(most, 0, -1) if any(word.startswith(data[-n:]) for word in self._words)), 0)
