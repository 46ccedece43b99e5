"""What jobs need of whoever runs them, and what is offered to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import asdict, evolve, field, frozen

from sweepstake.domain.lengths import at_most, holds
from sweepstake.domain.names import check_name
from sweepstake.domain.schema import OMIT_DEFAULT, checked, count, narrowed, ref
from sweepstake.errors import InvalidInputError, shown
from sweepstake.plaintext import counted

__all__ = ["MAX_LABELS", "Constraint", "Needs", "Offer", "WorkerLabel", "in_words", "places", "unmet", "unmet_by_all"]

#: The most labels of a worker, and the most constraints of a job.
MAX_LABELS: Final = 100
_MOST: Final = 2**53
_GIB: Final = 1024**3
#: Processors are handed out in fractions, whose sums are not exact.
_CRUMB: Final = 1e-9


def _amount(_: object, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST:
        raise InvalidInputError.at(attribute.name, f"must be a number from 0 to 2**53, is {shown(value)}")


def _whole() -> Any:
    return field(default=0, validator=_amount, metadata=narrowed(count(0, _MOST)))


def _processors() -> Any:
    schema = {"type": "number", "minimum": 0, "maximum": _MOST}
    return field(default=0.0, validator=_amount, metadata=narrowed(schema))


@frozen(kw_only=True)
class WorkerLabel:
    """Something that a worker says of itself, such as its cluster."""

    name: str = field(validator=checked(check_name), metadata=narrowed(ref("Name")))
    value: str = field(validator=checked(check_name), metadata=narrowed(ref("Name")))


@frozen(kw_only=True)
class Constraint:
    """A label that a worker must have, with one of these values."""

    name: str
    values: tuple[str, ...]


def _by_name(constraints: Sequence[Constraint]) -> tuple[Constraint, ...]:
    return tuple(sorted(constraints, key=lambda each: each.name))


@frozen(kw_only=True)
class Needs:
    """What a job needs to have to itself, and where it may run.

    Attributes:
        cpu: processors.
        gpu: GPUs.
        memory: bytes.
        constraints: labels that the worker must have, by name.
        replicas: how many jobs begin together, each with these needs.
    """

    cpu: float = 0.0
    gpu: int = 0
    memory: int = 0
    constraints: tuple[Constraint, ...] = field(default=(), converter=_by_name)
    replicas: int = 1

    @property
    def text(self) -> str:
        """The same text for equal needs: JSON without what is not needed."""
        plain = asdict(self, filter=lambda attribute, value: value != attribute.default)
        labels = {each.name: sorted(set(each.values)) for each in self.constraints}
        return json.dumps(plain | ({"constraints": labels} if labels else {}), sort_keys=True, separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> Needs:
        """Read the text of needs."""
        plain: dict[str, Any] = json.loads(text)
        labels: dict[str, list[str]] = plain.pop("constraints", {})
        constraints = tuple(Constraint(name=name, values=tuple(values)) for name, values in labels.items())
        return cls(**plain, constraints=constraints)


@frozen(kw_only=True)
class Offer:
    """What a worker has for jobs, and what it is.

    Attributes:
        cpu: processors.
        gpu: GPUs.
        memory: bytes.
        labels: what jobs may ask for; a name may stand there several times.
    """

    cpu: float = _processors()
    gpu: int = _whole()
    memory: int = _whole()
    labels: tuple[WorkerLabel, ...] = field(
        default=(),
        validator=at_most(MAX_LABELS),
        metadata={**OMIT_DEFAULT, **holds(MAX_LABELS)},
    )

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a label."""
        return tuple(each.value for each in self.labels if each.name == name)

    def less(self, needs: Needs) -> Offer:
        """Return what is left when a job of these needs is taken."""
        return evolve(
            self,
            cpu=max(self.cpu - needs.cpu, 0.0),
            gpu=max(self.gpu - needs.gpu, 0),
            memory=max(self.memory - needs.memory, 0),
        )


def unmet(needs: Needs, offer: Offer) -> str | None:
    """Return the first of a job's needs that an offer does not meet, and what it has instead; None: it meets all."""
    for constraint in needs.constraints:
        has = offer.values(constraint.name)
        if not set(constraint.values) & set(has):
            wanted = " or ".join(constraint.values)
            return f"needs {constraint.name} {wanted}; the worker has {' and '.join(has) or 'no such label'}"
    for name, said in _AMOUNTS.items():
        wanted_amount, has_amount = getattr(needs, name), getattr(offer, name)
        if wanted_amount > has_amount + _CRUMB:
            return f"needs {said(wanted_amount)}; the worker has {said(has_amount)}"
    return None


def places(needs: Needs, offer: Offer, most: int) -> int:
    """Return how many jobs of these needs an offer meets together, counted up to `most`."""
    found = 0
    while found < most and unmet(needs, offer) is None:
        found, offer = found + 1, offer.less(needs)
    return found


def unmet_by_all(needs: Needs, offers: Sequence[Offer]) -> str | None:
    """Return which need of a job none of these workers meets, as the end of a sentence; None: one meets them all.

    The words say what a job of these needs lacks: ``needs 2 GPUs; of 3 live workers none has more than 1``.
    """
    if any(unmet(needs, offer) is None for offer in offers):
        return None
    if not offers:
        return f"needs {in_words(needs)}; no worker is alive that says what it has"
    of = f"of {counted(len(offers), 'live worker')} none"
    for constraint in needs.constraints:
        if not any(set(constraint.values) & set(offer.values(constraint.name)) for offer in offers):
            return f"needs {constraint.name} {' or '.join(constraint.values)}; {of} has that label"
    for name, said in _AMOUNTS.items():
        wanted, most = getattr(needs, name), max(getattr(offer, name) for offer in offers)
        if wanted > most + _CRUMB:
            number = said(most).partition(" ")[0] if name != "memory" else said(most)
            return f"needs {said(wanted)}; {of} has {f'more than {number}' if most else 'any'}"
    return f"needs {in_words(needs)}; {of} has all of that"


def in_words(needs: Needs) -> str:
    """Return all that is needed."""
    amounts = [said(getattr(needs, name)) for name, said in _AMOUNTS.items() if getattr(needs, name)]
    labels = [f"{each.name} {' or '.join(each.values)}" for each in needs.constraints]
    return ", ".join(amounts + labels) or "a worker that runs tasks"


def _processors_in_words(amount: float) -> str:
    return counted(int(amount), "CPU") if amount == int(amount) else f"{amount:g} CPUs"


#: How each amount is said.
_AMOUNTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "gpu": lambda amount: counted(amount, "GPU"),
    "cpu": _processors_in_words,
    "memory": lambda amount: f"{amount / _GIB:.4g} GiB of memory",
}
