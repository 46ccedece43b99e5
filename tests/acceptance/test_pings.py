"""A short call beside the worst request of each kind: it is answered as if nothing else went on."""

import json
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from tests.kit.stack import ServerProcess

pytestmark = pytest.mark.full

#: Seconds for which each request is made again and again, and between two pings.
SECONDS: Final = 4.0
PAUSE: Final = 0.005
#: The 99th percentile of pings, in seconds, or three times that of an idle server if that is more.
SLOWEST: Final = 0.025

Send = Callable[[str], Any]
HEADERS: Final = {"Content-Type": "application/json"}


def _put(name: str, value: Any) -> Send:
    body = json.dumps({"status": "DONE", "results": {"x": 1, "v": value}}).encode()
    return lambda url: requests.put(f"{url}large/jobs/{name}/", data=body, headers=HEADERS, timeout=300)


def _add(jobs: list[dict[str, Any]], query: str = "", *, wide: bool = False) -> Send:
    end = "\U0001f600" if wide else ""  # which makes each character of a text take four bytes
    body = json.dumps({"jobs": [*jobs, *([{"notes": end}] if wide else [])]}, ensure_ascii=False).encode()
    return lambda url: requests.post(f"{url}many/bulk/{query}", data=body, headers=HEADERS, timeout=300)


def _get(path: str) -> Send:
    return lambda url: requests.get(f"{url}{path}", timeout=300)


def _many() -> list[dict[str, Any]]:
    return [{"hyperparameters": {"a": i, "b": {"c": [1, 2]}}, "results": {"x": i / 2}} for i in range(5000)]


WORST: Final[dict[str, Callable[[], Send]]] = {
    "numbers": lambda: _put("numbers", [0] * 2_700_000),
    "objects": lambda: _put("objects", [{"a": 0.5}] * 240_000),
    "text": lambda: _put("text", "é" * 1_300_000),
    "fractions": lambda: _put("fractions", [0.5] * 1_900_000),
    "members": lambda: _put("members", {str(i): 0 for i in range(200_000)}),
    "long whole numbers": lambda: _put("digits", [10**4299] * 1_900),
    "read": lambda: _get("large/jobs/numbers/"),
    "condition on large values": lambda: _get("large/jobs/?where=results.x%3E0"),
    "order of large values": lambda: _get("large/jobs/?order=results.x"),
    "order of long texts": lambda: _get("large/jobs/?order=-results.v"),
    "many": lambda: _add(_many()),
    "many without repeats": lambda: _add(_many(), "?on_duplicate=skip"),
    "large and many": lambda: _add([{"hyperparameters": {"a": i, "t": "x" * 9000}} for i in range(5000)]),
    "large and wide": lambda: _add([{"notes": "x" * 9000} for _ in range(4999)], wide=True),
    "many faults": lambda: _add([{"priority": "x"}] * 5000),
    "condition on many": lambda: _get("many/jobs/?where=results.x%3C0"),
    "order of many": lambda: _get("many/jobs/?order=-results.x"),
    "page": lambda: _get("many/jobs/"),
    "export": lambda: _get("many/export/"),
}


def _load(url: str, name: str, begun: Event, enough: Event) -> None:
    send = WORST[name]()
    begun.set()
    while not enough.is_set():
        assert send(url).status_code < 500


def _pings(url: str) -> float:
    """Return the 99th percentile of short calls."""
    times = []
    until = time.monotonic() + SECONDS
    with requests.Session() as session:
        while time.monotonic() < until:
            began = time.perf_counter()
            assert session.get(f"{url}small/jobs/j/", timeout=60).status_code == 200
            times.append(time.perf_counter() - began)
            time.sleep(PAUSE)
    return sorted(times)[len(times) * 99 // 100]


def test_short_calls_do_not_wait_for_long_ones(tmp_path: Path) -> None:
    """Whatever others ask, for as long as they ask it."""
    with ServerProcess(f"sqlite:///{tmp_path}/store.db", tmp_path) as server:
        url = f"{server.url}/api/v1/experiments/"
        for name in ("small", "large", "many"):
            requests.put(f"{url}{name}/", json={"scheduler": {"Manual": None}}, timeout=30).raise_for_status()
        requests.put(f"{url}small/jobs/j/", json={"status": "QUEUED"}, timeout=30).raise_for_status()
        idle = _pings(url)
        allowed = max(3 * idle, SLOWEST)
        found = {name: _beside(url, name) for name in WORST}
    slow = ", ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in found.items() if seconds > allowed)
    all_of_them = ", ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in found.items())
    assert not slow, (
        f"beside {slow} ms; allowed are {allowed * 1000:.1f}, idle are {idle * 1000:.1f}\nall: {all_of_them}"
    )


def _beside(url: str, name: str) -> float:
    """Return the 99th percentile of short calls while another process sends a request again and again."""
    processes = multiprocessing.get_context("spawn")
    begun, enough = processes.Event(), processes.Event()
    load = processes.Process(target=_load, args=(url, name, begun, enough))
    load.start()
    assert begun.wait(60), name
    try:
        return _pings(url)
    finally:
        enough.set()
        load.join()
        assert load.exitcode == 0, name
