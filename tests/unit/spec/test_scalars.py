"""What plain scalars mean, and the texts of durations and sizes."""

import copy
import json
import math
import pickle
import re
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.spec.scalars import (
    WrittenFloat,
    WrittenInt,
    memory_bytes,
    parse_duration,
    resolve_yaml11,
    resolve_yaml12,
    written,
)

PLAIN = [
    "5",
    "012",
    "-012",
    "1e-4",
    "1.5e-4",
    "1.5e+4",
    "0x1F",
    "0X1F",
    "0b11",
    "1_000",
    "1__0",
    "1:30",
    "1:30.5",
    "-1:30",
    ".5",
    "5.",
    "-3",
    "+4",
    ".inf",
    "-.Inf",
    "+.INF",
    ".nan",
    ".NaN",
    "yes",
    "no",
    "Yes",
    "NO",
    "true",
    "True",
    "TRUE",
    "tRue",
    "on",
    "Off",
    "OFF",
    "y",
    "n",
    "null",
    "Null",
    "~",
    "nULL",
    "2024-01-01",
    "2024-1-1",
    "2024-02-29T10:00:00Z",
    "08",
    "09",
    "0o17",
    "0_",
    "-0",
    "0",
    "1.50",
    "1e5",
    "3.0",
    "._1",
    ".",
    "..",
    "+",
    "--",
    "+-",
    "1.2.3",
    "1-2",
    "2024-01-01x",
    "0.0.0.0",
    "1.e+3",
    "12e03",
    "0x",
    "00",
    "000",
    "1,000",
    "½",
    "٣",
]


def same(found: object, expected: object) -> bool:
    """Compare values; dates are only told from others, and NaN is NaN."""
    return isinstance(expected, date) or found == expected or repr(found) == repr(expected) == "nan"


@pytest.mark.parametrize("text", PLAIN)
def test_plain_scalars_are_what_pyyaml_takes_them_for(text: str) -> None:
    """beaker-py reads files with PyYAML, and so with YAML 1.1."""
    try:
        expected: Any = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        expected = text  # a text that PyYAML itself cannot make a value of
    found = resolve_yaml11(text)
    assert same(found, expected)
    assert isinstance(found, type(expected) if not isinstance(expected, date) else date)


@given(st.text(st.sampled_from("0123456789+-._:eExXbBoOaAfFnNiItT"), min_size=1, max_size=12))
def test_texts_like_numbers_are_what_pyyaml_takes_them_for(text: str) -> None:
    """Whatever digits and signs are put together."""
    try:
        expected = yaml.safe_load(f"key: {text}")["key"]
    except (ValueError, OverflowError, IndexError, TypeError, yaml.YAMLError):
        return  # no scalar, or one that PyYAML itself cannot make a value of
    if isinstance(expected, dict | list | date):
        return
    assert same(resolve_yaml11(text), expected)


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-4", 1e-4), ("1E5", 1e5), ("012", 12), ("0o14", 12), ("0x1F", 31), ("-.5", -0.5), ("5.", 5.0), ("+7", 7),
        ("yes", "yes"), ("on", "on"), ("true", True), ("FALSE", False), ("~", None), ("null", None), ("1_000", "1_000"),
        ("1:30", "1:30"), ("-.inf", -math.inf), (".INF", math.inf), ("2024-01-01", "2024-01-01"), ("0b1", "0b1"),
        ("tRue", "tRue"), ("e5", "e5"), ("-", "-"), (".", "."), ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_yaml_1_2_has_fewer_surprises(text: str, value: object) -> None:
    """Exponents need no sign, zeros in front mean nothing, and only true and false are truth values."""
    found = resolve_yaml12(text)
    assert (found, type(found)) == (value, type(value))


def test_numbers_remember_how_they_were_written() -> None:
    """A process gets what stood in the file, while Python gets the number."""
    octal, decimal = resolve_yaml11("012"), resolve_yaml11("1.50")
    assert (octal, decimal) == (10, 1.5)
    assert isinstance(octal, WrittenInt)
    assert isinstance(decimal, WrittenFloat)
    assert [written(each) for each in (octal, decimal, 5, 0.1, "x")] == ["012", "1.50", "5", "0.1", "x"]
    assert json.dumps([octal, decimal]) == "[10, 1.5]"
    assert [written(each) for each in pickle.loads(pickle.dumps([octal, decimal]))] == ["012", "1.50"]
    assert written(copy.deepcopy(octal)) == "012"


def test_numbers_that_python_writes_alike_need_no_memory() -> None:
    """Most numbers are plain ones."""
    assert [type(resolve_yaml11(text)) for text in ("5", "-3", "0.5", "1e+16")] == [int, int, float, str]
    assert WrittenInt(7).text == "7"
    assert WrittenFloat(0.5).text == "0.5"


@pytest.mark.parametrize("text", ["0x_", "0b_", "9" * 5000])
def test_what_python_cannot_count_is_a_text(text: str) -> None:
    """No digits, or more than Python takes."""
    assert resolve_yaml11(text) == text


S = 10**9


@pytest.mark.parametrize(
    "text, nanoseconds",
    [
        ("10m", 600 * S), ("48h0m0s", 172_800 * S), ("1.5 hours", 5400 * S), ("90", 90 * S), ("1.5", 3 * S // 2),
        ("2 H 30 Min", 9000 * S), ("1ns", 1), ("5 us", 5000), ("5 µs", 5000), ("5 μs", 5000), ("5MS", 5 * 10**6),
        ("1 nanosecond", 1), ("2 Microseconds", 2000), ("3 milliseconds", 3 * 10**6), ("1 second", S),
        ("4 MINUTES", 240 * S), (" 1h ", 3600 * S), (".5s", S // 2), ("0s", 0), ("1h1h", 7200 * S), ("0.1ns", 0),
        ("5.s", 5 * S),
    ],
)  # fmt: skip
def test_durations(text: str, nanoseconds: int) -> None:
    """Parts of a number and a unit, with or without spaces; a number alone is in seconds."""
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text, problem",
    [
        ("1d", "counts days or weeks in '1d'; the longest unit is the hour"),
        ("2 Days 3h", "counts days or weeks in '2 Days 3h'; the longest unit is the hour"),
        ("-5m", "must not be negative, is '-5m'"),
        ("5 parsecs", "has the unknown unit 'parsecs'; use ns, us, ms, s, m or h"),
        ("soon", "must be a duration such as '10m' or '1.5 hours', is 'soon'"),
        ("", "must be a duration such as '10m' or '1.5 hours', is ''"),
        ("10m5", "must be a duration such as '10m' or '1.5 hours', is '10m5'"),
        ("1e3", "has the unknown unit 'e'; use ns, us, ms, s, m or h"),
        ("1,5h", "must be a duration such as '10m' or '1.5 hours', is '1,5h'"),
        ("9" * 2_000_000, "must be a duration such as '10m' or '1.5 hours', is '" + "9" * 79),
        ("9999999999h", "must be at most 292 years, is '9999999999h'"),
    ],
)
def test_other_texts_are_no_durations(text: str, problem: str) -> None:
    """The message says what a duration looks like, or what is wrong with this one."""
    with pytest.raises(ValueError, match=re.escape(problem) + "$"):
        parse_duration(text)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_compound_durations_add_up(hours: int, minutes: int, seconds: int) -> None:
    """As Go writes them."""
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == (hours * 3600 + minutes * 60 + seconds) * S


@pytest.mark.parametrize(
    "text, size",
    [
        ("1b", 1), ("2.5GiB", 5 * 2**29), ("1024m", 2**30), ("512 M", 2**29), ("1k", 2**10), ("1 kib", 2**10),
        ("1MIB", 2**20), ("1g", 2**30), ("1 TiB", 2**40), ("1t", 2**40), (" 1B ", 1), (".5KiB", 512),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    """A number and a unit, of which each is 1024 of the one before."""
    assert memory_bytes(text) == size


@pytest.mark.parametrize("text", ["", "5", "GiB", "-1GiB", "5 GB", "1e3m", "5 apples", "1,5g", "5 g b", "0x1g"])
def test_other_texts_are_no_sizes(text: str) -> None:
    """A number without a unit is as wrong as a unit that may be meant in tens."""
    problem = f"must be a number with a unit (b, k, m, g, t or KiB to TiB) such as '2.5GiB', is {text!r}"
    with pytest.raises(ValueError, match=re.escape(problem)):
        memory_bytes(text)


def test_no_size_is_endless() -> None:
    """Digits are not counted beyond what anybody means."""
    with pytest.raises(ValueError, match="must be a number with a unit"):
        memory_bytes("9" * 2_000_000 + "g")
