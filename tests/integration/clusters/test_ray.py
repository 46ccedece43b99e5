"""`sweepstake worker --on ray`, on a real Ray cluster of two nodes, one of which is killed."""

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
import requests

import sweepstake
from sweepstake import Database, Experiment
from sweepstake.domain.status import Outcome
from tests.kit.lab import eventually
from tests.kit.postgres import free_port
from tests.kit.raylets import Raylets, left_of, looked_up, processes_of, raylets
from tests.kit.serving import served
from tests.kit.shell import Shell

_LEASE = 10.0
#: What a command begins with that says where it runs, and goes on until its file is there or it is told to end.
_HELD = 'echo $$ > "$0/$SWEEPSTAKE_JOB_ID.$$"; until [ -e "$0/go" ]; do sleep 0.1; done'


@pytest.fixture(scope="module")
def cluster() -> Iterator[Raylets]:
    """Two nodes of two CPUs, behind a head that runs nothing."""
    with raylets(2, 2) as started:
        yield started


@pytest.fixture
def ray_shell(cluster: Raylets, url: str, tmp_path: Path) -> Iterator[Shell]:
    """The command, told where the cluster is."""
    environment = {"RAY_ADDRESS": cluster.address, "SWEEPSTAKE_STATE": str(tmp_path / "state")}
    with closing(Shell(url, environment)) as opened:
        yield opened


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _commands(folder: Path) -> list[int]:
    return [int(each.name.rpartition(".")[2]) for each in folder.iterdir() if each.name != "go"]


def _held(db: Database, folder: Path, jobs: int) -> Experiment:
    folder.mkdir()
    experiment = db.add_experiment(sweepstake.ManualSearch("held", lease=_LEASE))
    experiment.add_jobs([{"x": x} for x in range(jobs)], progress=False)
    return experiment


def _on_ray(*options: str, folder: Path) -> Sequence[str]:
    return ("worker", "held", "--on", "ray", *options, "--allow-empty-results", "--", "sh", "-c", _HELD, str(folder))


def test_workers_come_with_the_work_and_go_without_it_and_nothing_shows_the_url_and_the_token(
    cluster: Raylets, ray_shell: Shell, tmp_path: Path
) -> None:
    """As many workers begin as there are jobs and places; the connection stands in nothing that Ray keeps or shows."""
    with served(f"sqlite:///{tmp_path}/served.db") as server:
        with sweepstake.connect(server.url, server.token) as database:
            experiment = database.add_experiment(sweepstake.ManualSearch("seen"))
            experiment.add_jobs([{"x": x} for x in range(6)], progress=False)
            ray_shell.environment["SWEEPSTAKE_TOKEN"] = server.token
            command = (
                "echo 'wrong: 1'; env; sleep 0.5; echo '--- RESULTS ---'; echo y: 1; echo '--- END RESULTS ---'",
            )
            done = ray_shell.run(
                *("worker", "seen", "--on", "ray", "--idle", "1s", "--url", server.url),
                *("--", "sh", "-c", *command, str(tmp_path)),
            )
            assert experiment.counts().done == 6, done.stderr
            workers = set(re.findall(r"/(\d+): a worker begins", done.stderr))
            assert 2 <= len(workers) <= 4, done.stderr
            jobs = list(experiment.all_jobs())
            assert server.token in jobs[0].attempts()[0].output, "the command has the token"
        secrets = [server.token.encode(), server.url.partition("//")[2].encode()]
        for file in cluster.folder.rglob("*"):
            if file.is_file():
                assert not any(secret in file.read_bytes() for secret in secrets), f"{file} shows it"
        told = looked_up(
            cluster,
            "from ray._private.state import actors, jobs;print(jobs(), actors(), ray.util.placement_group_table())",
        ).encode()
        assert b"--on ray" in told, "Ray keeps the command line"
        assert not any(secret in told for secret in secrets), told
    assert left_of(cluster) == {"actors": [], "groups": []}
    assert not processes_of(tmp_path)


def test_the_commands_of_a_raylet_that_is_killed_end_and_their_jobs_run_elsewhere(
    cluster: Raylets, ray_shell: Shell, db: Database, tmp_path: Path
) -> None:
    """Nothing of a node that died runs on; its jobs are given back, and run again on a node that lives."""
    folder = tmp_path / "commands"
    experiment = _held(db, folder, 4)
    process = ray_shell.start(*_on_ray("--idle", "1s", "--grace", "1", folder=folder))
    eventually(lambda: len(_commands(folder)) == 4)
    raylet = cluster.kill(cluster.nodes()[0])
    eventually(lambda: not processes_of(folder, raylet), within=_LEASE)
    assert sum(map(_runs, _commands(folder))) == 2, "those of the other node go on"
    cluster.add(num_cpus=2)
    eventually(lambda: sum(map(_runs, _commands(folder))) == 4)
    (folder / "go").touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "another begins elsewhere" in err
    assert "Traceback" not in err
    assert experiment.counts().done == 4
    assert sorted(job.attempt for job in experiment.all_jobs()) == [1, 1, 2, 2]
    lost = [job.attempts()[0] for job in experiment.all_jobs() if job.attempt == 2]
    assert {attempt.outcome for attempt in lost} == {Outcome.PREEMPTED}, "they were given back, not lost"
    assert left_of(cluster) == {"actors": [], "groups": []}


def test_a_second_signal_ends_all_workers_and_gives_their_jobs_back(
    cluster: Raylets, ray_shell: Shell, db: Database, tmp_path: Path
) -> None:
    """The first lets jobs go on, the second ends them; then nothing is left on the cluster."""
    folder = tmp_path / "commands"
    experiment = _held(db, folder, 6)
    process = ray_shell.start(*_on_ray("--concurrency", "2", "--grace", "1", folder=folder))
    eventually(lambda: len(_commands(folder)) == 4)
    assert len(processes_of(folder)) == 6, "two workers have room for two commands each"
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[sweepstake] SIGINT"):
            break
    assert sum(map(_runs, _commands(folder))) == 4
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, err
    assert experiment.counts().ready == 6, "all went back"
    assert not any(map(_runs, _commands(folder)))
    assert left_of(cluster) == {"actors": [], "groups": []}
    assert not processes_of(folder)


_TASKS = """
version: v2
tasks:
- name: alone
  image: {docker: tiny}
  command: [sh, -c, "true"]
  resources: {cpuCount: 2}
- name: pair
  image: {docker: tiny}
  command: [sh, -c, "sleep 0.5"]
  resources: {cpuCount: 2}
  replicas: 2
"""


def test_tasks_of_specs_run_on_whole_nodes(ray_shell: Shell, db: Database, tmp_path: Path) -> None:
    """A worker has what its node has; replicas begin together, on two."""
    (tmp_path / "tasks.yaml").write_text(_TASKS)
    ray_shell.run("submit", str(tmp_path / "tasks.yaml"), "--name", "tasks")
    done = ray_shell.run("worker", "tasks", "--on", "ray", "--idle", "1s", "--no-container")
    jobs = {job.job_id: job for job in db.get_experiment("tasks").all_jobs()}
    assert {job.status for job in jobs.values()} == {"DONE"}, done.stderr
    assert jobs["pair.r0"].worker != jobs["pair.r1"].worker, "no node has room for both"


#: What Ray's dashboard is asked for; its pages are made of these.
_SHOWN = (
    *(f"/api/v0/{each}?detail=1" for each in ("actors", "tasks", "workers", "nodes", "placement_groups", "objects")),
    *("/api/jobs/", "/logical/actors", "/nodes?view=summary", "/api/cluster_status"),
)


def _asked(cluster: Raylets, path: str) -> requests.Response | None:
    """Ask a dashboard; None while it only begins."""
    with suppress(requests.ConnectionError):
        answer = requests.get(cluster.dashboard + path, timeout=60)
        return answer if answer.ok else None
    return None


@pytest.mark.full
def test_the_dashboard_shows_neither_the_url_nor_the_token(tmp_path: Path) -> None:
    """While workers run, none of its answers has them; its logs are files of the session. It needs `ray[default]`."""
    with (
        raylets(2, include_dashboard=True, dashboard_port=free_port()) as cluster,
        served(f"sqlite:///{tmp_path}/served.db") as server,
        sweepstake.connect(server.url, server.token) as database,
    ):
        folder = tmp_path / "commands"
        _held(database, folder, 2)
        environment = {
            "RAY_ADDRESS": cluster.address,
            "SWEEPSTAKE_STATE": str(tmp_path / "state"),
            "SWEEPSTAKE_TOKEN": server.token,
        }
        with closing(Shell("", environment)) as shell:
            shell.start(*_on_ray("--url", server.url, folder=folder))
            eventually(lambda: len(_commands(folder)) == 2)
            asked = {path: eventually(partial(_asked, cluster, path)).text for path in _SHOWN}
    assert asked["/api/v0/actors?detail=1"].count("SweepstakeWorker") >= 2, "it shows the actors"
    assert "--on ray" in asked["/api/jobs/"], "and the command line"
    for path, answer in asked.items():
        for secret in (server.token, server.url.partition("//")[2]):
            assert secret not in answer, path
