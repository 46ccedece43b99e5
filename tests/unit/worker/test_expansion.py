"""Commands with a job's values in them."""

import json
import shlex
import subprocess
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.errors import InvalidInputError
from sweepstake.worker.expansion import Values, check_command, expand, names_program, variables

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.lists(st.integers(), max_size=3)
)
#: What others may call their jobs: each makes a file P where a shell takes it for code, or is taken for an option.
ATTACKS = [
    *("x; echo>P", "$(echo>P)", "`echo>P`", "' ; echo>P; '", '" ; echo>P; "', "'; echo>P; #", '"; echo>P; #'),
    *("x\\'; echo>P; #", "&echo>P", "|echo>P", "<(echo>P)", "a[$(echo>P)]", "'\"'\"'; echo>P;'", "x' 'y", "\\"),
]


def filled(command: list[str], hyperparameters: Mapping[str, Any], experiment: str = "e", job: str = "j") -> list[str]:
    """Return the arguments of a command."""
    return expand(command, Values(experiment=experiment, job_id=job, hyperparameters=hyperparameters))


def test_what_no_process_can_be_started_with_is_left_out() -> None:
    """Huge hyperparameters do not keep a command that never asked for them from starting."""
    environment = variables(Values(experiment="e", job_id="j", hyperparameters={"x": "y" * 200_000}), 1)
    assert "SWEEPSTAKE_HYPERPARAMETERS" not in environment
    assert environment["SWEEPSTAKE_JOB_ID"] == "j"


def test_hyperparameters_become_pairs_of_arguments() -> None:
    """`%h` alone is two arguments for each: text as it is, everything else as JSON."""
    hyperparameters = {"lr": 1e-05, "name": "two words", "layers": [1, 2], "deep": True, "none": None}
    assert filled(["train", "%h"], hyperparameters) == [
        *["train", "--lr", "1e-05", "--name", "two words", "--layers", "[1, 2]", "--deep", "true", "--none", "null"]
    ]


def test_a_value_that_looks_like_an_option_stays_with_its_name() -> None:
    """A negative number, or text with a dash, is written --NAME=VALUE, as `%H` writes all of them."""
    hyperparameters = {"x": -1e-05, "y": 2, "z": "-rf", "w": [-1]}
    assert filled(["%h"], hyperparameters) == ["--x=-1e-05", "--y", "2", "--z=-rf", "--w", "[-1]"]
    assert filled(["%H"], hyperparameters) == ["--x=-1e-05", "--y=2", "--z=-rf", "--w=[-1]"]


def test_names_and_percent_signs_are_put_into_arguments() -> None:
    """`%e`, `%j` and `%%` work anywhere in an argument, and only once."""
    command = ["--out=%e/%j.txt", "100%%", "%%e", "%e", "%%%j"]
    assert filled(command, {}, "my exp", "%e") == ["--out=my exp/%e.txt", "100%", "%e", "my exp", "%%e"]


@given(st.dictionaries(TEXT, VALUES, max_size=4), st.sampled_from(["%h", "%H"]))
def test_a_shell_sees_the_same_words(hyperparameters: dict[str, object], escape: str) -> None:
    """Among the words of a shell's script they are quoted, so that no value can run a command."""
    words = filled([escape], hyperparameters)
    *_, script = filled(["env", "A=1", "bash", "-o", "pipefail", "-lc", f"train {escape}"], hyperparameters)
    assert shlex.split(script) == ["train", *words]


@pytest.mark.parametrize(
    "script",
    [
        *("echo %j", "echo '%j'", 'echo "%j"', "echo `echo %j`", 'echo "$(echo %j)"', "echo $'%j'", "echo $%j"),
        *("echo \\%j", "echo a # it's %j", "eval echo %j", "eval 'echo %j'", "sh -c 'echo %j'", "sh -c %j", "%j"),
        *("cat <<X\n%j\nX", "[[ %j -eq 1 ]]", "let %j", "echo $((%j))", "A=%j; echo $A", "echo >out%j", "trap %j EXIT"),
        *("echo 'echo '%j | sh", "echo %j | sh", "echo %j >f; sh f", "echo %j | /bin/bash -s", "echo %j | python3"),
        *("echo 'a'%j'b'", 'echo "a"%j"b"', "echo ${A:-%j}", "awk 'BEGIN{print \"%j\"}'", "A=1 # '\necho %j"),
    ],
)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_no_text_becomes_code_in_a_script(script: str, shell: str, tmp_path: Path) -> None:
    """Whatever the quotes around it: the text is a word of the script, or the command is refused, saying why."""
    for text, escape in product(ATTACKS, ["%j", "%e", "%h"]):
        values = Values(experiment=text, job_id=text, hyperparameters={text: text})
        try:
            command = expand([shell, "-c", script.replace("%j", escape)], values)
        except InvalidInputError as error:
            assert "command[2]" in str(error)  # noqa: PT017 -- either is right
            continue
        subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
        assert not (tmp_path / "P").exists(), command


@pytest.mark.parametrize("text", ["x; echo>P", "it's", 'say "no"', "$HOME", "a b", "é", "x\\"])
def test_a_shell_is_given_the_text(text: str) -> None:
    """Outside of quotes a script has the very text as one word, whatever it holds."""
    command = filled(["sh", "-c", "printf '%%s.' %j out=%j"], {}, job=text)
    ran = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert ran.stdout == f"{text}.out={text}.".encode()


@pytest.mark.parametrize("text", ATTACKS)
@pytest.mark.parametrize(
    "command",
    [
        *(["ssh", "host", "train", "%j"], ["make", "JOB=%j"], ["python", "-c", "print('%j')"], ["perl", "-e", "%j"]),
        *(
            ["perl", "-e%j"],
            ["env", "-S%j"],
            ["sbatch", "--wrap=%j"],
            ["sed", "s/x/%j/"],
            ["fish", "-c", "echo %j"],
            ["sh", "-c", "%j"],
            ["train %j"],
        ),
        *(["ssh", "host", "sh", "-c", "train %j"], ["env", "-S", "%j"], ["env", "-Strain %j"], ["x", "'%j'"]),
    ],
)
def test_what_may_be_read_as_code_takes_plain_text_alone(text: str, command: list[str]) -> None:
    """The error says what to write instead; text of letters, digits and the like is taken."""
    if command != ["sh", "-c", "%j"]:  # which is a word of its script
        with pytest.raises(InvalidInputError, match=r'command\[\d\].*take it for code.*"\$SWEEPSTAKE_JOB_ID"'):
            filled(command, {}, job=text)
    assert "lr=1e-3,é" in filled(command, {}, job="lr=1e-3,é")[-1]


@pytest.mark.parametrize("command", [["rm", "%j"], ["%j.txt"], ["sh", "-c", "rm %j"], ["sh", "-c", "rm '%j'"]])
def test_an_id_is_no_option(command: list[str]) -> None:
    """What begins with a dash is refused where an option may stand, and taken behind an equals sign."""
    with pytest.raises(InvalidInputError, match="option"):
        filled(command, {}, job="-rf")
    assert filled(["--job=%j"], {}, job="-rf") == ["--job=-rf"]


@pytest.mark.parametrize("text", ["../x", "a/../../x", "..", "a/.."])
@pytest.mark.parametrize("command", [["--out=runs/%j"], ["sh", "-c", "echo > runs/%j"], ["sh", "-c", "echo >'%j'"]])
def test_an_id_does_not_lead_out_of_a_folder(command: list[str], text: str) -> None:
    """A path that is made of it stays below what stands before it; a slash alone is a name's."""
    with pytest.raises(InvalidInputError, match="could"):
        filled(command, {}, job=text)
    assert "a/b" in filled(command, {}, job="a/b")[-1]


def test_an_argument_of_its_own_is_exactly_the_text() -> None:
    """No quoting is added, and none is needed: nobody reads it as code."""
    for text in ATTACKS:
        assert filled(["train", "%j", "%e"], {}, text, text) == ["train", text, text]
        assert filled(["sh", "-c", 'train "$@"', "sh", "%j", "%h"], {"x": text}, job=text)[-3:] == [text, "--x", text]


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_values_can_be_read_back(hyperparameters: dict[str, object]) -> None:
    """Names and values survive the way through the arguments."""
    words = filled(["%H"], hyperparameters)
    for (name, value), word in zip(hyperparameters.items(), words, strict=True):
        text = word.removeprefix(f"--{name}=")
        assert (text if isinstance(value, str) else json.loads(text)) == value


@pytest.mark.parametrize("command", [["%d"], ["a", "50%"], ["%\n"]])
def test_an_unknown_escape_is_refused_before_a_job_is_claimed(command: list[str]) -> None:
    """The message names the argument and the way to write a percent sign."""
    with pytest.raises(InvalidInputError, match=r"command\[\d\]: '%.*write %% for a percent sign"):
        check_command(command)


def test_the_name_of_an_experiment_is_refused_before_a_job_is_claimed() -> None:
    """It is known at the start; each of several is looked at."""
    check_command(["sh", "-c", "train '%e'"], ["a", "b"])
    with pytest.raises(InvalidInputError, match=r'command\[2\].*"a b".*|SWEEPSTAKE_EXPERIMENT'):
        check_command(["sh", "-c", "train '%e'"], ["a", "a b"])


@pytest.mark.parametrize("escape", ["%j", "%e", "%h", "%H"])
def test_the_program_is_the_owners_to_choose(escape: str) -> None:
    """An id that is the name of a program does not run it."""
    with pytest.raises(InvalidInputError, match=r"command\[0\]: must name the program"):
        check_command([escape, "x"])


def test_an_empty_command_is_refused() -> None:
    """Nothing to run is an error that shows how to write a command."""
    with pytest.raises(InvalidInputError, match=r"-- python train\.py %h"):
        check_command([])


def test_a_nul_character_is_refused() -> None:
    """What no argument can hold is named, with the other way to read it."""
    with pytest.raises(InvalidInputError, match="SWEEPSTAKE_HYPERPARAMETERS"):
        filled(["%h"], {"x": "a\0b"})


def test_the_program_is_the_commands_or_the_jobs() -> None:
    """Only where a job has a part in its name can a job be blamed for a program that is not there."""
    assert names_program(["./%e/train", "%j"])
    assert names_program(["100%%j"])
    assert not names_program(["./%j.sh"])


def test_the_environment_tells_the_job() -> None:
    """Experiment, job, attempt, and the hyperparameters as JSON; also NUL characters are safe there."""
    environment = variables(Values(experiment="e", job_id="j", hyperparameters={"x": "a\0b"}), 2)
    assert environment["SWEEPSTAKE_EXPERIMENT"] == "e"
    assert environment["SWEEPSTAKE_JOB_ID"] == "j"
    assert environment["SWEEPSTAKE_ATTEMPT"] == "2"
    assert json.loads(environment["SWEEPSTAKE_HYPERPARAMETERS"]) == {"x": "a\0b"}
    assert not any("\0" in value for value in environment.values())
