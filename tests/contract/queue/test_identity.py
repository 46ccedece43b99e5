"""Which store it is, as everybody who reaches it is told."""

from contextlib import closing
from pathlib import Path

import pytest

import sweepstake
from sweepstake.cli.main import run_app
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab
from tests.kit.stack import ServerProcess, open_queue


def test_a_store_has_one_name(lab: Lab, queue: Queue, address: str) -> None:
    """Every connection to it learns the same, at the latest with its first answer."""
    with closing(open_queue(address)) as other:
        other.get_experiment(lab.name)
        assert other.identity
        assert other.identity == queue.identity


def test_a_store_and_its_server_name_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker behind the server goes on at the checkpoint of one beside the store."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    store = f"sqlite:///{tmp_path}/store.db"
    with (
        sweepstake.connect(store) as direct,
        ServerProcess(store, tmp_path) as server,
        sweepstake.connect(server.url) as remote,
    ):
        job = direct.add_experiment(sweepstake.ManualSearch("e")).add_job({}, job_id="j")
        assert remote.get_experiment("e").get_job("j").checkpoint_dir == job.checkpoint_dir


def test_two_stores_with_the_same_names_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when their jobs were made in the same order, and one is a copy of the other's experiment."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    with (
        sweepstake.connect(f"sqlite:///{tmp_path}/one.db") as one,
        sweepstake.connect(f"sqlite:///{tmp_path}/two.db") as two,
    ):
        first = one.add_experiment(sweepstake.ManualSearch("e")).add_job({}, job_id="j")
        assert run_app(["export", "e", "--url", f"sqlite:///{tmp_path}/one.db"]) == 0
        (tmp_path / "e.jsonl").write_text(capsys.readouterr().out)
        assert run_app(["import", str(tmp_path / "e.jsonl"), "--url", f"sqlite:///{tmp_path}/two.db"]) == 0
        second = two.get_experiment("e").get_job("j")
        assert first.record.seq == second.record.seq
        assert first.record.created_at == second.record.created_at
        assert first.checkpoint_dir != second.checkpoint_dir
