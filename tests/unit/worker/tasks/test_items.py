"""Placeholders, filled with a job's hyperparameters."""

from typing import Any

import pytest

from sweepstake.errors import InvalidInputError
from sweepstake.worker.tasks.items import filled_items, filled_value

VALUES: dict[str, Any] = {"lr": 0.1, "name": "a b", "evil": "x; touch /tmp/evil", "layers": [1, 2], "on": True}


@pytest.mark.parametrize(
    "items, filled",
    [
        (["train", "--lr={lr}", "{layers}", "{on}"], ["train", "--lr=0.1", "[1, 2]", "true"]),
        (["train", "{name}", "--name={name}"], ["train", "a b", "--name=a b"]),
        (["train", "{evil}"], ["train", "x; touch /tmp/evil"]),
        (["train", "{{lr}}", "${lr}", "{}", '{"a": 1}'], ["train", "{lr}", "${lr}", "{}", '{"a": 1}']),
        (["bash", "-c", "train --lr {lr} {name}"], ["bash", "-c", "train --lr 0.1 'a b'"]),
        (["bash", "-c", "train {evil}"], ["bash", "-c", "train 'x; touch /tmp/evil'"]),
        (["bash", "-c", 'train "{lr}"'], ["bash", "-c", 'train "0.1"']),
        (["a", "--{lr}-{lr}"], ["a", "--0.1-0.1"]),
    ],
)
def test_placeholders_are_filled(items: list[str], filled: list[str]) -> None:
    """An item stays one; in a script a text is quoted, whatever it holds."""
    assert filled_items(items, VALUES) == filled


@pytest.mark.parametrize(
    "items, told",
    [
        (["{name}"], r"command\[0\]: must name the program to run"),
        (["bash", "-c", 'train "{evil}"'], r"command\[2\]: \{evil\} would put .* take it for code"),
        (["bash", "-c", "x=$(train {name})"], r"command\[2\]: \{name\} would put"),
        (
            ["train", "{unknown}"],
            r"command\[1\]: has the placeholder \{unknown\}; the hyperparameters of the job are lr",
        ),
    ],
)
def test_what_cannot_be_filled_is_told(items: list[str], told: str) -> None:
    """Who may add jobs must not choose what is run."""
    with pytest.raises(InvalidInputError, match=told):
        filled_items(items, VALUES)


def test_no_item_holds_a_nul_character() -> None:
    """No process could be started with one."""
    with pytest.raises(InvalidInputError, match="NUL"):
        filled_items(["a", "{x}"], {"x": "\0"})
    with pytest.raises(InvalidInputError, match="NUL"):
        filled_value("X", "{x}", {"x": "\0"})


def test_variables_are_filled_as_they_are() -> None:
    """Nobody reads them as code."""
    assert filled_value("X", "{evil} {lr} ${lr}", VALUES) == "x; touch /tmp/evil 0.1 ${lr}"
    with pytest.raises(InvalidInputError, match=r"envVars X: has the placeholder \{no\}"):
        filled_value("X", "{no}", VALUES)
