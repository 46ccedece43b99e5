"""One attempt at a job: its command is run, and what it did becomes a report."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from attrs import asdict, evolve, field, frozen

from sweepstake.client import Places
from sweepstake.client.attempt.ranks import HELD, held_text, ranks_in
from sweepstake.domain.batches.vain import IN_VAIN, OUT_OF_TIME
from sweepstake.domain.drafts import MAX_OUTPUT, Finish
from sweepstake.domain.records import Claim
from sweepstake.domain.status import Outcome, Signal
from sweepstake.errors import ConfigurationError, InvalidInputError, StoreUnavailableError, UnusableFolderError
from sweepstake.folders import changed_since, check_room, usable
from sweepstake.plaintext import printable
from sweepstake.queue.retrying import FINAL_PATIENCE, TERM_PATIENCE
from sweepstake.values import JsonObject
from sweepstake.worker.capture import Capture
from sweepstake.worker.duty import Assignment
from sweepstake.worker.heartbeat_process import HeartbeatProcess
from sweepstake.worker.judgement import GAVE_WAY, TOLD, Ending, Verdict, judge, terminated
from sweepstake.worker.masking import Mask, words_of
from sweepstake.worker.process import Process, end_outliving, no_room, start_timer
from sweepstake.worker.results import BlockReader, collect
from sweepstake.worker.terminal import Lines, Terminal
from sweepstake.worker.work import Interrupted, Keeping, Kept, Launch

__all__ = ["Attempt", "Plan"]

#: A SIGTERM that a batch system sends to all processes reaches the worker within so many seconds of its commands.
_ECHO: Final = 1.0
#: Errors of a machine that has no room for another process: no fault of the job's.
_EXHAUSTED: Final = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
#: Characters of a command's last line that go into the reason of a crash.
_LAST_WORDS: Final = 200


@frozen(kw_only=True)
class Plan:
    """How commands are run.

    Attributes:
        allow_empty: whether a command may succeed without results.
        grace: seconds between asking a command to end and killing it.
        timeout: seconds that any attempt may run; the experiment's own limit counts if it is shorter.
        terminal: where output is passed through to.
        ranks: what launchers have set for this process.
    """

    allow_empty: bool
    grace: float
    terminal: Terminal
    timeout: float | None = None
    ranks: Mapping[str, str] = field(factory=lambda: ranks_in(os.environ))


class Attempt:
    """A claimed job, and the command that runs for it.

    Args:
        claim: the job.
        assigned: what is run for it.
        plan: how the command is run.
        heartbeats: keeps the lease.
        places: where the job's output and checkpoints lie.
        stopping: is set when a signal tells the worker to stop, which may have reached the command as well.

    Attributes:
        claim: the job.
        assigned: what is run for it.
        timed_out: whether the command was ended because its time was over.
        lost: whether it was ended because the job was no longer this worker's.
    """

    def __init__(
        self,
        claim: Claim,
        assigned: Assignment,
        plan: Plan,
        heartbeats: HeartbeatProcess,
        places: Places,
        stopping: threading.Event,
    ) -> None:
        self.claim = claim
        self.timed_out = False
        self.lost = False
        self.assigned = assigned
        self._plan = plan
        self._heartbeats = heartbeats
        self._places = places
        self._stopping = stopping
        limits = [limit for limit in (claim.timeout, plan.timeout, assigned.timeout) if limit is not None]
        self._timeout = min(limits, default=None)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._process: Process | None = None
        self._end: Callable[[Process], None] | None = None
        self._why_stopped = TOLD
        self._checkpoints_at: tuple[Path, float] | None = None

    def run(self) -> Finish:
        """Run the command to its end, and return what to report.

        Raises:
            UnusableFolderError: a folder on this machine is full, read-only, or another user's.
            ConfigurationError: the command cannot be started here.
            OSError: this machine has too many processes or open files.
        """
        keep = self.assigned.keep
        with ExitStack() as stack:
            file = self._places.new_output(self.claim.job)
            capture = stack.enter_context(closing(Capture(file) if keep is None else Capture(file, None)))
            with usable(Path("the folder of temporary files"), "TMPDIR"):
                # What the command made of the folder must not cost what it reported.
                scratch = tempfile.TemporaryDirectory(prefix="sweepstake-", ignore_cleanup_errors=True)
                folder = Path(stack.enter_context(scratch))
            output = _Output(capture, self._plan.terminal, f"[{printable(self.claim.job.id)}] ".encode())
            if keep is None:
                return self._run_in(folder, output)
            keeping = stack.enter_context(keep(self._places.output(self.claim.job, self.claim.job.attempt)))
            report = self._run_in(folder, output)
            return self._kept(report, keeping, capture)

    def _run_in(self, folder: Path, output: _Output) -> Finish:
        try:
            launch = self.assigned.work.launch(folder, self._checkpoints(), _Before(self, output))
            process = self._start(launch, output)
        except InvalidInputError as error:
            return self._report(Verdict(Outcome.CRASHED, str(error)), output=output.text())
        except StoreUnavailableError as error:
            return self._report(Verdict(Outcome.RELEASED, f"what it needs could not be had: {error}"))
        except Interrupted as interrupted:
            ending = Ending(
                code=-signal.SIGTERM,
                stopped=True,
                why_stopped=self._why_stopped,
                begun=False,
                signal=interrupted.signal,
            )
            return self._report(judge(ending, allow_empty=True), output=output.text())
        return self._conclude(process, launch, output)

    def _kept(self, report: Finish, keeping: Keeping, capture: Capture) -> Finish:
        """Keep what the attempt left, and return what to report then: it is DONE only if all is kept."""
        try:
            kept = keeping.finish(lambda: FINAL_PATIENCE if self._end is None else TERM_PATIENCE)
        except UnusableFolderError as error:
            if report.outcome is Outcome.DONE:
                raise
            kept = Kept(problem=str(error))
        outcome = report.outcome
        if kept.problem and outcome is Outcome.DONE:
            outcome = Outcome.RELEASED if kept.again else Outcome.CRASHED
        told = [report.reason, kept.problem, kept.note, capture.problem]
        return evolve(report, outcome=outcome, reason="; ".join(filter(None, told)))

    def stop(self) -> None:
        """Ask the command to end, and kill it after the grace time; called from another thread."""
        self._end_by(lambda process: process.end(self._plan.grace))

    def give_way(self) -> None:
        """As `stop`, because a more urgent job lacks room."""
        self._why_stopped = GAVE_WAY
        self.stop()

    def run_out(self) -> None:
        """As `stop`, because the allocation that the worker runs in is about to end."""
        self._why_stopped = OUT_OF_TIME
        self.stop()

    def kill(self) -> None:
        """Kill the command; called from another thread."""
        self._end_by(Process.kill)

    def _end_by(self, end: Callable[[Process], None]) -> None:
        """End the command that way, at once or as soon as it has started."""
        with self._lock:
            self._end = end
            self._ending.set()
            if self._process is not None:
                end(self._process)

    def _start(self, launch: Launch, output: _Output) -> Process:
        job = self.claim.job
        output.hide(launch.hidden)
        environment = {**launch.environment, HELD: held_text(job, job.worker or "", self._plan.ranks, command=True)}
        environment.pop("SWEEPSTAKE_DEADLINE", None)
        if self._timeout is not None:
            environment["SWEEPSTAKE_DEADLINE"] = f"{time.time() + self._timeout:.3f}"
        try:
            return self._begin(launch.arguments, environment, output, launch.inherited, launch.ending, launch.run)
        except OSError as error:
            raise _refused(launch, error) from error

    def run_before(self, arguments: Sequence[str], environment: Mapping[str, str], output: _Output) -> int:
        """Run something to its end before the command; see `Preliminaries`."""
        process = self._begin(arguments, {**os.environ, **environment}, output)
        code = process.wait()
        with self._lock:
            self._process = None
        said = self._heartbeats.ended(self.claim.key)
        if self._ending.is_set() or said is not Signal.CONTINUE:
            raise Interrupted(said)
        return code

    def pause_before(self, seconds: float) -> None:
        """Wait before the command; see `Preliminaries`."""
        if self._ending.wait(seconds):
            raise Interrupted

    def wait_before(self, seconds: float) -> None:
        """Wait for others before the command; see `Preliminaries`."""
        self.pause_before(seconds)
        if self._stopping.is_set():
            raise Interrupted

    def _begin(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: _Output,
        inherited: Sequence[int] = (),
        ending: Sequence[str] = (),
        run: str = "",
    ) -> Process:
        key, lease = self.claim.key, self.claim.lease
        with self._lock:
            self._heartbeats.hold(key, lease, None, ending, run)  # this process may be killed before it knows the group
            process = Process(arguments, environment, output.out, output.err, inherited)
            self._process = process
            self._heartbeats.hold(key, lease, process.group.number, ending, run)
            if self._end is not None:
                self._end(process)
        return process

    def _checkpoints(self) -> Path:
        """Return the job's folder for checkpoints, after making sure that something can be written there."""
        folder = self._places.checkpoint(self.claim.job, held=True)
        with usable(folder, "SWEEPSTAKE_CHECKPOINTS"):
            self._checkpoints_at = folder, check_room(folder)
        return folder

    def _why(self) -> str:
        """Say why the command was ended, and whether the next attempt can go on from what it left."""
        if self._why_stopped is not OUT_OF_TIME or self._checkpoints_at is None:
            return self._why_stopped
        return OUT_OF_TIME if changed_since(*self._checkpoints_at) else IN_VAIN

    def _conclude(self, process: Process, launch: Launch, output: _Output) -> Finish:
        try:
            limit = self._limit(process)
        except RuntimeError as error:
            process.kill()
            process.wait()
            self._heartbeats.ended(self.claim.key)
            end_outliving(launch.ending)
            raise no_room(error) from error
        code = -signal.SIGKILL
        try:
            code = process.wait()
        finally:
            if limit is not None:
                limit.cancel()
            said = self._heartbeats.ended(self.claim.key)
            self.lost = said is Signal.LOST
            stopped = self._end is not None or (terminated(code) and self._stopping.wait(_ECHO))
            ended = stopped or self.timed_out or said is not Signal.CONTINUE
            failed = "" if ended else launch.failed(code)
            if code < 0 or failed or ended:
                # It did not end by itself, and so has cleared nothing away. Of a command that was told to end the code
                # says nothing: podman's ends with 0, and its container goes on, in the moment after it has begun.
                end_outliving(launch.ending)
            output.end()
        job = self.claim.job
        found = collect(
            output.block,
            launch.results,
            job.results,
            lambda: self._places.kept(job),
            metrics=launch.metrics,
            links=not launch.untrusted,
        )
        ending = Ending(
            code=code,
            stopped=stopped,
            why_stopped=self._why() if stopped else self._why_stopped,
            timeout=self._timeout if self.timed_out else None,
            signal=said,
            reported=found.results is not job.results,
            problem="; ".join(found.problems),
            failed=failed,
            note=found.note,
            last_words=output.last_words(),
        )
        return self._report(judge(ending, allow_empty=self._plan.allow_empty), found.results, output.text())

    def _limit(self, process: Process) -> threading.Timer | None:
        """Start the timer that ends the command when its time is over."""
        if self._timeout is None:
            return None

        def over() -> None:
            self.timed_out = True
            process.end(self._plan.grace)

        return start_timer(self._timeout, over)

    def _report(self, verdict: Verdict, results: JsonObject | None = None, output: str = "") -> Finish:
        results = self.claim.job.results if results is None else results
        return Finish(
            attempt=self.claim.key,
            results=results,
            output=output,
            **asdict(verdict, recurse=False),
        )


def _refused(launch: Launch, error: OSError) -> Exception:
    """Return the error for a command that could not be started: the job's fault, or this machine's."""
    if error.errno in _EXHAUSTED:
        return error
    what = f"{launch.arguments[0]!r} cannot be started: {error.strerror or error}"
    if error.errno == errno.E2BIG:
        told = "let it read its hyperparameters from the file that SWEEPSTAKE_HYPERPARAMETERS_PATH names"
        return InvalidInputError.at("command", f"{what}; {told}, and other long texts from files of their own")
    if not launch.ours:
        return InvalidInputError.at("command[0]", what)
    return ConfigurationError(f"{what}; give the program by its whole path, or mend it on this machine")


@frozen
class _Before:
    """What is done before the command of an attempt."""

    attempt: Attempt
    output: _Output

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
        return self.attempt.run_before(arguments, environment, self.output)

    def pause(self, seconds: float) -> None:
        self.attempt.pause_before(seconds)

    def wait(self, seconds: float) -> None:
        self.attempt.wait_before(seconds)


class _Output:
    """Where a command's output goes: to the terminal, the file, and the reader of results."""

    def __init__(self, capture: Capture, terminal: Terminal, prefix: bytes) -> None:
        self.block = BlockReader()
        self._capture = capture
        self._terminal = terminal
        self._lock = threading.Lock()
        self._end = b""
        self.hide(())
        self._lines = {1: Lines(prefix), 2: Lines(prefix)} if terminal.several else None

    def hide(self, secrets: Sequence[str]) -> None:
        """Let texts not be seen in what comes from now on."""
        words = words_of(secrets)
        self._masks = {1: Mask(words), 2: Mask(words)}

    def out(self, data: bytes) -> None:
        """Take standard output."""
        self._take_output(self._masks[1].feed(data))

    def err(self, data: bytes) -> None:
        """Take standard error."""
        self._take(2, self._masks[2].feed(data))

    def end(self) -> None:
        """Write the last line, if it has no line break."""
        self._take_output(self._masks[1].rest())
        self._take(2, self._masks[2].rest())
        for stream, lines in (self._lines or {}).items():
            self._terminal.write(stream, lines.rest())

    def text(self) -> str:
        """Return the end of the output as text that a store can keep."""
        return self._end.decode("utf-8", "replace").replace("\0", "\\0")

    def last_words(self) -> str:
        """Return the last line that is not blank."""
        lines = (line.strip() for line in reversed(self.text().splitlines()))
        return next((line for line in lines if line), "")[-_LAST_WORDS:]

    def _take_output(self, data: bytes) -> None:
        self.block.feed(data)
        self._take(1, data)

    def _take(self, stream: int, data: bytes) -> None:
        with self._lock:
            self._capture.write(data)
            self._end = (self._end + data)[-MAX_OUTPUT:]
        self._terminal.write(stream, data if self._lines is None else self._lines[stream].feed(data))
