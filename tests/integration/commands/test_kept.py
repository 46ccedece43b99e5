"""`sweepstake results` and `sweepstake logs`, and what becomes of files whose job is gone."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake.client.kept.keeping import FilesKeeper, OutputKeeper
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim
from sweepstake.domain.status import Outcome
from tests.kit.lab import Lab, draft, new_key
from tests.kit.shell import Shell
from tests.kit.stack import open_queue


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Commands for a store with a job `j` whose only attempt is DONE and left files and output."""
    shell = Shell(f"sqlite:///{tmp_path}/store.db")
    (tmp_path / "results/plots").mkdir(parents=True)
    (tmp_path / "results/plots/loss.png").write_bytes(b"\x89PNG")
    (tmp_path / "results/metrics.json").write_text("{}")
    (tmp_path / "output").write_bytes(b"epoch 1\r\n\x1b[2Jepoch 2\n\xff")
    with closing(open_queue(shell.url)) as queue:
        lab = Lab.new(queue, name="sweep")
        lab.add(draft("j"))
        claim = lab.claim()
        assert isinstance(claim, Claim)
        FilesKeeper(queue, claim, tmp_path / "results").copy()
        OutputKeeper(queue, claim, tmp_path / "output").copy()
        queue.finish("sweep", "j", Finish(attempt=claim.key, outcome=Outcome.DONE), key=new_key())
    return shell


def test_files_are_listed(shell: Shell) -> None:
    """With their sizes, for people and for scripts."""
    told = shell.run("results", "sweep", "j").stdout
    assert "plots/loss.png" in told
    assert "2 files of attempt 1, 6 bytes" in told
    listed = json.loads(shell.run("results", "sweep", "j", "--format", "json").stdout)
    assert [(each["path"], each["size"]) for each in listed["files"]] == [("metrics.json", 2), ("plots/loss.png", 4)]


def test_files_are_downloaded(shell: Shell, tmp_path: Path) -> None:
    """Into a folder that is made, once and again."""
    for _ in range(2):
        shell.run("results", "sweep", "j", "--download", str(tmp_path / "there"), "--attempt", "1")
        assert (tmp_path / "there/plots/loss.png").read_bytes() == b"\x89PNG"


def test_output_is_printed_as_it_was(shell: Shell) -> None:
    """Into a pipe, byte for byte; followed, it ends with the attempt."""
    process = shell.start("logs", "sweep", "j", encoding="latin-1")
    assert process.communicate()[0] == "epoch 1\n\n\x1b[2Jepoch 2\n\xff".replace("1\n\n", "1\n", 1)
    followed = shell.start("logs", "-f", "sweep", "j", encoding="latin-1")
    assert followed.communicate()[0].endswith("epoch 2\n\xff")
    assert followed.returncode == 0


def test_an_attempt_that_is_not_there_is_told(shell: Shell) -> None:
    """As an error, not as an empty list."""
    assert "attempt 7" in shell.run("results", "sweep", "j", "--attempt", "7", code=1).stderr
    assert "attempt 7" in shell.run("logs", "-f", "sweep", "j", "--attempt", "7", code=1).stderr


def test_files_that_a_kill_left_are_swept(shell: Shell, tmp_path: Path) -> None:
    """`db prune` removes those whose job is gone, and no others."""
    kept = tmp_path / "store.db-files"
    (store,) = kept.iterdir()
    (experiment,) = store.iterdir()
    (job,) = experiment.iterdir()
    shutil.copytree(job, experiment / job.name.replace("1-", "999-", 1))
    shutil.copytree(job, experiment / f"{job.name}0")  # of a job of that number in a copy of before
    told = shell.run("db", "prune", "--older-than", "90d").stdout
    assert "Removed what was kept of 2 jobs that are gone." in told
    assert list(experiment.iterdir()) == [job]
    shell.run("rm", "sweep", "j", "-f")
    assert [path for path in kept.rglob("*") if path.is_file()] == []
