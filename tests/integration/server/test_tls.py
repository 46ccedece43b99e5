"""A server behind TLS: verified always, and what is wrong with it is told clearly."""

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme

import sweepstake
from sweepstake.errors import ConfigurationError, StoreUnavailableError
from tests.kit.stores import remote_queue

Serve = Callable[[str], str]


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers as a server of ours that is ready."""

    def do_GET(self) -> None:
        """Answer."""
        body = b'{"status":"ok"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Keep silent."""


@contextmanager
def _listening(context: ssl.SSLContext | None) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up at a false certificate
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    """An authority that nobody trusts yet; its certificate is in the file `ca.pem`."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def serve(authority: trustme.CA) -> Iterator[Serve]:
    """Start a server with a certificate for a name, and return its URL."""
    with ExitStack() as stack:

        def start(name: str) -> str:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(name).configure_cert(context)
            return f"https://localhost:{stack.enter_context(_listening(context))}"

        yield start


def test_a_certificate_that_nobody_trusts_is_refused_at_once(serve: Serve) -> None:
    """With words that say what to do; waiting would not make it better."""
    with sweepstake.connect(serve("localhost"), "sws_a-secret-token") as database:
        with pytest.raises(ConfigurationError, match=r"cannot be trusted.*REQUESTS_CA_BUNDLE") as caught:
            list(database.get_experiments())
        assert "sws_a-secret-token" not in str(caught.value)


def test_an_authority_of_ones_own_can_be_named(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the usual variable."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    remote_queue(serve("localhost")).ping()


def test_a_certificate_of_another_server_is_refused(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its authority is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigurationError, match="cannot be trusted"):
        remote_queue(serve("sweeps.example.org")).ping()


def test_a_server_without_tls_is_not_mistaken_for_one(tmp_path: Path) -> None:
    """Nothing is sent to it, and the error names the address."""
    with _listening(None) as port, pytest.raises(StoreUnavailableError, match=f"https://localhost:{port}"):
        remote_queue(f"https://localhost:{port}", "sws_a-secret-token").ping()
