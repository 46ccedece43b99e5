"""The work of `sweepstake demo`: classifiers of handwritten digits, trained by worker processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from sweepstake.connection import connect
from sweepstake.errors import SweepstakeError

__all__ = ["SPACE", "drain", "train"]

#: 30 configurations of a support vector classifier.
SPACE: Final[Mapping[str, list[Any]]] = {
    "kernel": ["rbf", "poly"],
    "C": [0.1, 1.0, 10.0],
    "gamma": [0.0001, 0.0003, 0.001, 0.003, 0.01],
}


def drain(url: str, token: str | None, experiment: str) -> None:
    """Train classifiers until the experiment has no more jobs; the body of one worker process."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # before numpy is loaded: the workers share the machine
    try:
        with connect(url, token) as database:
            for job in database.get_experiment(experiment).claim_jobs():
                with job:
                    job.results.update(train(**job.hyperparameters))
    except SweepstakeError as error:
        sys.exit(f"A worker ended: {error}")


def train(**hyperparameters: Any) -> dict[str, float]:
    """Return the accuracy of a classifier on scikit-learn's digits: cross-validated, and on digits held out."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import cross_val_score, train_test_split
    from sklearn.svm import SVC

    images, digits = load_digits(return_X_y=True)
    train_images, test_images, train_digits, test_digits = train_test_split(images, digits, random_state=0)
    classifier = SVC(**hyperparameters)
    validated = cross_val_score(classifier, train_images, train_digits, cv=3)
    held_out = classifier.fit(train_images, train_digits).score(test_images, test_digits)
    return {"accuracy": float(validated.mean()), "held_out": float(held_out)}
