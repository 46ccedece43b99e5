"""Count the functions of ours that a call passes, and the files that they stand in: python -m tests.benchmarks.hops.

Counts are the same on every machine, however busy it is: what is done at times alone (looking once a second whether
a lease ran out) is left out, because each call is made several times in a row and the fewest count. The words after
the command name what is listed, function by function: python -m tests.benchmarks.hops claim
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, Self

import uvicorn
from attrs import field, frozen

import sweepstake
from sweepstake.clock import SystemClock
from sweepstake.queue.here import Here
from sweepstake.server.app import create_app
from sweepstake.server.logins import Logins
from sweepstake.server.passwords import add_user
from sweepstake.stores import open_engine
from tests.kit.serving import EMAIL

__all__ = ["LIMITS", "REACHED", "Passed", "count"]

#: How many functions each may pass; of a claim through a server, its client and the server count together.
LIMITS: Final = {"claim": 30, "leave": 45, "add_jobs": 45, "put": 40, "claim over HTTP": 70}
#: How many those pass that are above their limit, so that they become no more.
REACHED: Final = {"claim over HTTP": 86}

_OURS: Final = f"{Path(sweepstake.__file__).parent}/"
#: What stands within a function and has a frame of its own all the same.
_INNER: Final = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})
#: Who wrote less than 20 ms ago need not ask for a file's lock in the line; on a slow machine everybody must.
_IN_LINE: Final = frozenset({"FileLock._find", "FileLock._try"})
_SECONDS_TO_STOP: Final = 30.0
#: How often each call is made.
_TIMES: Final = 10


@frozen
class Passed:
    """What a call passed.

    Attributes:
        calls: how often each function was called, by its file and name.
    """

    calls: Counter[tuple[str, str]] = field(factory=Counter)

    @property
    def functions(self) -> int:
        """How many functions there are."""
        return len(self.calls)

    @property
    def files(self) -> int:
        """How many files they stand in."""
        return len({file for file, _ in self.calls})


class _Counter:
    """Counts what all threads pass while a call is under way: those that begin later than it, and the calling one."""

    def __init__(self) -> None:
        self._passed: Passed | None = None
        self._before = threading.getprofile()

    def __enter__(self) -> Self:
        threading.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        threading.setprofile(self._before)

    def fewest(self, call: Callable[[], Any]) -> Passed:
        """Make a call several times in a row, and return what it passed when it passed the fewest functions."""
        return min((self._count(call) for _ in range(_TIMES)), key=lambda passed: passed.functions)

    def _count(self, call: Callable[[], Any]) -> Passed:
        self._passed = passed = Passed()
        before = sys.getprofile()
        sys.setprofile(self._see)
        try:
            call()
        finally:
            sys.setprofile(before)
            self._passed = None
        return passed

    def _see(self, frame: FrameType, event: str, _argument: object) -> None:
        code: CodeType = frame.f_code
        passed = self._passed
        if passed is None or event != "call" or not code.co_filename.startswith(_OURS):
            return
        if code.co_name in _INNER or code.co_qualname in _IN_LINE:
            return
        passed.calls[code.co_filename.removeprefix(_OURS), code.co_qualname] += 1


def count() -> dict[str, Passed]:
    """Return what each call of `LIMITS` passes, each on an experiment in which it is nothing new."""
    with tempfile.TemporaryDirectory(prefix="sweepstake-hops-") as folder, _Counter() as counter:
        url = f"sqlite:///{folder}/store.db"
        with contextlib.closing(sweepstake.connect(url)) as database:
            counts = _on_a_file(counter, _warm(database))
        with _server(url) as (root, token), contextlib.closing(sweepstake.connect(root, token=token)) as database:
            experiment, held = _warm(database), list[sweepstake.Job]()  # a job that is dropped is given back at once
            counts["claim over HTTP"] = counter.fewest(lambda: held.append(experiment.next_job()))
    return counts


def _on_a_file(counter: _Counter, experiment: sweepstake.Experiment) -> dict[str, Passed]:
    held: list[sweepstake.Job] = []
    counts = {"claim": counter.fewest(lambda: held.append(experiment.next_job()))}
    for job in held:
        job.__enter__()
        job.results["a"] = 1
    counts["leave"] = counter.fewest(lambda: held.pop().__exit__(None, None, None))
    counts["add_jobs"] = counter.fewest(lambda: experiment.add_jobs([{"x": 1}, {"x": 2}, {"x": 3}]))
    added = [experiment.add_job({"x": 3}) for _ in range(_TIMES)]
    counts["put"] = counter.fewest(lambda: added.pop().put())
    return counts


def _warm(database: sweepstake.Database) -> sweepstake.Experiment:
    """Return an experiment with jobs, of which some were run: what is done once is done."""
    experiment = database.add_experiment(sweepstake.ManualSearch("hops"), exist_ok=True)
    experiment.add_jobs([{"x": number} for number in range(2 * _TIMES)])
    for _ in range(3):
        with experiment.next_job() as job:
            job.results["a"] = 1
    return experiment


@contextlib.contextmanager
def _server(url: str) -> Iterator[tuple[str, str]]:
    """Serve a store on threads of this process, and give the server's URL and a token."""
    clock = SystemClock()
    here = Here(open_engine(url), clock, serving=True)
    token = add_user(here.store, EMAIL)
    app = create_app(here, Logins(here.store, clock, lambda: "secret"), clock)
    config = uvicorn.Config(app, port=0, access_log=False, log_level="warning", ws="none", lifespan="on")
    server, started = uvicorn.Server(config), threading.Event()
    config.callback_notify, config.timeout_notify = _telling(started), 0
    thread = threading.Thread(target=server.run, name="hops-server", daemon=True)
    thread.start()
    try:
        started.wait(_SECONDS_TO_STOP)
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}", token
    finally:
        server.should_exit = True
        thread.join(_SECONDS_TO_STOP)


def _telling(started: threading.Event) -> Callable[[], Any]:
    async def tell() -> None:
        started.set()

    return tell


def main() -> int:
    """Print the counts; the exit code is 1 if one is above its limit."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.hops", description="Functions that a call passes."
    )
    parser.add_argument("calls", nargs="*", metavar="CALL", help=f"list the functions of: {', '.join(LIMITS)}")
    chosen = parser.parse_args().calls
    counts = count()
    for name, passed in counts.items():
        print(f"{name}: {passed.functions} functions in {passed.files} files (at most {LIMITS[name]})")
        if name in chosen:
            for (file, function), times in passed.calls.items():
                print(f"    {file} {function}" + (f" x{times}" if times > 1 else ""))
    return 0 if all(passed.functions <= LIMITS[name] for name, passed in counts.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
