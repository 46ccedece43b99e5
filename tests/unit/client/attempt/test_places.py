"""A job's folders: its own, whatever else has its names."""

import os
import time
from pathlib import Path

import attrs
import pytest

from sweepstake.client import Places
from sweepstake.domain.names import file_name
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.values import EMPTY

JOB = JobRecord(
    experiment="e",
    id="j",
    status=JobStatus.RUNNING,
    hyperparameters=EMPTY,
    results=EMPTY,
    etag="k",
    seq=1,
    attempt=1,
    created_at=1.8e9,
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Where a store of the id "one" has its folders."""
    return Places(state=tmp_path / "state", checkpoints=tmp_path / "checkpoints", store=lambda: "one")


def of_store(places: Places, store: str | None) -> Places:
    """Return the same places as another store's."""
    return attrs.evolve(places, store=lambda: store)


def test_a_job_has_one_folder_and_no_other_job_has_it(places: Places) -> None:
    """Neither one of the same names that was made later, nor one in another store, nor one with nearly its name."""
    folder = places.checkpoint(JOB, held=True)
    assert places.checkpoint(attrs.evolve(JOB, attempt=7, priority=3), held=True) == folder
    others = [
        places.checkpoint(attrs.evolve(JOB, seq=2), held=True),
        places.checkpoint(attrs.evolve(JOB, experiment="E"), held=True),
        places.checkpoint(attrs.evolve(JOB, id=folder.name), held=True),
        places.checkpoint(attrs.evolve(JOB, id="j" * 255), held=True),
        of_store(places, "two").checkpoint(JOB, held=True),
    ]
    assert len({folder, *others}) == 6


def test_a_store_without_an_id_tells_jobs_apart_by_their_creation(places: Places) -> None:
    """A server of an older release tells none; once it does, the folder is found all the same."""
    nameless = of_store(places, None)
    folder = nameless.checkpoint(JOB, held=True)
    assert nameless.checkpoint(attrs.evolve(JOB, created_at=JOB.created_at + 1e-6), held=True) != folder
    assert places.checkpoint(JOB, held=True) == folder


def old_folder(places: Places, *files: str) -> Path:
    """Make a folder as it was named by names alone."""
    folder = places.checkpoints / "e" / "j"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_text("weights")
    return folder


def test_a_checkpoint_of_the_layout_before_is_found_by_its_job(places: Places) -> None:
    """A sweep goes on where it was when its machines are upgraded in the middle of it."""
    job = attrs.evolve(JOB, created_at=time.time() - 1, attempt=2)
    folder = old_folder(places, "last.ckpt")
    os.utime(folder / "last.ckpt", (1, 1))  # as one that was copied with its times
    assert places.checkpoint(job, held=True) == folder
    long = attrs.evolve(job, id="a" * 230)
    (places.checkpoints / "e" / file_name(long.id).replace("+", ".")).mkdir()
    assert "+" not in places.checkpoint(long, held=True).name
    finished = attrs.evolve(job, attempt=1, status=JobStatus.DONE)
    assert places.checkpoint(finished, held=False) == folder


def test_a_new_job_does_not_find_the_checkpoint_of_one_before(places: Places) -> None:
    """The layout before had one folder for all jobs of a name; what is older than the job is not its own."""
    folder = old_folder(places, "last.ckpt")
    now = time.time()
    for job in (
        attrs.evolve(JOB, created_at=now + 1, attempt=2),
        attrs.evolve(JOB, created_at=now - 9, attempt=1),
    ):
        assert places.checkpoint(job, held=True) != folder
    os.utime(folder, (now + 9, now + 9))  # the old release wrote to it once more, for the new job
    assert places.checkpoint(attrs.evolve(JOB, seq=3, created_at=now + 1, attempt=2), held=True) != folder


def test_output_is_found_in_either_layout(places: Places) -> None:
    """`show` finds what was printed before the upgrade, and after it."""
    job = attrs.evolve(JOB, created_at=time.time() - 1, attempt=2)
    before = places.state / "output" / "e" / "j" / "1.log"
    before.parent.mkdir(parents=True)
    before.touch()
    with places.new_output(job) as file:
        file.write(b"new")
    assert places.output(job, 1) == before
    assert places.output(job, 2).read_bytes() == b"new"
    assert not places.output(attrs.evolve(job, seq=9, created_at=time.time() + 9), 1).exists()


def test_no_name_is_anothers_file() -> None:
    """A long name that was cut meets none that was not."""
    cut = file_name("a" * 230)
    assert len(cut) <= 200
    assert file_name(cut) != cut
    assert file_name(cut.replace("+", ".")) != cut


def test_what_cannot_be_reported_is_kept_for_each_attempt(places: Places) -> None:
    """Beside the checkpoints, where no checkpoint is looked for."""
    first, second = places.kept(JOB), places.kept(attrs.evolve(JOB, attempt=2))
    assert first != second
    assert first.parent.parent == places.checkpoint(JOB, held=True).parent
