"""Secrets stay where they belong: in no log, no error, no answer."""

import logging
import traceback
from pathlib import Path
from typing import Final

import pytest
import requests

import sweepstake
from sweepstake.domain.access import Role
from sweepstake.errors import SweepstakeError
from sweepstake.http import reset_token
from sweepstake.queue.calls import RevokeToken, ShareExperiment
from sweepstake.queue.verbs.access.tokens import create_token
from sweepstake.server.passwords import add_user
from sweepstake.wire.credentials import NewShare
from tests.kit.stack import ServerProcess
from tests.kit.stores import open_store, remote_queue

EMAIL: Final = "ada@example.org"
PASSWORD: Final = "a very secret password"


def _failing(url: str, token: str) -> list[str]:
    """Make calls of our client's that fail, and return all that is to be seen of them."""
    seen = []
    queue = remote_queue(url, token)
    calls = (
        lambda: queue.get_experiment("nowhere"),
        lambda: queue.claim("nowhere", worker="w", key="0" * 26),
        lambda: queue.heartbeat(["x"]),
        lambda: queue.send(RevokeToken(id="x")),
        lambda: queue.send(ShareExperiment(name="nowhere", email=EMAIL, share=NewShare(Role.READ))),
        lambda: reset_token(url, EMAIL, f"{PASSWORD}, but wrong"),
    )
    for call in calls:
        with pytest.raises(SweepstakeError) as caught:
            call()
        seen += [repr(caught.value), "".join(traceback.format_exception(caught.value))]
    queue.close()
    return [*seen, repr(queue), repr(queue.sender)]


def test_no_log_and_no_error_holds_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """On either side of the wire, whatever fails; also when the client's libraries tell all that they know."""
    caplog.set_level(logging.DEBUG)
    store = f"sqlite:///{tmp_path}/store.db"
    kept = open_store(store)
    token = add_user(kept, EMAIL, PASSWORD)
    limited, _ = create_token(kept, EMAIL, role=Role.READ)
    ended, _ = create_token(kept, EMAIL, expires_at=1.0)
    kept.close()
    secrets = (token, limited, ended, PASSWORD)
    server = ServerProcess(store, tmp_path, credentials=True)
    with server:
        seen = [text for each in (token, limited, ended) for text in _failing(server.url, each)]
        signed = requests.post(
            f"{server.url}/api/v1/token/", json={"email": EMAIL, "token": limited}, timeout=30
        ).json()["token"]
        for headers, path, body in (
            ({"Authorization": f"Bearer {signed}x"}, "experiments/", b""),
            ({"Authorization": f"Basic {token}"}, "experiments/", b""),
            ({"Authorization": f"Bearer {limited}"}, "experiments/e/claim/", b"{"),
            ({}, "passauth/", f'{{"email": "{EMAIL}", "token": "{PASSWORD}"'.encode()),
            ({}, "passauth/", f'{{"email": 3, "token": "{PASSWORD}"}}'.encode()),
            ({}, "token/", f'{{"email": "{EMAIL}", "token": ["{token}"]}}'.encode()),
        ):
            answer = requests.post(f"{server.url}/api/v1/{path}", data=body, headers=headers, timeout=30)
            assert answer.status_code >= 400
            seen.append(answer.text)
    seen += _failing(server.url, token)  # it is away now
    seen += [repr(sweepstake.connect(server.url, token)), caplog.text, server.log()]
    for text in seen:
        for secret in (*secrets, signed):
            assert secret not in text
    assert "Traceback" not in server.log()
