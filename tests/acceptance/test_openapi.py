"""The API tester (schemathesis) against a real server with authentication: what the OpenAPI document says is true."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sweepstake.domain.records import ABSENT, SearchDefinition
from sweepstake.ports import ExperimentDraft
from sweepstake.remote import RemoteQueue
from sweepstake.wire.operations import OPERATIONS
from tests.acceptance.openapi_hooks import SEEDED
from tests.lab import draft, new_key
from tests.serving import EMAIL, Served, served

ROOT = Path(__file__).parents[2]
SEARCH = SearchDefinition("RandomSearch", '{"lr":{"loguniform":{"low":0.001,"high":1.0}}}')


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server over SQLite that holds a few experiments, each with a queued job."""
    with served(f"sqlite:///{tmp_path}/store.db") as running:
        queue = RemoteQueue(running.url, running.token)
        for name in SEEDED:
            queue.put_experiment(name, ExperimentDraft(search=SEARCH), guard=ABSENT, key=new_key())
            queue.add_jobs(name, [draft()], key=new_key())
        queue.close()
        yield running


@pytest.mark.acceptance
@pytest.mark.parametrize(
    "examples", [pytest.param(5, id="small"), pytest.param(200, id="full", marks=pytest.mark.full)]
)
def test_the_api_is_what_its_document_says(server: Served, examples: int) -> None:
    """Valid requests are accepted, invalid ones refused, answers have their schema, whatever order calls come in."""
    # A signed token, because the tester also calls what replaces the API token.
    answer = requests.post(f"{server.url}/api/v1/token/", json={"email": EMAIL, "token": server.token}, timeout=30)
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(ROOT / "schemathesis.toml"), "run", f"{server.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {answer.json()['token']}"),
            *("--max-examples", str(examples), "--continue-on-failure", "--request-timeout", "30"),
            *("--generation-database", "none", "--no-color"),
        ],
        cwd=ROOT,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.acceptance.openapi_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert f"{len(OPERATIONS)} selected / {len(OPERATIONS)} total" in done.stdout
