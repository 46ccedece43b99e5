"""Where a task may run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

import attrs
from attrs import frozen

from sweepstake.errors import FrozenSpecError
from sweepstake.spec.fields import holds
from sweepstake.spec.kinds import TEXTS_OR_ONE, FrozenList, Kind, problems_of
from sweepstake.spec.records import Record, changed_by, record_of
from sweepstake.spec.tree import Faults, Found

__all__ = ["CONSTRAINTS", "Constraints"]


def _take_constraints(value: Any) -> tuple[tuple[str, FrozenList[str]], ...]:
    found: list[Found] = []
    taken = []
    for name, texts in dict(value).items():
        try:
            taken.append((name, TEXTS_OR_ONE.take(texts)))
        except (ValueError, Faults) as error:
            found += problems_of(error, name)
    if found:
        raise Faults(found)
    return tuple(taken)


def _write_constraints(others: tuple[tuple[str, FrozenList[str]], ...]) -> dict[str, list[str]]:
    return {name: list(texts) for name, texts in others}


_OTHERS: Final = Kind(TEXTS_OR_ONE.schema, TEXTS_OR_ONE.read, _take_constraints, _write_constraints)


@changed_by("TaskSpec.with_constraint({}=[...])")
@frozen(init=False)
class Constraints(Record):
    """Where a task may run: for each name the values of which a worker must have one.

    Any name is possible, and found as an item: ``constraints["cluster"]``.

    Attributes:
        cluster: names of clusters.
        hostname: names of machines.
    """

    cluster: Sequence[str] | None = holds(TEXTS_OR_ONE, default=None)
    hostname: Sequence[str] | None = holds(TEXTS_OR_ONE, default=None)
    _others: tuple[tuple[str, FrozenList[str]], ...] = holds(_OTHERS, default=(), spread=True)
    #: Whether `cluster` only follows from the task's context, and is written there.
    _of_context: bool = attrs.field(default=False, eq=False, repr=False)

    def __init__(self, cluster: Any = None, hostname: Any = None, **others: Any) -> None:
        """Take lists of texts, or single texts, by name."""
        given = {name: texts for name, texts in others.items() if texts is not None}
        self.__attrs_init__(cluster, hostname, given)  # type: ignore[arg-type]  # a dict becomes pairs

    def __getitem__(self, name: str) -> Sequence[str]:
        """Return the values of a name."""
        return dict(self._items())[name]

    def __setitem__(self, name: str, values: object) -> NoReturn:
        """Refuse, and name what to use."""
        raise FrozenSpecError(
            f"constraints[{name!r}] cannot be assigned to; TaskSpec.with_constraint(...) returns a changed copy"
        )

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a constraint of that name."""
        return name in dict(self._items())

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self.keys())

    def keys(self) -> list[str]:
        """Return the names, so that ``dict(constraints)`` is a copy."""
        return [name for name, _ in self._items()]

    def _items(self) -> Iterator[tuple[str, Sequence[str]]]:
        yield from ((name, texts) for name in ("cluster", "hostname") if (texts := getattr(self, name)) is not None)
        yield from self._others

    def stated(self) -> dict[str, Sequence[str]]:
        """Return what was stated here, by name; without a cluster that only a task's context names."""
        return {name: texts for name, texts in self._items() if not (self._of_context and name == "cluster")}

    def in_context(self, cluster: str | None) -> Constraints | None:
        """Return the constraints of a task whose context names a cluster, or none; None if nothing is left of them."""
        given = self.stated()
        if cluster is None or "cluster" in given:
            return self if not self._of_context else Constraints(**given) if given else None
        made = Constraints(**given, cluster=[cluster])
        object.__setattr__(made, "_of_context", True)
        return made

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; a cluster that a task's context names is written there."""
        data = super().to_json()
        if self._of_context:
            del data["cluster"]
        return data


def _write_stated(constraints: Constraints) -> dict[str, Any] | None:
    """Return constraints as JSON, or None if they only repeat the context."""
    return constraints.to_json() if constraints.stated() or not constraints.keys() else None


CONSTRAINTS: Final = attrs.evolve(record_of(Constraints), write=_write_stated)
