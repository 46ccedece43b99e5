"""A worker's side of its heartbeat process."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sweepstake.config import Config
from sweepstake.domain.status import Signal
from sweepstake.errors import ConfigurationError

__all__ = ["HeartbeatProcess"]

#: Runs the module in isolation from the folder that the worker stands in, whose files may be named like Python's own.
_START: Final = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module("sweepstake.worker.heartbeats", run_name="__main__")
"""
_ROOT: Final = str(Path(__file__).resolve().parents[2])
#: Seconds within which the heartbeat process begins, and ends once its work is over.
_BEGIN: Final = 60.0
_END: Final = 5.0
#: Seconds to wait before another is started, after one that never began or could not be started.
_AGAIN: Final = 1.0

_logger = logging.getLogger(__name__)


class HeartbeatProcess:
    """Renews leases from a process of its own, which nothing that this process does can hold up.

    Should the process die, it is started again and told what is held.

    Args:
        config: where the leases are.
        grace: seconds that a command has to end by itself when the queue says so.
        inherited: open files that it keeps.
    """

    def __init__(self, config: Config, grace: float, inherited: Sequence[int] = ()) -> None:
        self._inherited = inherited
        self._settings = {"url": config.url, "token": config.token, "grace": grace}
        self._lock = threading.Lock()
        self._held: dict[str, dict[str, Any]] = {}
        self._signals: dict[str, Signal] = {}
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._failed: int | None = None
        self._process = self._start()
        threading.Thread(target=self._listen, name="sweepstake-heartbeats", daemon=True).start()

    def wait(self) -> None:
        """Wait until the process renews leases, so that no short lease is lost before its first beat.

        Raises:
            ConfigurationError: it did not begin in time, or ended at once.
        """
        if not self._ready.wait(_BEGIN):
            raise ConfigurationError(
                f"the heartbeat process did not begin within {_BEGIN:g} s; is the machine overloaded?"
            )
        if self._failed is not None:
            raise ConfigurationError(
                f"the heartbeat process ended at once (exit code {self._failed}); its last words stand above"
            )

    def hold(self, attempt: str, lease: float, group: int | None, ending: Sequence[str] = (), run: str = "") -> None:
        """Renew the lease of an attempt whose command is this process group, or is only about to begin (None).

        Args:
            attempt: op key of the claim.
            lease: seconds.
            group: the process group.
            ending: a command that ends what may outlive the group; it is run if this process dies before.
            run: the name by which processes are known that left the group; they are ended when the command has.
        """
        message = {"hold": attempt, "lease": lease, "group": group, "ending": list(ending), "run": run}
        with self._lock:
            self._held[attempt] = message
            self._send(message)

    def ended(self, attempt: str) -> Signal:
        """Note that a command has ended; its lease is renewed until the end is reported.

        Returns:
            What the queue said of the attempt while the command ran.
        """
        with self._lock:
            self._held[attempt]["group"] = None
            self._send({"ended": attempt})
            return self._signals.pop(attempt, Signal.CONTINUE)

    def drop(self, attempt: str) -> None:
        """Stop renewing a lease, if it is renewed: the process is told with what it is told next.

        Until then it may renew what is over, and learn that from the queue.
        """
        with self._lock:
            if self._held.pop(attempt, None) is not None:
                self._send({"drop": attempt}, now=False)
                self._signals.pop(attempt, None)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._closing.set()
            process = self._process
            with suppress(OSError):
                self._input(process).close()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-X", "utf8", "-c", _START, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=self._inherited,
            encoding="utf-8",
        )
        with suppress(OSError):  # it has died already, which `_listen` notices
            for message in (self._settings, *self._held.values()):
                self._input(process).write(json.dumps(message) + "\n")
            self._input(process).flush()
        return process

    def _listen(self) -> None:
        """Hear what the process says, and start another when it ends, until its work is over."""
        while True:
            process = self._process
            began = self._hear(process)
            code = process.wait()
            if not self._ready.is_set():
                self._failed = code
                self._ready.set()
                return
            pause = 0.0 if began else _AGAIN
            while self._process is process:
                if self._closing.wait(pause):
                    return
                pause = _AGAIN
                self._replace(process, code)

    def _hear(self, process: subprocess.Popen[str]) -> bool:
        """Note all that the process says; return whether it renewed leases."""
        assert process.stdout is not None
        began = False
        with process.stdout as lines:
            for line in lines:
                answer = json.loads(line)
                if "ready" in answer:
                    began = True
                    self._ready.set()
                    continue
                with self._lock:
                    if answer["attempt"] in self._held:
                        self._signals[answer["attempt"]] = Signal(answer["signal"])
        return began

    def _replace(self, process: subprocess.Popen[str], code: int) -> None:
        """Start another process, if this machine has room for one now."""
        with self._lock:
            if self._closing.is_set():
                return
            _logger.warning("The heartbeat process ended (exit code %d); starting another.", code)
            with suppress(OSError):
                self._input(process).close()
            try:
                self._process = self._start()
            except OSError as error:
                _logger.warning("It could not be started (%s); trying again in %g s.", error, _AGAIN)

    def _send(self, message: dict[str, Any], *, now: bool = True) -> None:
        with suppress(OSError, ValueError):  # it has died: the next process is told by `_start`
            self._input(self._process).write(json.dumps(message) + "\n")
            if now:
                self._input(self._process).flush()

    @staticmethod
    def _input(process: subprocess.Popen[str]) -> Any:
        assert process.stdin is not None
        return process.stdin
