"""A job's hyperparameters and results as its user has them in hand, beside those that are stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweepstake.client.keeping import Rest, divide, keep
from sweepstake.client.results import Results, check_size
from sweepstake.domain.records import Document, JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError, SweepstakeError
from sweepstake.values import EMPTY, JsonObject, fingerprint

__all__ = ["Edits"]


class Edits:
    """The values of a job as plain dicts, which are made when they are first asked for.

    Values that nobody asked for are as they were read.

    Args:
        record: the job as it is stored.
        folder: makes the folder in which an attempt's results are kept that cannot be recorded, and returns it.
    """

    __slots__ = ("_as_read", "_hyperparameters", "_record", "_results", "_shelf")

    def __init__(self, record: JobRecord, folder: Callable[[JobRecord], Path]) -> None:
        self._shelf = _Shelf(record, folder)
        self._hyperparameters: dict[str, Any] | None = None
        self._results: dict[str, Any] | None = None
        self._record = record
        self._as_read: bytes | None = None

    def rebase(self, record: JobRecord) -> None:
        """Compare with another record from now on; what is in hand stays."""
        self._record = self._shelf.record = record
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
            self._results = Results(self._record.results.decode(), self._shelf.refuse)
        return self._results

    @results.setter
    def results(self, value: dict[str, Any]) -> None:
        assigned = _assigned(value, "results")
        if isinstance(assigned, dict):
            try:
                check_size(assigned)
            except InvalidInputError as error:
                raise self._shelf.refuse("results", assigned, error) from None
        self._results = assigned

    def in_hand(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the values as far as somebody asked for them: hyperparameters and results."""
        return self._hyperparameters, self._results

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
        if self._as_read is not None and fingerprint(_still(self.hyperparameters)) == self._as_read:
            return results, None
        hyperparameters = self._inputs()
        return results, None if hyperparameters == self._record.hyperparameters else hyperparameters

    def salvage(self, error: InvalidInputError) -> tuple[JsonObject, InvalidInputError]:
        """Return those results that can be recorded, and the error with where the others are kept in files."""
        results: object = self._record.results.decode() if self._results is None else self._results
        kept, rest = divide(results) if isinstance(results, dict) else (EMPTY, [Rest("results", results)])
        return kept, self._shelf.keep(rest, error) if rest else error

    def _inputs(self) -> JsonObject:
        return _encoded(self._hyperparameters, self._record.hyperparameters, "hyperparameters")

    def _outputs(self) -> JsonObject:
        return _encoded(self._results, self._record.results, "results")


class _Shelf:
    """Where those results of a job are kept that cannot be recorded.

    Apart from `Edits`, because its results refer to this: neither then waits for the garbage collector.
    """

    __slots__ = ("_folder", "record")

    def __init__(self, record: JobRecord, folder: Callable[[JobRecord], Path]) -> None:
        self.record = record
        self._folder = folder

    def refuse(self, name: str, value: object, error: InvalidInputError) -> InvalidInputError:
        return self.keep([Rest(name, value)], error)

    def keep(self, rest: list[Rest], error: InvalidInputError) -> InvalidInputError:
        """Write what cannot be recorded into files, and return the error with a word on where."""
        try:
            paths = keep(self._folder(self.record), rest)
        except (OSError, SweepstakeError) as problem:
            where = f"what cannot be recorded could not be kept in a file either: {problem}"
        else:
            where = f"what cannot be recorded is kept in {paths[0] if len(paths) == 1 else paths[0].parent}"
        return InvalidInputError([*error.problems, ("", where)])


def _assigned(value: dict[str, Any], path: str) -> dict[str, Any]:
    """Return what is assigned, or refuse what is none, as of a function that forgot to return it."""
    if value is None:
        raise InvalidInputError.at(path, "must be an object (a dict), not None")
    return value


def _encoded(value: dict[str, Any] | None, stored: JsonObject, path: str) -> JsonObject:
    if value is None:
        return stored
    if isinstance(value, Results):
        value = dict(value)
    try:
        return JsonObject.of(value, path)
    except RuntimeError:  # another thread writes into it at this moment
        return JsonObject.of(_still(value), path)


def _still(value: Any) -> Any:
    """Return a copy that nobody writes into; each dict and each list is copied in one step of the interpreter."""
    if isinstance(value, dict):
        return {key: _still(each) for key, each in dict(value).items()}
    return [_still(each) for each in list(value)] if type(value) is list else value
