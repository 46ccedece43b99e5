"""Long JSON texts, read and written in slices: the same as the standard library does in one piece."""

import gc
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweepstake.slices import MAX_NUMBER, PART, SLICE, count_marks, in_parts, let_go, read_json, write_json
from tests.kit.strategies import json_values

#: What makes a text longer than a slice, at the beginning of a list or object.
LONG: Final = "x" * SLICE


def told(read: Callable[[str], Any], text: str) -> tuple[Any, ...]:
    """Return what a reader makes of a text: its value, or what is wrong and where."""
    try:
        return ("value", repr(read(text)))
    except json.JSONDecodeError as error:
        return ("malformed", error.msg, error.pos)


@settings(max_examples=60)
@given(value=json_values, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_a_long_text_reads_as_in_one_piece(value: Any, indent: int | None, ascii_only: bool) -> None:
    """Within lists and objects, behind long and short neighbours, with spaces and without."""
    for tree in ([LONG, value, [LONG, value], value], {"a": LONG, "b": value, "c": {"a": value, "b": LONG}}):
        text = json.dumps(tree, indent=indent, ensure_ascii=ascii_only)
        assert repr(read_json(text)) == repr(json.loads(text))


@settings(max_examples=60)
@given(value=json_values, place=st.integers(0, 200), what=st.sampled_from(["", '"', "\\", "[", "}", ",", "x", "\x01"]))
def test_a_malformed_text_is_refused_at_the_same_place(value: Any, place: int, what: str) -> None:
    """With the same words, or read the same if it still means something."""
    text = json.dumps([LONG, value, {"k": value}])
    at = SLICE + place % (len(text) - SLICE)
    broken = text[:at] + what + text[at + 1 :]
    assert told(read_json, broken) == told(json.loads, broken)


@pytest.mark.parametrize(
    "text", ['"\\', "\\u0000", "\\ud83d\\ude00", "\\ud83d", "\\ud83d\\u0041", "\\\\", "é\U0001f600", "\\n"]
)
@pytest.mark.parametrize("shift", range(12))
def test_a_long_string_is_cut_between_characters(text: str, shift: int) -> None:
    """Never within an escape, nor between the halves of an escaped pair."""
    units = text if text != '"\\' else "\\\\"
    long = '"' + "x" * shift + units * (2 * SLICE // len(units)) + '"'
    assert read_json(long) == json.loads(long)


@settings(max_examples=60)
@given(value=json_values)
def test_written_in_slices_it_is_the_same_text(value: Any) -> None:
    """Of few and of many members and items, sorted and not."""
    many = [*range(600), value, *[{"a": [1]}] * 300]
    for tree in (value, many, {f"{i}": value for i in range(300)}, {"b": LONG + "é" + LONG, "a": many}):
        for sort_keys in (False, True):
            want = json.dumps(tree, sort_keys=sort_keys, separators=(",", ":"))
            assert write_json(tree, sort_keys=sort_keys, allow_nan=True) == want


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-be", "utf-8-sig"])
@pytest.mark.parametrize("shift", range(4))
def test_bytes_are_decoded_across_slices(encoding: str, shift: int) -> None:
    """A character that begins in one and ends in the next is whole, however far the text goes."""
    text = json.dumps(["x" * shift, "é\U0001f600" * 12 * SLICE, {"é": "\U0001f600"}], ensure_ascii=False)
    assert read_json(text.encode(encoding)) == json.loads(text)


@pytest.mark.parametrize("slices", [1, 3, 9, 30])
def test_the_place_of_a_wrong_byte_is_that_in_the_whole(slices: int) -> None:
    """Not that in its slice."""
    with pytest.raises(UnicodeDecodeError) as caught:
        read_json(b'["' + b"x" * slices * SLICE + b"\xc3\x28")
    assert caught.value.start == slices * SLICE + 2


def test_a_long_text_is_never_put_together() -> None:
    """One character that is four bytes wide does not make all the others so."""
    text = b" " * 4_000_000 + '"\U0001f600"'.encode()
    tracemalloc.start()
    try:
        assert read_json(text) == "\U0001f600"
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_number_without_end_is_refused() -> None:
    """Whichever kind of number it is."""
    for digits in ("1" * (2 * SLICE), "0." + "1" * (2 * SLICE)):
        with pytest.raises(ValueError, match="digits"):
            read_json(f"[{digits}]")
    assert read_json(" " * SLICE + f"[0.{'1' * (MAX_NUMBER - 2)}]") == [0.1111111111111111]


def test_what_nests_without_end_is_refused() -> None:
    """As by the standard library."""
    with pytest.raises(RecursionError):
        read_json("[" * 3 * SLICE)


@settings(max_examples=60)
@given(items=st.lists(json_values, max_size=8), comma=st.sampled_from([",", ", ", " ,\n "]))
def test_items_of_every_kind_are_read_in_runs(items: list[Any], comma: str) -> None:
    """Many short ones, of which one follows the other in any order."""
    text = "[" + comma.join(map(json.dumps, [LONG, *items * 40])) + "]"
    assert repr(read_json(text)) == repr(json.loads(text))


@settings(max_examples=60)
@given(value=json_values)
def test_long_ints_and_what_is_around_them_are_written(value: Any) -> None:
    """Each by itself, and the same text as in one piece."""
    tree = [value, [10**600, -(10**600)] * 3, {"a": 10**600, "b": value}, *range(300), 10**600, *range(300)]
    assert write_json(tree, allow_nan=True) == json.dumps(tree, separators=(",", ":"))


def test_many_names_are_sorted() -> None:
    """As by one call, also those within."""
    names = {f"{i * 7919 % 20_000}": {"b": 1, "a": [{"d": 1, "c": i}]} for i in range(20_000)}
    assert write_json(names, sort_keys=True) == json.dumps(names, sort_keys=True, separators=(",", ":"))


def test_what_is_let_go_is_empty() -> None:
    """At every depth, and of any length."""
    inner: list[Any] = [{"a": 0.5}] * 3
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    for tree in ([inner, *range(1000)], {"a": {"b": inner}}, {str(i): [i] for i in range(1000)}, [deep], [], {}):
        let_go(tree)
        assert not tree
    assert inner == []
    let_go("text")


def test_texts_become_parts_of_bytes() -> None:
    """Short ones together, long ones cut."""
    assert in_parts([]) == ()
    assert in_parts(["ab", "", "c"]) == (b"abc",)
    parts = in_parts(["a", "x" * 3 * PART, "b"])
    assert b"".join(parts) == b"a" + b"x" * 3 * PART + b"b"
    assert max(map(len, parts)) <= 2 * PART
    assert len(parts) > 2


def test_marks_are_counted_in_text_and_bytes() -> None:
    """Across slices."""
    text = "[{x" * SLICE
    assert count_marks(text, "[{") == count_marks(text.encode(), "[{") == 2 * SLICE


GROWING: Final[dict[str, Callable[[int], str]]] = {
    "numbers": lambda n: "[" + "0," * n + "0]",
    "broken numbers": lambda n: "[" + "1," * n + "1e]",
    "members": lambda n: "{" + '"a":0,' * n + '"a":0}',
    "broken members": lambda n: "{" + '"a":0,' * n + '"a":1e}',
    "chains": lambda n: "[" + ("[" * 60 + "]" * 60 + ",") * (n // 60) + "0]",
    "deep": lambda n: "[" * 190 + "0," * n + "0" + "]" * 190,
    "spaces": lambda n: " " * n + "[]",
    "commas": lambda n: "[" + " ,  " * n,
    "quotes": lambda n: "[" + '"' * n,
    "backslashes": lambda n: '"' + "\\" * n,
    "high halves": lambda n: '"' + "\\ud83d" * n,
    "empty": lambda n: "[" + "[]," * n + "[]]",
    "broken items": lambda n: "[" + "[1]," * n + "[1e]]",
    "items that end late": lambda n: "[" + ("[" + "1," * 5000 + "1],") * (n // 5000) + "0]",
}


@pytest.mark.parametrize("kind", GROWING)
def test_reading_takes_time_in_proportion(kind: str) -> None:
    """Four times the text takes about four times the work, whatever the text is made of.

    How much the garbage collector does meanwhile depends on what else the process holds.
    """
    short, long = GROWING[kind](100_000), GROWING[kind](400_000)
    gc.collect()
    gc.disable()
    try:
        rounds = [(_seconds(short), _seconds(long)) for _ in range(4)]
    finally:
        gc.enable()
    assert min(seconds for _, seconds in rounds) < 4 * 3 * min(seconds for seconds, _ in rounds) + 0.1


def _seconds(text: str) -> float:
    began = time.thread_time()
    told(read_json, text)
    return time.thread_time() - began
