"""Finding op keys that were used twice among any number of them, in memory that does not grow."""

from __future__ import annotations

import hashlib
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from enum import Enum
from types import TracebackType
from typing import IO, Final, Self

__all__ = ["KeyUse", "KeyWatch"]

_BUCKETS: Final = 64
#: The digest of a key, its use, the seq of a job or event, and the number of an attempt.
_ENTRY: Final = struct.Struct("<16sBqi")


class KeyUse(Enum):
    """What an op key was used for."""

    CLAIM = 0
    #: An attempt without a lease: the key is that of the PUT that began it.
    BEGIN = 1
    FINISH = 2
    EVENT = 3
    #: A definition, which a claim also writes when it finds the search complete.
    DEFINITION = 4


#: Uses that one call makes of its key at once.
_TOGETHER: Final = (
    {KeyUse.BEGIN, KeyUse.EVENT},
    {KeyUse.CLAIM, KeyUse.DEFINITION},
)


class KeyWatch:
    """Takes keys one by one, keeps digests of them in temporary files, and tells in the end which came twice.

    A bucket holds one part in 64 of them, and only one is in memory at a time.
    """

    def __init__(self) -> None:
        self._files: list[IO[bytes]] = []
        self._open = ExitStack()
        self.count = 0

    def __enter__(self) -> Self:
        """Make the files, which are gone when the block is left."""
        self._files = [self._open.enter_context(_new_file()) for _ in range(_BUCKETS)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the files go."""
        self._open.close()

    def add(self, key: str, use: KeyUse, seq: int, number: int = 0) -> None:
        """Take a key, with the attempt (`seq` of the job, number) or the event (`seq`) that has it."""
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self._files[digest[0] % _BUCKETS].write(_ENTRY.pack(digest, use.value, seq, number))
        self.count += 1

    def repeats(self) -> Iterator[list[tuple[KeyUse, int, int]]]:
        """Yield the uses of each key that was used more often than it may be: use, seq, number."""
        for file in self._files:
            file.seek(0)
            uses: dict[bytes, list[tuple[KeyUse, int, int]]] = defaultdict(list)
            for digest, use, seq, number in _ENTRY.iter_unpack(file.read()):
                uses[digest].append((KeyUse(use), seq, number))
            for found in uses.values():
                if len(found) > 1 and not (len(found) == 2 and {use for use, *_ in found} in _TOGETHER):
                    yield found


def _new_file() -> IO[bytes]:
    return tempfile.TemporaryFile()
