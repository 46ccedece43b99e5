"""SIGTERM at every moment, with real processes: each job goes back, and the program's own clean-up runs."""

import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sweepstake
from sweepstake import Job
from sweepstake.client.attempt.leaving import Terminated
from sweepstake.client.attempt.terminating import TermWatch
from tests.kit.lab import eventually
from tests.kit.scripts import run_script

_BEGIN = """
import asyncio, os, signal, sys, threading, time
import sweepstake
database = sweepstake.connect(sys.argv[1])
exp = database.get_experiment("exp")

def die():
    os.kill(os.getpid(), signal.SIGTERM)
"""
_TERMINATED = 128 + signal.SIGTERM


def run(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    return run_script(_BEGIN + textwrap.dedent(body), f"sqlite:///{tmp_path}/store.db")


def ended(exp: sweepstake.Experiment) -> list[str]:
    """Return how the attempts ended, of all jobs."""
    return sorted(str(attempt.outcome) for job in exp.all_jobs() for attempt in job.attempts())


def test_between_two_blocks(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """The job claimed with the report before is given back, and `finally` runs."""
    exp.add_jobs([{}] * 3)
    done = run(
        tmp_path,
        """
        try:
            for job in exp.claim_jobs():
                with job: pass
                die()
        finally:
            print("clean")
        """,
    )
    assert (done.returncode, done.stdout) == (_TERMINATED, "clean\n"), done.stderr
    assert (exp.counts().done, exp.counts().running, exp.counts().ready) == (1, 0, 2)
    assert ended(exp) == ["done", "released"]


def test_while_a_report_is_under_way(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """The report is made, no job stays behind, and the program ends with its own clean-up."""
    exp.add_jobs([{}] * 3)
    done = run(
        tmp_path,
        """
        sender = exp.session.queue.sender
        send = sender._send
        def slow(call):  # also to give back what was claimed ahead: whoever ends it asks twice
            if type(call).__name__ == "FinishAttempt":
                die()
            return send(call)
        sender._send = slow
        try:
            for job in exp.claim_jobs():
                with job: job.results["x"] = 1
        finally:
            print("clean")
        """,
    )
    assert (done.returncode, done.stdout) == (_TERMINATED, "clean\n"), done.stderr
    assert (exp.counts().done, exp.counts().running, exp.counts().ready) == (1, 0, 2)
    assert set(ended(exp)) == {"done", "released"}


@pytest.mark.parametrize("how", ["exp.next_job()", "next(exp.claim_jobs())", "exp.get_job('one').__enter__()"])
def test_while_a_claim_is_under_way(exp: sweepstake.ManualSearch, tmp_path: Path, how: str) -> None:
    """What it brings is given back."""
    exp.add_job({}, job_id="one")
    done = run(
        tmp_path,
        f"""
        sender = exp.session.queue.sender
        send = sender._send
        def slow(call):
            answer = send(call)
            if type(call).__name__ == "ClaimJob":
                die()
            return answer
        sender._send = slow
        try:
            kept = {how}
        finally:
            print("clean")
        """,
    )
    assert (done.returncode, done.stdout) == (_TERMINATED, "clean\n"), done.stderr
    assert exp.get_job("one").status == Job.QUEUED
    assert ended(exp) == ["released"]


def test_while_the_store_is_away_and_another_thread_takes_the_signal() -> None:
    """The system gives a signal to any thread; the main one does not sleep on until the next try."""
    watch, sleeping = TermWatch(), threading.Event()

    def sleep(seconds: float) -> None:
        sleeping.set()
        time.sleep(seconds)

    def take() -> None:
        sleeping.wait()
        signal.raise_signal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(take)
        began = time.monotonic()
        with pytest.raises(Terminated), watch:
            watch.nap(sleep, 20.0)
    assert time.monotonic() - began < 20.0


def test_with_a_job_that_was_not_entered(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """It goes back at once, though the program takes long to end."""
    exp.add_job({}, job_id="one")
    script = _BEGIN + textwrap.dedent(
        """
        job = exp.next_job()
        try:
            die()
            time.sleep(30)
        finally:
            print("clean", flush=True)
            sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, f"sqlite:///{tmp_path}/store.db"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"clean\n"
        eventually(lambda: exp.get_job("one").status == Job.QUEUED or None, within=5)
        process.communicate()
    assert process.returncode == _TERMINATED
    assert ended(exp) == ["released"]


_TASKS = """
    async def work(number, seconds):
        with exp.next_job() as job:
            await asyncio.sleep(seconds)
            job.results["number"] = number

    async def main():
        async with asyncio.TaskGroup() as group:
            for number, seconds in enumerate({seconds}):
                group.create_task(work(number, seconds))
            await asyncio.sleep(0.5)
            die()
            await asyncio.sleep(30)

    try:
        asyncio.run(main())
    finally:
        print("clean")
"""


@pytest.mark.parametrize("seconds", [(0.1, 30, 30), (30, 0.1, 30), (30, 30, 0.1)], ids=["first", "second", "last"])
def test_in_tasks_of_which_one_has_ended(
    exp: sweepstake.ManualSearch, tmp_path: Path, seconds: tuple[float, ...]
) -> None:
    """Whichever has left its block already, the others are given back as preempted."""
    exp.add_jobs([{}] * 3)
    done = run(tmp_path, _TASKS.format(seconds=seconds))
    assert (done.returncode, done.stdout) == (_TERMINATED, "clean\n"), done.stderr
    assert ended(exp) == ["done", "preempted", "preempted"]
    assert exp.counts().ready == 2


_THREADS = """
    def work(seconds):
        with exp.next_job() as job:
            try:
                {wait}
            finally:
                sys.stdout.write("left\\n")

    threads = [threading.Thread(target=work, args=[seconds]) for seconds in {seconds}]
    try:
        for thread in threads:
            thread.start()
        time.sleep(1)
        die()
        for thread in threads:
            thread.join()
    finally:
        print("clean", flush=True)
"""


@pytest.mark.parametrize("seconds", [(0.1, 30, 30), (30, 30, 0.1)], ids=["first", "last"])
def test_in_threads_of_which_one_has_ended(
    exp: sweepstake.ManualSearch, tmp_path: Path, seconds: tuple[float, ...]
) -> None:
    """They leave their blocks as if the signal had come there, and the program ends with its clean-up."""
    exp.add_jobs([{}] * 3)
    wait = "[time.sleep(0.01) for _ in range(int(seconds * 100))]"
    done = run(tmp_path, _THREADS.format(seconds=seconds, wait=wait))
    assert done.returncode == _TERMINATED, done.stderr
    assert sorted(re.findall("clean|left", done.stdout)) == ["clean", "left", "left", "left"]
    assert ended(exp) == ["done", "preempted", "preempted"]


def test_in_a_thread_that_does_not_hear(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """Busy outside Python, it keeps neither its job nor the process."""
    exp.add_jobs([{}] * 2)
    done = run(
        tmp_path, _THREADS.format(seconds=(100, 100), wait="job.results['x'] = 1; threading.Event().wait(seconds)")
    )
    assert (done.returncode, done.stdout) == (_TERMINATED, "clean\n"), done.stderr
    assert ended(exp) == ["preempted", "preempted"]
    assert [job.results for job in exp.all_jobs()] == [{"x": 1}] * 2


def test_in_the_main_thread_and_in_others(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """Hooks are called for each."""
    exp.add_jobs([{}] * 2)
    done = run(
        tmp_path,
        """
        begun = threading.Event()
        def work():
            with exp.next_job() as job:
                job.on_preempt(lambda: job.results.update(saved="thread"))
                begun.set()
                while True: time.sleep(0.01)
        threading.Thread(target=work).start()
        with exp.next_job() as job:
            job.on_preempt(lambda: job.results.update(saved="main"))
            begun.wait()
            die()
        """,
    )
    assert done.returncode == _TERMINATED, done.stderr
    assert ended(exp) == ["preempted", "preempted"]
    assert sorted(job.results["saved"] for job in exp.all_jobs()) == ["main", "thread"]


def test_a_handler_that_a_library_sets_inside_the_block_stays(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """Neither the end of this block nor that of another takes it away, nor puts ours over it."""
    exp.add_jobs([{}] * 3)
    done = run(
        tmp_path,
        """
        def theirs(*_): print("theirs")
        with exp.next_job():
            signal.signal(signal.SIGTERM, theirs)
            with exp.next_job(): pass
            assert signal.getsignal(signal.SIGTERM) is theirs
        assert signal.getsignal(signal.SIGTERM) is theirs
        with exp.next_job():
            die()
        assert signal.getsignal(signal.SIGTERM) is theirs
        """,
    )
    assert (done.returncode, done.stdout) == (0, "theirs\n"), done.stderr
    assert ended(exp) == ["done"] * 3


def test_a_library_that_puts_back_what_it_found(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """Ours, put back after its block has ended, does what the default did; and the next block is guarded."""
    exp.add_jobs([{}] * 2)
    done = run(
        tmp_path,
        """
        with exp.next_job():
            found = signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGTERM, found)
        child = os.fork()
        if not child:
            die()
            time.sleep(30)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        with exp.next_job():
            sys.stdout.flush()
            die()
        """,
    )
    assert (done.returncode, done.stdout) == (_TERMINATED, f"{-signal.SIGTERM}\n"), done.stderr
    assert ended(exp) == ["done", "preempted"]


def test_overlapping_blocks_are_both_guarded(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """The one that was entered first may be left first."""
    exp.add_jobs([{}] * 2)
    done = run(
        tmp_path,
        """
        first, second = exp.next_job(), exp.next_job()
        first.__enter__()
        try:
            with second:
                first.__exit__(None, None, None)
                die()
        finally:
            print("clean")
        """,
    )
    assert (done.returncode, done.stdout) == (_TERMINATED, "clean\n"), done.stderr
    assert ended(exp) == ["done", "preempted"]


def test_while_nothing_is_held(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """SIGTERM does what it always did."""
    done = run(tmp_path, "exp.counts()\ndie()\ntime.sleep(30)")
    assert done.returncode == -signal.SIGTERM


def test_a_child_of_a_block_ends_at_once(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """A pool that is terminated inside a block does not wait, and the job goes on."""
    exp.add_job({})
    done = run(
        tmp_path,
        """
        import multiprocessing
        with exp.next_job() as job:
            with multiprocessing.get_context("fork").Pool(2) as pool:
                job.results["x"] = pool.map(abs, [-1])
        """,
    )
    assert done.returncode == 0, done.stderr
    assert [job.results for job in exp.all_jobs()] == [{"x": [1]}]


def test_a_loop_in_a_thread_begins_no_more(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """Of a process that was told to end no thread takes another job."""
    exp.add_jobs([{}] * 50)
    done = run(
        tmp_path,
        """
        def work():
            for job in exp.claim_jobs():
                with job:
                    time.sleep(0.1)
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads: thread.start()
        with exp.next_job():
            time.sleep(1)
            die()
        """,
    )
    assert done.returncode == _TERMINATED, done.stderr
    counts = exp.counts()
    assert counts.running == 0
    assert counts.done < 50
