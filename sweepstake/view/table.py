"""Experiments and jobs as rows and columns, as Schedy's command line has them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.domain.vocabulary import HEADINGS, queueing_of
from sweepstake.errors import InvalidInputError
from sweepstake.values import revived

__all__ = [
    "HYPERPARAMETER",
    "OWN",
    "QUEUEING",
    "RESULT",
    "SEARCH",
    "Column",
    "Table",
    "experiment_table",
    "job_table",
]

#: The categories of columns: what the thing itself is, its inputs, its results, what the queue knows of it, and how a
#: population is trained, which Schedy's lists leave out.
OWN: Final = "sweepstake"
HYPERPARAMETER: Final = "hyperparameter"
RESULT: Final = "result"
QUEUEING: Final = "queueing"
SEARCH: Final = "search"
#: What else a category may be called: as in conditions, and as Schedy does.
_CATEGORIES: Final = {"hyperparameters": HYPERPARAMETER, "results": RESULT, "schedy": OWN}
#: What Schedy calls the parameters of population based training, and what we do.
_PBT: Final = {
    "objective": "direction",
    "qualityResultName": "result",
    "numParallel": "population",
    "maxGenerations": "max_generations",
    "exploit": "exploit",
}


@frozen
class Column:
    """A named column; the category tells columns of one name apart."""

    category: str
    name: str

    @property
    def full_name(self) -> str:
        """The name that no other column has, such as `result.accuracy`."""
        return f"{self.category}.{self.name}"


@frozen
class Table:
    """Rows of values under columns; a value that a row lacks is None."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, rows: Iterable[Mapping[Column, Any]]) -> Table:
        """Make a table whose columns stand in the order of their first appearance."""
        kept = list(rows)
        columns = tuple(dict.fromkeys(column for row in kept for column in row))
        return cls(columns, tuple(tuple(row.get(column) for column in columns) for row in kept))

    def labels(self) -> tuple[str, ...]:
        """Return what to write above each column: its name, with the category where the name is ambiguous."""
        taken: dict[str, int] = {}
        for column in self.columns:
            for name in {column.name, column.full_name}:
                taken[name] = taken.get(name, 0) + 1
        return tuple(column.name if taken[column.name] == 1 else column.full_name for column in self.columns)

    def sorted_by(self, fields: Sequence[str], *, decreasing: bool = False) -> Table:
        """Return the table sorted by the first field, then the next; rows that lack a field come last either way.

        Raises:
            InvalidInputError: a field is not there, or ambiguous.
        """
        indices = [self._index(field) for field in fields]
        rows = list(self.rows)
        for index in reversed(indices):
            present = [row for row in rows if not _missing(row[index])]
            absent = [row for row in rows if _missing(row[index])]
            present.sort(key=lambda row: _sort_key(row[index]), reverse=decreasing)
            rows = present + absent
        return Table(self.columns, tuple(rows))

    def only(self, fields: Sequence[str]) -> Table:
        """Return the columns of these fields, in their order.

        Raises:
            InvalidInputError: a field is not there, or ambiguous.
        """
        return self._take([self._index(field) for field in fields])

    def of_categories(self, *categories: str) -> Table:
        """Return the columns of these categories."""
        return self._take([i for i, column in enumerate(self.columns) if column.category in categories])

    def without_empty(self) -> Table:
        """Return the columns in which at least one row has a value."""
        return self._take([i for i in range(len(self.columns)) if any(row[i] is not None for row in self.rows)])

    def with_last(self, *names: str) -> Table:
        """Return the table with the columns of these names at its end, in this order; those it lacks are left out."""
        ends = {name: i for i, column in enumerate(self.columns) if (name := column.name) in names}
        rest = [i for i in range(len(self.columns)) if i not in ends.values()]
        return self._take([*rest, *(ends[name] for name in names if name in ends)])

    def most_telling_first(self, favourite: str | None = None) -> Table:
        """Return the columns in the order in which they tell rows apart.

        First what a thing is, then its result of the name `favourite`, then what differs from row to row, then what is
        the same in all of them.
        """

        def rank(i: int) -> int:
            column = self.columns[i]
            if column.category == OWN:
                return 0
            if column.category == RESULT and column.name == favourite:
                return 1
            values = [row[i] for row in self.rows]
            return 3 if len(values) > 1 and all(value == values[0] for value in values) else 2

        return self._take(sorted(range(len(self.columns)), key=rank))

    def mapped(self, texts: Callable[[Column, Any], Any]) -> Table:
        """Return the table with each value, None apart, as the function writes it."""
        return Table(
            self.columns,
            tuple(
                tuple(
                    None if value is None else texts(column, value)
                    for column, value in zip(self.columns, row, strict=True)
                )
                for row in self.rows
            ),
        )

    def records(self) -> list[dict[str, Any]]:
        """Return each row as a dict by label."""
        labels = self.labels()
        return [dict(zip(labels, row, strict=True)) for row in self.rows]

    def _take(self, indices: Sequence[int]) -> Table:
        columns = tuple(self.columns[i] for i in indices)
        return Table(columns, tuple(tuple(row[i] for i in indices) for row in self.rows))

    def _index(self, field: str) -> int:
        category, _, rest = field.partition(".")
        name = f"{_CATEGORIES[category]}.{rest}" if category in _CATEGORIES else field
        for i, column in enumerate(self.columns):
            if column.full_name == name:
                return i
        found = [i for i, column in enumerate(self.columns) if column.name == field]
        found = [i for i in found if self.columns[i].category != QUEUEING] or found
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(self.columns[i].full_name for i in found)
            raise InvalidInputError.at("", f"the field {field!r} is ambiguous; say {choices}")
        choices = ", ".join(self.labels()) or "none: there are no rows"
        raise InvalidInputError.at("", f"there is no field {field!r}; the fields are {choices}")


def experiment_table(experiments: Iterable[ExperimentRecord]) -> Table:
    """Make a row of each experiment: name, status, search, and what the search draws each hyperparameter from."""
    return Table.of(_experiment_row(record) for record in experiments)


def job_table(jobs: Iterable[JobRecord]) -> Table:
    """Make a row of each job: id, status, hyperparameters, results, and what the queue knows (category QUEUEING).

    Times are Unix times; `duration` is that of the last attempt that ended, in seconds.
    """
    return Table.of(_job_row(record) for record in jobs)


def _experiment_row(record: ExperimentRecord) -> dict[Column, Any]:
    row: dict[Column, Any] = {
        Column(OWN, "name"): record.name,
        Column(OWN, "status"): record.status.value,
        Column(OWN, "scheduler"): record.search.kind,
    }
    params = revived(json.loads(record.search.params)) or {}
    if record.search.kind == "PBT":
        row.update({Column(SEARCH, name): _written(params[word]) for word, name in _PBT.items() if word in params})
        row.update(
            {Column(SEARCH, f"explore.{name}"): _written(value) for name, value in params.get("explore", {}).items()}
        )
        row.update({Column(SEARCH, name): _written(value) for name, value in params.get("init", {}).items()})
        params = {}
    for name, value in params.items():
        text = f"grid ({json.dumps(value)})" if record.search.kind == "Grid" else _written(value)
        row[Column(HYPERPARAMETER, name)] = text
    return row


def _written(parameter: Any) -> Any:
    """Write `{"uniform": {"low": 0, "high": 1}}` as `uniform ({"low": 0, "high": 1})`."""
    if not isinstance(parameter, dict):
        return parameter
    return ", ".join(f"{kind} ({json.dumps(arguments)})" for kind, arguments in parameter.items())


def _job_row(record: JobRecord) -> dict[Column, Any]:
    row: dict[Column, Any] = {Column(OWN, "id"): record.id, Column(OWN, "status"): record.status.value}
    row.update({Column(HYPERPARAMETER, name): value for name, value in record.hyperparameters.decode().items()})
    row.update({Column(RESULT, name): value for name, value in record.results.decode().items()})
    said = {name: _said(value) for name, value in queueing_of(record).items()}
    row.update({Column(QUEUEING, name): said.get(name, getattr(record, name)) for name in HEADINGS})
    row[Column(QUEUEING, "duration")] = _duration(record)
    return row


def _said(value: Any) -> Any:
    """Return a value of a job's queueing as a table has it: no labels and no text are None."""
    return (", ".join(value) if isinstance(value, tuple) else value) if value not in ((), "") else None


def _duration(record: JobRecord) -> float | None:
    if record.started_at is None or record.ended_at is None:
        return None
    return max(record.ended_at - record.started_at, 0.0)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _sort_key(value: Any) -> tuple[int, Any]:
    """Order values of every kind: numbers, then text, then lists and objects by their JSON."""
    if isinstance(value, (int, float)):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    return (2, json.dumps(value, sort_keys=True))
