"""The verbs by which people change where jobs stand: retry, prune, edit, pause, resume."""

import json

import attrs
import pytest

import sweepstake
from sweepstake import Database, Experiment, Job, ManualSearch, Settings
from sweepstake.domain.settings import Direction
from tests.kit.lab import eventually
from tests.kit.shell import Command


def crash(exp: Experiment, job_id: str) -> None:
    """Add a job and let it fail."""
    exp.add_job({}, job_id=job_id)
    with pytest.raises(ZeroDivisionError), exp.next_job():
        raise ZeroDivisionError


def test_jobs_are_retried_by_name(sw: Command, db: Database) -> None:
    """What can be is queued again, what is queued stays, and what is refused is told with exit code 1."""
    exp = db.add_experiment(ManualSearch("e"))
    crash(exp, "failed")
    exp.add_job({}, "PRUNED", job_id="pruned")
    exp.add_job({}, "DONE", job_id="done")
    ran = sw("retry", "e", "failed", "pruned", "done", code=1)
    assert ran.out == "2 jobs of e queued again: failed, pruned.\n"
    assert ran.err.startswith("Refused: The job 'done' is DONE")
    assert sw("retry", "e", "failed").out == "0 jobs of e queued again.\nfailed is QUEUED already.\n"
    assert [exp.get_job(job).status for job in ("failed", "pruned", "done")] == [Job.QUEUED, Job.QUEUED, Job.DONE]
    told = json.loads(sw("retry", "e", "failed", "done", "--format", "json", code=1).out)
    assert told["unchanged"] == ["failed"]
    assert list(told["refused"]) == ["done"]
    assert sw("retry", "e", "pruned", "pruned").out == "0 jobs of e queued again.\npruned is QUEUED already.\n"


def test_all_that_crashed_is_retried(sw: Command, db: Database) -> None:
    """One word for all of them, and what was pruned on purpose stays so."""
    exp = db.add_experiment(ManualSearch("e"))
    for job_id in ("a", "b"):
        crash(exp, job_id)
    exp.add_job({}, "PRUNED", job_id="c")
    assert json.loads(sw("retry", "e", "--crashed", "--format", "json").out)["retried"] == ["a", "b"]
    assert [exp.get_job(job).status for job in "abc"] == [Job.QUEUED, Job.QUEUED, Job.PRUNED]


def test_only_the_lost_are_retried(sw: Command, db: Database) -> None:
    """Those whose workers died, and not those that failed by themselves."""
    exp = db.add_experiment(ManualSearch("e", lease=0.1, max_lost=0))
    crash(exp, "failed")
    exp.add_job({}, job_id="lost")
    exp.session.queue.claim("e", "somebody who dies")

    def is_settled() -> bool:
        exp.session.queue.claim("e", "looks")
        return exp.get_job("lost").status == Job.CRASHED

    eventually(is_settled)
    assert json.loads(sw("retry", "e", "--lost", "--format", "json").out)["retried"] == ["lost"]
    assert exp.get_job("failed").status == Job.CRASHED


def test_all_that_was_pruned_is_retried(sw: Command, db: Database) -> None:
    """What was stopped goes on with one word, and beside what crashed what was pruned with it."""
    exp = db.add_experiment(ManualSearch("e"))
    crash(exp, "a")
    for job_id in ("b", "c"):
        exp.add_job({}, job_id=job_id)
    assert sw("stop", "e").out == "2 jobs of e are stopped.\n"
    assert sw("retry", "e", "--pruned").out == "2 jobs of e queued again: b, c.\n"
    exp.get_job("b").prune()
    assert sw("retry", "e", "--crashed", "--pruned").out == "2 jobs of e queued again: a, b.\n"


@pytest.mark.parametrize("options", [(), ("job", "--crashed"), ("--crashed", "--lost"), ("job", "--pruned")])
def test_a_retry_says_of_what(sw: Command, options: tuple[str, ...]) -> None:
    """Either jobs by name, or which of those that ended."""
    assert "Name the jobs" in sw("retry", "e", *options, code=2).err


def test_jobs_are_pruned_by_name(sw: Command, db: Database) -> None:
    """What waits and what runs is stopped, and what has ended is refused with exit code 1."""
    exp = db.add_experiment(ManualSearch("e"))
    for job_id in ("running", "waiting"):
        exp.add_job({}, job_id=job_id)
    exp.add_job({}, "DONE", job_id="done")
    with exp.next_job() as job:
        ran = sw("prune", "e", "running", "waiting", "done", code=1)
        assert ran.out == "2 jobs of e pruned: running, waiting.\n"
        assert ran.err.startswith("Refused: The job 'done' is DONE")
        job.results["so far"] = 1
    assert [exp.get_job(job).status for job in ("running", "waiting", "done")] == [Job.PRUNED, Job.PRUNED, Job.DONE]
    told = json.loads(sw("prune", "e", "waiting", "--format", "json").out)
    assert told == {"pruned": [], "unchanged": ["waiting"], "refused": {}}
    assert "Missing argument" in sw("prune", "e", code=2).err


def test_jobs_are_edited(sw: Command, db: Database) -> None:
    """Several at once, each option by itself; the etag stays."""
    exp = db.add_experiment(ManualSearch("e"))
    etags = [exp.add_job({}, job_id=job_id, tags=["old"]).etag for job_id in "ab"]
    assert sw("edit", "e", "a", "b", "--priority", "-3", "--not-before", "2100-01-31T18:00+01:00").out == (
        "2 jobs of e changed: a, b.\n"
    )
    jobs = list(exp.all_jobs())
    assert [job.etag for job in jobs] == etags
    assert {(job.priority, job.tags, job.record.not_before) for job in jobs} == {(-3, ("old",), 4105098000.0)}
    [shown] = json.loads(
        sw("edit", "e", "a", "--tag", "x", "--tag", "y", "--notes", "n", "--not-before", "now", "--format", "json").out
    )
    assert (shown["tags"], shown["notes"], shown["not_before"], shown["priority"]) == (["x", "y"], "n", None, -3)
    sw("edit", "e", "a", "--no-tags", "--not-before", "4000000000")
    assert (exp.get_job("a").tags, exp.get_job("a").record.not_before) == ((), 4_000_000_000.0)


#: Every setting with a value that is not its default, as it is typed, and as it is then.
_SETTINGS: list[tuple[str, str, object]] = [
    ("lease", "120", 120.0),
    ("timeout", "3600", 3600.0),
    ("timeout", "none", None),
    ("max_attempts", "3", 3),
    ("max_lost", "5", 5),
    ("max_preemptions", "7", 7),
    ("max_preemptions", "none", None),
    ("retry_delay", "0.5", 0.5),
    ("no_retry_on", "2", (2,)),
    ("no_retry_on", "none", ()),
    ("max_running", "4", 4),
    ("max_running", "none", None),
    ("max_jobs", "52", 52),
    ("max_jobs", "none", None),
    ("objective", "loss", "loss"),
    ("objective", "none", None),
    ("direction", "max", Direction.MAXIMIZE),
    ("seed", "5", 5),
    ("tags", "new", ("new",)),
    ("notes", "new", "new"),
]


@pytest.mark.parametrize("name, text, value", _SETTINGS)
def test_a_setting_of_an_experiment_is_edited(sw: Command, db: Database, name: str, text: str, value: object) -> None:
    """It alone changes, and the command says from what to what."""
    full = Settings(
        lease=9.0,
        timeout=8.0,
        max_attempts=7,
        max_lost=6,
        max_preemptions=5,
        retry_delay=4.0,
        no_retry_on=("KeyError",),
        max_running=3,
        max_jobs=2,
        objective="accuracy",
        direction="min",
        seed=1,
        tags=("old",),
        notes="old",
    )
    exp = db.add_experiment(ManualSearch("e", "DONE", **attrs.asdict(full)))
    exp.add_job({}, job_id="a", tags=["old"], notes="old")
    flag = {"tags": "--tag"}.get(name, f"--{name.replace('_', '-')}")
    assert sw("edit", "e", flag, text).out.startswith(f"e: {name} is ")
    found = db.get_experiment("e")
    assert found.settings == Settings(**{**attrs.asdict(full), name: value})
    assert found.status == "DONE"
    assert exp.get_job("a").record == next(exp.all_jobs()).record
    assert (exp.get_job("a").tags, exp.get_job("a").notes) == (("old",), "old")


def test_every_setting_can_be_edited() -> None:
    """And every one that may be none can be taken away."""
    names = {attribute.name for attribute in attrs.fields(Settings)}
    assert {name for name, *_ in _SETTINGS} == names


def test_an_edit_tells_what_changed(sw: Command, db: Database) -> None:
    """From what to what; for programs the whole experiment."""
    db.add_experiment(ManualSearch("e", lease=9))
    told = sw("edit", "e", "--max-jobs", "52", "--tag", "a", "--tag", "b", "--lease", "9").out
    assert told == 'e: max_jobs is 52, was none.\ne: tags is ["a", "b"], was none.\ne: lease is 9, as before.\n'
    shown = json.loads(sw("edit", "e", "--no-tags", "--max-jobs", "none", "--format", "json").out)
    assert (shown["settings"]["tags"], shown["settings"]["max_jobs"], shown["settings"]["lease"]) == ([], None, 9.0)


@pytest.mark.parametrize(
    "words, problem",
    [
        ((), "Say what to change: a setting such as --max-jobs"),
        (("--priority", "3"), "--priority is of jobs"),
        (("--not-before", "now"), "--not-before is of jobs"),
        (("a", "--max-jobs", "3"), "--max-jobs is a setting of the experiment"),
        (("--lease", "none"), "not a valid float"),
    ],
)
def test_jobs_and_experiments_are_not_mixed_up(sw: Command, db: Database, words: tuple[str, ...], problem: str) -> None:
    """What only the other has is refused with a word on it."""
    db.add_experiment(ManualSearch("e")).add_job({}, job_id="a")
    assert problem in " ".join(sw("edit", "e", *words, code=2).err.split())


@pytest.mark.parametrize(
    "options, problem",
    [
        ((), "Say what to change: --priority"),
        (("--tag", "x", "--no-tags"), "exclude each other"),
        (("--not-before", "tomorrow"), "a date and time such as"),
        (("--not-before", "2030"), "no Unix time of our days"),
        (("--not-before", "nan"), "no Unix time of our days"),
        (("--not-before", "202601311800"), "no Unix time of our days"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(
    sw: Command, db: Database, options: tuple[str, ...], problem: str
) -> None:
    """By a word on how it is meant."""
    db.add_experiment(ManualSearch("e")).add_job({}, job_id="a")
    assert problem in sw("edit", "e", "a", *options, code=2).err


def test_an_experiment_is_paused_and_goes_on(sw: Command, db: Database) -> None:
    """Nothing is claimed meanwhile; a job that runs reports all the same."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_jobs([{"x": 1}, {"x": 2}])
    with exp.next_job() as job:
        assert sw("pause", "e").out == "e is paused; 1 job runs on.\n"
        job.results["y"] = 1
    assert exp.get_job(job.job_id).status == Job.DONE
    with pytest.raises(sweepstake.NoJobError, match=r"paused or its search is complete; resume\(\)"):
        exp.next_job()
    assert sw("resume", "e").out == "e goes on; 1 job is ready.\n"
    assert exp.next_job().hyperparameters == {"x": 2}
    assert json.loads(sw("pause", "e", "--format", "json").out)["status"] == "DONE"
    assert json.loads(sw("resume", "e", "--format", "json").out)["status"] == "RUNNING"


def test_why_a_job_is_not_running(sw: Command, db: Database) -> None:
    """One sentence for people, and all that is known for programs."""
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_jobs([{}, {}])
    first, second = exp.all_jobs()
    sentence = sw("why", "e", second.job_id).out
    assert sentence.startswith("It is ready, and 1 job is claimed before it, but no worker is alive")
    assert str(second.why()) == sentence.strip()
    told = json.loads(sw("why", "e", first.job_id, "--format", "json").out)
    assert (told["reason"], told["ahead"], told["workers"], told["blockers"]) == ("ready", 0, [], [])
    assert "There is no job" in sw("why", "e", "missing", code=1).err
