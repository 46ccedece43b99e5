"""The API tester (schemathesis) against a real server with authentication: what the OpenAPI document says is true."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests

from sweepstake.domain.records import ABSENT, ExperimentDraft, SearchDefinition
from sweepstake.http.operations import OPERATIONS
from tests.acceptance.openapi_hooks import SEEDED, STEPS
from tests.kit.checkout import ROOT
from tests.kit.lab import draft, new_key
from tests.kit.serving import EMAIL, PASSWORD, Served, served
from tests.kit.stores import remote_queue

_SETTINGS: Final = Path(__file__).with_name("schemathesis.toml")
SEARCH = SearchDefinition("RandomSearch", '{"lr":{"loguniform":{"low":0.001,"high":1.0}}}')


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server over SQLite that holds a few experiments, each with a queued job."""
    with served(f"sqlite:///{tmp_path}/store.db") as running:
        queue = remote_queue(running.url, running.token)
        for name in SEEDED:
            queue.put_experiment(name, ExperimentDraft(search=SEARCH), guard=ABSENT, key=new_key())
            queue.add_jobs(name, [draft()], key=new_key())
        queue.close()
        yield running


@pytest.mark.acceptance
@pytest.mark.parametrize(
    "examples, phases, seed",
    [
        # The same calls in every run; those of the full size are new each time.
        pytest.param(5, "fuzzing,stateful", ["--seed", "1"], id="small"),
        pytest.param(200, "examples,coverage,fuzzing,stateful", [], id="full", marks=pytest.mark.full),
    ],
)
def test_the_api_is_what_its_document_says(
    server: Served, examples: int, phases: str, seed: list[str], tmp_path: Path
) -> None:
    """Valid requests are accepted, invalid ones refused, answers have their schema, whatever order calls come in."""
    told, _ = _try(server, tmp_path, "--max-examples", str(examples), "--phases", phases, *seed)
    assert f"{len(OPERATIONS)} selected / {len(OPERATIONS)} total" in told


@pytest.mark.acceptance
def test_a_walk_along_the_links_leads_to_the_end_of_a_job(server: Served, tmp_path: Path) -> None:
    """From a listing to a claim, and from the claim to a report that is recorded, by what the answers hold."""
    chosen = [word for name in ("list_experiments", "claim", "finish") for word in ("--include-operation-id", name)]
    _, steps = _try(server, tmp_path, "--phases", "stateful", "--max-examples", "10", "--seed", "1", *chosen)
    assert {"list_experiments 200", "claim 200", "finish 200"} <= steps


def _try(server: Served, folder: Path, *options: str) -> tuple[str, set[str]]:
    """Let the tester call the server; return what it told, and the steps of its walks with their statuses."""
    # A login by password, because the tester also calls what replaces and revokes API tokens.
    login = {"email": EMAIL, "token": PASSWORD}
    signed = requests.post(f"{server.url}/api/v1/passauth/", json=login, timeout=30).json()["token"]
    steps = folder / "steps"
    steps.touch()
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(_SETTINGS), "run", f"{server.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {signed}"),
            *("--continue-on-failure", "--request-timeout", "30", "--generation-database", "none", "--no-color"),
            # A busy machine is slow to make up the body of an import, which is no fault of the schema's.
            *("--suppress-health-check", "too_slow"),
            *options,
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.acceptance.openapi_hooks",
            "PYTHONPATH": str(ROOT),
            STEPS: str(steps),
        },
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    return done.stdout, set(steps.read_text().splitlines())
