"""Values on the command line, as YAML reads scalars."""

import math
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.cli.queueing.pairs import read_list, read_value


@pytest.mark.parametrize(
    "word, value",
    [
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("007", 7),
        ("0o17", 15),
        ("0xff", 255),
        ("0.5", 0.5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        ("-1e-05", -1e-05),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("rbf", "rbf"),
        ("yes", "yes"),
        ("1_000", "1_000"),
        ("1e", "1e"),
        (".", "."),
        ("-", "-"),
        ("2024-01-31", "2024-01-31"),
        ("'3'", "3"),
        ("'it''s'", "it's"),
        ('"3"', "3"),
        ("[1, null]", [1, None]),
        ('{"a": 1}', {"a": 1}),
        ("Größe 模型", "Größe 模型"),
    ],
)
def test_a_word_is_what_yaml_takes_it_for(word: str, value: Any) -> None:
    """The core schema of YAML 1.2 decides what is a number, and what begins as JSON is JSON."""
    read = read_value(word, "x")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("word", [".nan", ".NaN", "NaN"])
def test_nan_is_a_number(word: str) -> None:
    """As YAML and as JSON writers spell it."""
    assert math.isnan(read_value(word, "x"))


@given(st.integers() | st.floats(allow_nan=False))
def test_numbers_that_python_prints_are_read_back(number: float) -> None:
    """What `repr` writes comes back to the bit, as the same kind."""
    assert repr(read_value(repr(number).replace("inf", ".inf"), "x")) == repr(number)


@pytest.mark.parametrize("word", ["[1,", "{a: 1}", '"open', "[" * 100_000])
def test_what_begins_as_json_must_be_json(word: str) -> None:
    """It is refused by name instead of being taken for text."""
    with pytest.raises(click.UsageError, match="hyperparameter a"):
        read_value(word, "hyperparameter a")


@pytest.mark.parametrize(
    "text, values",
    [
        ("0.1,0.2", [0.1, 0.2]),
        ("rbf, linear", ["rbf", "linear"]),
        ("1", [1]),
        ("[1, [2, 3]]", [1, [2, 3]]),
        ("true,null,x", [True, None, "x"]),
    ],
)
def test_a_list_may_be_written_with_commas(text: str, values: list[Any]) -> None:
    """In a grid's place commas part scalars; nested lists are JSON."""
    assert read_list(text, "x") == values


@pytest.mark.parametrize("text", ["1,,2", "", ",", '{"a": 1}', "[1"])
def test_a_list_with_holes_is_refused(text: str) -> None:
    """An empty place is a slip."""
    with pytest.raises(click.UsageError, match="lr"):
        read_list(text, "lr")
