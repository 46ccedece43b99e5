"""Runtimes by gradient boosting with a quantile loss, which scikit-learn fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from sweepstake.batch.planning.estimates.likeness import as_number
from sweepstake.errors import MissingExtraError
from sweepstake.plaintext import counted

__all__ = ["Boosted", "boosted"]


@frozen
class Boosted:
    """A model that was fitted.

    Attributes:
        said: what it was fitted to, in words.
    """

    said: str
    _columns: Sequence[tuple[str, str | None]]
    _model: Any

    def __call__(self, hyperparameters: Mapping[str, Any]) -> float:
        """Return the seconds of a job of these hyperparameters."""
        return max(0.0, math.expm1(float(self._model.predict([_row(hyperparameters, self._columns)])[0])))


def boosted(finished: Sequence[tuple[Mapping[str, Any], float]], quantile: float) -> Boosted:
    """Fit a model to finished jobs; the same ones give the same model.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import GradientBoostingRegressor
    except ImportError:
        raise MissingExtraError.of("Boosted estimates need scikit-learn", "estimates") from None
    columns: set[tuple[str, str | None]] = set()
    for hyperparameters, _ in finished:
        for name, value in hyperparameters.items():
            number = as_number(value)
            columns.add((name, number if isinstance(number, str) else None))
    ordered = sorted(columns, key=lambda column: (column[0], column[1] is not None, column[1] or ""))
    model = GradientBoostingRegressor(loss="quantile", alpha=min(quantile, 0.999), random_state=0)
    rows = [_row(hyperparameters, ordered) for hyperparameters, _ in finished]
    model.fit(rows, [math.log1p(seconds) for _, seconds in finished])
    return Boosted(counted(len(finished), "job"), ordered, model)


def _row(hyperparameters: Mapping[str, Any], columns: Sequence[tuple[str, str | None]]) -> list[float]:
    """Return a column for each number, and one for each text that a hyperparameter may be."""
    row = [0.0]
    for name, text in columns:
        value = as_number(hyperparameters[name]) if name in hyperparameters else None
        if text is None:
            row.append(value if isinstance(value, float) else 0.0)
        else:
            row.append(float(value == text))
    return row
