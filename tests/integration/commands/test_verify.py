"""`verify` finds whatever breaks a promise, and nothing in a store that is as promised, though others write to it."""

import itertools
import json
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from sweepstake.domain.batches.records import BatchDraft, BatchStatus
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.verify import Verification, verify
from sweepstake.queue.verify.facts import Check
from tests.kit.filled import fill_tasks
from tests.kit.history import check_history, findings
from tests.kit.lab import Lab, document, new_key
from tests.kit.lively import Life
from tests.kit.oldschema import run_plainly
from tests.kit.shell import Shell
from tests.kit.stack import open_queue
from tests.kit.stores import open_store

#: One way to break each rule; the jobs are those of `fill`.
DAMAGE: Final = {
    Check.NUMBERS: "update attempts set number = 7 where job_seq = 1",
    Check.HOLDERS: "update attempts set ended_at = null, outcome = null, finish_key = null where job_seq = 2",
    Check.OVERLAP: "update attempts set started_at = started_at - 100 where job_seq = 3 and number = 2",
    Check.OUTCOMES: "update attempts set outcome = null where job_seq = 4",
    Check.STATUS: "update jobs set status = 'PRUNED' where seq = 5",
    Check.KEYS: "update attempts set finish_key = (select key from attempts where job_seq = 3 and number = 1) "
    "where job_seq = 6",
    Check.BUDGETS: "update jobs set failures = 2 where seq = 7",
    Check.LIMITS: "update experiments set created = 3",
    Check.COUNTS: "update counts set jobs = jobs + 1",
    Check.DEPENDENCIES: "update jobs set dependants = 1 where seq = 8",
    Check.READINESS: "update jobs set due = null where seq = 9",
    Check.WRITES: "update jobs set etag = 'made-up' where seq = 10",
    Check.RESULTS: "update jobs set status = 'DONE' where seq = 11",
    Check.TASKS: "update jobs set needs = 1 where seq = 8",
    Check.SPECS: "insert into tasks (experiment_id, version, name, needs, fails_all, preempts_all) "
    "select id, 1, 'huge', 1, 0, 0 from experiments",
    Check.GANGS: "update jobs set gang = 'g' where seq = 9",
    Check.BATCHES: "insert into batches (experiment_id, id, number, status, draft, intended_at) "
    "select id, 'b', 2, 'INTENDED', '{}', 0 from experiments",
    Check.STRAYS: "delete from jobs where seq = 12",
}
#: Ways to break what is promised of tasks; the jobs are those of `fill_tasks`, of which one of a gang is claimed.
DAMAGE_OF_TASKS: Final = (
    (Check.TASKS, "update jobs set needs = 0 where id = 'large'", "is kept under the needs number 0"),
    (Check.TASKS, "update jobs set needs = 1 where id = 'no task'", "has no task, and needs number 1"),
    (Check.TASKS, "update jobs set task = 'huge' where id = 'large'", "which version 2 of the spec has not"),
    (Check.TASKS, "update jobs set spec_version = 7 where id = 'large'", "which version 7 of the spec has not"),
    (Check.TASKS, "update jobs set spec_version = null where id = 'large'", "has the task 'large' of no spec"),
    (Check.TASKS, "update jobs set spec_version = 1 where id = 'no task'", "comes from version 1 of the spec"),
    (Check.TASKS, "delete from tasks where name = 'large'", "which version 2 of the spec has not"),
    (Check.SPECS, "delete from specs where version = 2", "keeps 2 tasks of versions of its spec that are not there"),
    (Check.SPECS, "delete from specs where version = 1", "keeps 1 version of its spec, of which the last is 2"),
    (Check.SPECS, "delete from needs where text like '%gpu%'", "keeps 1 task whose needs are not there"),
    (Check.SPECS, "delete from snapshots", "keeps 1 version of its spec whose snapshot of code is not there"),
    (Check.SPECS, "update snapshots set document = '{}'", "is not the one that was kept so"),
    (Check.SPECS, "update snapshots set document = '{'", "is not the one that was kept so"),
    (Check.GANGS, "update jobs set rank = 0 where gang = 'g'", "the gang 'g' has 2 jobs of 1 rank"),
    (Check.GANGS, "update jobs set gang = 'g' where id = 'large'", "the gang 'g' is of 2 tasks, of 2 versions"),
    (
        Check.GANGS,
        "update jobs set started_at = started_at - 99999 where id = 'gang 0'",
        "s for all to be claimed, and may 900 s",
    ),
    (Check.STRAYS, "update needs set experiment_id = 99", "is the need 1 of experiment number 99"),
    (Check.STRAYS, "update specs set experiment_id = 99", "is the spec 1 of experiment number 99"),
    (Check.STRAYS, "update tasks set experiment_id = 99", "is the task of spec 1 of experiment number 99"),
)
#: Ways to break what is promised of batches; there are those of `batches_of`.
DAMAGE_OF_BATCHES: Final = (
    ("update batch_jobs set job = 'x' where job = 'y'", "is in 2 batches that are under way"),
    ("delete from batches where id = 'a' and number = 1", "the batch 'a' has 1 submission, of which the last is 2"),
    (
        "update batches set status = 'BEGUN', ended_at = null where number = 1",
        "nobody knows when or in which allocation",
    ),
    (
        "update batches set ended_at = 1 where id = 'b'",
        "has 1 submission that ended without a time, or has one and goes on",
    ),
    ("update batches set experiment_id = 99 where id = 'b'", "of experiment number 99, which is not there"),
    ("update batch_jobs set batch_seq = 99 where job = 'y'", "is the list of jobs 1 of batch number 99"),
)
_COPY: Final = """
    create table copied as select * from events;
    drop table events;
    alter table copied rename to events;
    insert into events select seq + 1000, at, verb, experiment, job, key, detail from events limit 1;
"""


def fill(url: str) -> None:
    """Make an experiment of 12 jobs: done in one attempt or two, crashed, pruned, running, queued."""
    with closing(open_queue(url)) as queue:
        lab = Lab.new(queue, name="sweep", max_running=5)
        ids = lab.add_many(12)
        for job_id in (*ids[:7], ids[11]):
            claim = lab.claim()
            while claim.job.id != job_id:
                lab.finish(claim, Outcome.DONE)
                claim = lab.claim()
            if job_id == ids[2]:
                lab.finish(claim, Outcome.RELEASED)
                claim = lab.claim()
            if job_id != ids[11]:
                lab.finish(claim, Outcome.CRASHED if job_id == ids[6] else Outcome.DONE)
        lab.put(ids[9], document())
        lab.put(ids[10], document(JobStatus.RUNNING))
        lab.prune(ids[10])
        lab.put(ids[7], document(JobStatus.DONE, results={"told": True}))
        lab.put(ids[11], document(JobStatus.CRASHED))
        lab.put(ids[8], document())
        assert lab.claim().job.id == ids[8]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that `fill` has filled; tests damage copies of it."""
    path = tmp_path_factory.mktemp("filled") / "store.db"
    fill(f"sqlite:///{path}")
    return path


def look(url: str) -> Verification:
    """Verify a store."""
    with closing(open_store(url)) as store:
        return verify(store.ledger)


@pytest.mark.parametrize("check", DAMAGE)
def test_each_check_finds_its_damage(check: Check, filled: Path, tmp_path: Path) -> None:
    """One wrong fact is found by the check that it concerns, and by the tests' own judge."""
    url = f"sqlite:///{shutil.copy(filled, tmp_path / 'store.db')}"
    assert look(url).found == 0
    run_plainly(url, DAMAGE[check])
    assert check in {violation.check for violation in look(url).violations}
    assert list(findings(url))


def batches_of(url: str) -> None:
    """Make an experiment whose batch `a` was submitted twice and has begun, and `b` once."""
    with closing(open_queue(url)) as queue:
        name = Lab.new(queue).name
        first, other = (BatchDraft(id=i, jobs=(job,), backend="slurm") for i, job in (("a", "x"), ("b", "y")))
        queue.intend_batches(name, [first, other])
        queue.note_batch(name, "a", 1, status=BatchStatus.ENDED)
        queue.intend_batches(name, [first])
        queue.begin_batch(name, "a", 2, "7")


@pytest.mark.parametrize("damage, told", DAMAGE_OF_BATCHES)
def test_damage_to_batches_is_found(damage: str, told: str, tmp_path: Path) -> None:
    """By `verify` and by the tests' own judge; without damage there is nothing to find."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    batches_of(url)
    assert look(url).found == 0
    run_plainly(url, "drop index batches_live", damage)
    assert any(told in violation.what for violation in look(url).violations)
    assert list(findings(url))


def tasks_of(url: str) -> None:
    """Make an experiment with tasks, of which half a gang is claimed and waits for the rest."""
    with closing(open_queue(url)) as queue:
        lab = Lab.new(queue, name="sweep")
        fill_tasks(lab)
        assert lab.claim(offer=Offer(cpu=1)).job.id == "gang 0"


@pytest.fixture(scope="module")
def with_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that `tasks_of` has filled; tests damage copies of it."""
    path = tmp_path_factory.mktemp("tasks") / "store.db"
    tasks_of(f"sqlite:///{path}")
    return path


@pytest.mark.parametrize("check, statement, what", DAMAGE_OF_TASKS)
def test_damage_to_tasks_is_found(check: Check, statement: str, what: str, with_tasks: Path, tmp_path: Path) -> None:
    """Each wrong fact about specs, tasks, needs and gangs is found, and by the tests' own judge."""
    url = f"sqlite:///{shutil.copy(with_tasks, tmp_path / 'store.db')}"
    assert look(url).found == 0
    run_plainly(url, statement)
    found = [each.what for each in look(url).violations if each.check is check]
    assert any(what in each for each in found), found
    assert list(findings(url))


def test_damage_to_tasks_is_found_on_postgres(new_database: Callable[[], str]) -> None:
    """As on SQLite, one damage after another to one store."""
    url = new_database()
    tasks_of(url)
    assert look(url).found == 0
    for statement in (
        "update jobs set needs = 0 where id = 'large'",
        "update jobs set rank = 0 where gang = 'g'",
        "insert into specs select experiment_id + 99, version, text, document, created_at from specs",
        "delete from specs where version = 1",
        "update snapshots set document = '{}'",
    ):
        run_plainly(url, statement)
    found = {each.check for each in look(url).violations}
    assert found == {Check.TASKS, Check.GANGS, Check.STRAYS, Check.SPECS}
    assert list(findings(url))


def test_an_end_that_its_holder_did_not_report_is_found(tmp_path: Path) -> None:
    """Nobody else's word ends a lease as DONE; what the holder itself has put is known to be its own."""
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(open_queue(url)) as queue:
        lab = Lab.new(queue, name="sweep")
        lab.add_many(3)
        reported, put, taken = lab.claim(), lab.claim(), lab.claim()
        lab.finish(reported)
        lab.put(put.job.id, document(JobStatus.DONE), attempt=put.key)
        lab.put(taken.job.id, document(JobStatus.DONE))
    assert look(url).found == 0
    check_history(url)
    run_plainly(url, "update attempts set finish_key = null where finish_key is not null")
    run_plainly(url, "update attempts set outcome = 'done' where outcome = 'superseded'")
    holders = [each.what for each in look(url).violations if each.check is Check.HOLDERS]
    assert holders == ["ended as done, and its holder did not say so"] * 2
    assert any("who did not hold it" in finding for finding in findings(url))


def test_a_retry_gives_new_budgets(tmp_path: Path) -> None:
    """Which are then counted from the attempts that came after it."""
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(open_queue(url)) as queue:
        lab = Lab.new(queue, name="sweep", max_attempts=2)
        lab.add_one()
        for _ in range(2):
            claim = lab.claim()
            lab.finish(claim, Outcome.CRASHED)
        queue.retry("sweep", claim.job.id, key=new_key())
        lab.finish(lab.claim(), Outcome.CRASHED)
    assert look(url).violations == ()
    check_history(url)
    run_plainly(url, "update jobs set losses = 2")
    assert [violation.check for violation in look(url).violations] == [Check.BUDGETS]
    assert list(findings(url))


def test_two_writes_with_one_key_are_found(filled: Path, tmp_path: Path) -> None:
    """Also where the store's own index has not prevented it."""
    path = shutil.copy(filled, tmp_path / "store.db")
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(_COPY)
    [violation] = look(f"sqlite:///{path}").violations
    assert violation.check is Check.KEYS


def test_all_damage_is_found_on_postgres_at_once(new_database: Callable[[], str]) -> None:
    """Every check reads PostgreSQL's tables as it reads SQLite's, and each violation says what it is about."""
    url = new_database()
    fill(url)
    assert look(url).found == 0
    for statement in DAMAGE.values():
        run_plainly(url, statement)
    violations = look(url).violations
    assert {violation.check for violation in violations} == set(Check)
    budget = next(violation for violation in violations if violation.check is Check.BUDGETS)
    assert (budget.experiment, budget.what.partition(",")[0]) == ("sweep", "counts 2 failures")


@pytest.fixture
def busy(store: str) -> Iterator[tuple[str, Callable[[], int]]]:
    """A store to which two threads do all they can, and how often they have done something."""
    done, stop = itertools.count(), threading.Event()
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            with closing(open_queue(store)) as queue:
                life = Life(Lab.new(queue, max_running=3), random.Random(seed))
                while not stop.is_set():
                    life.step()
                    next(done)
        except BaseException as error:  # noqa: BLE001 -- the thread ends here, and the test looks
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    yield store, lambda: next(done)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_lively_store_is_as_promised_while_it_is_written_to(busy: tuple[str, Callable[[], int]]) -> None:
    """No page catches a write half done: verifying again and again finds nothing."""
    url, done = busy
    while done() < 250:
        verification = look(url)
        assert verification.violations == ()
    assert verification.jobs > 50
    assert verification.attempts > 10
    check_history(url)


def test_the_command_says_what_it_checked(filled: Path) -> None:
    """Counts for each check, as text or JSON, and exit code 0."""
    shell = Shell(f"sqlite:///{filled}")
    assert "as promised" in shell.run("verify").stdout
    told = json.loads(shell.run("verify", "--format", "json").stdout)
    assert (told["jobs"], told["found"], told["checked"]["keys"] > 20) == (12, 0, True)


def test_the_command_names_what_is_wrong(filled: Path, tmp_path: Path) -> None:
    """Experiment, job, attempt and what, with exit code 1."""
    url = f"sqlite:///{shutil.copy(filled, tmp_path / 'store.db')}"
    run_plainly(url, DAMAGE[Check.OVERLAP])
    out = Shell(url).run("verify", code=1).stdout
    assert "attempts-apart: experiment 'sweep', job '" in out
    assert "attempt 2 began" in out


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, postgres_url: str) -> None:
    """A slip in a URL does not look like an empty store that is as promised."""
    assert "There is no store" in Shell(f"sqlite:///{tmp_path}/typo.db").run("verify", code=1).stderr
    assert not (tmp_path / "typo.db").exists()
    assert "There is no store" in Shell(postgres_url).run("verify", code=1).stderr


def test_an_error_of_clocks_is_a_number(filled: Path) -> None:
    """What is none would switch the checks of times off."""
    assert "a number of seconds" in Shell(f"sqlite:///{filled}").run("verify", "--clock-error", "nan", code=2).stderr
