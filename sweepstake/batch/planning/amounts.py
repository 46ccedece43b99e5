"""Amounts of what nodes have, which cannot be changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Amounts"]


class Amounts(Mapping[str, float]):
    """A mapping of kinds to amounts that is frozen, hashable and can be pickled."""

    __slots__ = ("_amounts",)

    def __init__(self, amounts: Mapping[str, float] | None = None) -> None:
        self._amounts: dict[str, float] = dict(amounts or {})

    def __getitem__(self, kind: str) -> float:
        return self._amounts[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __hash__(self) -> int:
        return hash(frozenset(self._amounts.items()))

    def __repr__(self) -> str:
        return repr(self._amounts)

    def __reduce__(self) -> tuple[Any, ...]:
        return Amounts, (self._amounts,)
