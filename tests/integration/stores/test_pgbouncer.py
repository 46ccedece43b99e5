"""PostgreSQL behind a real pgbouncer that gives each transaction another connection."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import sweepstake
from tests.kit.postgres import free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SECONDS = 20.0


@pytest.fixture
def pooled_url(postgres_url: str, tmp_path: Path) -> Iterator[str]:
    """A new database as pgbouncer shows it: three connections for everybody, in transaction mode."""
    if PROGRAM is None:
        pytest.skip("there is no pgbouncer here; Debian has a package of that name")
    database = urlsplit(postgres_url)
    name, port = database.path.removeprefix("/"), free_port()
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(
        "[databases]\n"
        f"{name} = host={database.hostname} port={database.port} user={database.username}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n"
    )
    # It reads its settings before it becomes somebody else, which root has to.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([PROGRAM, "-q", *user, settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"postgresql://{database.username}@127.0.0.1:{port}/{name}"
    try:
        _wait_until_ready(url, process)
        yield f"{url}?prepare=off"
    finally:
        process.terminate()
        process.wait(SECONDS)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(psycopg.OperationalError):
            return psycopg.connect(url, connect_timeout=2).close()
        time.sleep(0.05)
    raise RuntimeError(f"pgbouncer did not start (exit code {process.poll()})")


def test_a_sweep_runs_through_a_pooler_in_transaction_mode(pooled_url: str) -> None:
    """More workers than connections claim and finish every job once, and a limit of running jobs is kept."""
    with closing(sweepstake.connect(pooled_url)) as database:
        sweep = database.add_experiment(sweepstake.ManualSearch("sweep"))
        sweep.add_jobs({"i": i} for i in range(100))
        limited = database.add_experiment(sweepstake.ManualSearch("limited", max_running=2))
        limited.add_jobs([{}] * 20)

        def work() -> None:
            for experiment in (sweep, limited):
                for job in experiment.claim_jobs(wait=5.0 if experiment is limited else 0.0):
                    with job:
                        job.results["seen"] = job.attempt

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (sweep.counts().done, limited.counts().done) == (100, 20)
        assert {job.attempt for job in (*sweep.all_jobs(), *limited.all_jobs())} == {1}
