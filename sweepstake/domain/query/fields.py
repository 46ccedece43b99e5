"""What a field of a job is called, and what it holds."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from sweepstake.domain.records import JobRecord
from sweepstake.slices import SLICE, let_go

__all__ = ["KNOWN_FIELDS", "OWN_FIELDS", "TEXT_FIELDS", "Fields"]

#: Fields of the job itself that are compared as text, whatever they look like.
TEXT_FIELDS: Final = ("id", "status", "worker")
#: Fields of the job itself, which come before results and hyperparameters of the same name.
OWN_FIELDS: Final = (*TEXT_FIELDS, "priority", "attempt", "created_at", "started_at", "ended_at")
#: All fields of the job itself; notes come behind results and hyperparameters of the same name.
KNOWN_FIELDS: Final = (*OWN_FIELDS, "notes")
_MISSING: Final = object()


class Fields:
    """The fields of one job by name; its values are decoded when they are first asked for, and once."""

    def __init__(self, job: JobRecord) -> None:
        self._job = job

    @cached_property
    def results(self) -> dict[str, Any]:
        """The job's results."""
        return self._job.results.decode()

    @cached_property
    def hyperparameters(self) -> dict[str, Any]:
        """The job's hyperparameters."""
        return self._job.hyperparameters.decode()

    def let_go(self) -> None:
        """Free what was decoded, slice by slice if it is large; nothing that `get` returned may be used after that."""
        for name, values in (("results", self._job.results), ("hyperparameters", self._job.hyperparameters)):
            decoded = self.__dict__.pop(name, None)
            if len(values.text) > SLICE:
                let_go(decoded)

    def get(self, name: str, default: Any) -> Any:
        """Return the field `name` as `Condition.parse` describes it, or `default`."""
        if name in OWN_FIELDS:
            value = getattr(self._job, name)
            return default if value is None else value
        head, _, rest = name.partition(".")
        if rest and head == "results":
            return _within(self.results, rest, default)
        if rest and head == "hyperparameters":
            return _within(self.hyperparameters, rest, default)
        found = self._bare(name, head, rest)
        if found is not _MISSING:
            return found
        return self._job.notes if name == "notes" else default

    def _bare(self, name: str, head: str, rest: str) -> Any:
        """Look for a name that stands there as it is, and only then for one that leads into objects."""
        if name in self.results:
            return self.results[name]
        if name in self.hyperparameters:
            return self.hyperparameters[name]
        if not rest:
            return _MISSING
        if head in ("result", "hyperparameter"):
            found = _within(self.results if head == "result" else self.hyperparameters, rest, _MISSING)
            if found is not _MISSING:
                return found
        found = _within(self.results, name, _MISSING)
        return _within(self.hyperparameters, name, _MISSING) if found is _MISSING else found


def _within(values: dict[str, Any], name: str, default: Any) -> Any:
    """Return a value by its name, or by the names that lead to it with dots between; the longest that is there counts.

    It looks at each key on its way once, so that a long name costs no more than its job does.
    """
    while name not in values:
        into = ""
        for key, value in values.items():
            if type(value) is dict and len(key) >= len(into) and name.startswith(f"{key}."):
                into = key
        if not name.startswith(f"{into}.") or type(values.get(into)) is not dict:
            return default
        values, name = values[into], name[len(into) + 1 :]
    return values[name]
