"""Guessing passwords takes long, whoever guesses, and locks nobody out."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
import requests

from sweepstake.domain.access import TryLimit
from sweepstake.errors import AuthenticationError, TooManyTriesError
from sweepstake.http import reset_token
from sweepstake.queue.verbs.access.tries import forget_tries, take_try
from sweepstake.queue.verbs.access.users import find_user
from sweepstake.server.guessing import ADDRESS, PAIR, USER, PasswordCheck
from sweepstake.server.passwords import add_user, change_password, check_password
from tests.kit.clocks import HandClock
from tests.kit.serving import EMAIL, PASSWORD, served
from tests.kit.stores import Kept, open_store

HERE, THERE = "192.0.2.1", "198.51.100.7"
BOB: Final = "bob@example.org"


@pytest.fixture
def file_store(tmp_path: Path, clock: HandClock) -> Iterator[Kept]:
    """A file with two users, whose time is the clock's."""
    with closing(open_store(f"sqlite:///{tmp_path}/store.db", clock)) as opened:
        add_user(opened, EMAIL)
        add_user(opened, BOB)
        yield opened


@pytest.fixture
def check(file_store: Kept, clock: HandClock) -> PasswordCheck:
    """What checks passwords for a server over that file: quickly, and every user has the same one."""
    return PasswordCheck(
        file_store,
        lambda: "k" * 32,
        clock,
        lambda user, password: user is not None and password == PASSWORD,
    )


def wait_at(check: PasswordCheck, email: str = EMAIL, address: str = HERE, password: str = "wrong") -> float:
    """Try a password, and return the seconds to wait: 0 when it was looked at."""
    try:
        check.check(email, password, address)
    except TooManyTriesError as error:
        return error.retry_after or 0.0
    except AuthenticationError:
        pass
    return 0.0


def test_wrong_passwords_are_answered_ever_more_slowly(check: PasswordCheck, clock: HandClock) -> None:
    """Five at once, then after 1, 2, 4 ... at most 60 seconds; what comes earlier is not looked at, and not counted."""
    assert [wait_at(check) for _ in range(5)] == [0.0] * 5
    for expected in (1, 2, 4, 8, 16, 32, 60, 60):
        assert [wait_at(check), wait_at(check, password=PASSWORD)] == [pytest.approx(expected)] * 2
        clock.pass_seconds(expected)
        assert wait_at(check) == 0.0


def test_a_stranger_does_not_lock_a_user_out(check: PasswordCheck, clock: HandClock) -> None:
    """From elsewhere the right password opens at once; and here after a wait, with the count begun anew."""
    for _ in range(5):
        wait_at(check)
    assert wait_at(check) > 0
    assert check.check(EMAIL, PASSWORD, THERE).email == EMAIL
    clock.pass_seconds(1)
    assert check.check(EMAIL, PASSWORD, HERE).email == EMAIL
    assert [wait_at(check) for _ in range(5)] == [0.0] * 5


def test_a_guesser_who_knows_one_password_gains_nothing(check: PasswordCheck) -> None:
    """Logging in between guesses does not let an address guess more often at others."""
    for i in range(ADDRESS.free):
        assert wait_at(check, f"user-{i}@example.org") == 0.0
        if i < ADDRESS.free - 1:
            assert check.check(BOB, PASSWORD, HERE).email == BOB
    assert wait_at(check, "user@example.org") > 0


def test_a_crowd_of_addresses_is_slowed_and_locks_nobody_out(check: PasswordCheck, clock: HandClock) -> None:
    """After a hundred vain tries from everywhere, an address that fails once waits; one that has not failed gets in."""
    addresses = [f"192.0.2.{i}" for i in range(USER.free // PAIR.free + 1)]
    for address in addresses[:-1]:
        assert [wait_at(check, address=address) for _ in range(PAIR.free)] == [0.0] * PAIR.free
    assert wait_at(check, address=addresses[-1]) == 0.0
    assert wait_at(check, address=addresses[-1]) == pytest.approx(1)
    clock.pass_seconds(1)
    assert wait_at(check, address=addresses[-1]) == 0.0
    assert wait_at(check, address=addresses[-1]) == pytest.approx(2)
    assert wait_at(check, BOB, addresses[-1]) == 0.0, "the crowd is about the user"
    for _ in range(3):
        assert check.check(EMAIL, PASSWORD, THERE).email == EMAIL


def test_a_clock_that_is_set_back_locks_nobody_out(check: PasswordCheck, file_store: Kept, clock: HandClock) -> None:
    """What seems to be of the future is forgotten, and nobody waits longer than the limit has."""
    for _ in range(6):
        wait_at(check)
    clock.pass_seconds(-30 * 86400)
    another = PasswordCheck(file_store, lambda: "k" * 32, clock, lambda user, password: password == PASSWORD)
    assert another.check(EMAIL, PASSWORD, HERE).email == EMAIL
    for _ in range(7):
        wait_at(another)
    clock.pass_seconds(-2)
    assert wait_at(another) <= PAIR.longest


def test_who_has_to_wait_leaves_nothing_behind(check: PasswordCheck, file_store: Kept, tmp_path: Path) -> None:
    """An address that makes up emails fills no table, and most of its tries are not even looked up."""

    def rows() -> int:
        with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
            return int(connection.execute("select count(*) from tries").fetchone()[0])

    for i in range(ADDRESS.free):
        assert wait_at(check, f"user-{i}@example.org") == 0.0
    before = rows()
    for i in range(50):
        assert wait_at(check, f"other-{i}@example.org") > 0
    assert rows() == before
    file_store.close()
    assert wait_at(check, "one-more@example.org") > 0, "without a look at the store"


def test_an_ipv6_network_is_one_address(check: PasswordCheck) -> None:
    """Whoever has a /64 has 2**64 addresses; an IPv4 address written as IPv6 is that address."""
    assert [wait_at(check, address=f"2001:db8::{i:x}") for i in range(5)] == [0.0] * 5
    assert wait_at(check, address="2001:db8::ffff:1") > 0
    assert wait_at(check, address="2001:db8:1::1") == 0.0
    assert [wait_at(check, BOB, HERE) for _ in range(5)] == [0.0] * 5
    assert wait_at(check, BOB, f"::ffff:{HERE}") > 0


def test_tries_are_forgotten_after_a_while(check: PasswordCheck, clock: HandClock) -> None:
    """Fifteen minutes after the last."""
    for _ in range(6):
        wait_at(check)
    clock.pass_seconds(901)
    assert [wait_at(check) for _ in range(5)] == [0.0] * 5


def test_what_was_typed_is_not_stored(check: PasswordCheck, file_store: Kept, tmp_path: Path) -> None:
    """People type passwords where emails belong."""
    wait_at(check, email="my secret password")
    file_store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"my secret" not in kept
    assert HERE.encode() not in kept


def test_a_user_who_is_not_there_takes_as_long(file_store: Kept) -> None:
    """Or a guesser would learn which users there are."""
    change_password(file_store, EMAIL, PASSWORD)
    user = find_user(file_store, EMAIL)

    def seconds(check: Callable[[], object]) -> float:
        started = time.perf_counter()
        check()
        return time.perf_counter() - started

    known = min(seconds(lambda: check_password(user, "wrong")) for _ in range(3))
    unknown = min(seconds(lambda: check_password(None, "wrong")) for _ in range(3))
    assert known / 3 < unknown < known * 3


def test_servers_count_together_and_exactly(store: str) -> None:
    """Many tries at once, by several servers of one store, are as few as one after the other."""
    limits = {"somebody": TryLimit(free=7, longest=60)}
    with closing(open_store(store)) as one, closing(open_store(store)) as two, ThreadPoolExecutor(8) as pool:
        barrier = threading.Barrier(8)

        def rush(number: int) -> int:
            barrier.wait()
            return sum(take_try((one, two)[number % 2], limits) is None for _ in range(5))

        assert sum(pool.map(rush, range(8))) == 7
        wait = take_try(one, limits)
        assert wait is not None
        assert wait.subject == "somebody"
        assert 0 < wait.seconds <= 1
        forget_tries(one, ["somebody"], [])
        assert take_try(two, limits) is None


def test_a_server_says_how_long_to_wait(tmp_path: Path) -> None:
    """With 429 and Retry-After, which our client tells as an error of its own."""
    with served(f"sqlite:///{tmp_path}/store.db") as server:
        with pytest.raises(TooManyTriesError) as caught:
            for _ in range(9):  # on a machine that is busy, a second may pass between two
                with pytest.raises(AuthenticationError):
                    reset_token(server.url, EMAIL, "wrong password")
        assert caught.value.retry_after in (1.0, 2.0, 4.0, 8.0)
        body = {"email": EMAIL, "token": PASSWORD}
        answer = requests.post(f"{server.url}/api/v1/passauth/", json=body, timeout=30)
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) <= caught.value.retry_after
            assert answer.json()["type"].endswith(":too-many-tries")
        assert requests.get(f"{server.url}/healthz", timeout=30).status_code == 200
