"""What is kept of an attempt beside its results: files, in pieces, with a manifest."""

import hashlib

import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.files import PIECE, Held, KeptFile, Span
from sweepstake.domain.records import UNGUARDED, Claim
from sweepstake.domain.status import Outcome
from sweepstake.errors import InvalidInputError, NotFoundError, OutOfRangeError, UnsafeUpdateError
from sweepstake.queue.calls import GetContent, PutContent
from tests.kit.lab import Lab, new_key

CONTENT = b"epoch,loss\n1,0.5\n"


def digest_of(content: bytes) -> str:
    """Return the sha256 of a content."""
    return hashlib.sha256(content).hexdigest()


def kept(path: str, content: bytes = CONTENT) -> KeptFile:
    """Make an entry of a manifest."""
    return KeptFile(path=path, size=len(content), sha256=digest_of(content))


def put(lab: Lab, claim: Claim, content: bytes = CONTENT, offset: int = 0, piece: bytes | None = None) -> Held:
    """Put a piece of a content, or all of it."""
    sent = content if piece is None else piece
    return lab.queue.put_content(lab.name, claim.job.id, claim.key, digest_of(content), len(content), offset, sent)


def keep(lab: Lab, claim: Claim, path: str, content: bytes = CONTENT, keep: int | None = None) -> None:
    """Keep one file."""
    put(lab, claim, content)
    lab.queue.keep_files(lab.name, claim.job.id, claim.key, [kept(path, content)], keep)


def read(lab: Lab, claim: Claim, content: bytes = CONTENT, span: Span | None = None) -> bytes:
    """Read what is asked for of a content."""
    return lab.queue.get_content(lab.name, claim.job.id, claim.job.attempt, digest_of(content), span or Span()).content


def again(lab: Lab, claim: Claim, outcome: Outcome = Outcome.RELEASED) -> Claim:
    """End an attempt, and begin the next one of the job."""
    report = Finish(attempt=claim.key, outcome=outcome)
    lab.queue.finish(lab.name, claim.job.id, report, key=new_key())
    return lab.claim()


@pytest.fixture
def claim(lab: Lab) -> Claim:
    """A job that runs."""
    lab.add_one()
    return lab.claim()


def test_a_file_is_listed_and_read_as_it_was_kept(lab: Lab, claim: Claim) -> None:
    """By its path in the manifest, and its content byte for byte."""
    keep(lab, claim, "logs/epoch 1/ü\u2013😀\u200d.csv")
    manifest = lab.queue.list_files(lab.name, claim.job.id)
    assert (manifest.attempt, manifest.attempts) == (1, (1,))
    assert manifest.files == (kept("logs/epoch 1/ü\u2013😀\u200d.csv"),)
    assert read(lab, claim) == CONTENT
    asked = GetContent(name=lab.name, id=claim.job.id, path="logs/epoch 1/ü\u2013😀\u200d.csv")
    assert lab.queue.send(asked).sha256 == digest_of(CONTENT)


def test_pieces_are_put_in_order_and_repeated_at_will(lab: Lab, claim: Claim) -> None:
    """The answer says where to go on: a gap is not kept, a repeat changes nothing."""
    content = bytes(range(256)) * 5
    assert put(lab, claim, content, 0, b"") == Held(0)
    assert put(lab, claim, content, 300, content[300:400]) == Held(0)
    assert put(lab, claim, content, 0, content[:300]) == Held(300)
    assert put(lab, claim, content, 0, content[:300]) == Held(300)
    assert put(lab, claim, content, 200, content[200:500]) == Held(500)
    assert put(lab, claim, content, 500, content[500:]) == Held(1280)
    assert put(lab, claim, content, 0, content[:300]) == Held(1280)
    assert read(lab, claim, content) == content


def test_a_large_file_is_read_in_pieces(lab: Lab, claim: Claim) -> None:
    """No answer to one call holds more than a piece; a span is answered to the byte."""
    content = bytes(PIECE) + b"the end"
    put(lab, claim, content, 0, content[:PIECE])
    assert put(lab, claim, content, PIECE, content[PIECE:]) == Held(len(content))
    assert read(lab, claim, content, Span(PIECE, PIECE + 2)) == b"the"
    assert read(lab, claim, content, Span(None, 3)) == b"end"
    with pytest.raises(OutOfRangeError):
        read(lab, claim, content, Span(len(content), None))


def test_an_empty_file_is_kept(lab: Lab, claim: Claim) -> None:
    """It has a content as others have."""
    keep(lab, claim, "empty", b"")
    assert read(lab, claim, b"") == b""


def test_content_that_is_not_what_it_says_is_refused(lab: Lab, claim: Claim) -> None:
    """A piece that was damaged on its way, and a whole that is another; then it can be sent again."""
    damaged = PutContent(
        name=lab.name, id=claim.job.id, attempt=claim.key, sha256=digest_of(CONTENT), size=len(CONTENT), offset=0,
        digest=digest_of(b"other"), piece=CONTENT,
    )  # fmt: skip
    with pytest.raises(InvalidInputError, match="digest"):
        lab.queue.send(damaged)
    with pytest.raises(InvalidInputError, match="sha256"):
        put(lab, claim, CONTENT, 0, CONTENT[::-1])
    assert put(lab, claim) == Held(len(CONTENT))


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", ".", "a/./b", "a\\..\\b", "a\0b", "a\nb", "x" * 256],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """No file can be listed under it, wherever it would be written later."""
    with pytest.raises(InvalidInputError):
        kept(path)


def test_files_that_cannot_lie_in_one_folder_are_refused(lab: Lab, claim: Claim) -> None:
    """The same path twice, and a file that is the folder of another."""
    put(lab, claim)
    for paths in (["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"]):
        with pytest.raises(InvalidInputError):
            lab.queue.keep_files(lab.name, claim.job.id, claim.key, [kept(path) for path in paths])
    assert lab.queue.list_files(lab.name, claim.job.id).files == ()


def test_a_file_without_its_content_is_refused(lab: Lab, claim: Claim) -> None:
    """Whatever is listed can be read; the files of before stay."""
    keep(lab, claim, "a")
    with pytest.raises(InvalidInputError, match="not kept yet"):
        lab.queue.keep_files(lab.name, claim.job.id, claim.key, [kept("a"), kept("b", b"other")])
    assert lab.queue.list_files(lab.name, claim.job.id).files == (kept("a"),)


def test_files_that_change_take_the_place_of_those_before(lab: Lab, claim: Claim) -> None:
    """What no file has any more is forgotten."""
    keep(lab, claim, "a")
    keep(lab, claim, "a", b"more")
    assert lab.queue.list_files(lab.name, claim.job.id).files == (kept("a", b"more"),)
    with pytest.raises(NotFoundError):
        read(lab, claim)


def test_only_the_holder_of_the_attempt_writes(lab: Lab, claim: Claim) -> None:
    """With the key of another attempt, of another job, or with the name that everybody may read, nothing is kept."""
    other = lab.add_one()
    stranger = lab.claim(ids=[other])
    (attempt,) = lab.attempts(claim.job.id)
    for key in (stranger.key, attempt.key, new_key()):
        with pytest.raises(NotFoundError):
            lab.queue.put_content(lab.name, claim.job.id, key, digest_of(CONTENT), len(CONTENT), 0, CONTENT)
        with pytest.raises(NotFoundError):
            lab.queue.keep_files(lab.name, claim.job.id, key, [])
        with pytest.raises(NotFoundError):
            lab.queue.append_log(lab.name, claim.job.id, key, 0, b"x")


def test_an_attempt_that_was_lost_keeps_what_it_had(lab: Lab, claim: Claim) -> None:
    """Apart from what the next one keeps; without a number the latest is meant, and DONE goes before."""
    keep(lab, claim, "a", b"first")
    second = again(lab, claim)
    keep(lab, second, "a", b"second")
    keep(lab, claim, "late", b"late")
    assert lab.queue.list_files(lab.name, claim.job.id).attempt == 2
    assert lab.queue.list_files(lab.name, claim.job.id, 1).files == (kept("late", b"late"),)
    report = Finish(attempt=second.key, outcome=Outcome.DONE)
    lab.queue.finish(lab.name, claim.job.id, report, key=new_key())
    assert lab.queue.list_files(lab.name, claim.job.id).attempts == (1, 2)


def test_what_a_done_attempt_left_does_not_change(lab: Lab, claim: Claim) -> None:
    """A repeat of what was written answers as before."""
    keep(lab, claim, "a")
    lab.queue.append_log(lab.name, claim.job.id, claim.key, 0, b"out")
    lab.queue.finish(lab.name, claim.job.id, Finish(attempt=claim.key, outcome=Outcome.DONE), key=new_key())
    keep(lab, claim, "a")
    assert lab.queue.append_log(lab.name, claim.job.id, claim.key, 0, b"out") == Held(3)
    with pytest.raises(UnsafeUpdateError):
        lab.queue.keep_files(lab.name, claim.job.id, claim.key, [])
    with pytest.raises(UnsafeUpdateError):
        put(lab, claim, b"new")
    with pytest.raises(UnsafeUpdateError):
        lab.queue.append_log(lab.name, claim.job.id, claim.key, 3, b"more")


def test_of_earlier_attempts_as_many_stay_as_are_asked_for(lab: Lab, claim: Claim) -> None:
    """The newest before the one that runs."""
    running = claim
    for _ in range(3):
        keep(lab, running, "a")
        running = again(lab, running)
    keep(lab, running, "a", keep=1)
    assert lab.queue.list_files(lab.name, claim.job.id).attempts == (3, 4)


def test_what_is_deleted_takes_its_files_with_it(lab: Lab, claim: Claim) -> None:
    """With a job those of the job; with an experiment those of all its jobs, and another of the name begins empty."""
    keep(lab, claim, "a")
    lab.queue.delete_job(lab.name, claim.job.id)
    lab.add_one()
    second = lab.claim()
    keep(lab, second, "b")
    lab.queue.delete_experiment(lab.name, UNGUARDED, force=True)
    anew = Lab.new(lab.queue, name=lab.name)
    anew.add_one()
    third = anew.claim()
    assert anew.queue.list_files(anew.name, third.job.id).files == ()
    for gone in (claim, second):
        with pytest.raises(NotFoundError):
            anew.queue.list_files(anew.name, gone.job.id)


def test_output_is_added_and_read_in_pieces(lab: Lab, claim: Claim) -> None:
    """Bytes as they were, from any place; what is not there yet is out of range."""
    name, job, key = lab.name, claim.job.id, claim.key
    assert lab.queue.get_log(name, job, 1, Span()).content == b""
    assert lab.queue.append_log(name, job, key, 0, b"one\n") == Held(4)
    assert lab.queue.append_log(name, job, key, 9, b"gap") == Held(4)
    assert lab.queue.append_log(name, job, key, 2, b"e\n\xfftwo\r") == Held(9)
    assert lab.queue.get_log(name, job, 1, Span()).content == b"one\n\xfftwo\r"
    assert lab.queue.get_log(name, job, None, Span(5, 6)).content == b"tw"
    with pytest.raises(OutOfRangeError):
        lab.queue.get_log(name, job, 1, Span(9, None))
    assert lab.queue.list_files(name, job).log == 9
