"""Placeholders in what a task runs, and all the text that only looks like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.spec.placeholders import Placeholder, escaped, fill, pieces, variable_of

VALUES = {"lr": 0.001, "n": 3, "opt": "adam w", "amp": True, "model.depth": 4, "two words": [1, None], "x/y": None}


@pytest.mark.parametrize(
    "text, filled",
    [
        ("{lr}", "0.001"),
        ("--lr={lr}", "--lr=0.001"),
        ("{n}{n} {n}", "33 3"),
        ("--opt={opt}", "--opt=adam w"),
        ("{amp}", "true"),
        ("{model.depth}", "4"),
        ("{two words}", "[1, null]"),
        ("{x/y}", "null"),
        # a shell's own
        ("${lr}", "${lr}"),
        ("${lr:-{n}}", "${lr:-{n}}"),
        ("$${lr}", "$${lr}"),
        ("${HOME}/{n}", "${HOME}/3"),
        ("$lr ${", "$lr ${"),
        ("{a,b} {1..9} {} {lr,n}", "{a,b} {1..9} {} {lr,n}"),
        ("{a..z}", "{a..z}"),
        ("awk '{print $1}'", "awk '{print $1}'"),
        ("if {n }; then", "if {n }; then"),
        # doubled
        ("{{lr}}", "{lr}"),
        ("{{{lr}}}", "{0.001}"),
        ("{{{{lr}}}}", "{{lr}}"),
        ("a}}b{{c", "a}b{c"),
        ("{{}}", "{}"),
        ("${{lr}}", "${{lr}}"),
        # JSON
        ('{"lr": {lr}}', '{"lr": 0.001}'),
        ('{"a": {"b": {"c": 1}}}', '{"a": {"b": {"c": 1}}}'),
        ('{"a": {"b": {n}}}', '{"a": {"b": 3}}'),
        ('{"a": "{{n}}"}', '{"a": "{n}"}'),
        ('{{"a": {n}}}', '{"a": 3}'),
        ("{", "{"),
        ("}", "}"),
        ("{n", "{n"),
        ("n}", "n}"),
        ("", ""),
    ],
)
def test_a_text_is_filled(text: str, filled: str) -> None:
    """With texts as they are and all else as JSON; what is no placeholder stays."""
    assert fill(text, VALUES) == filled


@pytest.mark.parametrize(
    "text, name", [("{rl}", "rl"), ("--{lr2}", "lr2"), ("{model.width}", "model.width"), ("{a-b}", "a-b")]
)
def test_what_looks_like_a_placeholder_is_one(text: str, name: str) -> None:
    """So that a slip is told instead of run."""
    assert Placeholder(name) in list(pieces(text, VALUES))
    with pytest.raises(KeyError, match=name):
        fill(text, VALUES)


@given(st.text(st.sampled_from("{}a $\"',")))
def test_a_text_with_its_braces_doubled_is_itself_again(text: str) -> None:
    """Whatever it holds; a shell's own braces stay as they are."""
    assert fill(escaped(text), {"a": 1}) == text
    if "$" not in text:
        assert escaped(text) == text.replace("{", "{{").replace("}", "}}")


@given(st.text().filter(lambda text: "{" not in text and "}}" not in text))
def test_a_text_without_braces_is_untouched(text: str) -> None:
    """Almost all texts are."""
    assert fill(text, VALUES) == text


@given(st.text(), st.text(), st.text(st.characters(exclude_characters="{}"), min_size=1))
def test_a_value_is_never_taken_for_a_placeholder(before: str, value: str, name: str) -> None:
    """What fills one is not looked at again."""
    before = before.replace("$", "")
    assert fill(f"{escaped(before)}{{{name}}}", {name: value}) == before + value


@pytest.mark.parametrize(
    "name, variable",
    [
        ("lr", "SWEEPSTAKE_HP_LR"),
        ("model.depth", "SWEEPSTAKE_HP_MODEL_DEPTH"),
        ("layer1", "SWEEPSTAKE_HP_LAYER1"),
        ("größe", "SWEEPSTAKE_HP_GR_SSE"),
    ],
)
def test_a_hyperparameter_has_a_variable(name: str, variable: str) -> None:
    """Upper case, and an underscore for all that a shell would not take."""
    assert variable_of(name) == variable
