"""A job's hyperparameters and results as its user has them in hand, beside those that are stored."""

from __future__ import annotations

from typing import Any

from sweepstake.client.attempt.keeping import Rest, divide, keep
from sweepstake.client.results import Results, check_size
from sweepstake.client.session import Session
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
        session: knows the folder in which an attempt's results are kept that cannot be recorded.
    """

    __slots__ = ("_as_read", "_made", "_record", "_shelf")

    def __init__(self, record: JobRecord, session: Session) -> None:
        self._shelf = _Shelf(record, session)
        #: What somebody asked for, by `setdefault`: two threads that ask at once get the same.
        self._made: dict[str, dict[str, Any]] = {}
        self._record = record
        self._as_read: bytes | None = None

    def rebase(self, record: JobRecord) -> None:
        """Compare with another record from now on; what is in hand stays."""
        self._record = self._shelf.record = record
        self._as_read = None

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The job's inputs."""
        made = self._made.get("hyperparameters")
        if made is None:
            read = self._record.hyperparameters.decode()
            self._as_read = fingerprint(read)
            made = self._made.setdefault("hyperparameters", read)
        return made

    @hyperparameters.setter
    def hyperparameters(self, value: dict[str, Any]) -> None:
        self._made["hyperparameters"] = _assigned(value, "hyperparameters")

    @property
    def results(self) -> dict[str, Any]:
        """The job's final values."""
        made = self._made.get("results")
        if made is None:
            made = self._made.setdefault("results", Results(self._record.results.decode(), self._shelf.refuse))
        return made

    @results.setter
    def results(self, value: dict[str, Any]) -> None:
        assigned = _assigned(value, "results")
        if isinstance(assigned, dict):
            try:
                check_size(assigned)
            except InvalidInputError as error:
                raise self._shelf.refuse("results", assigned, error) from None
        self._made["results"] = assigned

    def in_hand(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the values as far as somebody asked for them: hyperparameters and results."""
        return self._made.get("hyperparameters"), self._made.get("results")

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
        in_hand = self._made.get("hyperparameters")
        if in_hand is None or (self._as_read is not None and fingerprint(in_hand) == self._as_read):
            return results, None
        hyperparameters = self._inputs()
        return results, None if hyperparameters == self._record.hyperparameters else hyperparameters

    def salvage(self, error: InvalidInputError) -> tuple[JsonObject, InvalidInputError]:
        """Return those results that can be recorded, and the error with where the others are kept in files."""
        results: object = self._made.get("results", self._record.results.decode())
        kept, rest = divide(results) if isinstance(results, dict) else (EMPTY, [Rest("results", results)])
        return kept, self._shelf.keep(rest, error) if rest else error

    def _inputs(self) -> JsonObject:
        return self._encoded("hyperparameters", self._record.hyperparameters)

    def _outputs(self) -> JsonObject:
        return self._encoded("results", self._record.results)

    def _encoded(self, name: str, stored: JsonObject) -> JsonObject:
        made = self._made.get(name)
        if made is None:
            return stored
        return JsonObject.of(dict.copy(made) if type(made) is Results else made, name)


class _Shelf:
    """Where those results of a job are kept that cannot be recorded.

    Apart from `Edits`, because its results refer to this: neither then waits for the garbage collector.
    """

    __slots__ = ("_session", "record")

    def __init__(self, record: JobRecord, session: Session) -> None:
        self.record = record
        self._session = session  # not its places: a copied session is not opened yet

    def refuse(self, name: str, value: object, error: InvalidInputError) -> InvalidInputError:
        return self.keep([Rest(name, value)], error)

    def keep(self, rest: list[Rest], error: InvalidInputError) -> InvalidInputError:
        """Write what cannot be recorded into files, and return the error with a word on where."""
        try:
            paths = keep(self._session.places.kept(self.record), rest)
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
