"""One report in the spool, as a record and as the text of its file."""

from __future__ import annotations

import json
from typing import Final

from attrs import evolve, frozen

from sweepstake.codec import from_answer, to_tree
from sweepstake.domain.drafts import Finish
from sweepstake.errors import (
    AuthenticationError,
    ClientRequestError,
    InvalidInputError,
    ReauthenticateError,
    SweepstakeError,
)
from sweepstake.values import EMPTY, JsonObject, parse_json

__all__ = ["CREDENTIALS", "Entry"]

#: The form of the files; a newer one is not guessed at.
_VERSION: Final = 1
#: What a store answers to credentials that it does not take; others might do.
CREDENTIALS: Final = (AuthenticationError, ReauthenticateError)


@frozen(kw_only=True)
class Entry:
    """The report at the end of an attempt, which its store has not acknowledged yet.

    Attributes:
        key: op key of the report: delivered once or many times, it is recorded once. It names the entry.
        store: address of the store, without secrets.
        experiment: what it is called.
        address: under which the store keeps it; empty in an entry of an older version.
        job: id of the job.
        hyperparameters: the job's, for people who want to know what the results belong to.
        report: attempt, outcome, results, reason and so on, as the worker would have sent them.
        written_at: Unix time in seconds at which the report first failed.
        last_error: why it was not delivered the last time.
        undeliverable: why no further try can help, such as a deleted job; None while there is hope.
        judged: the store itself has said so. Older versions took a proxy's words for it, so theirs is tried again.
        identity: which store it is meant for; None if that did not say, or an older version has written the entry.
    """

    version: int = _VERSION
    key: str
    store: str
    experiment: str
    address: str = ""
    job: str
    hyperparameters: JsonObject = EMPTY
    written_at: float
    report: Finish
    last_error: str = ""
    undeliverable: str | None = None
    judged: bool = False
    identity: str | None = None

    @property
    def hopeless(self) -> bool:
        """Whether no further try can help."""
        return self.judged and self.undeliverable is not None

    def refused(self, error: SweepstakeError) -> Entry:
        """Return the entry after a try that ended so.

        A report that the store refuses is never taken, unless other credentials, or a mended store, might do.
        """
        judged = isinstance(error, ClientRequestError) and not isinstance(error, CREDENTIALS)
        return evolve(self, last_error=str(error), undeliverable=str(error) if judged else None, judged=judged)

    def text(self) -> str:
        """Return the entry as JSON for its file."""
        return json.dumps(to_tree(self), indent=2) + "\n"

    @classmethod
    def of_text(cls, text: str | bytes) -> Entry:
        """Read what `text` wrote.

        Raises:
            InvalidInputError: it is no entry, or one of a newer version.
        """
        entry = from_answer(parse_json(text, "entry"), Entry)
        if entry.version > _VERSION:
            raise InvalidInputError.at("version", f"is {entry.version}; update sweepstake to read it")
        return entry
