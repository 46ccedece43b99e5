"""The server as a process: its start, its end, several workers, and a store that is away."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
import pytest
import requests

from sweepstake.errors import StoreUnavailableError
from tests.kit import postgres
from tests.kit.lab import Lab, eventually, new_key
from tests.kit.serving import EMAIL, add_user
from tests.kit.stores import remote_queue

_SWEEPSTAKE: Final = (sys.executable, "-c", "from sweepstake.cli import main; main()")
_URL: Final = re.compile(r"http://\S+")
_SECONDS: Final = 120.0


@attrs.frozen
class Running:
    """A server's process, what it printed until it was ready, and where it wrote its log."""

    process: "subprocess.Popen[str]"
    lines: tuple[str, ...]
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        found = _URL.search(self.lines[-1])
        assert found
        return found[0]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(_SECONDS)


@contextlib.contextmanager
def _serving(folder: Path, *options: str, store: str = "") -> Iterator[Running]:
    command = [*_SWEEPSTAKE, "serve", "--store", store or f"sqlite:///{folder}/store.db", *options]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield Running(process, tuple(_lines(process)), folder / "log")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def _lines(process: "subprocess.Popen[str]") -> Iterator[str]:
    assert process.stdout is not None
    impatience = threading.Timer(_SECONDS, process.kill)
    impatience.start()
    try:
        for line in process.stdout:
            yield line.rstrip("\n")
            if "http://" in line:
                return
        raise AssertionError(f"the server ended with {process.wait(_SECONDS)} before it was ready")
    finally:
        impatience.cancel()


def _token(running: Running) -> str:
    [token] = re.findall(r"SWEEPSTAKE_TOKEN=(\S+)", "\n".join(running.lines))
    return str(token)


def test_the_first_user_is_made_once(tmp_path: Path) -> None:
    """Its token is printed by the first start only, and goes on working."""
    with _serving(tmp_path, "--port", "0") as first:
        token = _token(first)
        remote_queue(first.url, token).list_experiments()
    with _serving(tmp_path, "--port", "0") as second:
        assert len(second.lines) == 1
        remote_queue(second.url, token).list_experiments()


def test_a_server_with_users_makes_none(tmp_path: Path) -> None:
    """Whoever added a user has no need of another."""
    add_user(f"sqlite:///{tmp_path}/store.db")
    with _serving(tmp_path, "--port", "0") as running:
        assert len(running.lines) == 1


def test_a_restart_keeps_signed_tokens_and_etags(tmp_path: Path) -> None:
    """An old client notices nothing but a lost connection."""
    token = add_user(f"sqlite:///{tmp_path}/store.db")
    port = str(postgres.free_port())
    with _serving(tmp_path, "--port", port) as first:
        body = {"email": EMAIL, "token": token}
        signed = requests.post(f"{first.url}/api/v1/token/", json=body, timeout=30).json()["token"]
        lab = Lab.new(remote_queue(first.url, token))
        job = lab.job(lab.add_one())
        first.end(signal.SIGKILL)
    with _serving(tmp_path, "--port", port) as second:
        answer = requests.put(
            f"{second.url}/api/v1/experiments/{lab.name}/jobs/{job.id}/",
            json={"status": "RUNNING"},
            headers={"Authorization": f"Bearer {signed}", "If-Match": f'"{job.etag}"'},
            timeout=30,
        )
        assert answer.status_code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_call_under_way_is_answered_before_the_end(tmp_path: Path, workers: str) -> None:
    """SIGTERM stops no request whose body is still coming."""
    with _serving(tmp_path, "--port", "0", "--no-auth", "--workers", workers) as running:
        lab = Lab.new(remote_queue(running.url))
        parts = urlsplit(running.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=_SECONDS) as connection:
            path = f"/api/v1/experiments/{lab.name.replace(' ', '%20')}/jobs/"
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 2\r\n\r\n{{".encode())
            requests.get(f"{running.url}/healthz", timeout=30)  # what was sent before this has arrived
            running.process.send_signal(signal.SIGTERM)
            eventually(lambda: None if _accepts(running.url) else True)
            connection.sendall(b"}")
            assert b" 201 " in connection.recv(65536).split(b"\r\n")[0]
        running.process.wait(_SECONDS)
        assert "Traceback" not in running.log.read_text()


def _accepts(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=1) as connection:
            connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            return bool(select.select([connection], [], [], 1)[0]) and bool(connection.recv(1))
    except OSError:
        return False


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    """Killed, it leaves nobody behind who keeps the port."""
    port = str(postgres.free_port())
    with _serving(tmp_path, "--port", port, "--no-auth", "--workers", "2") as running:
        running.end(signal.SIGKILL)
        eventually(lambda: None if _accepts(running.url) else True)
    with _serving(tmp_path, "--port", port, "--no-auth") as again:
        remote_queue(again.url).ping()


@pytest.mark.parametrize(
    "options, says",
    [
        (["--no-auth", "--host", "0.0.0.0"], "--no-auth"),  # the address that is refused
        (["--workers", "0"], "--workers"),
        (["--port", "65536"], "port"),
        (["--host", "nowhere.invalid"], "nowhere.invalid"),
        (["--root-path", "sweeps"], "--root-path"),
        (["--root-path", "/a b"], "--root-path"),
        (["--root-path", "/a?b"], "--root-path"),
        (["--root-path", "/a/../b"], "--root-path"),
    ],
)
def test_a_start_that_cannot_be_is_refused(tmp_path: Path, options: list[str], says: str) -> None:
    """In one line that says what to change, before anything is served."""
    done = subprocess.run(
        [*_SWEEPSTAKE, "serve", "--store", f"sqlite:///{tmp_path}/store.db", *options],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """The second server says so, and what to do."""
    with _serving(tmp_path, "--port", "0", "--no-auth") as running:
        port = str(urlsplit(running.url).port)
        done = subprocess.run(
            [*_SWEEPSTAKE, "serve", "--store", f"sqlite:///{tmp_path}/store.db", "--port", port],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode != 0
        assert port in done.stderr


def test_a_server_below_a_path_tells_its_own_address(tmp_path: Path) -> None:
    """Behind a proxy that strips the path, documents and configurations hold it."""
    with _serving(tmp_path, "--port", "0", "--no-auth", "--root-path", "/sweeps") as running:
        root = running.url.removesuffix("/sweeps")
        assert requests.get(f"{root}/openapi.json", timeout=30).json()["servers"] == [{"url": "/sweeps"}]
        config = requests.post(f"{root}/api/v1/resettoken/", timeout=30).json()
        assert config["root"] == f"{root}/sweeps/api/v1/"


def test_a_path_outside_ascii_is_told_as_it_stands_in_urls(tmp_path: Path) -> None:
    """And what is asked below it is answered."""
    with _serving(tmp_path, "--port", "0", "--no-auth", "--root-path", "/ä/") as running:
        assert running.url.endswith("/%C3%A4")
        root = running.url.removesuffix("/%C3%A4")
        assert requests.get(f"{root}/healthz", timeout=30).status_code == 200
        assert requests.get(f"{root}/openapi.json", timeout=30).json()["servers"] == [{"url": "/%C3%A4"}]


def test_a_server_without_credentials_says_what_that_means(tmp_path: Path) -> None:
    """As it starts; and asked by another name it does nothing. A tunnel to it may have any port."""
    with _serving(tmp_path, "--port", "0", "--no-auth") as running:
        assert "no credentials" in running.lines[-2]
        port = urlsplit(running.url).port
        for host, status in ((f"localhost:{port}", 200), (f"evil.example:{port}", 403), ("localhost:1", 200)):
            answer = requests.get(f"{running.url}/healthz", headers={"Host": host}, timeout=30)
            assert answer.status_code == status, host


def test_a_log_holds_no_secret(tmp_path: Path) -> None:
    """Neither tokens nor passwords, whatever goes wrong with them."""
    token = add_user(f"sqlite:///{tmp_path}/store.db", password="a very secret password")
    with _serving(tmp_path, "--port", "0") as running:
        headers = {"Authorization": f"Bearer {token}"}
        for path, body in [
            ("passauth/", b'{"email": "ada@example.org", "token": "a very secret password"}'),
            ("passauth/", b'{"email": "ada@example.org", "token": "a very secret password"'),
            ("experiments/%FF/", b"{"),
            ("heartbeat/", b'{"attempts": ["x"]}'),
        ]:
            requests.post(f"{running.url}/api/v1/{path}", data=body, headers=headers, timeout=30)
        running.end()
        log = running.log.read_text()
        assert token not in log
        assert "very secret" not in log
        assert "Traceback" not in log


def test_a_store_that_is_away_answers_503(tmp_path: Path) -> None:
    """With Retry-After and without details, while the server itself is healthy."""
    database = postgres.start()
    try:
        with _serving(tmp_path, "--port", "0", "--no-auth", store=database.new_database()) as running:
            queue = remote_queue(running.url)
            lab = Lab.new(queue)
            assert database.pid is not None
            os.kill(database.pid, signal.SIGQUIT)
            with pytest.raises(StoreUnavailableError) as caught:
                _until_away(lab)
            assert caught.value.retry_after == 1.0
            answer = requests.get(f"{running.url}/readyz", timeout=60)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert requests.get(f"{running.url}/healthz", timeout=30).status_code == 200
            assert "postgres" not in answer.text
    finally:
        postgres.stop(database)


def _until_away(lab: Lab) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        lab.queue.claim(lab.name, worker="", key=new_key())
