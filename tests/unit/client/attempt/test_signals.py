"""Signals and forks, with real processes."""

import json
import os
import signal
import subprocess
from pathlib import Path

import sweepstake
from sweepstake import Job
from sweepstake.domain.status import Outcome
from tests.kit.scripts import run_script

_RUN = """
import json, os, signal, sys
import sweepstake
exp = sweepstake.connect(sys.argv[1]).get_experiment("exp")
"""


def _script(db_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    return run_script(_RUN + body, f"sqlite:///{db_path}")


def test_sigterm_gives_the_job_back_and_ends_the_process(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """A training script told to end puts its job back into the queue, as preempted."""
    job_id = exp.add_job({}).job_id
    done = _script(
        tmp_path / "store.db",
        "with exp.next_job() as job:\n    os.kill(os.getpid(), signal.SIGTERM)\n    print('not reached')\n",
    )
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert done.stdout == ""
    job = exp.get_job(job_id)
    assert job.status == Job.QUEUED
    assert [attempt.outcome for attempt in job.attempts()] == [Outcome.PREEMPTED]


def test_a_handler_of_the_users_stays(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """SIGTERM is caught only over the default action."""
    job_id = exp.add_job({}).job_id
    done = _script(
        tmp_path / "store.db",
        "signal.signal(signal.SIGTERM, lambda *_: print('mine'))\n"
        "with exp.next_job() as job:\n    os.kill(os.getpid(), signal.SIGTERM)\n",
    )
    assert done.stdout == "mine\n", done.stderr
    assert exp.get_job(job_id).status == Job.DONE


def test_the_default_action_is_put_back(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """After the block SIGTERM does again what it did before."""
    exp.add_job({})
    done = _script(
        tmp_path / "store.db",
        "with exp.next_job(): pass\nprint(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)\n",
    )
    assert done.stdout == "True\n", done.stderr


def test_a_forked_child_owns_no_job(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """A child that leaves its copy of the block records nothing; the parent's result stands."""
    job_id = exp.add_job({}).job_id
    done = _script(
        tmp_path / "store.db",
        "with exp.next_job() as job:\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        try:\n"
        "            with job: raise ValueError('in the child')\n"
        "        except ValueError: os._exit(7)\n"
        "    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "    job.results['child'] = code\n"
        "print(json.dumps([job.status, job.attempt]))\n",
    )
    assert json.loads(done.stdout) == ["DONE", 1], done.stderr
    assert exp.get_job(job_id).results == {"child": 7}


def test_a_forked_child_can_use_the_connection_for_itself(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """DataLoader-like children may claim jobs of their own."""
    exp.add_jobs([{}, {}])
    done = _script(
        tmp_path / "store.db",
        "with exp.next_job() as job:\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        with exp.next_job() as own: own.results['by'] = os.getpid()\n"
        "        os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "    job.results['by'] = os.getpid()\n",
    )
    assert done.returncode == 0, done.stderr
    pids = {job.results["by"] for job in exp.all_jobs(status="DONE")}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_child_does_not_wait_for_the_heartbeat_of_its_parent(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """Forked in the middle of a beat, it may drop its copy of a claimed job, and close the connection."""
    exp.add_job({})
    done = _script(
        tmp_path / "store.db",
        "import threading\n"
        "job, held, over = exp.next_job(), threading.Event(), threading.Event()\n"
        "def beat():\n"
        "    with exp.session.heartbeat.mutex:\n"
        "        held.set()\n"
        "        over.wait()\n"
        "threading.Thread(target=beat).start()\n"
        "held.wait()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    del job\n"
        "    exp.session.heartbeat.close()\n"
        "    os._exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "over.set()\n",
    )
    assert done.stdout == "7\n", done.stderr


def test_sigterm_waits_for_a_hook_and_no_second_one_stops_it(exp: sweepstake.ManualSearch, tmp_path: Path) -> None:
    """The checkpoint is written in full, also when whoever ends the process asks twice."""
    job_id = exp.add_job({}).job_id
    done = _script(
        tmp_path / "store.db",
        "def save():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    job.results['saved'] = os.getpid()\n"
        "with exp.next_job() as job:\n"
        "    job.on_preempt(save)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n",
    )
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    job = exp.get_job(job_id)
    assert (job.status, list(job.results)) == (Job.QUEUED, ["saved"])
