"""Results that a command prints or writes."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.worker.results import BEGIN, END, BlockReader, parse_block, read_file

OBJECTS = st.dictionaries(
    st.text(max_size=5), st.integers() | st.text(max_size=5) | st.lists(st.booleans(), max_size=2)
)


def read(*pieces: bytes) -> dict[str, Any] | None:
    """Feed the pieces to a reader and return what it found."""
    reader = BlockReader()
    for piece in pieces:
        reader.feed(piece)
    return reader.results()


def block(body: str) -> bytes:
    """Put the body between the markers."""
    return f"{BEGIN}\n{body}\n{END}\n".encode()


def test_output_without_a_block_has_no_results() -> None:
    """No block is not the same as an empty one."""
    assert read(b"epoch 1\nepoch 2") is None
    assert read(block("")) == {}


def test_lines_of_names_and_values() -> None:
    """Values are JSON, and other words are text."""
    body = 'accuracy: 0.9\n\n  weights : /tmp/a: b.pt\nloss:[1, NaN]\nname: "x"'
    results = read(b"noise\n" + block(body) + b"noise\n")
    assert results is not None
    assert (results["accuracy"], results["weights"], results["name"]) == (0.9, "/tmp/a: b.pt", "x")
    assert math.isnan(results["loss"][1])


@pytest.mark.parametrize(
    "printed,value",
    [
        *[("inf", math.inf), ("-inf", -math.inf), ("Infinity", math.inf), (".5", 0.5), ("1.", 1.0), ("+3", 3)],
        *[("-1.e-3", -0.001), ("True", True), ("False", False), ("None", None), ("1e999", math.inf)],
        *[("0.5 %", "0.5 %"), ("true love", "true love"), ("1.2.3", "1.2.3"), ("9" * 5000, "9" * 5000)],
    ],
)
def test_what_python_prints_is_what_it_was(printed: str, value: object) -> None:
    """A number in a form that JSON does not know is a number, and Python's constants are what they are."""
    found = parse_block(f"loss: {printed}".encode())["loss"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("printed", ["nan", "NaN", "-nan"])
def test_nan_is_no_text(printed: str) -> None:
    """A loss that is not a number cannot be taken for a word."""
    assert math.isnan(parse_block(f"loss: {printed}".encode())["loss"])


def test_windows_line_ends_and_indented_markers_are_understood() -> None:
    """White space around a line means nothing."""
    assert read(b"  " + block("a: 1").replace(b"\n", b"\r\n")) == {"a": 1}


def test_the_last_block_counts() -> None:
    """A command may print its results after every epoch."""
    assert read(block("a: 1\nb: 2"), b"epoch\n", block('{"a": 3}')) == {"a": 3}


def test_a_last_line_without_a_line_break_ends_the_block() -> None:
    """Output may end right behind the end marker."""
    assert read(block("a: 1").rstrip(b"\n")) == {"a": 1}


@given(OBJECTS, st.data())
def test_how_output_arrives_makes_no_difference(results: dict[str, Any], data: st.DataObject) -> None:
    """A block is found however the stream is cut into pieces, as an indented object or on one line."""
    indent = data.draw(st.sampled_from([None, 2]))
    stream = b"before\n" + block(json.dumps(results, indent=indent)) + b"after"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*pieces) == results


@pytest.mark.parametrize(
    "body, problem",
    [
        ("{'a': 1}", "not valid JSON"),
        ('{"a": 1} x', "not valid JSON"),
        ("accuracy 0.9", "results line 1: is not of the form"),
        ("a: 1\n: 2", "results line 2"),
    ],
)
def test_a_malformed_block_says_what_is_wrong(body: str, problem: str) -> None:
    """Results that cannot be understood are an error, never dropped silently."""
    with pytest.raises(InvalidInputError, match=problem):
        read(block(body))


def test_a_block_that_is_not_ended_is_an_error() -> None:
    """A command that died while it printed its results has none."""
    with pytest.raises(InvalidInputError, match="END RESULTS"):
        read(f"{BEGIN}\na: 1\n".encode())


def test_a_block_that_is_not_utf8_is_an_error() -> None:
    """The byte is named."""
    with pytest.raises(InvalidInputError, match="UTF-8 at byte 3"):
        parse_block(b"a: \xff")


def test_endless_output_needs_little_memory() -> None:
    """A line without end is forgotten while it comes, and a block after it is still found."""
    reader = BlockReader()
    for _ in range(1000):
        reader.feed(b"x" * 10_000)
    assert len(reader._line) < 1000  # noqa: SLF001 -- memory is the promise
    reader.feed(b"\n" + block("a: 1"))
    assert reader.results() == {"a": 1}


def test_a_huge_block_is_refused() -> None:
    """A block beyond the limit is an error rather than a full memory."""
    reader = BlockReader()
    reader.feed(f"{BEGIN}\n".encode())
    for _ in range(20):
        reader.feed(b"a: 1\n" * 250_000)
    reader.feed(f"{END}\n".encode())
    with pytest.raises(InvalidInputError, match="larger than"):
        reader.results()


def test_the_results_file_is_a_json_object(tmp_path: Path) -> None:
    """Missing or empty, it holds no results; anything but an object is an error."""
    path = tmp_path / "results.json"
    assert read_file(path) is None
    path.write_text(" \n")
    assert read_file(path) is None
    path.write_text('{"a": [1.5]}')
    assert read_file(path) == {"a": [1.5]}
    for wrong in ("[1]", '{"a"', "nan"):
        path.write_text(wrong)
        with pytest.raises(InvalidInputError, match="results file"):
            read_file(path)


def test_a_results_folder_is_an_error(tmp_path: Path) -> None:
    """What cannot be read is told, not raised as a bare OSError."""
    with pytest.raises(InvalidInputError, match="results file: cannot be read"):
        read_file(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_what_is_no_regular_file_holds_nobody_up(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe that nobody writes to, or a device without an end, is refused at once."""
    make(tmp_path / "results.json")
    with pytest.raises(InvalidInputError, match="results file: "):
        read_file(tmp_path / "results.json")
