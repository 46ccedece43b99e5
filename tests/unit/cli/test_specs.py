"""`sweepstake spec` on the command line."""

import json
from pathlib import Path

import pytest

from sweepstake.cli.main import run_app
from sweepstake.spec.schema import json_schema


def test_specs_in_order_are_told_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with how many tasks it has."""
    (tmp_path / "one.yaml").write_text("tasks: [{image: {docker: a}}]")
    (tmp_path / "two.yaml").write_text("tasks: [{image: {docker: a}}, {image: {docker: a}}]")
    assert run_app(["spec", "check", str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/one.yaml: 1 task, no fault\n{tmp_path}/two.yaml: 2 tasks, no fault\n"


def test_faults_are_lines_and_the_exit_code_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all files, and safe to print."""
    (tmp_path / "one.yaml").write_text('taks: []\nversion: "v\\e3"')
    assert run_app(["spec", "check", str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/one.yaml:1:1: taks: is unknown here; did you mean 'tasks'?",
        f"{tmp_path}/one.yaml:2:10: version: must be one of v2, v2-alpha, is 'v\\x1b3'",
        f"{tmp_path}/two.yaml: cannot be read: No such file or directory",
    ]


def test_at_least_one_file_is_named() -> None:
    """Nothing to check is a slip."""
    assert run_app(["spec", "check"]) == 2


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, whole."""
    assert run_app(["spec", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
