"""What `sweepstake worker --on ray` refuses before anything runs, and what it says to do."""

import sys
import time
from collections.abc import Callable

import pytest

import sweepstake
from sweepstake import Database
from sweepstake.cli.main import run_app
from tests.kit.postgres import free_port

_WORKER = ("worker", "mnist", "--on", "ray", "--", "true")


@pytest.fixture(autouse=True)
def _queued(db: Database, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that waits, and no cluster."""
    monkeypatch.setenv("SWEEPSTAKE_URL", url)
    db.add_experiment(sweepstake.ManualSearch("mnist")).add_job({"x": 1})
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command, and returns its error in one line."""

    def tell(*arguments: str, code: int = 1) -> str:
        assert run_app(arguments) == code
        return " ".join(capsys.readouterr().err.split())

    return tell


def test_without_ray_it_says_what_to_install(told: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install '.[ray]'" in told(*_WORKER)


def test_without_an_address_it_says_where_it_is_found(told: Callable[..., str]) -> None:
    """The variable, and the command that tells it."""
    said = told(*_WORKER)
    assert "RAY_ADDRESS" in said
    assert "ray start --head" in said


def test_a_cluster_that_does_not_answer_is_told_at_once(
    told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself would ask for a minute, and then end the process."""
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    began = time.monotonic()
    said = told(*_WORKER)
    assert address in said
    assert "refused" in said
    assert "RAY_ADDRESS must be" in said
    assert time.monotonic() - began < 30.0


@pytest.mark.parametrize(
    "options", [("--max-jobs", "1"), ("--batch", "b/1"), ("--batch", "b/1", "--fill")], ids=lambda each: each[0]
)
def test_what_is_for_one_worker_alone_does_not_go_with_several(
    told: Callable[..., str], options: tuple[str, ...]
) -> None:
    """It says which."""
    assert "do not go with --on ray" in told("worker", "mnist", "--on", "ray", *options, "--", "true", code=2)


def test_it_is_told_for_which_experiments(told: Callable[..., str]) -> None:
    """A worker without any takes tasks of all; a crew is as large as those that are named need."""
    assert "experiments are named" in told("worker", "--on", "ray", code=2)
