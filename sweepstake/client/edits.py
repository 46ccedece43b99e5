"""A job's hyperparameters and results as its user has them in hand, beside those that are stored."""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import define, field

from sweepstake.client.attempt.held import Held
from sweepstake.client.attempt.keeping import Rest, divide, keep
from sweepstake.client.results import Results, check_size
from sweepstake.domain.records import Document
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError, SweepstakeError
from sweepstake.values import EMPTY, JsonObject, fingerprint

__all__ = ["Edits"]


@define(eq=False)
class Edits:
    """The values of a job as plain dicts, which are made when they are first asked for.

    Values that nobody asked for are as they were read.
    """

    _held: Held
    #: What somebody asked for, by `setdefault`: two threads that ask at once get the same.
    _made: dict[str, dict[str, Any]] = field(factory=dict, init=False)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The job's inputs."""
        made = self._made.get("hyperparameters")
        if made is None:
            made = self._made.setdefault("hyperparameters", self._held.record.hyperparameters.decode())
        return made

    @hyperparameters.setter
    def hyperparameters(self, value: dict[str, Any]) -> None:
        self._made["hyperparameters"] = _assigned(value, "hyperparameters")

    @property
    def results(self) -> dict[str, Any]:
        """The job's final values."""
        made = self._made.get("results")
        if made is None:
            read = self._held.record.results.decode()
            made = self._made.setdefault("results", Results(read, partial(_refuse, self._held)))
        return made

    @results.setter
    def results(self, value: dict[str, Any]) -> None:
        assigned = _assigned(value, "results")
        if isinstance(assigned, dict):
            try:
                check_size(assigned)
            except InvalidInputError as error:
                raise _refuse(self._held, "results", assigned, error) from None
        self._made["results"] = assigned

    def in_hand(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the values as far as somebody asked for them: hyperparameters and results."""
        return self._made.get("hyperparameters"), self._made.get("results")

    def document(self, status: JobStatus) -> Document:
        """Return what a put writes.

        Raises:
            InvalidInputError: a value is not JSON; the error names its path.
        """
        record = self._held.record
        return Document(
            status=status,
            hyperparameters=self._encoded("hyperparameters", record.hyperparameters),
            results=self._encoded("results", record.results),
        )

    def report(self) -> tuple[JsonObject, JsonObject | None]:
        """Return the results, and the hyperparameters if they are not those that are stored.

        Raises:
            InvalidInputError: a value is not JSON; the error names its path.
        """
        record = self._held.record
        results = self._encoded("results", record.results)
        in_hand, stored = self._made.get("hyperparameters"), record.hyperparameters
        if in_hand is None:
            return results, None
        as_stored = fingerprint(stored.decode())
        if as_stored is not None and fingerprint(in_hand) == as_stored:
            return results, None
        hyperparameters = self._encoded("hyperparameters", stored)
        return results, None if hyperparameters == stored else hyperparameters

    def salvage(self, error: InvalidInputError) -> tuple[JsonObject, InvalidInputError]:
        """Return those results that can be recorded, and the error with where the others are kept in files."""
        results: object = self._made.get("results", self._held.record.results.decode())
        kept, rest = divide(results) if isinstance(results, dict) else (EMPTY, [Rest("results", results)])
        return kept, _keep(self._held, rest, error) if rest else error

    def _encoded(self, name: str, stored: JsonObject) -> JsonObject:
        made = self._made.get(name)
        if made is None:
            return stored
        return JsonObject.of(dict.copy(made) if type(made) is Results else made, name)


# Apart from `Edits`, to which the results do not refer: neither then waits for the garbage collector.


def _refuse(held: Held, name: str, value: object, error: InvalidInputError) -> InvalidInputError:
    return _keep(held, [Rest(name, value)], error)


def _keep(held: Held, rest: list[Rest], error: InvalidInputError) -> InvalidInputError:
    """Write results that cannot be recorded into files, and return the error with a word on where."""
    try:
        paths = keep(held.session.places.kept(held.record), rest)
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
