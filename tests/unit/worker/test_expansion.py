"""Commands with a job's values in them."""

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.worker.expansion import check_command, expand, variables

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.lists(st.integers(), max_size=3)
)


def test_what_no_process_can_be_started_with_is_left_out() -> None:
    """Huge hyperparameters do not keep a command that never asked for them from starting."""
    environment = variables("e", "j", 1, {"x": "y" * 200_000})
    assert "SWEEPSTAKE_HYPERPARAMETERS" not in environment
    assert environment["SWEEPSTAKE_JOB_ID"] == "j"


def test_hyperparameters_become_pairs_of_arguments() -> None:
    """`%h` alone is two arguments for each: text as it is, everything else as JSON."""
    hyperparameters = {"lr": 1e-05, "name": "two words", "layers": [1, 2], "deep": True, "none": None}
    assert expand(["train", "%h"], "e", "j", hyperparameters) == [
        *["train", "--lr", "1e-05", "--name", "two words", "--layers", "[1, 2]", "--deep", "true", "--none", "null"]
    ]


def test_names_and_percent_signs_are_put_into_arguments() -> None:
    """`%e`, `%j` and `%%` work anywhere in an argument, and only once."""
    assert expand(["--out=%e/%j.txt", "100%%", "%%e"], "my exp", "%e", {}) == ["--out=my exp/%e.txt", "100%", "%e"]


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_a_shell_sees_the_same_words(hyperparameters: dict[str, object]) -> None:
    """Within a longer argument `%h` is quoted, so that no value can run a command."""
    words = expand(["%h"], "e", "j", hyperparameters)
    (script,) = expand(["train %h"], "e", "j", hyperparameters)
    assert shlex.split(script) == ["train", *words]


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_values_can_be_read_back(hyperparameters: dict[str, object]) -> None:
    """Names and values survive the way through the arguments."""
    words = expand(["%h"], "e", "j", hyperparameters)
    back = dict(zip(words[::2], words[1::2], strict=True))
    assert list(back) == [f"--{name}" for name in hyperparameters]
    for name, value in hyperparameters.items():
        text = back[f"--{name}"]
        assert (text if isinstance(value, str) else json.loads(text)) == value


@pytest.mark.parametrize("command", [["%d"], ["a", "50%"], ["%\n"]])
def test_an_unknown_escape_is_refused_before_a_job_is_claimed(command: list[str]) -> None:
    """The message names the argument and the way to write a percent sign."""
    with pytest.raises(InvalidInputError, match=r"command\[\d\]: '%.*write %% for a percent sign"):
        check_command(command)


def test_an_empty_command_is_refused() -> None:
    """Nothing to run is an error that shows how to write a command."""
    with pytest.raises(InvalidInputError, match=r"-- python train\.py %h"):
        check_command([])


def test_a_nul_character_is_refused() -> None:
    """What no argument can hold is named, with the other way to read it."""
    with pytest.raises(InvalidInputError, match="SWEEPSTAKE_HYPERPARAMETERS"):
        expand(["%h"], "e", "j", {"x": "a\0b"})


def test_the_environment_tells_the_job() -> None:
    """Experiment, job, attempt, and the hyperparameters as JSON; also NUL characters are safe there."""
    environment = variables("e", "j", 2, {"x": "a\0b"})
    assert environment["SWEEPSTAKE_EXPERIMENT"] == "e"
    assert environment["SWEEPSTAKE_JOB_ID"] == "j"
    assert environment["SWEEPSTAKE_ATTEMPT"] == "2"
    assert json.loads(environment["SWEEPSTAKE_HYPERPARAMETERS"]) == {"x": "a\0b"}
    assert not any("\0" in value for value in environment.values())
