"""Freeing what was read."""

from __future__ import annotations

from typing import Any, Final

from sweepstake.turns import give_way

__all__ = ["let_go"]

#: How many members or items are freed at once.
_FEW: Final = 256
_SCALARS: Final = frozenset({str, float, int, bool, type(None)})


def let_go(tree: Any) -> None:
    """Empty the lists and dicts of a tree that nobody will use again.

    What nobody refers to any more, Python frees in one piece: 20 ms for 240,000 dicts, in which nothing else runs.
    """
    waiting: list[Any] = [tree] if type(tree) in (list, dict) else []
    freed = 0
    while waiting:
        each = waiting.pop()
        freed += 1 + min(len(each), _FEW)
        if type(each) is dict:
            _empty_dict(each, waiting)
        else:
            _empty_list(each, waiting)
        if freed >= _FEW:
            freed = 0
            give_way()


def _empty_dict(members: dict[Any, Any], waiting: list[Any]) -> None:
    if len(members) <= _FEW:
        _keep(list(members.values()), waiting)
        members.clear()
    while members:
        _keep([members.popitem()[1] for _ in range(min(_FEW, len(members)))], waiting)
        give_way()


def _empty_list(items: list[Any], waiting: list[Any]) -> None:
    while items:
        _keep(items[-_FEW:], waiting)
        del items[-_FEW:]
        if items:
            give_way()


def _keep(few: list[Any], waiting: list[Any]) -> None:
    """Remember which of them hold others, so that those are not freed with them."""
    if not _SCALARS.issuperset(map(type, few)):
        waiting += [each for each in few if type(each) in (list, dict)]
