"""What a failure is called."""

from typing import Any

import pytest

from sweepstake.domain.causes import causes_of, causes_of_exit, check_causes
from sweepstake.errors import InvalidInputError


class TrainingErrors(ExceptionGroup[Exception]):
    """A group with a name of its own."""


def test_an_exception_is_called_by_its_class_and_those_above_it() -> None:
    """Plain and qualified names, the nearest first, without `object`."""
    causes = causes_of(FileNotFoundError("gone"))
    assert causes[:4] == ("FileNotFoundError", "builtins.FileNotFoundError", "OSError", "builtins.OSError")
    assert {"Exception", "BaseException"} <= set(causes)
    assert "object" not in causes


def test_a_nested_class_is_called_by_its_last_name() -> None:
    """As it is written in a traceback, and without the function that holds it."""

    class LossIsNanError(ValueError):
        pass

    assert causes_of(LossIsNanError())[0] == "LossIsNanError"


def test_a_group_is_called_as_itself_and_as_what_it_holds() -> None:
    """Whichever of them no retry can mend, the group's cannot be mended either."""
    causes = causes_of(TrainingErrors("both", [KeyError("x"), ExceptionGroup("inner", [ZeroDivisionError()])]))
    assert causes[0] == "TrainingErrors"
    assert {"ExceptionGroup", "KeyError", "LookupError", "ZeroDivisionError"} <= set(causes)


def test_the_names_of_a_huge_group_are_bounded() -> None:
    """A report stays small however many exceptions there were."""
    kinds = [type(f"Error{i}", (Exception,), {}) for i in range(500)]
    assert len(causes_of(ExceptionGroup("many", [kind() for kind in kinds]))) <= 200


def test_a_name_that_no_list_can_hold_is_left_out() -> None:
    """A class made with a strange name crashes its job all the same."""
    causes = causes_of(type("Bad\nName", (ValueError,), {})())
    assert causes[0] == "ValueError"


def test_an_exit_code_is_a_cause() -> None:
    """Of `sys.exit` beside its class; of a command that signal n ended also as a shell spells it."""
    assert causes_of(SystemExit(3))[:2] == (3, "SystemExit")
    assert causes_of_exit(3) == (3,)
    assert causes_of_exit(-9) == (-9, 137)


def test_a_code_may_be_written_as_a_fraction() -> None:
    """JSON does not tell 3 from 3.0."""
    assert repr(check_causes([3.0, "KeyError"], "causes")) == "(3, 'KeyError')"


@pytest.mark.parametrize("causes, path", [("text", "causes"), ([1.5], "causes[0]"), ([1, True], "causes[1]")])
def test_only_names_and_codes_are_causes(causes: Any, path: str) -> None:
    """Everything else is refused, by its place."""
    with pytest.raises(InvalidInputError) as caught:
        check_causes(causes, "causes")
    assert caught.value.problems[0][0] == path
