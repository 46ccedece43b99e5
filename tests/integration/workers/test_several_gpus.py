"""`sweepstake run` with a command that starts the processes of a group: all work on its job, and the first reports."""

import sys
from pathlib import Path

from sweepstake import Database, ManualSearch
from tests.kit.shell import Shell

_TRAIN = """
import os, sys
import sweepstake
exp = sweepstake.connect().get_experiment("e")
for job in exp.claim_jobs():
    with job:
        print("rank", os.environ["RANK"], "rate", job.hyperparameters["rate"], flush=True)
        job.results["rank"] = int(os.environ["RANK"])
        job.results["rate"] = job.hyperparameters["rate"]
"""
#: What `torchrun` does, as far as it matters.
_LAUNCH = """
import os, subprocess, sys
codes = [subprocess.Popen([sys.executable, sys.argv[1]], env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "3",
    "TORCHELASTIC_RUN_ID": "none"}) for rank in range(3)]
sys.exit(max(each.wait() for each in codes))
"""


def test_a_group_works_on_the_job_of_its_command(db: Database, shell: Shell, tmp_path: Path) -> None:
    """Three ranks, two jobs: each job is trained by all three, and recorded once with what rank 0 had."""
    train, launch = tmp_path / "train.py", tmp_path / "launch.py"
    train.write_text(_TRAIN)
    launch.write_text(_LAUNCH)
    exp = db.add_experiment(ManualSearch("e"))
    exp.add_jobs({"rate": rate} for rate in (0.1, 0.2))
    ran = shell.run("run", "e", "--", sys.executable, str(launch), str(train))
    assert [(job.status, job.attempt, job.results) for job in exp.all_jobs()] == [
        ("DONE", 1, {"rank": 0, "rate": 0.1}),
        ("DONE", 1, {"rank": 0, "rate": 0.2}),
    ], ran
