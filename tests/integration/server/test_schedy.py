"""What clients of Schedy are shown, and what is understood of what they write."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import sweepstake
from tests.kit.serving import EMAIL, Served, served


def _log_in(server: Served) -> dict[str, str]:
    """Return the header of a client of Schedy."""
    answer = requests.post(f"{server.url}/api/v1/token/", json={"email": EMAIL, "token": server.token}, timeout=30)
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_values_look_right_to_both_kinds_of_clients(server: Served) -> None:
    """A `$` stays one and NaN is a bare token to the old client, whoever wrote; ours reads the same values."""
    odd = {"$set": {"$$x": [math.inf, {"$number": "NaN"}]}, "loss": math.nan, "deep": _nested(62)}
    old = _log_in(server)
    with sweepstake.connect(server.url, server.token) as db:
        experiment = db.add_experiment(sweepstake.ManualSearch("odd"))
        jobs = f"{server.url}/api/v1/experiments/odd/jobs/"
        sent = json.dumps({"hyperparameters": odd})
        theirs = requests.post(jobs, data=sent, headers=old, timeout=30).json()
        ours = experiment.add_job(odd)
        for job_id in (theirs["id"], ours.job_id):
            text = requests.get(f"{jobs}{job_id}/", headers=old, timeout=30).text
            assert '"$set":{"$$x":[Infinity,{"$number":"NaN"}]}' in text
            assert '"loss":NaN' in text
            assert repr(experiment.get_job(job_id).hyperparameters) == repr(odd)
        listed = requests.get(jobs, headers=old, timeout=30).text
        assert listed.count('"$set":{"$$x":[Infinity,') == 2
        own = requests.get(f"{jobs}{ours.job_id}/", headers={"Authorization": f"Bearer {server.token}"}, timeout=30)
        assert '"$$set":' in own.text
        assert "NaN," not in own.text
        refused = requests.post(jobs, data=json.dumps({"hyperparameters": _nested(70)}), headers=old, timeout=30)
        assert refused.status_code == 400


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server over SQLite."""
    with served(f"sqlite:///{tmp_path}/store.db") as running:
        yield running


def test_a_grid_is_a_manual_search_to_schedys_clients(server: Served) -> None:
    """One experiment that they do not know must not break their listing, and their writes leave its search alone."""
    with sweepstake.connect(server.url, server.token) as db:
        db.add_experiment(sweepstake.GridSearch("grid", {"a": [1, 2]}))
        old = _log_in(server)
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
