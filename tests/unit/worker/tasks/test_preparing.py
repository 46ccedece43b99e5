"""What must be on the host before a task begins."""

from pathlib import Path

import pytest

from sweepstake.errors import ConfigurationError
from sweepstake.spec import TaskSpec
from sweepstake.worker.slots.book import Share
from sweepstake.worker.slots.room import Room
from sweepstake.worker.tasks.preparing import Stock, prepare
from sweepstake.worker.tasks.run import Folders, JobFacts, TaskRun
from sweepstake.worker.tasks.secrets import Secrets
from sweepstake.worker.tasks.sources import Root, Sources

FACTS = JobFacts(
    experiment="e",
    job_id="j",
    task="t",
    attempt=1,
    name="e-1",
    hyperparameters={},
    sweeps=False,
    share=Share(room=Room(cpus=1.0)),
    hostname="here",
)
TASK = TaskSpec.new("t", docker_image="i", command=["cat", "/data/a", "/results"], result_path="/results")


def prepared(folder: Path, scratch: str, data: Path) -> TaskRun:
    """Return what is started for a task that mounts a bucket, with its scratch folder of this name."""
    own = folder / scratch
    own.mkdir()
    stock = Stock(sources=Sources(weka={"b": Root(data)}), secrets=Secrets(folder / "none", {}))
    task = TASK.with_dataset("/data", weka="b", mode="readonly")
    folders = Folders(own=own, results=folder / "results", checkpoints=folder / "checkpoints")
    return prepare(task, FACTS, folders, stock, Path, contained=False)


def test_paths_with_what_scripts_divide_at_are_reached_by_links(tmp_path: Path) -> None:
    """So that a folder may be called as its user likes."""
    data = tmp_path / "my data, all"
    data.mkdir()
    (data / "a").write_text("x")
    run = prepared(tmp_path, "scratch", data)
    (mount,) = [each for each in run.mounts if each.path == "/data"]
    assert mount.host.parent == tmp_path / "scratch"
    assert (mount.host / "a").read_text() == "x"


def test_a_folder_for_links_that_scripts_would_divide_is_refused(tmp_path: Path) -> None:
    """The error says which variable to set."""
    (tmp_path / "data").mkdir()
    with pytest.raises(ConfigurationError, match="my scratch' holds what scripts divide at; set TMPDIR to a plainer"):
        prepared(tmp_path, "my scratch", tmp_path / "data")
