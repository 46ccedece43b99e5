"""Jobs whose hyperparameters the experiment has already."""

import pytest

from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.duplicates import Added, Duplicate, OnDuplicate
from sweepstake.domain.records import PRESENT, SearchDefinition
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import InvalidInputError, LimitReachedError, NotFoundError, ResourceExistsError
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.crew import at_once
from tests.kit.lab import Lab, document, draft, new_key

ALLOW, SKIP, ERROR = OnDuplicate


def having(x: object, job_id: str | None = None, **more: object) -> JobDraft:
    """Return the draft of a job whose hyperparameter `x` is this."""
    return draft(job_id, of=document(hyperparameters={"x": x, **more}))


def add(lab: Lab, *drafts: JobDraft, on: OnDuplicate = SKIP, key: str | None = None) -> dict[int, str]:
    """Add jobs, and return what was left out: the place, and the job that is there."""
    added = lab.queue.add_jobs(lab.name, drafts, key=key or new_key(), on_duplicate=on)
    return {each.place: each.id for each in added.duplicates}


def ids(lab: Lab) -> list[str]:
    """Return the ids of all jobs by age."""
    return [job.id for job in lab.jobs()]


def test_repeats_are_skipped_and_named(lab: Lab) -> None:
    """Those in the experiment and those in the call; what is new is added."""
    assert add(lab, having(1, "a"), having(2, "b")) == {}
    assert add(lab, having(3, "c"), having(2, "d"), having(3, "e"), having(1, "f")) == {1: "b", 2: "c", 3: "a"}
    assert ids(lab) == ["a", "b", "c"]
    assert lab.record().created == 3


def test_only_equal_values_are_the_same(lab: Lab) -> None:
    """The order of keys does not matter, however deep; types and signs do."""
    values = [1, 1.0, True, "1", [1], {"a": 1, "b": {"c": 2, "d": 3}}, 0.0, -0.0, None, float("nan"), 10**30, 1e30]
    assert add(lab, *(having(value, y=0) for value in values)) == {}
    again = draft(of=document(hyperparameters={"y": 0, "x": {"b": {"d": 3, "c": 2}, "a": 1}}))
    assert list(add(lab, again, having(float("nan"), y=0), having(1.0, y=0))) == [0, 1, 2]
    assert add(lab, having(1), draft()) == {}
    assert len(ids(lab)) == len(values) + 2


def test_a_repeat_may_be_refused(lab: Lab) -> None:
    """The whole call is, and the error names the hyperparameters and the job that has them."""
    add(lab, having(1, "a"))
    with pytest.raises(ResourceExistsError, match=r'"x":1.*are those of the job \'a\'.*On a duplicate'):
        add(lab, having(2), having(1), on=ERROR)
    with pytest.raises(ResourceExistsError, match="stand twice"):
        add(lab, having(2), having(2), on=ERROR)
    assert ids(lab) == ["a"]
    assert add(lab, having(2, "b"), having(3, "c"), on=ERROR) == {}


def test_jobs_count_however_they_came(queue: Queue) -> None:
    """Added before anybody asked, put, proposed and claimed, proposed and offered; whatever became of them."""
    lab = Lab.new(queue, search=SearchDefinition("Grid", '{"x":["proposed","offered"]}'))
    lab.add(having("added", "added"), having("added", "again"))
    lab.put("put", document(JobStatus.DONE, {"x": "put"}))
    proposed = [lab.claim() for _ in range(3)][-1].job
    offered = lab.offer()
    words = ("added", "put", "proposed", "offered")
    assert add(lab, *map(having, words)) == {0: "added", 1: "put", 2: proposed.id, 3: getattr(offered, "id", "")}
    lab.put("late", document(JobStatus.CRASHED, {"x": "late"}))
    lab.add(having("allowed", "allowed"))
    assert add(lab, having("late"), having("allowed")) == {0: "late", 1: "allowed"}


def test_allowed_repeats_stay_allowed(lab: Lab) -> None:
    """Asking once does not change what others may add."""
    add(lab, having(1, "a"))
    assert add(lab, having(1, "b"), having(1, "c"), on=ALLOW) == {}
    assert add(lab, having(1)) == {0: "a"}
    assert ids(lab) == ["a", "b", "c"]


def test_a_repeated_call_answers_as_the_first(lab: Lab) -> None:
    """Also when the jobs have gone since, and without asking again."""
    drafts, key = [having(1, "a"), having(2, "b"), having(1, "c")], new_key()
    add(lab, having(2, "two"))
    for _ in range(2):
        assert add(lab, *drafts, key=key) == {1: "two", 2: "a"}
    lab.delete("two")
    lab.delete("a")
    assert add(lab, *drafts, key=key) == {1: "two", 2: "a"}
    assert ids(lab) == []


def test_deleted_jobs_do_not_count(lab: Lab) -> None:
    """An allowed repeat that is still there does."""
    add(lab, having(1, "a"), having(2, "b"))
    lab.add(having(2, "c"))
    lab.delete("a")
    lab.delete("b")
    assert add(lab, having(1, "d"), having(2)) == {1: "c"}


def test_changed_hyperparameters_count_as_they_are_now(lab: Lab) -> None:
    """Changed by a put, or by the report at the end of an attempt."""
    add(lab, having(1, "a"), having(2, "b"))
    lab.put("a", document(hyperparameters={"x": 10}))
    claim = lab.claim()
    assert claim.job.id == "a"
    lab.finish(claim, Outcome.DONE, hyperparameters=JsonObject.of({"x": 100}))
    claim = lab.claim()
    lab.finish(claim, Outcome.CRASHED, hyperparameters=JsonObject.of({"x": 200}))
    drafts = [having(x, f"new {x}") for x in (1, 2, 10, 100, 200)]
    assert add(lab, *drafts) == {3: "a", 4: "b"}
    assert add(lab, *drafts) == {0: "new 1", 1: "new 2", 2: "new 10", 3: "a", 4: "b"}


def test_only_what_is_created_counts_for_max_jobs(queue: Queue) -> None:
    """Repeats that are skipped need no room."""
    lab = Lab.new(queue, max_jobs=3)
    add(lab, having(1, "a"), having(2, "b"))
    assert add(lab, having(1), having(2), having(3, "c"), having(1)) == {0: "a", 1: "b", 3: "a"}
    assert add(lab, having(1), having(2)) == {0: "a", 1: "b"}
    with pytest.raises(LimitReachedError):
        add(lab, having(1), having(4))
    assert lab.record().created == 3


def test_who_depends_on_a_skipped_job_depends_on_the_one_that_is_there(lab: Lab) -> None:
    """In the experiment or in the call; a job that would so wait for itself is refused."""
    add(lab, having(1, "one"))
    summary = draft("summary", of=document(hyperparameters={"s": 1}), depends_on=("a", "b", "c"))
    assert add(lab, summary, having(1, "a"), having(2, "b"), having(2, "c")) == {1: "one", 3: "b"}
    assert [each.id for each in lab.queue.list_dependencies(lab.name, "summary")] == ["one", "b"]
    twins = draft("x", depends_on=("y",)), draft("y")
    with pytest.raises(InvalidInputError, match="itself"):
        add(lab, *twins)


def test_experiments_do_not_share_what_they_have_seen(queue: Queue) -> None:
    """Nor does one that was deleted and made anew know what was in it before."""
    one, other = Lab.new(queue), Lab.new(queue)
    add(one, having(1))
    assert add(other, having(1)) == {}
    one.queue.delete_experiment(one.name, guard=PRESENT, key=new_key())
    again = Lab.new(queue, name=one.name)
    assert add(again, having(1)) == {}
    with pytest.raises(NotFoundError):
        add(Lab(queue, new_key()), having(1))


def test_an_experiment_with_many_jobs_is_caught_up_with(lab: Lab) -> None:
    """More than are looked at in one transaction, of which some are repeats."""
    lab.add(*(having(i % 900, f"j{i}") for i in range(1100)))
    assert add(lab, having(0), having(899), having(900), having(199)) == {0: "j0", 1: "j899", 3: "j199"}


def test_racing_calls_create_each_once(lab: Lab) -> None:
    """Four threads that add the same sweep in different orders, beside puts and plain adds of other jobs."""
    lab.add(*(having(i) for i in range(8)))

    def work(number: int) -> list[int]:
        created = []
        order = range(20) if number % 2 else range(19, -1, -1)
        for x in order:
            if x % 10 == number:
                lab.put(new_key(), document(hyperparameters={"y": number, "x": x}))
            if not add(lab, having(x, f"{number}:{x}")):
                created.append(x)
        return created

    created = [x for each in at_once(work, 4) for x in each]
    assert sorted(created) == list(range(8, 20))
    assert len([job for job in lab.jobs() if "y" not in job.hyperparameters.decode()]) == 20


def test_skipping_is_the_same_whether_all_or_none_is_new(lab: Lab) -> None:
    """The answer lists what was left out, which may be nothing or everything."""
    drafts = [having(i, str(i)) for i in range(3)]
    first = lab.queue.add_jobs(lab.name, drafts, key=new_key(), on_duplicate=SKIP)
    again = [having(i) for i in range(3)]
    second = lab.queue.add_jobs(lab.name, again, key=new_key(), on_duplicate=SKIP)
    assert first == Added()
    assert second == Added(tuple(Duplicate(i, str(i)) for i in range(3)))
