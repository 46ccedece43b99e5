"""Who may pass a server's gate."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import jwt
import pytest

from sweepstake.errors import AuthenticationError, InvalidInputError, ReauthenticateError, ResourceExistsError
from sweepstake.server.accounts import add_user, check_password, replace_token
from sweepstake.server.gates import AccountGate, OpenGate
from sweepstake.stores import SqlStore, open_store

EMAIL = "ada@example.org"
PASSWORD = "correct horse"
DAY = 24 * 3600


@attrs.define
class HandClock:
    """A clock that stands still until it is moved."""

    now: float = 1_800_000_000.0

    def wall(self) -> float:
        """Return the time it was set to."""
        return self.now

    def monotonic(self) -> float:
        """Return the same."""
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """An empty store."""
    opened = open_store(f"sqlite:///{tmp_path}/store.db")
    yield opened
    opened.close()


@pytest.fixture
def token(store: SqlStore) -> str:
    """The API token of a user with a password."""
    return add_user(store, EMAIL, PASSWORD)


@pytest.fixture
def clock() -> HandClock:
    """The gate's clock."""
    return HandClock()


@pytest.fixture
def gate(store: SqlStore, clock: HandClock) -> AccountGate:
    """The gate to that store."""
    return AccountGate(store, clock)


def test_an_api_token_opens(gate: AccountGate, token: str) -> None:
    """It stands for its user, the second time from memory."""
    assert gate.caller(f"Bearer {token}") == EMAIL
    assert gate.caller(f"bearer  {token} ") == EMAIL


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi"])
def test_without_credentials_the_answer_is_to_authenticate(gate: AccountGate, header: str | None) -> None:
    """It is another fault than wrong credentials."""
    with pytest.raises(ReauthenticateError, match="Authorization: Bearer"):
        gate.caller(header)


@pytest.mark.parametrize("wrong", ["x", "sws_unknown", "a.b.c", "..", "é", "\udc80"])
def test_wrong_credentials_do_not_open(gate: AccountGate, token: str, wrong: str) -> None:
    """Neither as an API token nor as a signed one."""
    with pytest.raises(AuthenticationError):
        gate.caller(f"Bearer {wrong}")
    with pytest.raises(AuthenticationError):
        gate.by_token(EMAIL, wrong)


def test_an_api_token_belongs_to_its_user(gate: AccountGate, store: SqlStore, token: str) -> None:
    """Somebody else's email with it is refused."""
    add_user(store, "bob@example.org")
    with pytest.raises(AuthenticationError):
        gate.by_token("bob@example.org", token)


def test_a_signed_token_lives_a_day(gate: AccountGate, token: str, clock: HandClock) -> None:
    """Its user is told to stop ten minutes earlier, for the sake of clocks that differ."""
    signed = gate.by_token(EMAIL, token)
    assert signed.expiresAt == pytest.approx(clock.now + DAY - 600)
    clock.now += DAY - 1
    assert gate.caller(f"Bearer {signed.token}") == EMAIL
    clock.now += 2
    with pytest.raises(ReauthenticateError, match="expired"):
        gate.caller(f"Bearer {signed.token}")


def test_a_signed_token_survives_a_restart(gate: AccountGate, store: SqlStore, token: str, clock: HandClock) -> None:
    """The key that signs is kept in the store, because old clients never log in again on 401."""
    signed = gate.by_token(EMAIL, token)
    assert AccountGate(store, clock).caller(f"Bearer {signed.token}") == EMAIL


def test_only_this_server_signs(gate: AccountGate, token: str, clock: HandClock) -> None:
    """Another key, no signature, or a missing end do not open."""
    claims = {"sub": EMAIL, "exp": int(clock.now) + DAY}
    forged = [
        jwt.encode(claims, "k" * 32, algorithm="HS256"),
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode({"sub": EMAIL}, "k" * 32, algorithm="HS256"),
    ]
    for each in forged:
        with pytest.raises(AuthenticationError):
            gate.caller(f"Bearer {each}")


def test_a_password_opens(gate: AccountGate, token: str) -> None:
    """The right one, of a user who has one."""
    assert gate.caller(f"Bearer {gate.by_password(EMAIL, PASSWORD).token}") == EMAIL
    for email, password in [(EMAIL, "wrong horse"), ("nobody@example.org", PASSWORD), (EMAIL, "")]:
        with pytest.raises(AuthenticationError):
            gate.by_password(email, password)


def test_without_a_password_none_opens(store: SqlStore) -> None:
    """A user who was made without one cannot log in by an empty one."""
    add_user(store, EMAIL)
    assert not check_password(store, EMAIL, "")


def test_a_replaced_token_stops_opening(gate: AccountGate, token: str) -> None:
    """At once where it was replaced."""
    assert gate.caller(f"Bearer {token}") == EMAIL
    new = gate.replace_token(EMAIL)
    assert gate.caller(f"Bearer {new}") == EMAIL
    with pytest.raises(AuthenticationError):
        gate.caller(f"Bearer {token}")


def test_a_token_replaced_elsewhere_stops_opening_soon(
    gate: AccountGate, store: SqlStore, token: str, clock: HandClock
) -> None:
    """What was checked is trusted for ten seconds."""
    assert gate.caller(f"Bearer {token}") == EMAIL
    replace_token(store, EMAIL)
    clock.now += 10.1
    with pytest.raises(AuthenticationError):
        gate.caller(f"Bearer {token}")


def test_nothing_secret_is_stored(store: SqlStore, token: str, tmp_path: Path) -> None:
    """The file holds neither the password nor the API token."""
    store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert EMAIL.encode() in kept
    assert token.encode() not in kept
    assert PASSWORD.encode() not in kept


@pytest.mark.parametrize("email", ["", "ada", "@", "ada@", " ada@example.org", "a@b\n", "a" * 300 + "@b"])
def test_an_email_must_look_like_one(store: SqlStore, email: str) -> None:
    """Nothing is stored otherwise."""
    with pytest.raises(InvalidInputError, match="email"):
        add_user(store, email)
    assert not store.list_accounts()


def test_a_password_has_a_length(store: SqlStore) -> None:
    """Too short and too long ones are refused before there is a user."""
    for password in ("", "1234567", "x" * 5000):
        with pytest.raises(InvalidInputError, match="password"):
            add_user(store, EMAIL, password)
    assert not store.list_accounts()


def test_a_user_is_made_once(store: SqlStore, token: str) -> None:
    """Making the same user again is refused, and the first token goes on working."""
    with pytest.raises(ResourceExistsError):
        add_user(store, EMAIL)
    assert AccountGate(store, HandClock()).caller(f"Bearer {token}") == EMAIL


def test_an_open_gate_lets_all_pass(clock: HandClock) -> None:
    """Clients that insist on a token get one without meaning."""
    gate = OpenGate(clock)
    assert gate.caller(None) == gate.caller("Bearer x")
    assert gate.by_password("a", "b").expiresAt > clock.now
    assert gate.by_token("a", "b").token
    assert gate.replace_token("a")


def test_tokens_are_not_shown_by_mistake(gate: AccountGate, token: str) -> None:
    """A signed token's repr keeps the token to itself."""
    signed = gate.by_token(EMAIL, token)
    assert signed.token not in repr(signed)
