"""Getting images: each at most once at a time on a host."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from sweepstake.errors import ConfigurationError, InvalidInputError
from sweepstake.folders import own_folder
from sweepstake.worker.containers.arguments import Engine, pull_call, there_call
from sweepstake.worker.containers.engines import answer, silence
from sweepstake.worker.locking import locked, opened
from sweepstake.worker.work import Preliminaries

__all__ = ["get_image"]

#: Seconds between two looks whether somebody else has got the image.
_LOOK: Final = 0.2


def get_image(engine: Engine, image: str, locks: Path, before: Preliminaries) -> str:
    """Get an image unless it is there, and return what the engine knows it by.

    Who pulls an image holds its lock; everybody else on the host waits for that, and looks again.

    Args:
        engine: which.
        image: its name.
        locks: the folder of locks of this user on this host.
        before: does what takes long.

    Raises:
        InvalidInputError: the image cannot be had.
        ConfigurationError: the engine does not answer.
        Interrupted: the attempt is to end.
    """
    kept = _file(engine, image)
    if _is_there(engine, image, kept):
        return _known_as(engine, image, kept)
    lock = own_folder(locks, "images") / hashlib.sha256(f"{engine.kind} {image}".encode()).hexdigest()[:32]
    with opened(lock) as descriptor:
        while not locked(descriptor):
            before.pause(_LOOK)
        if not _is_there(engine, image, kept):
            _pull(engine, image, kept, before)
    return _known_as(engine, image, kept)


def _pull(engine: Engine, image: str, kept: Path, before: Preliminaries) -> None:
    draft = kept.with_suffix(".part")
    if there_call(engine, image) is None:
        own_folder(engine.images)
        draft.unlink(missing_ok=True)
    call = pull_call(engine, image, draft)
    code = before.run(call.arguments, call.environment)
    if code != 0:
        if problem := silence(engine):
            raise ConfigurationError(f"{problem}; mend it, or use --no-container")
        raise InvalidInputError.at("image", f"{image!r} cannot be had: {engine.kind} pull ended with exit code {code}")
    if there_call(engine, image) is None:
        draft.replace(kept)


def _file(engine: Engine, image: str) -> Path:
    """Return the file of an image, for an engine that keeps them in files."""
    if image.startswith("/"):
        return Path(image)
    return engine.images / f"{hashlib.sha256(image.encode()).hexdigest()[:32]}.sif"


def _is_there(engine: Engine, image: str, kept: Path) -> bool:
    call = there_call(engine, image)
    return kept.exists() if call is None else answer(call).returncode == 0


def _known_as(engine: Engine, image: str, kept: Path) -> str:
    return image if there_call(engine, image) is not None else str(kept)
