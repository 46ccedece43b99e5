"""Store URLs: which database, and where."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import field, frozen

from sweepstake.errors import ConfigurationError
from sweepstake.folders import native
from sweepstake.plaintext import without_password

__all__ = ["PostgresUrl", "SqliteUrl", "parse_store_url"]

_FORMS: Final = "sqlite:///relative/path, sqlite:////absolute/path or postgresql://user@host/database"

#: libpq ends a password at the first `@`, `/`, `?` or `#`, and takes what follows for the host, which errors then name.
_UNESCAPED: Final = (
    "The store's URL cannot be read: write the user's name and password in it percent-encoded "
    "(%40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %), and the port as a number."
)
#: A user and a password, and hosts with their ports.
_NAME: Final = r"(?:[^:@/?#%,]|%[0-9a-fA-F]{2})*"
_REST: Final = r"(?:[^@/?#%]|%[0-9a-fA-F]{2})*"
_HOST: Final = rf"(?:\[[0-9a-fA-F:.%]*\]|{_NAME})(?::[0-9]*)?"
_NETLOC: Final = re.compile(rf"(?:{_NAME}(?::{_REST})?@)?{_HOST}(?:,{_HOST})*")


@frozen
class SqliteUrl:
    """A SQLite file."""

    path: Path


@frozen
class PostgresUrl:
    """A PostgreSQL database.

    Attributes:
        conninfo: the URL for libpq; it may hold a password.
        prepare: whether statements may be prepared; not so behind a pgbouncer that shares connections.
    """

    conninfo: str = field(repr=False)
    prepare: bool = True


def parse_store_url(url: str) -> SqliteUrl | PostgresUrl:
    """Read a store's URL.

    Raises:
        ConfigurationError: it is no URL of a store; the message never holds a password.
    """
    scheme, colon, _ = url.partition(":")
    if colon and scheme == "sqlite":
        return _sqlite(url)
    if colon and scheme in ("postgresql", "postgres"):
        return _postgres(url)
    shown = scheme if colon else "without a scheme"
    raise ConfigurationError(f"The store's URL ({shown}) is not one that is known; write {_FORMS}.")


def _sqlite(url: str) -> SqliteUrl:
    rest = url.removeprefix("sqlite:")
    path = unquote(rest.removeprefix("///"))
    if not rest.startswith("///") or not path or path.endswith("/") or "\0" in path:
        raise ConfigurationError(
            f"{without_password(url)!r} names no file; write sqlite:///relative/path or sqlite:////absolute/path."
        )
    if "?" in rest:
        raise ConfigurationError(f"{url!r}: a sqlite URL has no options; write %3F for a question mark in the path.")
    file = native(os.path.expanduser(path))  # noqa: PTH111 -- pathlib raises where there is no home
    if file.name in ("", "..", ":memory:"):
        raise ConfigurationError(
            f"{url!r} names no file that several processes can open; write a path, such as {_FORMS}."
        )
    return SqliteUrl(file)


def _postgres(url: str) -> PostgresUrl:
    place, _, query = url.partition("?")
    try:
        url.encode()
        if not _NETLOC.fullmatch(urlsplit(url).netloc) or "@" in place.partition("://")[2].partition("/")[2]:
            raise ConfigurationError(_UNESCAPED)
        options = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigurationError(f"The store's URL cannot be read; write {_FORMS}.") from None
    prepare = dict(options).get("prepare", "on")
    if prepare not in ("on", "off"):
        raise ConfigurationError(
            f"The store's URL has prepare={prepare}; write prepare=off behind pgbouncer, else nothing."
        )
    query = "&".join(option for option in query.split("&") if option.partition("=")[0] != "prepare")
    return PostgresUrl(f"{place}?{query}" if query else place, prepare == "on")
