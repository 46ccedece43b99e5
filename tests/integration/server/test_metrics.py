"""What Prometheus is told of a server."""

from pathlib import Path

import pytest
import requests

from tests.kit.stack import ServerProcess

_CALLS = 20


def answers(server: ServerProcess, operation: str, status: int) -> float:
    """Return how often an operation was answered so, by all processes."""
    shown = requests.get(f"{server.url}/metrics", timeout=30)
    assert shown.headers["Content-Type"].startswith("text/plain")
    wanted = f'sweepstake_answers_total{{operation="{operation}",status="{status}"}}'
    found = [line.split()[-1] for line in shown.text.splitlines() if line.startswith(wanted)]
    assert len(found) <= 1, shown.text
    return float(found[0]) if found else 0.0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_answers_are_counted_by_operation_and_status(tmp_path: Path, workers: str) -> None:
    """However many processes answer, and whichever of them shows the sum."""
    with ServerProcess(f"sqlite:///{tmp_path}/store.db", tmp_path, "--workers", workers) as server:
        for i in range(_CALLS):
            assert requests.get(f"{server.url}/api/v1/experiments/secret-{i}/", timeout=30).status_code == 404
        assert requests.get(f"{server.url}/api/v1/experiments/", timeout=30).status_code == 200
        for _ in range(5):
            assert answers(server, "get_experiment", 404) == _CALLS
        assert answers(server, "list_experiments", 200) == 1
        assert answers(server, "claim", 200) == 0
        shown = requests.get(f"{server.url}/metrics", timeout=30).text
        assert f'sweepstake_answer_seconds_count{{operation="get_experiment"}} {_CALLS}.0' in shown
        assert "secret" not in shown
