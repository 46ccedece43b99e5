"""Jobs as documents: put, get and delete, with every guard, repeat and superseded repeat."""

import pytest

from sweepstake.domain.keys import name_of
from sweepstake.domain.records import ABSENT, PRESENT, UNGUARDED, Guard
from sweepstake.domain.status import JobStatus
from sweepstake.errors import KeyReusedError, NotFoundError, ResourceExistsError, UnsafeUpdateError
from tests.kit.lab import Lab, document, draft, new_key

ONE = document(JobStatus.QUEUED, {"x": 1}, {})
TWO = document(JobStatus.DONE, {"x": 2}, {"y": 0.5})


def test_a_put_creates_a_job(lab: Lab) -> None:
    """The document is kept, its etag is made of the key of the write, and the rest has its defaults."""
    job_id, key = new_key(), new_key()
    answer = lab.put(job_id, TWO, guard=ABSENT, key=key)
    job = lab.job(job_id)
    assert answer.created
    assert not answer.superseded
    assert answer.record == job
    assert (job.experiment, job.id, job.etag) == (lab.name, job_id, name_of(key))
    assert (job.status, job.hyperparameters, job.results) == (TWO.status, TWO.hyperparameters, TWO.results)
    assert (job.priority, job.tags, job.notes, job.attempt, job.leased) == (0, (), "", 0, False)


def test_a_put_replaces_the_whole_document(lab: Lab) -> None:
    """What the new document lacks is gone; the queueing stays."""
    job_id = lab.add_one(of=TWO, priority=7, tags=("keep",), notes="kept")
    answer = lab.put(job_id, ONE)
    job = lab.job(job_id)
    assert not answer.created
    assert answer.record == job
    assert (job.status, job.hyperparameters, job.results) == (ONE.status, ONE.hyperparameters, ONE.results)
    assert (job.priority, job.tags, job.notes) == (7, ("keep",), "kept")


def test_equal_content_gets_a_new_etag(lab: Lab) -> None:
    """Two writes of the same document are two versions of it."""
    job_id = lab.add_one(of=ONE)
    etags = [lab.job(job_id).etag, lab.put(job_id, ONE).record.etag, lab.put(job_id, ONE).record.etag]
    assert len(set(etags)) == 3


@pytest.mark.parametrize("guard", [PRESENT, Guard.match(new_key())], ids=["present", "match"])
def test_a_guarded_put_does_not_create(lab: Lab, guard: Guard) -> None:
    """Replacing what is not there fails and leaves nothing behind."""
    with pytest.raises(UnsafeUpdateError):
        lab.put("missing", ONE, guard=guard)
    assert lab.jobs() == []
    assert lab.record().created == 0


def test_creating_a_taken_id_is_refused(lab: Lab) -> None:
    """Guarded by ABSENT, a put never touches a job that exists."""
    job_id = lab.add_one(of=ONE)
    before = lab.job(job_id)
    with pytest.raises(ResourceExistsError):
        lab.put(job_id, TWO, guard=ABSENT)
    assert lab.job(job_id) == before


def test_only_the_latest_reader_may_replace(lab: Lab) -> None:
    """Of two who read the same version, the second writer is refused and changes nothing."""
    job_id = lab.add_one(of=ONE)
    read = Guard.match(lab.job(job_id).etag)
    won = lab.put(job_id, TWO, guard=read).record
    with pytest.raises(UnsafeUpdateError):
        lab.put(job_id, ONE, guard=read)
    assert lab.job(job_id) == won
    lab.put(job_id, ONE, guard=Guard.match(new_key(), won.etag))
    assert lab.job(job_id).status is JobStatus.QUEUED


def test_a_present_job_may_be_replaced(lab: Lab) -> None:
    """Guarded by PRESENT, any version will do."""
    job_id = lab.add_one(of=ONE)
    assert lab.put(job_id, TWO, guard=PRESENT).record.status is JobStatus.DONE


@pytest.mark.parametrize("guard", [ABSENT, UNGUARDED], ids=["absent", "unguarded"])
def test_repeating_a_create_answers_the_same(lab: Lab, guard: Guard) -> None:
    """A create whose answer was lost is reported as a create, and made once."""
    job_id, key = new_key(), new_key()
    first = lab.put(job_id, ONE, guard=guard, key=key)
    assert lab.put(job_id, ONE, guard=guard, key=key) == first
    assert len(lab.jobs()) == lab.record().created == 1


@pytest.mark.parametrize("guarded", [True, False])
def test_repeating_a_replace_answers_the_same(lab: Lab, *, guarded: bool) -> None:
    """A replace whose answer was lost is not refused by its own etag."""
    job_id, key = lab.add_one(of=ONE), new_key()
    guard = Guard.match(lab.job(job_id).etag) if guarded else UNGUARDED
    first = lab.put(job_id, TWO, guard=guard, key=key)
    assert lab.put(job_id, TWO, guard=guard, key=key) == first
    assert lab.job(job_id) == first.record


@pytest.mark.parametrize("guard", [ABSENT, UNGUARDED], ids=["absent", "unguarded"])
def test_a_superseded_repeat_says_so(lab: Lab, guard: Guard) -> None:
    """The later write stands, and the repeat's etag is that of its own write, so that its next guard fails."""
    job_id, key = new_key(), new_key()
    lab.put(job_id, ONE, guard=guard, key=key)
    after = lab.put(job_id, TWO).record
    again = lab.put(job_id, ONE, guard=guard, key=key)
    assert again.superseded
    assert again.record.etag == name_of(key)
    assert lab.job(job_id) == after
    with pytest.raises(UnsafeUpdateError):
        lab.put(job_id, ONE, guard=Guard.match(again.record.etag))


def test_a_superseded_guarded_replace_says_so(lab: Lab) -> None:
    """Also a replace by etag is recognised after somebody else has written."""
    job_id, key = lab.add_one(of=ONE), new_key()
    guard = Guard.match(lab.job(job_id).etag)
    lab.put(job_id, TWO, guard=guard, key=key)
    after = lab.put(job_id, ONE).record
    assert lab.put(job_id, TWO, guard=guard, key=key).superseded
    assert lab.job(job_id) == after


def test_a_repeat_does_not_revive_a_deleted_job(lab: Lab) -> None:
    """A put that was made, and whose job was deleted since, does not create it again."""
    job_id, key = new_key(), new_key()
    lab.put(job_id, ONE, key=key)
    lab.delete(job_id)
    try:
        answer = lab.put(job_id, ONE, key=key)
    except (NotFoundError, UnsafeUpdateError):
        pass
    else:
        assert answer.superseded
    assert lab.jobs() == []


def test_a_key_names_one_job(lab: Lab) -> None:
    """The same key on another job is refused and changes nothing."""
    one, other = lab.add_many(2)
    key = new_key()
    lab.put(one, TWO, key=key)
    before = lab.job(other)
    with pytest.raises(KeyReusedError):
        lab.put(other, TWO, key=key)
    with pytest.raises(KeyReusedError):
        lab.put("a new one", TWO, key=key)
    assert lab.job(other) == before
    assert len(lab.jobs()) == 2


def test_a_key_names_one_verb(lab: Lab) -> None:
    """The key of a put is refused on a delete, a prune and a bulk add."""
    job_id, key = lab.add_one(), new_key()
    lab.put(job_id, ONE, key=key)
    with pytest.raises(KeyReusedError):
        lab.delete(job_id, key=key)
    with pytest.raises(KeyReusedError):
        lab.prune(job_id, key=key)
    with pytest.raises(KeyReusedError):
        lab.queue.add_jobs(lab.name, [draft()], key=key)
    assert [job.etag for job in lab.jobs()] == [name_of(key)]


def test_a_missing_job_is_not_found(lab: Lab) -> None:
    """Reading, its attempts and pruning name what is missing."""
    for ask in (lab.job, lab.attempts, lab.prune):
        with pytest.raises(NotFoundError, match="no-such-job"):
            ask("no-such-job")


def test_the_same_id_in_two_experiments_is_two_jobs(lab: Lab) -> None:
    """Ids are unique within their experiment only."""
    other = Lab.new(lab.queue)
    lab.put("same", ONE)
    other.put("same", TWO)
    assert lab.job("same").status is JobStatus.QUEUED
    assert other.job("same").status is JobStatus.DONE


def test_a_deleted_job_is_gone(lab: Lab) -> None:
    """It is neither read, listed nor claimed, and its id may be used again."""
    job_id = lab.add_one(of=ONE)
    seq = lab.job(job_id).seq
    lab.delete(job_id)
    with pytest.raises(NotFoundError):
        lab.job(job_id)
    assert lab.jobs() == []
    assert lab.claimed_or_none() is None
    lab.put(job_id, TWO, guard=ABSENT)
    assert lab.job(job_id).seq > seq


def test_deleting_a_missing_job(lab: Lab) -> None:
    """Unguarded it does nothing; an ensured or guarded delete fails."""
    lab.delete("missing")
    for guard in (PRESENT, Guard.match(new_key())):
        with pytest.raises(UnsafeUpdateError):
            lab.delete("missing", guard=guard)
    assert lab.record().created == 0


def test_deleting_by_an_old_etag_is_refused(lab: Lab) -> None:
    """Whoever has not seen the latest version cannot delete it; whoever has, can."""
    job_id = lab.add_one(of=ONE)
    old = lab.job(job_id).etag
    new = lab.put(job_id, TWO).record.etag
    with pytest.raises(UnsafeUpdateError):
        lab.delete(job_id, guard=Guard.match(old))
    lab.delete(job_id, guard=Guard.match(new))
    assert lab.jobs() == []


@pytest.mark.parametrize("guarded", [True, False])
def test_repeating_a_delete_spares_what_was_created_since(lab: Lab, *, guarded: bool) -> None:
    """The repeat succeeds, and does not delete a new job of the same id."""
    job_id, key = lab.add_one(of=ONE), new_key()
    guard = Guard.match(lab.job(job_id).etag) if guarded else UNGUARDED
    lab.delete(job_id, guard=guard, key=key)
    lab.delete(job_id, guard=guard, key=key)
    lab.put(job_id, TWO)
    lab.delete(job_id, guard=guard, key=key)
    assert lab.job(job_id).status is JobStatus.DONE


def test_a_deleted_running_job_is_lost_to_its_worker(lab: Lab) -> None:
    """The worker's heartbeat says so, and its report finds nothing."""
    lab.add_one()
    claim = lab.claim()
    lab.delete(claim.job.id)
    assert lab.beat(claim) == "lost"
    with pytest.raises(NotFoundError):
        lab.finish(claim)
