"""What an actor is told."""

import json
from pathlib import Path

import pytest

from sweepstake.batch.ray.orders import only_here, written_order
from sweepstake.config import Config

_TOKEN = "a-token-that-nobody-shall-see"


@pytest.mark.parametrize(
    "url,word",
    [
        ("sqlite:////home/ada/store.db", "file of this machine"),
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://localhost:8080/sweeps", "localhost"),
        ("http://[::1]:8080", "::1"),
        ("postgresql://ada@localhost/sweeps", "database"),
        ("postgresql:///sweeps", "database"),
    ],
)
def test_a_store_that_only_this_machine_reaches_is_told(url: str, word: str) -> None:
    """Its URL means something else on other nodes, so what to do is said before anything begins."""
    assert word in only_here(url)
    assert "sweepstake serve" in only_here(url)


@pytest.mark.parametrize("url", ["https://sweeps.example.org", "postgresql://ada@db.example.org/sweeps"])
def test_a_store_that_others_reach_is_as_good_as_any(url: str) -> None:
    """Nothing is in the way."""
    assert not only_here(url)


def test_the_connection_is_beside_what_is_typed() -> None:
    """The token stands in nothing but the settings, with what is set for this command alone."""
    config = Config(url="https://sweeps.example.org", token=_TOKEN, state=Path("/state"), checkpoints=Path("/shared"))
    environment = {"SWEEPSTAKE_CHECKPOINTS": "/shared"}
    order = json.loads(written_order(config, "pass", ["mnist"], None, "1.0", environment=environment))
    settings = order.pop("settings")
    assert settings["token"] == _TOKEN
    assert settings["environment"] == {"SWEEPSTAKE_CHECKPOINTS": "/shared"}
    assert _TOKEN not in json.dumps(order)
