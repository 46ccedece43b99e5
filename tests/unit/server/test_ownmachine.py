"""A server without credentials, and what pages in a browser on its machine may send."""

import pytest

from tests.unit.server.asking import Server

PATH = b"/api/v1/experiments/e/jobs/"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:8000"},
        {"host": "localhost.evil.example"},
        {"host": "localhost, evil.example"},
        {"host": "evil@localhost"},
        {"host": "0.0.0.0"},
        {"host": "192.168.1.1"},
        {"host": ""},
        {"host": "localhost:99999"},
        {"host": "[::1"},
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "file://localhost"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"content-type": "text/plain"},
        {"content-type": "text/plain;charset=UTF-8"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json, text/plain"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_page_of_another_site_sends_is_refused(server: Server, method: str, headers: dict[str, str]) -> None:
    """Whether it would read or change something, and nothing is changed."""
    before = server.ask("GET", PATH)
    assert server.ask(method, PATH, headers={**JSON, **headers}, body=b"{}" * (method == "POST"))[0] == 403
    assert server.ask("GET", PATH) == before


@pytest.mark.parametrize(
    "headers",
    [
        JSON,
        {},  # clients of Schedy do not say what they send
        {"content-type": "Application/JSON; charset=utf-8"},
        {"host": "127.0.0.1"},
        {"host": "127.8.9.1"},
        {"host": "[::1]"},
        {"host": "LOCALHOST"},
        {"origin": "http://localhost"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
    ids=str,
)
def test_programs_on_this_machine_are_answered(server: Server, headers: dict[str, str]) -> None:
    """By its name or one of its addresses, and the server's own pages too."""
    assert server.ask("POST", PATH, headers=headers, body=b"{}")[0] == 201


def test_pages_about_the_server_are_kept_away_too(server: Server) -> None:
    """The description and the metrics need the same."""
    for path in (b"/healthz", b"/metrics", b"/openapi.json", b"/nowhere"):
        assert server.ask("GET", path, headers={"host": "evil.example"})[0] == 403
