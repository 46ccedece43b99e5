"""Who may do what on a server."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from sweepstake.domain.access import NOBODY, Caller, Role
from sweepstake.domain.records import ABSENT, Claim, ExperimentDraft, SearchDefinition
from sweepstake.errors import AuthenticationError, NotFoundError, ReauthenticateError
from sweepstake.queue.calls import ExchangeToken
from sweepstake.queue.verbs.access.tokens import create_token, digest_of, find_token, revoke_token, signing_salt
from sweepstake.queue.verbs.access.users import find_user, remove_user
from sweepstake.server.authorizing import OpenAuthorizer, UserAuthorizer, check_role
from sweepstake.server.keys import SecretPlace, rotate
from sweepstake.server.logins import Logins
from sweepstake.server.passwords import add_user, change_password
from sweepstake.wire.credentials import Credentials, Token
from tests.kit.clocks import HandClock
from tests.kit.lab import draft, new_key
from tests.kit.stores import Kept

EMAIL = "ada@example.org"
PASSWORD = "correct horse"
DAY = 24 * 3600
SECRET = "s" * 64


@pytest.fixture
def token(store: Kept) -> str:
    """The API token of a user with a password."""
    return add_user(store, EMAIL, PASSWORD)


@pytest.fixture
def logins(store: Kept, clock: HandClock) -> Logins:
    """How the users of that store get in."""
    return Logins(store, clock, lambda: SECRET)


@pytest.fixture
def authorizer(logins: Logins) -> UserAuthorizer:
    """What knows the credentials of that store."""
    return logins.authorizer


def signed(logins: Logins, token: str) -> Token:
    """Exchange an API token for a signed one."""
    made = logins.performers[ExchangeToken](ExchangeToken(credentials=Credentials(email=EMAIL, token=token)))
    assert isinstance(made, Token)
    return made


def by_password(logins: Logins, password: str = PASSWORD, email: str = EMAIL) -> str:
    """Exchange a password for a signed token."""
    return logins.signer.for_password(logins.passwords.check(email, password, "192.0.2.1")).token


def passes(authorizer: UserAuthorizer, token: str) -> Caller:
    """Return who passes with a token."""
    return authorizer.authenticate(f"Bearer {token}")


def experiment(store: Kept, name: str, owner: str | None) -> str:
    """Make an experiment that is somebody's."""
    draft = ExperimentDraft(search=SearchDefinition("Manual"), owner=owner)
    store.put_experiment(name, draft, guard=ABSENT, key=new_key())
    return name


def test_an_api_token_opens(authorizer: UserAuthorizer, token: str) -> None:
    """It stands for its user, the second time from memory."""
    caller = Caller(email=EMAIL, role=Role.ADMIN, made_with=digest_of(token))
    assert authorizer.authenticate(f"Bearer {token}") == caller
    assert authorizer.authenticate(f"bearer  {token} ").email == EMAIL


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi"])
def test_without_credentials_the_answer_is_to_authenticate(authorizer: UserAuthorizer, header: str | None) -> None:
    """It is another fault than wrong credentials."""
    with pytest.raises(ReauthenticateError, match="Authorization: Bearer"):
        authorizer.authenticate(header)


@pytest.mark.parametrize("wrong", ["x", "sws_unknown", "swr_unknown", "a.b.c", "..", "é", "\udc80"])
def test_wrong_credentials_do_not_open(authorizer: UserAuthorizer, token: str, wrong: str) -> None:
    """Neither as an API token nor as a signed one."""
    with pytest.raises(AuthenticationError):
        passes(authorizer, wrong)


def test_a_signed_token_lives_a_day(logins: Logins, token: str, clock: HandClock) -> None:
    """Its user is told to stop ten minutes earlier, for the sake of clocks that differ."""
    made = signed(logins, token)
    assert made.expiresAt == pytest.approx(clock.unix + DAY - 600)
    clock.pass_seconds(DAY - 1)
    assert passes(logins.authorizer, made.token).email == EMAIL
    clock.pass_seconds(2)
    with pytest.raises(ReauthenticateError, match="expired"):
        passes(logins.authorizer, made.token)


def test_a_signed_token_survives_a_restart(logins: Logins, store: Kept, token: str, clock: HandClock) -> None:
    """The signing key outlives the process, because old clients never log in again on 401."""
    again = Logins(store, clock, lambda: SECRET)
    assert passes(again.authorizer, signed(logins, token).token).email == EMAIL


def test_a_signed_token_says_what_it_was_made_for(logins: Logins, store: Kept, token: str) -> None:
    """One without its claims is refused, though the key has signed it; and so are claims of another type."""
    good = jwt.decode(signed(logins, token).token, options={"verify_signature": False})
    assert passes(logins.authorizer, _sign(store, good)).role is Role.ADMIN
    odd: tuple[Any, ...] = (None, [], {"a": 1}, True, 1.5)
    made_for_a_password = jwt.decode(by_password(logins), options={"verify_signature": False})
    for wrong in (
        *({name: value for name, value in good.items() if name != left_out} for left_out in good),
        {**good, **made_for_a_password},
        *({**good, name: value} for name in good for value in odd),
    ):
        with pytest.raises(AuthenticationError, match="not one of this server's"):
            passes(logins.authorizer, _sign(store, wrong))


def _sign(store: Kept, claims: dict[str, Any]) -> str:
    """Sign claims with the key of the server."""
    salt = signing_salt(store, "5" * 32)
    key = hmac.digest(SECRET.encode(), f"sweepstake signed tokens\0{salt}".encode(), "sha256").hex()
    return jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm="HS256")


def test_only_this_server_signs(logins: Logins, store: Kept, token: str, clock: HandClock) -> None:
    """Another secret, no signature, what the store holds, or what nobody can read do not open."""
    claims = {"sub": EMAIL, "iat": int(clock.unix), "exp": int(clock.unix) + DAY, "tok": digest_of(token)}
    deep = base64.urlsafe_b64encode(b'{"alg":"HS256","x":' + b"[" * 100_000).decode().rstrip("=")
    forged = [
        jwt.encode(claims, "k" * 32, algorithm="HS256"),
        jwt.encode(claims, signing_salt(store, "5" * 32) * 2, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        f"{deep}.e30.e30",
        f"e30.{deep}.e30",
    ]
    for each in forged:
        with pytest.raises(AuthenticationError):
            passes(logins.authorizer, each)


def test_another_key_ends_all_that_was_signed(
    logins: Logins, store: Kept, token: str, clock: HandClock, tmp_path: Path
) -> None:
    """On every server within five seconds, whatever its secret is; API tokens stay."""
    made = signed(logins, token).token
    assert passes(logins.authorizer, made).email == EMAIL
    rotate(store, SecretPlace(tmp_path / "store.db-key", "g" * 32))
    clock.pass_seconds(5.1)
    with pytest.raises(AuthenticationError, match="key was changed"):
        passes(logins.authorizer, made)
    assert passes(logins.authorizer, token).email == EMAIL
    assert passes(logins.authorizer, signed(logins, token).token).email == EMAIL


@pytest.mark.parametrize("role", Role)
def test_a_token_has_its_role(logins: Logins, store: Kept, token: str, role: Role) -> None:
    """As it is, and signed; and it does what that role covers."""
    limited, _ = create_token(store, EMAIL, role=role)
    for each in (limited, signed(logins, limited).token):
        caller = passes(logins.authorizer, each)
        assert caller.role is role
        for needed in Role:
            if role.covers(needed):
                check_role(caller, needed)
            else:
                with pytest.raises(AuthenticationError, match=f"this needs {needed}"):
                    check_role(caller, needed)


def test_a_token_ends_when_it_was_said_to(logins: Logins, store: Kept, token: str, clock: HandClock) -> None:
    """To the second, though it is remembered; and what was signed for it ends with it."""
    ending, _ = create_token(store, EMAIL, expires_at=clock.unix + 4)
    made = signed(logins, ending)
    assert made.expiresAt < clock.unix
    for each in (ending, made.token):
        assert passes(logins.authorizer, each).expires_at == clock.unix + 4
    clock.pass_seconds(4)
    for each in (ending, made.token):
        with pytest.raises(ReauthenticateError, match="expired"):
            passes(logins.authorizer, each)


def test_a_revoked_token_stops_opening(logins: Logins, store: Kept, token: str, clock: HandClock) -> None:
    """At once where it is revoked, elsewhere within five seconds; and so does what was signed for it."""
    other, record = create_token(store, EMAIL, name="laptop")
    elsewhere = Logins(store, clock, lambda: SECRET).authorizer
    opening = (other, signed(logins, other).token)
    both = (logins.authorizer, elsewhere)
    assert all(passes(each, shown).email == EMAIL for each in both for shown in opening)
    revoke_token(store, record.id, EMAIL)
    logins.authorizer.changed()
    for each in opening:
        with pytest.raises(AuthenticationError):
            passes(logins.authorizer, each)
    clock.pass_seconds(5.1)
    for each in opening:
        with pytest.raises(AuthenticationError):
            passes(elsewhere, each)
    assert passes(elsewhere, token).email == EMAIL


def test_a_replaced_token_stops_opening(logins: Logins, store: Kept, token: str) -> None:
    """Together with every other of that user, and of nobody else."""
    bobs = add_user(store, "bob@example.org")
    new, _ = create_token(store, EMAIL, only=True)
    assert passes(logins.authorizer, new).email == EMAIL
    assert passes(logins.authorizer, bobs).email == "bob@example.org"
    with pytest.raises(AuthenticationError):
        passes(logins.authorizer, token)


def test_a_password_login_ends_with_the_password(logins: Logins, store: Kept, token: str) -> None:
    """Whoever changes a password that became known wants it so."""
    login = by_password(logins)
    assert passes(logins.authorizer, login).email == EMAIL
    change_password(store, EMAIL, "another horse")
    logins.authorizer.changed()
    with pytest.raises(AuthenticationError, match="password was changed"):
        passes(logins.authorizer, login)
    assert passes(logins.authorizer, by_password(logins, "another horse")).email == EMAIL


def test_a_user_who_is_removed_stays_outside(logins: Logins, store: Kept, token: str) -> None:
    """With every kind of credential."""
    login = by_password(logins)
    add_user(store, "bob@example.org")
    experiment(store, "ada's", EMAIL)
    remove_user(store, EMAIL, "bob@example.org")
    for each in (token, login):
        with pytest.raises(AuthenticationError):
            passes(logins.authorizer, each)
    with pytest.raises(AuthenticationError):
        by_password(logins)
    assert store.get_access("ada's").owner == "bob@example.org"


def test_a_strangers_experiment_is_not_there(authorizer: UserAuthorizer, store: Kept, token: str) -> None:
    """It answers as a name that nobody has; one that nobody owns is everybody's."""
    add_user(store, "bob@example.org")
    experiment(store, "bob's", "bob@example.org")
    experiment(store, "everybody's", None)
    ada = passes(authorizer, token)
    for name in ("bob's", "nobody's"):
        with pytest.raises(NotFoundError) as caught:
            authorizer.find(ada, Role.READ, name)
        assert str(caught.value) == f"There is no experiment {name!r}."
    authorizer.find(ada, Role.ADMIN, "everybody's")


def test_a_share_allows_its_role(authorizer: UserAuthorizer, store: Kept, token: str, clock: HandClock) -> None:
    """And what it allows no more is refused within five seconds."""
    add_user(store, "bob@example.org")
    experiment(store, "bob's", "bob@example.org")
    store.share("bob's", EMAIL, Role.WORK)
    ada = passes(authorizer, token)
    authorizer.find(ada, Role.WORK, "bob's")
    with pytest.raises(AuthenticationError, match="shared with you in the role work"):
        authorizer.find(ada, Role.ADMIN, "bob's")
    store.share("bob's", EMAIL, None)
    clock.pass_seconds(5.1)
    with pytest.raises(NotFoundError):
        authorizer.find(ada, Role.READ, "bob's")


def test_most_requests_cost_no_look_up(authorizer: UserAuthorizer, store: Kept, token: str) -> None:
    """Once a token, a role and a claim are known, claims and heartbeats are let in from memory."""
    experiment(store, "mine", EMAIL)
    store.add_jobs("mine", [draft()], key=new_key())
    claim = store.claim("mine", worker="", key=new_key(), repeat=False)
    assert isinstance(claim, Claim)
    found = authorizer.find(passes(authorizer, token), Role.WORK, "mine")
    authorizer.began(claim)
    authorizer.find(passes(authorizer, token), Role.WORK, found)
    store.close()
    caller = passes(authorizer, token)
    assert authorizer.find(caller, Role.WORK, found) == found
    assert authorizer.held(caller, [claim.key]) == {claim.key: found}


def test_nothing_secret_is_stored(store: Kept, token: str, tmp_path: Path) -> None:
    """The file holds neither the password nor an API token."""
    limited, _ = create_token(store, EMAIL, role=Role.READ)
    store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert EMAIL.encode() in kept
    for secret in (token, limited, PASSWORD):
        assert secret.encode() not in kept


def test_an_older_server_knows_no_limited_token(store: Kept, token: str) -> None:
    """It would take it for a full one, so it must not find it by the digest that it makes."""
    limited, record = create_token(store, EMAIL, role=Role.READ)
    plain = hashlib.sha256(limited.encode()).hexdigest()
    assert (find_token(store, plain), find_token(store, record.digest) is None) == (None, False)


def test_an_open_server_lets_all_pass() -> None:
    """Whatever they show."""
    authorizer = OpenAuthorizer()
    assert authorizer.authenticate(None) == authorizer.authenticate("Bearer x") == NOBODY
    assert authorizer.held(NOBODY, ["x"]) == {"x": None}


def test_tokens_are_not_shown_by_mistake(logins: Logins, store: Kept, token: str) -> None:
    """A signed token's repr keeps the token to itself, and a user's its hash."""
    made = signed(logins, token)
    assert made.token not in repr(made)
    user = find_user(store, EMAIL)
    assert user is not None
    assert "argon2" not in repr(user)
