"""The signing key: made of a secret that is kept beside the store, and of a salt that is kept in it.

Whoever has the store alone, or a copy of it, can sign nothing. Another salt ends all that was signed before, on every
server of the store, whatever machine it runs on.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from attrs import field, frozen

from sweepstake.clock import Clock
from sweepstake.config import Config
from sweepstake.errors import ConfigurationError
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.access.tokens import set_signing_salt, signing_salt
from sweepstake.server.trust import Trusted
from sweepstake.stores.urls import SqliteUrl, parse_store_url

__all__ = ["MIN_SECRET", "SecretPlace", "SigningKey", "prepare", "rotate"]

#: The shortest secret that the environment may hold, in characters.
MIN_SECRET: Final = 32
_VARIABLE: Final = "SWEEPSTAKE_SIGNING_KEY"
_SECRET_BYTES: Final = 32
_MAX_FILE: Final = 4096
_PURPOSE: Final = "sweepstake signed tokens"


@frozen
class SecretPlace:
    """Where the secret is: in the environment, or in a file that only its owner can read.

    Attributes:
        path: the file; it is made when it is first needed.
        given: what the environment says instead.
    """

    path: Path
    given: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, store: str, config: Config) -> Self:
        """Return the place for a store: beside a SQLite file, else in the state folder.

        Raises:
            ConfigurationError: the secret in the environment is too short.
        """
        given = config.signing_key
        if given is not None and len(given) < MIN_SECRET:
            raise ConfigurationError(
                f"{_VARIABLE} must have {MIN_SECRET} characters or more; `openssl rand -hex 32` makes one"
            )
        place = parse_store_url(store)
        if isinstance(place, SqliteUrl):
            file = Path(os.path.realpath(place.path))
            return cls(file.with_name(f"{file.name}-key"), given)
        return cls(config.state / "signing-key", given)

    def secret(self) -> str:
        """Return the secret; it is made if there is none yet. Safe to race.

        Raises:
            ConfigurationError: the file cannot be read or made, or others could have read or written it.
        """
        if self.given is not None:
            return self.given
        try:
            found = self._read()
            while found is None:
                self._write(replace=False)
                found = self._read()
        except OSError as error:
            raise self._fault(f"cannot be read or made: {error.strerror}") from None
        return found

    def is_new(self) -> bool:
        """Tell whether the secret will be made when it is first asked for."""
        return self.given is None and not os.path.lexists(self.path)

    def replace(self) -> bool:
        """Put another secret into the file; False, and nothing is done, if the secret is in the environment."""
        if self.given is not None:
            return False
        try:
            self._read()  # a file that is not ours is not written over
            self._write(replace=True)
        except OSError as error:
            raise self._fault(f"cannot be written: {error.strerror}") from None
        return True

    def _read(self) -> str | None:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise self._fault("is no regular file")
            if status.st_uid not in self._owners():
                raise self._fault("belongs to another user")
            if status.st_mode & 0o077:
                raise self._fault(f"can be read by others (chmod 600 {self.path}, after making sure nobody did)")
            text = file.read(_MAX_FILE).strip()
        if len(text) < MIN_SECRET:
            raise self._fault("holds no key")
        return text

    def _owners(self) -> set[int]:
        """Return whose files are trusted: one's own, root's, and for root those of the folder's owner."""
        me = os.geteuid()
        return {me, 0} if me else {0, self.path.parent.stat().st_uid}

    def _write(self, *, replace: bool) -> None:
        """Put a new secret into the file, whole or not at all; one that is there stays unless it shall be replaced."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}-{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(_SECRET_BYTES) + "\n")
                file.flush()
                os.fsync(descriptor)
                if replace and os.geteuid() == 0:  # the server reads it as who it is
                    with contextlib.suppress(FileNotFoundError):
                        owner = self.path.lstat()
                        os.fchown(descriptor, owner.st_uid, owner.st_gid)
            if replace:
                draft.replace(self.path)
            else:
                with contextlib.suppress(FileExistsError):
                    _give_name(draft, self.path)
        finally:
            draft.unlink(missing_ok=True)

    def _fault(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"The file of the signing key, {self.path}, {what}. Mend or remove it, or put a key into {_VARIABLE}."
        )


def _give_name(draft: Path, path: Path) -> None:
    """Give a finished file its name, unless there is one of that name."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: whoever comes second wins, and all read again within seconds
        draft.replace(path)


class SigningKey:
    """The signing key. What was looked up counts for five seconds.

    Args:
        store: where the salt is kept.
        secret: returns the secret.
        clock: for how long a look-up counts.
    """

    def __init__(self, store: Store, secret: Callable[[], str], clock: Clock) -> None:
        self._store = store
        self._secret = secret
        self._known: Trusted[str, str] = Trusted(clock)

    def __call__(self) -> str:
        """Return the key."""
        key = self._known.get(_PURPOSE)
        if key is None:
            salt = signing_salt(self._store, _new_salt())
            key = hmac.digest(self._secret().encode(), f"{_PURPOSE}\0{salt}".encode(), "sha256").hex()
            self._known.put(_PURPOSE, key)
        return key


def prepare(store: Store, place: SecretPlace) -> bool:
    """Make sure that there is a secret before it is needed; tell whether one that this store had before is gone.

    Raises:
        ConfigurationError: it cannot be read or made.
    """
    new = place.is_new()
    place.secret()
    salt = _new_salt()
    return signing_salt(store, salt) != salt and new


def rotate(store: Store, place: SecretPlace) -> bool:
    """End all that was signed, on every server of the store; tell whether its secret was replaced as well."""
    replaced = place.replace()
    set_signing_salt(store, _new_salt())
    return replaced


def _new_salt() -> str:
    return secrets.token_hex(16)
