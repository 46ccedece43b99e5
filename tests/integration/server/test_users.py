"""What both stores keep of users, tokens and shares."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Final

import pytest
from attrs import evolve

from sweepstake.domain.access import Access, Role, Share, Standing, TokenRecord, TryLimit, User, made_with_password
from sweepstake.domain.addresses import exact
from sweepstake.domain.records import ABSENT, UNGUARDED, Claim, ExperimentDraft, SearchDefinition
from sweepstake.errors import AuthenticationError, InvalidInputError, NotFoundError
from sweepstake.queue.calls import ListExperiments
from sweepstake.queue.verbs.access.shares import experiments_of, give, standing, standings
from sweepstake.queue.verbs.access.tokens import add_token, find_token, list_tokens, revoke_token, signing_salt
from sweepstake.queue.verbs.access.tries import take_try
from sweepstake.queue.verbs.access.users import find_user, insert_user, list_users, remove_user, set_password
from tests.kit.lab import draft, new_key
from tests.kit.oldschema import make_before, run_plainly
from tests.kit.stores import Kept, open_store

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"
MANUAL: Final = SearchDefinition("Manual")


@pytest.fixture
def kept(store: str) -> Iterator[Kept]:
    """A new store with three users, of whom Ada has an experiment."""
    with closing(open_store(store)) as opened:
        for email in (ADA, BOB, EVE):
            insert_user(opened, User(email=email, password_hash=None))
        make(opened, "ada's", ADA)
        yield opened


def make(kept: Kept, name: str, owner: str | None) -> str:
    """Make an experiment and return its etag."""
    wanted = ExperimentDraft(search=MANUAL, owner=owner)
    return kept.put_experiment(name, wanted, guard=ABSENT, key=new_key()).etag


def test_an_experiment_is_its_owners_and_shared(kept: Kept) -> None:
    """With each user in one role, which can be changed and taken back."""
    etag = kept.get_experiment("ada's").etag
    kept.share("ada's", BOB, Role.READ)
    kept.share("ada's", BOB, Role.WORK)
    assert kept.get_access("ada's") == Access(owner=ADA, shares=(Share(BOB, Role.WORK),))
    roles = {email: standing(kept, email, "ada's") for email in (ADA, BOB, EVE)}
    bare = Standing(address="ada's", name="ada's", owner=ADA, etag=etag, role=None)
    assert roles == {
        ADA: evolve(bare, role=Role.ADMIN),
        BOB: evolve(bare, role=Role.WORK),
        EVE: bare,
    }
    assert standing(kept, ADA, "nobody's") is None
    for _ in range(2):
        kept.share("ada's", BOB, None)
    assert kept.get_access("ada's").shares == ()


def test_a_share_is_with_a_user_of_an_experiment_that_is_somebodys(kept: Kept) -> None:
    """Nothing else is stored, and the error says which part is wrong."""
    make(kept, "everybody's", None)
    for name, email, at in (("ada's", "x@example.org", "email"), ("ada's", ADA, "email"), ("everybody's", BOB, "name")):
        with pytest.raises(InvalidInputError) as caught:
            kept.share(name, email, Role.READ)
        assert caught.value.problems[0][0] == at
    with pytest.raises(NotFoundError):
        kept.share("nobody's", BOB, Role.READ)
    with pytest.raises(InvalidInputError, match="email"):
        give(kept, "ada's", "x@example.org")


def test_a_listing_for_somebody_holds_what_he_may_see(kept: Kept) -> None:
    """In pages of the size asked for, whatever stands between."""
    for name, owner in (("1", BOB), ("2", EVE), ("3", None), ("4", EVE), ("5", BOB)):
        make(kept, name, owner)
    kept.share("4", BOB, Role.READ)

    def names(viewer: str | None) -> list[str]:
        found, start = [], None
        while True:
            page = kept.send(ListExperiments(start=start, limit=2, viewer=viewer))
            assert len(page.items) == 2 or page.next is None
            found += [each.name for each in page.items]
            start = page.next
            if start is None:
                return found

    assert names(BOB) == ["1", "3", "4", "5"]
    assert names(EVE) == ["2", "3", "4"]
    assert names(None) == ["ada's", "1", "2", "3", "4", "5"]


def test_an_owner_stays_when_the_definition_is_replaced(kept: Kept) -> None:
    """Whoever replaces it; and shares go with the experiment, not to the next of its name."""
    kept.share("ada's", BOB, Role.READ)
    replaced = kept.put_experiment(
        kept.get_experiment("ada's").reference,
        ExperimentDraft(search=MANUAL, owner=EVE),
        guard=UNGUARDED,
        key=new_key(),
    )
    assert replaced.owner == ADA
    kept.delete_experiment("ada's", guard=UNGUARDED, key=new_key(), force=False)
    make(kept, "ada's", EVE)
    assert kept.get_access("ada's") == Access(owner=EVE)


def test_a_user_who_goes_leaves_nothing_behind(kept: Kept) -> None:
    """Neither tokens nor shares; experiments go to the heir."""
    make(kept, "bob's", BOB)
    kept.share("ada's", BOB, Role.READ)
    add_token(kept, TokenRecord(digest="d" * 64, email=BOB))
    with pytest.raises(InvalidInputError, match="bob's"):
        remove_user(kept, BOB, None)
    assert find_token(kept, "d" * 64) is not None
    remove_user(kept, BOB, EVE)
    assert find_token(kept, "d" * 64) is None
    assert kept.get_access("ada's").shares == ()
    assert kept.get_access("bob's").owner == EVE
    with pytest.raises(NotFoundError):
        remove_user(kept, BOB, None)


def test_nobody_inherits_a_second_experiment_of_a_name(kept: Kept) -> None:
    """The user stays, with everything, until it is given away or removed."""
    make(kept, "mnist", BOB)
    make(kept, "mnist", EVE)
    with pytest.raises(InvalidInputError, match="has an experiment 'mnist' too"):
        remove_user(kept, BOB, EVE)
    assert find_user(kept, BOB) is not None
    kept.delete_experiment(exact("mnist"), guard=UNGUARDED, key=new_key(), force=False)
    remove_user(kept, BOB, EVE)
    [left] = standings(kept, ["mnist"], EVE)
    assert (left.owner, left.address) == (EVE, f"{EVE}\x1fmnist")


def test_attempts_are_known_by_their_experiments(kept: Kept) -> None:
    """Those that are there."""
    kept.add_jobs("ada's", [draft()], key=new_key())
    claim = kept.claim("ada's", worker="", key=new_key(), repeat=False)
    assert isinstance(claim, Claim)
    assert experiments_of(kept, [claim.key, new_key()]) == {claim.key: "ada's"}
    assert experiments_of(kept, []) == {}


def test_tokens_are_kept_as_they_were_made(kept: Kept) -> None:
    """Of one user or of all."""
    made = [
        TokenRecord(digest="a" * 64, email=ADA),
        TokenRecord(digest="b" * 64, email=ADA, role=Role.READ, name="é ü", expires_at=2e9),
        TokenRecord(digest="c" * 64, email=EVE, role=Role.WORK),
    ]
    for token in made:
        add_token(kept, token)
    found = [(each.digest, each.email, each.role, each.name, each.expires_at) for each in list_tokens(kept)]
    assert found == [(each.digest, each.email, each.role, each.name, each.expires_at) for each in made]
    assert [each.email for each in list_tokens(kept, EVE)] == [EVE]
    add_token(kept, TokenRecord(digest="e" * 64, email=ADA), only=True)
    assert [each.digest[0] for each in list_tokens(kept)] == ["e", "c"]
    with pytest.raises(NotFoundError):
        add_token(kept, TokenRecord(digest="f" * 64, email="x@example.org"))


def test_what_a_token_made_ends_with_it(kept: Kept) -> None:
    """And what that made, whoever revokes it; other tokens stay."""
    for digest, maker in (("a", None), ("b", "a"), ("c", "b"), ("d", "c"), ("e", None), ("f", "e")):
        add_token(kept, TokenRecord(digest=digest * 64, email=ADA, made_with=maker and maker * 64))
    assert [each.maker for each in list_tokens(kept, ADA)] == [None, "a" * 12, "b" * 12, "c" * 12, None, "e" * 12]
    revoke_token(kept, "b" * 12, ADA)
    assert [each.digest[0] for each in list_tokens(kept, ADA)] == ["a", "e", "f"]
    with pytest.raises(AuthenticationError, match="revoked"):
        add_token(kept, TokenRecord(digest="9" * 64, email=ADA, made_with="b" * 64))
    assert len(list_tokens(kept)) == 3


def test_what_a_password_made_ends_with_it(kept: Kept) -> None:
    """Its tokens, and what those made; those of the operator and of other users stay."""
    set_password(kept, ADA, "first")
    set_password(kept, EVE, "another")
    made = {each.email: made_with_password(each.password_print) for each in list_users(kept)}
    add_token(kept, TokenRecord(digest="a" * 64, email=ADA))
    add_token(kept, TokenRecord(digest="b" * 64, email=ADA, made_with=made[ADA]))
    add_token(kept, TokenRecord(digest="c" * 64, email=ADA, made_with="b" * 64))
    add_token(kept, TokenRecord(digest="d" * 64, email=EVE, made_with=made[EVE]))
    with pytest.raises(AuthenticationError):
        add_token(kept, TokenRecord(digest="e" * 64, email=ADA, made_with=made[EVE]))
    set_password(kept, ADA, "second")
    assert [each.digest[0] for each in list_tokens(kept)] == ["a", "d"]
    with pytest.raises(AuthenticationError, match="changed"):
        add_token(kept, TokenRecord(digest="f" * 64, email=ADA, made_with=made[ADA]), only=True)
    assert [each.digest[0] for each in list_tokens(kept)] == ["a", "d"]


def test_a_token_that_replaces_all_takes_the_place_of_its_maker(kept: Kept) -> None:
    """It ends with what that would have ended with."""
    set_password(kept, ADA, "first")
    account = find_user(kept, ADA)
    assert account is not None
    by_password = made_with_password(account.password_print)
    add_token(kept, TokenRecord(digest="a" * 64, email=ADA, made_with=by_password))
    add_token(kept, TokenRecord(digest="b" * 64, email=ADA, made_with="a" * 64), only=True)
    assert [(each.digest[0], each.made_with) for each in list_tokens(kept, ADA)] == [("b", by_password)]
    set_password(kept, ADA, "second")
    assert list_tokens(kept, ADA) == []


def test_a_token_is_not_made_while_its_maker_is_revoked(kept: Kept, store: str) -> None:
    """Whoever races: a child of a revoked token is never there."""
    with closing(open_store(store)) as other, ThreadPoolExecutor(2) as pool:
        for i in range(20):
            digest = f"{i:02}" + "0" * 62
            add_token(kept, TokenRecord(digest=digest, email=ADA))
            children = [TokenRecord(digest=f"{i:02}" + letter * 62, email=ADA, made_with=digest) for letter in "abc"]

            def make(children: list[TokenRecord] = children) -> None:
                with suppress(AuthenticationError):
                    for child in children:
                        add_token(other, child)

            making = pool.submit(make)
            revoke_token(kept, _id(kept, digest), ADA)
            making.result(60)
            assert list_tokens(kept, ADA) == []


def _id(kept: Kept, digest: str) -> str:
    found = find_token(kept, digest)
    assert found is not None
    return found.id


def test_an_upgrade_ends_the_key_that_a_store_held(store: str) -> None:
    """It goes, and the tries that were counted under it; users and tokens stay, and the new tokens end as they say."""
    make_before(store, "credentials")
    run_plainly(
        store,
        "insert into meta (name, value) values ('signing_key', 'the old secret')",
        f"insert into accounts (email, password_hash) values ('{ADA}', 'hash')",
        f"insert into api_tokens (digest, email, created_at) values ('{'a' * 64}', '{ADA}', 1)",
        "insert into tries (subject, tries, free_at, last_at) values ('s', 3, 4e9, 4e9)",
    )
    with closing(open_store(store)) as opened:
        assert signing_salt(opened, "new") == "new"
        found = find_token(opened, "a" * 64)
        assert found is not None
        assert (found.email, found.made_with) == (ADA, None)
        set_password(opened, ADA, "another")
        assert find_token(opened, "a" * 64) == found
        assert take_try(opened, {"s": TryLimit(free=1, longest=60)}) is None
    run_plainly(store, "insert into meta (name, value) values ('signing_key', 'there is none of that name')")
