"""Which jobs a listing asks for, and in what order."""

from __future__ import annotations

import json
import operator
from collections import Counter
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from attrs import frozen

from sweepstake.domain.names import check_text
from sweepstake.domain.query.fields import OWN_FIELDS, TEXT_FIELDS, Fields
from sweepstake.domain.query.literals import NotALiteralError, read_literal
from sweepstake.domain.records import JobRecord, Unranked
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.errors import InvalidInputError, shown
from sweepstake.values import EMPTY

__all__ = ["Condition", "JobQuery", "Order", "Parts"]

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS: Final = "<>=!"
#: What stands between two conditions, or in arithmetic, but hardly in a word that somebody wrote without quotes.
_BETWEEN: Final = " \t\r\n&|,;"
_DIRECTIONS: Final = {"desc": "-", "descending": "-", "asc": "", "ascending": ""}
_MISSING: Final = object()
_RANKED: Final = "ranked"
#: How many jobs, and characters of theirs, are held beside the first ones of an order before these are chosen anew.
_CHOSEN_AT_ONCE: Final = 1000
_HELD_TEXT: Final = 8 * 1024 * 1024


class Parts(NamedTuple):
    """The text of a condition taken apart, whatever it means."""

    field: str
    operator: str
    value: str

    @classmethod
    def of(cls, text: str, path: str = "where") -> Parts:
        """Split `FIELD OPERATOR VALUE` at its first operator, in one pass."""
        check_text(text, path)
        at = min((found for found in map(text.find, _SIGNS) if found >= 0), default=0)
        sign = text[at : at + 2] if text[at + 1 : at + 2] == "=" else text[at : at + 1]
        if not at or sign == "!":
            raise InvalidInputError.at(
                path, f"{shown(text)} is not FIELD OPERATOR VALUE, such as results.accuracy>=0.9"
            )
        return cls(text[:at].strip(), "=" if sign == "==" else sign, text[at + len(sign) :].strip())


@frozen
class Condition:
    """A comparison of one field with a value, such as `results.accuracy >= 0.9`."""

    field: str
    operator: str
    value: Any

    @classmethod
    def parse(cls, text: str, path: str = "where") -> Condition:
        """Read `FIELD OPERATOR VALUE`, or say what is unclear about it.

        FIELD is `hyperparameters.NAME`, `results.NAME`, a field of the job itself (`status`, `priority`, `notes`,
        `attempt`, `worker`, `id`, `created_at`, `started_at`, `ended_at`), or a bare NAME looked for
        among the results first and the hyperparameters then; as in tables, `result.NAME` and `hyperparameter.NAME`
        say which. Where no value is called `a.b`, it is the `b` of the object `a`.

        OPERATOR is `=` or `==`, `!=`, `<`, `<=`, `>` or `>=`. `= nan` holds for what is not a number.

        VALUE is written as in JSON or Python: `.5`, `1e-4`, `inf`, `True` or `true`, `None` or `null`, `"text"` or
        `'text'`, `[1, 2]`. After `=` and `!=` it may be a bare word, such as `adam`; the fields `id`, `status`,
        `worker` and `notes` are compared with bare words by every operator.

        Raises:
            InvalidInputError: it has another form, or no job could fulfil it as it stands.
        """
        field, comparison, bare = Parts.of(text, path)
        _check_field(field, text, path)
        try:
            value = read_literal(bare)
        except NotALiteralError as error:
            doubt = _doubt(field, bare, str(error), ordered=comparison not in ("=", "!="))
            if doubt:
                raise InvalidInputError.at(path, f"{shown(text)} compares with {shown(bare)}{doubt}") from None
            value = bare
        if field in TEXT_FIELDS and not isinstance(value, str):
            value = bare
        _check_value(field, comparison, value, path)
        return cls(field, comparison, value)

    def __str__(self) -> str:
        """Return the text that `parse` reads as this condition."""
        return f"{self.field}{self.operator}{json.dumps(self.value)}"

    def holds(self, job: JobRecord) -> bool:
        """Tell whether `job` has the field and it compares as asked.

        Values of different kinds (true is no number) are unequal, and none of them is the smaller. Other than in
        Python, NaN equals itself: whoever asks for it wants to see it.
        """
        return self.among(Fields(job))

    def among(self, fields: Fields) -> bool:
        """Tell whether the condition holds of a job whose fields these are."""
        found = fields.get(self.field, _MISSING)
        if found is _MISSING:
            return False
        if isinstance(found, bool) is not isinstance(self.value, bool):
            return self.operator == "!="
        if _is_nan(self.value) and _is_nan(found):
            return self.operator == "="
        try:
            return bool(_OPERATORS[self.operator](found, self.value))
        except TypeError:
            return False


def _check_field(field: str, text: str, path: str) -> None:
    if not field:
        raise InvalidInputError.at(path, f"{shown(text)} names no field; say for example results.accuracy>=0.9")
    if field == "tags":
        raise InvalidInputError.at(path, "tags are not compared: ask for one by `tag`, or say hyperparameters.tags")
    if field.endswith("]") and field.partition("[")[0].rpartition(".")[2] in ("hyperparameters", "results"):
        raise InvalidInputError.at(path, f"{shown(field)} is no field; say for example results.accuracy")


def _check_value(field: str, comparison: str, value: object, path: str) -> None:
    if field == "status":
        member_of(JobStatus, value, path)
    elif field in OWN_FIELDS and field not in TEXT_FIELDS and (isinstance(value, bool) or not _is_number(value)):
        unit = " of seconds since 1970, the Unix time" if field.endswith("_at") else ""
        raise InvalidInputError.at(path, f"{field} is a number{unit}; it cannot be compared with {shown(value)}")
    if comparison not in ("=", "!=") and (value is None or isinstance(value, dict)):
        raise InvalidInputError.at(path, f"nothing is smaller or larger than {shown(value)}; ask for = or !=")


def _doubt(field: str, bare: str, why: str, *, ordered: bool) -> str:
    """Return why a value that was written without quotes is hardly meant as text, or nothing."""
    if bare.startswith(("'", '"', "[", "(", "{")):
        return f", which is no value: {why}"
    signs = any(sign in bare for sign in _SIGNS)
    if bare.startswith(tuple(_SIGNS)) or (signs and any(each in bare for each in _BETWEEN)):
        return "; if that is text, put it in quotes, and if it is another condition, give it separately"
    words = bare.split()
    if ordered and not words:
        return ", which is no number; say for example results.accuracy>=0.9"
    if ordered and (field not in (*TEXT_FIELDS, "notes") or len(words) != 1):
        return ", which is no number; if it is text, put it in quotes"
    return "; if that is text, put it in quotes" if {"and", "or"} & set(words) else ""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 -- as `math.isnan`, without a call


def _kind(value: object) -> str:
    """Return what an order makes of a value: a number, or a field of `Unranked`."""
    if value is _MISSING:
        return "missing"
    if _is_number(value):
        return "nan" if _is_nan(value) else _RANKED
    return "text" if isinstance(value, str) else "other"


def _is_beside(job: JobRecord) -> bool:
    """Tell whether a job is of a task that is run beside a sweep, such as one that prepares its data."""
    return job.task is not None and job.hyperparameters == EMPTY


class _Backwards:
    """A text in descending order: it is smaller than those that it is larger than; made without a copy."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __lt__(self, other: _Backwards) -> bool:
        return other._text < self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


#: Where a job stands in an order: its kind of value, the number, the text, its age.
Place: TypeAlias = tuple[int, float, str | _Backwards, int]


@frozen
class Order:
    """By which field a listing is sorted; jobs that lack it, or whose value is not a number or text, come last."""

    field: str
    descending: bool = False

    @classmethod
    def parse(cls, text: str, path: str = "order") -> Order:
        """Read `FIELD`, or `-FIELD` for descending; FIELD is as in conditions.

        Raises:
            InvalidInputError: it names no field, or says the direction in words.
        """
        name = check_text(text, path).removeprefix("-")
        if not name.strip():
            raise InvalidInputError.at(path, "names no field; say for example -results.accuracy")
        field, _, direction = name.rpartition(" ")
        sign = _DIRECTIONS.get(direction.lower())
        if field.strip() and sign is not None:
            raise InvalidInputError.at(path, f"{shown(text)} is no field; say {sign}{field.strip()}")
        return cls(name, text.startswith("-"))

    def key(self, job: JobRecord) -> Place:
        """Return a sort key: numbers before text before everything else, ties by age."""
        return self._place(Fields(job).get(self.field, None), job.seq)

    def first(
        self, jobs: Iterable[JobRecord], n: int, most: int | None = None
    ) -> tuple[tuple[JobRecord, ...], Unranked]:
        """Return the first `n` of the jobs in this order, and how many of all have no number in its field.

        Args:
            jobs: those to choose from.
            n: how many.
            most: how many characters those that come first may have together; None: as many as they have.

        Raises:
            InvalidInputError: they have more.
        """
        kinds: Counter[str] = Counter()
        first: list[tuple[Place, JobRecord]] = []
        others: list[tuple[Place, JobRecord]] = []
        waiting = 0

        def choose() -> None:
            first[:] = sorted(first + others, key=itemgetter(0))[:n]
            others.clear()
            if most is not None and sum(job.text_length for _, job in first) > most:
                raise InvalidInputError.at(
                    "limit", f"asks for {n:,} jobs in an order, which hold more than {most:,} characters; ask for fewer"
                )

        for job in jobs:
            fields = Fields(job)
            value = fields.get(self.field, _MISSING)
            kind = _kind(value)
            if kind != "missing" or not _is_beside(job):
                kinds[kind] += 1
            others.append((self._place(value, job.seq), job))
            fields.let_go()
            waiting += job.text_length
            if len(others) >= _CHOSEN_AT_ONCE or waiting >= _HELD_TEXT:
                choose()
                waiting = 0
        choose()
        unranked = Unranked(**{kind: count for kind, count in kinds.items() if kind != _RANKED})
        return tuple(job for _, job in first), unranked

    def ranks(self, job: JobRecord) -> bool:
        """Tell whether the job has a number in the field."""
        return self._kind(job) == _RANKED

    def unknown_to(self, jobs: Iterable[JobRecord]) -> bool:
        """Tell whether none of the jobs has the field."""
        return all(self._kind(job) == "missing" for job in jobs)

    def _kind(self, job: JobRecord) -> str:
        return _kind(Fields(job).get(self.field, _MISSING))

    def _place(self, value: object, seq: int) -> Place:
        if isinstance(value, (int, float)) and not _is_nan(value):  # ints may be huge
            return (0, -value if self.descending else value, "", seq)
        if isinstance(value, str):
            return (1, 0.0, _Backwards(value) if self.descending else value, seq)
        return (2, 0.0, "", seq)


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
            and (not self.where or self._holds(Fields(job)))
        )

    def _holds(self, fields: Fields) -> bool:
        held = all(condition.among(fields) for condition in self.where)
        fields.let_go()
        return held
