"""No request keeps others waiting: no call into C, which nothing interrupts, takes long."""

import gc
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

from tests.unit.server.asking import asked

#: The longest that one call may take of the processor, in seconds; a reader of the standard library takes 100 and more.
LONGEST: Final = 0.025
#: How often a request is made: what the machine itself takes of a thread's time now and then is no call's.
TRIES: Final = 3
#: What lets others run while it works, and what runs Python.
NOT_HOLDING: Final = ("sqlite3", "executemany", "execute", "fetchall", "fetchone", "commit")

E: Final = b"/api/v1/experiments/e/"


def _results(value: Any) -> bytes:
    return json.dumps({"status": "DONE", "results": {"x": 1, "v": value}}).encode()


def _jobs(jobs: list[dict[str, Any]]) -> bytes:
    return json.dumps({"jobs": jobs}, ensure_ascii=False).encode()


CALLS: Final[dict[str, tuple[str, bytes, bytes, bytes]]] = {
    "numbers": ("PUT", E + b"jobs/numbers/", b"", _results([0] * 1_200_000)),
    "objects": ("PUT", E + b"jobs/objects/", b"", _results([{"a": 0.5}] * 40_000)),
    "text": ("PUT", E + b"jobs/text/", b"", _results("é" * 600_000)),
    "spaces": ("PUT", E + b"jobs/spaces/", b"", b" " * 1_000_000 + b"{}"),
    "digits": ("PUT", E + b"jobs/digits/", b"", b'{"results":{"a":' + b"1" * 1_000_000 + b"}}"),
    "long ints": ("PUT", E + b"jobs/ints/", b"", _results([10**4299] * 150)),
    "read": ("GET", E + b"jobs/numbers/", b"", b""),
    "condition": ("GET", E + b"jobs/", b"where=results.x%3E0", b""),
    "order": ("GET", E + b"jobs/", b"order=results.x", b""),
    "duplicates": ("POST", E + b"bulk/", b"on_duplicate=skip", _jobs([{}] * 500)),
    "export": ("GET", E + b"export/", b"", b""),
    "beats": ("POST", b"/api/v1/heartbeat/", b"", b'{"attempts":[' + b"0," * 300_000 + b"0]}"),
}


class Watch:
    """Measures calls into C in threads that begin while it is installed, by the time of their processor."""

    def __init__(self) -> None:
        self._begun = threading.local()
        self.longest = 0.0
        self.name = ""

    def __call__(self, frame: FrameType, event: str, called: Any) -> None:
        """Take note of a call or a return; see `sys.setprofile`."""
        begun: list[list[float]] = self._begun.__dict__.setdefault("calls", [])
        if event == "c_call":
            begun.append([time.thread_time(), 0.0])
        elif event in ("c_return", "c_exception") and begun:
            began, inner = begun.pop()
            taken = time.thread_time() - began
            if begun:
                begun[-1][1] += taken
            self._note(taken - inner, f"{getattr(called, '__module__', '')} {called.__qualname__}", frame)
        elif event == "call" and begun:  # Python runs within the call, so others can
            begun[-1][1] = float("inf")

    def _note(self, taken: float, name: str, frame: FrameType) -> None:
        if taken > self.longest and not any(word in name for word in NOT_HOLDING):
            self.longest, self.name = taken, f"{name} in {frame.f_code.co_name}"


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Watch the threads that are started from here on, without the collector of garbage, which a server tames."""
    watching = Watch()
    gc.collect()
    gc.disable()
    threading.setprofile(watching)
    yield watching
    threading.setprofile(None)
    gc.enable()


def test_no_request_holds_the_interpreter(watch: Watch, tmp_path: Path) -> None:
    """Neither what it holds nor what it asks for is read or written in one piece."""
    with asked(tmp_path) as server:
        for name, (method, path, query, body) in CALLS.items():
            for _ in range(TRIES):
                watch.longest = 0.0
                status, _ = server.ask(method, path, query, body=body)
                assert status < 500, name
                if watch.longest < LONGEST:
                    break
            assert watch.longest < LONGEST, (name, watch.name)
