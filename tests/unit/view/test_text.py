"""Tables as text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sweepstake.view.cells import cell
from sweepstake.view.table import job_table
from sweepstake.view.text import boxed, listed, paragraphs, plain
from tests.kit.records import job


def test_a_boxed_table_has_a_frame_and_aligned_numbers() -> None:
    """Text stands left, numbers at their decimal point, as Schedy's tables do."""
    table = job_table([job("a", {"x": 0.25}), job("bb", {"x": 10.5})]).only(["id", "x"])
    assert boxed(table).splitlines() == [
        "+------+-------+",
        "| id   |     x |",
        "|------+-------|",
        "| a    |  0.25 |",
        "| bb   | 10.5  |",
        "+------+-------+",
    ]


def test_a_plain_table_is_its_cells() -> None:
    """Without headers only the values are left, two spaces apart, so that `cut` and `awk` can read them."""
    assert plain(job_table([job("a"), job("long")]).only(["id", "status"])) == "a     DONE\nlong  DONE"


def test_a_table_without_rows_is_empty_text() -> None:
    """Listing nothing prints nothing that a script could take for a row."""
    assert plain(job_table([])) == ""
    assert paragraphs(job_table([])) == ""
    assert boxed(job_table([])) == ""


def test_paragraphs_leave_out_what_is_missing() -> None:
    """Each row is a block of lines; a value that is None has no line."""
    table = job_table([job("a", {"x": 1}), job("b")]).only(["id", "x"])
    assert paragraphs(table) == "id: a\nx: 1\n\nid: b"


@pytest.mark.parametrize(
    "value, text",
    [(None, ""), (0.1234567, "0.123457"), (10**20, str(10**20)), (True, "True"), ([1, "é"], '[1, "é"]'), ("x", "x")],
)
def test_a_cell_is_short_text(value: object, text: str) -> None:
    """Floats have six digits; everything else is written out."""
    assert cell(value) == text


def test_text_cannot_drive_the_terminal() -> None:
    """Escape sequences, line breaks and right-to-left overrides in values are written out."""
    table = job_table([job("a", {"x\x1b[2J": "one\ntwo\u202e"})])
    for text in (boxed(table), plain(table), paragraphs(table)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "one\\ntwo" in text


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5) | st.floats() | st.none()), min_size=1, max_size=5))
def test_a_box_is_straight(cells: list[tuple[str, str | float | None]]) -> None:
    """All lines are equally wide, also with wide characters."""
    table = job_table([job("a", {name: value}) for name, value in cells])
    assert len({cell_len(line) for line in boxed(table).splitlines()}) == 1


@given(
    st.lists(
        st.dictionaries(st.text(max_size=12), st.text(max_size=40) | st.floats() | st.integers(), max_size=6),
        min_size=1,
        max_size=4,
    ),
    st.integers(30, 100),
)
def test_a_table_fits_where_its_first_column_does(rows: list[dict[str, Any]], width: int) -> None:
    """No line is wider than the terminal, whatever the values are; ids stay whole, and nothing is left out silently."""
    table = job_table(job(f"job{i}", row) for i, row in enumerate(rows))
    for draw in (boxed, listed):
        text = draw(table, width)
        assert max(map(cell_len, text.splitlines())) <= width
        assert all(f"job{i}" in text for i in range(len(rows)))
        assert ("--wide also shows" in text) or text == draw(table) or "…" in text
