"""Files of attempts, and all of their output: kept beside the store, in a folder or at a URL that fsspec knows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sweepstake.errors import ConfigurationError, MissingExtraError, shown
from sweepstake.files.folder import FolderDrive
from sweepstake.files.shelf import Drive, Shelf
from sweepstake.stores.urls import SqliteUrl, parse_store_url

__all__ = ["Shelf", "open_shelf"]

_BESIDE: Final = "-files"


def open_shelf(url: str, store: str, where: str | None) -> Shelf:
    """Return where a store keeps files; nothing is made before something is kept.

    Args:
        url: of the store.
        store: which one it is, as `Engine.identity` says it.
        where: a folder, or a URL for fsspec; None: beside the file of the store, and nowhere for PostgreSQL.

    Raises:
        ConfigurationError: there can be nothing at this place.
        MissingExtraError: fsspec is not installed, or what it needs for this URL.
    """
    if where is None:
        place = parse_store_url(url)
        return Shelf(FolderDrive(_beside(place.path)) if isinstance(place, SqliteUrl) else None, store)
    return Shelf(_remote(where) if "://" in where else FolderDrive(Path(where).absolute()), store)


def _beside(file: Path) -> Path:
    whole = file.absolute()
    return whole.with_name(whole.name + _BESIDE)


def _remote(url: str) -> Drive:
    """Open a place that is no folder of this machine."""
    try:
        from sweepstake.files.remote import RemoteDrive

        return RemoteDrive(url)
    except ImportError as error:
        raise MissingExtraError.of(f"To keep files at {shown(url.partition('://')[0])} URLs", "files") from error
    except ValueError as error:
        raise ConfigurationError(f"files cannot be kept there: {error}") from None
