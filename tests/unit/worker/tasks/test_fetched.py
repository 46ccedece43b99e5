"""Results of DONE attempts that others mount: fetched once, as they were, and removed again."""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import pytest

import sweepstake
from sweepstake.client.kept.keeping import FilesKeeper
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim
from sweepstake.domain.status import Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.errors import InvalidInputError
from sweepstake.values import JsonObject
from sweepstake.worker.tasks.fetched import Fetched, Loan
from sweepstake.worker.work import Interrupted
from tests.kit.lab import Lab, draft, eventually, new_key


class Before:
    """The beginning of an attempt that is not to end."""

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
        """Nothing is run."""
        raise AssertionError

    def pause(self, seconds: float) -> None:
        """Wait."""
        threading.Event().wait(min(seconds, 0.01))

    def wait(self, seconds: float) -> None:
        """Wait for others."""
        self.pause(seconds)


class Over(Before):
    """The beginning of an attempt that is to end."""

    def pause(self, seconds: float) -> None:
        """End it."""
        raise Interrupted


@attrs.frozen
class Bench:
    """An experiment whose jobs leave files, and this machine."""

    exp: sweepstake.ManualSearch
    folder: Path

    def leave(self, job_id: str, outcome: Outcome = Outcome.DONE, *, task: str = "make", **files: str) -> None:
        """Add a job, unless it is there, and end an attempt at it that left files."""
        lab = Lab(self.exp.session.queue, "exp")
        if job_id not in {job.id for job in lab.jobs()}:
            lab.add(draft(job_id, task=task))
        claim = lab.queue.claim("exp", "w", ids=[job_id], offer=Offer(cpu=1.0))
        assert isinstance(claim, Claim)
        results = self.folder / new_key()
        results.mkdir()
        for name, text in files.items():
            (results / name).write_text(text)
        FilesKeeper(lab.queue, claim, results).copy()
        lab.queue.finish("exp", job_id, Finish(attempt=claim.key, outcome=outcome), key=new_key())

    def loan(self, *waited_for: str) -> Loan:
        """Return what a new job has that waits for these."""
        lab = Lab(self.exp.session.queue, "exp")
        job = lab.job(lab.add_one(task="take", depends_on=waited_for))
        return Loan(Fetched(self.folder / "state"), self.exp, job)

    def fetched(self) -> list[str]:
        """Return what of others' results is on this machine."""
        folder = self.folder / "state" / "fetched"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def bench(exp: sweepstake.ManualSearch, tmp_path: Path) -> Bench:
    """Nothing is left yet."""
    tasks = [{"name": name, "image": {"docker": "tiny"}} for name in ("make", "take", "other")]
    exp.session.queue.put_spec("exp", SpecDraft(text="", document=JsonObject.of({"version": "v2", "tasks": tasks})))
    return Bench(exp, tmp_path)


def content(folder: Path) -> dict[str, str]:
    """Return all files of a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_the_done_attempt_left_is_mounted(bench: Bench) -> None:
    """And nothing of one before it, however that ended."""
    bench.leave("m", Outcome.RELEASED, x="old", y="old")
    bench.leave("m", x="new")
    bench.leave("other", task="other", z="z")
    loan = bench.loan("m", "other")
    assert content(loan.result("make", Before())) == {"x": "new"}
    assert content(loan.result("other", Before())) == {"z": "z"}
    loan.give_back()


def test_the_results_of_several_jobs_lie_side_by_side(bench: Bench) -> None:
    """Each in a folder of its id, also one that left nothing."""
    bench.leave("m.1", x="1")
    bench.leave("m.2", x="2")
    bench.leave("m.3")
    folder = bench.loan("m.1", "m.2", "m.3").result("make", Before())
    assert content(folder) == {"m.1/x": "1", "m.2/x": "2"}
    assert (folder / "m.3").is_dir()


def test_results_are_fetched_once_and_not_to_be_changed(bench: Bench) -> None:
    """Two jobs have the same files; what somebody changed who may do all is fetched anew."""
    bench.leave("m", x="1")
    one, two = bench.loan("m"), bench.loan("m")
    folder = one.result("make", Before())
    number = (folder / "x").stat().st_ino
    assert ((folder / "x").stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o444, 0o555)
    assert two.result("make", Before()) == folder
    assert (folder / "x").stat().st_ino == number
    one.give_back()
    two.give_back()
    (folder / "x").chmod(0o600)
    (folder / "x").write_text("2")
    assert content(bench.loan("m").result("make", Before())) == {"x": "1"}


def test_several_may_begin_at_once(bench: Bench) -> None:
    """One fetches, the others wait for that."""
    bench.leave("m", Outcome.DONE, task="make", **{f"x{i}": str(i) for i in range(50)})
    loans = [bench.loan("m") for _ in range(4)]
    found: list[Path] = []
    threads = [threading.Thread(target=lambda loan=loan: found.append(loan.result("make", Before()))) for loan in loans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(content(found[0])) == 50


def test_what_nobody_uses_is_removed(bench: Bench) -> None:
    """Not before it is given back; then, and when nobody has used it for an hour."""
    bench.leave("m", x="1")
    loan = bench.loan("m")
    loan.result("make", Before())
    fetched = Fetched(bench.folder / "state")
    fetched.clean(unused=0.0)
    assert len(bench.fetched()) == 2
    loan.give_back()
    fetched.clean()
    assert len(bench.fetched()) == 2
    lock = next((bench.folder / "state" / "fetched").glob("*.lock"))
    os.utime(lock, (1.0, 1.0))
    fetched.clean()
    assert bench.fetched() == []


def test_an_attempt_that_is_to_end_waits_for_nothing(bench: Bench) -> None:
    """What it had begun to fetch is fetched anew by the next."""
    bench.leave("m", x="1")
    with pytest.raises(Interrupted):
        bench.loan("m").result("make", Over())
    assert content(bench.loan("m").result("make", Before())) == {"x": "1"}


def test_a_result_that_is_not_there_is_told(bench: Bench) -> None:
    """Nobody has it: the job waits for none of the task, or for one that somebody put to DONE."""
    bench.leave("m", x="1")
    with pytest.raises(InvalidInputError, match="waits for none of the task 'train'"):
        bench.loan("m").result("train", Before())
    bench.leave("n", Outcome.RELEASED, x="1")
    job = bench.exp.get_job("n")
    job.status = "DONE"
    job.put()
    with pytest.raises(InvalidInputError, match="no DONE attempt"):
        bench.loan("n").result("make", Before())


def test_a_task_may_wait_as_long_as_others_fetch(bench: Bench) -> None:
    """It is told when it is to end meanwhile."""
    bench.leave("m", x="1")
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Before):
        def pause(self, seconds: float) -> None:
            begun.set()
            go_on.wait(60)

    slow = threading.Thread(target=lambda: bench.loan("m").result("make", Slow()))
    slow.start()
    eventually(begun.is_set)
    with pytest.raises(Interrupted):
        bench.loan("m").result("make", Over())
    go_on.set()
    slow.join()
