"""What every test may ask for: an environment without personal settings, and an empty PostgreSQL database."""

import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import hypothesis
import pytest

from tests.kit import postgres
from tests.kit.clocks import HandClock

#: The folder that this test session's processes share.
_SHARED = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Agree on one folder for all processes of the session, hear Ctrl-C, and let property tests take their time."""
    slow = hypothesis.HealthCheck.too_slow
    hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[slow])
    hypothesis.settings.load_profile("patient")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of what a shell runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    handed_down = getattr(config, "workerinput", {}).get("shared")
    config.stash[_SHARED] = Path(handed_down or tempfile.mkdtemp(prefix="sweepstake-tests-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: pytest.Item) -> None:
    """Tell a worker process of pytest-xdist the folder."""
    # xdist is untyped
    node.workerinput["shared"] = str(node.config.stash[_SHARED])  # type: ignore[attr-defined]
    node.workerinput["owner"] = os.getpid()  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the PostgreSQL that any process of the session started."""
    if hasattr(config, "workerinput"):
        return
    shared = config.stash[_SHARED]
    started = shared / "postgres.json"
    if started.exists():
        postgres.stop(postgres.PostgresServer(**json.loads(started.read_text())))
    shutil.rmtree(shared, ignore_errors=True)


@pytest.fixture(autouse=True)
def _impersonal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give the test, and the processes it starts, a home of its own and no settings of the person who runs it."""
    _forget_settings()
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    yield
    _forget_settings()


def _forget_settings() -> None:
    """Take out of the environment what a person set, and what a test that ended while it held a job has left there.

    For good: fixtures that serve a whole module are made before the next test has an environment of its own.
    """
    for name in list(os.environ):
        if name.startswith(("SWEEPSTAKE_", "XDG_")) and name != postgres.ENVIRONMENT:
            del os.environ[name]


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> postgres.PostgresServer:
    """The session's one PostgreSQL server; without any, skip on a laptop and fail in CI."""
    shared = pytestconfig.stash[_SHARED]
    started = shared / "postgres.json"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if started.exists():
            return postgres.PostgresServer(**json.loads(started.read_text()))
        try:
            server = postgres.start(getattr(pytestconfig, "workerinput", {}).get("owner"))
        except postgres.NoPostgresError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        started.write_text(json.dumps(attrs.asdict(server)))
        return server


@pytest.fixture
def postgres_url(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """The URL of an empty database, dropped after the test."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def new_database(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Make an empty PostgreSQL database when it is called, and skip only then if there is no PostgreSQL."""

    def make() -> str:
        server: postgres.PostgresServer = request.getfixturevalue("postgres_server")
        return server.new_database()

    return make


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still until the test turns it."""
    return HandClock()
