"""The results of a job as its user fills them: a dict that refuses at once what will not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from sweepstake.errors import InvalidInputError
from sweepstake.values import MAX_DEPTH, MAX_TEXT, JsonObject

__all__ = ["Results", "check_size"]

#: More characters of JSON than any number takes, with the comma after it.
_NUMBER: Final = 32
#: Characters of JSON that one character of text may take, if it can be printed and if not.
_PRINTABLE: Final = 2
_ESCAPED: Final = 12
_FLOATS: Final = frozenset({float, bool, type(None)})


class Results(dict[str, Any]):
    """A dict in which values are set as in any other, unless all together would be too large to record.

    Args:
        values: what it begins with.
        refuse: returns the error to raise for a name and a value that are too large.
    """

    __slots__ = ("_bound", "_bounds", "_refuse")

    def __init__(self, values: Mapping[str, Any], refuse: Callable[[str, Any, InvalidInputError], Exception]) -> None:
        super().__init__(values)
        self._refuse = refuse
        #: How large each value may be as JSON, and all together; of values that were read, only once one is set.
        self._bounds: dict[str, int] | None = None if values else {}
        self._bound = 0

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a result.

        Raises:
            InvalidInputError: with it the results would take more than 8 MiB of JSON; it is kept in a file.
        """
        bounds = self._measure() if self._bounds is None else self._bounds
        bound = _NUMBER if type(value) in _FLOATS else _bound(value)
        if bound + self._bound > MAX_TEXT:
            try:
                check_size({**self, name: value})
            except InvalidInputError as error:
                raise self._refuse(name, value, error) from None
        self._bound += bound - bounds.get(name, 0)
        bounds[name] = bound
        dict.__setitem__(self, name, value)  # `super()` takes twice as long

    def __delitem__(self, name: str) -> None:
        """Remove a result."""
        super().__delitem__(name)
        if self._bounds is not None:
            self._bound -= self._bounds.pop(name, 0)

    def pop(self, name: str, *default: Any) -> Any:
        """As of any dict."""
        if name not in self:
            return super().pop(name, *default)
        value = self[name]
        del self[name]
        return value

    def popitem(self) -> tuple[str, Any]:
        """As of any dict."""
        if not self:
            return super().popitem()
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        """As of any dict."""
        super().clear()
        self._bounds, self._bound = {}, 0

    def _measure(self) -> dict[str, int]:
        self._bounds = bounds = {name: _bound(value) for name, value in self.items()}
        self._bound = sum(bounds.values())
        return bounds

    def setdefault(self, name: str, default: Any = None) -> Any:
        """As of any dict, with the check of an assignment."""
        if name not in self:
            self[name] = default
        return self[name]

    def update(self, *others: Any, **named: Any) -> None:
        """As of any dict, with the check of an assignment for each value."""
        for name, value in dict(*others, **named).items():
            self[name] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]  # as a dict does
        """As of any dict, with the check of an assignment for each value."""
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Let copies be plain dicts."""
        return dict, (dict(self),)


def check_size(results: Mapping[str, Any]) -> None:
    """Raise InvalidInputError if the results take more than 8 MiB of JSON; other faults are told at the end."""
    try:
        if sum(map(_bound, results.values())) > MAX_TEXT:
            JsonObject.of(results, "results")
    except InvalidInputError as error:
        if any("too large" in problem for _, problem in error.problems):
            raise
    except Exception:  # noqa: BLE001 -- values of the user's fail as they like; the end of the block tells of it
        return


def _bound(value: Any, depth: int = 1) -> int:
    """Return a number of characters that the JSON of a value does not exceed, in less time than to write it."""
    kind = type(value)
    if kind is int:
        return _NUMBER + int(value.bit_length()) // 3
    if kind in _FLOATS:
        return _NUMBER
    if kind is str:
        return _NUMBER + len(value) * (_PRINTABLE if value.isascii() and value.isprintable() else _ESCAPED)
    if kind in (list, tuple):
        if _FLOATS.issuperset(map(type, value)):
            return _NUMBER * (len(value) + 1)
        return _NUMBER + sum(_bound(item, depth + 1) for item in value) if depth < MAX_DEPTH else _NUMBER
    if kind is dict and depth < MAX_DEPTH:
        return _NUMBER + sum(_bound(name, depth + 1) + _bound(item, depth + 1) for name, item in dict(value).items())
    if kind.__module__ == "numpy" and hasattr(value, "size"):
        return _NUMBER * (int(value.size) + 1)
    return _NUMBER
