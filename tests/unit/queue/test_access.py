"""`Here`: the verbs about users, performed on a real file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweepstake.domain.access import Access, Caller, Role, Share, User, made_with_password
from sweepstake.domain.records import ABSENT, ExperimentDraft, SearchDefinition
from sweepstake.errors import (
    AuthenticationError,
    InvalidInputError,
    NotFoundError,
    ReauthenticateError,
    ResourceExistsError,
)
from sweepstake.queue import calls
from sweepstake.queue.here import Here
from sweepstake.queue.verbs.access.shares import give
from sweepstake.queue.verbs.access.tokens import create_token, digest_of, find_token
from sweepstake.queue.verbs.access.users import find_user, insert_user, list_users, remove_user, set_password
from sweepstake.stores import open_engine
from sweepstake.wire.credentials import NewShare, NewToken
from tests.kit.clocks import HandClock
from tests.kit.lab import new_key

ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture
def here(tmp_path: Path, clock: HandClock) -> Iterator[Here]:
    """A new file with two users, of whom Ada has an experiment `exp`."""
    opened = Here(open_engine(f"sqlite:///{tmp_path}/store.db", clock), clock)
    for email in (ADA, BOB):
        insert_user(opened.store, User(email=email, password_hash="hash"))
    draft = ExperimentDraft(search=SearchDefinition("Manual"), owner=ADA)
    opened.send(calls.PutExperiment(name="exp", draft=draft, key=new_key(), guard=ABSENT))
    yield opened
    opened.close()


def asker(here: Here, clock: HandClock, **limits: float) -> Caller:
    """Return Ada, as she is known after a login by password; `limits` are those of `Caller`."""
    user = find_user(here.store, ADA)
    assert user is not None
    by = made_with_password(user.password_print)
    return Caller(email=ADA, role=Role.ADMIN, made_with=by, **{"expires_at": clock.wall() + 60, **limits})


def test_a_token_is_made_for_the_caller(here: Here, clock: HandClock) -> None:
    """As it is asked for; without a lifetime it lives as long as the credential that asks."""
    for lifetime, ends in ((10.0, 10.0), (None, 60.0)):
        wanted = NewToken(role=Role.READ, name="laptop", lifetime=lifetime)
        made = here.send(calls.CreateToken(wanted=wanted, caller=asker(here, clock)))
        kept = find_token(here.store, digest_of(made.token))
        assert kept is not None
        assert (kept.id, kept.email, kept.role, kept.name) == (made.id, ADA, Role.READ, "laptop")
        assert kept.expires_at == clock.wall() + ends


def test_a_token_outlives_nothing_that_made_it(here: Here, clock: HandClock) -> None:
    """Neither by its lifetime, nor when the password is changed meanwhile."""
    caller = asker(here, clock)
    with pytest.raises(InvalidInputError, match="lifetime"):
        here.send(calls.CreateToken(wanted=NewToken(role=Role.READ, lifetime=61.0), caller=caller))
    set_password(here.store, ADA, "another")
    with pytest.raises(AuthenticationError, match="changed"):
        here.send(calls.CreateToken(wanted=NewToken(role=Role.READ), caller=caller))
    assert here.send(calls.ListTokens()) == ()


def test_a_reset_leaves_one_token(here: Here, clock: HandClock) -> None:
    """The new one has no end if the password was given just now; long after, it is not made."""
    create_token(here.store, ADA)
    _, bobs = create_token(here.store, BOB)
    reset = calls.ResetTokens(root="https://here/", caller=asker(here, clock, password_at=clock.wall()))
    made = here.send(reset)
    assert (made.root, made.email) == ("https://here/", ADA)
    [kept] = here.send(calls.ListTokens(email=ADA))
    assert (kept.id, kept.expires_at) == (digest_of(made.token)[:12], None)
    clock.pass_seconds(601)
    with pytest.raises(ReauthenticateError):
        here.send(reset)
    assert [each.id for each in here.send(calls.ListTokens())] == [kept.id, bobs.id]


def test_a_user_revokes_own_tokens_and_the_operator_any(here: Here) -> None:
    """Those of others are not there for a user."""
    _, token = create_token(here.store, ADA)
    with pytest.raises(NotFoundError, match="no token"):
        here.send(calls.RevokeToken(id=token.id, email=BOB))
    here.send(calls.RevokeToken(id=token.id))
    assert here.send(calls.ListTokens()) == ()


def test_an_experiment_is_shared_and_given(here: Here) -> None:
    """In one role with each user; it can be taken back, and shares stay when it is given away."""
    for role in (Role.READ, Role.WORK):
        here.send(calls.ShareExperiment(name="exp", email=BOB, share=NewShare(role)))
    assert here.send(calls.GetAccess(name="exp")) == Access(owner=ADA, shares=(Share(BOB, Role.WORK),))
    assert give(here.store, "exp", None) == Access(owner=None, shares=(Share(BOB, Role.WORK),))
    for _ in range(2):
        here.send(calls.UnshareExperiment(name="exp", email=BOB))
    assert here.send(calls.GetAccess(name="exp")) == Access(owner=None)


@pytest.mark.parametrize("email, path", [(ADA, "email"), ("eve@example.org", "email")])
def test_a_share_is_with_another_user(here: Here, email: str, path: str) -> None:
    """Neither the owner nor a stranger is one; what is everybody's is shared already."""
    share = calls.ShareExperiment(name="exp", email=email, share=NewShare(Role.READ))
    with pytest.raises(InvalidInputError, match=path):
        here.send(share)
    give(here.store, "exp", None)
    with pytest.raises(InvalidInputError, match="everybody's"):
        here.send(share)


def test_a_user_is_kept_once_and_removed_with_an_heir(here: Here) -> None:
    """Who has experiments leaves them to somebody."""
    with pytest.raises(ResourceExistsError):
        insert_user(here.store, User(email=ADA, password_hash=None))
    for heir in (None, ADA, "eve@example.org"):
        with pytest.raises(InvalidInputError, match="heir"):
            remove_user(here.store, ADA, heir)
    remove_user(here.store, ADA, BOB)
    assert [each.email for each in list_users(here.store)] == [BOB]
    assert here.send(calls.GetAccess(name="exp")).owner == BOB
