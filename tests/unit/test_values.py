import json
import math
import struct
from collections import OrderedDict
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.values import (
    EMPTY,
    MAX_DEPTH,
    MAX_INT_DIGITS,
    MAX_TEXT,
    JsonItem,
    JsonObject,
    fingerprint,
    parse_json,
    plain,
)
from tests.kit.strategies import json_mappings, json_values


def _exact(value: Any) -> Any:
    """Turn a value into one that is equal only to the very same: types and bits of floats count."""
    if isinstance(value, dict):
        return [(key, _exact(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [_exact(item) for item in value]
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value)
    return (type(value), value)


def _refused(value: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        JsonObject.of(value, "results")
    [problem] = caught.value.problems
    return problem


class TestRoundTrip:
    @given(json_mappings)
    def test_decode_undoes_of(self, value: dict[str, Any]) -> None:
        """What was put in comes out: the same types, keys in their order, floats to the bit."""
        assert _exact(JsonObject.of(value).decode()) == _exact(value)

    @given(json_values)
    def test_items_decode_as_they_were(self, value: Any) -> None:
        """A value of any kind comes out of an item as it went in."""
        assert _exact(JsonItem.of(value).decode()) == _exact(value)

    @given(json_mappings)
    def test_from_wire_undoes_wire(self, value: dict[str, Any]) -> None:
        """An object that crossed the wire is the same object."""
        kept = JsonObject.of(value)
        assert JsonObject.from_wire(json.loads(json.dumps(kept.wire()))) == kept

    @given(json_mappings)
    def test_text_is_ascii_json(self, value: dict[str, Any]) -> None:
        """The canonical text is ASCII, and JSON to the letter: no NaN tokens."""
        text = JsonObject.of(value).text
        assert text.isascii()
        json.loads(text, parse_constant=pytest.fail)

    @given(st.dictionaries(st.text(), st.floats() | st.integers()))
    def test_any_json_from_outside_is_taken_or_refused(self, value: dict[str, Any]) -> None:
        """Data parsed from a request becomes an object that decodes, whatever its keys."""
        try:
            size = len(JsonObject.from_wire(value).decode())
        except InvalidInputError:
            size = len(value)
        assert size == len(value)

    @pytest.mark.parametrize(
        "number", [1e22, -0.0, 0.1, 5e-324, 1.7976931348623157e308, 2**53 + 1, 2**63, -(2**64), 10**400, 0, -1]
    )
    def test_numbers_keep_their_kind_and_bits(self, number: float) -> None:
        """Ints stay ints of any size, floats stay floats to the bit."""
        assert _exact(JsonObject.of({"x": number}).decode()["x"]) == _exact(number)

    @pytest.mark.parametrize("text", ["\0", "\u2028", "é", "😀", '"\\/', "</script>", "\x7f", "'; drop table jobs --"])
    def test_text_stays_as_it_is(self, text: str) -> None:
        """No character of a key or a value is lost."""
        assert JsonObject.of({text: text}).decode() == {text: text}

    def test_decode_gives_a_new_dict(self) -> None:
        """Whoever decodes owns what came out: changing it changes nothing else."""
        kept = JsonObject.of({"layers": [1, 2]})
        kept.decode()["layers"].append(3)
        assert kept.decode() == {"layers": [1, 2]}

    def test_nothing_is_empty(self) -> None:
        """An empty mapping is the one empty object."""
        assert JsonObject.of({}) is EMPTY
        assert EMPTY.decode() == {}


class TestNonFinite:
    @pytest.mark.parametrize("name,number", [("NaN", math.nan), ("Infinity", math.inf), ("-Infinity", -math.inf)])
    def test_has_an_encoding_of_its_own(self, name: str, number: float) -> None:
        """Non-finite numbers are objects of one key on the wire and numbers in Python."""
        kept = JsonObject.of({"x": [number]})
        assert kept.text == f'{{"x":[{{"$number":"{name}"}}]}}'
        assert _exact(kept.decode()) == _exact({"x": [number]})

    @pytest.mark.parametrize("key", ["$number", "$$number", "$", "$$", "$x"])
    def test_no_value_is_mistaken_for_it(self, key: str) -> None:
        """A user's own `$` keys come back, even around the word NaN."""
        value = {"x": {key: "NaN"}, key: "Infinity"}
        assert JsonObject.of(value).decode() == value

    def test_other_words_are_no_numbers(self) -> None:
        """Only the three words are numbers; anything else under `$number` is data."""
        assert JsonObject.from_wire({"x": {"$number": "1e5"}}).decode() == {"x": {"$number": "1e5"}}
        assert JsonObject.from_wire({"x": {"$number": "NaN", "y": 1}}).decode() == {"x": {"$number": "NaN", "y": 1}}
        assert JsonObject.from_wire({"$number": "NaN"}).decode() == {"$number": "NaN"}

    def test_bare_tokens_are_read(self) -> None:
        """A request with bare NaN tokens, as Python's json writes them, is read as numbers."""
        parsed = parse_json('{"x": NaN, "y": [-Infinity]}')
        assert JsonObject.from_wire(parsed) == JsonObject.of({"x": math.nan, "y": [-math.inf]})

    def test_keys_that_would_be_one_are_refused(self) -> None:
        """Data from outside in which two spellings of a key would become the same is refused, not halved."""
        with pytest.raises(InvalidInputError, match=r"results.*\$\$x"):
            JsonObject.from_wire({"$x": 1, "$$x": 2}, "results")


class TestCanonical:
    @given(json_mappings, st.randoms())
    def test_ignores_the_order_of_keys(self, value: dict[str, Any], random: Any) -> None:
        """Equal values in another order of keys have one canonical text."""
        pairs = list(value.items())
        random.shuffle(pairs)
        assert JsonObject.of(dict(pairs)).canonical() == JsonObject.of(value).canonical()

    def test_tells_kinds_apart(self) -> None:
        """1, 1.0, true and "1" are four values; so are 0.0 and -0.0."""
        values = [1, 1.0, True, "1", 0.0, -0.0, 0, False, None]
        assert len({JsonObject.of({"x": value}).canonical() for value in values}) == len(values)

    def test_reads_non_finite_numbers(self) -> None:
        """Non-finite numbers have a canonical text as well, and equal ones the same."""
        assert JsonObject.of({"x": float("nan")}).canonical() == JsonObject.of({"x": -math.nan}).canonical()


class _Color(StrEnum):
    RED = "red"


class _Size(IntEnum):
    BIG = 3


class _Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class _Number(float):
    __slots__ = ()


class TestAccepted:
    @pytest.mark.parametrize(
        "given_value,kept",
        [
            (np.float64(0.1), 0.1),
            (np.float32(0.5), 0.5),
            (np.int64(-7), -7),
            (np.uint64(2**64 - 1), 2**64 - 1),
            (np.bool_(True), True),
            (np.str_("é"), "é"),
            (np.float64("nan"), math.nan),
            (np.array([1, 2]), [1, 2]),
            (np.array([[1.5], [np.inf]]), [[1.5], [math.inf]]),
            (np.array(3), 3),
            (np.array([]), []),
            ((1, (2, 3)), [1, [2, 3]]),
            (_Color.RED, "red"),
            (_Size.BIG, 3),
            (_Text("own"), "own"),
            (_Number(0.25), 0.25),
            (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
            (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ],
    )
    def test_takes_what_numpy_and_subclasses_make(self, given_value: Any, kept: Any) -> None:
        """Numpy's scalars and arrays, tuples, enums, other mappings and subclasses become plain values."""
        assert _exact(JsonObject.of({"x": given_value}).decode()["x"]) == _exact(kept)

    def test_takes_keys_of_a_subclass(self) -> None:
        """A key is the text that it is, whatever its class says about itself."""
        assert JsonObject.of({_Text("own"): 1, _Color.RED: 2}).decode() == {"own": 1, "red": 2}

    def test_plain_is_wire_data(self) -> None:
        """`plain` gives one value in the form it has on the wire."""
        assert plain([np.float64(1.5), math.nan, {"$": None}]) == [1.5, {"$number": "NaN"}, {"$$": None}]


class TestRefused:
    @pytest.mark.parametrize(
        "value,path,problem",
        [
            ({"a": {"b": [1, object()]}}, "results.a.b[1]", "is an object"),
            ({"a": {1, 2}}, "results.a", "is a set"),
            ({"a": b"bytes"}, "results.a", "is a bytes"),
            ({"a": 1 + 2j}, "results.a", "is a complex"),
            ({"a": np.complex64(1)}, "results.a", "is a complex"),
            ({"a": np.datetime64("2020-01-01")}, "results.a", "is a date"),
            ({"a": {3: 1}}, "results.a", "has the key 3, an int; keys must be text"),
            ({None: 1}, "results", "has the key None"),
            ({"a": "\ud800"}, "results.a", "lone surrogate at position 0"),
            ({"a": ["ok\udfff"]}, "results.a[0]", "lone surrogate at position 2"),
            ({"\udc00": 1}, "results.\\udc00", "lone surrogate"),
            ({"a": 10**MAX_INT_DIGITS}, "results.a", "more than 4300 digits"),
            ({"a": -(10**MAX_INT_DIGITS)}, "results.a", "more than 4300 digits"),
            ([1], "results", "must be an object (a dict), not list"),
            (None, "results", "must be an object (a dict), not NoneType"),
            ("{}", "results", "must be an object (a dict), not str"),
        ],
    )
    def test_names_the_place(self, value: Any, path: str, problem: str) -> None:
        """What JSON cannot hold is refused under its path, with what is wrong with it."""
        found_path, found_problem = _refused(value)
        assert found_path == path
        assert problem in found_problem

    def test_cycles(self) -> None:
        """A structure that holds itself is refused, not followed for ever."""
        loop: dict[str, Any] = {}
        loop["self"] = [loop]
        path, problem = _refused(loop)
        assert problem == f"nests deeper than {MAX_DEPTH} levels"
        assert len(path) <= 200

    @pytest.mark.parametrize("opening,closing", [("[", "]"), ('{"a":', "}")])
    def test_depth(self, opening: str, closing: str) -> None:
        """Values nest as deep as said and no deeper, and the deepest can be decoded."""
        deepest = json.loads(opening * (MAX_DEPTH - 1) + "1" + closing * (MAX_DEPTH - 1))
        assert JsonObject.of({"a": deepest}).decode() == {"a": deepest}
        assert _refused({"a": [deepest]})[1] == f"nests deeper than {MAX_DEPTH} levels"

    def test_size(self) -> None:
        """An object has at most MAX_TEXT characters, escapes counted."""
        overhead = len('{"x":""}')
        assert len(JsonObject.of({"x": "a" * (MAX_TEXT - overhead)}).text) == MAX_TEXT
        path, problem = _refused({"x": "a" * (MAX_TEXT - overhead + 1)})
        assert path == "results"
        assert "is too large" in problem
        assert "is too large" in _refused({"x": "é" * (MAX_TEXT // 6)})[1]

    def test_the_largest_int(self) -> None:
        """An int of as many digits as allowed is kept, and can be decoded."""
        largest = 10**MAX_INT_DIGITS - 1
        assert JsonObject.of({"x": -largest}).decode() == {"x": -largest}

    def test_items_say_where(self) -> None:
        """An item that cannot be kept is refused under its path."""
        with pytest.raises(InvalidInputError, match=r"values\[3\]: is a set"):
            JsonItem.of({1}, "values[3]")
        with pytest.raises(InvalidInputError, match="x: is too large"):
            JsonItem.of("a" * MAX_TEXT, "x")


class TestFingerprint:
    """What tells whether values have to be made into text again."""

    @given(json_mappings)
    def test_equal_values_agree(self, value: dict[str, Any]) -> None:
        """What is decoded twice has the same fingerprint."""
        stored = JsonObject.of(value)
        assert fingerprint(stored.decode()) == fingerprint(stored.decode())

    @given(json_mappings, json_mappings)
    def test_equal_fingerprints_mean_equal_text(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        """Values with the same fingerprint have the same canonical text."""
        same = fingerprint(one) is not None and fingerprint(one) == fingerprint(other)
        assert not same or JsonObject.of(one) == JsonObject.of(other)

    @pytest.mark.parametrize("pair", [(1, 1.0), (1, True), (0.0, -0.0), (0, False), ("1", 1), (None, False), ([], {})])
    def test_lookalikes_differ(self, pair: tuple[object, object]) -> None:
        """Values that Python calls equal, or that print alike, have different fingerprints."""
        one, other = pair
        assert fingerprint({"x": one}) != fingerprint({"x": other})

    def test_what_has_none_is_no_error(self) -> None:
        """A value that is no JSON at all has no fingerprint; saying what is wrong with it is for others."""
        assert fingerprint({"x": object()}) is None


class TestParseJson:
    @pytest.mark.parametrize(
        "text,problem",
        [
            ("{", "is not valid JSON: .* at position 1"),
            ("", "is not valid JSON"),
            (b'"\xff"', "is not valid UTF-8 at byte 1"),
            ("1" * (MAX_INT_DIGITS + 1), "an integer of more than 4300 digits"),
            ("[" * 200_000, "nests deeper"),
            ('{"a":' * 200_000, "nests deeper"),
        ],
    )
    def test_says_what_is_wrong(self, text: str | bytes, problem: str) -> None:
        """Whatever is no JSON is refused in words, under the path."""
        with pytest.raises(InvalidInputError, match="^body: .*" + problem):
            parse_json(text, "body")

    @given(st.binary())
    def test_never_fails_otherwise(self, data: bytes) -> None:
        """Bytes are JSON or refused."""
        try:
            value = parse_json(data)
        except InvalidInputError:
            value = None
        assert value is None or isinstance(value, (bool, int, float, str, list, dict))
