"""`current_job`: in a script that a worker runs, the job that it runs for, without a store."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import define, field, setters

from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.ranks import membership, unheld_rank
from sweepstake.client.results import Results
from sweepstake.errors import ConfigurationError, InvalidInputError
from sweepstake.folders import write_whole
from sweepstake.values import JsonObject, parse_json

__all__ = ["CurrentJob", "current_job"]

_RESULTS: Final = "SWEEPSTAKE_RESULTS_PATH"
_VALUES: Final = "SWEEPSTAKE_HYPERPARAMETERS"
_FILE: Final = "SWEEPSTAKE_HYPERPARAMETERS_PATH"
_START: Final = "SWEEPSTAKE_START_PATH"


def _in_their_place(job: CurrentJob, _: object, values: Mapping[str, Any]) -> dict[str, Any]:
    """Put what is assigned to the results in their place, as a script may do with a job that it has claimed."""
    JsonObject.of(values, "results")
    given, results = dict(values), job.results  # which are one after `job.results |= {...}`
    if isinstance(results, _Written):
        results.replace(given)
    else:
        results.clear()
        results.update(given)
    return results


@define(kw_only=True, on_setattr=setters.frozen)
class CurrentJob:
    """The job that this script is run for; made by `sweepstake.current_job`.

    Attributes:
        experiment: the name of its experiment.
        job_id: its id.
        attempt: which attempt at it this is, from 1.
        task: what the task of the spec is called; None for a command that was given to the worker.
        seed: which repeat of its hyperparameters it is, from 0; None without `n_seeds`.
        rank: which of the task's replicas it is, from 0.
        hyperparameters: its hyperparameters.
        results: a dict; what is set in it, or assigned to it, is written at once, and recorded when the script has
            ended. It begins with what the job starts from, as a child in population based training does from its
            parent's. Of several processes that a launcher started for the job, the first writes, and those of the
            others are the same.
        checkpoint_dir: a folder for its checkpoints, the same in every attempt.
        result_dir: of a task, the folder whose files are kept as its result.
    """

    experiment: str
    job_id: str
    attempt: int
    task: str | None = None
    seed: int | None = None
    rank: int = 0
    hyperparameters: dict[str, Any] = field(factory=dict)
    results: dict[str, Any] = field(factory=dict, on_setattr=_in_their_place)
    checkpoint_dir: Path | None = None
    result_dir: Path | None = None


class _Written(Results):
    """Results that are written into a file as they are set, whole or not at all."""

    __slots__ = ("_path",)

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        super().__init__(values, lambda _name, _value, error: error)
        self._path = path

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a result and write all of them.

        Raises:
            InvalidInputError: JSON cannot hold the value, or with it the results would be too large.
            OSError: the file cannot be written.
        """
        JsonObject.of({name: value}, "results")
        super().__setitem__(name, value)
        self._write()

    def __delitem__(self, name: str) -> None:
        """Remove a result, and write what is left."""
        super().__delitem__(name)
        self._write()

    def clear(self) -> None:
        """Remove all results, and write that there are none."""
        self.replace({})

    def update(self, *others: Any, **named: Any) -> None:
        """As of any dict, but all of it or nothing, and written once."""
        self.replace({**self, **dict(*others, **named)})

    def replace(self, values: Mapping[str, Any]) -> None:
        """Set these results in the place of all that were there, and write them once.

        Raises:
            InvalidInputError: as for one of them; nothing has changed then.
            OSError: the file cannot be written.
        """
        JsonObject.of(values, "results")
        super().clear()
        for name, value in values.items():
            super().__setitem__(name, value)
        self._write()

    def _write(self) -> None:
        write_whole(self._path, json.dumps(JsonObject.of(self, "results").decode()).encode())


def current_job() -> CurrentJob:
    """Return the job that this script is run for: by `sweepstake run`, `sweepstake worker`, or as a task of a spec.

    ::

        job = sweepstake.current_job()
        job.results["accuracy"] = train(**job.hyperparameters)

    The script needs no store for it, and no network: what it is told and what it reports lie in files and variables of
    the attempt.

    Raises:
        ConfigurationError: this script was not started for a job.
    """
    environ = os.environ
    if _RESULTS not in environ or "SWEEPSTAKE_JOB_ID" not in environ:
        raise ConfigurationError(
            "this script was not started for a job: run it with `sweepstake run EXPERIMENT -- python script.py`, or "
            "as a task of a spec"
        )
    seed = environ.get("SWEEPSTAKE_SEED")
    return CurrentJob(
        experiment=environ.get("SWEEPSTAKE_EXPERIMENT", ""),
        job_id=environ["SWEEPSTAKE_JOB_ID"],
        attempt=int(environ.get("SWEEPSTAKE_ATTEMPT", "1")),
        task=environ.get("SWEEPSTAKE_TASK"),
        seed=None if seed is None else int(seed),
        rank=int(environ.get("SWEEPSTAKE_REPLICA_RANK", "0")),
        hyperparameters=_hyperparameters(environ),
        results=_results(Path(environ[_RESULTS])),
        checkpoint_dir=_folder(environ, "SWEEPSTAKE_CHECKPOINT_DIR"),
        result_dir=_folder(environ, "SWEEPSTAKE_RESULT_DIR"),
    )


def _hyperparameters(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the hyperparameters, from the file if there is one, as long ones stand only there."""
    if _FILE in environ:
        text = Path(environ[_FILE]).read_text(encoding="utf-8")
    elif _VALUES in environ:
        text = environ[_VALUES]
    else:
        raise ConfigurationError("the hyperparameters are too long for a variable, and this worker wrote no file")
    found = parse_json(text, "hyperparameters")
    if not isinstance(found, dict):
        raise ConfigurationError("the hyperparameters of this job are not an object")
    return found


def _results(path: Path) -> Results:
    """Return the results as the file has them; in a process that is not the first of its group they stay with it."""
    values: Any = {}
    read = Path(os.environ[_START]) if _START in os.environ and not path.exists() else path
    if read.exists():
        try:
            values = parse_json(read.read_text(encoding="utf-8"), "results")
        except InvalidInputError:  # whoever wrote it is told at the end of the attempt
            values = {}
    member = membership(os.environ, PROCESS.worker or "")
    values = values if isinstance(values, dict) else {}
    if (member.rank if member is not None else unheld_rank(os.environ)) != 0:
        return Results(values, lambda _name, _value, error: error)
    return _Written(path, values)


def _folder(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if name in environ else None
