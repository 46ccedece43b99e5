"""Jobs as a notebook adds, lists and ranks them."""

import math
from pathlib import Path

import pytest

import sweepstake
from sweepstake import Job


def test_a_job_comes_back_as_it_was_added(exp: sweepstake.ManualSearch) -> None:
    """Every argument of add_job is kept."""
    added = exp.add_job(
        {"lr": 0.1, "layers": [1, 2], "big": 1e22, "odd": math.nan},
        job_id="my id/ü",
        priority=7,
        tags=["a", "b"],
        notes="note",
        results={"x": -0.0},
    )
    job = exp.get_job("my id/ü")
    assert repr(job.hyperparameters) == repr(added.hyperparameters)
    assert repr(job.hyperparameters) == "{'lr': 0.1, 'layers': [1, 2], 'big': 1e+22, 'odd': nan}"
    assert (job.priority, job.tags, job.notes, repr(job.results)) == (7, ("a", "b"), "note", "{'x': -0.0}")
    assert (job.status, job.attempt, job.worker, job.etag) == (Job.QUEUED, 0, None, added.etag)


def test_results_are_never_shared_between_jobs(exp: sweepstake.ManualSearch) -> None:
    """Each job has a dict of its own."""
    first, second = exp.add_job({}), exp.add_job({})
    first.results["x"] = 1
    assert second.results == {}


def test_a_hundred_thousand_jobs_are_added_in_one_call(exp: sweepstake.ManualSearch) -> None:
    """A generator is enough, and every job is there once, in its order."""
    ids = exp.add_jobs(({"i": i} for i in range(100_000)), progress=True, tags=["bulk"])
    assert len(set(ids)) == 100_000
    assert exp.counts().ready == 100_000
    assert exp.next_job().hyperparameters == {"i": 0}


def test_a_bad_one_among_many_is_named_by_its_place(exp: sweepstake.ManualSearch) -> None:
    """The error says which of the many, and which value."""
    with pytest.raises(sweepstake.InvalidInputError, match=r"^\[2\]\.x: "):
        exp.add_jobs([{"x": 1}, {"x": 2}, {"x": object()}])
    assert exp.counts().ready == 0


def test_listings_are_filtered_and_ordered(exp: sweepstake.ManualSearch) -> None:
    """Status, tag, conditions and order all narrow or sort the same listing."""
    for i in range(6):
        exp.add_job({"i": i}, status="DONE", results={"loss": (i * 7) % 6}, tags=["even"] if i % 2 == 0 else ["odd"])
    exp.add_job({"i": 6})

    def listed(**query: object) -> list[int]:
        return [job.hyperparameters["i"] for job in exp.all_jobs(**query)]  # type: ignore[arg-type]  # as written

    assert listed() == [0, 1, 2, 3, 4, 5, 6]
    assert listed(status="QUEUED") == [6]
    assert listed(status=["QUEUED", "DONE"], tag="odd") == [1, 3, 5]
    assert listed(where="results.loss >= 4") == [4, 5]
    assert listed(where=["hyperparameters.i > 1", "i < 4"]) == [2, 3]
    assert listed(order="-results.loss", status="DONE") == [5, 4, 3, 2, 1, 0]
    with pytest.raises(sweepstake.InvalidInputError, match="where"):
        listed(where="results.loss")
    with pytest.raises(sweepstake.InvalidInputError, match="status"):
        listed(status="SLEEPING")


def test_wrong_filters_are_refused_by_the_call(exp: sweepstake.ManualSearch) -> None:
    """Nobody has to iterate to learn that a condition is none."""
    with pytest.raises(sweepstake.InvalidInputError, match="where"):
        exp.all_jobs(where="results.loss")


def test_a_notebook_shows_the_first_of_a_listing(exp: sweepstake.ManualSearch) -> None:
    """They are the first in the listing's own order, it says whether there are more, and nothing is used up by it."""
    exp.add_jobs({"i": i} for i in range(21))
    listing = exp.all_jobs(order="-i")
    html = listing._repr_html_()
    assert "<td>20</td>" in html
    assert "<td>0</td>" not in html
    assert "and more" in html
    assert "and more" not in exp.all_jobs(where="i > 0")._repr_html_()
    assert "exp" in repr(listing)
    assert "<td>20</td>" in exp.all_jobs(where="i = 20")._repr_html_()
    assert [job.hyperparameters["i"] for job in listing] == list(range(20, -1, -1))


def test_the_best_jobs_are_found_by_the_objective(db: sweepstake.Database) -> None:
    """The experiment's objective ranks; others can be asked for; jobs without a number are left out."""
    exp = db.add_experiment(sweepstake.ManualSearch("ranked", objective="acc"))
    for i, acc in enumerate([0.5, 0.9, math.nan, None, "high", 0.7]):
        exp.add_job({"i": i}, status="DONE", results={"acc": acc, "loss": i})
    exp.add_job({"i": 9}, status="CRASHED", results={"acc": 1.0})
    assert [job.hyperparameters["i"] for job in exp.top(5)] == [1, 5, 0]
    assert exp.best_job().hyperparameters == {"i": 1}
    assert exp.best_job("loss", "min").hyperparameters == {"i": 0}
    with pytest.raises(sweepstake.NoJobError):
        exp.best_job("unheard of")


def test_ranking_without_an_objective_says_what_to_do(exp: sweepstake.ManualSearch) -> None:
    """The error shows the call that would work."""
    with pytest.raises(sweepstake.InvalidInputError, match=r"top\(10, 'accuracy'\)"):
        exp.top()


def test_jobs_become_a_data_frame(exp: sweepstake.ManualSearch) -> None:
    """A row for each job, a column for each hyperparameter and result."""
    pytest.importorskip("pandas")
    exp.add_jobs({"lr": 10.0**-i} for i in range(3))
    with exp as job:
        job.results["acc"] = 0.5
    frame = exp.to_frame()
    assert list(frame["lr"]) == [1.0, 0.1, 0.01]
    assert frame["acc"].notna().tolist() == [True, False, False]
    assert len(exp.to_frame(status="DONE")) == 1


def test_reprs_are_short_and_html_is_escaped(exp: sweepstake.ManualSearch) -> None:
    """People see what it is; texts of users never become markup."""
    job = exp.add_job({"<b>": "<script>alert(1)</script>"})
    assert repr(job).startswith(f"<Job {job.job_id} of 'exp': QUEUED")
    assert repr(exp) == "<ManualSearch 'exp': RUNNING>"
    for html in (job._repr_html_(), exp._repr_html_()):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


def test_a_program_prunes_by_a_guarded_put(exp: sweepstake.ManualSearch) -> None:
    """`for job in exp.all_jobs(status="RUNNING")` may prune each as it finds it."""
    exp.add_jobs({"i": i} for i in range(2))
    held = [exp.next_job(), exp.next_job()]
    for job in exp.all_jobs(status="RUNNING"):
        if job.hyperparameters["i"] == 1:
            job.status = Job.PRUNED
            job.put()
    assert [exp.get_job(job.job_id).status for job in held] == [Job.RUNNING, Job.PRUNED]
    with pytest.raises(sweepstake.LeaseLostError):
        held[1].put()


def test_a_held_job_is_running_already(exp: sweepstake.ManualSearch) -> None:
    """To run it once more does nothing, and its attempt and its lease go on."""
    exp.add_job({})
    with exp.next_job() as job:
        key = job.attempt_key
        job.try_run()
        assert job.attempt_key == key
        job.results["acc"] = 1
    assert exp.get_job(job.job_id).results == {"acc": 1}


@pytest.mark.parametrize("name", ["results", "hyperparameters"])
def test_nothing_is_no_dict_of_values(exp: sweepstake.ManualSearch, name: str) -> None:
    """`job.results = train(...)`, of a function that forgot to return them, fails there and then."""
    exp.add_job({})
    with pytest.raises(sweepstake.InvalidInputError, match=f"{name}: must be an object"), exp.next_job() as job:
        setattr(job, name, None)
    assert exp.get_job(job.job_id).status == Job.CRASHED


def test_huge_values_are_cut_where_people_look(exp: sweepstake.ManualSearch) -> None:
    """A repr and a notebook's table stay readable."""
    job = exp.add_job({"text": "x" * 100_000})
    assert len(repr(job)) < 1000
    assert len(job._repr_html_()) < 2000


def test_a_job_given_back_is_ready_again(exp: sweepstake.ManualSearch) -> None:
    """`release` and `preempt` end the attempt; giving back what is not held is refused."""
    exp.add_job({})
    job = exp.next_job()
    job.release()
    assert exp.get_job(job.job_id).status == Job.QUEUED
    again = exp.next_job()
    again.preempt()
    assert [attempt.outcome for attempt in again.attempts()] == ["released", "preempted"]
    with pytest.raises(sweepstake.LeaseLostError, match="not held"):
        again.release()


def test_the_checkpoint_folder_is_the_same_in_every_attempt(exp: sweepstake.ManualSearch) -> None:
    """A later attempt finds what an earlier one saved."""
    exp.add_job({})
    job = exp.next_job()
    (job.checkpoint_dir / "model.pt").write_text("weights")
    job.release()
    assert (exp.next_job().checkpoint_dir / "model.pt").read_text() == "weights"


def test_a_job_whose_folder_cannot_be_made_is_given_back(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """A full or broken disk is this machine's fault: the loop ends with the error, and the job is anybody's again."""
    exp.add_job({})
    (tmp_path / "state").touch()
    with pytest.raises(sweepstake.UnusableFolderError, match=r"Not a directory.*SWEEPSTAKE_CHECKPOINTS"):
        for job in exp.claim_jobs():
            with job:
                (job.checkpoint_dir / "last.ckpt").touch()
    (back,) = exp.all_jobs()
    assert (back.status, [attempt.outcome for attempt in back.attempts()]) == (Job.QUEUED, ["released"])


def test_deleting_a_job_twice_is_an_error_only_if_asked(exp: sweepstake.ManualSearch) -> None:
    """`ensure` tells whether it matters."""
    job = exp.add_job({})
    job.delete()
    with pytest.raises(sweepstake.UnsafeUpdateError):
        job.delete()
    job.delete(ensure=False)
    with pytest.raises(sweepstake.NotFoundError):
        exp.get_job(job.job_id)


def test_a_retry_makes_a_failed_job_claimable(exp: sweepstake.ManualSearch) -> None:
    """The object shows the job as it is in the store afterwards, and can be put."""
    job = exp.add_job({"x": 1}, Job.CRASHED)
    job.retry()
    assert job.status == Job.QUEUED
    job.put()
    assert exp.next_job().job_id == job.job_id


def test_what_this_process_holds_is_not_retried(exp: sweepstake.ManualSearch) -> None:
    """A job that runs here with a lease is refused, and goes on."""
    exp.add_job({"x": 1})
    with exp.next_job() as job:
        with pytest.raises(sweepstake.UnsafeUpdateError):
            job.retry()
        job.results["y"] = 1
    assert exp.get_job(job.job_id).results == {"y": 1}


def test_a_job_run_without_a_lease_is_given_up_by_a_retry(exp: sweepstake.ManualSearch) -> None:
    """It is queued, and its object holds no attempt any more."""
    job = exp.add_job({"x": 1})
    job.try_run()
    job.retry()
    assert (job.status, job.attempt_key) == (Job.QUEUED, None)


def test_queueing_is_changed_beside_the_document(exp: sweepstake.ManualSearch) -> None:
    """A worker's results arrive although somebody raised the priority of its job meanwhile."""
    exp.add_job({"x": 1}, tags=["a"])
    with exp.next_job() as job:
        exp.get_job(job.job_id).set_queueing(priority=5, notes="urgent")
        job.results["y"] = 1
        job.put()
    done = exp.get_job(job.job_id)
    assert (done.status, done.results, done.priority, done.notes, done.tags) == (
        Job.DONE,
        {"y": 1},
        5,
        "urgent",
        ("a",),
    )


def test_changing_the_queueing_does_not_hide_what_others_wrote(exp: sweepstake.ManualSearch) -> None:
    """The object keeps the etag it read, so that its next safe put still fails."""
    job = exp.add_job({"x": 1})
    other = exp.get_job(job.job_id)
    other.results["y"] = 2
    other.put()
    job.set_queueing(priority=1)
    assert (job.priority, job.results) == (1, {})
    with pytest.raises(sweepstake.UnsafeUpdateError):
        job.put()
