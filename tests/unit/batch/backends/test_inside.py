"""What an allocation knows of itself."""

from collections.abc import Sequence

import pytest

from sweepstake.batch.backends.calls import Answer
from sweepstake.batch.backends.inside import allocation_of, time_left
from sweepstake.errors import ConfigurationError

SLURM = {"SLURM_JOB_ID": "12"}


@pytest.mark.parametrize(
    "variables, allocation",
    [
        ({}, None),
        ({"SLURM_JOB_ID": ""}, None),
        (SLURM, "12"),
        ({"SLURM_JOB_ID": "14", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0"}, "12_0"),
        ({"PBS_JOBID": "3.server"}, "3.server"),
        ({**SLURM, "SWEEPSTAKE_ALLOCATION": "0f3a_1"}, "0f3a_1"),
        ({"FLUX_JOB_ID": "ƒ2oP"}, "f2oP"),
        ({"SWEEPSTAKE_ALLOCATION": "ƒf2P", "FLUX_JOB_ID": "ƒ2oP"}, "ff2P"),
    ],
)
def test_its_scheduler_tells_it_by_variables(variables: dict[str, str], allocation: str | None) -> None:
    """A task of an array by both numbers, as Slurm writes it."""
    assert allocation_of(variables) == allocation


@pytest.mark.parametrize(
    "said, left",
    [
        ("58\n", 58 * 60.0),
        ("0:58\n", 58.0),
        ("1-00:00:00\n", 86400.0),
        ("UNLIMITED\n", None),
        ("INVALID\n", None),
        ("", None),
    ],
)
def test_slurm_is_asked_once_how_long_it_still_has(said: str, left: float | None) -> None:
    """By the allocation's own number, which each task of an array has."""
    asked: list[Sequence[str]] = []

    def run(arguments: Sequence[str], text: str) -> Answer:
        asked.append(arguments)
        return Answer(code=0, output=said, errors=text)

    assert time_left({**SLURM, "SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "0"}, run) == left
    assert asked == [["squeue", "-h", "-j", "12", "-o", "%L"]]
    assert time_left({"PBS_JOBID": "3"}, run) is None
    assert time_left({**SLURM, "SWEEPSTAKE_ALLOCATION": "0f3a"}, run) is None
    assert len(asked) == 1


def test_who_does_not_answer_says_nothing() -> None:
    """A controller that is away, and a node without Slurm's commands."""

    def lacks(arguments: Sequence[str], text: str) -> Answer:
        raise ConfigurationError(f"{arguments[0]} is not on this machine {text}")

    assert time_left(SLURM, lacks) is None
    assert time_left(SLURM, lambda *_: Answer(code=None, output="", errors="")) is None
