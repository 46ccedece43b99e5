"""Searches that Schedy has no word for, as its clients see them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import sweepstake
from tests.serving import EMAIL, Served, served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server over SQLite."""
    with served(f"sqlite:///{tmp_path}/store.db") as running:
        yield running


def test_a_grid_is_a_manual_search_to_schedys_clients(server: Served) -> None:
    """One experiment that they do not know must not break their listing, and their writes leave its search alone."""
    with sweepstake.connect(server.url, server.token) as db:
        db.add_experiment(sweepstake.GridSearch("grid", {"a": [1, 2]}))
        logged_in = requests.post(
            f"{server.url}/api/v1/token/", json={"email": EMAIL, "token": server.token}, timeout=30
        ).json()
        old = {"Authorization": f"Bearer {logged_in['token']}"}
        experiments = f"{server.url}/api/v1/experiments/"
        (listed,) = requests.get(experiments, headers=old, timeout=30).json()["items"]
        assert listed["scheduler"] == {"Manual": None}
        read = requests.get(f"{experiments}grid/", headers=old, timeout=30).json()
        assert read["scheduler"] == {"Manual": None}
        body = {"status": "DONE", "scheduler": {"Manual": None}}
        written = requests.put(f"{experiments}grid/", json=body, headers=old, timeout=30)
        assert written.json()["scheduler"] == {"Manual": None}
        kept = db.get_experiment("grid")
        assert isinstance(kept, sweepstake.GridSearch)
        assert kept.status == "DONE"
