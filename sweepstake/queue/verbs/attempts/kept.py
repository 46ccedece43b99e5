"""What attempts leave: who may write it, and which attempt is meant."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import evolve, frozen

from sweepstake.domain.files import MAX_FILE, Held, Manifest, Piece, check_path, check_paths, superfluous
from sweepstake.domain.keys import is_name
from sweepstake.domain.status import Outcome
from sweepstake.errors import (
    InvalidInputError,
    NotFoundError,
    StoreUnavailableError,
    UnsafeUpdateError,
    UnusableFolderError,
)
from sweepstake.files.shelf import Place, job_name
from sweepstake.queue.calls import AppendLog, AskFiles, GetContent, GetLog, KeepFiles, ListFiles, PutContent
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.jobs import read_job

__all__: list[str] = []

_logger = logging.getLogger(__name__)


@frozen
class _Attempts:
    """The attempts of a job: where they are kept, and how each ended, by number."""

    place: Place
    outcomes: dict[int, str | None]
    keys: dict[str, int]

    @property
    def done(self) -> int | None:
        """The number of the one that ended DONE."""
        return next((number for number, outcome in self.outcomes.items() if outcome == Outcome.DONE), None)

    def at(self, number: int) -> Place:
        """Return where one of them is kept."""
        if number not in self.outcomes:
            raise NotFoundError(f"There is no attempt {number}.")
        return Place(self.place.address, self.place.job, number)


def _attempts(store: Store, name: str, job_id: str) -> _Attempts:
    address = store.at(name, job_id)
    with store.read() as transaction:
        job = read_job(transaction, address, experiment_id(transaction, address), job_id)
        found = transaction.rows("attempt_outcomes", seq=job.seq)
    return _Attempts(
        Place(address, job_name(job.seq, job.created_at)),
        {number: outcome for number, _, _, outcome in found},
        {f"{key} {lease is not None}": number for number, key, lease, _ in found},
    )


def _asked(store: Store, name: str, job_id: str, attempt: int | None) -> Place:
    """Return where the attempt is kept that is meant."""
    found = _attempts(store, name, job_id)
    if attempt is None:
        kept = store.files.attempts(found.place)
        attempt = found.done or max((each for each in kept if each in found.outcomes), default=None)
        attempt = attempt or max(found.outcomes, default=None)
    if attempt is None:
        raise NotFoundError(f"The job {job_id!r} has no attempt yet.")
    return found.at(attempt)


def _written(store: Store, name: str, job_id: str, key: str | None) -> tuple[Place, _Attempts]:
    """Return where the attempt is kept that somebody writes whose key this is.

    Raises:
        InvalidInputError: there is no key.
        NotFoundError: no attempt of the job has it.
    """
    if key is None:
        raise InvalidInputError.at("Sweepstake-Attempt", "is missing; what is kept of an attempt needs its key")
    found = _attempts(store, name, job_id)
    with store.read() as transaction:
        kept = store.known(transaction, key)
    # The holder of an attempt without a lease says its name, as there is no other key.
    number = found.keys.get(f"{key} {False}" if is_name(key) else f"{kept} {True}", 0)
    number = number or found.keys.get(f"{kept} {False}", 0)
    if not number:
        raise NotFoundError(f"No attempt of the job {job_id!r} has this key.")
    return found.at(number), found


def _check_open(found: _Attempts, place: Place) -> None:
    if found.outcomes[place.attempt] == Outcome.DONE:
        raise UnsafeUpdateError(f"Attempt {place.attempt} is DONE, so what is kept of it does not change any more.")


@contextmanager
def _disk(store: Store) -> Iterator[None]:
    """Tell a client of a server that its disk is full as what may be over soon; the log of the server says why."""
    try:
        yield
    except UnusableFolderError as error:
        if not store.serving:
            raise
        _logger.error("%s", error)  # noqa: TRY400 -- it says all
        raise StoreUnavailableError(str(error), 10.0) from error


@performs(AskFiles)
def ask(store: Store, call: AskFiles) -> None:
    """Return if files can be kept."""
    with store.read() as transaction:
        experiment_id(transaction, store.at(call.name))
    store.files.check()


@performs(ListFiles)
def manifest(store: Store, call: ListFiles) -> Manifest:
    """Return what is kept of an attempt."""
    with _disk(store):
        return store.files.manifest(_asked(store, call.name, call.id, call.number))


@performs(KeepFiles)
def keep(store: Store, call: KeepFiles) -> Manifest:
    """State which files an attempt has, and let go of those of attempts long before."""
    check_paths(call.files, "files")
    place, found = _written(store, call.name, call.id, call.attempt)
    with _disk(store):
        kept = store.files.manifest(place)
        if tuple(sorted(call.files, key=lambda each: each.path)) != kept.files:
            _check_open(found, place)
            kept = store.files.list(place, call.files, kept)
        gone = superfluous(kept.attempts, place.attempt, found.done, call.keep)
        for number in gone:
            store.files.drop(Place(place.address, place.job, number))
        return evolve(kept, attempts=tuple(each for each in kept.attempts if each not in gone))


@performs(PutContent)
def put(store: Store, call: PutContent) -> Held:
    """Keep a piece of a content."""
    _check_digest(call.piece, call.digest)
    place, found = _written(store, call.name, call.id, call.attempt)
    with _disk(store):
        held = store.files.held(place, call.sha256, call.size)
        if held < call.size or call.size == 0:
            if call.piece or call.size == 0:
                _check_open(found, place)
            held = store.files.put(place, call.sha256, call.size, call.offset, call.piece)
    return Held(held)


@performs(GetContent)
def get(store: Store, call: GetContent) -> Piece:
    """Return part of a file."""
    if (call.path is None) == (call.sha256 is None):
        raise InvalidInputError.at("path", "say either the path of a file or its sha256")
    with _disk(store):
        place = _asked(store, call.name, call.id, call.number)
        digest = call.sha256
        if call.path is not None:
            path = check_path(call.path, "path")
            files = store.files.manifest(place).files
            digest = next((each.sha256 for each in files if each.path == path), None)
        if digest is None:
            raise NotFoundError(f"Attempt {place.attempt} has no file {call.path!r}.")
        return store.files.read(place, digest, call.within)


@performs(AppendLog)
def append(store: Store, call: AppendLog) -> Held:
    """Keep a piece of an output."""
    _check_digest(call.piece, call.digest)
    place, found = _written(store, call.name, call.id, call.attempt)
    with _disk(store):
        size = store.files.log_size(place)
        if call.offset <= size < call.offset + len(call.piece):
            _check_open(found, place)
            if call.offset + len(call.piece) > MAX_FILE:
                raise InvalidInputError.at("offset", f"an output has at most {MAX_FILE:,} bytes")
            size = store.files.append(place, call.offset, call.piece)
    return Held(size)


@performs(GetLog)
def log(store: Store, call: GetLog) -> Piece:
    """Return part of an output."""
    with _disk(store):
        return store.files.log(_asked(store, call.name, call.id, call.number), call.within)


def _check_digest(piece: bytes, digest: str) -> None:
    if hashlib.sha256(piece).hexdigest() != digest:
        raise InvalidInputError.at("digest", "is not that of the piece, which did not arrive as it was sent")
