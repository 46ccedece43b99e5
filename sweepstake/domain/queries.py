"""Which jobs a listing asks for, and in what order."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from sweepstake.domain.names import check_text
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.errors import InvalidInputError, shown
from sweepstake.values import parse_json

__all__ = ["Condition", "JobQuery", "Order", "field_value"]

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION: Final = re.compile(
    r"\s*(?P<field>[^<>=!]+?)\s*(?P<operator><=|>=|!=|==|=|<|>)\s*(?P<value>.*?)\s*", re.DOTALL
)
_OWN_FIELDS: Final = ("id", "status", "priority", "attempt", "worker", "created_at", "started_at", "ended_at")
#: What text is hardly meant to hold: an operator at its beginning or between spaces, and more after `<` or `>`.
_UNCLEAR: Final = re.compile(r"^[<>=!]|\s[<>=!]=?\s")
_UNCLEAR_ORDER: Final = re.compile(r"^$|[<>=!]|\s(and|or)\s")
_MISSING: Final = object()


@frozen
class Condition:
    """A comparison of one field with a value, such as `results.accuracy >= 0.9`."""

    field: str
    operator: str
    value: Any

    @classmethod
    def parse(cls, text: str, path: str = "where") -> Condition:
        """Read `FIELD OPERATOR VALUE`; the value is JSON, or bare text.

        FIELD is `hyperparameters.NAME`, `results.NAME`, a field of the job itself (`status`, `priority`, `notes`,
        `attempt`, `worker`, `id`, `created_at`, `started_at`, `ended_at`), or a bare NAME looked for
        among the results first and the hyperparameters then; as in tables, `result.NAME` and `hyperparameter.NAME`
        say which.
        """
        field, comparison, value = _parts(text, path)
        try:
            return cls(field, comparison, parse_json(value))
        except InvalidInputError:
            return cls(field, comparison, value)

    @classmethod
    def written(cls, text: str, path: str = "where") -> Condition:
        """Read what a person wrote: as `parse`, but for slips of the pen, which no job would fulfil.

        Text that looks like more of a condition, such as the end of `a > 3 and b = 4`, is refused unless it is JSON,
        in double quotes.
        """
        condition, bare = cls.parse(text, path), _parts(text, path)[2]
        ordered = condition.operator not in ("=", "!=")
        if condition.value == bare and (_UNCLEAR.search(bare) or (ordered and _UNCLEAR_ORDER.search(bare))):
            raise InvalidInputError.at(
                path, f"{shown(text)} compares with {shown(bare)}; if that is text, put it in double quotes"
            )
        if condition.field == "status":
            member_of(JobStatus, condition.value, path)
        if condition.field == "tags":
            raise InvalidInputError.at(path, "tags are not compared: ask for one by `tag`, or say hyperparameters.tags")
        return condition

    def __str__(self) -> str:
        """Return the text that `parse` reads as this condition."""
        return f"{self.field}{self.operator}{json.dumps(self.value)}"

    def holds(self, job: JobRecord) -> bool:
        """Tell whether `job` has the field and it compares as asked.

        Values of different kinds (true is no number) are unequal, and none of them is the smaller.
        """
        found = field_value(job, self.field, _MISSING)
        if found is _MISSING:
            return False
        if isinstance(found, bool) is not isinstance(self.value, bool):
            return self.operator == "!="
        try:
            return bool(_OPERATORS[self.operator](found, self.value))
        except TypeError:
            return False


def _parts(text: str, path: str) -> tuple[str, str, str]:
    """Return the field, the operator and the value of a condition."""
    match = _CONDITION.fullmatch(check_text(text, path))
    if match is None:
        raise InvalidInputError.at(path, f"{shown(text)} is not FIELD OPERATOR VALUE, such as results.accuracy>=0.9")
    return match["field"], match["operator"].replace("==", "="), match["value"]


@frozen
class Order:
    """By which field a listing is sorted; jobs that lack it, or whose value is not a number or text, come last."""

    field: str
    descending: bool = False

    @classmethod
    def parse(cls, text: str, path: str = "order") -> Order:
        """Read `FIELD`, or `-FIELD` for descending."""
        name = check_text(text, path).removeprefix("-")
        if not name:
            raise InvalidInputError.at(path, "names no field; say for example -results.accuracy")
        return cls(name, text.startswith("-"))

    def key(self, job: JobRecord) -> tuple[int, float, tuple[int, ...], int]:
        """Return a sort key: numbers before text before everything else, ties by age."""
        value = field_value(job, self.field, None)
        if isinstance(value, (int, float)) and value == value:  # noqa: PLR0124 -- NaN has no place, and ints may be huge
            return (0, -value if self.descending else value, (), job.seq)
        if isinstance(value, str):
            characters = (*map(ord, value), -1)  # the end comes before every character
            return (1, 0.0, tuple(-c for c in characters) if self.descending else characters, job.seq)
        return (2, 0.0, (), job.seq)


@frozen(kw_only=True)
class JobQuery:
    """What a listing of jobs keeps; every condition must hold.

    Attributes:
        part: what the id begins or ends with.
    """

    status: frozenset[JobStatus] = frozenset()
    tag: str | None = None
    part: str | None = None
    where: tuple[Condition, ...] = ()
    order: Order | None = None

    def keeps(self, job: JobRecord) -> bool:
        """Tell whether `job` belongs to the listing."""
        return (
            (not self.status or job.status in self.status)
            and (self.tag is None or self.tag in job.tags)
            and (self.part is None or job.id.startswith(self.part) or job.id.endswith(self.part))
            and all(condition.holds(job) for condition in self.where)
        )


def field_value(job: JobRecord, name: str, default: Any) -> Any:
    """Return the field `name` of a job as `Condition.parse` describes it, or `default`."""
    if name in _OWN_FIELDS:
        value = getattr(job, name)
        return default if value is None else value
    head, dot, rest = name.partition(".")
    if dot and head == "results":
        return job.results.decode().get(rest, default)
    if dot and head == "hyperparameters":
        return job.hyperparameters.decode().get(rest, default)
    results, hyperparameters = job.results.decode(), job.hyperparameters.decode()
    for values, key in (
        (results, name),
        (hyperparameters, name),
        *([(results, rest)] if head == "result" else []),
        *([(hyperparameters, rest)] if head == "hyperparameter" else []),
    ):
        if key in values:
            return values[key]
    return job.notes if name == "notes" else default
