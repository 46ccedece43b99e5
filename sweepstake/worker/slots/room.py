"""Amounts of processors, GPUs and memory."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

__all__ = ["Room", "Slots"]

#: Fractions of a processor are added up; what differs by less is equal.
_DIGITS = 6


@frozen(kw_only=True)
class Room:
    """So much of a machine.

    Attributes:
        cpus: processors; a fraction is possible.
        gpus: how many GPUs.
        memory: bytes.
    """

    cpus: float = 0.0
    gpus: int = 0
    memory: int = 0

    def plus(self, other: Room) -> Room:
        """Return both together."""
        return Room(
            cpus=round(self.cpus + other.cpus, _DIGITS), gpus=self.gpus + other.gpus, memory=self.memory + other.memory
        )

    def minus(self, other: Room) -> Room:
        """Return what is left without the other, of nothing less than nothing."""
        return Room(
            cpus=max(round(self.cpus - other.cpus, _DIGITS), 0.0),
            gpus=max(self.gpus - other.gpus, 0),
            memory=max(self.memory - other.memory, 0),
        )

    def holds(self, other: Room) -> bool:
        """Tell whether there is so much of everything."""
        return round(other.cpus - self.cpus, _DIGITS) <= 0 and other.gpus <= self.gpus and other.memory <= self.memory


@frozen(kw_only=True)
class Slots:
    """What a worker may use of its machine.

    Attributes:
        cpus: processors.
        gpus: the GPUs by their numbers on the host, in text; one that has no number there, such as a part of a GPU,
            by its name.
        memory: bytes.
    """

    cpus: float
    gpus: Sequence[str] = ()
    memory: int = 0

    @property
    def room(self) -> Room:
        """How much that is."""
        return Room(cpus=self.cpus, gpus=len(self.gpus), memory=self.memory)
