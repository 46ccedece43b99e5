"""The backend whose allocations are processes of this machine, with real ones."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from sweepstake import Database, ManualSearch
from sweepstake.batch import Capacity
from sweepstake.batch.backends.allocations import AllocationState
from sweepstake.batch.backends.kinds import backend_of
from sweepstake.batch.backends.local.identity import Identity, identity_of
from sweepstake.batch.backends.local.kept import Asked, Began, Ended, read, write
from sweepstake.batch.backends.local.machine import LocalMachine
from sweepstake.batch.backends.submissions import Site, Submission
from sweepstake.batch.settling import live_batches
from sweepstake.domain.batches.records import BatchStatus
from sweepstake.errors import ConfigurationError, InvalidInputError, SubmissionError
from tests.kit.allocations import over, running, until
from tests.kit.commands import RESULTS
from tests.kit.lab import eventually
from tests.kit.shell import Command

__all__: list[str] = []


@pytest.fixture
def backend(tmp_path: Path) -> LocalMachine:
    """Give the backend, which lets commands end for a second, and has room for four at a time."""
    return LocalMachine(tmp_path / "state", grace=1.0, room=Capacity(cpus=4))


def asked(tmp_path: Path, *scripts: str, limit: float = 60.0) -> Submission:
    """Return what asks for an allocation for each of some shell scripts."""
    return Submission(name="sw", commands=[["sh", "-c", each] for each in scripts], time_limit=limit, folder=tmp_path)


def process(tmp_path: Path, jobid: str, name: str = "command") -> Began:
    """Return a process of an allocation."""
    found = read(tmp_path / "state" / "allocations" / jobid, name, Began)
    assert found is not None
    return found


def gone(pid: int) -> bool:
    """Wait until a process is gone."""
    return eventually(lambda: identity_of(pid) is None)


def test_several_run_each_its_own_command(backend: LocalMachine, tmp_path: Path) -> None:
    """In sessions of their own; each finds what it is called, prints into its own file, and has its exit code kept."""
    print_it = 'echo "$SWEEPSTAKE_ALLOCATION $(ps -o sid= -p $$)"; echo no >&2; exit '
    ids = backend.submit(asked(tmp_path, *(print_it + str(code) for code in (0, 3, 0))))
    found = until(backend, dict.fromkeys(ids, "sw"), over)
    assert [(each.jobid, each.state, each.reason) for each in found.values()] == [
        (ids[0], AllocationState.DONE, ""),
        (ids[1], AllocationState.FAILED, "exit code 3"),
        (ids[2], AllocationState.DONE, ""),
    ]
    told = [backend.log(tmp_path, "sw", each).read_text().split() for each in ids]
    assert [(jobid, errors) for jobid, _, errors in told] == [(each, "no") for each in ids]
    assert len({session for _, session, _ in told} | {str(os.getsid(0))}) == 4
    assert read(tmp_path / "state" / "allocations" / ids[1], "ended", Ended) == Ended(
        state="FAILED", code=3, reason="exit code 3"
    )


def test_one_outlives_who_submitted_it(backend: LocalMachine, tmp_path: Path) -> None:
    """And is known by its name to whoever comes next."""
    submit = (
        "import os, signal, sys; from pathlib import Path;"
        "from sweepstake.batch.backends.local.machine import LocalMachine;"
        "from sweepstake.batch.backends.submissions import Submission;"
        "here = Path(sys.argv[1]);"
        "LocalMachine(here / 'state').submit(Submission(name='sw', commands=[['sleep', '60']], folder=here));"
        "os.killpg(0, signal.SIGKILL)"
    )
    submitter = subprocess.run([sys.executable, "-c", submit, tmp_path], start_new_session=True, check=False)
    assert submitter.returncode == -signal.SIGKILL
    found = backend.find(["another", "sw"])
    assert found is not None
    [jobid] = found
    [up] = until(backend, {jobid: "sw"}, running).values()
    assert 1700 < (up.left or 0) <= 1800
    backend.cancel({jobid: "sw"})
    assert backend.poll({jobid: "sw"})[jobid].state is AllocationState.CANCELLED


def test_at_its_limit_one_is_asked_to_end_and_then_killed(backend: LocalMachine, tmp_path: Path) -> None:
    """With all that it has begun."""
    heeds, ignores = backend.submit(
        asked(
            tmp_path,
            'trap "echo asked; exit 0" TERM; sleep 60 & wait',
            'trap "" TERM; sleep 60 & echo $!; wait',
            limit=0.5,
        )
    )
    found = until(backend, {heeds: "sw", ignores: "sw"}, over)
    assert {each.state for each in found.values()} == {AllocationState.TIMEOUT}
    assert "asked" in backend.log(tmp_path, "sw", heeds).read_text()
    assert gone(int(backend.log(tmp_path, "sw", ignores).read_text()))


def test_one_begins_when_those_before_it_have_ended(backend: LocalMachine, tmp_path: Path) -> None:
    """However they did; one that nobody knows has."""
    [first] = backend.submit(asked(tmp_path, "sleep 60"))
    [second] = backend.submit(evolve(asked(tmp_path, "true"), after=[first, "00000000"]))
    named = {first: "sw", second: "sw"}
    until(backend, {first: "sw"}, running)
    waits = backend.poll(named)[second]
    assert (waits.state, waits.reason) == (AllocationState.PENDING, "it waits for others")
    backend.cancel({first: "sw"})
    assert [each.state for each in until(backend, named, over).values()] == [
        AllocationState.CANCELLED,
        AllocationState.DONE,
    ]


def test_one_that_waits_can_be_cancelled(backend: LocalMachine, tmp_path: Path) -> None:
    """Then it never begins."""
    [first] = backend.submit(asked(tmp_path, "sleep 60"))
    [second] = backend.submit(evolve(asked(tmp_path, "touch begun"), after=[first]))
    backend.cancel({second: "sw"})
    assert backend.poll({second: "sw"})[second].state is AllocationState.CANCELLED
    backend.cancel({first: "sw", second: "sw"})
    assert not Path("begun").exists()


def test_another_process_of_its_number_is_left_alone(backend: LocalMachine, tmp_path: Path) -> None:
    """A number without the time at which its process began is nobody's."""
    [jobid] = backend.submit(asked(tmp_path, "true"))
    until(backend, {jobid: "sw"}, over)
    folder = tmp_path / "state" / "allocations" / jobid
    (folder / "ended.json").unlink()
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        for name in ("keeper", "command"):
            write(folder, name, Began(pid=other.pid, began="before", at=0.0))
        assert backend.poll({jobid: "sw"})[jobid].state is AllocationState.FAILED
        backend.cancel({jobid: "sw"})
        assert not Identity(other.pid, "before").send(signal.SIGTERM)
        Identity(other.pid, "before").send_group(signal.SIGTERM)
        assert other.poll() is None
        other.kill()


def test_an_id_counts_only_with_its_name(backend: LocalMachine, tmp_path: Path) -> None:
    """And an id is never a path."""
    [jobid] = backend.submit(asked(tmp_path, "sleep 60"))
    for named in ({jobid: "another"}, {f"../allocations/{jobid}": "sw"}):
        [found] = backend.poll(named).values()
        assert found.gone
        backend.cancel(named)
    until(backend, {jobid: "sw"}, running)
    backend.cancel({jobid: "sw"})


def test_what_a_killed_keeper_left_can_be_ended(backend: LocalMachine, tmp_path: Path) -> None:
    """It runs until then, and not beyond its limit as far as anybody looks."""
    ids = [backend.submit(asked(tmp_path, "sleep 60", limit=limit))[0] for limit in (60.0, 1.0)]
    named = dict.fromkeys(ids, "sw")
    until(backend, named, running)
    for each in ids:
        os.kill(process(tmp_path, each, "keeper").pid, signal.SIGKILL)
    until(backend, {ids[1]: "sw"}, over)
    assert not backend.poll(named)[ids[0]].is_over
    backend.cancel(named)
    assert [each.state for each in backend.poll(named).values()] == [AllocationState.FAILED] * 2
    assert all(gone(process(tmp_path, each).pid) for each in ids)


def test_what_is_on_another_machine_is_left_to_it(backend: LocalMachine, tmp_path: Path) -> None:
    """A state folder may be on a disk that several see."""
    [jobid] = backend.submit(asked(tmp_path, "true"))
    until(backend, {jobid: "sw"}, over)
    folder = tmp_path / "state" / "allocations" / jobid
    found = read(folder, "asked", Asked)
    assert found is not None
    write(folder, "asked", evolve(found, host="another"))
    elsewhere = backend.poll({jobid: "sw"})[jobid]
    assert (elsewhere.state, elsewhere.is_over) == (AllocationState.UNKNOWN, False)
    assert elsewhere.reason == f"it is on another, and this is {socket.gethostname()}"
    with pytest.raises(SubmissionError, match="do it there"):
        backend.cancel({jobid: "sw"})


def test_what_only_clusters_have_is_refused(backend: LocalMachine, tmp_path: Path) -> None:
    """Before anything begins."""
    for wrong in ({"nodes": 2}, {"site": Site(account="a")}, {"site": Site(extra=["--hold"])}):
        with pytest.raises(InvalidInputError):
            backend.submit(evolve(asked(tmp_path, "true"), **wrong))
    with pytest.raises(ConfigurationError, match="no partitions"):
        backend.cluster("main")
    assert backend.find(["sw"]) == {}


def test_what_there_is_is_what_workers_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processors and GPUs that this process may use; it is one node."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    capacity = backend_of("local", {"SWEEPSTAKE_STATE": str(tmp_path)}).cluster(None).capacity
    assert (capacity.nodes, capacity.gpus) == (1, 2)
    assert 1 <= capacity.cpus <= (os.cpu_count() or 1)


def test_the_commands_know_it(sw: Command, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else has to be said of what there is; the worker begins its batch as the allocation it is in."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    experiment = db.add_experiment(ManualSearch("e"))
    job = experiment.add_job({})
    wait = f"while [ ! -e {tmp_path}/go ]; do sleep 0.1; done; {RESULTS}"
    options = ("--backend", "local", "--estimate", "1s")
    made = json.loads(sw("batch", "submit", "e", *options, "--format", "json", "--", "sh", "-c", wait).out)[0]
    eventually(lambda: experiment.get_job(job.job_id).status == "RUNNING")
    [told] = json.loads(sw("batch", "status", "e", "--format", "json").out)
    assert (told["jobid"], told["allocation"], told["counts"]) == (made["jobid"], "RUNNING", {"RUNNING": 1})
    [record] = live_batches(experiment)
    assert (record.status, record.jobid) == (BatchStatus.BEGUN, made["jobid"])
    (tmp_path / "go").touch()
    eventually(lambda: "No batch" in sw("batch", "status", "e").out)
    assert experiment.get_job(job.job_id).status == "DONE"
    assert "is over" in sw("batch", "logs", "e", "").out


def test_no_more_run_at_a_time_than_there_is_room_for(backend: LocalMachine, tmp_path: Path) -> None:
    """In the order in which they were asked for; one that wants more than there is runs alone."""
    go = tmp_path / "go"
    hold = f"while [ ! -e {go} ]; do sleep 0.05; done; date +%s%N >> {tmp_path}/ended"
    first = backend.submit(evolve(asked(tmp_path, hold, hold, hold), cpus=2))
    large = backend.submit(evolve(asked(tmp_path, f"cp {tmp_path}/ended {tmp_path}/before"), cpus=99))
    last = backend.submit(asked(tmp_path, "true"))
    named = dict.fromkeys([*first, *large, *last], "sw")
    eventually(lambda: [backend.poll(named)[each].state for each in first[:2]] == [AllocationState.RUNNING] * 2)
    told = until(backend, named, lambda found: found[first[2]].reason == "it waits for room")
    assert [told[each].state for each in [first[2], *large, *last]] == [AllocationState.PENDING] * 3
    go.touch()
    assert {each.state for each in until(backend, named, over).values()} == {AllocationState.DONE}
    assert len((tmp_path / "before").read_text().split()) == 3


def test_what_waits_for_others_is_overtaken(backend: LocalMachine, tmp_path: Path) -> None:
    """By what needs the room that it does not take yet; one that is cancelled in line is in nobody's way."""
    go = tmp_path / "go"
    hold = asked(tmp_path, f"while [ ! -e {go} ]; do sleep 0.05; done")
    [first] = backend.submit(hold)
    [second] = backend.submit(evolve(hold, after=[first], cpus=4))
    [third] = backend.submit(evolve(hold, cpus=3))
    [fourth] = backend.submit(evolve(hold, cpus=1))
    until(backend, {third: "sw"}, running)
    backend.cancel({fourth: "sw"})
    [fifth] = backend.submit(asked(tmp_path, "true"))
    named = dict.fromkeys([first, second, third, fifth], "sw")
    assert backend.poll(named)[second].state is AllocationState.PENDING
    go.touch()
    assert {each.state for each in until(backend, named, over).values()} == {AllocationState.DONE}
