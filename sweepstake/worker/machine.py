"""What a machine must have before a worker takes jobs on it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sweepstake.config import Config
from sweepstake.errors import InvalidInputError
from sweepstake.folders import check_room, own_folder, usable
from sweepstake.worker.expansion import Values, expand, names_program

__all__ = ["check_folders", "check_program"]


def check_program(command: Sequence[str], experiments: Sequence[str]) -> None:
    """Raise InvalidInputError if the program that the command names is not there, or cannot be run.

    A program whose name depends on the job is looked for when the job runs.
    """
    if not names_program(command):
        return
    for experiment in experiments:
        values = Values(experiment=experiment, job_id="", hyperparameters={})
        (program,) = expand(command[:1], values)
        problem = _problem(program)
        if problem:
            raise InvalidInputError.at("command[0]", problem)


def check_folders(config: Config) -> None:
    """Make the folders that every attempt writes to, and write a little to each.

    Raises:
        UnusableFolderError: one cannot be made or written, or is another user's.
    """
    shared = config.checkpoints != config.state / "checkpoints"
    with usable(config.state, "SWEEPSTAKE_STATE"):
        check_room(own_folder(config.state, "output"))
    with usable(config.checkpoints, "SWEEPSTAKE_CHECKPOINTS"):
        check_room(own_folder(config.checkpoints, shared=shared))
    with usable(Path("the folder of temporary files"), "TMPDIR"):
        check_room(Path(tempfile.gettempdir()))


def _problem(program: str) -> str:
    """Say why a program cannot be run, or nothing."""
    if os.sep in program:
        path = Path(program)
        if path.is_dir() or not path.exists():
            return f"there is no program {program!r}"
        if not os.access(path, os.X_OK):
            return f"{program!r} may not be executed; make it so with chmod +x, or name its interpreter before it"
        return _interpreter_problem(path)
    found = shutil.which(program)
    if found is None:
        return f"there is no program {program!r} in the folders of PATH; write ./{program} for a file in this folder"
    return _interpreter_problem(Path(found))


def _interpreter_problem(path: Path) -> str:
    """Say so if a script begins with the name of an interpreter that is not there."""
    try:
        with path.open("rb") as file:
            line = file.readline(256)
    except OSError:  # it may be run all the same
        return ""
    words = line[2:].split() if line.startswith(b"#!") else []
    if words and not Path(os.fsdecode(words[0])).exists():
        return f"{str(path)!r} needs {os.fsdecode(words[0])!r}, as its first line says, which is not there"
    return ""
