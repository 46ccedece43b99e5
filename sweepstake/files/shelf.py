"""`Shelf`: what is kept of attempts, found by the job itself and never by a name that somebody chose.

Content is kept under its sha256, in the folder of its attempt. The paths that users gave their files stand in the
manifest alone, and name nothing on a disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from attrs import evolve, frozen

from sweepstake.domain.addresses import called
from sweepstake.domain.files import PIECE, KeptFile, Manifest, Piece, Span
from sweepstake.domain.names import file_name
from sweepstake.errors import ClientRequestError, InvalidInputError, NotFoundError

__all__ = ["Drive", "Place", "Shelf", "job_name"]

_MANIFEST: Final = "manifest.json"
_LOG: Final = "log"
#: Where content lies once it is whole, and before.
_WHOLE: Final = "whole"
_PARTS: Final = "parts"


class Drive(Protocol):
    """Something that keeps bytes under names; each name is a path of names within. They are ours, never a user's.

    All raise `UnusableFolderError` or another OSError where the disk fails.
    """

    def size(self, *name: str) -> int | None:
        """Return how many bytes there are; None: there is nothing of that name."""

    def append(self, offset: int, data: bytes, /, *name: str) -> None:
        """Write where what is there ends, which is the offset; it may be written again by a repeat at the same time."""

    def read(self, offset: int, length: int, /, *name: str) -> bytes:
        """Return so many bytes, or as many as there are."""

    def move(self, name: tuple[str, ...], to: tuple[str, ...]) -> None:
        """Put something under another name, when it is on the disk, in the place of whatever was there."""

    def settle(self, *folder: str) -> None:
        """Let the names in a folder, which is there, outlast a power cut; those of files that were moved into it."""

    def replace(self, data: bytes, /, *name: str) -> None:
        """Write all of something: a reader sees it as it was or as it is, and it outlasts a power cut."""

    def names(self, *folder: str) -> list[str]:
        """Return the names in a folder; none if it is not there."""

    def remove(self, *name: str) -> None:
        """Remove something, with all below; what is not there is removed already."""


@frozen
class Place:
    """Where an attempt is kept.

    Attributes:
        address: of the experiment.
        job: which job it is, as `job_name` returns it.
        attempt: number of the attempt.
    """

    address: str
    job: str
    attempt: int = 0


def job_name(seq: int, made: float) -> str:
    """Return the name of a job's folder: its number, and when it was made.

    No other job of the store has the number; one of a store that was put back from an older copy may.
    """
    return f"{seq}-{made * 1000:.0f}"


class Shelf:
    """What a store keeps of attempts.

    Args:
        drive: keeps it; None: nobody said where, and each call says so.
        store: which store it is; several may share a drive.
    """

    def __init__(self, drive: Drive | None, store: str) -> None:
        self._where = drive
        self._store = file_name(store)

    def check(self) -> None:
        """Raise ClientRequestError if nothing can be kept, because nobody said where."""
        if self._where is None:
            raise ClientRequestError(
                "This store keeps no files: a PostgreSQL database has no folder beside it. Set SWEEPSTAKE_FILES (or "
                "`files` in the configuration file, or `serve --files`) to a folder or a URL where they are kept."
            )

    @property
    def _drive(self) -> Drive:
        self.check()
        assert self._where is not None, "it was checked"
        return self._where

    # contents

    def held(self, place: Place, sha256: str, size: int) -> int:
        """Return how many bytes of a content are kept from the beginning on; all of them only once it is whole."""
        if self._drive.size(*self._at(place, _WHOLE, sha256)) == size:
            return size
        held = self._drive.size(*self._at(place, _PARTS, sha256)) or 0
        return min(held, max(0, size - 1))

    def put(self, place: Place, sha256: str, size: int, offset: int, piece: bytes) -> int:
        """Keep a piece of a content, and return how many bytes of it are kept from the beginning on.

        A piece that begins behind them is not kept; one that is kept already is not written again.

        Raises:
            InvalidInputError: the content is not what its sha256 says; all of it is forgotten.
        """
        whole, parts = self._at(place, _WHOLE, sha256), self._at(place, _PARTS, sha256)
        if self._drive.size(*whole) == size:
            return size
        try:
            return self._add(whole, parts, size, offset, piece)
        except (OSError, InvalidInputError):
            if self._drive.size(*whole) == size:  # the same call, made a second time, was quicker
                return size
            raise

    def _add(self, whole: tuple[str, ...], parts: tuple[str, ...], size: int, offset: int, piece: bytes) -> int:
        held = self._drive.size(*parts) or 0
        if held < size and offset <= held < offset + len(piece):
            if offset + len(piece) > size:
                raise InvalidInputError.at("size", "is less than what was sent")
            self._drive.append(held, piece[held - offset :], *parts)
            held = offset + len(piece)
        elif size == 0:
            self._drive.append(0, b"", *parts)
        if held >= size:
            self._seal(parts, whole, size)
        return held

    def _seal(self, parts: tuple[str, ...], whole: tuple[str, ...], size: int) -> None:
        """Take a content for whole if it is what it should be."""
        found, offset = hashlib.sha256(), 0
        while offset < size and (piece := self._drive.read(offset, PIECE // 4, *parts)):
            found.update(piece)
            offset += len(piece)
        if found.hexdigest() != whole[-1]:
            self._drive.remove(*parts)
            raise InvalidInputError.at("sha256", "is not that of what was sent; send all of it again")
        self._drive.move(parts, whole)

    def read(self, place: Place, sha256: str, span: Span) -> Piece:
        """Return the beginning of what is asked for of a content: at most `PIECE` bytes.

        Raises:
            NotFoundError: it is not kept.
            OutOfRangeError: it has no such bytes.
        """
        name = self._at(place, _WHOLE, sha256)
        total = self._drive.size(*name)
        if total is None:
            raise NotFoundError(f"There is no file with this content in attempt {place.attempt}.")
        return self._piece(place, name, total, span, sha256)

    def _piece(self, place: Place, name: tuple[str, ...], total: int, span: Span, sha256: str = "") -> Piece:
        begin, end = span.within(total)
        content = self._drive.read(begin, min(end - begin, PIECE), *name) if begin < end else b""
        return Piece(content=content, offset=begin, total=total, sha256=sha256, attempt=place.attempt)

    # manifests

    def manifest(self, place: Place) -> Manifest:
        """Return what is kept of an attempt, be it nothing."""
        files: tuple[KeptFile, ...] = ()
        size = self._drive.size(*self._at(place, _MANIFEST))
        if size:
            kept = json.loads(self._drive.read(0, size, *self._at(place, _MANIFEST)))
            files = tuple(KeptFile(path=path, size=length, sha256=sha256) for path, length, sha256 in kept)
        log = self._drive.size(*self._at(place, _LOG)) or 0
        return Manifest(attempt=place.attempt, attempts=self.attempts(place), files=files, log=log)

    def attempts(self, place: Place) -> tuple[int, ...]:
        """Return the numbers of the attempts of a job of which something is kept."""
        return tuple(sorted(int(name) for name in self._drive.names(*self._job(place)) if name.isdecimal()))

    def list(self, place: Place, files: Iterable[KeptFile], before: Manifest) -> Manifest:
        """State which files an attempt has, in the place of those that it had; content that none has any more goes.

        Args:
            place: the attempt.
            files: all that it has now.
            before: what `manifest` has told of it.

        Returns:
            What `manifest` tells of it now.

        Raises:
            InvalidInputError: the content of a file is not kept yet; names the first few.
        """
        stated = sorted(files, key=lambda each: each.path)
        here = {each: self._drive.size(*self._at(place, _WHOLE, each)) for each in {each.sha256 for each in stated}}
        missing = [(i, each) for i, each in enumerate(stated) if here[each.sha256] != each.size]
        if missing:
            raise InvalidInputError(
                (f"files[{i}]", f"the content of {each.path!r} is not kept yet, or has another size")
                for i, each in missing[:20]
            )
        rows = [(each.path, each.size, each.sha256) for each in stated]
        text = json.dumps(rows, separators=(",", ":"))
        if stated:  # all of them at once, as it takes long; what a power cut takes before is sent again
            self._drive.settle(*self._at(place, _WHOLE))
        self._drive.replace(text.encode(), *self._at(place, _MANIFEST))
        for each in {each.sha256 for each in before.files} - here.keys():
            self._drive.remove(*self._at(place, _WHOLE, each))
        return evolve(before, attempts=tuple(sorted({*before.attempts, place.attempt})), files=tuple(stated))

    # output

    def log_size(self, place: Place) -> int:
        """Return how many bytes of an output are kept."""
        return self._drive.size(*self._at(place, _LOG)) or 0

    def append(self, place: Place, offset: int, piece: bytes) -> int:
        """Keep a piece of the output of an attempt, as `put` does, and return how many bytes are kept."""
        name = self._at(place, _LOG)
        held = self._drive.size(*name) or 0
        if offset <= held < offset + len(piece):
            self._drive.append(held, piece[held - offset :], *name)
            held = offset + len(piece)
        return held

    def log(self, place: Place, span: Span) -> Piece:
        """Return the beginning of what is asked for of an output: at most `PIECE` bytes; it may be empty.

        Raises:
            OutOfRangeError: it has no such bytes, or not yet.
        """
        name = self._at(place, _LOG)
        return self._piece(place, name, self._drive.size(*name) or 0, span)

    # what goes

    def drop(self, place: Place) -> None:
        """Forget an attempt."""
        self._drive.remove(*self._at(place))

    def drop_job(self, place: Place) -> None:
        """Forget all attempts of a job."""
        if self._where is not None:
            self._where.remove(*self._job(place))

    def jobs(self, folder: str | None = None) -> Iterator[tuple[str, str]]:
        """Yield each job of which something is kept: the names of its experiment's folder and of its own.

        Args:
            folder: that of an experiment, to look nowhere else; see `folder`.
        """
        if self._where is None:
            return
        for each in self._where.names(self._store) if folder is None else [folder]:
            for name in self._where.names(self._store, each):
                yield each, name

    def drop_at(self, folder: str, job: str) -> None:
        """Forget a job that `jobs` told of; the folder of its experiment stays, until `tidy`."""
        if self._where is not None:
            self._where.remove(self._store, folder, job)

    def tidy(self, folder: str) -> None:
        """Remove the folder of an experiment if nothing is in it any more."""
        if self._where is not None and not self._where.names(self._store, folder):
            self._where.remove(self._store, folder)

    def folder(self, address: str) -> str:
        """Return the name of an experiment's folder: a name that people know it by, and what no other has."""
        digest = hashlib.sha256(f"{self._store} {address}".encode()).hexdigest()[:16]
        return f"{file_name(called(address))}+{digest}"

    def _job(self, place: Place) -> tuple[str, ...]:
        return self._store, self.folder(place.address), place.job

    def _at(self, place: Place, *name: str) -> tuple[str, ...]:
        return (*self._job(place), str(place.attempt), *name)
