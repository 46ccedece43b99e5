"""A disk that is full: what was acknowledged is kept, what was refused is not there, and it goes on with more room."""

from pathlib import Path

from tests.kit.lab import Lab
from tests.kit.scripts import run_script
from tests.kit.stack import open_queue

SCRIPT = """
import resource, signal, sys
from sweepstake.errors import StoreUnavailableError
from tests.kit.lab import Lab, document, draft
from tests.kit.stack import open_queue

address, name = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
lab = Lab(open_queue(address), name)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, most))
refused = 0
for i in range(400):
    try:
        print(lab.add_one(of=document(results={"text": "x" * 20_000, "i": i})))
    except StoreUnavailableError:
        refused += 1
        if refused == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
assert refused == 5, refused
"""


def test_a_full_disk_refuses_cleanly_and_recovers(tmp_path: Path) -> None:
    """A file that may grow no more stands for the disk; the same process goes on once there is room."""
    address = f"sqlite:///{tmp_path}/store.db"
    queue = open_queue(address)
    lab = Lab.new(queue)
    script = run_script(SCRIPT, address, lab.name)
    assert (script.stderr, script.returncode) == ("", 0)
    assert [job.id for job in lab.jobs()] == script.stdout.split()
    assert lab.record().created == 395
    queue.close()
