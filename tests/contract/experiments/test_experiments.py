"""Experiments: create, replace, list and delete, with every guard and repeat."""

import attrs
import pytest

from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.keys import name_of
from sweepstake.domain.records import ABSENT, PRESENT, UNGUARDED, ExperimentDraft, Guard, SearchDefinition
from sweepstake.domain.settings import Direction, Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus
from sweepstake.errors import (
    InvalidInputError,
    KeyReusedError,
    LiveLeasesError,
    NotFoundError,
    ResourceExistsError,
    UnsafeUpdateError,
)
from sweepstake.queue.queue import Queue
from tests.kit.lab import MANUAL, Lab, document, draft, new_key

PAUSED = ExperimentDraft(search=MANUAL, status=ExperimentStatus.DONE)
RANDOM = SearchDefinition("RandomSearch", '{"x":{"uniform":{"low":0.0,"high":1.0}}}')
FULL = Settings(
    lease=12.5,
    timeout=3600.0,
    max_attempts=4,
    max_lost=7,
    max_preemptions=9,
    retry_delay=1.5,
    no_retry_on=("ValueError", 3),
    max_running=5,
    max_jobs=1000,
    objective="accuracy",
    direction=Direction.MINIMIZE,
    seed=-(2**53),
    tags=("a", "b"),
    notes="two\nlines",
)


def test_an_experiment_is_kept_as_it_was_put(queue: Queue) -> None:
    """Name, search, status and every setting come back; nothing has been created or proposed in it."""
    name, key = new_key(), new_key()
    put = queue.put_experiment(name, ExperimentDraft(search=RANDOM, settings=FULL), guard=ABSENT, key=key)
    kept = queue.get_experiment(name)
    assert kept == put
    assert (kept.name, kept.search, kept.settings, kept.status) == (name, RANDOM, FULL, ExperimentStatus.RUNNING)
    assert (kept.etag, kept.created, kept.proposals) == (name_of(key), 0, 0)


def test_a_new_experiment_gets_a_seed(queue: Queue) -> None:
    """Settings without a seed get one, and keep it when they are put again without."""
    lab, other = Lab.new(queue), Lab.new(queue)
    seed = lab.record().settings.seed
    assert seed is not None
    assert seed != other.record().settings.seed
    lab.set_status(ExperimentStatus.DONE)
    assert lab.record().settings.seed == seed


def test_a_put_without_settings_keeps_them(queue: Queue) -> None:
    """Schedy's shape of a PUT changes search and status, and no setting."""
    name = new_key()
    queue.put_experiment(name, ExperimentDraft(search=MANUAL, settings=FULL), guard=ABSENT, key=new_key())
    wanted = ExperimentDraft(search=RANDOM, status=ExperimentStatus.DONE)
    put = queue.put_experiment(name, wanted, guard=UNGUARDED, key=new_key())
    assert put == queue.get_experiment(name)
    assert (put.settings, put.search, put.status) == (FULL, RANDOM, ExperimentStatus.DONE)


def test_replacing_an_experiment_keeps_its_jobs(lab: Lab) -> None:
    """A new definition has a new etag and the same jobs, counts and time of creation."""
    lab.add_many(3)
    before = lab.record()
    after = lab.queue.put_experiment(
        lab.name, ExperimentDraft(search=RANDOM, settings=FULL), guard=Guard.match(before.etag), key=new_key()
    )
    assert after.etag != before.etag
    assert (after.created, after.created_at) == (before.created, before.created_at)
    assert len(lab.jobs()) == lab.record().created == 3


def test_jobs_do_not_touch_the_experiments_etag(lab: Lab) -> None:
    """Adding, claiming and finishing jobs leaves the definition's version alone."""
    etag = lab.record().etag
    lab.add_many(2)
    lab.finish(lab.claim())
    assert lab.record().etag == etag


def test_creating_what_exists_is_refused(lab: Lab) -> None:
    """A create guarded by ABSENT changes nothing when the name is taken."""
    before = lab.record()
    with pytest.raises(ResourceExistsError):
        lab.queue.put_experiment(lab.name, PAUSED, guard=ABSENT, key=new_key())
    assert lab.record() == before


@pytest.mark.parametrize("guard", [PRESENT, Guard.match(new_key())], ids=["present", "match"])
def test_replacing_what_is_not_there_is_refused(queue: Queue, guard: Guard) -> None:
    """A guarded replace of a missing experiment fails and creates nothing."""
    name = new_key()
    with pytest.raises(UnsafeUpdateError):
        queue.put_experiment(name, PAUSED, guard=guard, key=new_key())
    with pytest.raises(NotFoundError):
        queue.get_experiment(name)


def test_an_old_etag_is_refused(lab: Lab) -> None:
    """Whoever read the experiment before somebody else wrote it cannot replace it."""
    old = lab.record().etag
    lab.set_status(ExperimentStatus.RUNNING)
    before = lab.record()
    with pytest.raises(UnsafeUpdateError):
        lab.queue.put_experiment(lab.name, PAUSED, guard=Guard.match(old), key=new_key())
    assert lab.record() == before


def test_one_of_several_etags_is_enough(lab: Lab) -> None:
    """A guard of several etags holds when the experiment has any of them."""
    guard = Guard.match(new_key(), lab.record().etag)
    put = lab.queue.put_experiment(lab.name, PAUSED, guard=guard, key=new_key())
    assert put.status is ExperimentStatus.DONE


@pytest.mark.parametrize("guard", [ABSENT, UNGUARDED], ids=["absent", "unguarded"])
def test_repeating_a_create_answers_the_same(queue: Queue, guard: Guard) -> None:
    """The second call with a key is the first call again."""
    name, key = new_key(), new_key()
    wanted = ExperimentDraft(search=MANUAL, settings=FULL)
    first = queue.put_experiment(name, wanted, guard=guard, key=key)
    assert queue.put_experiment(name, wanted, guard=guard, key=key) == first


def test_repeating_a_guarded_replace_answers_the_same(lab: Lab) -> None:
    """A replace whose answer was lost is not taken for somebody else's write."""
    guard, key = Guard.match(lab.record().etag), new_key()
    first = lab.queue.put_experiment(lab.name, PAUSED, guard=guard, key=key)
    assert lab.queue.put_experiment(lab.name, PAUSED, guard=guard, key=key) == first


def test_repeating_a_superseded_replace_does_not_undo_what_followed(lab: Lab) -> None:
    """A late repeat of an unguarded write leaves the later write standing, and its etag guards nothing any more."""
    key = new_key()
    lab.queue.put_experiment(lab.name, PAUSED, guard=UNGUARDED, key=key)
    after = lab.set_status(ExperimentStatus.RUNNING)
    assert lab.queue.put_experiment(lab.name, PAUSED, guard=UNGUARDED, key=key).etag == name_of(key)
    assert lab.record() == after


def test_one_key_for_two_experiments_is_refused(queue: Queue) -> None:
    """A key names one write of one experiment."""
    lab, other, key = Lab.new(queue), Lab.new(queue), new_key()
    queue.put_experiment(lab.name, PAUSED, guard=UNGUARDED, key=key)
    with pytest.raises(KeyReusedError):
        queue.put_experiment(other.name, PAUSED, guard=UNGUARDED, key=key)
    assert other.record().status is ExperimentStatus.RUNNING


@pytest.mark.parametrize(
    "search",
    [
        SearchDefinition("NoSuchSearch"),
        SearchDefinition("RandomSearch", '{"x":{"uniform":{"low":1.0,"high":0.0}}}'),
        SearchDefinition("RandomSearch", '{"x":{"nosuch":{}}}'),
        SearchDefinition("RandomSearch", '{"x":{"choice":{"values":[]}}}'),
    ],
    ids=["unknown", "backwards", "unknown distribution", "no choice"],
)
def test_a_search_that_cannot_propose_is_refused(queue: Queue, search: SearchDefinition) -> None:
    """An unknown search, or one that cannot be sampled, is never stored."""
    name = new_key()
    with pytest.raises(InvalidInputError):
        queue.put_experiment(name, ExperimentDraft(search=search), guard=ABSENT, key=new_key())
    with pytest.raises(NotFoundError):
        queue.get_experiment(name)


def test_experiments_are_listed_once_each_and_oldest_first(queue: Queue) -> None:
    """Pages of any size hold every experiment once, also when others come and go between the pages."""
    labs = [Lab.new(queue).name for _ in range(5)]
    names: list[str] = []
    start = None
    for limit in (2, 3, *[50] * 100):
        page = queue.list_experiments(start, limit)
        assert len(page.items) <= limit
        names += [record.name for record in page.items]
        start = page.next
        if start is None:
            break
        Lab.new(queue)
    assert len(set(names)) == len(names)
    assert [name for name in names if name in set(labs)] == labs


def test_a_listed_experiment_is_the_whole_record(lab: Lab) -> None:
    """What a listing shows of an experiment is what reading it alone shows."""
    lab.add_many(2)
    start, found = None, None
    while found is None:
        page = lab.queue.list_experiments(start)
        found = next((record for record in page.items if record.name == lab.name), None)
        start = page.next
        assert found or start
    assert found == lab.record()
    assert found.created == 2


def test_deleting_takes_the_jobs_along(lab: Lab) -> None:
    """An experiment of the same name begins empty."""
    job_id = lab.add_one()
    lab.queue.delete_experiment(lab.name, guard=UNGUARDED, key=new_key())
    for ask in (lab.record, lab.jobs, lambda: lab.job(job_id), lambda: lab.queue.count_jobs(lab.name), lab.ask):
        with pytest.raises(NotFoundError):
            ask()
    again = Lab.new(lab.queue, name=lab.name)
    assert again.jobs() == []
    assert again.record().created == 0


def test_deleting_what_is_not_there(queue: Queue) -> None:
    """Unguarded it does nothing; guarded it fails."""
    queue.delete_experiment(new_key(), guard=UNGUARDED, key=new_key())
    for guard in (PRESENT, Guard.match(new_key())):
        with pytest.raises(UnsafeUpdateError):
            queue.delete_experiment(new_key(), guard=guard, key=new_key())


def test_deleting_by_an_old_etag_is_refused(lab: Lab) -> None:
    """Whoever has not seen the latest definition cannot delete it; whoever has, can."""
    old = lab.record().etag
    new = lab.set_status(ExperimentStatus.DONE).etag
    with pytest.raises(UnsafeUpdateError):
        lab.queue.delete_experiment(lab.name, guard=Guard.match(old), key=new_key())
    lab.queue.delete_experiment(lab.name, guard=Guard.match(new), key=new_key())
    with pytest.raises(NotFoundError):
        lab.record()


@pytest.mark.parametrize("guarded", [True, False])
def test_repeating_a_delete_spares_what_was_created_since(lab: Lab, *, guarded: bool) -> None:
    """The repeat succeeds, and does not delete a new experiment of the same name."""
    guard, key = Guard.match(lab.record().etag) if guarded else UNGUARDED, new_key()
    lab.queue.delete_experiment(lab.name, guard=guard, key=key)
    lab.queue.delete_experiment(lab.name, guard=guard, key=key)
    again = Lab.new(lab.queue, name=lab.name)
    lab.queue.delete_experiment(lab.name, guard=guard, key=key)
    assert again.record().name == lab.name


def test_a_key_of_another_verb_does_not_delete(lab: Lab) -> None:
    """The key of a put cannot name a delete."""
    key = new_key()
    lab.queue.put_experiment(lab.name, PAUSED, guard=UNGUARDED, key=key)
    with pytest.raises(KeyReusedError):
        lab.queue.delete_experiment(lab.name, guard=UNGUARDED, key=key)
    assert lab.record().etag == name_of(key)


def test_live_leases_keep_an_experiment_from_being_deleted(lab: Lab) -> None:
    """While a worker holds a job only force deletes; the worker learns it."""
    lab.add_one()
    claim = lab.claim()
    with pytest.raises(LiveLeasesError):
        lab.queue.delete_experiment(lab.name, guard=UNGUARDED, key=new_key())
    assert lab.beat(claim) == "continue"
    lab.queue.delete_experiment(lab.name, guard=UNGUARDED, key=new_key(), force=True)
    assert lab.beat(claim) == "lost"
    with pytest.raises(NotFoundError):
        lab.finish(claim)


def test_a_running_job_without_a_lease_does_not_keep_it(lab: Lab) -> None:
    """A job that the old client runs, for all we know since last year, does not stand in the way."""
    lab.add_one(of=document(JobStatus.RUNNING))
    lab.queue.delete_experiment(lab.name, guard=UNGUARDED, key=new_key())
    with pytest.raises(NotFoundError):
        lab.record()


def test_finished_jobs_do_not_keep_it(lab: Lab) -> None:
    """Leases that ended with their attempts are not live."""
    lab.add_one()
    lab.finish(lab.claim())
    lab.queue.delete_experiment(lab.name, guard=UNGUARDED, key=new_key())
    with pytest.raises(NotFoundError):
        lab.record()


def test_nothing_can_be_done_in_a_missing_experiment(queue: Queue) -> None:
    """Every question and every write that names it says that there is none."""
    missing = Lab(queue, new_key())
    some: JobDraft = attrs.evolve(draft(), priority=1)
    for call in (
        missing.record,
        missing.jobs,
        missing.ask,
        missing.offer,
        lambda: missing.job("a"),
        lambda: missing.attempts("a"),
        lambda: missing.add(some),
        lambda: missing.put("a", document()),
        lambda: missing.prune("a"),
        lambda: queue.count_jobs(missing.name),
    ):
        with pytest.raises(NotFoundError):
            call()
