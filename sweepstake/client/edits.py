"""A job's hyperparameters and results as its user has them in hand, beside those that are stored."""

from __future__ import annotations

from typing import Any

from sweepstake.domain.records import Document, JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError
from sweepstake.values import EMPTY, JsonObject, fingerprint

__all__ = ["Edits"]


class Edits:
    """The values of a job as plain dicts, which are made when they are first asked for.

    Values that nobody asked for are as they were read.
    """

    __slots__ = ("_as_read", "_hyperparameters", "_record", "_results")

    def __init__(self, record: JobRecord) -> None:
        self._hyperparameters: dict[str, Any] | None = None
        self._results: dict[str, Any] | None = None
        self._record = record
        self._as_read: bytes | None = None

    def rebase(self, record: JobRecord) -> None:
        """Compare with another record from now on; what is in hand stays."""
        self._record = record
        self._as_read = None

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The job's inputs."""
        if self._hyperparameters is None:
            self._hyperparameters = self._record.hyperparameters.decode()
            self._as_read = fingerprint(self._hyperparameters)
        return self._hyperparameters

    @hyperparameters.setter
    def hyperparameters(self, value: dict[str, Any]) -> None:
        self._hyperparameters = _assigned(value, "hyperparameters")

    @property
    def results(self) -> dict[str, Any]:
        """The job's final values."""
        if self._results is None:
            self._results = self._record.results.decode()
        return self._results

    @results.setter
    def results(self, value: dict[str, Any]) -> None:
        self._results = _assigned(value, "results")

    def document(self, status: JobStatus) -> Document:
        """Return what a put writes.

        Raises:
            InvalidInputError: a value is not JSON; the error names its path.
        """
        return Document(status=status, hyperparameters=self._inputs(), results=self._outputs())

    def report(self) -> tuple[JsonObject, JsonObject | None]:
        """Return the results, and the hyperparameters if they are not those that are stored.

        Raises:
            InvalidInputError: a value is not JSON; the error names its path.
        """
        results = self._outputs()
        if self._as_read is not None and fingerprint(self.hyperparameters) == self._as_read:
            return results, None
        hyperparameters = self._inputs()
        return results, None if hyperparameters == self._record.hyperparameters else hyperparameters

    def salvage(self) -> JsonObject:
        """Return those results that JSON can hold, when some cannot."""
        kept = {}
        results: object = self._record.results.decode() if self._results is None else self._results
        for name, value in results.items() if isinstance(results, dict) else ():
            try:
                JsonObject.of({name: value})
            except InvalidInputError:
                continue
            kept[name] = value
        try:
            return JsonObject.of(kept)
        except InvalidInputError:  # each fits, all together do not
            return EMPTY

    def _inputs(self) -> JsonObject:
        return _encoded(self._hyperparameters, self._record.hyperparameters, "hyperparameters")

    def _outputs(self) -> JsonObject:
        return _encoded(self._results, self._record.results, "results")


def _assigned(value: dict[str, Any], path: str) -> dict[str, Any]:
    """Return what is assigned, or refuse what is none, as of a function that forgot to return it."""
    if value is None:
        raise InvalidInputError.at(path, "must be an object (a dict), not None")
    return value


def _encoded(value: dict[str, Any] | None, stored: JsonObject, path: str) -> JsonObject:
    return stored if value is None else JsonObject.of(value, path)
