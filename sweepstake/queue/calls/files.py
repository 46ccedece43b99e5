"""The verbs on what attempts leave: files, and all of their output.

Bytes travel in pieces, each a call of its own, so that nobody holds a file in memory and a call that failed costs one
piece. All raise `NotFoundError` when there is no such experiment, job or attempt, and `ClientRequestError` where a
store keeps no files. What is written needs the key of its attempt, and is refused once that is DONE
(`UnsafeUpdateError`), unless it is what is kept already.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from sweepstake.domain.access import Role
from sweepstake.domain.files import MAX_FILE, MAX_FILES, PIECE, Held, KeptFile, Manifest, Piece, Span
from sweepstake.domain.lengths import at_most, holds
from sweepstake.domain.schema import OMIT_DEFAULT, count, items, narrowed, nullable
from sweepstake.errors import InvalidInputError
from sweepstake.queue.answers import BYTES, NOTHING, one
from sweepstake.queue.call import Call, verb
from sweepstake.queue.calls.paths import EXPERIMENT, JOB
from sweepstake.queue.fields import attempt_key, body, content_digest, file_path, named, raw, span, whole_number
from sweepstake.wire.operation import Operation

__all__ = ["AppendLog", "AskFiles", "GetContent", "GetLog", "KeepFiles", "ListFiles", "PutContent"]

_VALUES: Final = MAX_FILES * 10
_MAX_ATTEMPT: Final = 2**53
_WHICH: Final = (
    "The number of the attempt; without it the one that ended DONE, else the latest of which anything is kept"
)


def _is_piece(_: object, attribute: Any, value: bytes) -> None:
    if len(value) > PIECE:
        raise InvalidInputError.at(attribute.name, f"has {len(value):,} bytes; send at most {PIECE:,} at once")


def _is_keep(_: object, attribute: Any, value: int | None) -> None:
    if value is not None and value < 0:
        raise InvalidInputError.at(attribute.name, "must be 0 or more")


def _which() -> Any:
    return whole_number("attempt", _WHICH, _MAX_ATTEMPT, default=None)


@verb(
    Operation(
        name="ask_files",
        method="GET",
        path=f"{EXPERIMENT}files/",
        role=Role.READ,
        summary="Tell whether files and output of attempts can be kept here; 400 says why not",
    ),
    NOTHING,
)
@frozen(kw_only=True)
class AskFiles(Call[None]):
    """Whether anything can be kept, so that nobody begins a job whose files would be lost.

    Raises:
        ClientRequestError: nothing can; the message says what to do.
    """

    name: str = named("name")


@verb(
    Operation(
        name="list_files",
        method="GET",
        path=f"{JOB}files/",
        role=Role.READ,
        summary="List what is kept of an attempt",
        long=True,
    ),
    one(Manifest, "Manifest"),
)
@frozen(kw_only=True)
class ListFiles(Call[Manifest]):
    """The files of an attempt, how long its output is, and of which attempts something is kept."""

    name: str = named("name")
    id: str = named("id")
    number: int | None = _which()


@verb(
    Operation(
        name="keep_files",
        method="PUT",
        path=f"{JOB}files/",
        role=Role.WORK,
        summary="State which files an attempt has, whose contents were put before",
        values=_VALUES,
        long=True,
        problems=(412,),
    ),
    one(Manifest, "Manifest"),
    request="KeepFiles",
)
@frozen(kw_only=True)
class KeepFiles(Call[Manifest]):
    """All files that an attempt has, in the place of those that it had.

    Attributes:
        attempt: the key of the attempt.
        keep: of how many earlier attempts that are not DONE the files stay; None: of all.

    Raises:
        InvalidInputError: a content is not kept yet, or two paths cannot lie in one folder.
    """

    name: str = named("name")
    id: str = named("id")
    attempt: str | None = attempt_key()
    files: tuple[KeptFile, ...] = body(
        validator=at_most(MAX_FILES), metadata={**holds(MAX_FILES), **narrowed(items("KeptFile", MAX_FILES))}
    )
    keep: int | None = body(default=None, validator=_is_keep, metadata={**OMIT_DEFAULT, **narrowed(nullable(count(0)))})


@verb(
    Operation(
        name="put_content",
        method="PUT",
        path=f"{JOB}content/",
        role=Role.WORK,
        summary="Put a piece of a file, and learn how much of it is kept",
        problems=(412,),
    ),
    one(Held, "Held"),
    request="Bytes",
)
@frozen(kw_only=True)
class PutContent(Call[Held]):
    """A piece of a content. An empty piece asks how much is kept.

    A piece that does not begin where what is kept ends, or before, is not kept; a repeat changes nothing. The answer
    says where to go on.

    Attributes:
        sha256: of the whole content.
        size: bytes of the whole content.
        offset: where in it the piece begins.
        digest: sha256 of the piece.

    Raises:
        InvalidInputError: the piece or the content is not what its sha256 says.
    """

    name: str = named("name")
    id: str = named("id")
    attempt: str | None = attempt_key()
    sha256: str = content_digest("sha256", "The sha256 of the whole content, in hex")
    size: int = whole_number("size", "How many bytes the whole content has", MAX_FILE)
    offset: int = whole_number("offset", "Where in the content this piece begins", MAX_FILE)
    digest: str = content_digest("digest", "The sha256 of this piece, in hex")
    piece: bytes = raw(validator=_is_piece)


@verb(
    Operation(
        name="get_content",
        method="GET",
        path=f"{JOB}content/",
        role=Role.READ,
        summary="Read a file of an attempt, or part of it",
        problems=(416,),
    ),
    BYTES,
)
@frozen(kw_only=True)
class GetContent(Call[Piece]):
    """A file by its path, or a content of the attempt by its sha256: at most `PIECE` bytes of it.

    A server answers with as many as were asked for.
    """

    name: str = named("name")
    id: str = named("id")
    number: int | None = _which()
    path: str | None = file_path()
    sha256: str | None = content_digest("sha256", "The sha256 of the file, in the place of its path", default=None)
    within: Span = span()


@verb(
    Operation(
        name="append_log",
        method="PUT",
        path=f"{JOB}log/",
        role=Role.WORK,
        summary="Add a piece to the output of an attempt, and learn how much of it is kept",
        problems=(412,),
    ),
    one(Held, "Held"),
    request="Bytes",
)
@frozen(kw_only=True)
class AppendLog(Call[Held]):
    """A piece of all that an attempt printed; as `PutContent`, but there is no whole yet."""

    name: str = named("name")
    id: str = named("id")
    attempt: str | None = attempt_key()
    offset: int = whole_number("offset", "Where in the output this piece begins", MAX_FILE)
    digest: str = content_digest("digest", "The sha256 of this piece, in hex")
    piece: bytes = raw(validator=_is_piece)


@verb(
    Operation(
        name="get_log",
        method="GET",
        path=f"{JOB}log/",
        role=Role.READ,
        summary="Read the output of an attempt, or part of it",
        problems=(416,),
    ),
    BYTES,
)
@frozen(kw_only=True)
class GetLog(Call[Piece]):
    """What an attempt printed: at most `PIECE` bytes of it. Who follows asks again from where the answer ended.

    Raises:
        OutOfRangeError: it has no such bytes, or not yet.
    """

    name: str = named("name")
    id: str = named("id")
    number: int | None = _which()
    within: Span = span()
