"""The job that a script runs for, as it is told without a store."""

import json
import math
import os
import sys
from pathlib import Path

import pytest

import sweepstake
from sweepstake.cli.main import run_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of an attempt, and its folder."""
    for name in ("SWEEPSTAKE_HELD", "TORCHELASTIC_RUN_ID", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SWEEPSTAKE_EXPERIMENT", "exp")
    monkeypatch.setenv("SWEEPSTAKE_JOB_ID", "train.1")
    monkeypatch.setenv("SWEEPSTAKE_ATTEMPT", "2")
    monkeypatch.setenv("SWEEPSTAKE_HYPERPARAMETERS", '{"lr": 0.1, "bound": Infinity}')
    monkeypatch.setenv("SWEEPSTAKE_RESULTS_PATH", str(tmp_path / "results.json"))
    return tmp_path


def test_a_script_is_told_its_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By variables; those that only tasks have may be missing."""
    job = sweepstake.current_job()
    assert (job.experiment, job.job_id, job.attempt) == ("exp", "train.1", 2)
    assert (job.task, job.seed, job.rank, job.result_dir) == (None, None, 0, None)
    assert job.hyperparameters == {"lr": 0.1, "bound": math.inf}
    monkeypatch.setenv("SWEEPSTAKE_TASK", "train")
    monkeypatch.setenv("SWEEPSTAKE_SEED", "3")
    monkeypatch.setenv("SWEEPSTAKE_REPLICA_RANK", "1")
    monkeypatch.setenv("SWEEPSTAKE_RESULT_DIR", str(folder))
    job = sweepstake.current_job()
    assert (job.task, job.seed, job.rank, job.result_dir) == ("train", 3, 1, folder)


def test_the_file_of_hyperparameters_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long ones stand in no variable."""
    (folder / "hyperparameters.json").write_text('{"lr": 1}')
    monkeypatch.setenv("SWEEPSTAKE_HYPERPARAMETERS_PATH", str(folder / "hyperparameters.json"))
    monkeypatch.delenv("SWEEPSTAKE_HYPERPARAMETERS")
    assert sweepstake.current_job().hyperparameters == {"lr": 1}


def test_results_begin_with_what_the_job_starts_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a child in population based training does; until the script has written some."""
    (folder / "start.json").write_text('{"weights": "a.pt"}')
    monkeypatch.setenv("SWEEPSTAKE_START_PATH", str(folder / "start.json"))
    job = sweepstake.current_job()
    assert job.results == {"weights": "a.pt"}
    job.results["loss"] = 0.5
    assert sweepstake.current_job().results == {"weights": "a.pt", "loss": 0.5}


def test_results_are_written_as_they_are_set(folder: Path) -> None:
    """Whole each time, and found again by who asks again."""
    file = folder / "results.json"
    job = sweepstake.current_job()
    job.results["loss"] = 0.5
    assert json.loads(file.read_text()) == {"loss": 0.5}
    job.results.update(loss=0.25, steps=[1, 2])
    assert json.loads(file.read_text()) == {"loss": 0.25, "steps": [1, 2]}
    del job.results["steps"]
    assert sweepstake.current_job().results == {"loss": 0.25}
    assert [each.name for each in folder.iterdir() if each.is_file()] == ["results.json"]


def test_results_may_be_assigned(folder: Path) -> None:
    """As those of a job that a script has claimed; nothing else of the job may."""
    job = sweepstake.current_job()
    job.results["steps"] = 7
    job.results = {"loss": 0.5}
    job.results |= {"rate": 2}
    assert json.loads((folder / "results.json").read_text()) == {"loss": 0.5, "rate": 2}
    with pytest.raises(sweepstake.InvalidInputError, match=r"results\.model"):
        job.results = {"model": object()}
    assert job.results == {"loss": 0.5, "rate": 2}
    with pytest.raises(AttributeError):
        job.job_id = "other"


def test_what_is_removed_is_gone_from_the_file(folder: Path) -> None:
    """However it is removed; to look for what is not there writes nothing."""
    file = folder / "results.json"
    job = sweepstake.current_job()
    assert job.results.pop("loss", 7) == 7
    with pytest.raises(KeyError):
        job.results.popitem()
    assert not file.exists()
    job.results.update(loss=1, rate=2, steps=3, size=4)
    assert job.results.pop("rate") == 2
    assert json.loads(file.read_text()) == {"loss": 1, "steps": 3, "size": 4}
    assert job.results.popitem() == ("size", 4)
    assert json.loads(file.read_text()) == {"loss": 1, "steps": 3}
    job.results.clear()
    assert json.loads(file.read_text()) == {}


def test_several_results_are_written_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed meanwhile leaves those before or those after; together they need only fit in the end."""
    written: list[dict[str, int]] = []
    replace = os.replace

    def put(draft: Path, file: Path) -> None:
        written.append({name: len(value) for name, value in json.loads(draft.read_text()).items()})
        replace(draft, file)

    monkeypatch.setattr(os, "replace", put)
    job = sweepstake.current_job()
    job.results = {"a": "x" * 5_000_000, "b": "y", "c": "z"}
    job.results = {"b": "x" * 5_000_000, "a": "y"}
    job.results.update(a="x" * 5_000_000, b="y")
    with pytest.raises(sweepstake.InvalidInputError):
        job.results.update(c="x" * 1_000_000, b="y" * 5_000_000)
    assert written == [{"a": 5_000_000, "b": 1, "c": 1}, {"b": 5_000_000, "a": 1}, {"a": 5_000_000, "b": 1}]
    assert {name: len(value) for name, value in job.results.items()} == written[-1]


def test_what_json_cannot_hold_is_refused_at_once(folder: Path) -> None:
    """By its name, and what was there stays."""
    job = sweepstake.current_job()
    job.results["loss"] = 1
    with pytest.raises(sweepstake.InvalidInputError, match=r"results\.model"):
        job.results["model"] = object()
    assert job.results == {"loss": 1}


def test_other_ranks_write_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their results are those of the first."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "1")
    sweepstake.current_job().results["loss"] = 1
    assert not (folder / "results.json").exists()


def test_a_script_without_a_job_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And how it gets one."""
    monkeypatch.delenv("SWEEPSTAKE_RESULTS_PATH", raising=False)
    with pytest.raises(sweepstake.ConfigurationError, match="was not started for a job"):
        sweepstake.current_job()


def test_a_command_reports_by_it(db: sweepstake.Database, exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """Of `sweepstake run`, with hyperparameters that are too long for a variable."""
    exp.add_job({"lr": 0.5, "text": "x" * 200_000})
    script = tmp_path / "script.py"
    script.write_text(
        "import sweepstake\n"
        "job = sweepstake.current_job()\n"
        "job.results['double'] = 2 * job.hyperparameters['lr']\n"
        "job.results['length'] = len(job.hyperparameters['text'])\n"
    )
    url = f"sqlite:///{tmp_path}/store.db"
    assert run_app(["run", "exp", "--url", url, "--", sys.executable, str(script)]) == 0
    [job] = exp.all_jobs()
    assert (job.status, job.results) == ("DONE", {"double": 1.0, "length": 200_000})
