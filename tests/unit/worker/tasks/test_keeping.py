"""What an attempt of a task leaves, kept while it changes and at the end; a real store on a file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest

import sweepstake
from sweepstake.domain.records import Claim
from sweepstake.errors import ClientRequestError, StoreUnavailableError, UnusableFolderError
from sweepstake.queue.call import Call
from sweepstake.queue.calls import AppendLog, KeepFiles, PutContent
from sweepstake.queue.queue import Queue
from sweepstake.worker.tasks.keeping import KeepOptions, TaskKeeping
from sweepstake.worker.work import Kept
from tests.kit.lab import Lab, eventually

A = TypeVar("A")


@attrs.define
class Bench:
    """An attempt that runs.

    Attributes:
        queue: the store's.
        claim: the attempt.
        job: the job.
        results: the folder in which it leaves results.
        output: the file of its output.
        fails: what calls of a kind raise.
        calls: the kinds of the calls so far.
    """

    queue: Queue
    claim: Claim
    job: sweepstake.Job
    results: Path
    output: Path
    fails: dict[type[Call[Any]], Exception] = attrs.field(factory=dict)
    calls: list[type[Call[Any]]] = attrs.field(factory=list)

    identity = None

    def send(self, call: Call[A]) -> A:
        """Pass a call on, unless it is to fail."""
        self.calls.append(type(call))
        if type(call) in self.fails:
            raise self.fails[type(call)]
        return self.queue.send(call)

    def close(self) -> None:
        """As of a sender."""

    def keeping(self, interval: float = 60.0) -> TaskKeeping:
        """Return what keeps what it leaves."""
        return TaskKeeping(Queue(self), self.claim, self.results, self.output, KeepOptions(interval=interval))

    def leave(self, end: Callable[[], float] = lambda: 0.0, **files: str) -> Kept:
        """Leave files and a word, and keep them."""
        with self.keeping() as keeping:
            for name, text in files.items():
                (self.results / name).write_text(text)
            self.output.write_text("said\n")
            return keeping.finish(end)

    def kept(self) -> dict[str, int]:
        """Return the sizes of the files that are kept."""
        return {each.path: each.size for each in self.job.files().files}


@pytest.fixture
def bench(exp: sweepstake.ManualSearch, tmp_path: Path) -> Bench:
    """The first attempt at a job."""
    job = exp.add_job({})
    queue = exp.session.queue
    results, output = tmp_path / "results" / "job" / "1", tmp_path / "output" / "job" / "1.log"
    results.mkdir(parents=True)
    output.parent.mkdir(parents=True)
    output.touch()
    return Bench(queue, Lab(queue, "exp").claim(), job, results, output)


def test_all_is_kept_at_the_end(bench: Bench) -> None:
    """With folders below folders, and empty files; then nothing is left here, not even a folder for the job."""
    (bench.results / "a" / "b").mkdir(parents=True)
    (bench.results / "a" / "b" / "c.txt").write_text("c")
    assert bench.leave(empty="") == Kept()
    assert bench.kept() == {"a/b/c.txt": 1, "empty": 0}
    assert bench.job.log() == "said\n"
    assert not bench.results.parent.exists()
    assert not bench.output.parent.exists()


def test_what_another_attempt_has_left_stays(bench: Bench) -> None:
    """Such as files of one that could not be kept."""
    other = bench.results.with_name("2")
    other.mkdir()
    assert bench.leave(x="1") == Kept()
    assert (bench.results.exists(), other.exists()) == (False, True)


def test_what_changes_is_kept_on_the_way(bench: Bench) -> None:
    """A file that grows, one that is replaced, one that goes, and output."""
    with bench.keeping(interval=0.02) as keeping:
        (bench.results / "x").write_text("1")
        (bench.results / "y").write_text("1")
        bench.output.write_text("one\n")
        eventually(lambda: bench.kept() == {"x": 1, "y": 1})
        eventually(lambda: bench.job.log() == "one\n")
        (bench.results / "x").write_text("12")
        (bench.results / "z").write_text("333")
        (bench.results / "z").replace(bench.results / "y")
        eventually(lambda: bench.kept() == {"x": 2, "y": 3})
        (bench.results / "y").unlink()
        assert keeping.finish(lambda: 0.0) == Kept()
    assert bench.kept() == {"x": 2}


def test_a_file_that_changes_at_once_again_is_seen_to_have_changed(bench: Bench) -> None:
    """Though it is as long as before, and the clock of its disk may stand still between both."""
    with bench.keeping(interval=0.02) as keeping:
        (bench.results / "x").write_text("1")
        eventually(lambda: bench.kept() == {"x": 1})
        (bench.results / "x").write_text("2")
        keeping.finish(lambda: 0.0)
    assert (bench.job.fetch(bench.results.parents[2] / "there") / "x").read_text() == "2"


def test_an_attempt_that_dies_leaves_what_was_kept(bench: Bench) -> None:
    """The block is left by an error of any kind."""
    with pytest.raises(KeyError), bench.keeping(interval=0.02):
        (bench.results / "x").write_text("1")
        eventually(lambda: bench.kept() == {"x": 1})
        raise KeyError
    assert (bench.results / "x").exists()


def test_links_lead_nowhere_and_are_told(bench: Bench) -> None:
    """Neither files nor folders that are links are followed, a pipe is not read, and what they were is still here."""
    (bench.results.parents[2] / "secret").write_text("hidden")
    (bench.results / "file").symlink_to(bench.results.parents[2] / "secret")
    (bench.results / "folder").symlink_to(bench.results.parents[2])
    os.mkfifo(bench.results / "pipe")
    kept = bench.leave(real="1")
    assert kept.problem == ""
    assert kept.note.startswith("not kept: 'file' (is a link), 'folder' (is a link), 'pipe' (is no regular file); ")
    assert str(bench.results) in kept.note
    assert bench.kept() == {"real": 1}
    assert (bench.results / "pipe").exists()


def test_a_task_may_remove_its_folder(bench: Bench) -> None:
    """It leaves nothing then, and the worker goes on."""
    with bench.keeping() as keeping:
        bench.results.rmdir()
        assert keeping.finish(lambda: 0.0) == Kept()
    assert bench.kept() == {}


def test_what_stands_in_the_place_of_the_folder_is_told(bench: Bench) -> None:
    """A link would have been followed, or the attempt be DONE with nothing kept and nothing said."""
    with bench.keeping() as keeping:
        bench.results.rmdir()
        bench.results.symlink_to(bench.results.parents[2])
        note = keeping.finish(lambda: 0.0).note
    assert note.startswith("not kept: 'the folder itself' (is a link); ")
    assert bench.kept() == {}


def test_names_that_are_no_text_are_told(bench: Bench) -> None:
    """And do not stand in the way of others."""
    (bench.results / os.fsdecode(b"b\xff\nx")).write_text("1")
    kept = bench.leave(real="1")
    assert "holds a character that does not stand in names of files everywhere" in kept.note
    assert kept.note.isprintable()
    assert bench.kept() == {"real": 1}


def test_folders_without_end_are_told(bench: Bench) -> None:
    """They cost no stack and no open file each."""
    deep = bench.results
    for _ in range(300):
        deep /= "d"
        deep.mkdir()
    (deep / "x").touch()
    assert "folders deep" in bench.leave(real="1").note
    assert bench.kept() == {"real": 1}


@pytest.mark.parametrize("call", [PutContent, KeepFiles, AppendLog])
@pytest.mark.parametrize("error, again", [(StoreUnavailableError("away"), True), (ClientRequestError("no"), False)])
def test_what_the_store_does_not_take_is_told(
    bench: Bench, call: type[Call[Any]], error: Exception, again: bool
) -> None:
    """And is still here; while the store is away another attempt may have more luck."""
    bench.fails[call] = error
    kept = bench.leave(x="1")
    assert (kept.again, str(bench.results) in kept.problem) == (again, True)
    assert (bench.results / "x").read_text() == "1"
    assert bench.output.read_text() == "said\n"


def test_a_full_disk_is_told_with_what_is_still_here(bench: Bench) -> None:
    """It is a fault of this machine's."""
    bench.fails[PutContent] = UnusableFolderError("the disk is full")
    with pytest.raises(UnusableFolderError, match=f"the disk is full; .* in {bench.results}"):
        bench.leave(x="1")


def test_a_job_that_is_gone_leaves_nothing(bench: Bench) -> None:
    """Its report says so."""
    bench.queue.delete_job("exp", bench.job.job_id)
    assert bench.leave(x="1") == Kept()


def test_what_is_gone_from_the_store_is_sent_again(bench: Bench) -> None:
    """As after a power cut, or when the files of an attempt that was lost have gone already."""
    with bench.keeping(interval=0.02) as keeping:
        (bench.results / "x").write_text("1")
        eventually(lambda: bench.kept() == {"x": 1})
        (content,) = bench.results.parents[2].glob("store.db-files/*/*/*/1/whole/*")
        content.unlink()
        (bench.results / "y").write_text("22")
        assert keeping.finish(lambda: 0.0) == Kept()
    assert sorted(path.name for path in bench.job.fetch(bench.results.parents[2] / "there").iterdir()) == ["x", "y"]


def test_a_failure_on_the_way_is_made_up_for(bench: Bench) -> None:
    """The store was away at one look, and is there at the next."""
    bench.fails[PutContent] = StoreUnavailableError("away")
    with bench.keeping(interval=0.02) as keeping:
        (bench.results / "x").write_text("1")
        eventually(lambda: bench.calls.count(PutContent) > 2)
        bench.fails.clear()
        eventually(lambda: bench.kept() == {"x": 1})
        assert keeping.finish(lambda: 0.0) == Kept()
