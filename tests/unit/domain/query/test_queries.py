import json
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sweepstake.domain.names import MAX_TEXT
from sweepstake.domain.query.fields import Fields
from sweepstake.domain.query.queries import Condition, JobQuery, Order
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError
from sweepstake.values import JsonItem
from tests.kit.records import job
from tests.kit.strategies import json_values

_FIELDS = st.from_regex(r"(results\.|hyperparameters\.)?[a-z_. é]{1,10}", fullmatch=True).map(str.strip).filter(bool)
_OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


class TestCondition:
    @given(field=_FIELDS.filter(lambda field: field not in {"id", "tags"}), operator=_OPERATORS, value=json_values)
    @example(field="x", operator="=", value="True")
    def test_reads_what_it_writes(self, field: str, operator: str, value: Any) -> None:
        """The text of a condition parses as the same condition, values to the bit."""
        assume(operator in ("=", "!=") or not (value is None or isinstance(value, dict)))
        condition = Condition(field, operator, value)
        again = Condition.parse(str(condition))
        assert (again.field, again.operator) == (field, operator)
        assert JsonItem.of(again.value) == JsonItem.of(value)

    @pytest.mark.parametrize(
        "text,field,operator,value",
        [
            ("results.accuracy >= 0.9", "results.accuracy", ">=", 0.9),
            ("status=DONE", "status", "=", "DONE"),
            ('status == "DONE"', "status", "=", "DONE"),
            ("x!=null", "x", "!=", None),
            ("x<true", "x", "<", True),
            ("x=a=b", "x", "=", "a=b"),
            ("x=", "x", "=", ""),
            ("x=[1, 2]", "x", "=", [1, 2]),
            ("drop > .4", "drop", ">", 0.4),
            ("drop<=1.", "drop", "<=", 1.0),
            ("n>1_000", "n", ">", 1000),
            ("n=+3", "n", "=", 3),
            ("n=0x1f", "n", "=", 31),
            ("loss<inf", "loss", "<", float("inf")),
            ("o='adam'", "o", "=", "adam"),
            ("o='it\\'s > 3 and x'", "o", "=", "it's > 3 and x"),
            ("x=True", "x", "=", True),
            ("x!=None", "x", "!=", None),
            ("x=(1, 'a')", "x", "=", [1, "a"]),
            ("x={'a': .5}", "x", "=", {"a": 0.5}),
            ("id=123", "id", "=", "123"),
            ("id<06a1", "id", "<", "06a1"),
        ],
    )
    def test_takes_json_or_bare_text(self, text: str, field: str, operator: str, value: Any) -> None:
        """A value that is no JSON is text."""
        assert Condition.parse(text) == Condition(field, operator, value)

    @pytest.mark.parametrize("text", ["", "accuracy", ">= 3", "=", "  ", "a ! b"])
    def test_says_what_a_condition_looks_like(self, text: str) -> None:
        """What is no condition is refused with an example, under the caller's path."""
        with pytest.raises(InvalidInputError, match=r"where\[1\]: .*results.accuracy>=0.9"):
            Condition.parse(text, "where[1]")

    @pytest.mark.parametrize(
        "text,problem",
        [
            ("acc => 3", "in quotes"),
            ("acc > 3 and k = 1", "give it separately"),
            ("acc >", "no number"),
            ("accuracy>0.9 and loss<1", "give it separately"),
            ("a>3 and b", "in quotes"),
            ("a = 3 and b=4", "give it separately"),
            ("a=3,b=4", "give it separately"),
            ("a=3&b=4", "give it separately"),
            ("o = salt and pepper", "in quotes"),
            ("a === 3", "in quotes"),
            ("0.1 < lr < 0.3", "give it separately"),
            ("loss < best", "no number"),
            ("loss < 0,5", "no number"),
            ("loss < 3%", "no number"),
            ("loss < math.inf", "no number"),
            ("x = 'a", "closing ' is missing"),
            ("x = 'a' and 'b'", "more follows"),
            ("x = [a, b]", "neither a number nor text in quotes"),
            ("x < None", "nothing is smaller"),
            ("= 3", "FIELD OPERATOR VALUE"),
            ("  = 3", "names no field"),
            ("results['acc'] > 3", "say for example results.accuracy"),
            ("created_at > '2024-01-01'", "Unix time"),
            ("priority = high", "is a number"),
            ("status=done", "must be one of QUEUED"),
            ("status=7", "must be one of QUEUED"),
            ("tags=x", "`tag`"),
        ],
    )
    def test_refuses_what_no_job_can_fulfil(self, text: str, problem: str) -> None:
        """A slip of the pen is told, and does not look like a listing without jobs."""
        with pytest.raises(InvalidInputError, match=rf"where\[0\]: .*{problem}"):
            Condition.parse(text, "where[0]")

    @pytest.mark.parametrize(
        "values,text",
        [
            ({"sched": {"warmup": 2}}, "sched.warmup > 1"),
            ({"sched": {"warmup": 2}}, "hyperparameters.sched.warmup > 1"),
            ({"sched": {"warmup": 2}}, "hyperparameter.sched.warmup > 1"),
            ({"a.b": {"c.d": 2}}, "a.b.c.d > 1"),
            ({"a": {"b": 0}, "a.b": 2}, "a.b > 1"),
            ({"a": 5, "a.b": {"c": 2}}, "a.b.c > 1"),
            ({"": {"": 2}}, "hyperparameters.. > 1"),
            ({"drop": 0.5}, "drop > .4"),
            ({"o": "adam"}, "o == 'adam'"),
            ({"o": "adam"}, "o = adam"),
            ({"use": True}, "use = True"),
            ({"use": None}, "use == None"),
            ({"x": float("nan")}, "x = nan"),
            ({"x": 1.0}, "x != nan"),
            ({"x": "1.2.3"}, "x = 1.2.3"),
        ],
    )
    def test_finds_what_is_written_as_in_python(self, values: dict[str, Any], text: str) -> None:
        """Numbers, quotes, constants and dotted names mean what they mean in a training script."""
        assert Condition.parse(text).holds(job(hyperparameters=values))
        assert not Condition.parse(text).holds(job(hyperparameters={"other": {"warmup": 2, "b": 2}}))

    @pytest.mark.parametrize(
        "unit",
        [
            "where= ",
            " ",
            "a",
            ".",
            "x.",
            "=",
            "!",
            "x=(",
            "[",
            "{'",
            "'",
            "\\",
            "'\\x",
            "9",
            "_",
            "1_",
            "x and ",
            "\u00a0",
            "0x",
        ],
    )
    @pytest.mark.parametrize("begin", ["", "x=", "x<", "x='", "x=1", "x=["])
    def test_reading_takes_time_in_proportion_to_the_text(self, begin: str, unit: str) -> None:
        """Whatever the text repeats, four times as much of it is no more than some four times as many steps."""
        steps = [_steps((begin + unit * MAX_TEXT)[: MAX_TEXT // part]) for part in (4, 2, 1)]
        assert steps[1] <= 2.5 * steps[0] + 200
        assert steps[2] <= 2.5 * steps[1] + 200
        assert steps[2] <= 40 * MAX_TEXT

    def test_the_longest_condition_of_spaces_holds_nobody_up(self) -> None:
        """What once took half a minute is refused in much less than a second."""
        begun = time.process_time()
        for text in (" " * MAX_TEXT, "a" + " " * (MAX_TEXT - 1), " " * (MAX_TEXT - 2) + "=1"):
            with pytest.raises(InvalidInputError):
                Condition.parse(text)
        assert time.process_time() - begun < 0.5

    def test_both_kinds_of_values_have_two_names(self) -> None:
        """Those of conditions and those of tables mean the same."""
        record = job(hyperparameters={"x": 1}, results={"x": 2})
        assert all(Condition(f"{kind}.x", "=", 1).holds(record) for kind in ("hyperparameter", "hyperparameters"))
        assert all(Condition(f"{kind}.x", "=", 2).holds(record) for kind in ("result", "results"))
        odd = job(hyperparameters={"result.x": 3, "notes": 4}, results={"x": 2})
        assert Condition("result.x", "=", 3).holds(odd)
        assert Condition("notes", "=", 4).holds(odd)

    @given(found=json_values, value=json_values)
    def test_equal_and_unequal_are_opposites(self, found: Any, value: Any) -> None:
        """Of a field that is there, exactly one of = and != holds."""
        record = job(results={"x": found})
        assert Condition("x", "=", value).holds(record) is not Condition("x", "!=", value).holds(record)

    def test_a_long_name_costs_no_more_than_its_job(self) -> None:
        """A name of two thousand parts is looked for in each object once, and no path is tried twice."""
        deep: dict[str, Any] = {"a": 1}
        for _ in range(60):
            deep = {"a": deep, "a.a": {"c": 0}}
        record = job(results=deep)
        assert _calls(lambda: Fields(record).get("a." * 2000 + "b", None)) < 5_000

    @given(found=st.integers() | st.floats(allow_nan=False), value=st.integers() | st.floats(allow_nan=False))
    def test_numbers_compare_exactly(self, found: float, value: float) -> None:
        """The order of numbers is that of Python, ints and floats mixed."""
        record = job(results={"x": found})
        assert Condition("x", "<", value).holds(record) is (found < value)
        assert Condition("x", ">=", value).holds(record) is (found >= value)

    @pytest.mark.parametrize("operator", ["=", "<", "<=", ">", ">="])
    @pytest.mark.parametrize("found,value", [(1, True), (False, 0), ("1", 1), (None, 0), ([1], 1), ({}, 1)])
    def test_different_kinds_never_compare(self, operator: str, found: Any, value: Any) -> None:
        """Values of different kinds are neither equal nor ordered; true is no number."""
        assert not Condition("x", operator, value).holds(job(results={"x": found}))

    @pytest.mark.parametrize("operator", ["=", "!=", "<", ">="])
    def test_a_missing_field_holds_nothing(self, operator: str) -> None:
        """A job without the field is kept by no condition on it."""
        assert not Condition("results.x", operator, 1).holds(job(hyperparameters={"x": 1}))
        assert not Condition("worker", operator, "me").holds(job(worker=None))


class TestFieldValue:
    def test_looks_at_results_first(self) -> None:
        """A bare name is looked for among the results, the hyperparameters then."""
        record = job(hyperparameters={"x": 1, "y": 2}, results={"x": 3, "z": None})
        found = [Fields(record).get(name, "missing") for name in ("x", "y", "z", "w", "hyperparameters.x", "results.y")]
        assert found == [3, 2, None, "missing", 1, "missing"]

    def test_keeps_dots_in_names(self) -> None:
        """Everything after the first dot is the name of the value."""
        assert Fields(job(results={"top.5": 7})).get("results.top.5", None) == 7


class TestOrder:
    @given(st.lists(json_values), st.booleans())
    def test_numbers_then_text_then_the_rest(self, found: list[Any], descending: bool) -> None:
        """Sorting never fails, keeps every job, and puts numbers before text before everything else."""
        jobs = [job(seq=seq, results={"x": value}) for seq, value in enumerate(found)]
        keys = [Order("x", descending).key(record) for record in sorted(jobs, key=Order("x", descending).key)]
        assert len(set(keys)) == len(jobs)
        assert [key[0] for key in keys] == sorted(key[0] for key in keys)

    @given(st.lists(st.integers() | st.floats(allow_nan=False)), st.booleans())
    def test_sorts_numbers(self, found: list[float], descending: bool) -> None:
        """Numbers stand in order, ints of any size compared exactly, equal ones by age."""
        jobs = [job(seq=seq, results={"x": value}) for seq, value in enumerate(found)]
        ordered = sorted(jobs, key=Order("x", descending).key)
        expected = sorted(enumerate(found), key=lambda pair: (-pair[1] if descending else pair[1], pair[0]))
        assert [record.seq for record in ordered] == [seq for seq, _ in expected]

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True))
    def test_descending_text_is_ascending_text_reversed(self, found: list[str]) -> None:
        """Text sorts by code point, either way."""
        jobs = [job(seq=seq, results={"x": value}) for seq, value in enumerate(found)]
        assert sorted(jobs, key=Order("x", True).key) == sorted(jobs, key=Order("x").key)[::-1]
        assert [Fields(record).get("x", None) for record in sorted(jobs, key=Order("x").key)] == sorted(found)

    def test_parses_a_sign(self) -> None:
        """A leading minus means descending; no name is refused."""
        assert Order.parse("-results.loss") == Order("results.loss", descending=True)
        assert Order.parse("loss") == Order("loss")
        with pytest.raises(InvalidInputError, match="names no field"):
            Order.parse("-")

    @pytest.mark.parametrize(
        "text,better",
        [("accuracy desc", "-accuracy"), ("loss ASC", "loss"), ("results.loss  descending", "-results.loss")],
    )
    def test_refuses_a_direction_in_words(self, text: str, better: str) -> None:
        """No result is called `accuracy desc`; the error says what to write."""
        with pytest.raises(InvalidInputError, match=rf"order: .*; say {better}$"):
            Order.parse(text)

    def test_a_field_may_be_called_desc(self) -> None:
        """A direction needs a field before it."""
        assert Order.parse("desc") == Order("desc")
        assert Order.parse("-a desk") == Order("a desk", descending=True)


class TestJobQuery:
    def test_every_part_must_hold(self) -> None:
        """A job is kept if its status, its tag and all the conditions are as asked."""
        query = JobQuery(
            status=frozenset({JobStatus.DONE}), tag="good", where=(Condition("x", ">", 1), Condition("x", "<", 3))
        )
        kept = job(results={"x": 2}, tags=("good", "old"))
        assert query.keeps(kept)
        assert not query.keeps(job(results={"x": 2}))
        assert not query.keeps(job(results={"x": 3}, tags=("good",)))
        assert not query.keeps(job(results={"x": 2}, tags=("good",), status=JobStatus.RUNNING))

    def test_asks_for_everything_by_default(self) -> None:
        """A query without parts keeps every job."""
        assert all(JobQuery().keeps(job(status=status)) for status in JobStatus)


def test_condition_text_is_ascii_json() -> None:
    """The value stands in a condition's text as JSON, so that text and numbers stay apart."""
    assert str(Condition("x", "=", "1")) == 'x="1"'
    assert json.loads(str(Condition("x", "=", "é")).removeprefix("x=")) == "é"


def _steps(text: str) -> int:
    """Return how many lines of ours run to read a condition."""
    return _calls(lambda: _read(text))


def _read(text: str) -> None:
    try:
        Condition.parse(text)
    except InvalidInputError:
        return


def _calls(act: Callable[[], object]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace if "sweepstake" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count
