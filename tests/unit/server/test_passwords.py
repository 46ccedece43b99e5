"""Users and their passwords."""

import pytest

from sweepstake.domain.access import Role
from sweepstake.errors import InvalidInputError, NotFoundError, ResourceExistsError
from sweepstake.queue.verbs.access.tokens import create_token, list_tokens, revoke_token
from sweepstake.queue.verbs.access.users import find_user, list_users
from sweepstake.server.passwords import add_user, change_password, check_password
from tests.kit.stores import Kept

EMAIL = "ada@example.org"
PASSWORD = "correct horse"


def test_a_password_opens_for_its_user(store: Kept) -> None:
    """The right one; and none for a user who is not there, or was made without."""
    add_user(store, EMAIL, PASSWORD)
    add_user(store, "bob@example.org")
    assert check_password(find_user(store, EMAIL), PASSWORD)
    assert not check_password(find_user(store, EMAIL), "wrong horse")
    assert not check_password(find_user(store, "bob@example.org"), "")
    assert not check_password(None, PASSWORD)


def test_a_password_can_be_changed(store: Kept) -> None:
    """The old one opens no more."""
    add_user(store, EMAIL, PASSWORD)
    change_password(store, EMAIL, "another horse")
    assert [check_password(find_user(store, EMAIL), each) for each in (PASSWORD, "another horse")] == [False, True]
    with pytest.raises(NotFoundError):
        change_password(store, "bob@example.org", PASSWORD)


@pytest.mark.parametrize("email", ["", "ada", "@", "ada@", " ada@example.org", "a@b\n", "a" * 300 + "@b"])
def test_an_email_must_look_like_one(store: Kept, email: str) -> None:
    """Nothing is stored otherwise."""
    with pytest.raises(InvalidInputError, match="email"):
        add_user(store, email)
    assert not list_users(store)


def test_a_password_has_a_length(store: Kept) -> None:
    """Too short and too long ones are refused before there is a user."""
    for password in ("", "1234567", "x" * 5000):
        with pytest.raises(InvalidInputError, match="password"):
            add_user(store, EMAIL, password)
    assert not list_users(store)


def test_a_user_is_made_once(store: Kept) -> None:
    """Making the same user again is refused, and the first token stays."""
    add_user(store, EMAIL)
    with pytest.raises(ResourceExistsError):
        add_user(store, EMAIL)
    assert len(list_tokens(store, EMAIL)) == 1


def test_tokens_are_listed_and_revoked_by_their_ids(store: Kept) -> None:
    """Only the user's own, when a user is named."""
    add_user(store, EMAIL)
    add_user(store, "bob@example.org")
    _, made = create_token(store, EMAIL, role=Role.WORK, name="cluster", expires_at=2e9)
    assert [(token.name, token.role, token.expires_at) for token in list_tokens(store, EMAIL)] == [
        ("", Role.ADMIN, None),
        ("cluster", Role.WORK, 2e9),
    ]
    assert len(list_tokens(store)) == 3
    with pytest.raises(NotFoundError):
        revoke_token(store, made.id, "bob@example.org")
    assert revoke_token(store, made.id, EMAIL).name == "cluster"
    with pytest.raises(NotFoundError):
        revoke_token(store, made.id)
