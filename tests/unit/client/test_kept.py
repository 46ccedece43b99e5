"""What an attempt leaves is kept while it runs, and fetched and followed by others."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

import sweepstake
from sweepstake.client.kept.fetching import fetch
from sweepstake.client.kept.following import follow, read
from sweepstake.client.kept.keeping import FilesKeeper, OutputKeeper
from sweepstake.domain.drafts import Finish
from sweepstake.domain.files import Manifest, superfluous
from sweepstake.domain.records import Claim
from sweepstake.domain.status import Outcome
from sweepstake.errors import InvalidInputError, StoreUnavailableError, UnusableFolderError
from sweepstake.queue.call import Call
from sweepstake.queue.calls import GetContent, ListFiles
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, new_key


@attrs.frozen
class Running:
    """A job that runs, and the folder of its results.

    Attributes:
        results: what it leaves.
    """

    queue: Queue
    claim: Claim
    job: sweepstake.Job
    results: Path

    def end(self, outcome: Outcome = Outcome.DONE) -> None:
        """End the attempt."""
        self.queue.finish("e", self.claim.job.id, Finish(attempt=self.claim.key, outcome=outcome), key=new_key())


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A job that runs, in a store on a file."""
    results = tmp_path / "results"
    results.mkdir()
    with sweepstake.connect(f"sqlite:///{tmp_path}/store.db") as db:
        experiment = db.add_experiment(sweepstake.ManualSearch("e"))
        experiment.add_job({}, job_id="j")
        claim = Lab(db.session.queue, "e").claim()
        yield Running(db.session.queue, claim, experiment.get_job("j"), results)


def test_a_folder_is_fetched_as_it_was_kept(running: Running, tmp_path: Path) -> None:
    """With all folders below, and nothing beside."""
    (running.results / "a/b").mkdir(parents=True)
    (running.results / "a/b/model.pt").write_bytes(b"weights")
    (running.results / "metrics.json").write_text("{}")
    keeper = FilesKeeper(running.queue, running.claim, running.results)
    assert keeper.copy() is not None
    assert [each.path for each in running.job.files().files] == ["a/b/model.pt", "metrics.json"]
    there = running.job.fetch(tmp_path / "there")
    found = {str(path.relative_to(there)): path.read_bytes() for path in there.rglob("*") if path.is_file()}
    assert found == {"a/b/model.pt": b"weights", "metrics.json": b"{}"}


def test_only_what_changed_is_kept_again(running: Running) -> None:
    """The others are neither read nor sent, and without a change nothing is stated."""
    (running.results / "a").write_text("1")
    (running.results / "b").write_text("2")
    keeper = FilesKeeper(running.queue, running.claim, running.results)
    keeper.copy()
    assert keeper.copy() is None
    (running.results / "b").write_text("22")
    manifest = keeper.copy()
    assert manifest is not None
    assert [each.size for each in manifest.files] == [1, 2]
    (running.results / "a").unlink()
    assert [each.path for each in (keeper.copy() or manifest).files] == ["b"]


def test_links_and_what_is_no_file_are_not_kept(
    running: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A link could lead to a secret of whoever runs the worker; names that are no text are told of."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    (running.results / "link").symlink_to(secret)
    (running.results / "folder").symlink_to(tmp_path)
    (running.results / "a\nb").write_text("x")
    (running.results / "real").write_text("x")
    with caplog.at_level(logging.WARNING):
        manifest = FilesKeeper(running.queue, running.claim, running.results).copy()
    assert manifest is not None
    assert [each.path for each in manifest.files] == ["real"]
    assert "is not kept" in caplog.text


def _gone(folder: Path) -> None:
    folder.rmdir()


def _linked(folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to(folder.parent)


def _written(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("x")


def _piped(folder: Path) -> None:
    folder.rmdir()
    os.mkfifo(folder)


@pytest.mark.parametrize(
    "act, told",
    [
        (_gone, {}),
        (_linked, {"the folder itself": "is a link"}),
        (_written, {"the folder itself": "is a file"}),
        (_piped, {"the folder itself": "is no regular file"}),
    ],
)
def test_the_folder_may_be_gone_or_something_else(
    running: Running, act: Callable[[Path], None], told: dict[str, str]
) -> None:
    """The task may do with it what it wants: then it leaves nothing, and what stands there is told."""
    (running.results / "a").write_text("x")
    keeper = FilesKeeper(running.queue, running.claim, running.results)
    keeper.copy()
    (running.results / "a").unlink()
    act(running.results)
    manifest = keeper.copy()
    assert manifest is not None
    assert manifest.files == ()
    assert keeper.left_out == told


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_folders_that_cannot_be_read_are_told_by_their_paths(running: Running) -> None:
    """Each of its own, also where the last name is the same; so is the folder itself."""
    closed = [running.results / "a/x", running.results / "b/x", running.results]
    for folder in closed[:2]:
        folder.mkdir(parents=True)
        folder.chmod(0)
    keeper = FilesKeeper(running.queue, running.claim, running.results)
    try:
        keeper.copy()
        assert keeper.left_out.keys() == {"a/x", "b/x"}
        running.results.chmod(0)
        keeper.copy()
        assert keeper.left_out.keys() == {"the folder itself"}
    finally:
        for folder in reversed(closed):
            folder.chmod(0o700)


def test_a_fetch_goes_through_no_link(running: Running, tmp_path: Path) -> None:
    """Neither one in the place of a folder, nor one in the place of a file, which is replaced."""
    (running.results / "a").mkdir()
    (running.results / "a/x").write_text("new")
    FilesKeeper(running.queue, running.claim, running.results).copy()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_text("old")
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "a").symlink_to(elsewhere)
    with pytest.raises(UnusableFolderError, match="link"):
        running.job.fetch(folder)
    (folder / "a").unlink()
    (folder / "a").mkdir()
    (folder / "a/x").symlink_to(elsewhere / "x")
    running.job.fetch(folder)
    assert (elsewhere / "x").read_text() == "old"
    assert not (folder / "a/x").is_symlink()
    assert (folder / "a/x").read_text() == "new"


def test_a_fetch_leaves_what_is_there_already(running: Running, tmp_path: Path) -> None:
    """It goes on where it broke; another content is replaced."""
    (running.results / "a").write_text("1")
    (running.results / "b").write_text("2")
    FilesKeeper(running.queue, running.claim, running.results).copy()
    folder = running.job.fetch(tmp_path / "there")
    before = (folder / "a").stat().st_mtime_ns
    (folder / "b").write_text("3")
    running.job.fetch(folder)
    assert (folder / "a").stat().st_mtime_ns == before
    assert (folder / "b").read_text() == "2"
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]


def test_two_fetch_into_one_folder_at_once(running: Running, tmp_path: Path) -> None:
    """Neither takes what the other has written half."""
    (running.results / "a").write_text("content")
    FilesKeeper(running.queue, running.claim, running.results).copy()
    folder, job, looks = tmp_path / "there", running.claim.job, iter(range(9))

    def meanwhile() -> None:
        if next(looks) == 1:  # before the first piece
            fetch(running.queue, job, folder)

    fetch(running.queue, job, folder, before=meanwhile)
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("a", "content")]


def test_files_whose_names_differ_in_case_are_two(running: Running, tmp_path: Path) -> None:
    """Or are refused before anything is written, where the file system takes them for one."""
    for name in ("model", "Model", "MODEL.pt"):
        (running.results / name).write_text(name)
    FilesKeeper(running.queue, running.claim, running.results).copy()
    there = running.job.fetch(tmp_path / "there")
    assert sorted(path.read_text() for path in there.iterdir()) == ["MODEL.pt", "Model", "model"]
    folding = tmp_path / "folding"
    folding.mkdir()
    (folding / f".SWEEPSTAKE-{os.getpid()}.PART").touch()  # as if the name in small letters were found by this one
    with pytest.raises(UnusableFolderError, match="'Model' and 'model' are one file"):
        running.job.fetch(folding)
    assert len(list(folding.iterdir())) == 1


@attrs.frozen
class Liar:
    """A server that answers with other bytes, or with paths that lead elsewhere.

    Attributes:
        path: what it says that a file is called.
    """

    honest: Queue
    path: str | None = None

    @property
    def identity(self) -> str | None:
        """As of a sender."""
        return self.honest.identity

    def send(self, call: Call[object]) -> object:
        """Answer with a lie."""
        answer = self.honest.send(call)
        if isinstance(call, GetContent):
            return attrs.evolve(answer, content=b"evil")  # type: ignore[misc]
        if isinstance(call, ListFiles) and self.path is not None:
            assert isinstance(answer, Manifest)
            (file,) = answer.files
            object.__setattr__(file, "path", self.path)
        return answer

    def close(self) -> None:
        """As of a sender."""


def test_a_server_that_lies_puts_nothing_into_a_folder(running: Running, tmp_path: Path) -> None:
    """Neither a content whose sha256 is another, nor a file outside."""
    (running.results / "a").write_text("good")
    FilesKeeper(running.queue, running.claim, running.results).copy()
    folder = tmp_path / "there"
    with pytest.raises(StoreUnavailableError):
        fetch(Queue(Liar(running.queue)), running.claim.job, folder)  # type: ignore[arg-type]
    assert list(folder.iterdir()) == []
    for path in ("../up", "/etc/cron.d/x", "a/../../up"):
        with pytest.raises(InvalidInputError):
            fetch(Queue(Liar(running.queue, path)), running.claim.job, folder)  # type: ignore[arg-type]
    assert not (tmp_path / "up").exists()


def test_output_is_followed_until_the_attempt_is_over(running: Running, tmp_path: Path) -> None:
    """What is printed while somebody waits arrives, and what came before the end arrives too."""
    file = tmp_path / "output"
    file.write_bytes(b"one\n")
    keeper = OutputKeeper(running.queue, running.claim, file)
    assert keeper.copy() == 4
    steps = iter([b"two\n", b"", b"three\n", None])

    def sleep(_seconds: float) -> None:
        step = next(steps)
        if step is None:
            running.end()
            return
        with file.open("ab") as opened:
            opened.write(step)
        keeper.copy()

    assert b"".join(follow(running.queue, running.claim.job, None, sleep)) == b"one\ntwo\nthree\n"
    assert running.job.log() == "one\ntwo\nthree\n"


def test_output_is_read_of_one_attempt(running: Running) -> None:
    """The latest of when the reading began, though another begins meanwhile that has printed more."""
    queue, job = running.queue, running.claim.job
    queue.append_log("e", job.id, running.claim.key, 0, b"one\n")
    pieces = read(queue, job)
    assert next(pieces) == b"one\n"
    running.end(Outcome.RELEASED)
    queue.append_log("e", job.id, Lab(queue, "e").claim().key, 0, b"two, and more\n")
    assert list(pieces) == []


def test_a_store_on_a_file_keeps_its_files_beside_it(running: Running, tmp_path: Path) -> None:
    """Under their content, for this user alone; no name of a user's is on the disk."""
    (running.results / "my file").write_text("1")
    FilesKeeper(running.queue, running.claim, running.results).copy()
    kept = [path for path in (tmp_path / "store.db-files").rglob("*") if path.is_file()]
    digest = hashlib.sha256(b"1").hexdigest()
    assert sorted(path.name for path in kept) == sorted([digest, "manifest.json"])
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "store.db-files").rglob("*")} == {0}


@pytest.mark.parametrize(
    "attempts, current, done, keep, gone",
    [
        ([1, 2, 3], 3, None, None, []),
        ([1, 2, 3], 3, None, 0, [1, 2]),
        ([1, 2, 3], 3, None, 1, [1]),
        ([1, 2, 3], 3, None, 9, []),
        ([1, 2, 3, 4], 4, 1, 1, [2]),
        ([1, 2, 3, 4], 2, None, 0, [1]),
        ([], 1, None, 0, []),
    ],
)
def test_of_old_attempts_the_newest_stay(
    attempts: list[int], current: int, done: int | None, keep: int | None, gone: list[int]
) -> None:
    """As many as are asked for, and the one that is DONE in any case."""
    assert superfluous(attempts, current, done, keep) == gone
