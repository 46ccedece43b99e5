"""The jobs of the benchmarks: five hyperparameters, two results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["hyperparameters", "results", "sweep"]


def hyperparameters(index: int) -> dict[str, Any]:
    """Return the hyperparameters of one job."""
    return {
        "learning_rate": 10.0 ** -(1 + index % 5) * 1.3,
        "momentum": 0.9 + (index % 10) / 100,
        "layers": 2 + index % 6,
        "batch_size": 32 << index % 4,
        "activation": "relu" if index % 2 else "tanh",
    }


def sweep(count: int) -> Iterator[dict[str, Any]]:
    """Make the hyperparameters of `count` jobs, one at a time."""
    return (hyperparameters(index) for index in range(count))


def results(values: dict[str, Any]) -> dict[str, float]:
    """Compute a job's results, in no time worth measuring."""
    return {"accuracy": 0.5 + values["momentum"] / 3, "loss": values["learning_rate"] * values["layers"]}
