"""The name of a store on this machine: its URL, without secrets and in one spelling."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from sweepstake.folders import native

__all__ = ["address_of"]

#: What of a PostgreSQL URL's options says which database it is; any other may hold a secret.
_PLACES: Final = ("dbname", "host", "hostaddr", "port", "service", "user")


def address_of(url: str) -> str:
    """Return the URL of a store as it may be written to disk: no password, no token, a file by its absolute path.

    With the credentials that this machine has for it, the store can be reached by the address.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        file = native(os.path.expanduser(unquote(rest.removeprefix("/")))).resolve()  # noqa: PTH111 -- as it may be missing
        return f"sqlite:///{quote(os.fsencode(file))}"
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:  # it will be refused by whoever connects to it
        return scheme
    credentials, at, place = parts.netloc.rpartition("@")
    if scheme in ("http", "https"):
        path = parts.path.rstrip("/").removesuffix("/api/v1")
        return f"{scheme}://{place.lower()}{path}"
    user = credentials.partition(":")[0]
    kept = sorted((name, value) for name, value in options if name in _PLACES)
    query = f"?{urlencode(kept)}" if kept else ""
    return f"{scheme}://{user}{at}{place}{parts.path}{query}"
