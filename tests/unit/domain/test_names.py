from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.domain.names import MAX_NAME, MAX_NOTES, MAX_TAGS, check_name, check_notes, check_tags, file_name
from sweepstake.errors import InvalidInputError
from tests.kit.strategies import names


@given(names)
def test_a_name_is_any_text_without_controls(name: str) -> None:
    """Any Unicode text without control characters is a name, and stays as it is."""
    assert check_name(name, "name") == name


@pytest.mark.parametrize("name", ["a/b", "%2F", "a b", "...", "é", "\u202e", "<b>", "'; drop --", "😀" * 255, "\u00a0"])
def test_odd_names_are_names(name: str) -> None:
    """Slashes, markup, quotes, emoji and odd spaces are allowed."""
    assert check_name(name, "name") == name


@pytest.mark.parametrize(
    "name,problem",
    [
        ("", "must have 1 to 255 characters, has 0"),
        ("a" * (MAX_NAME + 1), "must have 1 to 255 characters, has 256"),
        (".", "must not be"),
        ("..", "must not be"),
        ("a\nb", "U+000A at position 1"),
        ("\0", "U+0000 at position 0"),
        ("ab\x7f", "U+007F at position 2"),
        ("\ud800", "U+D800 at position 0"),
        (3, "must be text, not int"),
        (None, "must be text, not NoneType"),
        (b"x", "must be text, not bytes"),
    ],
)
def test_what_is_no_name_is_refused(name: Any, problem: str) -> None:
    """The error says under the caller's path what is wrong and where."""
    with pytest.raises(InvalidInputError) as caught:
        check_name(name, "job.id")
    [(path, found)] = caught.value.problems
    assert path == "job.id"
    assert problem in found


class _Word(str, Enum):  # noqa: UP042 -- whose str() is not its text
    RED = "red"


def test_texts_that_are_more_are_taken_as_text() -> None:
    """The member of an enum of texts names what its text says."""
    assert check_name(_Word.RED, "name") == check_notes(_Word.RED, "notes") == "red"
    assert {type(check_name(_Word.RED, "name")), type(check_notes(_Word.RED, "notes"))} == {str}


@given(st.lists(names, max_size=MAX_TAGS))
def test_tags_are_kept_once_in_their_order(tags: list[str]) -> None:
    """Repeats vanish; the rest stay as they were."""
    found = check_tags(tags)
    assert list(found) == list(dict.fromkeys(tags))
    assert check_tags(found) == found


@pytest.mark.parametrize(
    "tags,path",
    [("abc", "tags"), (5, "tags"), (["a", ""], "tags[1]"), ([1], "tags[0]"), ([str(i) for i in range(65)], "tags")],
)
def test_what_are_no_tags_is_refused(tags: Any, path: str) -> None:
    """Text alone is no list of tags, each is a name, and there are at most 64."""
    with pytest.raises(InvalidInputError) as caught:
        check_tags(tags)
    assert caught.value.problems[0][0] == path


@pytest.mark.parametrize("notes", ["", "two\nlines\r\n\tand a tab", "é" * MAX_NOTES])
def test_notes_may_have_lines(notes: str) -> None:
    """Free text keeps its line breaks and tabs."""
    assert check_notes(notes, "notes") == notes


@pytest.mark.parametrize("notes", [None, 3, "a\0", "\x1b[31m", "\udfff", "a" * (MAX_NOTES + 1)])
def test_what_are_no_notes_is_refused(notes: Any) -> None:
    """Other controls, lone surrogates and endless text are refused."""
    with pytest.raises(InvalidInputError, match=r"^notes: "):
        check_notes(notes, "notes")


@given(names, names)
def test_file_names_are_safe_and_different(first: str, second: str) -> None:
    """Each name has a file name of its own that no file system takes for a folder."""
    found = file_name(first)
    assert "/" not in found
    assert found not in {"", ".", ".."}
    assert len(found.encode()) <= 255
    assert (file_name(second) == found) is (first == second)
