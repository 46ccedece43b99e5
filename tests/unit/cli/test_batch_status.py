"""`sweepstake batch status` and `submit` on a machine that cannot ask the scheduler."""

import json
from pathlib import Path

import pytest

import sweepstake
from sweepstake.cli.main import run_app
from sweepstake.domain.batches.records import BatchDraft

__all__: list[str] = []


@pytest.mark.parametrize("backend, why", [("slurm", "squeue is not on this machine"), ("elsewhere", "no backend")])
def test_what_the_queue_knows_is_shown(
    backend: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop has none of a cluster's commands; what is under way is shown all the same, with why no more is known."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SWEEPSTAKE_URL", f"sqlite:///{tmp_path}/store.db")
    experiment = sweepstake.connect().add_experiment(sweepstake.ManualSearch("e"))
    job = experiment.add_job({})
    draft = BatchDraft(id="b", jobs=(job.job_id,), backend=backend, name="sw", timeout=600.0)
    experiment.session.queue.intend_batches(experiment.reference, [draft])
    experiment.session.queue.note_batch(experiment.reference, "b", 1, jobid="7")
    assert run_app(["batch", "status", "e", "--format", "json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["id"], told["jobid"], told["counts"]) == ("b", "7", {"QUEUED": 1})
    assert run_app(["batch", "status", "e", "--wide"]) == 0
    assert why in capsys.readouterr().out
    assert run_app(["batch", "cancel", "e", "--yes"]) == 1
    assert why in capsys.readouterr().err


def test_nothing_is_held_back_where_nothing_can_be_submitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The jobs are free at once for whoever submits them where there is a scheduler."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWEEPSTAKE_URL", f"sqlite:///{tmp_path}/store.db")
    experiment = sweepstake.connect().add_experiment(sweepstake.ManualSearch("e"))
    experiment.add_job({})
    options = ("--backend", "slurm", "--capacity", "cpus=1", "--estimate", "1m")
    assert run_app(["batch", "submit", "e", *options, "--", "true"]) == 1
    assert "sbatch is not on this machine" in capsys.readouterr().err
    assert run_app(["batch", "status", "e"]) == 0
    assert capsys.readouterr().out == "No batch is under way.\n"
